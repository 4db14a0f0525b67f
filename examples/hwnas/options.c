/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas/hwnas.h"

#include "common/command_line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: hwnas COMMAND [options]\n"
    "\n"
    "What networks cost on measured hardware: the cells of NAS-Bench-201 and "
    "the\n"
    "networks of FBNet, on the devices of HW-NAS-Bench.\n"
    "\n"
    "  query       all metrics of one network\n"
    "  pareto      the cells that no other is better than in all metrics\n"
    "  correlate   Kendall's tau of every pair of metrics\n"
    "  search      look for a good network with a strategy that asks and is "
    "told\n"
    "  convert     write the tables into one compact file\n"
    "\n"
    "  --tables PATH     folder with the CSV files, HW-NAS-Bench-v1_0.pickle "
    "or a\n"
    "                    file written by convert ($UBOOST_DATA/hwnas, else "
    "what\n"
    "                    needs no tables)\n"
    "  --space NAME      nasbench201 (default) or fbnet\n"
    "  --dataset NAME    cifar10, cifar100, ImageNet16-120 or ImageNet "
    "(cifar10;\n"
    "                    fbnet: cifar100)\n"
    "  --columns FILE    more metrics: CSV with a column index, or for fbnet "
    "key\n"
    "  --uboost          one more device: the systolic array, simulated\n"
    "                    (uboost_latency, uboost_utilization) and by its "
    "closed\n"
    "                    form (uboost_model_latency)\n"
    "  --array RxC       its processing elements (128x128)\n"
    "  --json            one JSON object on standard output\n"
    "  --help            this text\n"
    "\n"
    "query:\n"
    "  --index N         of NAS-Bench-201\n"
    "  --arch STRING     such as '|none~0|+|none~0|none~1|+|...|'\n"
    "  --ops DIGITS      an operator per layer, 22 digits 0 to 8 for fbnet; "
    "with\n"
    "                    or without spaces\n"
    "  --network FILE    write it as JSON, for the other programs\n"
    "\n"
    "pareto, correlate:\n"
    "  --metrics LIST    names between commas (pareto: test_accuracy and\n"
    "                    raspi4_latency; correlate: all that are known)\n"
    "  --limits LIST     pareto: NAME=VALUE between commas, the worst allowed\n"
    "  --samples N       correlate, fbnet: random networks (5000), of --seed\n"
    "  --plot FILE       .png or .svg, if built with cairo\n"
    "\n"
    "search, by accuracy after 12 epochs (fbnet: by cost alone):\n"
    "  --strategy NAME   random, exhaustive, evolution (default), nsga2,\n"
    "                    annealing, fox, parsec, fp-nas or gumbel\n"
    "  --device NAME     a metric, or a device such as raspi4 (raspi4)\n"
    "  --limits LIST     as above; nsga2 looks for the front without\n"
    "  --budget N        evaluations (1000)\n"
    "  --seed N          (1)\n"
    "  --neighbours N    evaluate so many neighbours with each candidate (0)\n"
    "  --noise F         deviation of noise on the accuracy, in points (0)\n"
    "\n"
    "convert:\n"
    "  --out FILE        both spaces, as far as there are tables\n";

enum {
    TABLES,
    SPACE,
    DATASET,
    COLUMNS,
    UBOOST,
    ARRAY,
    JSON,
    INDEX,
    ARCH,
    OPS,
    METRICS,
    LIMITS,
    PLOT,
    STRATEGY,
    DEVICE,
    BUDGET,
    SEED,
    NEIGHBOURS,
    NOISE,
    SAMPLES,
    NETWORK,
    OUT,
    HELP,
    N_OPTIONS
};

#define FIRST       256
#define WITH(name)  required_argument, NULL, FIRST + (name)
#define ALONE(name) no_argument, NULL, FIRST + (name)

static const struct option options[] = {
    { "tables", WITH(TABLES) },   { "space", WITH(SPACE) },
    { "dataset", WITH(DATASET) }, { "columns", WITH(COLUMNS) },
    { "uboost", ALONE(UBOOST) },  { "array", WITH(ARRAY) },
    { "json", ALONE(JSON) },      { "index", WITH(INDEX) },
    { "arch", WITH(ARCH) },       { "ops", WITH(OPS) },
    { "metrics", WITH(METRICS) }, { "limits", WITH(LIMITS) },
    { "plot", WITH(PLOT) },       { "strategy", WITH(STRATEGY) },
    { "device", WITH(DEVICE) },   { "budget", WITH(BUDGET) },
    { "seed", WITH(SEED) },       { "neighbours", WITH(NEIGHBOURS) },
    { "noise", WITH(NOISE) },     { "samples", WITH(SAMPLES) },
    { "network", WITH(NETWORK) }, { "out", WITH(OUT) },
    { "help", ALONE(HELP) },      { NULL, 0, NULL, 0 },
};

static const char *const help[] = { usage, NULL };

static int read_space(const char *text, int32_t *space)
{
    *space = UB_HWBENCH_NASBENCH201;
    if (text == NULL || strcmp(text, "nasbench201") == 0)
        return 1;
    *space = UB_HWBENCH_FBNET;
    if (strcmp(text, "fbnet") == 0)
        return 1;
    fprintf(stderr, "--space %s: expected nasbench201 or fbnet\n", text);
    return 0;
}

static int read_dataset(const char *text, int32_t space, int32_t *dataset)
{
    const int fbnet = space == UB_HWBENCH_FBNET;

    *dataset = fbnet ? UB_HWBENCH_CIFAR100 : UB_HWBENCH_CIFAR10;
    if (text == NULL)
        return 1;
    *dataset = ub_hwbench_dataset_find(text);
    if (*dataset == UB_HWBENCH_CIFAR100 ||
        (*dataset >= 0 && (*dataset == UB_HWBENCH_IMAGENET) == fbnet))
        return 1;
    fprintf(stderr, "--dataset %s: expected %s\n", text,
            fbnet ? "cifar100 or ImageNet"
                  : "cifar10, cifar100 or ImageNet16-120");
    return 0;
}

static int read_strategy(const char *text, int32_t *kind)
{
    *kind = UB_STRATEGY_EVOLUTION;
    return text == NULL ||
           parse_choice("--strategy", text, ub_strategy_kind_name, kind);
}

/* The folder beside the other data, if it is there. */
static const char *default_tables(void)
{
    static char path[4096];
    const char *data = getenv("UBOOST_DATA");
    FILE *file;

    if (data == NULL || strlen(data) + 64 > sizeof(path))
        return NULL;
    sprintf(path, "%s/hwnas/nb201_accuracy.csv", data);
    file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    fclose(file);
    sprintf(path, "%s/hwnas", data);
    return path;
}

static int read_numbers(const char *const *v, hwnas_request *r)
{
    return (v[INDEX] == NULL ||
            parse_integer("--index", v[INDEX], 0, UB_NASBENCH201_CELLS - 1,
                          &r->index)) &&
           (v[ARRAY] == NULL ||
            parse_array("--array", v[ARRAY], &r->rows, &r->columns_of_array)) &&
           (v[BUDGET] == NULL ||
            parse_integer("--budget", v[BUDGET], 1, 100000000, &r->budget)) &&
           (v[SEED] == NULL ||
            parse_integer("--seed", v[SEED], 0, INT64_MAX, &r->seed)) &&
           (v[NEIGHBOURS] == NULL ||
            parse_integer("--neighbours", v[NEIGHBOURS], 0,
                          UB_STRATEGY_MAX_CHOICES, &r->neighbours)) &&
           (v[SAMPLES] == NULL ||
            parse_integer("--samples", v[SAMPLES], 2, 1000000, &r->samples)) &&
           (v[NOISE] == NULL ||
            parse_number("--noise", v[NOISE], 0, 1e6, &r->noise));
}

static int check(const hwnas_request *r)
{
    const int named = (r->index >= 0) + (r->arch != NULL) + (r->ops != NULL);

    if (strcmp(r->command, "query") == 0 && named != 1) {
        fputs("query: expected one of --index, --arch and --ops\n", stderr);
        return 0;
    }
    if (r->space == UB_HWBENCH_FBNET && (r->index >= 0 || r->arch != NULL)) {
        fputs("query: FBNets are named by --ops\n", stderr);
        return 0;
    }
    if (r->space == UB_HWBENCH_FBNET && strcmp(r->command, "pareto") == 0) {
        fputs("pareto: only --space nasbench201 can be listed\n", stderr);
        return 0;
    }
    if (strcmp(r->command, "convert") == 0 && r->out == NULL) {
        fputs("convert: expected --out\n", stderr);
        return 0;
    }
    if (strcmp(r->command, "convert") == 0 && r->tables == NULL) {
        fputs("convert: expected --tables\n", stderr);
        return 0;
    }
    return 1;
}

int hwnas_read_command_line(int argc, char **argv, hwnas_request *request)
{
    const char *v[N_OPTIONS] = { NULL };
    hwnas_request r = { .index = -1,
                        .budget = 1000,
                        .seed = 1,
                        .samples = 5000,
                        .rows = 128,
                        .columns_of_array = 128 };

    if (argc > 1 && argv[1][0] != '-') {
        r.command = argv[1];
        argv[1] = argv[0];
        argc--;
        argv++;
    }
    if (!parse_command_line(argc, argv, options, help, v))
        return 0;
    if (r.command == NULL) {
        fputs("hwnas: no command; see hwnas --help\n", stderr);
        return 0;
    }
    r.tables = v[TABLES] != NULL ? v[TABLES] : default_tables();
    r.columns = v[COLUMNS];
    r.uboost = v[UBOOST] != NULL;
    r.json = v[JSON] != NULL;
    r.arch = v[ARCH];
    r.ops = v[OPS];
    r.metrics = v[METRICS];
    r.limits = v[LIMITS];
    r.plot = v[PLOT];
    r.device = v[DEVICE] != NULL ? v[DEVICE] : "raspi4";
    r.out = v[OUT];
    r.network = v[NETWORK];
    if (!read_space(v[SPACE], &r.space) ||
        !read_dataset(v[DATASET], r.space, &r.dataset) ||
        !read_strategy(v[STRATEGY], &r.strategy) || !read_numbers(v, &r) ||
        !check(&r))
        return 0;
    *request = r;
    return 1;
}
