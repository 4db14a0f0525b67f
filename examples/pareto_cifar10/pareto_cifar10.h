/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_PARETO_CIFAR10_PARETO_CIFAR10_H
#define EXAMPLES_PARETO_CIFAR10_PARETO_CIFAR10_H

#include <stdint.h>
#include <stdio.h>
#include <uboost/uboost.h>

/*
 * What the files of pareto_cifar10 share: a grid of searches, the runs found
 * complete in its folder, and what is computed of them. Functions return 1, or
 * 0 after a message to stderr, unless they say otherwise.
 */

enum {
    PARETO_METHODS = 7,   /* values of ub_search_hardware */
    PARETO_JUDGED = 4,    /* systolic, flops, roofline, blackbox */
    PARETO_EDGES = 9,     /* of a cell, in the order of ub_space_uboost():
                             prev to t1, t2, t3; prevprev to t1, t2, t3;
                             t1 to t2, t3; t2 to t3 */
    PARETO_OPERATORS = 8, /* of an edge; the last two are identity and zero */
    PARETO_CONVOLUTIONS = 6, /* of the operators */
    PARETO_MODELS = 6,       /* systolic, systolic-full, flops, roofline,
                                roofline-published, blackbox; exact forms */
    PARETO_NAME = 128,
    PARETO_LABEL = 32,
    PARETO_LIST = 64, /* most lambdas, seeds */
    PARETO_RUNS = 1 << 12
};

/* Batches of the figures that come in pairs. */
enum { PARETO_BATCH_1, PARETO_HW_BATCH, PARETO_BATCHES };

/* Where the cycles of all processing elements go, as ub_systolic_stats: the
 * array multiplies; it streams past rows and columns without weights; weights
 * are shifted in; memory is waited for; filling and draining. */
enum {
    PARETO_BUSY,
    PARETO_UNUSED,
    PARETO_SHIFTING,
    PARETO_WAITING,
    PARETO_REST,
    PARETO_SHARES
};

/*
 * Labels of runs, the middle of a folder's name METHOD-LABEL-lambdaF-seedN. The
 * main runs, which are judged, have none: METHOD-lambdaF-seedN. Any other label
 * is of an ablation.
 */
#define PARETO_POLISHED    "polished"
#define PARETO_SHARED      "shared"
#define PARETO_SHARED_BASE "shared-base" /* of METHOD-shared-seedN */

/* A run found complete. */
typedef struct pareto_run {
    char name[PARETO_NAME];   /* of its folder, in the grid's */
    char label[PARETO_LABEL]; /* "": a main run */
    int32_t method;           /* a ub_search_hardware */
    int32_t repaired;         /* decisions of the cell that pruning changed */
    double lambda;
    int64_t seed, columns;              /* of the array it was searched for */
    double accuracy;                    /* of the test, 0 to 1 */
    double latency_ms[PARETO_BATCHES];  /* simulated, level 1 */
    double utilization[PARETO_BATCHES]; /* simulated */
    double shares[PARETO_BATCHES][PARETO_SHARES];
    double seconds[3];               /* as ub_search_result */
    int64_t moves;                   /* of polishing */
    char *differing;                 /* "tau 0.5, splits 2": options that are
                                        not those of the main run; of one
                                        with a label, else NULL */
    int32_t operators[PARETO_EDGES]; /* of the cell, pruned */
    int64_t n_widths;                /* of the next */
    int64_t *widths;                 /* priced: of the convolutions
                                        whose width was chosen, that
                                        is not of the stem, depthwise
                                        halves and aligning ones */
    double predicted_ms[PARETO_MODELS][PARETO_BATCHES]; /* NaN: not known */
} pareto_run;

/* What the main runs have in common, and the runs: the main ones, then the
 * labels' in the order of pareto_label_order(); by method, lambda, seed. */
typedef struct pareto_results {
    char preset[PARETO_NAME], data[PARETO_NAME];
    int64_t data_images, test_images, train_images; /* train_images 0: all */
    int64_t epochs[3];                              /* as --epochs */
    int64_t train_batch, hw_batch, rows, columns, cost_scale;
    ub_width_range widths; /* trained; times cost_scale is priced */
    /* What the models charge for each convolution of a cell, on a map of 16 x
     * 16 with as many channels as the array has columns, at hw_batch; the last
     * one is the simulator, which the blackbox's table is filled by. */
    double operator_ms[PARETO_CONVOLUTIONS][PARETO_MODELS];
    char *differing;   /* "hw_batch, table_batch": options in which runs of
                          the judged methods differ; "": none */
    int64_t n, n_main; /* runs that are points, and the main ones, which
                          come first */
    int64_t n_bases;   /* runs behind the n that others share */
    pareto_run *runs;
} pareto_results;

typedef struct pareto_moments {
    double mean, deviation; /* of a sample; NaN: of fewer than two */
} pareto_moments;

/* Runs with a label beside the main runs of the same method, lambda, seed. */
typedef struct pareto_comparison {
    int64_t n;                     /* pairs; 0: what follows is NaN */
    double latency_ms[2];          /* means, batch 1: main, with the label */
    double near_share[2];          /* likewise */
    pareto_moments latency_change; /* part of the main run's latency */
    pareto_moments accuracy_change;
    pareto_moments utilization_change;
    double moves; /* of polishing, mean */
} pareto_comparison;

/* A method's shared searches beside the main runs of the same lambdas and
 * seeds. */
typedef struct pareto_saving {
    int64_t n;                               /* pairs; 0: nothing to compare */
    double separate_seconds, shared_seconds; /* of all searches, the bases' with
                                                the shared ones */
    double hypervolume[2];                   /* batch 1: separate, shared */
} pareto_saving;

/* A method, with a label or none, at a lambda: its runs' mean over seeds. */
typedef struct pareto_point {
    char label[PARETO_LABEL];
    int32_t method;
    int32_t on_front[PARETO_BATCHES]; /* of its method's points */
    int32_t reserved;
    double lambda;
    int64_t n;               /* runs */
    pareto_moments accuracy; /* 0 to 1 */
    pareto_moments latency_ms[PARETO_BATCHES];
    pareto_moments utilization[PARETO_BATCHES];
    pareto_moments seconds; /* of the three stages together */
    /* Of a judged baseline's point on its front: its latency over that of the
     * fastest systolic point of accuracy no more than 1.0 point lower. NaN: no
     * such point, or no baseline, or not on the front. */
    double speedup[PARETO_BATCHES];
    pareto_comparison comparison; /* n is 0 without a label */
} pareto_point;

/* A method, with a label or none, that has runs. */
typedef struct pareto_method {
    char label[PARETO_LABEL];
    int32_t method;
    int32_t shown;    /* the run whose cell is drawn: least latency times
                         error, batch 1 */
    int64_t first, n; /* its points, in summary->points, by lambda */
    int64_t n_runs;
    /* ms * percentage points, runs of all seeds pooled. */
    double hypervolume[PARETO_BATCHES];
    /* Share of the box between the ideal point and the least accuracy and
     * greatest latency of all main runs that its runs dominate; NaN
     * without main runs. */
    double dominated[PARETO_BATCHES];
    /* Geometric mean over the points of its front that have one; NaN: none. */
    double speedup[PARETO_BATCHES];
    /* The same over all points of its front, against the fastest systolic point
     * of any accuracy: more than this is not to be had at these lambdas. */
    double speedup_any[PARETO_BATCHES];
    int64_t compared[PARETO_BATCHES];  /* points of the front that have one */
    int64_t unmatched[PARETO_BATCHES]; /* points of the front that have none */
    int64_t n_widths;                  /* chosen, of all its runs */
    int64_t *histogram; /* of priced widths: n_bins of the summary */
    double near_share;  /* of widths within one step of a multiple of the
                           array's columns */
    int64_t operators[PARETO_OPERATORS]; /* edges that carry it, all runs */
    double depthwise_share; /* separable ones of the edges with a convolution */
    double shares[PARETO_BATCHES][PARETO_SHARES]; /* mean over its runs */
    const char *differing; /* as pareto_run, or that its runs are not alike */
    pareto_comparison comparison; /* of all lambdas */
    pareto_saving saving;         /* of shared ones */
} pareto_method;

/* How well a model predicted the simulator, over the main runs' networks. */
typedef struct pareto_prediction {
    int64_t n;    /* networks it could price */
    double error; /* mean of |predicted - simulated| / simulated */
    double tau;   /* Kendall's; NaN: fewer than two networks */
} pareto_prediction;

typedef struct pareto_summary {
    const pareto_results *results; /* borrowed */
    int64_t lambdas, seeds;        /* that the grid was to have */
    int64_t n_points;
    pareto_point *points;      /* by method and lambda */
    int64_t n_methods, n_main; /* the main ones, which come first */
    pareto_method *methods;    /* as the runs are sorted */
    int64_t n_bins; /* bin i is of the width bin_low + i * bin_step, priced */
    int64_t bin_low, bin_step;
    double near_chance; /* share of bins that are near a multiple */
    pareto_prediction predictions[PARETO_MODELS][PARETO_BATCHES];
} pareto_summary;

/* Names of the models of predicted_ms, of the operators, of the shares. */
extern const char *const pareto_models[PARETO_MODELS];
extern const char *const pareto_operators[PARETO_OPERATORS];
extern const char *const pareto_shares[PARETO_SHARES];

/* Read config.json, result.json and network.json of every complete run in the
 * folders of `folder`, and price the networks. */
int pareto_load(ub_context *context, const char *folder,
                pareto_results *results);
void pareto_results_free(pareto_results *results);

/* Of a label among others: less than 0, 0 or more. None is the first, then
 * polished, shared, any others; the bases of shared ones are the last. */
int pareto_label_order(const char *a, const char *b);
/* Whether a folder METHOD-LABEL-lambdaF-seedN with that label could be one of
 * nothing else. */
int pareto_label_fits(const char *label);
/* Takes the label from a folder's name, whose other parts must be those of the
 * run; 0 if they are not, without a message. */
int pareto_find_label(pareto_run *run);

/* "systolic", "systolic, polished" */
typedef struct pareto_text {
    char text[64];
} pareto_text;

pareto_text pareto_row_name(int32_t method, const char *label);

/* All that is computed of runs, of a grid that was to have so many lambdas and
 * seeds. */
int pareto_summarize(ub_context *context, const pareto_results *results,
                     int64_t lambdas, int64_t seeds, pareto_summary *summary);
void pareto_summary_free(pareto_summary *summary);

/* Write fronts.svg, widths.svg, ... to the folder; with `png` also fronts.png
 * and so on. Without cairo it says so and returns 1. */
int pareto_pictures(ub_context *context, const pareto_summary *summary,
                    const char *folder, int png);

/* summary.json, summary.csv, runs.csv and summary.md. */
int pareto_write_json(const pareto_summary *summary, const char *folder);
int pareto_write_csv(const pareto_summary *summary, const char *folder);
int pareto_write_markdown(const pareto_summary *summary, const char *folder);
/* The table for people. */
void pareto_print(const pareto_summary *summary, FILE *file);

#endif
