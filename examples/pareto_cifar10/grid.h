/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_PARETO_CIFAR10_GRID_H
#define EXAMPLES_PARETO_CIFAR10_GRID_H

#include "pareto_cifar10/pareto_cifar10.h"

#include <pthread.h>

/* Running a grid: what the command line asks for, and how far it is. */

enum { PARETO_PATH = 4096 + 2 * PARETO_NAME };

typedef struct pareto_plan {
    const char *data, *out, *summary; /* NULL: not given */
    const char *label;                /* of all runs; NULL: none */
    ub_search_options options;        /* of all runs, but for the lists */
    /* Variants of all runs: polished ones, and those that share searches. */
    int polished, shared;
    double shared_lambda;    /* of the searches that are shared */
    int64_t branch_epochs;   /* of the channel search of those that share them,
                                and its */
    double branch_tau_decay; /* tau_decay */
    int64_t n_methods, n_lambdas, n_seeds;
    int32_t methods[PARETO_METHODS];
    double lambdas[PARETO_LIST];
    int64_t seeds[PARETO_LIST];
    int64_t jobs, threads; /* threads of each job */
    int quiet, png;
} pareto_plan;

/* 1, or 0 after a message; exits after --help. */
int pareto_parse(pareto_plan *plan, int argc, char **argv);

/* Settings of the shared searches that were not given: -1, 0, 0. */
void pareto_default_sharing(pareto_plan *plan);

enum { PARETO_PENDING, PARETO_RUNNING, PARETO_DONE, PARETO_FAILED };

/* A run of the grid. */
typedef struct pareto_task {
    char name[PARETO_NAME];
    const char *label;      /* NULL: a main run */
    char from[PARETO_PATH]; /* options.from, if there is one */
    int64_t after;          /* the task that has to be done before; -1: none */
    ub_search_options options;
    int state;    /* as above */
    int stage;    /* of a running one: 0 to 2; -1: before the first step */
    double place; /* epochs of the stage done, with fraction */
    double seen;  /* ub_progress time of the last step, seconds */
} pareto_task;

/* What an epoch of a stage has cost so far. */
typedef struct pareto_cost {
    double seconds, epochs;
} pareto_cost;

/* The grid's state, shared by the jobs. */
typedef struct pareto_board {
    const pareto_plan *plan;
    pthread_mutex_t lock; /* of what follows, and of stderr's line */
    pthread_cond_t ended; /* a task, or all of it */
    int64_t n;
    pareto_task *tasks; /* in the order they are begun */
    pareto_cost costs[3];
    double drawn;   /* when the line was, seconds */
    int terminal;   /* stderr is one */
    int line_shown; /* to be cleared before anything else is printed */
} pareto_board;

int64_t pareto_count_tasks(const pareto_plan *plan);
/* As many; none is before the one that it is after. */
void pareto_fill_tasks(const pareto_plan *plan, pareto_task *tasks);

/* All runs that are not complete. The exit status of the program. */
int pareto_run_grid(const pareto_plan *plan);

/* -- progress; the caller holds the lock ----------------------------------- */

double pareto_seconds(void);
/* A step of a task; whether its stage is now done. */
int pareto_note_step(pareto_board *board, pareto_task *task,
                     const ub_progress *progress);
/* What an earlier session's run cost, by its stages' seconds. */
void pareto_note_run(pareto_board *board, const pareto_task *task,
                     const double seconds[3]);
/* A line for good: a stage or a run is done. `what` is said of the task. */
void pareto_say(pareto_board *board, const pareto_task *task, const char *what);
/* The line that changes, on a terminal. */
void pareto_draw(pareto_board *board);
void pareto_clear_line(pareto_board *board);

#endif
