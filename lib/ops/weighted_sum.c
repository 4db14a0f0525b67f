/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

/* A term as backward needs it. */
struct kept {
    int input;    /* of the node: x, and behind it weight and bias */
    ub_tensor *x; /* NULL where absent, or when nothing asks for it */
    ub_tensor *weight, *bias;
    float *mean;              /* [channels]; NULL where not normalized */
    float *inverse_deviation; /* [channels] */
    int training, relu;
};

struct mixed_sum {
    int n;
    int a_input;
    ub_tensor *a; /* NULL: ones */
    int64_t batch, channels, area;
    float *statistics; /* memory of all means and deviations */
    struct kept terms[];
};

/* Checked operands of one call. */
struct call {
    ub_tape *tape;
    ub_context *context;
    const char *op;
    int n;
    const ub__mixed_term *terms;
    ub_tensor *a;    /* NULL: ones */
    ub_tensor *like; /* the first operand there is */
    /* of `like`; without normalized terms it is one channel */
    int64_t batch, channels, area;
    ub_variable **inputs; /* of the node */
    int n_inputs;
    const float **data;       /* [n] */
    ub__normalization *norms; /* [n], of normalized terms */
    int normalized;           /* how many */
    ub__term *of;             /* [channels][n] */
    double *statistics;       /* [normalized][2][channels] */
};

static void release(ub_context *context, void *state)
{
    struct mixed_sum *sum = state;

    ub_tensor_unref(&sum->a);
    for (int i = 0; i < sum->n; i++) {
        ub_tensor_unref(&sum->terms[i].x);
        ub_tensor_unref(&sum->terms[i].weight);
        ub_tensor_unref(&sum->terms[i].bias);
    }
    ub__free(context, sum->statistics);
}

/* -- backward ------------------------------------------------------------- */

static ub_status give_plain(ub__node *node, const struct mixed_sum *sum, int i)
{
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, sum->terms[i].input, &gx,
                                       &accumulate);

    if (status == UB_OK && gx != NULL)
        ub__scale(ub__node_context(node),
                  sum->batch * sum->channels * sum->area,
                  sum->a != NULL ? ub_tensor_data(sum->a)[i] : 1.0f,
                  ub__node_grad(node), gx, accumulate);
    return status;
}

/* With `products`, [channels], also the gradient by a[i]. */
static ub_status give_normalized(ub__node *node, const struct mixed_sum *sum,
                                 int i, double *products, double *dot)
{
    const struct kept *kept = &sum->terms[i];
    const ub__norm norm = { sum->batch, sum->channels, sum->area, kept->relu };
    ub__norm_gradient g = { .training = kept->training };
    ub_context *context = ub__node_context(node);
    ub_status status = ub__scratch_reserve(context,
                                           ub__norm_scratch(context, &norm));

    if (status == UB_OK)
        status = ub__grad_target(node, kept->input, &g.gx, &g.accumulate_x);
    if (status == UB_OK)
        status = ub__grad_targets(node, kept->input + 1, kept->input + 2,
                                  &g.gweight, &g.gbias, &g.accumulate_weight);
    if (status != UB_OK)
        return status;
    g.x = ub_tensor_data(kept->x);
    g.gy = ub__node_grad(node);
    g.factor = sum->a != NULL ? ub_tensor_data(sum->a)[i] : 1.0f;
    g.mean = kept->mean;
    g.inverse_deviation = kept->inverse_deviation;
    g.weight = ub_tensor_data(kept->weight);
    g.bias = ub_tensor_data(kept->bias);
    g.products = products;
    ub__norm_backward(context, &norm, &g);
    if (products != NULL) {
        *dot = 0.0;
        for (int64_t c = 0; c < sum->channels; c++)
            *dot += products[c];
    }
    return UB_OK;
}

/* Gradient by a of the plain terms. */
static ub_status plain_dots(ub__node *node, const struct mixed_sum *sum,
                            double *dots)
{
    ub_context *context = ub__node_context(node);
    const float **data = ub__alloc(context, (size_t) sum->n, sizeof *data);

    if (data == NULL)
        return UB_ERR_NOMEM;
    for (int i = 0; i < sum->n; i++)
        data[i] = sum->terms[i].x != NULL && sum->terms[i].mean == NULL
                      ? ub_tensor_data(sum->terms[i].x)
                      : NULL;
    ub__dots(context, sum->batch * sum->channels * sum->area, sum->n, data,
             ub__node_grad(node), dots);
    ub__free(context, data);
    return UB_OK;
}

static ub_status give_terms(ub__node *node, const struct mixed_sum *sum,
                            double *products, double *dots)
{
    ub_status status = UB_OK;

    for (int i = 0; i < sum->n && status == UB_OK; i++) {
        if (sum->terms[i].mean != NULL)
            status = give_normalized(node, sum, i, products,
                                     dots != NULL ? &dots[i] : NULL);
        else
            status = give_plain(node, sum, i);
    }
    return status;
}

static ub_status give_factors(ub__node *node, const struct mixed_sum *sum,
                              const double *dots)
{
    float *ga;
    int accumulate;
    ub_status status = ub__grad_target(node, sum->a_input, &ga, &accumulate);

    if (status != UB_OK)
        return status;
    for (int i = 0; i < sum->n; i++)
        ga[i] = (float) (dots[i] + (accumulate ? (double) ga[i] : 0.0));
    return UB_OK;
}

static ub_status backward(ub__node *node, void *state)
{
    const struct mixed_sum *sum = state;
    ub_context *context = ub__node_context(node);
    double *dots, *products;
    ub_status status;

    if (!ub__node_wants(node, sum->a_input))
        return give_terms(node, sum, NULL, NULL);
    dots = ub__alloc(context, (size_t) sum->n, sizeof *dots);
    products = ub__alloc(context, (size_t) sum->channels, sizeof *products);
    status = dots != NULL && products != NULL ? UB_OK : UB_ERR_NOMEM;
    if (status == UB_OK)
        status = plain_dots(node, sum, dots);
    if (status == UB_OK)
        status = give_terms(node, sum, products, dots);
    if (status == UB_OK)
        status = give_factors(node, sum, dots);
    ub__free(context, dots);
    ub__free(context, products);
    return status;
}

/* -- operands ------------------------------------------------------------- */

static ub_status gather_term(struct call *call, int i)
{
    const ub__mixed_term *term = &call->terms[i];
    ub_tensor *value;
    ub_status status;

    call->data[i] = NULL;
    call->inputs[call->n_inputs++] = term->x;
    if (term->normalized) {
        status = ub__normalization_check(call->tape, term, &call->norms[i]);
        value = call->norms[i].x;
        call->inputs[call->n_inputs++] = term->weight;
        call->inputs[call->n_inputs++] = term->bias;
        call->normalized++;
    } else if (term->x == NULL) {
        return UB_OK;
    } else {
        status = ub__operand(call->tape, call->op, "an operand", term->x,
                             &value);
    }
    if (status != UB_OK)
        return status;
    if (call->like == NULL)
        call->like = value;
    if (!ub__tensor_same_shape(call->like, value))
        return ub__operand_unlike(call->tape, call->op, "operand", i, value,
                                  call->like);
    call->data[i] = ub_tensor_data(value);
    return UB_OK;
}

static ub_status gather(struct call *call, ub_variable *a)
{
    for (int i = 0; i < call->n; i++) {
        ub_status status = gather_term(call, i);

        if (status != UB_OK)
            return status;
    }
    call->inputs[call->n_inputs++] = a;
    if (call->like == NULL)
        return ub__fail(call->context, UB_ERR_INVALID,
                        "%s: all %d operands are NULL", call->op, call->n);
    call->batch = call->channels = 1;
    call->area = ub_tensor_count(call->like);
    if (call->normalized > 0) {
        call->batch = ub_tensor_shape(call->like)[0];
        call->channels = ub_tensor_shape(call->like)[1];
        call->area /= call->batch * call->channels;
    }
    if (a == NULL)
        return UB_OK;
    return ub__operand_vector(call->tape, call->op, "a", a, call->n, &call->a);
}

/* -- forward -------------------------------------------------------------- */

/* Statistics of term i, the `at`th of the normalized ones. */
static ub_status find_statistics(struct call *call, struct mixed_sum *sum,
                                 int i, int at)
{
    const int64_t channels = call->channels;
    double *mean = call->statistics + 2 * channels * at;
    struct kept *kept = &sum->terms[i];
    ub_status status;

    kept->mean = sum->statistics + 2 * channels * at;
    kept->inverse_deviation = kept->mean + channels;
    kept->training = call->terms[i].options.training != 0;
    kept->relu = call->norms[i].norm.relu;
    status = ub__normalization_statistics(call->context, &call->norms[i], mean,
                                          mean + channels);
    for (int64_t c = 0; c < channels && status == UB_OK; c++)
        ub__normalization_channel(
            &call->norms[i], c, mean[c], mean[channels + c], &kept->mean[c],
            &kept->inverse_deviation[c], &call->of[c * call->n + i]);
    return status;
}

static ub_status prepare(struct call *call, struct mixed_sum *sum)
{
    ub_status status = UB_OK;
    int at = 0;

    for (int i = 0; i < call->n && status == UB_OK; i++) {
        const float factor = call->a != NULL ? ub_tensor_data(call->a)[i]
                                             : 1.0f;

        if (call->terms[i].normalized)
            status = find_statistics(call, sum, i, at++);
        for (int64_t c = 0; c < call->channels; c++) {
            ub__term *of = &call->of[c * call->n + i];

            of->factor = factor;
            if (!call->terms[i].normalized)
                of->kind = UB__TERM_PLAIN;
        }
    }
    return status;
}

static void keep(ub__node *node, const struct call *call, struct mixed_sum *sum)
{
    const int wants_a = ub__node_wants(node, sum->a_input);

    if (call->a != NULL)
        sum->a = ub_tensor_ref(call->a);
    for (int i = 0; i < call->n; i++) {
        const ub__mixed_term *term = &call->terms[i];

        if (term->normalized) {
            sum->terms[i].weight = ub_tensor_ref(call->norms[i].weight);
            sum->terms[i].bias = ub_tensor_ref(call->norms[i].bias);
        }
        if (term->normalized || (wants_a && term->x != NULL))
            sum->terms[i].x = ub_tensor_ref(ub_variable_value(term->x));
    }
}

static void number_inputs(const struct call *call, struct mixed_sum *sum)
{
    int next = 0;

    for (int i = 0; i < call->n; i++) {
        sum->terms[i].input = next;
        next += call->terms[i].normalized ? 3 : 1;
    }
    sum->a_input = next;
}

static void update_running(const struct call *call)
{
    int at = 0;

    for (int i = 0; i < call->n; i++) {
        const double *mean = call->statistics;

        if (!call->terms[i].normalized)
            continue;
        mean += 2 * call->channels * at++;
        ub__normalization_update(&call->norms[i], mean, mean + call->channels);
    }
}

/* Computes and finishes the node. */
static ub_status compute(struct call *call, ub__node *node, ub_variable **out)
{
    struct mixed_sum *sum = ub__node_state(node);
    ub_tensor *y;
    ub_status status;

    sum->n = call->n;
    sum->batch = call->batch;
    sum->channels = call->channels;
    sum->area = call->area;
    number_inputs(call, sum);
    if (call->normalized > 0) {
        sum->statistics = ub__alloc(call->context,
                                    (size_t) call->normalized * 2,
                                    (size_t) call->channels * sizeof(float));
        if (sum->statistics == NULL)
            return ub__node_abandon(node, UB_ERR_NOMEM);
    }
    status = prepare(call, sum);
    if (status == UB_OK)
        status = ub__create_like(call->like, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__combine(call->context, call->batch, call->channels, call->area, call->n,
                call->data, call->of, ub_tensor_data(y));
    if (ub__node_recorded(node))
        keep(node, call, sum);
    status = ub__node_finish(node, y, out);
    if (status == UB_OK)
        update_running(call);
    return status;
}

static ub_status run(struct call *call, ub_variable **out)
{
    const size_t channels = (size_t) call->channels;
    ub__node *node;
    ub_status status;

    call->of = ub__alloc(call->context, channels,
                         (size_t) call->n * sizeof *call->of);
    if (call->of == NULL)
        return UB_ERR_NOMEM;
    if (call->normalized > 0) {
        call->statistics = ub__alloc(call->context, channels,
                                     (size_t) call->normalized * 2 *
                                         sizeof *call->statistics);
        if (call->statistics == NULL)
            return UB_ERR_NOMEM;
    }
    status = ub__node_create(call->tape, call->n_inputs, call->inputs,
                             sizeof(struct mixed_sum) +
                                 (size_t) call->n * sizeof(struct kept),
                             backward, release, &node);
    return status == UB_OK ? compute(call, node, out) : status;
}

ub_status ub__op_mixed_sum(ub_tape *tape, const char *op, int n,
                           const ub__mixed_term *terms, ub_variable *a,
                           ub_variable **out)
{
    struct call call = { .tape = tape, .op = op, .n = n, .terms = terms };
    ub_status status = ub__operand_count(tape, op, n, terms);
    size_t count = (size_t) n;

    if (status != UB_OK)
        return status;
    call.context = ub_tape_context(tape);
    call.inputs = ub__alloc(call.context, 3 * count + 1, sizeof *call.inputs);
    call.data = ub__alloc(call.context, count, sizeof *call.data);
    call.norms = ub__alloc(call.context, count, sizeof *call.norms);
    status = UB_ERR_NOMEM;
    if (call.inputs != NULL && call.data != NULL && call.norms != NULL)
        status = gather(&call, a);
    if (status == UB_OK)
        status = run(&call, out);
    ub__free(call.context, call.inputs);
    ub__free(call.context, call.data);
    ub__free(call.context, call.norms);
    ub__free(call.context, call.of);
    ub__free(call.context, call.statistics);
    return status;
}

ub_status ub__mixed_term_value(ub_tape *tape, const ub__mixed_term *term,
                               ub_variable **out)
{
    if (term->normalized)
        return ub__op_mixed_sum(tape, "batch norm", 1, term, NULL, out);
    *out = term->x;
    return UB_OK;
}

ub_status ub_op_weighted_sum(ub_tape *tape, int n, ub_variable *const *x,
                             ub_variable *a, ub_variable **out)
{
    ub__mixed_term *terms;
    ub_status status = ub__operand_count(tape, "weighted sum", n, x);

    if (status != UB_OK)
        return status;
    if (a == NULL)
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID,
                        "weighted sum: a is NULL");
    terms = ub__calloc(ub_tape_context(tape), (size_t) n, sizeof *terms);
    if (terms == NULL)
        return UB_ERR_NOMEM;
    for (int i = 0; i < n; i++)
        terms[i].x = x[i];
    status = ub__op_mixed_sum(tape, "weighted sum", n, terms, a, out);
    ub__free(ub_tape_context(tape), terms);
    return status;
}
