/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

struct weighted_sum {
    int n;
    ub_tensor *a;
    ub_tensor *x[]; /* n; NULL where absent, or when a needs no gradient */
};

/* Checked operands: lists for the kernel and for the node. */
struct terms {
    int n;
    ub_variable **inputs; /* n, then a */
    const float **data;   /* n */
    ub_tensor *like;      /* the first operand there is */
    ub_tensor *a;
};

static void release(ub_context *context, void *state)
{
    struct weighted_sum *saved = state;

    (void) context;
    ub_tensor_unref(&saved->a);
    for (int i = 0; i < saved->n; i++)
        ub_tensor_unref(&saved->x[i]);
}

static ub_status give_terms(ub__node *node, const struct weighted_sum *saved)
{
    for (int i = 0; i < saved->n; i++) {
        float *gx;
        int accumulate;
        ub_status status = ub__grad_target(node, i, &gx, &accumulate);

        if (status != UB_OK)
            return status;
        if (gx != NULL) {
            ub_variable *x = ub__node_input(node, i);

            ub__scale(ub__node_context(node),
                      ub_tensor_count(ub_variable_value(x)),
                      ub_tensor_data(saved->a)[i], ub__node_grad(node), gx,
                      accumulate);
        }
    }
    return UB_OK;
}

static int64_t count_of(const struct weighted_sum *saved)
{
    for (int i = 0; i < saved->n; i++) {
        if (saved->x[i] != NULL)
            return ub_tensor_count(saved->x[i]);
    }
    return 0;
}

static ub_status give_weights(ub__node *node, const struct weighted_sum *saved)
{
    ub_context *context = ub__node_context(node);
    size_t n = (size_t) saved->n;
    const float **data = NULL;
    double *dots = NULL;
    float *ga;
    int accumulate;
    ub_status status;

    if (!ub__node_wants(node, saved->n))
        return UB_OK;
    data = ub__alloc(context, n, sizeof *data);
    dots = ub__alloc(context, n, sizeof *dots);
    status = data != NULL && dots != NULL ? UB_OK : UB_ERR_NOMEM;
    if (status == UB_OK)
        status = ub__grad_target(node, saved->n, &ga, &accumulate);
    if (status == UB_OK) {
        for (int i = 0; i < saved->n; i++)
            data[i] = saved->x[i] != NULL ? ub_tensor_data(saved->x[i]) : NULL;
        ub__dots(context, count_of(saved), saved->n, data, ub__node_grad(node),
                 dots);
        for (int i = 0; i < saved->n; i++)
            ga[i] = (float) (dots[i] + (accumulate ? (double) ga[i] : 0.0));
    }
    ub__free(context, data);
    ub__free(context, dots);
    return status;
}

static ub_status backward(ub__node *node, void *state)
{
    const struct weighted_sum *saved = state;
    ub_status status = give_terms(node, saved);

    return status == UB_OK ? give_weights(node, saved) : status;
}

static ub_status gather(ub_tape *tape, ub_variable *const *x, ub_variable *a,
                        struct terms *terms)
{
    char have[UB__SHAPE_TEXT], want[UB__SHAPE_TEXT];

    for (int i = 0; i < terms->n; i++) {
        ub_tensor *value;
        ub_status status;

        terms->inputs[i] = x[i];
        terms->data[i] = NULL;
        if (x[i] == NULL)
            continue;
        status = ub__operand(tape, "weighted sum", "an operand", x[i], &value);
        if (status != UB_OK)
            return status;
        if (terms->like == NULL)
            terms->like = value;
        if (!ub__tensor_same_shape(terms->like, value))
            return ub__fail(ub_tape_context(tape), UB_ERR_SHAPE,
                            "weighted sum: operand %d is %s, the first %s", i,
                            ub__shape_text(have, ub_tensor_rank(value),
                                           ub_tensor_shape(value)),
                            ub__shape_text(want, ub_tensor_rank(terms->like),
                                           ub_tensor_shape(terms->like)));
        terms->data[i] = ub_tensor_data(value);
    }
    terms->inputs[terms->n] = a;
    if (terms->like == NULL)
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID,
                        "weighted sum: all %d operands are NULL", terms->n);
    return ub__operand_vector(tape, "weighted sum", "a", a, terms->n,
                              &terms->a);
}

static void save(ub__node *node, const struct terms *terms)
{
    struct weighted_sum *saved = ub__node_state(node);

    saved->n = terms->n;
    if (!ub__node_recorded(node))
        return;
    saved->a = ub_tensor_ref(terms->a);
    for (int i = 0; i < terms->n && ub__node_wants(node, terms->n); i++) {
        if (terms->inputs[i] != NULL)
            saved->x[i] = ub_tensor_ref(ub_variable_value(terms->inputs[i]));
    }
}

static ub_status run(ub_tape *tape, const struct terms *terms,
                     ub_variable **out)
{
    size_t state_size = sizeof(struct weighted_sum) +
                        (size_t) terms->n * sizeof(ub_tensor *);
    ub__node *node;
    ub_tensor *y;
    ub_status status;

    status = ub__node_create(tape, terms->n + 1, terms->inputs, state_size,
                             backward, release, &node);
    if (status != UB_OK)
        return status;
    status = ub__create_like(terms->like, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__combine(ub_tape_context(tape), ub_tensor_count(y), terms->n,
                terms->data, ub_tensor_data(terms->a), ub_tensor_data(y));
    save(node, terms);
    return ub__node_finish(node, y, out);
}

ub_status ub_op_weighted_sum(ub_tape *tape, int n, ub_variable *const *x,
                             ub_variable *a, ub_variable **out)
{
    struct terms terms = { .n = n };
    ub_context *context;
    ub_status status = ub__operand_count(tape, "weighted sum", n, x);

    if (status != UB_OK)
        return status;
    context = ub_tape_context(tape);
    terms.inputs = ub__alloc(context, (size_t) n + 1, sizeof *terms.inputs);
    terms.data = ub__alloc(context, (size_t) n, sizeof *terms.data);
    if (terms.inputs == NULL || terms.data == NULL)
        status = UB_ERR_NOMEM;
    if (status == UB_OK)
        status = gather(tape, x, a, &terms);
    if (status == UB_OK)
        status = run(tape, &terms, out);
    ub__free(context, terms.inputs);
    ub__free(context, terms.data);
    return status;
}
