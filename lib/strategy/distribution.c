/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/distribution.h"

#include <math.h>
#include <string.h>

/* Keeps logits and their differences finite, whatever the rate. */
#define LARGEST 1e300

/* The decisions and the logits of each table. */
static ub_status lay_out(const ub_strategy *s, int joint, ub__distribution *d)
{
    int64_t size = 1;

    d->tables = 0;
    d->offsets[0] = 0;
    for (int64_t i = 0; i < s->shape.decisions; i++) {
        const int64_t end = i + 1;

        size *= s->choices[i];
        if (size > UB_STRATEGY_MAX_CHOICES)
            return ub__fail(s->context, UB_ERR_UNSUPPORTED,
                            "strategy: group %d has over %lld joint choices",
                            (int) s->groups[i],
                            (long long) UB_STRATEGY_MAX_CHOICES);
        if (joint && end < s->shape.decisions && s->groups[end] == s->groups[i])
            continue;
        d->tables++;
        d->starts[d->tables] = end;
        d->offsets[d->tables] = d->offsets[d->tables - 1] + size;
        size = 1;
    }
    return UB_OK;
}

double ub__softmax(const double *x, int64_t n, double *out)
{
    double largest = x[0], sum = 0.0;

    for (int64_t i = 1; i < n; i++)
        largest = fmax(largest, x[i]);
    for (int64_t i = 0; i < n; i++) {
        out[i] = exp(x[i] - largest);
        sum += out[i];
    }
    for (int64_t i = 0; i < n; i++)
        out[i] /= sum;
    return largest + log(sum);
}

double ub__entropy(const double *x, int64_t n)
{
    double largest = x[0], sum = 0.0, moment = 0.0;

    for (int64_t i = 1; i < n; i++)
        largest = fmax(largest, x[i]);
    for (int64_t i = 0; i < n; i++) {
        const double e = exp(x[i] - largest);

        sum += e;
        moment += e * (x[i] - largest);
    }
    return fmax(log(sum) - moment / sum, 0.0);
}

void ub__likeliest(const ub_strategy *s, const double *weights,
                   int32_t *choices)
{
    for (int64_t d = 0; d < s->shape.decisions; d++) {
        const double *of = weights + s->offsets[d];

        choices[d] = 0;
        for (int32_t c = 1; c < s->choices[d]; c++)
            choices[d] = of[c] > of[choices[d]] ? c : choices[d];
    }
}

static void normalize(ub__distribution *d)
{
    for (int64_t t = 0; t < d->tables; t++)
        ub__softmax(d->logits + d->offsets[t],
                    d->offsets[t + 1] - d->offsets[t],
                    d->probabilities + d->offsets[t]);
}

ub_status ub__distribution_create(const ub_strategy *s, int joint,
                                  ub__distribution *out)
{
    const size_t n = (size_t) s->shape.decisions;
    ub__distribution d = { 0 };
    size_t logits;
    ub_status status = UB_ERR_NOMEM;

    d.starts = ub__calloc(s->context, n + 1, sizeof(*d.starts));
    d.offsets = ub__calloc(s->context, n + 1, sizeof(*d.offsets));
    if (d.starts == NULL || d.offsets == NULL)
        goto fail;
    status = lay_out(s, joint, &d);
    if (status != UB_OK)
        goto fail;
    logits = (size_t) d.offsets[d.tables];
    d.logits = ub__calloc(s->context, logits, sizeof(*d.logits));
    d.probabilities = ub__alloc(s->context, logits, sizeof(*d.probabilities));
    d.gradient = ub__alloc(s->context, logits, sizeof(*d.gradient));
    status = UB_ERR_NOMEM;
    if (d.logits == NULL || d.probabilities == NULL || d.gradient == NULL)
        goto fail;
    normalize(&d);
    *out = d;
    return UB_OK;
fail:
    ub__distribution_clear(s->context, &d);
    return status;
}

void ub__distribution_clear(ub_context *context, ub__distribution *d)
{
    ub__free(context, d->starts);
    ub__free(context, d->offsets);
    ub__free(context, d->logits);
    ub__free(context, d->probabilities);
    ub__free(context, d->gradient);
    *d = (ub__distribution){ 0 };
}

/* The joint choice of a table's decisions as one number, and back. */
static int64_t number_of(const ub_strategy *s, const ub__distribution *d,
                         int64_t table, const int32_t *choices)
{
    int64_t number = 0;

    for (int64_t i = d->starts[table]; i < d->starts[table + 1]; i++)
        number = number * s->choices[i] + choices[i];
    return number;
}

static void numbered(const ub_strategy *s, const ub__distribution *d,
                     int64_t table, int64_t number, int32_t *choices)
{
    for (int64_t i = d->starts[table + 1] - 1; i >= d->starts[table]; i--) {
        choices[i] = (int32_t) (number % s->choices[i]);
        number /= s->choices[i];
    }
}

/* Never one of probability 0, also when the sum is rounded below 1. */
static int64_t draw_number(const double *p, int64_t n, double u)
{
    int64_t last = 0;

    for (int64_t i = 0; i < n; i++) {
        if (u < p[i])
            return i;
        u -= p[i];
        last = p[i] > 0.0 ? i : last;
    }
    return last;
}

void ub__distribution_draw(const ub_strategy *s, const ub__distribution *d,
                           ub_rng *rng, int32_t *choices)
{
    for (int64_t t = 0; t < d->tables; t++) {
        const int64_t n = d->offsets[t + 1] - d->offsets[t];

        numbered(s, d, t,
                 draw_number(d->probabilities + d->offsets[t], n,
                             ub_rng_uniform(rng)),
                 choices);
    }
}

double ub__distribution_entropy(const ub__distribution *d)
{
    double entropy = 0.0;

    for (int64_t t = 0; t < d->tables; t++)
        entropy += ub__entropy(d->logits + d->offsets[t],
                               d->offsets[t + 1] - d->offsets[t]);
    return entropy;
}

void ub__distribution_mode(const ub_strategy *s, const ub__distribution *d,
                           int32_t *choices)
{
    for (int64_t t = 0; t < d->tables; t++) {
        int64_t best = d->offsets[t];

        for (int64_t i = best + 1; i < d->offsets[t + 1]; i++)
            best = d->logits[i] > d->logits[best] ? i : best;
        numbered(s, d, t, best - d->offsets[t], choices);
    }
}

/* Going through a table the choice of decision i changes every `run`. */
static void marginal(const ub_strategy *s, const ub__distribution *d,
                     int64_t table, int64_t i, double *out)
{
    const double *p = d->probabilities + d->offsets[table];
    const int64_t n = d->offsets[table + 1] - d->offsets[table];
    int64_t run = 1;

    for (int64_t j = i + 1; j < d->starts[table + 1]; j++)
        run *= s->choices[j];
    for (int32_t c = 0; c < s->choices[i]; c++)
        out[c] = 0.0;
    for (int64_t number = 0; number < n; number++)
        out[number / run % s->choices[i]] += p[number];
}

void ub__distribution_marginals(const ub_strategy *s, const ub__distribution *d,
                                double *probabilities)
{
    for (int64_t t = 0; t < d->tables; t++)
        for (int64_t i = d->starts[t]; i < d->starts[t + 1]; i++)
            marginal(s, d, t, i, probabilities + s->offsets[i]);
}

void ub__distribution_ascend(const ub_strategy *s, ub__distribution *d,
                             const ub__batch *batch, const double *weights,
                             double rate)
{
    const int64_t logits = d->offsets[d->tables];
    double total = 0.0;

    memset(d->gradient, 0, (size_t) logits * sizeof(*d->gradient));
    for (int64_t k = 0; k < batch->n; k++) {
        const int32_t *choices = batch->choices + k * s->shape.decisions;

        total += weights[k];
        for (int64_t t = 0; t < d->tables && weights[k] != 0.0; t++)
            d->gradient[d->offsets[t] + number_of(s, d, t, choices)] +=
                weights[k];
    }
    for (int64_t i = 0; i < logits; i++) {
        const double g = d->gradient[i] - total * d->probabilities[i];

        d->logits[i] = fmin(fmax(d->logits[i] + rate * g, -LARGEST), LARGEST);
    }
    normalize(d);
}

void ub__distribution_join(const ub_strategy *s, const ub__distribution *single,
                           ub__distribution *joint)
{
    memset(joint->logits, 0,
           (size_t) joint->offsets[joint->tables] * sizeof(*joint->logits));
    for (int64_t t = 0; t < joint->tables; t++) {
        double *to = joint->logits + joint->offsets[t];
        const int64_t n = joint->offsets[t + 1] - joint->offsets[t];
        int64_t run = n;

        for (int64_t i = joint->starts[t]; i < joint->starts[t + 1]; i++) {
            const double *from = single->logits + single->offsets[i];
            const double sum = ub__softmax(from, s->choices[i],
                                           single->gradient);

            run /= s->choices[i];
            for (int64_t number = 0; number < n; number++)
                to[number] += from[number / run % s->choices[i]] - sum;
        }
        for (int64_t number = 0; number < n; number++)
            to[number] = fmax(to[number], -LARGEST);
    }
    normalize(joint);
}

void ub__distribution_archive(ub__archive *a, ub__distribution *d)
{
    const int64_t n = d->offsets[d->tables];

    ub__archive_doubles(a, d->logits, n);
    if (a->writing || a->status != UB_OK)
        return;
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs(d->logits[i]) <= LARGEST)) {
            ub__archive_refuse(a, "a logit is out of its range");
            return;
        }
    }
    normalize(d);
}
