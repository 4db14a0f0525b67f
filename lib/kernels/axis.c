/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/axis.h"

int64_t ub__min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t ub__max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t ub__divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

int64_t ub__even(int64_t n, int64_t most)
{
    return ub__divide_up(n, ub__divide_up(n, ub__max(1, ub__min(most, n))));
}

ub__side ub__side_rows(const ub__conv *c)
{
    return (ub__side){ c->in_height, c->out_height, c->kernel_height,
                       c->stride,    c->pad_height, c->dilation };
}

ub__side ub__side_columns(const ub__conv *c)
{
    return (ub__side){ c->in_width, c->out_width, c->kernel_width,
                       c->stride,   c->pad_width, c->dilation };
}

int ub__side_cut(const ub__side *s, int64_t k, int64_t *begin, int64_t *end)
{
    const int64_t at = k * s->dilation - s->pad;
    const int64_t first = at < 0 ? ub__divide_up(-at, s->stride) : 0;
    const int64_t behind = at >= s->in ? 0 : (s->in - 1 - at) / s->stride + 1;

    *begin = ub__max(*begin, first);
    *end = ub__min(*end, behind);
    return *begin < *end;
}

/* -- places ---------------------------------------------------------------- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

void ub__axis_forward(ub__axis *a, const ub__side *s)
{
    a->tap_step = 1;
    a->source_step = s->dilation;
    a->period = 1;
    a->source_period = s->stride;
    for (int64_t o = 0; o < a->extent; o++) {
        const int64_t first = o * s->stride - s->pad;
        const int64_t k = first < 0 ? ub__divide_up(-first, s->dilation) : 0;
        const int64_t source = first + k * s->dilation;

        a->at[o] = (ub__place){ 0, 0, 0 };
        if (k < s->kernel && source < s->in)
            a->at[o] = (ub__place){
                k,
                ub__min(s->kernel - k, (s->in - 1 - source) / s->dilation + 1),
                source
            };
    }
}

void ub__axis_backward(ub__axis *a, const ub__side *s)
{
    const int64_t shared = common_divisor(s->stride, s->dilation);

    a->tap_step = s->stride / shared;
    a->source_step = -s->dilation / shared;
    a->period = s->stride;
    a->source_period = 1;
    for (int64_t i = 0; i < a->extent; i++) {
        ub__place *p = &a->at[i];

        *p = (ub__place){ 0, 0, 0 };
        for (int64_t k = 0; k < s->kernel; k++) {
            const int64_t at = i + s->pad - k * s->dilation;

            if (at < 0 || at % s->stride != 0 || at / s->stride >= s->out)
                continue;
            if (p->taps++ == 0) {
                p->tap = k;
                p->source = at / s->stride;
            }
        }
    }
}

void ub__axis_sources(const ub__axis *a, int64_t begin, int64_t end,
                      int64_t *first, int64_t *behind)
{
    *first = INT64_MAX;
    *behind = 0;
    for (int64_t i = begin; i < end; i++) {
        const ub__place *p = &a->at[i];
        const int64_t last = p->source + (p->taps - 1) * a->source_step;

        if (p->taps == 0)
            continue;
        *first = ub__min(*first, ub__min(p->source, last));
        *behind = ub__max(*behind, ub__max(p->source, last) + 1);
    }
    *first = ub__min(*first, *behind);
}

/* -- sets ------------------------------------------------------------------ */

static int same_taps(const ub__place *a, const ub__place *b)
{
    return a->tap == b->tap && a->taps == b->taps;
}

int64_t ub__point_sets(const ub__axis *a, int64_t most, ub__point_set *set)
{
    int64_t n = 0;

    for (int64_t phase = 0; phase < ub__min(a->period, a->extent); phase++) {
        for (int64_t i = phase, end; i < a->extent; i = end) {
            int64_t run = 0, part;

            for (end = i; end < a->extent && same_taps(&a->at[i], &a->at[end]);
                 end += a->period)
                run++;
            part = ub__even(run, most);
            for (int64_t done = 0; done < run; done += part, n++) {
                set[n].first = i + done * a->period;
                set[n].points = ub__min(part, run - done);
            }
        }
    }
    return n;
}
