/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Opening the tables of HW-NAS-Bench, a million queries of random cells (each
 * all ten metrics), as many of one metric by text, and a Pareto front of all
 * cells in three metrics. Without --tables only what needs no file. A JSON line
 * for each.
 */
#include "bench.h"

#include <stdlib.h>

#define QUERIES 1000000
#define METRICS 10

typedef struct run {
    bench *bench;
    const char *tables;
    ub_hwbench *hwbench;
    int64_t metrics[METRICS];
    int64_t ranked[3];
    int64_t *front, front_size;
    int64_t known;
} run;

static void open_tables(void *user)
{
    run *r = user;

    ub_hwbench_destroy(&r->hwbench);
    bench_check(r->bench, ub_hwbench_open(r->bench->context, r->tables,
                                          UB_HWBENCH_NASBENCH201, &r->hwbench));
}

static void query_all(void *user)
{
    run *r = user;
    ub_rng rng;

    ub_rng_init(&rng, 1, 0);
    for (int64_t i = 0; i < QUERIES; i++) {
        const int64_t cell = (int64_t) ub_rng_below(&rng, UB_NASBENCH201_CELLS);

        for (int k = 0; k < METRICS; k++) {
            ub_hwbench_value v;

            bench_check(r->bench,
                        ub_hwbench_get(r->hwbench, r->metrics[k], cell, &v));
            r->known += v.state == UB_HWBENCH_KNOWN;
        }
    }
}

static void query_texts(void *user)
{
    run *r = user;
    ub_rng rng;

    ub_rng_init(&rng, 2, 0);
    for (int64_t i = 0; i < QUERIES; i++) {
        int32_t operators[UB_NASBENCH201_EDGES];
        char text[UB_NASBENCH201_TEXT];
        ub_hwbench_value v;

        for (int k = 0; k < UB_NASBENCH201_EDGES; k++)
            operators[k] = (int32_t) ub_rng_below(&rng,
                                                  UB_NASBENCH201_OPERATORS);
        bench_check(r->bench, ub_nasbench201_write(operators, text));
        bench_check(r->bench,
                    ub_hwbench_get_cell(r->hwbench, r->metrics[5], text, &v));
        r->known += v.state == UB_HWBENCH_KNOWN;
    }
}

static void front(void *user)
{
    run *r = user;

    bench_check(r->bench, ub_hwbench_pareto_front(r->hwbench, 3, r->ranked,
                                                  r->front, &r->front_size));
}

static void report(run *r, const char *name, void (*call)(void *))
{
    bench_times t;

    bench_measure(r->bench, call, r, &t);
    bench_report(r->bench, &t, "ms", "\"case\": \"%s\"", name);
}

/* Accuracy and two devices; without tables flops and simulated ones. */
static void choose_metrics(run *r)
{
    const int32_t first = r->tables != NULL ? UB_HWBENCH_TEST_ACCURACY
                                            : UB_HWBENCH_FLOPS;
    const int32_t second = r->tables != NULL ? UB_HWBENCH_RASPI4_LATENCY
                                             : UB_HWBENCH_EYERISS_ENERGY;

    for (int32_t k = 0; k < METRICS; k++)
        r->metrics[k] = ub_hwbench_find_standard(r->hwbench, UB_HWBENCH_CIFAR10,
                                                 k);
    r->ranked[0] = ub_hwbench_find_standard(r->hwbench, UB_HWBENCH_CIFAR10,
                                            first);
    r->ranked[1] = ub_hwbench_find_standard(r->hwbench, UB_HWBENCH_CIFAR10,
                                            second);
    r->ranked[2] = ub_hwbench_find_standard(r->hwbench, UB_HWBENCH_CIFAR10,
                                            UB_HWBENCH_FPGA_LATENCY);
}

int main(int argc, char **argv)
{
    bench b = { .name = "hwbench", .runs = 5, .seconds = 0.5, .one_thread = 1 };
    run r = { .bench = &b };
    const char *write = NULL;
    const bench_option options[] = {
        { .name = "--tables", .value = "FOLDER-OR-FILE", .text = &r.tables },
        { .name = "--write", .value = "FILE", .text = &write },
        { .name = NULL }
    };

    bench_open(&b, options, argc, argv);
    r.front = bench_alloc(UB_NASBENCH201_CELLS, sizeof(*r.front));
    report(&r, "open", open_tables);
    choose_metrics(&r);
    if (write != NULL)
        bench_check(&b, ub_hwbench_write((const ub_hwbench *const *) &r.hwbench,
                                         1, write));
    report(&r, "query", query_all);
    report(&r, "query-text", query_texts);
    report(&r, "pareto", front);
    ub_hwbench_destroy(&r.hwbench);
    free(r.front);
    bench_close(&b);
    return 0;
}
