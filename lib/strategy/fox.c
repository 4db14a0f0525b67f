/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>
#include <string.h>

/* Three batches: step 0 random candidates to fit to, step 1 the best by the
 * regressions, step 2 none. */
typedef struct fox {
    int32_t *choices; /* one candidate */
} fox;

/* What stands for the evaluation while annealing. */
typedef struct predictor {
    ub_strategy *strategy;
    int64_t n_features;
    double *features; /* n_features */
    ub_regression *objective;
    ub_regression *violation; /* NULL: none was violated */
    double predicted;
} predictor;

static ub_status create(ub_strategy *s)
{
    fox *f = s->state;

    f->choices = ub__calloc(s->context, (size_t) s->shape.decisions,
                            sizeof(*f->choices));
    return f->choices != NULL ? UB_OK : UB_ERR_NOMEM;
}

static void destroy(ub_strategy *s)
{
    fox *f = s->state;

    ub__free(s->context, f->choices);
}

/* -- regressions ---------------------------------------------------------- */

static void features_of(const ub_strategy *s, const int32_t *choices,
                        double *features)
{
    if (s->options.features_fn != NULL) {
        s->options.features_fn(s->options.features_user, choices, features);
        return;
    }
    memset(features, 0, (size_t) ub_strategy_weights(s) * sizeof(*features));
    for (int64_t d = 0; d < s->shape.decisions; d++)
        features[s->offsets[d] + choices[d]] = 1.0;
}

/* The features and results of all rows that have one; how many they are. */
static int64_t collect(const predictor *p, double *x, double *objectives,
                       double *violations)
{
    const ub_strategy *s = p->strategy;
    const ub__history *h = &s->history;
    int64_t n = 0;

    for (int64_t row = 0; row < h->n; row++) {
        if (!(h->violations[row] < INFINITY))
            continue;
        features_of(s, h->choices + row * s->shape.decisions,
                    x + n * p->n_features);
        objectives[n] = h->objectives[row * s->shape.objectives];
        violations[n++] = h->violations[row];
    }
    return n;
}

static ub_status fit_to(predictor *p, double *x, double *objectives,
                        double *violations)
{
    ub_context *context = p->strategy->context;
    const int64_t n = collect(p, x, objectives, violations);
    int violated = 0;
    ub_status status;

    for (int64_t i = 0; i < n; i++)
        violated |= violations[i] > 0.0;
    status = ub_regression_create(context, n, p->n_features, x, objectives,
                                  &p->objective);
    if (status == UB_OK && violated)
        status = ub_regression_create(context, n, p->n_features, x, violations,
                                      &p->violation);
    return status;
}

static ub_status fit(predictor *p)
{
    ub_context *context = p->strategy->context;
    const size_t rows = (size_t) p->strategy->history.n;
    const size_t k = (size_t) p->n_features;
    double *x = NULL, *y = ub__alloc(context, rows, 2 * sizeof(*y));
    ub_status status = UB_ERR_NOMEM;

    p->features = ub__alloc(context, k, sizeof(*p->features));
    if (y != NULL && p->features != NULL)
        x = ub__alloc(context, rows, k * sizeof(*x));
    if (x != NULL)
        status = fit_to(p, x, y, y + rows);
    ub__free(context, x);
    ub__free(context, y);
    return status;
}

/* -- annealing on them ---------------------------------------------------- */

static ub_status predict(void *user, const ub_candidate *candidate,
                         ub_result *result)
{
    predictor *p = user;

    features_of(p->strategy, candidate->choices, p->features);
    p->predicted = ub_regression_predict(p->objective, p->features);
    result->objectives = &p->predicted;
    if (p->violation != NULL) {
        const double v = ub_regression_predict(p->violation, p->features);

        result->violation = v > 0.0 ? v : 0.0;
    }
    return UB_OK;
}

static ub_status create_inner(ub_strategy *s, ub_strategy **out)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = s->shape.decisions,
                                     .choices = s->choices,
                                     .groups = s->groups,
                                     .ordered = s->ordered };
    ub_strategy_options options = s->options;

    options.kind = UB_STRATEGY_ANNEALING;
    options.seed = ub_rng_u64(&s->rng);
    options.budget = s->options.inner_budget;
    options.objectives = 1;
    options.neighbours = 0;
    return ub_strategy_create(s->context, &decisions, &options, out);
}

/* The best distinct candidates that were not evaluated before. */
static ub_status choose(ub_strategy *s, ub_strategy *inner, ub__batch *batch)
{
    const int64_t d = s->shape.decisions;
    int64_t *rows = NULL, n = 0;
    ub_status status = ub__history_sort(inner, &rows, &n);

    for (int64_t i = 0; i < n && batch->n < s->options.verify; i++) {
        const int32_t *choices = inner->history.choices + rows[i] * d;

        if (status == UB_OK && !ub__history_has(s, choices))
            status = ub__batch_add(s->context, batch, choices, NULL, -1);
        if (status != UB_OK)
            break;
    }
    ub__free(s->context, rows);
    return status;
}

static ub_status search(ub_strategy *s, ub__batch *batch)
{
    predictor p = { .strategy = s,
                    .n_features = s->options.features_fn != NULL
                                      ? s->options.features
                                      : ub_strategy_weights(s) };
    ub_strategy *inner = NULL;
    ub_status status = fit(&p);

    if (status == UB_OK)
        status = create_inner(s, &inner);
    if (status == UB_OK)
        status = ub_strategy_run(inner, predict, &p);
    if (status == UB_OK)
        status = choose(s, inner, batch);
    ub_strategy_destroy(&inner);
    ub_regression_destroy(&p.objective);
    ub_regression_destroy(&p.violation);
    ub__free(s->context, p.features);
    return status;
}

/* -- class ---------------------------------------------------------------- */

static int anything_known(const ub_strategy *s)
{
    for (int64_t row = 0; row < s->history.n; row++) {
        if (s->history.violations[row] < INFINITY)
            return 1;
    }
    return 0;
}

static ub_status generate(ub_strategy *s, ub__batch *batch)
{
    fox *f = s->state;
    const int64_t most = ub__batch_most(s, batch, s->options.fit);
    ub_status status = UB_OK;

    if (s->steps > 0)
        return s->steps == 1 && anything_known(s) ? search(s, batch) : UB_OK;
    for (int64_t i = 0; i < most && status == UB_OK; i++) {
        ub__draw(s, f->choices);
        status = ub__batch_add(s->context, batch, f->choices, NULL, -1);
    }
    return status;
}

static ub_status update(ub_strategy *s, const ub__batch *batch)
{
    (void) s;
    (void) batch;
    return UB_OK;
}

const ub__strategy_class ub__strategy_fox = {
    .state_size = sizeof(fox),
    .create = create,
    .destroy = destroy,
    .generate = generate,
    .update = update,
};
