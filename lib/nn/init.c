/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"

#include <math.h>

static ub_status find_fan_in(const ub_tensor *tensor, double *fan_in)
{
    if (ub_tensor_rank(tensor) < 2)
        return ub__fail(ub_tensor_context(tensor), UB_ERR_SHAPE,
                        "init: weights of rank %d have no fan-in",
                        ub_tensor_rank(tensor));
    *fan_in = (double) (ub_tensor_count(tensor) / ub_tensor_shape(tensor)[0]);
    return UB_OK;
}

ub_status ub__init_weight(ub_tensor *weight, ub_rng *rng)
{
    double fan_in;
    const ub_status status = find_fan_in(weight, &fan_in);

    if (status != UB_OK)
        return status;
    return ub_init_uniform(weight, rng, -1.0 / sqrt(fan_in),
                           1.0 / sqrt(fan_in));
}

ub_status ub_init_he_normal(ub_tensor *tensor, ub_rng *rng)
{
    double fan_in;
    ub_status status;

    if (tensor == NULL || rng == NULL)
        return UB_ERR_INVALID;
    status = find_fan_in(tensor, &fan_in);
    if (status != UB_OK)
        return status;
    return ub_init_normal(tensor, rng, 0.0, sqrt(2.0 / fan_in));
}

ub_status ub_init_uniform(ub_tensor *tensor, ub_rng *rng, double low,
                          double high)
{
    float *data;
    int64_t n;

    if (tensor == NULL || rng == NULL)
        return UB_ERR_INVALID;
    if (!isfinite(low) || !isfinite(high) || low > high)
        return ub__fail(ub_tensor_context(tensor), UB_ERR_INVALID,
                        "init: uniform from %g to %g", low, high);
    data = ub_tensor_data(tensor);
    n = ub_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++) {
        double u = ub_rng_uniform(rng);

        /* A weighted mean, for high - low may overflow. */
        data[i] = (float) ((1.0 - u) * low + u * high);
    }
    return UB_OK;
}

ub_status ub_init_normal(ub_tensor *tensor, ub_rng *rng, double mean,
                         double deviation)
{
    float *data;
    int64_t n;

    if (tensor == NULL || rng == NULL)
        return UB_ERR_INVALID;
    if (!isfinite(mean) || !isfinite(deviation) || deviation < 0.0)
        return ub__fail(ub_tensor_context(tensor), UB_ERR_INVALID,
                        "init: normal of mean %g and deviation %g", mean,
                        deviation);
    data = ub_tensor_data(tensor);
    n = ub_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++)
        data[i] = (float) (mean + deviation * ub_rng_normal(rng));
    return UB_OK;
}
