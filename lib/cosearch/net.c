/* SPDX-License-Identifier: BSD-2-Clause */
#include "cosearch/cosearch.h"

#include "autograd/autograd.h"

#include <math.h>
#include <string.h>

static float *values(const ub_variable *variable)
{
    return ub_tensor_data(ub_variable_value(variable));
}

static int is_cell(const ub__joint_cell *c)
{
    return c->alpha != NULL;
}

static const double *noise_of(const ub__joint_net *net, const ub__joint_cell *c,
                              int64_t op)
{
    return c->noise + c->n_candidates + op * net->n_bits;
}

/* -- drawing -------------------------------------------------------------- */

/* Temperature does not change which are largest. */
static void rank(const ub_variable *logits, const double *noise, int64_t n,
                 int64_t k, int64_t *out)
{
    float sum[UB_SPACE_MAX_ITEMS];

    for (int64_t i = 0; i < n; i++)
        sum[i] = (float) ((double) values(logits)[i] +
                          (noise ? noise[i] : 0.0));
    (void) !ub_rank_largest(n, sum, k, out); /* arguments are in range */
}

static void draw_operators(const ub__joint_net *net, const ub__joint_cell *c,
                           int with_noise, ub__joint_draw *out)
{
    memset(out, 0, sizeof(*out));
    rank(c->alpha, with_noise ? c->noise : NULL, c->n_candidates, net->n_active,
         out->operators);
}

/* Of the operator that was drawn. */
static void draw_widths(const ub__joint_net *net, const ub__joint_cell *c,
                        int with_noise, ub__joint_draw *out)
{
    if (c->beta != NULL)
        rank(c->beta[out->operators[0]],
             with_noise ? noise_of(net, c, out->operators[0]) : NULL,
             net->n_bits, net->n_active_bits, out->widths);
}

static void draw(const ub__joint_net *net, const ub__joint_cell *c,
                 int with_noise, ub__joint_draw *out)
{
    draw_operators(net, c, with_noise, out);
    draw_widths(net, c, with_noise, out);
}

void ub__joint_net_sample(ub__joint_net *net, ub_rng *rng, double tau,
                          double first)
{
    net->tau = tau;
    for (int64_t i = 0; i < net->space->n_cells; i++) {
        ub__joint_cell *c = &net->row[i];

        if (!is_cell(c))
            continue;
        for (int64_t k = 0; k < c->n_candidates * (1 + net->n_bits); k++)
            c->noise[k] = ub_rng_gumbel(rng);
        draw_operators(net, c, 1, &c->draw);
        if (first > 0.0 && ub_rng_uniform(rng) < first)
            c->draw.operators[0] = 0;
        draw_widths(net, c, 1, &c->draw);
    }
}

static void read_path(const ub__joint_net *net, int argmax, ub__joint_path *out)
{
    memset(out, 0, sizeof(*out));
    for (int64_t i = 0; i < net->space->n_cells; i++) {
        const ub__joint_cell *c = &net->row[i];
        ub__joint_draw d = c->draw;

        if (!is_cell(c))
            continue;
        if (argmax)
            draw(net, c, 0, &d);
        out->operators[c->cell->index] = (int32_t) d.operators[0];
        out->widths[c->cell->index] = (int32_t) d.widths[0];
    }
}

void ub__joint_net_drawn(const ub__joint_net *net, ub__joint_path *out)
{
    read_path(net, 0, out);
}

void ub__joint_net_argmax(const ub__joint_net *net, ub__joint_path *out)
{
    read_path(net, 1, out);
}

/* -- forward -------------------------------------------------------------- */

typedef struct pass {
    ub__joint_net *net;
    ub_tape *tape;
    int mode;
    int norm; /* a ub_norm_mode */
    ub_quant_options quant;
} pass;

/* How operator `op` of a cell takes its bits; the sample goes on the tape. */
static ub_status choose_bits(const pass *p, const ub__joint_cell *c, int64_t op,
                             int32_t *bits, ub_bit_choice *choice)
{
    const ub__joint_net *net = p->net;

    ub_bit_choice_init(choice, sizeof(*choice));
    choice->n = net->n_bits;
    choice->bits = net->bits;
    if (net->n_bits == 1)
        return UB_OK;
    if (p->mode == UB__JOINT_ARGMAX) {
        int64_t best;

        rank(c->beta[op], NULL, net->n_bits, 1, &best);
        *bits = net->bits[best];
        choice->n = 1;
        choice->bits = bits;
        return UB_OK;
    }
    choice->mode = p->mode == UB__JOINT_WEIGHTS ? UB_BIT_MODE_SOFT
                                                : UB_BIT_MODE_PROXY_HARD;
    choice->active = net->n_active_bits;
    choice->logits = c->beta[op];
    /* Only the order counts in hard mode, and that as draw() finds it: at other
     * temperatures probabilities round to the same number. */
    return ub_op_gumbel_softmax(p->tape, c->beta[op], noise_of(net, c, op),
                                p->mode == UB__JOINT_WEIGHTS ? net->tau : 1.0,
                                0, &choice->sample);
}

static ub_status run_step(const pass *p, const ub_operator_step *step,
                          const ub_conv_norm *layer,
                          const ub_bit_choice *choice, ub_variable **x)
{
    if (step->kind == UB_STEP_CHANNEL_SHUFFLE)
        return ub_op_channel_shuffle(p->tape, *x, step->groups, x);
    if (choice == NULL)
        return ub_conv_norm_forward(layer, p->tape, *x, p->norm, NULL,
                                    UB_MASK_AFTER, x);
    return ub_conv_norm_forward_quantized(layer, p->tape, *x, p->norm, choice,
                                          &p->quant, x);
}

static ub_status run_candidate(const pass *p, int64_t at, int64_t index,
                               ub_variable *x, ub_variable **out)
{
    const ub__joint_cell *c = &p->net->row[at];
    const ub__operator *op = &c->candidates[index];
    const int64_t stride = ub__space_edge_stride(p->net->space, at, 0);
    const int64_t n = ub__operator_steps(op, c->in_channels, c->cell->width,
                                         stride);
    ub_bit_choice choice;
    int32_t bits;
    ub_status status = UB_OK;

    *out = x;
    if (is_cell(c) && n > 0)
        status = choose_bits(p, c, index, &bits, &choice);
    for (int64_t s = 0; s < n && status == UB_OK; s++)
        status = run_step(p, &op->steps[s], c->layers[index][s],
                          is_cell(c) ? &choice : NULL, out);
    if (status == UB_OK && op->residual == UB_RESIDUAL_ADD && stride == 1 &&
        c->in_channels == c->cell->width)
        status = ub_op_add(p->tape, x, *out, out);
    return status;
}

/* What was drawn, with the runner-up for the gradient of the logits. */
static ub_status run_active(const pass *p, int64_t at, ub_variable *x,
                            ub_variable **out)
{
    const ub__joint_cell *c = &p->net->row[at];
    ub_variable *results[UB_SPACE_MAX_ITEMS] = { NULL };

    for (int64_t k = 0; k < p->net->n_active; k++) {
        const int64_t op = c->draw.operators[k];
        const ub_status status = run_candidate(p, at, op, x, &results[op]);

        if (status != UB_OK)
            return status;
    }
    return ub_op_single_path(p->tape, c->n_candidates, results, c->alpha,
                             p->net->n_active, c->draw.operators, out);
}

static ub_status run_cell(const pass *p, int64_t at, ub_variable *x,
                          ub_variable **out)
{
    const ub__joint_cell *c = &p->net->row[at];
    ub__joint_draw d = c->draw;

    if (!is_cell(c))
        return run_candidate(p, at, 0, x, out);
    if (p->mode == UB__JOINT_LOGITS)
        return run_active(p, at, x, out);
    if (p->mode == UB__JOINT_ARGMAX)
        draw(p->net, c, 0, &d);
    return run_candidate(p, at, d.operators[0], x, out);
}

ub_status ub__joint_net_forward(ub__joint_net *net, ub_tape *tape,
                                ub_variable *x, int mode, ub_variable **logits)
{
    const ub_variable *before = ub__tape_newest(tape);
    pass p = { .net = net, .tape = tape, .mode = mode };
    ub_status status = UB_OK;

    p.norm = mode == UB__JOINT_ARGMAX ? UB_NORM_BATCH : UB_NORM_TRAINING;
    ub_quant_options_init(&p.quant, sizeof(p.quant));
    if (mode == UB__JOINT_LOGITS)
        p.quant.backward = UB_QUANT_BACKWARD_MASKED;
    for (int64_t i = 0; i < net->space->n_cells && status == UB_OK; i++) {
        status = run_cell(&p, i, x, &x);
        ub__tape_keep(tape, before, 1, &x);
    }
    if (status == UB_OK)
        status = ub_op_global_avg_pool(tape, x, &x);
    if (status == UB_OK)
        status = ub_linear_layer_forward(net->classifier, tape, x, logits);
    return status;
}

/* -- learning ------------------------------------------------------------- */

/* Gradient of the time of n active ones, active[0] the one that ran. */
static void add_time(ub_variable *logits, const int64_t *active, int64_t n,
                     const double *time, double scale, int32_t gradient)
{
    double p[UB__JOINT_ACTIVE], sum = 0.0, mean = 0.0;
    const float *x = values(logits);
    float *g = ub_variable_grad(logits)
                   ? ub_tensor_data(ub_variable_grad(logits))
                   : NULL;

    if (g == NULL)
        return;
    if (gradient == UB_COSEARCH_PUBLISHED) {
        g[active[0]] += (float) (scale * time[0]);
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        p[k] = exp((double) x[active[k]] - (double) x[active[0]]);
        sum += p[k];
        mean += p[k] * time[k];
    }
    mean /= sum;
    for (int64_t k = 0; k < n; k++)
        g[active[k]] += (float) (scale * p[k] / sum * (time[k] - mean));
}

/* A width of a runner-up: its own most probable in this draw. */
static int64_t first_width(const ub__joint_net *net, const ub__joint_cell *c,
                           int64_t op)
{
    int64_t width = 0;

    if (c->beta != NULL)
        rank(c->beta[op], noise_of(net, c, op), net->n_bits, 1, &width);
    return width;
}

void ub__joint_net_add_cost(ub__joint_net *net, const double *cycles,
                            double scale, int32_t gradient)
{
    for (int64_t i = 0; i < net->space->n_cells; i++) {
        ub__joint_cell *c = &net->row[i];
        const ub__joint_draw *d = &c->draw;
        const double *cell;
        double time[UB__JOINT_ACTIVE];

        if (!is_cell(c))
            continue;
        cell = cycles + c->cell->index * c->n_candidates * net->n_bits;
        for (int64_t k = 0; k < net->n_active; k++)
            time[k] = cell[d->operators[k] * net->n_bits +
                           first_width(net, c, d->operators[k])];
        add_time(c->alpha, d->operators, net->n_active, time, scale, gradient);
        if (c->beta == NULL)
            continue;
        for (int64_t k = 0; k < net->n_active_bits; k++)
            time[k] = cell[d->operators[0] * net->n_bits + d->widths[k]];
        add_time(c->beta[d->operators[0]], d->widths, net->n_active_bits, time,
                 scale, gradient);
    }
}

/* Logits before a step, of one cell and of the operator that ran. */
typedef struct before {
    float alpha[UB_SPACE_MAX_ITEMS], beta[UB_CHUNK_MAX_BITS];
} before;

static ub_variable *beta_of(const ub__joint_cell *c)
{
    return c->beta ? c->beta[c->draw.operators[0]] : NULL;
}

static void remember(const ub__joint_net *net, before *all)
{
    for (int64_t i = 0; i < net->space->n_cells; i++) {
        const ub__joint_cell *c = &net->row[i];

        if (!is_cell(c))
            continue;
        memcpy(all[i].alpha, values(c->alpha),
               (size_t) c->n_candidates * sizeof(float));
        if (beta_of(c) != NULL)
            memcpy(all[i].beta, values(beta_of(c)),
                   (size_t) net->n_bits * sizeof(float));
    }
}

static ub_status rebalance(const ub__joint_net *net, const before *all)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < net->space->n_cells && status == UB_OK; i++) {
        const ub__joint_cell *c = &net->row[i];

        if (!is_cell(c))
            continue;
        status = ub_logits_rebalance(all[i].alpha, values(c->alpha),
                                     net->n_active, c->draw.operators);
        if (status == UB_OK && beta_of(c) != NULL)
            status = ub_logits_rebalance(all[i].beta, values(beta_of(c)),
                                         net->n_active_bits, c->draw.widths);
    }
    return status == UB_OK ? status
                           : ub__fail(net->context, status,
                                      "cosearch: logits are not finite");
}

ub_status ub__joint_net_learn(ub__joint_net *net, ub_optimizer *optimizer,
                              double rate)
{
    before *all = ub__alloc(net->context, (size_t) net->space->n_cells,
                            sizeof(*all));
    ub_status status = UB_ERR_NOMEM;

    if (all != NULL) {
        remember(net, all);
        status = ub_optimizer_step(optimizer, rate, 0.0, NULL);
        if (status == UB_OK)
            status = rebalance(net, all);
    }
    ub__free(net->context, all);
    return status;
}
