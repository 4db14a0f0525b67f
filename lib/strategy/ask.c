/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>
#include <string.h>

/* A larger size is an uninitialised field. */
#define SIZE_LIMIT ((size_t) 4096)

static int32_t *copy_int32(ub_context *context, const int32_t *from, int64_t n)
{
    int32_t *to = ub__alloc(context, (size_t) n, sizeof(*to));

    if (to != NULL)
        memcpy(to, from, (size_t) n * sizeof(*to));
    return to;
}

static void take_decisions(ub_strategy *s, const ub_decisions *decisions)
{
    int64_t offset = 0;

    for (int64_t d = 0; d < decisions->n; d++) {
        s->choices[d] = decisions->choices[d];
        s->groups[d] = decisions->groups != NULL ? decisions->groups[d]
                                                 : (int32_t) d;
        s->ordered[d] = decisions->ordered != NULL ? decisions->ordered[d] : 0;
        s->offsets[d] = offset;
        offset += s->choices[d];
    }
    s->offsets[decisions->n] = offset;
    s->n_groups = s->groups[decisions->n - 1] + 1;
}

static ub_status copy_inputs(ub_strategy *s, const ub_decisions *decisions)
{
    const size_t n = (size_t) decisions->n;

    if (s->options.directions != NULL) {
        s->options.directions = copy_int32(s->context, s->options.directions,
                                           s->options.objectives);
        if (s->options.directions == NULL)
            return UB_ERR_NOMEM;
    }
    s->choices = ub__alloc(s->context, n, sizeof(*s->choices));
    s->groups = ub__alloc(s->context, n, sizeof(*s->groups));
    s->ordered = ub__alloc(s->context, n, sizeof(*s->ordered));
    s->offsets = ub__alloc(s->context, n + 1, sizeof(*s->offsets));
    if (s->choices == NULL || s->groups == NULL || s->ordered == NULL ||
        s->offsets == NULL)
        return UB_ERR_NOMEM;
    take_decisions(s, decisions);
    return UB_OK;
}

static ub_status set_up(ub_strategy *s, const ub_decisions *decisions)
{
    ub_status status = copy_inputs(s, decisions);

    if (status != UB_OK)
        return status;
    s->shape.decisions = decisions->n;
    s->shape.objectives = s->options.objectives;
    if (s->class->caps & UB_CAP_GRADIENT)
        s->shape.weights = s->offsets[decisions->n];
    s->batch.shape = s->inner.shape = s->shape;
    ub_rng_init(&s->rng, s->options.seed, 0);
    s->state = ub__calloc(s->context, 1, s->class->state_size);
    if (s->state == NULL)
        return UB_ERR_NOMEM;
    return s->class->create != NULL ? s->class->create(s) : UB_OK;
}

ub_status ub_strategy_create(ub_context *context, const ub_decisions *decisions,
                             const ub_strategy_options *options,
                             ub_strategy **out)
{
    ub_strategy_options full;
    ub_decisions given = { .size = sizeof(given) };
    ub_strategy *s;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (decisions == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "strategy: NULL");
    ub_strategy_options_init(&full, sizeof(full));
    status = ub__options_in(context, "ub_strategy_options", &full, sizeof(full),
                            sizeof(full), options);
    if (status == UB_OK)
        status = ub__options_in(context, "ub_decisions", &given, sizeof(given),
                                sizeof(given), decisions);
    if (status == UB_OK)
        status = ub__strategy_check(context, &given, &full);
    if (status != UB_OK)
        return status;
    s = ub__calloc(context, 1, sizeof(*s));
    if (s == NULL)
        return UB_ERR_NOMEM;
    s->context = context;
    s->options = full;
    s->class = ub__strategy_class_of(full.kind);
    status = set_up(s, &given);
    if (status != UB_OK)
        ub_strategy_destroy(&s);
    else
        *out = s;
    return status;
}

void ub_strategy_destroy(ub_strategy **strategy)
{
    ub_strategy *s = strategy != NULL ? *strategy : NULL;

    if (s == NULL)
        return;
    if (s->state != NULL && s->class->destroy != NULL)
        s->class->destroy(s);
    ub__free(s->context, s->state);
    ub__batch_clear(s->context, &s->batch);
    ub__batch_clear(s->context, &s->inner);
    ub__history_clear(s->context, &s->history);
    ub__free(s->context, s->choices);
    ub__free(s->context, s->groups);
    ub__free(s->context, s->ordered);
    ub__free(s->context, s->offsets);
    ub__free(s->context, (void *) s->options.directions);
    ub__free(s->context, s);
    *strategy = NULL;
}

int32_t ub_strategy_caps(const ub_strategy *strategy)
{
    return strategy->class->caps;
}

int64_t ub_strategy_weights(const ub_strategy *strategy)
{
    return strategy->offsets[strategy->shape.decisions];
}

/* -- ask ------------------------------------------------------------------ */

const ub__batch *ub__class_batch(const ub_strategy *s)
{
    return s->options.neighbours > 0 ? &s->inner : &s->batch;
}

int64_t ub__candidate_id(const ub_strategy *s, const ub__batch *batch,
                         int64_t at)
{
    return batch == &s->inner ? batch->parents[at] : batch->first + at;
}

int64_t ub__batch_most(const ub_strategy *s, const ub__batch *batch,
                       int64_t wanted)
{
    const int64_t left = s->options.budget - batch->first;

    return wanted < left ? wanted : left;
}

int64_t ub__last_id(const ub_strategy *s)
{
    return s->batch.first + s->batch.n - 1;
}

static int64_t budget_left(const ub_strategy *s)
{
    return s->options.budget - 1 - ub__last_id(s);
}

/* Candidates of the class; on failure there are none, and random numbers are as
 * before. */
static ub_status propose(ub_strategy *s, ub__batch *batch, int64_t first)
{
    const ub_rng rng = s->rng;
    const int64_t most = s->options.budget - first;
    ub_status status;

    batch->n = batch->told = 0;
    batch->first = first;
    status = s->class->generate(s, batch);
    if (status != UB_OK) {
        batch->n = 0;
        s->rng = rng;
    }
    batch->n = batch->n < most ? batch->n : most;
    return status;
}

/* Where the neighbours of candidates could not be made, only they are. */
static ub_status generate(ub_strategy *s, int64_t first)
{
    ub_status status = UB_OK;

    if (s->options.neighbours == 0)
        return propose(s, &s->batch, first);
    if (s->inner.n == 0 || s->inner.first != first)
        status = propose(s, &s->inner, first);
    s->batch.first = first;
    s->batch.n = 0;
    if (status == UB_OK)
        status = ub__neighbourhood_expand(s);
    if (status != UB_OK)
        s->batch.n = 0;
    return status;
}

/* Make the next batch; on failure all is as it was. */
static ub_status refill(ub_strategy *s)
{
    ub_status status;

    if (budget_left(s) <= 0) {
        s->exhausted = 1;
        return UB_OK;
    }
    status = generate(s, s->batch.first + s->batch.n);
    s->batch.told = 0;
    s->cursor = 0;
    s->exhausted = status == UB_OK && s->batch.n == 0;
    return status;
}

/* Arrays of a caller whose structs are longer than ours have its stride. */
static ub_candidate *candidate_at(ub_candidate *candidates, int64_t i)
{
    return (ub_candidate *) ((char *) candidates +
                             (size_t) i * candidates->size);
}

static const ub_result *result_at(const ub_result *results, int64_t i)
{
    return (const ub_result *) ((const char *) results +
                                (size_t) i * results->size);
}

static ub_status check_sizes(ub_strategy *s, int64_t max, ub_candidate *out)
{
    for (int64_t i = 0; i < max; i++) {
        const size_t size = candidate_at(out, i)->size;

        if (size < sizeof(*out) || size > SIZE_LIMIT || size != out->size)
            return ub__fail(s->context, UB_ERR_INVALID,
                            "ask: the size of candidate %lld is %zu",
                            (long long) i, size);
    }
    return UB_OK;
}

static void hand_out(ub_strategy *s, int64_t at, ub_candidate *out)
{
    ub__batch *b = &s->batch;
    const ub_candidate candidate = {
        .size = sizeof(candidate),
        .id = b->first + at,
        .parent = b->parents[at],
        .choices = b->choices + at * s->shape.decisions,
        .weights = s->shape.weights > 0 ? b->weights + at * s->shape.weights
                                        : NULL,
    };

    if (!(b->flags[at] & UB__ASKED))
        s->asked++;
    b->flags[at] |= UB__ASKED;
    ub__options_out(out, out->size, &candidate, sizeof(candidate));
}

ub_status ub_strategy_ask(ub_strategy *strategy, int64_t max, ub_candidate *out,
                          int64_t *n)
{
    ub_strategy *s = strategy;
    ub_status status = UB_OK;
    int64_t given = 0;

    if (max < 1 || out == NULL || n == NULL)
        return ub__fail(s->context, UB_ERR_INVALID,
                        "ask: room for %lld candidates", (long long) max);
    status = check_sizes(s, max, out);
    if (status == UB_OK && !s->exhausted && s->batch.told == s->batch.n)
        status = refill(s);
    if (status != UB_OK)
        return status;
    for (; s->cursor < s->batch.n && given < max; s->cursor++) {
        if (!(s->batch.flags[s->cursor] & UB__TOLD))
            hand_out(s, s->cursor, candidate_at(out, given++));
    }
    *n = given;
    return UB_OK;
}

/* -- tell ----------------------------------------------------------------- */

static ub_status check_result(const ub_strategy *s, const ub_result *result)
{
    const ub__batch *b = &s->batch;
    const int64_t at = result->id < b->first ? b->n : result->id - b->first;

    if (at >= b->n || !(b->flags[at] & UB__ASKED))
        return ub__fail(s->context, UB_ERR_INVALID,
                        "tell: candidate %lld was not asked for",
                        (long long) result->id);
    if (b->flags[at] & UB__TOLD)
        return ub__fail(s->context, UB_ERR_INVALID,
                        "tell: candidate %lld was told before",
                        (long long) result->id);
    if (result->failed)
        return UB_OK;
    if (result->objectives == NULL || result->violation < 0.0)
        return ub__fail(s->context, UB_ERR_INVALID,
                        "tell: candidate %lld has %s", (long long) result->id,
                        result->objectives == NULL ? "no objectives"
                                                   : "a negative violation");
    if (s->shape.weights > 0 && result->gradient == NULL)
        return ub__fail(s->context, UB_ERR_INVALID,
                        "tell: candidate %lld has no gradient",
                        (long long) result->id);
    return UB_OK;
}

static int all_finite(const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            return 0;
    }
    return 1;
}

static void store(ub_strategy *s, const ub_result *result)
{
    ub__batch *b = &s->batch;
    const int64_t at = result->id - b->first;
    const int64_t m = s->shape.objectives, weights = s->shape.weights;

    b->flags[at] |= UB__TOLD;
    b->told++;
    if (result->failed || !all_finite(result->objectives, m) ||
        !isfinite(result->violation) ||
        (weights > 0 && !all_finite(result->gradient, weights))) {
        b->flags[at] |= UB__FAILED;
        return;
    }
    b->violations[at] = result->violation;
    b->likelihoods[at] = result->log_likelihood;
    memcpy(b->objectives + at * m, result->objectives,
           (size_t) m * sizeof(double));
    if (weights > 0)
        memcpy(b->gradients + at * weights, result->gradient,
               (size_t) weights * sizeof(double));
}

/* As if candidate `at` had not been told. */
static void forget(ub_strategy *s, int64_t at)
{
    ub__batch *b = &s->batch;

    ub__batch_clear_result(b, at);
    b->flags[at] = UB__ASKED;
    b->told--;
}

/* A centre is remembered with what its neighbourhood says, and its neighbours
 * only as seen. */
static void remember(ub_strategy *s)
{
    const ub__batch *b = &s->batch;
    int64_t centre = 0;

    for (int64_t i = 0; i < b->n; i++) {
        const ub__batch *from = b;
        double violation = b->violations[i];
        int64_t at = i;

        if (s->options.neighbours > 0 && ub__is_neighbour(b, i)) {
            violation = INFINITY;
        } else if (s->options.neighbours > 0) {
            from = &s->inner;
            at = centre++;
            violation = from->violations[at];
        }
        ub__history_add(s, b->choices + i * s->shape.decisions,
                        from->objectives + at * s->shape.objectives, violation);
    }
}

/* Learn from a batch that is told; on failure nothing has changed. */
static ub_status conclude(ub_strategy *s)
{
    const int relaxed = s->shape.weights > 0;
    ub_status status = UB_OK;

    if (!relaxed)
        status = ub__history_reserve(s, s->batch.n);
    if (status == UB_OK && s->options.neighbours > 0)
        status = ub__neighbourhood_reduce(s);
    if (status == UB_OK)
        status = s->class->update(s, ub__class_batch(s));
    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < s->batch.n; i++)
        s->failed += (s->batch.flags[i] & UB__FAILED) != 0;
    if (!relaxed)
        remember(s);
    s->steps++;
    return UB_OK;
}

/* Read result number i and check it. */
static ub_status take_result(const ub_strategy *s, const ub_result *results,
                             int64_t i, ub_result *out)
{
    const ub_result *from = result_at(results, i);
    ub_status status;

    ub_result_init(out, sizeof(*out), -1);
    if (from->size != results->size)
        return ub__fail(s->context, UB_ERR_INVALID,
                        "tell: the size of result %lld is %zu, that of the "
                        "first %zu",
                        (long long) i, from->size, results->size);
    status = ub__options_in(s->context, "ub_result", out, sizeof(*out),
                            sizeof(*out), from);
    return status == UB_OK ? check_result(s, out) : status;
}

ub_status ub_strategy_tell(ub_strategy *strategy, int64_t n,
                           const ub_result *results)
{
    ub_strategy *s = strategy;
    ub_status status = UB_OK;
    int64_t stored = 0;

    if (n < 0 || (n > 0 && results == NULL))
        return ub__fail(s->context, UB_ERR_INVALID, "tell: %lld results",
                        (long long) n);
    for (; stored < n; stored++) {
        ub_result result;

        status = take_result(s, results, stored, &result);
        if (status != UB_OK)
            break;
        store(s, &result);
    }
    if (status == UB_OK && n > 0 && s->batch.told == s->batch.n)
        status = conclude(s);
    for (int64_t i = 0; i < stored && status != UB_OK; i++)
        forget(s, result_at(results, i)->id - s->batch.first);
    s->told += status == UB_OK ? n : 0;
    return status;
}

int ub_strategy_finished(const ub_strategy *strategy)
{
    const ub_strategy *s = strategy;

    return s->batch.told == s->batch.n && (s->exhausted || budget_left(s) <= 0);
}

/* -- what is known -------------------------------------------------------- */

static void objectives_of(const ub_strategy *s, const int32_t *choices,
                          double *objectives)
{
    const ub__history *h = &s->history;
    const int64_t d = s->shape.decisions, m = s->shape.objectives;

    for (int64_t k = 0; k < m; k++)
        objectives[k] = NAN;
    for (int64_t row = h->n - 1; row >= 0; row--) {
        if (isfinite(h->violations[row]) &&
            memcmp(h->choices + row * d, choices,
                   (size_t) d * sizeof(*choices)) == 0) {
            memcpy(objectives, h->objectives + row * m,
                   (size_t) m * sizeof(*objectives));
            return;
        }
    }
}

ub_status ub_strategy_best(ub_strategy *strategy, int64_t max, int32_t *choices,
                           double *objectives, int64_t *n)
{
    ub_strategy *s = strategy;

    if (max < 1 || choices == NULL || n == NULL)
        return ub__fail(s->context, UB_ERR_INVALID,
                        "best: room for %lld candidates", (long long) max);
    if (!(s->class->caps & UB_CAP_DISTRIBUTION))
        return ub__history_best(s, max, choices, objectives, n);
    if (s->steps == 0) {
        *n = 0;
        return UB_OK;
    }
    s->class->mode(s, choices);
    if (objectives != NULL)
        objectives_of(s, choices, objectives);
    *n = 1;
    return UB_OK;
}

ub_status ub_strategy_distribution(const ub_strategy *strategy,
                                   double *probabilities)
{
    if (!(strategy->class->caps & UB_CAP_DISTRIBUTION))
        return ub__fail(strategy->context, UB_ERR_UNSUPPORTED,
                        "%s has no distribution",
                        ub_strategy_kind_name(strategy->options.kind));
    strategy->class->distribution(strategy, probabilities);
    return UB_OK;
}

void ub_strategy_stats_get(const ub_strategy *strategy, ub_strategy_stats *out)
{
    const ub_strategy *s = strategy;
    const ub_strategy_stats stats = {
        .size = sizeof(stats),
        .asked = s->asked,
        .told = s->told,
        .failed = s->failed,
        .unique = s->history.unique,
        .steps = s->steps,
        .batch = s->batch.n,
        .entropy = s->class->entropy != NULL ? s->class->entropy(s) : NAN,
        .temperature = s->class->temperature != NULL ? s->class->temperature(s)
                                                     : NAN,
    };

    ub__options_out(out, out->size, &stats, sizeof(stats));
}

static ub_status run_batch(ub_strategy *s, ub_evaluate_fn evaluate, void *user)
{
    ub_candidate candidate = { .size = sizeof(candidate) };
    int64_t n;
    ub_status status = ub_strategy_ask(s, 1, &candidate, &n);

    if (status == UB_OK && n == 1) {
        ub_result result;

        ub_result_init(&result, sizeof(result), candidate.id);
        status = evaluate(user, &candidate, &result);
        if (status == UB_OK)
            status = ub_strategy_tell(s, 1, &result);
    } else if (status == UB_OK && !ub_strategy_finished(s)) {
        status = ub__fail(s->context, UB_ERR_INVALID,
                          "run: candidates asked for elsewhere are not told");
    }
    return status;
}

ub_status ub_strategy_run(ub_strategy *strategy, ub_evaluate_fn evaluate,
                          void *user)
{
    ub_status status = UB_OK;

    while (status == UB_OK && !ub_strategy_finished(strategy))
        status = run_batch(strategy, evaluate, user);
    return status;
}
