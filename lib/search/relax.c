/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include "supernet/supernet.h"

#include <math.h>

/* One search stage: a supernet and what trains it. */
typedef struct relax {
    ub_context *context;
    const ub_search_options *options;
    int stage;
    int weights_given; /* all steps are the architecture's */
    ub_supernet *net;
    ub_parameters *parameters; /* the supernet's */
    ub_tape *tape;
    ub_optimizer *weights, *architecture;
    ub_dataset *shares[2]; /* for two splits; otherwise NULL */
    ub_loader *weight_loader;
    ub_loader *architecture_loader; /* the same one for a single split */
    ub_loader *validation;
    int64_t weight_steps, steps;
    double tau, rate;
} relax;

void ub__place_rng(const ub_search_options *options, int stage, int64_t epoch,
                   int64_t step, ub_rng *rng)
{
    const uint64_t place = ((uint64_t) (stage + 1) << 56) ^
                           ((uint64_t) epoch << 32) ^ (uint64_t) step;

    ub_rng_init(rng, options->seed, place);
}

static ub_status create_loader(const relax *r, const ub__data *data,
                               const ub_dataset *set, int64_t batch,
                               ub_loader **out)
{
    return ub__data_loader(r->context, r->options, data, r->stage, set, batch,
                           out);
}

/* The share of an epoch's steps that trains weights; both kinds get one. */
static int64_t first_part(int64_t steps, double share)
{
    const int64_t part = (int64_t) ((double) steps * share);

    if (part < 1)
        return 1;
    return part < steps ? part : steps - 1;
}

/* Two splits: the weights see the first part of the images only. */
static ub_status create_split_loaders(relax *r, const ub__data *data)
{
    const int64_t n = ub_dataset_count(data->search);
    const int64_t batch = r->options->search_batch;
    const int64_t at = (int64_t) ((double) n * r->options->weight_share);
    ub_status status = ub_dataset_slice(data->search, 0, at, &r->shares[0]);

    if (status == UB_OK)
        status = ub_dataset_slice(data->search, at, n, &r->shares[1]);
    if (status == UB_OK)
        status = create_loader(r, data, r->shares[0], batch, &r->weight_loader);
    if (status == UB_OK)
        status = create_loader(r, data, r->shares[1], batch,
                               &r->architecture_loader);
    if (status != UB_OK)
        return status;
    r->weight_steps = r->weights_given ? 0
                                       : ub_loader_batches(r->weight_loader);
    r->steps = r->weight_steps + ub_loader_batches(r->architecture_loader);
    return UB_OK;
}

static ub_status create_loaders(relax *r, const ub__data *data)
{
    const int64_t batch = r->options->search_batch;
    ub_status status;

    status = create_loader(r, data, data->validation, 0, &r->validation);
    if (status == UB_OK && r->options->splits == 2)
        status = create_split_loaders(r, data);
    else if (status == UB_OK) {
        status = create_loader(r, data, data->search, batch, &r->weight_loader);
        if (status != UB_OK)
            return status;
        r->architecture_loader = r->weight_loader;
        r->steps = ub_loader_batches(r->weight_loader);
        r->weight_steps = r->weights_given
                              ? 0
                              : first_part(r->steps, r->options->weight_share);
    }
    return status;
}

static ub_status create_optimizers(relax *r)
{
    ub_optimizer_options o;
    ub_status status;

    ub_optimizer_options_init(&o, sizeof(o));
    o.kind = UB_OPTIMIZER_SGD;
    o.momentum = r->options->search_momentum;
    o.weight_decay = r->options->search_decay;
    status = ub_optimizer_create_for(r->parameters, UB_PARAMETER_WEIGHT, &o,
                                     &r->weights);
    if (status != UB_OK)
        return status;
    ub_optimizer_options_init(&o, sizeof(o));
    o.kind = UB_OPTIMIZER_ADAM;
    return ub_optimizer_create_for(r->parameters, UB_PARAMETER_ARCHITECTURE, &o,
                                   &r->architecture);
}

static ub_status begin_epoch(void *self, int64_t epoch, int64_t step)
{
    relax *r = self;
    const ub_search_options *o = r->options;
    ub_status status = UB_OK;

    r->tau = fmax(o->tau * pow(o->tau_decay, (double) epoch), o->tau_floor);
    r->rate = o->search_rate *
              pow(o->search_gamma, (double) (epoch / o->search_step));
    if (r->architecture_loader == r->weight_loader)
        return ub_loader_start(r->weight_loader, epoch, step);
    if (step < r->weight_steps)
        status = ub_loader_start(r->weight_loader, epoch, step);
    if (status == UB_OK)
        status = ub_loader_start(
            r->architecture_loader, epoch,
            step < r->weight_steps ? 0 : step - r->weight_steps);
    return status;
}

/* Forward pass and loss; only the architecture's steps need the cost on the
 * tape, the others report it. */
static ub_status forward(relax *r, ub_tensor *images, const int32_t *labels,
                         int on_weights, ub__epoch_sums *sums,
                         ub_variable **loss)
{
    const ub_search_options *o = r->options;
    ub_supernet_expectation expected;
    ub_variable *x, *logits, *cost = NULL;
    ub_status status = ub_tape_constant(r->tape, images, &x);

    if (status == UB_OK)
        status = ub_supernet_forward(r->net, r->tape, x, UB_SUPERNET_SAMPLE,
                                     &logits);
    if (status == UB_OK)
        status = ub_count_correct(ub_variable_value(logits), labels, 1,
                                  &sums->correct);
    if (status == UB_OK)
        status = ub_op_cross_entropy(r->tape, logits, labels, 0.0, loss);
    if (status != UB_OK)
        return status;
    if (on_weights)
        status = ub_supernet_expect(r->net, &expected, NULL, NULL);
    else
        status = ub_supernet_cost(r->net, r->tape, o->lambda, o->beta,
                                  &expected, &cost);
    if (status != UB_OK)
        return status;
    sums->loss = (double) ub_tensor_data(ub_variable_value(*loss))[0] +
                 o->lambda * expected.latency_ms -
                 o->beta * expected.utilization;
    sums->latency_ms = expected.latency_ms;
    sums->utilization = expected.utilization;
    return cost ? ub_op_add(r->tape, *loss, cost, loss) : UB_OK;
}

static ub_status learn(relax *r, int on_weights, ub_variable *loss)
{
    const ub_search_options *o = r->options;
    ub_status status = ub_tape_backward(r->tape, loss);

    if (status != UB_OK)
        return status;
    return on_weights
               ? ub_optimizer_step(r->weights, r->rate, o->max_grad_norm, NULL)
               : ub_optimizer_step(r->architecture, o->architecture_rate, 0.0,
                                   NULL);
}

static ub_status step(void *self, int64_t epoch, int64_t index,
                      ub__epoch_sums *sums)
{
    relax *r = self;
    const int on_weights = index < r->weight_steps;
    const int32_t *labels;
    ub_variable *loss;
    ub_tensor *images;
    ub_rng rng;
    ub_status status = ub_loader_next(on_weights ? r->weight_loader
                                                 : r->architecture_loader,
                                      &images, &labels, &sums->images);

    if (status != UB_OK)
        return status;
    ub__place_rng(r->options, r->stage, epoch, index, &rng);
    status = on_weights && r->options->uniform_widths
                 ? ub__supernet_sample_uniform(r->net, &rng, r->tau)
                 : ub_supernet_sample(r->net, &rng, r->tau);
    ub_parameters_freeze(r->parameters, UB_PARAMETER_WEIGHT, !on_weights);
    ub_parameters_freeze(r->parameters, UB_PARAMETER_ARCHITECTURE, on_weights);
    if (status == UB_OK)
        status = forward(r, images, labels, on_weights, sums, &loss);
    if (status == UB_OK)
        status = learn(r, on_weights, loss);
    ub_parameters_clear_grads(r->parameters);
    ub_tape_clear(r->tape);
    return status;
}

static ub_status argmax_logits(void *self, ub_variable *x, ub_variable **logits)
{
    relax *r = self;

    return ub_supernet_forward(r->net, r->tape, x, UB_SUPERNET_ARGMAX, logits);
}

static ub_status end_epoch(void *self, int64_t epoch, json_t *line)
{
    relax *r = self;
    double accuracy;
    ub_status status = ub__accuracy(r->validation, r->tape, argmax_logits, r,
                                    &accuracy);

    (void) epoch;
    if (status != UB_OK)
        return status;
    if (json_object_set_new(line, "validation_accuracy", json_real(accuracy)) ||
        json_object_set_new(line, "tau", json_real(r->tau)) ||
        json_object_set_new(line, "rate", json_real(r->rate)))
        return ub__fail(r->context, UB_ERR_NOMEM, "search: out of memory");
    return UB_OK;
}

static ub_status save(void *self, ub_archive *archive)
{
    relax *r = self;
    ub_status status = ub_parameters_save(r->parameters, archive, "net.");

    if (status == UB_OK)
        status = ub_optimizer_save(r->weights, archive, "weights.");
    if (status == UB_OK)
        status = ub_optimizer_save(r->architecture, archive, "architecture.");
    return status;
}

static ub_status load(void *self, const ub_archive *archive)
{
    relax *r = self;
    ub_status status = ub_parameters_load(r->parameters, archive, "net.");

    if (status == UB_OK)
        status = ub_optimizer_load(r->weights, archive, "weights.");
    if (status == UB_OK)
        status = ub_optimizer_load(r->architecture, archive, "architecture.");
    return status;
}

static void relax_close(relax *r)
{
    ub_tape_destroy(&r->tape);
    ub_optimizer_destroy(&r->weights);
    ub_optimizer_destroy(&r->architecture);
    if (r->architecture_loader != r->weight_loader)
        ub_loader_destroy(&r->architecture_loader);
    ub_loader_destroy(&r->weight_loader);
    ub_loader_destroy(&r->validation);
    for (int i = 0; i < 2; i++)
        ub_dataset_destroy(&r->shares[i]);
}

ub_status ub__relax(ub__run *run, const ub_search_options *options,
                    const ub__data *data, int stage, ub_supernet *net)
{
    const int micro = stage == UB__STAGE_MICRO;
    relax r = { .context = run->context,
                .options = options,
                .stage = stage,
                .weights_given = !micro && ub__search_weights_given(options),
                .net = net,
                .parameters = ub_supernet_parameters(net) };
    ub_status status = create_loaders(&r, data);

    if (status == UB_OK)
        status = create_optimizers(&r);
    if (status == UB_OK)
        status = ub_tape_create(run->context, &r.tape);
    if (status == UB_OK) {
        const ub__stage s = {
            .name = micro ? "micro" : "channels",
            .index = stage,
            .epochs = micro ? options->micro_epochs : options->channel_epochs,
            .steps = r.steps,
            .self = &r,
            .begin_epoch = begin_epoch,
            .step = step,
            .end_epoch = end_epoch,
            .save = save,
            .load = load,
        };
        status = ub__run_stage(run, &s);
    }
    relax_close(&r);
    return status;
}
