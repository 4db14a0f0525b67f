/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_STRATEGY_H
#define UBOOST_STRATEGY_H

#include <uboost/base.h>

/**
 * @file
 * @defgroup strategy strategy
 * Search over decisions by asking for candidates and telling their results;
 * least squares to predict results by; and what ranks candidates by their
 * metrics: the best within limits, Pareto fronts and ranks, hypervolume,
 * Kendall's tau.
 *
 * Metrics are a matrix of n rows, the candidates, by m columns, row after row.
 * Each column is minimised or maximised. An unknown value is NaN. Infinities
 * are in order with all other numbers.
 *
 * One candidate dominates another if it is nowhere worse and somewhere better.
 * A candidate with an unknown value neither dominates nor is on a front. Equal
 * candidates do not dominate each other: if one is on the front, all are.
 *
 * Thread-safety: as the context, which only lends memory and takes the error;
 * the matrices are only read.
 * @{
 */

UB_BEGIN_DECLS

/** Most rows of a matrix of metrics. */
#define UB_STRATEGY_MAX_CANDIDATES ((int64_t) 1 << 31)
/** Most columns of a matrix of metrics. */
#define UB_STRATEGY_MAX_METRICS    ((int64_t) 64)

/** Which values of a metric are good. */
typedef enum ub_direction {
    UB_MINIMIZE = 0, /**< low ones, as of a latency */
    UB_MAXIMIZE = 1  /**< high ones, as of an accuracy */
} ub_direction;

/**
 * The best candidate by one metric among those that keep to the limits of all
 * metrics. Of equally good ones it is the first.
 *
 * @param context     takes the error
 * @param n           rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m           columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values      n x m
 * @param directions  m values of ub_direction; NULL: all are minimised
 * @param limits      m numbers: the worst value allowed, itself included, where
 *                    unknown values keep to no limit; NaN: no limit; NULL: none
 * @param metric      the column to be best in, 0 to m - 1
 * @param[out] out    index of the row; -1 if none keeps to the limits with a
 *                    known value of the metric; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 */
UB_API_CHECK
ub_status ub_best_within(ub_context *context, int64_t n, int64_t m,
                         const double *values, const int32_t *directions,
                         const double *limits, int64_t metric, int64_t *out);

/**
 * The Pareto front: the candidates that none dominates.
 *
 * O(n log n) comparisons for up to two metrics; for more of them n times the
 * size of the front at worst.
 *
 * @param context          lends memory and takes the error
 * @param n                rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m                columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values           n x m
 * @param directions       m values of ub_direction; NULL: all are minimised
 * @param[out] out_front   room for n indices, of which the first *out_n are
 *                         set: from the best to the worst in the first metric,
 *                         equal ones by the next metrics, then by index;
 *                         untouched on failure
 * @param[out] out_n       size of the front; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_pareto_front(ub_context *context, int64_t n, int64_t m,
                          const double *values, const int32_t *directions,
                          int64_t *out_front, int64_t *out_n);

/**
 * The rank of every candidate: 0 on the Pareto front, 1 on that of the others,
 * and so on (non-dominated sorting).
 *
 * Source: Zhang, Tian, Cheng, Jin, "An Efficient Approach to Nondominated
 * Sorting for Evolutionary Multiobjective Optimization", IEEE Transactions on
 * Evolutionary Computation 19(2), 2015.
 *
 * @param context         lends memory and takes the error
 * @param n               rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m               columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values          n x m
 * @param directions      m values of ub_direction; NULL: all are minimised
 * @param[out] out_ranks  n ranks; -1 for a candidate with an unknown value;
 *                        untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_pareto_ranks(ub_context *context, int64_t n, int64_t m,
                          const double *values, const int32_t *directions,
                          int64_t *out_ranks);

/**
 * Hypervolume of two metrics against the ideal: the area of the union of the
 * rectangles between the ideal point and each candidate on the Pareto front.
 * Smaller is better. Its unit is the product of the metrics' units.
 *
 * Source: U-Boost NAS (see utilization.h), whose tables give it in milliseconds
 * times percentage points from 100 % accuracy and no run time.
 *
 * @param context     lends memory and takes the error
 * @param n           rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param values      n x 2; candidates with an unknown value are left out
 * @param directions  2 values of ub_direction; NULL: both are minimised
 * @param ideal       2 numbers, which no candidate is better than
 * @param[out] out    the area; NaN if there is no candidate with known values;
 *                    untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or a candidate is better
 *                         than the ideal
 * @retval UB_ERR_NUMERIC  an infinite number, ideal is NaN, or the area
 *                         overflows
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hypervolume_ideal(ub_context *context, int64_t n,
                               const double *values, const int32_t *directions,
                               const double *ideal, double *out);

/**
 * Hypervolume of two metrics as is usual: the area that the candidates
 * dominate up to a reference point. Larger is better. A candidate that is not
 * better than the reference in both metrics adds nothing.
 *
 * @param context     lends memory and takes the error
 * @param n           rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param values      n x 2; candidates with an unknown value are left out
 * @param directions  2 values of ub_direction; NULL: both are minimised
 * @param reference   2 numbers
 * @param[out] out    the area, 0 without candidates; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NUMERIC  an infinite number, reference is NaN, or the area
 *                         overflows
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hypervolume_dominated(ub_context *context, int64_t n,
                                   const double *values,
                                   const int32_t *directions,
                                   const double *reference, double *out);

/**
 * Kendall's tau-b of two rows of numbers, which takes ties into account: with
 * P pairs ordered alike and Q ordered oppositely,
 * (P - Q) / sqrt((pairs not tied in x) (pairs not tied in y)).
 *
 * Places where either number is NaN are left out. O(n log n).
 *
 * Source: Knight, "A Computer Method for Calculating Kendall's Tau with
 * Ungrouped Data", Journal of the American Statistical Association 61(314),
 * 1966.
 *
 * @param context   lends memory and takes the error
 * @param n         0 to UB_STRATEGY_MAX_CANDIDATES
 * @param x         n numbers
 * @param y         n numbers
 * @param[out] out  -1 to 1; NaN where it is undefined: all that is left of
 *                  either is tied; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_kendall_tau(ub_context *context, int64_t n, const double *x,
                         const double *y, double *out);

/**
 * Kendall's tau-b of every pair of metrics, as ub_kendall_tau().
 *
 * @param context   lends memory and takes the error
 * @param n         rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m         columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values    n x m; directions do not matter
 * @param[out] out  m x m, symmetric; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_kendall_tau_matrix(ub_context *context, int64_t n, int64_t m,
                                const double *values, double *out);

/**
 * @name Ask and tell
 *
 * A strategy proposes candidates and learns from their results; the caller
 * owns the loop:
 *
 *     while (!ub_strategy_finished(strategy)) {
 *         ub_strategy_ask(strategy, 8, candidates, &n);
 *         for (i = 0; i < n; i++)
 *             evaluate(&candidates[i], &results[i]);
 *         ub_strategy_tell(strategy, n, results);
 *     }
 *
 * Strategies work in batches whose size they choose. A batch is handed out in
 * one call or in several; when each of its candidates has been told, in
 * whatever order, the strategy learns from the batch and makes the next one.
 * Therefore one seed and the same results give the same candidates, however
 * many are evaluated at a time.
 *
 * Everywhere the candidate with the lower violation is the better one, of equal
 * violations the one with the better objective 0. A failed candidate is worse
 * than all others: it is no parent, and nothing is fitted to it. A move to a
 * neighbour or a mutation leads one level up or down of an ordered decision,
 * and to any other choice of an unordered one.
 *
 * Random and exhaustive search heed all objectives in their answer only.
 *
 * Regularized evolution ("Regularized Evolution for Image Classifier
 * Architecture Search", AAAI 2019, arXiv 1802.01548) draws random candidates
 * until `population` of them have results. From then on each candidate is the
 * best of `tournament` members, drawn with repetition, with one decision
 * changed; when it has a result it takes the place of the oldest member.
 *
 * NSGA-II ("A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE
 * Transactions on Evolutionary Computation 6(2), 2002) has batches of
 * `population` candidates, the first one random. A child has two parents, each
 * the better one of two members by front, then by crowding distance; with
 * probability `crossover_rate` each of its decisions is from either, otherwise
 * all are from the first; then each changes with probability `mutation_rate`. A
 * child that was evaluated before is changed further, in up to 10 decisions one
 * after the other. Of parents and children the best `population` live on, by
 * the fronts of those without violation, behind which the others stand by
 * violation; a front that does not fit is cut by crowding distance.
 *
 * Annealing starts at a random candidate. A move changes 1 to `moves`
 * decisions, any number of them as likely. One to less violation is accepted,
 * one to more is not, so that it comes to where there is none and stays there.
 * Among equal violations, candidate t of n = `budget` with a loss in objective
 * 0 is accepted with probability exp(-loss / T), T = first (last / first)^(t /
 * n); no loss always. By threshold only gains are accepted, but after
 * `patience` rejections in a row, and in the first half of the budget, also a
 * loss below `threshold`; after ten times as many it starts anew at a random
 * candidate.
 *
 * FOX-NAS ("FOX-NAS: Fast, On-device and Explainable Neural Architecture
 * Search", ICCV Workshops 2021, arXiv 2108.08189) has a batch of `fit` random
 * candidates, fits objective 0 by ub_regression_create(), and sets an annealing
 * of `inner_budget` moves with the same options to work on that. The best
 * `verify` different ones of those moves that were not evaluated before are the
 * second and last batch. If any of the first violates its constraints, the
 * violation is fitted likewise, and a prediction below 0 is none. A line
 * through what is 0 on one side is rough: where the constraint binds, some of
 * those verified violate it. The budget should be at least `fit` + `verify`.
 *
 * PARSEC ("Probabilistic Neural Architecture Search", arXiv 1902.05116) and
 * FP-NAS ("FP-NAS: Fast Probabilistic Neural Architecture Search", CVPR 2021,
 * arXiv 2011.10949) hold a softmax of logits, at first 0, for each decision.
 * FP-NAS goes over to one for all choices of a group together, which at first
 * is the same distribution. A batch is drawn from it: `samples` candidates, or
 * round(samples_per_nat x entropy) of FP-NAS. With likelihoods p_k, violations
 * C_k, and beta = 0 but for FP-NAS,
 *
 *     logits += rate x sum_k (p_k / sum p - beta C_k / sum C) grad log P_k
 *
 * where P_k is the candidate's probability and the gradient is by the logits.
 * Without any violation its term is 0; failed candidates have no part in it.
 *
 * Gumbel softmax has batches of one relaxed candidate: of each decision the
 * softmax((logits + noise) / temperature) with standard Gumbel noise, drawn
 * anew for each step, and logits that start as standard normal numbers. The
 * gradient told is carried to the logits, which take a step of Adam (Kingma,
 * Ba, ICLR 2015: 0.9, 0.999, 1e-8); after a failed one they stay.
 *
 * With `neighbours` each candidate is followed by as many, or all there are,
 * drawn without repetition from those that differ in 1 to `radius` decisions;
 * `parent` is the candidate's id. The strategy learns from what they say
 * together: of objectives, violation and log-likelihood the mean, median or
 * worst, without those that failed, but the candidate fails if it fails itself.
 * A relaxed candidate's neighbours have the weights of up to `radius` decisions
 * shifted cyclically, or, if the decision is ordered, by one level up or down,
 * what is at the end staying there; the gradient is the mean of all, each
 * shifted back, and other aggregates are UB_ERR_UNSUPPORTED. Source:
 * "Neighborhood-Aware Neural Architecture Search", BMVC 2021, arXiv 2105.06369.
 * Only whole neighbourhoods are asked for, so that some of the budget may be
 * left. With random search on NAS-Bench-201 it finds better cells than random
 * search alone with as many evaluations where those are as noisy as with shared
 * weights, and worse ones where they are not.
 * @{
 */

/** Most decisions of a candidate. */
#define UB_STRATEGY_MAX_DECISIONS  ((int64_t) 4096)
/** Most choices of a decision, and of a group of decisions together. */
#define UB_STRATEGY_MAX_CHOICES    ((int64_t) 4096)
/** Largest budget, and largest batch. */
#define UB_STRATEGY_MAX_BUDGET     ((int64_t) 1 << 31)
/** Most objectives of a candidate. */
#define UB_STRATEGY_MAX_OBJECTIVES ((int64_t) 8)

/** What a strategy chooses between: decisions, each with its choices 0, 1, ...
 * A decision of a ub_space has ub_space_operators() of them. */
typedef struct ub_decisions {
    size_t size;            /**< sizeof(ub_decisions) */
    int64_t n;              /**< decisions, at least 1 */
    const int32_t *choices; /**< number of choices of each, at least 1; copied
                             */
    const int32_t *groups;  /**< NULL: each decision is alone. Otherwise a
                                 number for each, 0, 1, ... in order and
                                 without gaps: decisions of one number are a
                                 group, such as the kernel and the width of a
                                 layer; copied */
    const int32_t *ordered; /**< NULL: none is. Otherwise 1 for a decision whose
                                 choices are levels: its neighbours are one
                                 level up and down, not all others; copied */
} ub_decisions;

/** Strategies. Values are never renumbered. */
typedef enum ub_strategy_kind {
    UB_STRATEGY_RANDOM = 0,     /**< uniform draws, with repetition */
    UB_STRATEGY_EXHAUSTIVE = 1, /**< every candidate once, the last decision
                                     fastest; takes no heed of the seed */
    UB_STRATEGY_EVOLUTION = 2,  /**< regularized evolution (Real et al., AAAI
                                     2019): tournaments, one mutation, the
                                     oldest dies */
    UB_STRATEGY_NSGA2 = 3,      /**< NSGA-II (Deb et al., IEEE TEVC 2002):
                                     several objectives, constrained
                                     domination */
    UB_STRATEGY_ANNEALING = 4,  /**< simulated annealing, one move at a time */
    UB_STRATEGY_FOX = 5,        /**< FOX-NAS (ICCV-W 2021): random candidates,
                                     a regression on them, annealing on the
                                     regression, its best verified */
    UB_STRATEGY_PARSEC = 6,     /**< PARSEC (arXiv 1902.05116): a distribution
                                     of each decision, moved towards likely
                                     candidates; a fixed number of samples */
    UB_STRATEGY_FP_NAS = 7,     /**< FP-NAS (CVPR 2021): PARSEC with as many
                                     samples as the entropy asks for, coarse to
                                     fine over groups, cost-aware */
    UB_STRATEGY_GUMBEL = 8      /**< relaxed candidates by Gumbel softmax,
                                     descent along their gradients (U-Boost
                                     NAS, section 4) */
} ub_strategy_kind;

/** Name of a kind as programs take it: "random", "exhaustive", "evolution",
 * "nsga2", "annealing", "fox", "parsec", "fp-nas", "gumbel"; NULL otherwise. */
UB_API
const char *ub_strategy_kind_name(int32_t kind);

/** How the results of a neighbourhood become one. */
typedef enum ub_aggregate {
    UB_AGGREGATE_MEAN = 0,   /**< mean */
    UB_AGGREGATE_MEDIAN = 1, /**< median, the lower one of two */
    UB_AGGREGATE_WORST = 2   /**< worst */
} ub_aggregate;

/** When annealing accepts a worse candidate. */
typedef enum ub_accept {
    UB_ACCEPT_METROPOLIS = 0, /**< with probability exp(-loss / temperature) */
    UB_ACCEPT_THRESHOLD = 1   /**< when stuck, a loss below a threshold */
} ub_accept;

/**
 * Features of a candidate for a regression, such as means over a stage and
 * products; a pure function.
 *
 * @param user           as given in the options
 * @param choices        one per decision
 * @param[out] features  as many as the options say
 */
typedef void (*ub_features_fn)(void *user, const int32_t *choices,
                               double *features);

/** What a strategy does. Fill with ub_strategy_options_init() first. What a
 * kind does not use is checked, then ignored.
 *
 * Numbers of candidates are 1 (population and fit: 2) to 2^24; budgets, batch,
 * patience and steps go up to UB_STRATEGY_MAX_BUDGET, neighbours and features
 * up to UB_STRATEGY_MAX_CHOICES, radius and moves up to
 * UB_STRATEGY_MAX_DECISIONS. Probabilities are 0 to 1, the decay of the
 * temperature is above 0 and up to 1, temperatures and likelihood_scale are
 * above 0, all other real numbers 0 or above, and none is infinite. */
typedef struct ub_strategy_options {
    size_t size;               /**< set by ub_strategy_options_init() */
    uint64_t seed;             /**< 1 */
    int64_t budget;            /**< candidates asked for at most, repeated ones
                                    and neighbours included; 1000 */
    int64_t objectives;        /**< numbers in a result; 1 */
    const int32_t *directions; /**< a ub_direction each; NULL: all are
                                    minimised; copied. Strategies other than
                                    NSGA-II are led by objective 0 */
    int32_t kind;              /**< UB_STRATEGY_EVOLUTION */
    int32_t aggregate;         /**< of a neighbourhood; UB_AGGREGATE_MEAN */
    int64_t batch;             /**< random, exhaustive, evolution: candidates
                                    in a batch; 1 */

    int64_t neighbours; /**< drawn around each candidate and evaluated with
                             it (neighbourhood-aware NAS, arXiv 2105.06369);
                             0: none */
    int64_t radius;     /**< neighbours differ in at most so many decisions;
                             1 */

    int64_t population;    /**< evolution, NSGA-II; 50 */
    int64_t tournament;    /**< evolution: candidates in a tournament; 10 */
    double crossover_rate; /**< NSGA-II; 0.9 */
    double mutation_rate;  /**< NSGA-II, of each decision; 0: 1 / decisions */

    int32_t accept;           /**< annealing; UB_ACCEPT_METROPOLIS */
    int32_t reserved;         /**< 0 */
    int64_t moves;            /**< annealing: decisions changed at a time, at
                                   most; 3 */
    int64_t patience;         /**< annealing by threshold: rejections in a row
                                   from which on it is stuck; 500 */
    double threshold;         /**< the loss then accepted; 0.1 */
    double first_temperature; /**< annealing: falls geometrically over the
                                   budget, from here ...; 0.3 */
    double last_temperature;  /**< ... to here; 0.005 */

    int64_t fit;          /**< FOX-NAS: candidates to fit to; 300 */
    int64_t verify;       /**< ... and to verify; 20 */
    int64_t inner_budget; /**< ... moves on the regression; 20000 */
    int64_t features;     /**< ... number of features; 0: one per choice */
    ub_features_fn features_fn; /**< ... NULL when features is 0 */
    void *features_user;        /**< ... */

    int64_t samples;         /**< PARSEC: of a step; FP-NAS: of the first
                                  step; 16 */
    int64_t least_samples;   /**< FP-NAS: of a step; 2 */
    double samples_per_nat;  /**< FP-NAS: of a step, for each nat of entropy;
                                  0: what makes `samples` at first */
    int64_t steps;           /**< PARSEC, FP-NAS, Gumbel: 0: as the budget
                                  allows */
    int64_t coarse_steps;    /**< FP-NAS: steps with a distribution for each
                                  decision; from then on one for each group; 0:
                                  for each group at once; -1: never */
    double rate;             /**< PARSEC, FP-NAS: of the ascent; 0.25 */
    double likelihood_scale; /**< PARSEC, FP-NAS: without a likelihood
                                  in the result it is exp(objective 0 / this),
                                  of its negative when minimised; 2 */
    double cost_weight;      /**< FP-NAS: beta, of the violations; 0 */

    double architecture_rate; /**< Gumbel: of Adam; 0.1 */
    double temperature;       /**< Gumbel: of the first step; 1 */
    double temperature_decay; /**< ... its factor at each step; 1 */
    double temperature_floor; /**< ... 0.001 */
} ub_strategy_options;

/** Set every option to its default. */
UB_API
void ub_strategy_options_init(ub_strategy_options *options, size_t size);

/** What a strategy needs and can; bits of ub_strategy_caps(). */
typedef enum ub_strategy_cap {
    UB_CAP_GRADIENT = 1,        /**< candidates are relaxed, results must have
                                     gradients */
    UB_CAP_LIKELIHOOD = 2,      /**< takes log_likelihood where it is known */
    UB_CAP_MULTI_OBJECTIVE = 4, /**< heeds objectives beyond the first;
                                     ub_strategy_best() is a Pareto front */
    UB_CAP_DISTRIBUTION = 8     /**< ub_strategy_distribution() works;
                                     ub_strategy_best() is its mode */
} ub_strategy_cap;

/** A proposal. Its pointers are valid until candidates of the next batch are
 * asked for, or a state is loaded. */
typedef struct ub_candidate {
    size_t size;            /**< set by the caller */
    int64_t id;             /**< for ub_strategy_tell(): 0, 1, 2, ... */
    int64_t parent;         /**< the candidate whose neighbour, child or move it
                                 is; -1: none */
    const int32_t *choices; /**< one per decision; of a relaxed candidate the
                                 likeliest */
    const double *weights;  /**< NULL unless relaxed: a weight for each choice
                                 of each decision in order, the sum over a
                                 decision being 1 */
} ub_candidate;

/** What became of it. Fill with ub_result_init() first. */
typedef struct ub_result {
    size_t size;              /**< set by ub_result_init() */
    int64_t id;               /**< of the candidate */
    const double *objectives; /**< as many as the options say; an unknown or
                                   infinite one makes it failed; NULL when
                                   failed */
    const double *gradient;   /**< of objective 0, for each weight of a relaxed
                                   candidate; an unknown or infinite number
                                   makes it failed; NULL otherwise */
    double violation;         /**< of constraints, 0: none. Candidates without
                                   come before those with, lower before higher;
                                   an unknown or infinite one makes it failed;
                                   0 */
    double log_likelihood;    /**< of the validation batch; NaN: not known */
    int32_t failed;           /**< 1: there is no result; 0 */
    int32_t reserved;         /**< 0 */
} ub_result;

/** Set the fields to their defaults, id to the one given. */
UB_API
void ub_result_init(ub_result *result, size_t size, int64_t id);

/** Where a strategy is. */
typedef struct ub_strategy_stats {
    size_t size;        /**< set by the caller */
    int64_t asked;      /**< candidates handed out so far */
    int64_t told;       /**< of them */
    int64_t failed;     /**< of those in batches learnt from */
    int64_t unique;     /**< different ones of them; 0 if relaxed */
    int64_t steps;      /**< batches learnt from */
    int64_t batch;      /**< candidates of the batch at hand */
    double entropy;     /**< of the distribution in nats; NaN: it has none */
    double temperature; /**< of annealing, of Gumbel softmax; NaN: it has none
                         */
} ub_strategy_stats;

/**
 * A strategy in some state of its search.
 *
 * Thread-safety: as its context. Candidates may be evaluated in any threads.
 */
typedef struct ub_strategy ub_strategy;

/**
 * Create a strategy.
 *
 * @param context    owns the memory
 * @param decisions  what there is to choose
 * @param options    how, or NULL for the defaults
 * @param[out] out   owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option or the decisions are out of range, or
 *                             an argument is NULL
 * @retval UB_ERR_UNSUPPORTED  the kind cannot do what is asked, such as
 *                             neighbours of an exhaustive search
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_strategy_create(ub_context *context, const ub_decisions *decisions,
                             const ub_strategy_options *options,
                             ub_strategy **out);

/** Destroy a strategy and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_strategy_destroy(ub_strategy **strategy);

/** Bits of ub_strategy_cap. */
UB_API
int32_t ub_strategy_caps(const ub_strategy *strategy);

/** Number of weights of a relaxed candidate: all choices of all decisions. */
UB_API
int64_t ub_strategy_weights(const ub_strategy *strategy);

/**
 * Ask for candidates.
 *
 * @param strategy   the strategy
 * @param max        room in `out`, at least 1
 * @param[out] out   candidates, each with its size set beforehand, all the same
 * @param[out] n     how many; 0 when candidates must be told first, or when
 *                   the search is finished
 *
 * @retval UB_ERR_INVALID  max or a size is out of range
 * @retval UB_ERR_NUMERIC  what the strategy learnt from cannot be fitted
 * @retval UB_ERR_NOMEM    out of memory; the call may be repeated
 */
UB_API_CHECK
ub_status ub_strategy_ask(ub_strategy *strategy, int64_t max, ub_candidate *out,
                          int64_t *n);

/**
 * Tell results, in any order and in as many calls as is convenient.
 *
 * @param strategy  unchanged on failure
 * @param n         number of results
 * @param results   of candidates asked and not yet told, all of one size;
 *                  copied
 *
 * @retval UB_ERR_INVALID  an id is not known or told already, a result lacks
 *                         what the strategy needs or has a negative violation,
 *                         or sizes differ
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_strategy_tell(ub_strategy *strategy, int64_t n,
                           const ub_result *results);

/** 1 when the budget or the search is at its end and everything is told. */
UB_API
int ub_strategy_finished(const ub_strategy *strategy);

/**
 * The answer so far: the best candidate; of a strategy with a distribution its
 * mode, of one with several objectives its Pareto front.
 *
 * The best has the lowest violation, then the best objective 0 (of a
 * neighbourhood: aggregated); of equal ones it is the first. On the front are
 * those that no other dominates among the least violating, in order of
 * objective 0.
 *
 * @param strategy          the strategy
 * @param max               room, in candidates
 * @param[out] choices      max x decisions
 * @param[out] objectives   max x objectives, NaN where never evaluated; may be
 *                          NULL
 * @param[out] n            how many there are, of which the first max are set;
 *                          0 as long as no result is known
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_strategy_best(ub_strategy *strategy, int64_t max, int32_t *choices,
                           double *objectives, int64_t *n);

/**
 * Probability of each choice of each decision.
 *
 * @param strategy            the strategy
 * @param[out] probabilities  ub_strategy_weights() of them
 *
 * @retval UB_ERR_UNSUPPORTED  the strategy has no distribution
 */
UB_API_CHECK
ub_status ub_strategy_distribution(const ub_strategy *strategy,
                                   double *probabilities);

/** Where the strategy is; out->size is set by the caller. */
UB_API
void ub_strategy_stats_get(const ub_strategy *strategy, ub_strategy_stats *out);

/**
 * Write the whole state to a file, random numbers and pending candidates
 * included. A strategy that loads it goes on to the bit as this one would.
 *
 * @retval UB_ERR_RANGE  more than 4 GiB, which could not be read again
 * @retval UB_ERR_IO     the file cannot be written
 * @retval UB_ERR_NOMEM  out of memory
 */
UB_API_CHECK
ub_status ub_strategy_save(ub_strategy *strategy, const char *path);

/**
 * Take over a state. Candidates that had been asked for and not told may be
 * told, and are handed out anew.
 *
 * @param strategy  of the same decisions and options; unchanged on failure
 * @param path      of the file
 *
 * @retval UB_ERR_IO       the file cannot be read
 * @retval UB_ERR_FORMAT   it is no state, or damaged
 * @retval UB_ERR_INVALID  it is of other decisions or options
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_strategy_load(ub_strategy *strategy, const char *path);

/**
 * Evaluate one candidate: set the fields of result, which ub_result_init() has
 * filled. The arrays it points to must last until the next call.
 *
 * @return UB_OK, also for a failed result; anything else ends
 *         ub_strategy_run(), and the candidate is still to be told
 */
typedef ub_status (*ub_evaluate_fn)(void *user, const ub_candidate *candidate,
                                    ub_result *result);

/**
 * Ask, evaluate and tell until the search is finished.
 *
 * @retval UB_ERR_NOMEM  out of memory, or any status of ub_strategy_ask(),
 *                       ub_strategy_tell() and of `evaluate`
 */
UB_API_CHECK
ub_status ub_strategy_run(ub_strategy *strategy, ub_evaluate_fn evaluate,
                          void *user);

/** @} */

/**
 * @name Regression
 *
 * Ordinary least squares with an intercept, y = b0 + b1 x1 + ... + bk xk, by
 * Householder's reflections: predictors that are cheap to fit and that people
 * can read, as those of FOX-NAS.
 *
 * A feature that depends linearly on the intercept and the features before it,
 * as the last of a set of indicators does, is dropped: its coefficient is 0.
 * @{
 */

/** Most features. */
#define UB_REGRESSION_MAX_FEATURES ((int64_t) 1 << 24)

/**
 * What was fitted.
 *
 * Thread-safety: as its context; ub_regression_predict() from any threads.
 */
typedef struct ub_regression ub_regression;

/** How well it fits. */
typedef struct ub_regression_stats {
    size_t size;           /**< set by the caller */
    int64_t rows;          /**< fitted to */
    int64_t features;      /**< dropped ones included */
    int64_t rank;          /**< features that are not dropped, and the
                                intercept */
    double r2;             /**< share of the variance that is explained; NaN: y
                                is constant */
    double residual_error; /**< standard error of the residuals, with rows -
                                rank degrees of freedom; NaN when there are
                                none */
} ub_regression_stats;

/**
 * Fit.
 *
 * Source: Golub, "Numerical Methods for Solving Linear Least Squares Problems",
 * Numerische Mathematik 7, 1965.
 *
 * @param context   owns the memory
 * @param n         rows, 1 to UB_STRATEGY_MAX_CANDIDATES; fewer than features
 *                  will do
 * @param k         features, 0 to UB_REGRESSION_MAX_FEATURES
 * @param x         n x k
 * @param y         n numbers
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  n or k is out of range, or an argument is NULL
 * @retval UB_ERR_NUMERIC  a number is not finite, or the fit overflows
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_regression_create(ub_context *context, int64_t n, int64_t k,
                               const double *x, const double *y,
                               ub_regression **out);

/** Destroy a regression and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_regression_destroy(ub_regression **regression);

/** The y to expect of k features. */
UB_API
double ub_regression_predict(const ub_regression *regression,
                             const double *features);

/**
 * What makes up the predictions.
 *
 * @param regression         the regression
 * @param[out] coefficients  k + 1, that of the intercept first; 0 of dropped
 *                           features; may be NULL
 * @param[out] errors        k + 1 standard errors of them; NaN of dropped
 *                           features, and of all when rows - rank is 0. A
 *                           coefficient divided by its error is Student's t;
 *                           may be NULL
 */
UB_API
void ub_regression_coefficients(const ub_regression *regression,
                                double *coefficients, double *errors);

/** How well it fits; out->size is set by the caller. */
UB_API
void ub_regression_stats_get(const ub_regression *regression,
                             ub_regression_stats *out);

/** @} */

UB_END_DECLS

/** @} */

#endif
