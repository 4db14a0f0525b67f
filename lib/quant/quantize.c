/* SPDX-License-Identifier: BSD-2-Clause */
#include "quant/quant.h"

#include <math.h>
#include <string.h>

/* Inputs of the node. */
enum { X, SAMPLE, LOGITS };

struct quantize {
    ub_tensor *x, *logits;
    ub__bit_ranking ranking;
    ub__grid *grids; /* [rows][ranking.n] */
    double *d;       /* [ranking.n] */
    int64_t rows, n; /* elements of a row */
    int64_t widths;  /* of the choice */
    int32_t masked, mode;
};

/* A call under construction. */
struct call {
    ub_tape *tape;
    ub_context *context;
    const char *op;
    ub_quant_options options;
    ub_tensor *x;
    ub__bit_ranking ranking;
    float *ranges; /* [rows][2]: least and largest */
    int64_t rows, n;
};

static void release(ub_context *context, void *state)
{
    struct quantize *q = state;

    ub_tensor_unref(&q->x);
    ub_tensor_unref(&q->logits);
    ub__bit_ranking_clear(context, &q->ranking);
    ub__free(context, q->grids);
    ub__free(context, q->d);
}

/* -- backward ------------------------------------------------------------- */

/* Which input the bit widths' gradient goes to, -1 when nowhere. */
static int bits_input(ub__node *node, const struct quantize *q)
{
    const int input = q->mode == UB_BIT_MODE_PROXY_HARD ? LOGITS : SAMPLE;

    return q->masked && ub__node_wants(node, input) ? input : -1;
}

static ub_status backward_bits(ub__node *node, struct quantize *q, int input)
{
    float *g;
    int accumulate;
    ub_status status = ub__grad_target(node, input, &g, &accumulate);

    if (status != UB_OK || g == NULL)
        return status;
    if (!accumulate)
        memset(g, 0, (size_t) q->widths * sizeof *g);
    ub__quantize_dots(ub__node_context(node), q->rows, q->n,
                      ub_tensor_data(q->x), ub__node_grad(node),
                      (int) q->ranking.n, q->grids, q->d);
    if (input == LOGITS)
        ub__single_path_gradient(ub_tensor_data(q->logits), q->ranking.n,
                                 q->ranking.active, q->d);
    for (int64_t k = 0; k < q->ranking.n; k++)
        g[q->ranking.active[k]] += (float) q->d[k];
    return UB_OK;
}

static ub_status backward(ub__node *node, void *state)
{
    struct quantize *q = state;
    const int input = bits_input(node, q);
    ub_status status = UB_OK;
    float *gx;
    int accumulate;

    if (!q->masked)
        return ub__grad_pass(node, X);
    if (input >= 0)
        status = backward_bits(node, q, input);
    if (status == UB_OK)
        status = ub__grad_target(node, X, &gx, &accumulate);
    if (status == UB_OK && gx != NULL)
        ub__quantize_backward(ub__node_context(node), q->rows, q->n,
                              ub_tensor_data(q->x), ub__node_grad(node),
                              (int) q->ranking.n, q->grids, gx, accumulate);
    return status;
}

/* -- forward -------------------------------------------------------------- */

static ub_status make_grids(const struct call *call, ub__grid **out)
{
    const int64_t n = call->ranking.n;
    ub__grid *grids = ub__alloc(call->context, (size_t) call->rows,
                                (size_t) n * sizeof *grids);

    if (grids == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < call->rows * n; i++) {
        const float *range = call->ranges + i / n * 2;

        grids[i] = ub__quant_grid(range[0], range[1], call->ranking.bits[i % n],
                                  call->options.levels);
        grids[i].factor = call->ranking.factors[i % n];
    }
    *out = grids;
    return UB_OK;
}

/* What the masked gradient needs; takes over the ranking. */
static ub_status keep(ub__node *node, struct call *call,
                      const ub_variable *logits)
{
    struct quantize *q = ub__node_state(node);

    q->d = ub__alloc(call->context, (size_t) call->ranking.n, sizeof *q->d);
    if (q->d == NULL)
        return UB_ERR_NOMEM;
    q->ranking = call->ranking;
    call->ranking = (ub__bit_ranking){ 0 };
    q->x = ub_tensor_ref(call->x);
    if (logits != NULL)
        q->logits = ub_tensor_ref(ub_variable_value(logits));
    return UB_OK;
}

static ub_status compute(struct call *call, const ub_bit_choice *choice,
                         ub__node *node, ub_variable **out)
{
    struct quantize *q = ub__node_state(node);
    ub_tensor *y = NULL;
    ub_status status = make_grids(call, &q->grids);

    if (status == UB_OK)
        status = ub__create_like(call->x, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    q->rows = call->rows;
    q->n = call->n;
    q->widths = choice->n;
    q->mode = choice->mode;
    q->masked = call->options.backward == UB_QUANT_BACKWARD_MASKED;
    ub__quantize(call->context, q->rows, q->n, ub_tensor_data(call->x),
                 (int) call->ranking.n, q->grids, ub_tensor_data(y));
    if (q->masked && ub__node_recorded(node))
        status = keep(node, call, choice->logits);
    if (status != UB_OK) {
        ub_tensor_unref(&y);
        return ub__node_abandon(node, status);
    }
    return ub__node_finish(node, y, out);
}

/* The operator with its ranges known. */
static ub_status finish(struct call *call, ub_variable *x,
                        const ub_bit_choice *choice, ub_variable **out)
{
    ub_variable *inputs[] = { x, choice->sample, choice->logits };
    ub__node *node;
    ub_status status;

    /* Straight through, the bit widths are as constant as the ranges. */
    if (call->options.backward == UB_QUANT_BACKWARD_STRAIGHT)
        inputs[SAMPLE] = inputs[LOGITS] = NULL;
    status = ub__node_create(call->tape, 3, inputs, sizeof(struct quantize),
                             backward, release, &node);
    return status == UB_OK ? compute(call, choice, node, out) : status;
}

/* Whether a gradient goes to the sample though a single width is active. */
static int sample_learns(const struct call *call, const ub_bit_choice *choice)
{
    return call->options.backward == UB_QUANT_BACKWARD_MASKED &&
           choice->mode != UB_BIT_MODE_PROXY_HARD && choice->sample != NULL &&
           ub_variable_requires_grad(choice->sample);
}

/* Checks what both operators have, and whether there is anything to do. */
static ub_status begin(struct call *call, ub_variable *x,
                       const ub_bit_choice *choice,
                       const ub_quant_options *options, ub_variable *const *out,
                       int *nothing)
{
    ub_status status = ub__operand(call->tape, call->op, "x", x, &call->x);

    if (status != UB_OK)
        return status;
    call->context = ub_tape_context(call->tape);
    if (out == NULL)
        return ub__fail(call->context, UB_ERR_INVALID, "%s: result is NULL",
                        call->op);
    status = ub__quant_options_read(call->context, call->op, options,
                                    &call->options);
    if (status == UB_OK)
        status = ub__bit_ranking_create(call->tape, call->op, choice,
                                        &call->ranking);
    *nothing = status == UB_OK && call->ranking.n == 1 &&
               call->ranking.bits[0] == 0 && call->ranking.factors[0] == 1.0f &&
               !sample_learns(call, choice);
    return status;
}

static ub_status find_ranges(struct call *call, int64_t rows)
{
    call->rows = rows;
    call->n = ub_tensor_count(call->x) / rows;
    call->ranges = ub__alloc(call->context, (size_t) rows,
                             2 * sizeof *call->ranges);
    return call->ranges != NULL ? UB_OK : UB_ERR_NOMEM;
}

static void end(struct call *call)
{
    if (call->context == NULL)
        return;
    ub__free(call->context, call->ranges);
    ub__bit_ranking_clear(call->context, &call->ranking);
}

ub_status ub_op_quantize_weight(ub_tape *tape, ub_variable *w,
                                const ub_bit_choice *choice,
                                const ub_quant_options *options,
                                ub_variable **out)
{
    struct call call = { .tape = tape, .op = "quantize weight" };
    int nothing = 0;
    ub_status status = begin(&call, w, choice, options, out, &nothing);

    if (status == UB_OK && ub_tensor_rank(call.x) == 0)
        status = ub__fail(call.context, UB_ERR_SHAPE,
                          "quantize weight: w is a scalar");
    if (status == UB_OK && !nothing) {
        status = find_ranges(&call, ub_tensor_shape(call.x)[0]);
        if (status == UB_OK) {
            ub__ranges(call.context, call.rows, call.n, ub_tensor_data(call.x),
                       call.ranges);
            status = finish(&call, w, choice, out);
        }
    } else if (status == UB_OK) {
        *out = w;
    }
    end(&call);
    return status;
}

static ub_status check_running(const struct call *call,
                               const ub_tensor *running, int range)
{
    char have[UB__SHAPE_TEXT];

    if (range < UB_QUANT_RANGE_RUNNING || range > UB_QUANT_RANGE_BATCH)
        return ub__fail(call->context, UB_ERR_INVALID,
                        "quantize input: unknown range %d", range);
    if (range == UB_QUANT_RANGE_BATCH)
        return UB_OK;
    if (running == NULL)
        return ub__fail(call->context, UB_ERR_INVALID,
                        "quantize input: no running range");
    if (ub_tensor_rank(running) != 1 || ub_tensor_shape(running)[0] != 2)
        return ub__fail(call->context, UB_ERR_SHAPE,
                        "quantize input: the running range is %s, expected [2]",
                        ub__shape_text(have, ub_tensor_rank(running),
                                       ub_tensor_shape(running)));
    return UB_OK;
}

/* z and r of the running range go after those of the batch; what is not finite
 * would stay in it. */
static void follow(float *running, const float *range, double momentum)
{
    const double rest = 1.0 - momentum;
    const double spread = (double) range[1] - (double) range[0];

    if (!isfinite(range[0]) || !isfinite(range[1]) || spread < 0.0)
        return;
    running[0] = (float) (rest * (double) running[0] +
                          momentum * (double) range[0]);
    running[1] = (float) (rest * (double) running[1] + momentum * spread);
}

static ub_status quantize_input(struct call *call, ub_variable *x,
                                const ub_bit_choice *choice, ub_tensor *running,
                                int range, ub_variable **out)
{
    ub_status status = find_ranges(call, 1);

    if (status != UB_OK)
        return status;
    if (range == UB_QUANT_RANGE_RUNNING) {
        const float *z_r = ub_tensor_data(running);

        call->ranges[0] = z_r[0];
        call->ranges[1] = (float) ((double) z_r[0] + (double) z_r[1]);
        return finish(call, x, choice, out);
    }
    ub__ranges(call->context, 1, call->n, ub_tensor_data(call->x),
               call->ranges);
    status = finish(call, x, choice, out);
    if (status == UB_OK && range == UB_QUANT_RANGE_TRAINING)
        follow(ub_tensor_data(running), call->ranges, call->options.momentum);
    return status;
}

ub_status ub_op_quantize_input(ub_tape *tape, ub_variable *x,
                               const ub_bit_choice *choice, ub_tensor *running,
                               int range, const ub_quant_options *options,
                               ub_variable **out)
{
    struct call call = { .tape = tape, .op = "quantize input" };
    int nothing = 0;
    ub_status status = begin(&call, x, choice, options, out, &nothing);

    if (status == UB_OK)
        status = check_running(&call, running, range);
    if (status == UB_OK && nothing)
        *out = x;
    else if (status == UB_OK)
        status = quantize_input(&call, x, choice, running, range, out);
    end(&call);
    return status;
}
