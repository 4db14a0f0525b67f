/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>

/* What a state belongs to: options and decisions, as numbers. Pointers are no
 * part of it, nor what a caller may change from one run to the next. */
static void archive_identity(ub_strategy *s, ub__archive *a)
{
    const ub_strategy_options *o = &s->options;
    const int64_t integers[] = { (int64_t) (o->seed >> 1),
                                 (int64_t) (o->seed & 1), o->kind,
                                 s->shape.decisions };
    int same = 1;

    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        int64_t value = integers[i];

        ub__archive_int64(a, &value, 1, INT64_MIN, INT64_MAX);
        same &= value == integers[i];
    }
    same &= ub__strategy_options_archive(a, o);
    for (int64_t d = 0; d < s->shape.decisions && same; d++) {
        int32_t of[] = { s->choices[d], s->groups[d], s->ordered[d] };

        ub__archive_int32(a, of, 3, 0, UB_STRATEGY_MAX_CHOICES);
        same &= of[0] == s->choices[d] && of[1] == s->groups[d] &&
                of[2] == s->ordered[d];
    }
    for (int64_t k = 0; k < o->objectives && same; k++) {
        const int32_t given = o->directions != NULL ? o->directions[k] : 0;
        int32_t direction = given;

        ub__archive_int32(a, &direction, 1, 0, 1);
        same &= direction == given;
    }
    if (!same && a->status == UB_OK)
        a->status = ub__fail(a->context, UB_ERR_INVALID,
                             "%s is of a strategy with other decisions or "
                             "options",
                             a->path);
}

/* A result that is there has numbers, one that is not is infinitely bad. */
static void check_results(ub__archive *a, const ub_strategy *s,
                          const double *violations, const double *objectives,
                          int64_t n)
{
    const int64_t m = s->shape.objectives;

    for (int64_t i = 0; i < n; i++) {
        int known = 1;

        for (int64_t k = 0; k < m; k++)
            known &= isfinite(objectives[i * m + k]);
        if (!(violations[i] >= 0.0) || (isfinite(violations[i]) && !known))
            ub__archive_refuse(a, "a result that can be none");
    }
}

/* The weights of each decision of a relaxed candidate are a distribution. */
static void check_weights(ub__archive *a, const ub_strategy *s,
                          const ub__batch *batch)
{
    for (int64_t i = 0; i < batch->n && s->shape.weights > 0; i++) {
        const double *w = batch->weights + i * s->shape.weights;

        for (int64_t d = 0; d < s->shape.decisions; d++) {
            double sum = 0.0;

            for (int64_t k = s->offsets[d]; k < s->offsets[d + 1]; k++)
                sum += w[k] >= 0.0 ? w[k] : NAN;
            if (!(fabs(sum - 1.0) <= 1e-9))
                ub__archive_refuse(a, "weights that can be none");
        }
    }
}

/* What is told is asked, what failed is told, and has no result. */
static int flags_fit(const ub__batch *batch, int64_t i)
{
    const uint8_t flags = batch->flags[i];

    if (!(flags & UB__TOLD))
        return flags <= UB__ASKED && batch->violations[i] == INFINITY;
    return (flags & UB__ASKED) && flags < 2 * UB__FAILED &&
           ((flags & UB__FAILED) != 0) == !isfinite(batch->violations[i]);
}

/* All before the batch at hand was asked for, told and remembered. */
static void check_counts(ub__archive *a, const ub_strategy *s)
{
    const ub__batch *b = &s->batch;
    int64_t asked = b->first, told = b->first, seen = b->first;

    for (int64_t i = 0; i < b->n; i++) {
        if (!flags_fit(b, i))
            ub__archive_refuse(a, "a candidate in no state there is");
        asked += (b->flags[i] & UB__ASKED) != 0;
        told += (b->flags[i] & UB__TOLD) != 0;
    }
    seen += b->told == b->n ? b->n : 0;
    if (s->asked != asked || s->told != told || told != b->first + b->told ||
        s->failed > told || s->steps > told ||
        b->first + b->n > s->options.budget ||
        s->history.n != (s->shape.weights > 0 ? 0 : seen))
        ub__archive_refuse(a, "the counts do not fit each other");
}

static void check_all(ub__archive *a, const ub_strategy *s)
{
    const ub__history *h = &s->history;

    check_results(a, s, s->batch.violations, s->batch.objectives, s->batch.n);
    check_results(a, s, s->inner.violations, s->inner.objectives, s->inner.n);
    check_results(a, s, h->violations, h->objectives, h->n);
    check_weights(a, s, &s->batch);
    check_weights(a, s, &s->inner);
    check_counts(a, s);
}

void ub__strategy_archive(ub_strategy *strategy, ub__archive *archive)
{
    ub_strategy *s = strategy;
    ub__archive *a = archive;
    int32_t exhausted = s->exhausted;

    archive_identity(s, a);
    ub__archive_rng(a, &s->rng);
    ub__archive_int64(a, &s->asked, 1, 0, UB_STRATEGY_MAX_BUDGET);
    ub__archive_int64(a, &s->told, 1, 0, UB_STRATEGY_MAX_BUDGET);
    ub__archive_int64(a, &s->failed, 1, 0, UB_STRATEGY_MAX_BUDGET);
    ub__archive_int64(a, &s->steps, 1, 0, UB_STRATEGY_MAX_BUDGET);
    ub__archive_int32(a, &exhausted, 1, 0, 1);
    s->exhausted = exhausted;
    ub__batch_archive(a, s, &s->batch);
    if (s->options.neighbours > 0)
        ub__batch_archive(a, s, &s->inner);
    ub__history_archive(a, s);
    if (a->status == UB_OK && !a->writing)
        check_all(a, s);
    if (s->options.neighbours > 0)
        ub__neighbourhood_check(s, a);
    if (a->status == UB_OK && s->class->archive != NULL)
        s->class->archive(s, a);
}

ub_status ub_strategy_save(ub_strategy *strategy, const char *path)
{
    ub__archive a = { .context = strategy->context,
                      .path = path,
                      .writing = 1 };

    if (path == NULL)
        return ub__fail(strategy->context, UB_ERR_INVALID, "save: no path");
    ub__strategy_archive(strategy, &a);
    return ub__archive_write(&a);
}

static ub_status create_like(const ub_strategy *s, ub_strategy **out)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = s->shape.decisions,
                                     .choices = s->choices,
                                     .groups = s->groups,
                                     .ordered = s->ordered };

    return ub_strategy_create(s->context, &decisions, &s->options, out);
}

/* Read into a strategy of its own, so that a damaged file changes nothing. */
ub_status ub_strategy_load(ub_strategy *strategy, const char *path)
{
    ub_strategy *fresh = NULL, swap;
    ub__archive a;
    ub_status status;

    if (path == NULL)
        return ub__fail(strategy->context, UB_ERR_INVALID, "load: no path");
    status = ub__archive_open(strategy->context, path, &a);
    if (status != UB_OK)
        return status;
    status = create_like(strategy, &fresh);
    if (status == UB_OK) {
        ub__strategy_archive(fresh, &a);
        fresh->cursor = 0;
    } else {
        a.status = status;
    }
    status = ub__archive_close(&a);
    if (status == UB_OK) {
        swap = *strategy;
        *strategy = *fresh;
        *fresh = swap;
    }
    ub_strategy_destroy(&fresh);
    return status;
}
