/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"

/* How many classes come before the label. The comparisons are turned so that a
 * NaN, with which all of them are false, counts against the label. */
static int64_t rank_of(const float *logits, int64_t classes, int64_t label)
{
    float own = logits[label];
    int64_t before = 0;

    for (int64_t i = 0; i < label; i++)
        before += !(logits[i] < own);
    for (int64_t i = label + 1; i < classes; i++)
        before += !(logits[i] <= own);
    return before;
}

ub_status ub_count_correct(const ub_tensor *logits, const int32_t *labels,
                           int64_t k, int64_t *out)
{
    ub_context *context;
    const float *data;
    int64_t n, classes, correct = 0;

    if (logits == NULL || labels == NULL || out == NULL)
        return UB_ERR_INVALID;
    context = ub_tensor_context(logits);
    if (ub_tensor_rank(logits) != 2)
        return ub__fail(context, UB_ERR_SHAPE,
                        "count_correct: logits have rank %d, 2 expected",
                        ub_tensor_rank(logits));
    n = ub_tensor_shape(logits)[0];
    classes = ub_tensor_shape(logits)[1];
    if (k < 1 || k > classes)
        return ub__fail(context, UB_ERR_INVALID,
                        "count_correct: k is %lld of %lld classes",
                        (long long) k, (long long) classes);
    data = ub_tensor_data(logits);
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < 0 || labels[i] >= classes)
            return ub__fail(context, UB_ERR_INVALID,
                            "count_correct: label %d of sample %lld, "
                            "%lld classes",
                            (int) labels[i], (long long) i,
                            (long long) classes);
        correct += rank_of(data + i * classes, classes, labels[i]) < k;
    }
    *out = correct;
    return UB_OK;
}
