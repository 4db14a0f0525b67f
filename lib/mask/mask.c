/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

#include <uboost/mask.h>

#include <math.h>

struct ub_mask {
    ub_context *context;
    ub_width_range range;
    int64_t count;
    ub_variable *logits;
};

int64_t ub_width_range_count(const ub_width_range *range)
{
    int64_t count;

    if (range == NULL || range->low < 1 || range->high < range->low ||
        range->high > UB_NETWORK_MAX_CHANNELS || range->step < 1 ||
        (range->high - range->low) % range->step != 0)
        return 0;
    count = (range->high - range->low) / range->step + 1;
    return count <= UB_MASK_MAX_WIDTHS ? count : 0;
}

static void init_logits(float *logits, int64_t count, double center,
                        double height)
{
    const double root_two_pi = 2.5066282746310002;

    for (int64_t i = 0; i < count; i++) {
        const double d = (double) i - center;
        logits[i] = (float) (height * (exp(-0.5 * d * d) / root_two_pi));
    }
}

ub_status ub_mask_create(ub_parameters *parameters, const char *name,
                         const ub_width_range *range, ub_rng *rng,
                         ub_mask **out)
{
    ub_context *context;
    ub_status status;
    ub_mask *mask;
    int64_t count;

    if (parameters == NULL)
        return UB_ERR_INVALID;
    context = ub_parameters_context(parameters);
    count = ub_width_range_count(range);
    if (count == 0 || name == NULL || rng == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "mask: a NULL argument, or a range of widths that is "
                        "not low, low + step, ... high");
    mask = ub__calloc(context, 1, sizeof(*mask));
    if (mask == NULL)
        return UB_ERR_NOMEM;
    mask->context = context;
    mask->range = *range;
    mask->count = count;
    status = ub_parameters_add(parameters, name, UB_PARAMETER_ARCHITECTURE, 1,
                               &count, &mask->logits);
    if (status != UB_OK) {
        ub__free(context, mask);
        return status;
    }
    init_logits(ub_tensor_data(ub_variable_value(mask->logits)), count,
                ub_rng_uniform(rng) * (double) (count - 1), 1.0);
    *out = mask;
    return UB_OK;
}

ub_status ub_mask_set_initial(ub_mask *mask, double place, double height)
{
    if (mask == NULL)
        return UB_ERR_INVALID;
    if (!(place >= 0.0 && place <= 1.0 && height >= 0.0 && height <= 1e6))
        return ub__fail(mask->context, UB_ERR_INVALID,
                        "mask: initial place %g, height %g", place, height);
    init_logits(ub_tensor_data(ub_variable_value(mask->logits)), mask->count,
                place * (double) (mask->count - 1), height);
    return UB_OK;
}

void ub_mask_destroy(ub_mask **mask)
{
    if (mask == NULL || *mask == NULL)
        return;
    ub__free((*mask)->context, *mask);
    *mask = NULL;
}

int64_t ub_mask_count(const ub_mask *mask)
{
    return mask->count;
}

int64_t ub_mask_width(const ub_mask *mask, int64_t index)
{
    return mask->range.low + index * mask->range.step;
}

ub_variable *ub_mask_logits(const ub_mask *mask)
{
    return mask->logits;
}

int64_t ub_mask_argmax(const ub_mask *mask)
{
    return ub__argmax_float(ub_tensor_data(ub_variable_value(mask->logits)),
                            mask->count);
}

double ub_mask_soft_width(const ub_mask *mask, const double *probability)
{
    double width = 0.0;

    for (int64_t i = 0; i < mask->count; i++)
        width += probability[i] * (double) ub_mask_width(mask, i);
    return width;
}

typedef struct mask_state {
    ub_width_range range;
    int64_t count;
} mask_state;

/* Probability i reaches the channels below its width. */
static ub_status mask_backward(ub__node *node, void *state)
{
    const mask_state *s = state;
    const float *gy = ub__node_grad(node);
    float *gp;
    int accumulate;
    double sum = 0.0;
    int64_t channel = 0;
    const ub_status status = ub__grad_target(node, 0, &gp, &accumulate);

    if (status != UB_OK || gp == NULL)
        return status;
    for (int64_t i = 0; i < s->count; i++) {
        while (channel < s->range.low + i * s->range.step)
            sum += (double) gy[channel++];
        gp[i] = (float) sum + (accumulate ? gp[i] : 0.0f);
    }
    return UB_OK;
}

static void fill_mask(const ub_mask *mask, const float *p, float *out)
{
    int64_t channel = mask->range.high;
    double sum = 0.0;

    for (int64_t i = mask->count - 1; i >= 0; i--) {
        const int64_t below = i > 0 ? ub_mask_width(mask, i - 1) : 0;
        sum += (double) p[i];
        while (channel > below)
            out[--channel] = (float) sum;
    }
}

ub_status ub_mask_forward(const ub_mask *mask, ub_tape *tape,
                          ub_variable *probabilities, ub_variable **out)
{
    ub_tensor *value, *p;
    mask_state *state;
    ub__node *node;
    ub_status status;

    if (mask == NULL || out == NULL)
        return ub__fail(mask ? mask->context : NULL, UB_ERR_INVALID,
                        "mask: out is NULL");
    status = ub__operand(tape, "mask", "probabilities", probabilities, &p);
    if (status != UB_OK)
        return status;
    if (ub_tensor_rank(p) != 1 || ub_tensor_count(p) != mask->count)
        return ub__fail(mask->context, UB_ERR_SHAPE,
                        "mask: %lld probabilities for %lld widths",
                        (long long) ub_tensor_count(p),
                        (long long) mask->count);
    status = ub__tensor_create_raw(mask->context, 1, &mask->range.high, &value);
    if (status != UB_OK)
        return status;
    status = ub__node_create(tape, 1, &probabilities, sizeof(*state),
                             mask_backward, NULL, &node);
    if (status != UB_OK) {
        ub_tensor_unref(&value);
        return status;
    }
    state = ub__node_state(node);
    state->range = mask->range;
    state->count = mask->count;
    fill_mask(mask, ub_tensor_data(p), ub_tensor_data(value));
    return ub__node_finish(node, value, out);
}
