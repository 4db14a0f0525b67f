/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Simulate a network on a systolic array, with the command line and the reports
 * of SCALE-Sim.
 */
#define _POSIX_C_SOURCE 200809L

#include "systolic_sim/systolic_sim.h"
#include "common/results_folder.h"

#include "common/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: systolic_sim [-c CONFIG] -t TOPOLOGY [-p OUT] [options]\n"
    "\n"
    "  -c FILE           configuration of SCALE-Sim (defaults of --array)\n"
    "  -t FILE           topology of SCALE-Sim (.csv), network of csim or\n"
    "                    network.json (what the configuration names)\n"
    "  -i FORM           of a topology: conv or gemm (as its header says)\n"
    "  -p DIR            results go to DIR/RUN_NAME (sim-out)\n"
    "  --level N         0 folds' streams, 1 tiles, 2 folds as SCALE-Sim, 3\n"
    "                    processing elements (.csv 2, .json 1)\n"
    "  --compat NAME     none, or with known defects of scalesim or csim "
    "(none)\n"
    "  --trace           write what each bank is asked for, cycle by cycle\n"
    "  --best-dataflow   levels 0, 1 and 2: the fastest one for each layer\n"
    "  --dataflow NAME   ws, os or is\n"
    "  --array RxC       processing elements (128x128)\n"
    "  --arrays N        such arrays (1)\n"
    "  --interconnect X  crossbar, benes_copy, benes, banyan or bus\n"
    "  --expansion N     of a banyan, 0 to 3\n"
    "  --prefetch N      rounds that loads may run ahead\n"
    "  --bandwidth F     of external memory, GiB/s; at level 2 as SCALE-Sim's\n"
    "                    USER mode\n"
    "  --bank-bytes N    of each bank\n"
    "  --tile MxKxN      level 1: M up to 2^32, K and N within the array; of "
    "os\n"
    "                    K up to 2^32, M and N within it\n"
    "  --packed          level 1: several small products of a layer, such as\n"
    "                    channels of a depthwise convolution, share an array\n"
    "  --energy TABLE    energy and area by sosa-28nm, horowitz-45nm or a "
    "JSON\n"
    "                    file; levels 1 to 3\n"
    "  --batch N         images\n"
    "  --os-drain        levels 2 and 3: count the cycles in which results\n"
    "                    leave an output-stationary array (1 always does)\n"
    "  --seed N          level 3: of the operands\n"
    "  --model NAME      of a file with several networks of csim (the first)\n"
    "  --threads N       (all online processors)\n"
    "  --help            this text\n";

const char *const dataflow_names[3] = { "ws", "os", "is" };
const char *const interconnect_names[5] = { "crossbar", "benes_copy", "benes",
                                            "banyan", "bus" };
const char *const compat_names[3] = { "none", "scalesim", "csim" };

enum {
    LEVEL = 256,
    COMPAT,
    TRACE,
    BEST_DATAFLOW,
    DATAFLOW,
    ARRAY,
    ARRAYS,
    INTERCONNECT,
    EXPANSION,
    PREFETCH,
    BANDWIDTH,
    BANK_BYTES,
    TILE,
    PACKED,
    ENERGY,
    BATCH,
    OS_DRAIN,
    SEED,
    MODEL,
    THREADS,
    HELP
};

static const struct option long_options[] = {
    { "level", required_argument, NULL, LEVEL },
    { "compat", required_argument, NULL, COMPAT },
    { "trace", no_argument, NULL, TRACE },
    { "best-dataflow", no_argument, NULL, BEST_DATAFLOW },
    { "dataflow", required_argument, NULL, DATAFLOW },
    { "array", required_argument, NULL, ARRAY },
    { "arrays", required_argument, NULL, ARRAYS },
    { "interconnect", required_argument, NULL, INTERCONNECT },
    { "expansion", required_argument, NULL, EXPANSION },
    { "prefetch", required_argument, NULL, PREFETCH },
    { "bandwidth", required_argument, NULL, BANDWIDTH },
    { "bank-bytes", required_argument, NULL, BANK_BYTES },
    { "tile", required_argument, NULL, TILE },
    { "packed", no_argument, NULL, PACKED },
    { "energy", required_argument, NULL, ENERGY },
    { "batch", required_argument, NULL, BATCH },
    { "os-drain", no_argument, NULL, OS_DRAIN },
    { "seed", required_argument, NULL, SEED },
    { "model", required_argument, NULL, MODEL },
    { "threads", required_argument, NULL, THREADS },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

static int parse_name(const char *option, const char *text,
                      const char *const *names, int32_t n, int32_t *out)
{
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return 1;
        }
    }
    fprintf(stderr, "%s %s: expected %s", option, text, names[0]);
    for (int32_t i = 1; i < n; i++)
        fprintf(stderr, "%s%s", i + 1 < n ? ", " : " or ", names[i]);
    fputs("\n", stderr);
    return 0;
}

static int parse_tile(const char *text, int64_t *tile)
{
    char part[3][24] = { "", "", "" };
    int end = 0;

    if (sscanf(text, "%23[0-9]x%23[0-9]x%23[0-9]%n", part[0], part[1], part[2],
               &end) != 3 ||
        text[end] != '\0') {
        fprintf(stderr, "--tile %s: expected M, K and N, such as 32x64x64\n",
                text);
        return 0;
    }
    for (int i = 0; i < 3; i++) {
        if (!parse_integer("--tile", part[i], 1, (int64_t) 1 << 32, &tile[i]))
            return 0;
    }
    return 1;
}

static int parse_level(const char *text, int32_t *level)
{
    int64_t value;

    if (!parse_integer("--level", text, 0, 3, &value))
        return 0;
    *level = (int32_t) value;
    return 1;
}

static int apply(simulation *s, int option, const char *text)
{
    static const char *const forms[] = { "conv", "gemm" };
    int32_t form = 0;

    switch (option) {
    case 'c': s->config_path = text; return 1;
    case 't': s->topology_path = text; return 1;
    case 'p': s->out = text; return 1;
    case 'i':
        if (!parse_name("-i", text, forms, 2, &form))
            return 0;
        s->form = form == 0 ? UB_TOPOLOGY_CONV : UB_TOPOLOGY_GEMM;
        return 1;
    case LEVEL: return parse_level(text, &s->level);
    case COMPAT:
        return parse_name("--compat", text, compat_names, 3, &s->compat);
    case TRACE: s->trace = 1; return 1;
    case BEST_DATAFLOW: s->best_dataflow = 1; return 1;
    case DATAFLOW:
        return parse_name("--dataflow", text, dataflow_names, 3, &s->dataflow);
    case ARRAY: return parse_array("--array", text, &s->rows, &s->columns);
    case ARRAYS: return parse_integer("--arrays", text, 1, 1 << 16, &s->arrays);
    case INTERCONNECT:
        return parse_name("--interconnect", text, interconnect_names, 5,
                          &s->interconnect);
    case EXPANSION:
        return parse_integer("--expansion", text, 0, 3, &s->expansion);
    case PREFETCH:
        return parse_integer("--prefetch", text, 0, 127, &s->prefetch);
    case BANDWIDTH:
        return parse_number("--bandwidth", text, 1e-6, 1e9, &s->bandwidth);
    case BANK_BYTES:
        return parse_integer("--bank-bytes", text, 1, (int64_t) 1 << 40,
                             &s->bank_bytes);
    case TILE: return parse_tile(text, s->tile);
    case PACKED: s->packed = 1; return 1;
    case ENERGY: s->energy_name = text; return 1;
    case BATCH: return parse_integer("--batch", text, 1, 1 << 20, &s->batch);
    case OS_DRAIN: s->os_drain = 1; return 1;
    case SEED: return parse_integer("--seed", text, 0, INT64_MAX, &s->seed);
    case MODEL: s->model = text; return 1;
    case THREADS: return parse_integer("--threads", text, 1, 1024, &s->threads);
    default: fputs("see systolic_sim --help\n", stderr); return 0;
    }
}

int parse_simulation(simulation *s, int argc, char **argv)
{
    int option;

    memset(s, 0, sizeof(*s));
    s->lock = -1;
    s->out = "sim-out";
    s->level = s->compat = s->interconnect = s->dataflow = -1;
    s->expansion = s->prefetch = s->seed = -1;
    while ((option = getopt_long(argc, argv, "c:t:i:p:", long_options, NULL)) !=
           -1) {
        if (option == HELP) {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
        if (!apply(s, option, optarg))
            return 0;
    }
    if (optind < argc) {
        fprintf(stderr, "%s: not expected; see systolic_sim --help\n",
                argv[optind]);
        return 0;
    }
    if (s->topology_path == NULL && s->config_path == NULL) {
        fputs("no topology (-t); see systolic_sim --help\n", stderr);
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    simulation s;
    int good = parse_simulation(&s, argc, argv);

    if (!good)
        return EXIT_FAILURE;
    catch_interrupt();
    good = open_simulation(&s) && run_simulation(&s) && price(&s);
    if (good) {
        print_table(&s);
        good = write_results(&s);
    }
    if (good) {
        printf("results in %s\n", s.folder);
        good = finish_output();
    }
    ub_network_destroy(&s.network);
    ub_context_destroy(&s.context);
    free(s.stats);
    free(s.reports);
    free(s.dataflows);
    free(s.without_stalls);
    free(s.energies);
    unlock_folder(s.lock);
    if (!good && interrupted()) {
        fputs("interrupted\n", stderr);
        return 130;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
