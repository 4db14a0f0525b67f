/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency and utilization of a network over a grid of array shapes, as CSV and
 * heat maps. */
#include "common/command_line.h"

#include <stdio.h>
#include <string.h>

#define MAX_SIDES 64
#define MAX_NAME  4000

static const char usage[] =
    "usage: sweep --network FILE [options]\n"
    "\n"
    "Simulate a network on arrays of every number of rows and of columns, and\n"
    "print cycles, latency and utilization as CSV.\n"
    "\n"
    "  --network FILE   network.json, or a SCALE-Sim topology (.csv)\n"
    "  --rows LIST      such as 8,16,32 (8,16,32,64,128,256)\n"
    "  --columns LIST   (as --rows)\n"
    "  --level N        of the simulator, 0 to 2 (1)\n"
    "  --batch N        images at a time (1)\n"
    "  --bandwidth F    GiB/s of external memory; 0: 80 for 128 rows, in\n"
    "                   proportion otherwise, and banks too (0)\n"
    "  --out NAME       write NAME.csv, and with cairo NAME-latency.png and\n"
    "                   NAME-utilization.png, instead of printing\n"
    "  --help           this text\n";

enum { NETWORK = 256, ROWS, COLUMNS, LEVEL, BATCH, BANDWIDTH, OUT, HELP };

static const struct option long_options[] = {
    { "network", required_argument, NULL, NETWORK },
    { "rows", required_argument, NULL, ROWS },
    { "columns", required_argument, NULL, COLUMNS },
    { "level", required_argument, NULL, LEVEL },
    { "batch", required_argument, NULL, BATCH },
    { "bandwidth", required_argument, NULL, BANDWIDTH },
    { "out", required_argument, NULL, OUT },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

enum { N_OPTIONS = sizeof(long_options) / sizeof(long_options[0]) - 1 };

typedef struct sides {
    int64_t n, values[MAX_SIDES];
} sides;

typedef struct arguments {
    const char *network, *out;
    sides rows, columns;
    int64_t level, batch;
    double bandwidth;
} arguments;

/* What the grid holds, row by row. */
typedef struct grid {
    double latency_ms[MAX_SIDES * MAX_SIDES];
    double utilization[MAX_SIDES * MAX_SIDES];
} grid;

/* -- command line --------------------------------------------------------- */

static int parse_sides(const char *option, const char *text, sides *out)
{
    char item[32];

    for (out->n = 0; next_part(&text, ',', item, sizeof(item)); out->n++) {
        if (out->n == MAX_SIDES) {
            fprintf(stderr, "%s: at most %d numbers\n", option, MAX_SIDES);
            return 0;
        }
        if (!parse_integer(option, item, 1, 1 << 16, &out->values[out->n]))
            return 0;
    }
    return 1;
}

/* An ending has to fit behind it. */
static int check_out(const char *name)
{
    if (strlen(name) <= MAX_NAME)
        return 1;
    fputs("--out: the name is too long\n", stderr);
    return 0;
}

static int apply(arguments *a, int option, const char *text)
{
    switch (option) {
    case NETWORK: a->network = text; return 1;
    case ROWS: return parse_sides("--rows", text, &a->rows);
    case COLUMNS: return parse_sides("--columns", text, &a->columns);
    case LEVEL: return parse_integer("--level", text, 0, 2, &a->level);
    case BATCH: return parse_integer("--batch", text, 1, 1 << 20, &a->batch);
    case BANDWIDTH:
        return parse_number("--bandwidth", text, 0.0, 1e9, &a->bandwidth);
    case OUT: a->out = text; return check_out(text);
    default: return 0;
    }
}

/* 1, or 0 after a message; exits after --help. */
static int parse(arguments *a, int argc, char **argv)
{
    static const char *const help[] = { usage, NULL };
    const char *values[N_OPTIONS] = { NULL };

    *a = (arguments){ .level = 1, .batch = 1 };
    (void) parse_sides("--rows", "8,16,32,64,128,256", &a->rows);
    if (!parse_command_line(argc, argv, long_options, help, values))
        return 0;
    for (int option = NETWORK; option < HELP; option++) {
        const char *text = values[option - NETWORK];

        if (text != NULL && !apply(a, option, text))
            return 0;
    }
    if (a->network == NULL)
        fputs("--network FILE is needed\n", stderr);
    if (a->columns.n == 0)
        a->columns = a->rows;
    return a->network != NULL;
}

/* -- work ----------------------------------------------------------------- */

static ub_status read_network(ub_context *context, const char *path,
                              ub_network **out)
{
    const size_t length = strlen(path);

    if (length > 4 && strcmp(path + length - 4, ".csv") == 0)
        return ub_network_read_topology(context, path, NULL, out, NULL);
    return ub_network_read(context, path, out);
}

static ub_status simulate(const ub_network *network, const arguments *a,
                          int64_t rows, int64_t columns, ub_systolic_stats *out)
{
    ub_hardware hardware;
    ub_systolic_options options;
    ub_status status;

    ub_hardware_init(&hardware, sizeof(hardware));
    ub_systolic_options_init(&options, sizeof(options));
    options.level = (int32_t) a->level;
    options.batch = a->batch;
    status = ub_hardware_set_array(&hardware, rows, columns);
    if (a->bandwidth > 0.0)
        hardware.bandwidth = a->bandwidth * 1073741824.0;
    *out = (ub_systolic_stats){ .size = sizeof(*out) };
    if (status == UB_OK)
        status = ub_systolic_run(network, &hardware, &options, out, NULL, 0);
    return status;
}

static ub_status fill(const ub_network *network, const arguments *a, grid *g,
                      FILE *csv)
{
    fputs("rows,columns,cycles,latency_ms,utilization\n", csv);
    for (int64_t r = 0; r < a->rows.n; r++) {
        for (int64_t c = 0; c < a->columns.n; c++) {
            ub_systolic_stats stats;
            const ub_status status = simulate(network, a, a->rows.values[r],
                                              a->columns.values[c], &stats);

            if (status != UB_OK)
                return status;
            g->latency_ms[r * a->columns.n + c] = stats.latency_ms;
            g->utilization[r * a->columns.n + c] = 100.0 * stats.utilization;
            fprintf(csv, "%lld,%lld,%lld,%.9g,%.9g\n",
                    (long long) a->rows.values[r],
                    (long long) a->columns.values[c], (long long) stats.cycles,
                    stats.latency_ms, stats.utilization);
        }
    }
    return UB_OK;
}

static void name_sides(const sides *s, char texts[][8], const char **names)
{
    for (int64_t i = 0; i < s->n; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%d", (int) s->values[i]);
        names[i] = texts[i];
    }
}

static ub_status draw(ub_context *context, const arguments *a,
                      const char *title, const char *what, const char *ending,
                      const double *cells)
{
    char texts[2][MAX_SIDES][8], path[4096];
    const char *rows[MAX_SIDES], *columns[MAX_SIDES];
    ub_plot_options options;
    ub_plot *plot = NULL;
    ub_status status;

    ub_plot_options_init(&options, sizeof(options));
    options.title = title;
    options.x_label = "columns";
    options.y_label = "rows";
    name_sides(&a->rows, texts[0], rows);
    name_sides(&a->columns, texts[1], columns);
    snprintf(path, sizeof(path), "%.4000s%s", a->out, ending);
    status = ub_plot_create(context, &options, &plot);
    if (status == UB_OK)
        status = ub_plot_categories(plot, a->columns.n, columns);
    if (status == UB_OK)
        status = ub_plot_heat(plot, what, a->rows.n, rows, cells);
    if (status == UB_OK)
        status = ub_plot_write(plot, path);
    ub_plot_destroy(&plot);
    return status;
}

/* Without cairo the numbers have to do. */
static ub_status draw_both(ub_context *context, const arguments *a,
                           const char *name, const grid *g)
{
    ub_status status = draw(context, a, name, "latency [ms]", "-latency.png",
                            g->latency_ms);

    if (status == UB_OK)
        status = draw(context, a, name, "utilization [%]", "-utilization.png",
                      g->utilization);
    if (status != UB_OK)
        fprintf(stderr, "no pictures: %s\n", ub_context_last_error(context));
    return status == UB_ERR_UNSUPPORTED ? UB_OK : status;
}

/* To a temporary name first, so that a failure leaves no half of a table. */
static ub_status write_files(ub_context *context, const ub_network *network,
                             const arguments *a, grid *g)
{
    char path[4096], temporary[4096];
    FILE *csv;
    ub_status status;
    int failed;

    snprintf(path, sizeof(path), "%.4000s.csv", a->out);
    snprintf(temporary, sizeof(temporary), "%.4000s.csv.tmp", a->out);
    csv = fopen(temporary, "w");
    if (csv == NULL) {
        perror(temporary);
        return UB_ERR_IO;
    }
    status = fill(network, a, g, csv);
    failed = ferror(csv);
    failed |= fclose(csv) != 0;
    if (status == UB_OK && (failed || rename(temporary, path) != 0)) {
        perror(path);
        status = UB_ERR_IO;
    } else if (status == UB_OK) {
        return draw_both(context, a, ub_network_name(network), g);
    } else {
        fprintf(stderr, "%s\n", ub_context_last_error(context));
    }
    remove(temporary);
    return status;
}

int main(int argc, char **argv)
{
    static grid g;
    arguments a;
    ub_context *context;
    ub_network *network = NULL;
    ub_status status;

    if (!parse(&a, argc, argv))
        return 1;
    context = open_context(1);
    if (context == NULL)
        return 1;
    status = read_network(context, a.network, &network);
    if (status == UB_OK && a.out != NULL) {
        status = write_files(context, network, &a, &g);
    } else {
        if (status == UB_OK)
            status = fill(network, &a, &g, stdout);
        if (status != UB_OK)
            fprintf(stderr, "%s\n", ub_context_last_error(context));
        else if (!finish_output())
            status = UB_ERR_IO;
    }
    ub_network_destroy(&network);
    ub_context_destroy(&context);
    return status == UB_OK ? 0 : 1;
}
