/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

#define BLOCKS        64
#define BLOCK_LEAST   8192
#define TERMS_AT_ONCE 8

struct sums {
    ub__sum_fn add;
    const void *arg;
    int64_t n, blocks;
    int first, terms;
    double partial[BLOCKS][TERMS_AT_ONCE];
};

static void block_task(void *arg, int64_t block, int worker)
{
    struct sums *s = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(s->n, UB__GRAIN, s->blocks, block, &begin, &end);
    for (int t = 0; t < s->terms; t++)
        s->partial[block][t] = 0.0;
    s->add(s->arg, s->first, s->terms, begin, end, s->partial[block]);
}

void ub__block_sums(ub_context *context, int64_t n, int terms, ub__sum_fn add,
                    const void *arg, double *out)
{
    struct sums s = { .add = add, .arg = arg, .n = n };

    s.blocks = n / BLOCK_LEAST + 1;
    if (s.blocks > BLOCKS)
        s.blocks = BLOCKS;
    for (s.first = 0; s.first < terms; s.first += TERMS_AT_ONCE) {
        s.terms = terms - s.first;
        if (s.terms > TERMS_AT_ONCE)
            s.terms = TERMS_AT_ONCE;
        ub__parallel(context, s.blocks, block_task, &s);
        for (int t = 0; t < s.terms; t++) {
            double sum = 0.0;

            for (int64_t block = 0; block < s.blocks; block++)
                sum += s.partial[block][t];
            out[s.first + t] = sum;
        }
    }
}
