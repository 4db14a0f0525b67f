/* SPDX-License-Identifier: BSD-2-Clause */
#include "quant/quant.h"

#include <float.h>
#include <math.h>

/* Sizes in the first release. */
#define OPTIONS_V1 sizeof(ub_quant_options)
#define CHOICE_V1  sizeof(ub_bit_choice)

/* Most widths of a choice: there are not more different ones. */
#define WIDTHS_MAX 64

static const ub_quant_options option_defaults = {
    .size = sizeof(ub_quant_options),
    .levels = UB_QUANT_LEVELS_CORRECTED,
    .backward = UB_QUANT_BACKWARD_STRAIGHT,
    .momentum = 0.9,
};

static const ub_bit_choice choice_defaults = {
    .size = sizeof(ub_bit_choice),
    .active = 2,
    .mode = UB_BIT_MODE_PROXY_HARD,
};

ub_status ub__quant_options_read(ub_context *context, const char *op,
                                 const ub_quant_options *options,
                                 ub_quant_options *out)
{
    ub_quant_options full = option_defaults;
    const char *fault = NULL;
    ub_status status = ub__options_in(context, op, &full, sizeof full,
                                      OPTIONS_V1, options);

    if (status != UB_OK)
        return status;
    if (full.levels != UB_QUANT_LEVELS_CORRECTED &&
        full.levels != UB_QUANT_LEVELS_REFERENCE)
        fault = "levels";
    else if (full.backward != UB_QUANT_BACKWARD_STRAIGHT &&
             full.backward != UB_QUANT_BACKWARD_MASKED)
        fault = "backward";
    else if (!(full.momentum >= 0.0 && full.momentum <= 1.0))
        fault = "momentum";
    if (fault != NULL)
        return ub__fail(context, UB_ERR_INVALID, "%s: %s is out of its range",
                        op, fault);
    *out = full;
    return UB_OK;
}

static ub_status check_bits(ub_context *context, const char *op,
                            const ub_bit_choice *choice)
{
    if (choice->n < 1 || choice->n > WIDTHS_MAX || choice->bits == NULL)
        return ub__fail(
            context, UB_ERR_INVALID, "%s: %lld bit widths, expected 1 to %d",
            op, choice->bits == NULL ? 0LL : (long long) choice->n, WIDTHS_MAX);
    for (int64_t i = 0; i < choice->n; i++) {
        const int32_t bits = choice->bits[i];

        if (bits != 32 && (bits < 0 || bits > UB_QUANT_MAX_BITS))
            return ub__fail(context, UB_ERR_INVALID,
                            "%s: %d bits, expected 0 to %d or 32", op,
                            (int) bits, UB_QUANT_MAX_BITS);
    }
    return UB_OK;
}

static ub_status check_choice(ub_context *context, const char *op,
                              const ub_bit_choice *choice)
{
    ub_status status = check_bits(context, op, choice);

    if (status != UB_OK)
        return status;
    if (choice->mode < UB_BIT_MODE_SOFT || choice->mode > UB_BIT_MODE_FAKE_HARD)
        return ub__fail(context, UB_ERR_INVALID, "%s: unknown mode %d", op,
                        (int) choice->mode);
    if (choice->reserved != 0)
        return ub__fail(context, UB_ERR_INVALID, "%s: reserved is not 0", op);
    if (choice->active < 1)
        return ub__fail(context, UB_ERR_INVALID, "%s: %lld active bit widths",
                        op, (long long) choice->active);
    if (choice->n > 1 && choice->sample == NULL &&
        (choice->logits == NULL || choice->mode == UB_BIT_MODE_SOFT))
        return ub__fail(context, UB_ERR_INVALID,
                        "%s: %lld bit widths without a sample", op,
                        (long long) choice->n);
    return UB_OK;
}

/* Values of sample and logits, NULL for those that are missing. */
static ub_status check_vectors(ub_tape *tape, const char *op,
                               const ub_bit_choice *choice,
                               const float **sample, const float **logits)
{
    ub_tensor *value;
    ub_status status = UB_OK;

    *sample = *logits = NULL;
    if (choice->sample != NULL) {
        status = ub__operand_vector(tape, op, "sample", choice->sample,
                                    choice->n, &value);
        if (status != UB_OK)
            return status;
        *sample = ub_tensor_data(value);
    }
    if (choice->logits != NULL) {
        status = ub__operand_vector(tape, op, "logits", choice->logits,
                                    choice->n, &value);
        if (status == UB_OK)
            *logits = ub_tensor_data(value);
    }
    return status;
}

static float factor_of(const ub_bit_choice *choice, const float *sample,
                       int64_t place)
{
    if (choice->mode == UB_BIT_MODE_SOFT && sample != NULL)
        return sample[place];
    return place == 0 || choice->mode == UB_BIT_MODE_HARD ? 1.0f : 0.0f;
}

static ub_status rank(const ub_bit_choice *choice, const float *sample,
                      const float *logits, ub__bit_ranking *ranking)
{
    const float *values = sample != NULL ? sample : logits;
    ub_status status = UB_OK;

    ranking->active[0] = 0;
    if (choice->mode == UB_BIT_MODE_SOFT) {
        for (int64_t i = 0; i < ranking->n; i++)
            ranking->active[i] = i;
    } else if (values != NULL) {
        status = ub_rank_largest(choice->n, values, ranking->n,
                                 ranking->active);
    }
    for (int64_t i = 0; i < ranking->n; i++) {
        const int32_t bits = choice->bits[ranking->active[i]];

        ranking->bits[i] = bits == 32 ? 0 : bits;
        ranking->factors[i] = factor_of(choice, sample, i);
    }
    return status;
}

ub_status ub__bit_ranking_create(ub_tape *tape, const char *op,
                                 const ub_bit_choice *given,
                                 ub__bit_ranking *out)
{
    ub_context *context = ub_tape_context(tape);
    const float *sample, *logits;
    ub_bit_choice choice = choice_defaults;
    ub__bit_ranking ranking = { 0 };
    ub_status status;

    if (given == NULL)
        return ub__fail(context, UB_ERR_INVALID, "%s: no bit widths", op);
    status = ub__options_in(context, op, &choice, sizeof choice, CHOICE_V1,
                            given);
    if (status == UB_OK)
        status = check_choice(context, op, &choice);
    if (status == UB_OK)
        status = check_vectors(tape, op, &choice, &sample, &logits);
    if (status != UB_OK)
        return status;
    ranking.n = choice.mode == UB_BIT_MODE_SOFT || choice.active > choice.n
                    ? choice.n
                    : choice.active;
    ranking.active = ub__alloc(context, (size_t) ranking.n,
                               sizeof *ranking.active);
    ranking.bits = ub__alloc(context, (size_t) ranking.n, sizeof *ranking.bits);
    ranking.factors = ub__alloc(context, (size_t) ranking.n,
                                sizeof *ranking.factors);
    status = UB_ERR_NOMEM;
    if (ranking.active != NULL && ranking.bits != NULL &&
        ranking.factors != NULL)
        status = rank(&choice, sample, logits, &ranking);
    if (status != UB_OK) {
        ub__bit_ranking_clear(context, &ranking);
        return status;
    }
    *out = ranking;
    return UB_OK;
}

void ub__bit_ranking_clear(ub_context *context, ub__bit_ranking *ranking)
{
    ub__free(context, ranking->active);
    ub__free(context, ranking->bits);
    ub__free(context, ranking->factors);
    *ranking = (ub__bit_ranking){ 0 };
}

ub__grid ub__quant_grid(float least, float largest, int32_t bits,
                        int32_t levels)
{
    const double range = (double) largest - (double) least;
    const double top = (double) (((int64_t) 1 << bits) - 1);
    const double steps = levels == UB_QUANT_LEVELS_REFERENCE ? top + 1.0 : top;
    ub__grid grid = { .zero = least, .high = largest, .factor = 1.0f };

    grid.top = (float) top;
    grid.scale = (float) (range / steps);
    grid.inverse = (float) (steps / range);
    if (!(range <= (double) FLT_MAX))
        grid.scale = NAN; /* so that all levels are */
    else
        grid.identity = grid.scale < FLT_MIN || !isfinite(grid.inverse);
    if (bits == 0)
        grid.identity = 1;
    if (levels == UB_QUANT_LEVELS_REFERENCE)
        grid.high = (float) ((double) least + range / steps * top);
    return grid;
}

void ub_quant_options_init(ub_quant_options *options, size_t size)
{
    ub__options_out(options, size, &option_defaults, sizeof option_defaults);
}

void ub_bit_choice_init(ub_bit_choice *choice, size_t size)
{
    ub__options_out(choice, size, &choice_defaults, sizeof choice_defaults);
}
