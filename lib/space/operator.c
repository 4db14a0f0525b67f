/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

#include <string.h>

int ub__step_is_conv(int32_t kind)
{
    return kind == UB_STEP_CONV || kind == UB_STEP_DEPTHWISE ||
           kind == UB_STEP_PLAIN_CONV;
}

int ub__step_is_pool(int32_t kind)
{
    return kind == UB_STEP_MAX_POOL || kind == UB_STEP_AVG_POOL;
}

int ub__step_sets_width(int32_t kind)
{
    return kind == UB_STEP_CONV || kind == UB_STEP_PLAIN_CONV;
}

int64_t ub__step_width(const ub_operator_step *step, int64_t channels,
                       int64_t in, int64_t width)
{
    if (!ub__step_sets_width(step->kind))
        return channels;
    return step->expansion ? step->expansion * in : width;
}

int64_t ub__operator_steps(const ub__operator *op, int64_t in, int64_t width,
                           int64_t stride)
{
    return op->residual == UB_RESIDUAL_ONLY && in == width && stride == 1
               ? 0
               : op->n_steps;
}

static ub_status check_step(ub_context *context, const char *name,
                            const ub_operator_step *step)
{
    const int conv = ub__step_is_conv(step->kind);
    const int pool = ub__step_is_pool(step->kind);

    if (step->kind < UB_STEP_CONV || step->kind > UB_STEP_CHANNEL_SHUFFLE)
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": unknown kind %d of a step", name,
                        (int) step->kind);
    if ((conv || pool) &&
        ((!ub__is_kernel(step->kernel) && !(pool && step->kernel == 0)) ||
         !ub__in_range(step->dilation, 1, pool ? 1 : 64)))
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": kernel %lld with dilation %lld", name,
                        (long long) step->kernel, (long long) step->dilation);
    if (!ub__in_range(step->expansion, 0, 64) ||
        (!ub__step_sets_width(step->kind) && step->expansion != 0) ||
        !ub__in_range(step->groups, 0, 1 << 16))
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": expansion %lld, %lld groups", name,
                        (long long) step->expansion, (long long) step->groups);
    return UB_OK;
}

/* As number n of a list. */
static ub_status check_operator(ub_context *context, const ub_operator *op,
                                const ub__operator *list, int64_t n)
{
    if (op == NULL || op->size != sizeof(*op) || op->name == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "operator: NULL, without name, or of unknown size");
    if (n == UB_SPACE_MAX_ITEMS ||
        !ub__in_range(op->n_steps, 0, UB_SPACE_MAX_ITEMS) ||
        (op->zero && op->n_steps > 0) || (op->n_steps > 0 && !op->steps) ||
        !ub__in_range(op->residual, UB_RESIDUAL_NONE, UB_RESIDUAL_ONLY))
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": %lld steps, residual %d, as operator "
                        "%lld",
                        op->name, (long long) op->n_steps, (int) op->residual,
                        (long long) n);
    for (int64_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, op->name) == 0)
            return ub__fail(context, UB_ERR_INVALID,
                            "operator \"%s\" is there already", op->name);
    }
    for (int64_t i = 0; i < op->n_steps; i++) {
        const ub_status status = check_step(context, op->name, &op->steps[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* What the kind does not read becomes what changes nothing. */
static ub_operator_step clean_step(const ub_operator_step *step)
{
    ub_operator_step s = *step;

    if (!ub__step_is_conv(s.kind) && !ub__step_is_pool(s.kind))
        s.kernel = s.dilation = 1;
    if (s.groups == 0 ||
        !(ub__step_sets_width(s.kind) || s.kind == UB_STEP_CHANNEL_SHUFFLE))
        s.groups = 1;
    return s;
}

static int64_t find_strided(const ub__operator *op)
{
    int64_t conv = -1;

    for (int64_t i = 0; i < op->n_steps; i++) {
        if (op->steps[i].kernel != 1)
            return i;
        if (conv < 0 && ub__step_is_conv(op->steps[i].kind))
            conv = i;
    }
    return conv;
}

ub_status ub__operator_copy(ub_context *context, const ub_operator *op,
                            ub__operator *list, int64_t n)
{
    ub__operator *slot = &list[n];
    ub_status status = check_operator(context, op, list, n);

    if (status != UB_OK)
        return status;
    slot->name = ub__strdup(context, op->name);
    slot->steps = ub__calloc(context, (size_t) op->n_steps, sizeof(*op->steps));
    if (slot->name == NULL || slot->steps == NULL) {
        ub__operators_clear(context, slot, 1);
        return UB_ERR_NOMEM;
    }
    slot->n_steps = op->n_steps;
    slot->zero = op->zero != 0;
    slot->residual = op->residual;
    for (int64_t i = 0; i < op->n_steps; i++) {
        slot->steps[i] = clean_step(&op->steps[i]);
        if (ub__step_sets_width(op->steps[i].kind) &&
            op->steps[i].expansion == 0)
            slot->takes_width = 1;
    }
    slot->strided = find_strided(slot);
    return UB_OK;
}

void ub__operators_clear(ub_context *context, ub__operator *list, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        ub__free(context, list[i].name);
        ub__free(context, list[i].steps);
        memset(&list[i], 0, sizeof(list[i]));
    }
}
