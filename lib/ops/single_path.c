/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

/* Inputs of the node: the logits, then the active paths in their order. */
struct single_path {
    int64_t n, n_active;
    int64_t *active;
    ub_tensor **values; /* of the paths, when the logits want a gradient */
    ub_tensor *logits;
    const float **data; /* of values */
    double *d;
};

static void release(ub_context *context, void *state)
{
    struct single_path *path = state;

    for (int64_t k = 0; path->values != NULL && k < path->n_active; k++)
        ub_tensor_unref(&path->values[k]);
    ub_tensor_unref(&path->logits);
    ub__free(context, path->active);
    ub__free(context, path->values);
    ub__free(context, path->data);
    ub__free(context, path->d);
}

void ub__single_path_gradient(const float *logits, int64_t n_active,
                              const int64_t *active, double *d)
{
    double largest = -INFINITY, sum = 0.0, mean = 0.0;

    for (int64_t k = 0; k < n_active; k++)
        largest = fmax(largest, (double) logits[active[k]]);
    for (int64_t k = 0; k < n_active; k++) {
        double p = exp((double) logits[active[k]] - largest);

        sum += p;
        mean += p * d[k];
    }
    mean /= sum;
    for (int64_t k = 0; k < n_active; k++)
        d[k] = exp((double) logits[active[k]] - largest) / sum * (d[k] - mean);
}

static ub_status backward(ub__node *node, void *state)
{
    struct single_path *path = state;
    const float *gy = ub__node_grad(node);
    float *gl;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gl, &accumulate);

    if (status != UB_OK)
        return status;
    if (gl != NULL) {
        if (!accumulate)
            memset(gl, 0, (size_t) path->n * sizeof *gl);
        ub__dots(ub__node_context(node), ub_tensor_count(path->values[0]),
                 (int) path->n_active, path->data, gy, path->d);
        ub__single_path_gradient(ub_tensor_data(path->logits), path->n_active,
                                 path->active, path->d);
        for (int64_t k = 0; k < path->n_active; k++)
            gl[path->active[k]] += (float) path->d[k];
    }
    return ub__grad_pass(node, 1);
}

static ub_status check_active(ub_tape *tape, int64_t n, ub_variable *const *x,
                              int64_t n_active, const int64_t *active)
{
    ub_context *context = ub_tape_context(tape);

    if (n_active < 1 || n_active > n || active == NULL)
        return ub__fail(
            context, UB_ERR_INVALID, "single path: %lld active paths of %lld",
            active == NULL ? 0LL : (long long) n_active, (long long) n);
    for (int64_t k = 0; k < n_active; k++) {
        int64_t twice = 0;

        for (int64_t i = 0; i < k; i++)
            twice |= active[i] == active[k];
        if (active[k] < 0 || active[k] >= n || twice)
            return ub__fail(context, UB_ERR_INVALID,
                            "single path: active path %lld is %lld, %s",
                            (long long) k, (long long) active[k],
                            twice ? "a second time" : "which does not exist");
        if (x[active[k]] == NULL)
            return ub__fail(context, UB_ERR_INVALID,
                            "single path: active path %lld is NULL",
                            (long long) active[k]);
    }
    return UB_OK;
}

/* Checks the operands and gives their values, the paths' from 1 on. */
static ub_status gather(ub_tape *tape, int64_t n_active,
                        ub_variable *const *inputs, ub_tensor **values)
{
    for (int64_t k = 1; k <= n_active; k++) {
        ub_status status = ub__operand(tape, "single path", "an active path",
                                       inputs[k], &values[k]);

        if (status != UB_OK)
            return status;
        if (!ub__tensor_same_shape(values[1], values[k]))
            return ub__operand_unlike(tape, "single path", "active path", k - 1,
                                      values[k], values[1]);
    }
    return UB_OK;
}

static ub_status keep(ub__node *node, ub_tensor *const *values,
                      const int64_t *active)
{
    struct single_path *path = ub__node_state(node);
    ub_context *context = ub__node_context(node);
    const size_t n = (size_t) path->n_active;

    if (!ub__node_wants(node, 0))
        return UB_OK;
    path->active = ub__alloc(context, n, sizeof *path->active);
    path->values = ub__calloc(context, n, sizeof *path->values);
    path->data = ub__alloc(context, n, sizeof *path->data);
    path->d = ub__alloc(context, n, sizeof *path->d);
    if (path->active == NULL || path->values == NULL || path->data == NULL ||
        path->d == NULL)
        return UB_ERR_NOMEM;
    memcpy(path->active, active, n * sizeof *active);
    path->logits = ub_tensor_ref(values[0]);
    for (size_t k = 0; k < n; k++) {
        path->values[k] = ub_tensor_ref(values[k + 1]);
        path->data[k] = ub_tensor_data(values[k + 1]);
    }
    return UB_OK;
}

static ub_status run(ub_tape *tape, int64_t n, int64_t n_active,
                     const int64_t *active, ub_variable *const *inputs,
                     ub_tensor **values, ub_variable **out)
{
    struct single_path *path;
    ub__node *node;
    ub_status status = ub__operand_vector(tape, "single path", "logits",
                                          inputs[0], n, &values[0]);

    if (status == UB_OK)
        status = gather(tape, n_active, inputs, values);
    if (status == UB_OK)
        status = ub__node_create(tape, (int) n_active + 1, inputs, sizeof *path,
                                 backward, release, &node);
    if (status != UB_OK)
        return status;
    path = ub__node_state(node);
    path->n = n;
    path->n_active = n_active;
    status = keep(node, values, active);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    return ub__node_finish(node, ub_tensor_ref(values[1]), out);
}

ub_status ub_op_single_path(ub_tape *tape, int64_t n, ub_variable *const *x,
                            ub_variable *logits, int64_t n_active,
                            const int64_t *active, ub_variable **out)
{
    const int count = n >= 0 && n <= UB__OPERANDS_MAX ? (int) n : 0;
    ub_variable **inputs;
    ub_tensor **values;
    ub_context *context;
    ub_status status = ub__operand_count(tape, "single path", count, x);

    if (status == UB_OK)
        status = check_active(tape, n, x, n_active, active);
    if (status != UB_OK)
        return status;
    context = ub_tape_context(tape);
    inputs = ub__alloc(context, (size_t) n_active + 1, sizeof *inputs);
    values = ub__alloc(context, (size_t) n_active + 1, sizeof *values);
    status = UB_ERR_NOMEM;
    if (inputs != NULL && values != NULL) {
        inputs[0] = logits;
        for (int64_t k = 0; k < n_active; k++)
            inputs[k + 1] = x[active[k]];
        status = run(tape, n, n_active, active, inputs, values, out);
    }
    ub__free(context, inputs);
    ub__free(context, values);
    return status;
}

/* -- logits --------------------------------------------------------------- */

/* Whether a comes before b, the index deciding between equals. */
static int is_before(const float *values, int64_t a, int64_t b)
{
    if (isnan(values[a]) || isnan(values[b]))
        return isnan(values[a]) && isnan(values[b]) ? a < b : isnan(values[b]);
    return values[a] > values[b] || (values[a] == values[b] && a < b);
}

ub_status ub_rank_largest(int64_t n, const float *values, int64_t k,
                          int64_t *out)
{
    if (n < 1 || values == NULL || k < 1 || k > n || out == NULL)
        return UB_ERR_INVALID;
    for (int64_t place = 0; place < k; place++) {
        int64_t best = -1;

        for (int64_t i = 0; i < n; i++) {
            if (place > 0 && !is_before(values, out[place - 1], i))
                continue;
            if (best < 0 || is_before(values, i, best))
                best = i;
        }
        out[place] = best;
    }
    return UB_OK;
}

ub_status ub_logits_rebalance(const float *before, float *logits,
                              int64_t n_active, const int64_t *active)
{
    double largest = -INFINITY, old = 0.0, new = 0.0, offset;

    if (before == NULL || logits == NULL || active == NULL || n_active < 1)
        return UB_ERR_INVALID;
    for (int64_t k = 0; k < n_active; k++) {
        largest = fmax(largest, (double) before[active[k]]);
        largest = fmax(largest, (double) logits[active[k]]);
    }
    for (int64_t k = 0; k < n_active; k++) {
        old += exp((double) before[active[k]] - largest);
        new += exp((double) logits[active[k]] - largest);
    }
    offset = log(old / new);
    if (!isfinite(offset))
        return UB_ERR_NUMERIC;
    for (int64_t k = 0; k < n_active; k++)
        logits[active[k]] = (float) ((double) logits[active[k]] + offset);
    return UB_OK;
}
