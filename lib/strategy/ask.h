/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_STRATEGY_ASK_H
#define UBOOST_LIB_STRATEGY_ASK_H

#include "strategy/strategy.h"

/* -- state files ---------------------------------------------------------- */

/* Reads or writes, so that one function names the fields of both ways. After a
 * failure the calls do nothing; ask for the status at the end. */
typedef struct ub__archive {
    ub_context *context;
    const char *path;
    uint8_t *data;
    size_t size, capacity, at;
    int writing;
    ub_status status;
} ub__archive;

/* n numbers, which must lie in [low, high] when read. */
void ub__archive_int64(ub__archive *a, int64_t *values, int64_t n, int64_t low,
                       int64_t high);
void ub__archive_int32(ub__archive *a, int32_t *values, int64_t n, int64_t low,
                       int64_t high);
void ub__archive_bytes(ub__archive *a, uint8_t *values, int64_t n);
/* Any double, NaN included. */
void ub__archive_doubles(ub__archive *a, double *values, int64_t n);
void ub__archive_rng(ub__archive *a, ub_rng *rng);
/* Refuse to read n of so many bytes each where the file has no more of them;
 * before memory is asked for. */
void ub__archive_expect(ub__archive *a, int64_t n, int64_t bytes);
/* Refuse what was read. */
void ub__archive_refuse(ub__archive *a, const char *why);

/* Whole files, with a checksum; `write` frees the data, so does `close`. */
ub_status ub__archive_write(ub__archive *a);
ub_status ub__archive_open(ub_context *context, const char *path,
                           ub__archive *out);
ub_status ub__archive_close(ub__archive *a);

/* -- candidates and their results ----------------------------------------- */

enum { UB__ASKED = 1, UB__TOLD = 2, UB__FAILED = 4 };

/* What candidates are made of. */
typedef struct ub__shape {
    int64_t decisions;  /* of a candidate */
    int64_t objectives; /* of a result */
    int64_t weights;    /* of a relaxed candidate; 0: none is */
} ub__shape;

/* Candidates side by side, with room for their results. */
typedef struct ub__batch {
    ub__shape shape;
    int64_t n, capacity;
    int64_t first; /* id of candidate 0 */
    int64_t told;
    int32_t *choices;    /* n x decisions */
    double *weights;     /* n x weights */
    int64_t *parents;    /* n; of an inner batch whose neighbours are made: ids
                            of its candidates */
    uint8_t *flags;      /* n */
    double *objectives;  /* n x objectives, NaN when failed */
    double *violations;  /* n, infinite when failed */
    double *likelihoods; /* n */
    double *gradients;   /* n x weights */
} ub__batch;

/* Append a candidate; weights may be NULL when none are relaxed. */
ub_status ub__batch_add(ub_context *context, ub__batch *batch,
                        const int32_t *choices, const double *weights,
                        int64_t parent);
/* As if a candidate had neither been asked for nor told. */
void ub__batch_clear_result(ub__batch *batch, int64_t at);
void ub__batch_clear(ub_context *context, ub__batch *batch);
void ub__batch_archive(ub__archive *a, ub_strategy *s, ub__batch *batch);
/* n candidates' choices, each within its decision's. */
void ub__choices_archive(ub__archive *a, int32_t *choices, int64_t n,
                         const ub_strategy *s);

/* -- strategies ----------------------------------------------------------- */

/* What a kind is. A state is zeroed memory of state_size bytes; `create` makes
 * what it points to, `destroy` takes back what there is of it, also after a
 * failure of `create`. Any function but generate and update may be NULL. */
typedef struct ub__strategy_class {
    int32_t caps;
    size_t state_size;
    ub_status (*create)(ub_strategy *s);
    void (*destroy)(ub_strategy *s);
    /* Add the candidates of the next batch with ub__batch_add(); none when the
     * search is at its end. What is beyond the budget is cut off. Called again
     * with an empty batch if it failed: the state must be as before then, and
     * so must s->rng. */
    ub_status (*generate)(ub_strategy *s, ub__batch *batch);
    /* Learn from results, which are in order of id; failed ones among them.
     * No failure may leave a state half changed. */
    ub_status (*update)(ub_strategy *s, const ub__batch *batch);
    void (*archive)(ub_strategy *s, ub__archive *a);
    /* With UB_CAP_DISTRIBUTION. */
    void (*distribution)(const ub_strategy *s, double *probabilities);
    void (*mode)(const ub_strategy *s, int32_t *choices);
    double (*entropy)(const ub_strategy *s);
    double (*temperature)(const ub_strategy *s);
} ub__strategy_class;

/* Every result of a discrete search in order, and a table of the different
 * candidates among them. */
typedef struct ub__history {
    int64_t n, capacity;
    int32_t *choices;   /* n x decisions */
    double *objectives; /* n x objectives; of a neighbourhood's centre the
                           aggregated ones */
    double *violations; /* n; infinite: failed, or a neighbour: never best */
    int64_t *slots;     /* -1 or a row; twice the capacity */
    int64_t unique;
} ub__history;

struct ub_strategy {
    ub_context *context;
    const ub__strategy_class *class;
    void *state;
    ub_strategy_options options; /* directions are owned */
    ub__shape shape;
    int32_t *choices; /* of each decision */
    int32_t *groups;  /* always there */
    int32_t *ordered; /* always there */
    int64_t *offsets; /* of each decision's weights */
    int64_t n_groups;
    ub_rng rng;
    ub__batch batch; /* what is asked and told */
    ub__batch inner; /* what the class sees, when there are neighbours */
    int64_t cursor;  /* of the batch: handed out below it */
    int64_t asked, told, failed, steps;
    int exhausted; /* generate() had nothing more */
    ub__history history;
};

extern const ub__strategy_class ub__strategy_random, ub__strategy_exhaustive,
    ub__strategy_evolution, ub__strategy_nsga2, ub__strategy_annealing,
    ub__strategy_fox, ub__strategy_parsec, ub__strategy_fp_nas,
    ub__strategy_gumbel;

/* The whole state. */
void ub__strategy_archive(ub_strategy *strategy, ub__archive *archive);

/* NULL for a kind that is none. */
const ub__strategy_class *ub__strategy_class_of(int32_t kind);
ub_status ub__strategy_check(ub_context *context, const ub_decisions *decisions,
                             const ub_strategy_options *options);
/* The numbers of the options into an archive; 0 when the archive that is read
 * has others. */
int ub__strategy_options_archive(ub__archive *a,
                                 const ub_strategy_options *options);

/* A uniform candidate. */
void ub__draw(ub_strategy *s, int32_t *choices);
/* Another choice of a decision that has several: a level up or down if it is
 * ordered, any other otherwise. */
int32_t ub__draw_choice(ub_strategy *s, int64_t d, int32_t choice);
/* A candidate that differs from another in 1 to `radius` decisions, any number
 * of them as likely, drawn without repetition; may be in place. Without a
 * decision that has several choices it is the same. */
void ub__draw_neighbour(ub_strategy *s, const int32_t *from, int64_t radius,
                        int32_t *choices);

/* The batch that the class generates and learns from. */
const ub__batch *ub__class_batch(const ub_strategy *s);
/* The id that candidate `at` of a batch will have, whether or not neighbours go
 * between: what a class names as a parent. */
int64_t ub__candidate_id(const ub_strategy *s, const ub__batch *batch,
                         int64_t at);
/* So many candidates as are wanted, or as the budget has for a batch. */
int64_t ub__batch_most(const ub_strategy *s, const ub__batch *batch,
                       int64_t wanted);
/* The last id there is, -1 without any. */
int64_t ub__last_id(const ub_strategy *s);

/* Whether high values of an objective are good. */
int ub__maximizes(const ub_strategy *s, int64_t objective);
/* Below 0 when a is better than b, 0 when neither is: by violation, then by
 * objective 0. Failed ones have infinite violation. */
int ub__compare(const ub_strategy *s, double violation_a, double objective_a,
                double violation_b, double objective_b);

/* Room for so many more rows; then adding cannot fail. */
ub_status ub__history_reserve(ub_strategy *s, int64_t more);
void ub__history_add(ub_strategy *s, const int32_t *choices,
                     const double *objectives, double violation);
int ub__history_has(const ub_strategy *s, const int32_t *choices);
void ub__history_clear(ub_context *context, ub__history *history);
void ub__history_archive(ub__archive *a, ub_strategy *s);
/* The first rows of different candidates that have results, the best first;
 * to be freed. */
ub_status ub__history_sort(ub_strategy *s, int64_t **out_rows, int64_t *out_n);
ub_status ub__history_best(ub_strategy *s, int64_t max, int32_t *choices,
                           double *objectives, int64_t *n);

/* Neighbourhoods. expand: from the inner batch make the one that is asked, each
 * candidate followed by its neighbours; the inner one is cut off where the
 * budget does not allow for all of them. reduce: fill in the results of the
 * inner one. Both leave all as it was on failure. check: refuse a state that is
 * read with other neighbours than are drawn. */
ub_status ub__neighbourhood_expand(ub_strategy *s);
ub_status ub__neighbourhood_reduce(ub_strategy *s);
void ub__neighbourhood_check(ub_strategy *s, ub__archive *a);
/* Whether a candidate of the batch asked is a neighbour of one before it. */
int ub__is_neighbour(const ub__batch *batch, int64_t at);

#endif
