/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/element.h"

#include <string.h>

/* One product of a layer at a time. */
typedef struct operands {
    int8_t *input, *weights;
    int32_t *output, *expected; /* [m][n], and one row of it */
} operands;

static void release(ub_context *context, operands *p)
{
    ub__free(context, p->input);
    ub__free(context, p->weights);
    ub__free(context, p->output);
    ub__free(context, p->expected);
}

static ub_status allocate(ub_context *context, const ub_gemm *g, operands *p)
{
    const size_t m = (size_t) g->m, k = (size_t) g->k, n = (size_t) g->n;

    memset(p, 0, sizeof(*p));
    p->input = ub__alloc(context, m, k);
    if (p->input == NULL)
        return UB_ERR_NOMEM;
    p->weights = ub__alloc(context, k, n);
    if (p->weights == NULL)
        return UB_ERR_NOMEM;
    p->output = ub__alloc(context, m * n, sizeof(*p->output));
    if (p->output == NULL)
        return UB_ERR_NOMEM;
    p->expected = ub__alloc(context, n, sizeof(*p->expected));
    return p->expected == NULL ? UB_ERR_NOMEM : UB_OK;
}

static void fill(ub_rng *rng, int8_t *to, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8) {
        uint64_t bits = ub_rng_u64(rng);

        for (int64_t j = i; j < n && j < i + 8; j++, bits >>= 8)
            to[j] = (int8_t) ((int) (bits & 255) - 128);
    }
}

/* In steps of constant length, for compilers that vectorise nothing else at
 * -O2. */
static void add_scaled(int64_t n, int16_t factor, const int8_t *restrict from,
                       int32_t *restrict to)
{
    int64_t j = 0;

    for (; j + 16 <= n; j += 16) {
        for (int64_t i = j; i < j + 16; i++)
            to[i] += factor * (int16_t) from[i];
    }
    for (; j < n; j++)
        to[j] += factor * from[j];
}

static ub_status verify(ub_context *context, const ub_gemm *g,
                        const operands *p)
{
    for (int64_t i = 0; i < g->m; i++) {
        const int32_t *row = p->output + i * g->n;

        memset(p->expected, 0, (size_t) g->n * sizeof(*p->expected));
        for (int64_t l = 0; l < g->k; l++)
            add_scaled(g->n, p->input[i * g->k + l], p->weights + l * g->n,
                       p->expected);
        for (int64_t j = 0; j < g->n; j++) {
            if (row[j] != p->expected[j])
                return ub__fail(context, UB_ERR_NUMERIC,
                                "the array's product has %ld, not %ld, in row "
                                "%lld, column %lld",
                                (long) row[j], (long) p->expected[j],
                                (long long) i, (long long) j);
        }
    }
    return UB_OK;
}

/* All products of a layer are alike but for their operands. */
static ub_status multiply_all(ub_context *context, const ub_gemm *g,
                              const ub_hardware *hardware,
                              const ub_systolic_options *options,
                              const operands *p, ub_systolic_stats *sum)
{
    ub_gemm one = *g;
    ub_progress progress = { .size = sizeof(progress),
                             .stage = "systolic",
                             .steps = g->count };
    ub_status status = UB_OK;
    ub_rng rng;

    one.count = 1;
    ub_rng_init(&rng, options->seed, 0);
    for (int64_t i = 0; i < g->count && status == UB_OK; i++) {
        ub_systolic_stats s = { .size = sizeof(s) };

        fill(&rng, p->input, g->m * g->k);
        fill(&rng, p->weights, g->k * g->n);
        status = ub_systolic_multiply(context, &one, hardware, options,
                                      p->input, p->weights, p->output, &s);
        if (status == UB_OK)
            status = verify(context, g, p);
        if (i == 0) {
            *sum = s;
        } else {
            sum->cycles += s.cycles;
            sum->macs += s.macs;
            sum->rounds += s.rounds;
            sum->latency_ms += s.latency_ms;
            sum->sram_read_bytes += s.sram_read_bytes;
            sum->sram_write_bytes += s.sram_write_bytes;
        }
        progress.step = i + 1;
        if (status == UB_OK)
            status = ub__progress(context, &progress);
    }
    return status;
}

int ub__systolic_at_level3(const ub_systolic_options *options)
{
    return options != NULL && options->size >= sizeof(*options) &&
           options->level == 3;
}

ub_status ub__systolic_level3(ub_context *context, const ub_layer_info *layer,
                              const ub_hardware *hardware,
                              const ub_systolic_options *options,
                              ub_systolic_stats *out)
{
    ub_systolic_stats s = { .size = sizeof(s), .utilization = 1.0 };
    ub_gemm g = { .size = sizeof(g) };
    operands p;
    ub_status status = ub_layer_gemm(layer, options->batch, &g);

    if (status != UB_OK)
        return ub__fail(context, status, "batch %lld cannot be counted",
                        (long long) options->batch);
    if (layer->layer->sparse_block != 0 &&
        options->sparsity != UB_SYSTOLIC_DENSE)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "level 3 has no sparse weights");
    /* checks all products together, and touches nothing */
    status = ub__element_check(context, &g, hardware, options);
    if (status == UB_OK && g.count > 0) {
        status = allocate(context, &g, &p);
        if (status == UB_OK)
            status = multiply_all(context, &g, hardware, options, &p, &s);
        release(context, &p);
    }
    if (status == UB_OK)
        *out = s;
    return status;
}
