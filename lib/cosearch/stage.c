/* SPDX-License-Identifier: BSD-2-Clause */
#include "cosearch/cosearch.h"

#include "nn/nn.h"

#include <math.h>

/* How often lambda may have doubled or halved, and where it doubles no more:
 * floats hold gradients times that, and their squares. */
#define DOUBLINGS_MAX 200
#define LAMBDA_MAX    1e9

/* A long search would come to a temperature of 0, which is none. */
#define LEAST_TAU     1e-3

typedef struct joint {
    ub_context *context;
    const ub_cosearch_options *options;
    ub_search_options search; /* for the data */
    ub__run *run;
    ub__joint_net *net;
    ub__joint_price *price;
    ub_tape *tape;
    ub_optimizer *weights, *logits;
    ub_dataset *shares[2];
    ub_loader *weight_loader, *logit_loader, *validation;
    ub_tensor *state; /* see save() */
    int64_t steps, doublings;
    double tau, rate;
} joint;

static int64_t epochs_of(const joint *j)
{
    return j->options->warmup_epochs + j->options->search_epochs;
}

static double lambda_of(const joint *j)
{
    return j->options->hardware_once
               ? 0.0
               : ldexp(j->options->lambda, (int) j->doublings);
}

/* -- opening -------------------------------------------------------------- */

static ub_status create_loaders(joint *j, const ub__data *data)
{
    const int64_t n = ub_dataset_count(data->search), half = n / 2;
    const int64_t batch = j->options->search_batch;
    ub_status status = ub_dataset_slice(data->search, 0, half, &j->shares[0]);

    if (status == UB_OK)
        status = ub_dataset_slice(data->search, half, n, &j->shares[1]);
    if (status == UB_OK)
        status = ub__data_loader(j->context, &j->search, data, UB__STAGE_MICRO,
                                 j->shares[0], batch, &j->weight_loader);
    if (status == UB_OK)
        status = ub__data_loader(j->context, &j->search, data, UB__STAGE_MICRO,
                                 j->shares[1], batch, &j->logit_loader);
    if (status == UB_OK)
        status = ub__data_loader(j->context, &j->search, data, UB__STAGE_MICRO,
                                 data->validation, 0, &j->validation);
    if (status == UB_OK)
        j->steps = ub_loader_batches(j->weight_loader);
    return status;
}

static ub_status create_optimizers(joint *j)
{
    ub_optimizer_options o;
    ub_status status;

    ub_optimizer_options_init(&o, sizeof(o));
    o.kind = UB_OPTIMIZER_SGD;
    o.momentum = j->options->search_momentum;
    o.weight_decay = j->options->search_decay;
    status = ub_optimizer_create_for(j->net->parameters, UB_PARAMETER_WEIGHT,
                                     &o, &j->weights);
    if (status != UB_OK)
        return status;
    ub_optimizer_options_init(&o, sizeof(o));
    o.kind = UB_OPTIMIZER_ADAM;
    o.beta1 = 0.5;
    return ub_optimizer_create_for(j->net->parameters,
                                   UB_PARAMETER_ARCHITECTURE, &o, &j->logits);
}

static ub_status joint_open(joint *j, const ub__data *data,
                            const ub_space *space)
{
    const int64_t n = 2 + j->price->n_fields + 2 * j->price->n_cells;
    ub_status status;

    ub__cosearch_search_options(j->options, &j->search);
    status = ub__joint_net_create(j->context, space, j->options->bits,
                                  j->options->bit_widths, j->options->seed,
                                  &j->net);
    if (status == UB_OK)
        status = create_loaders(j, data);
    if (status == UB_OK)
        status = create_optimizers(j);
    if (status == UB_OK)
        status = ub_tape_create(j->context, &j->tape);
    if (status == UB_OK)
        status = ub_tensor_create(j->context, 1, &n, &j->state);
    return status;
}

static void joint_close(joint *j)
{
    ub_tape_destroy(&j->tape);
    ub_optimizer_destroy(&j->weights);
    ub_optimizer_destroy(&j->logits);
    ub_loader_destroy(&j->weight_loader);
    ub_loader_destroy(&j->logit_loader);
    ub_loader_destroy(&j->validation);
    for (int i = 0; i < 2; i++)
        ub_dataset_destroy(&j->shares[i]);
    ub_tensor_unref(&j->state);
    ub__joint_net_destroy(&j->net);
}

/* -- steps ---------------------------------------------------------------- */

static int is_warm(const joint *j, int64_t epoch)
{
    return epoch >= j->options->warmup_epochs;
}

static ub_status begin_epoch(void *self, int64_t epoch, int64_t step)
{
    joint *j = self;
    const ub_cosearch_options *o = j->options;
    const double done = (double) epoch / (double) epochs_of(j);
    ub_status status = ub_loader_start(j->weight_loader, epoch, step);

    j->tau = fmax(o->tau * pow(o->tau_decay, (double) epoch), LEAST_TAU);
    j->rate = o->search_rate_last +
              0.5 * (o->search_rate - o->search_rate_last) *
                  (1.0 + cos(3.14159265358979323846 * done));
    if (status == UB_OK && is_warm(j, epoch))
        status = ub_loader_start(j->logit_loader, epoch, step);
    return status;
}

static ub_status forward(joint *j, ub_loader *loader, int mode,
                         ub__epoch_sums *sums, ub_variable **loss)
{
    const int32_t *labels;
    ub_tensor *images;
    ub_variable *x, *logits;
    ub_status status = ub_loader_next(loader, &images, &labels, &sums->images);

    ub_parameters_freeze(j->net->parameters, UB_PARAMETER_WEIGHT,
                         mode != UB__JOINT_WEIGHTS);
    ub_parameters_freeze(j->net->parameters, UB_PARAMETER_ARCHITECTURE,
                         mode != UB__JOINT_LOGITS);
    if (status == UB_OK)
        status = ub_tape_constant(j->tape, images, &x);
    if (status == UB_OK)
        status = ub__joint_net_forward(j->net, j->tape, x, mode, &logits);
    if (status == UB_OK)
        status = ub_count_correct(ub_variable_value(logits), labels, 1,
                                  &sums->correct);
    if (status == UB_OK)
        status = ub_op_cross_entropy(j->tape, logits, labels, 0.0, loss);
    if (status == UB_OK)
        sums->loss = (double) ub_tensor_data(ub_variable_value(*loss))[0];
    return status;
}

static void clear(joint *j)
{
    ub_parameters_clear_grads(j->net->parameters);
    ub_tape_clear(j->tape);
}

/* The accelerator for the path just drawn, when it is time. */
static ub_status refresh(joint *j, int64_t epoch, int64_t index,
                         const ub__joint_path *path, ub_rng *rng)
{
    const int64_t done = (epoch - j->options->warmup_epochs) * j->steps + index;

    if (j->options->hardware_once || done % j->options->refresh != 0)
        return UB_OK;
    return ub__joint_price_refresh(j->price, path, ub_rng_u64(rng));
}

static ub_status learn_logits(joint *j, int64_t epoch, int64_t index,
                              ub_rng *rng, double *path_ms)
{
    ub__epoch_sums unused = { 0 };
    ub__joint_path path;
    ub_variable *loss;
    ub_status status;

    ub__joint_net_sample(j->net, rng, j->tau, 0.0);
    ub__joint_net_drawn(j->net, &path);
    status = refresh(j, epoch, index, &path, rng);
    if (status == UB_OK)
        status = forward(j, j->logit_loader, UB__JOINT_LOGITS, &unused, &loss);
    if (status == UB_OK)
        status = ub_tape_backward(j->tape, loss);
    if (status == UB_OK && !j->options->hardware_once) {
        *path_ms = ub__joint_price_ms(j->price,
                                      ub__joint_price_cycles(j->price, &path));
        ub__joint_net_add_cost(j->net, j->price->cycles,
                               lambda_of(j) * ub__joint_price_ms(j->price, 1.0),
                               j->options->gradient);
    }
    if (status == UB_OK)
        status = ub__joint_net_learn(j->net, j->logits,
                                     j->options->architecture_rate);
    clear(j);
    return status;
}

/* The chance of a cell's first operator instead of a drawn one. */
static double chance_of_first(const joint *j, int64_t epoch, int64_t index)
{
    const double steps = (double) (j->options->warmup_epochs * j->steps);

    if (is_warm(j, epoch) || !j->options->gradual)
        return 0.0;
    return 1.0 - (double) (epoch * j->steps + index) / steps;
}

static ub_status learn_weights(joint *j, int64_t epoch, int64_t index,
                               ub_rng *rng, ub__epoch_sums *sums)
{
    ub_variable *loss;
    ub_status status;

    ub__joint_net_sample(j->net, rng, j->tau, chance_of_first(j, epoch, index));
    status = forward(j, j->weight_loader, UB__JOINT_WEIGHTS, sums, &loss);
    if (status == UB_OK)
        status = ub_tape_backward(j->tape, loss);
    if (status == UB_OK)
        status = ub_optimizer_step(j->weights, j->rate, j->options->search_clip,
                                   NULL);
    clear(j);
    return status;
}

static ub_status step(void *self, int64_t epoch, int64_t index,
                      ub__epoch_sums *sums)
{
    joint *j = self;
    ub_status status = UB_OK;
    ub_rng rng;

    ub__place_rng(&j->search, UB__STAGE_MICRO, epoch, index, &rng);
    if (is_warm(j, epoch))
        status = learn_logits(j, epoch, index, &rng, &sums->latency_ms);
    return status == UB_OK ? learn_weights(j, epoch, index, &rng, sums)
                           : status;
}

/* -- after an epoch ------------------------------------------------------- */

static ub_status argmax_logits(void *self, ub_variable *x, ub_variable **logits)
{
    joint *j = self;

    return ub__joint_net_forward(j->net, j->tape, x, UB__JOINT_ARGMAX, logits);
}

/* On the accelerator that the result would get: 0 where there is none within
 * the limits, infinite where there is nothing to compute. */
static ub_status best_fps(joint *j, double *fps)
{
    ub_accelerator_result result = { .size = sizeof(result) };
    int32_t *unused = ub__alloc(j->context, (size_t) j->price->n_fields,
                                sizeof(*unused));
    ub__joint_path path;
    ub_status status = UB_ERR_NOMEM;

    ub__joint_net_argmax(j->net, &path);
    if (unused != NULL)
        status = ub__joint_price_best(j->price, &path, UB_ENGINE_EXACT,
                                      j->options->seed, NULL, unused, &result);
    ub__free(j->context, unused);
    *fps = 0.0;
    if (status == UB_OK)
        *fps = result.fps > 0.0 ? result.fps : (double) INFINITY;
    return status == UB_ERR_RANGE ? UB_OK : status;
}

static void adapt_lambda(joint *j, double fps)
{
    const ub_cosearch_options *o = j->options;

    if (fps < o->fps_low && j->doublings < DOUBLINGS_MAX &&
        lambda_of(j) < LAMBDA_MAX)
        j->doublings++;
    else if (o->fps_high > 0.0 && fps > o->fps_high &&
             j->doublings > -DOUBLINGS_MAX)
        j->doublings--;
}

static ub_status end_epoch(void *self, int64_t epoch, json_t *line)
{
    joint *j = self;
    double accuracy = 0.0, fps = 0.0;
    ub_status status = ub__accuracy(j->validation, j->tape, argmax_logits, j,
                                    &accuracy);

    if (status == UB_OK)
        status = ub__run_note(j->run, "validation_accuracy",
                              json_real(accuracy));
    if (status == UB_OK && is_warm(j, epoch) && !j->options->hardware_once)
        status = best_fps(j, &fps);
    if (status != UB_OK)
        return status;
    if (json_object_set_new(line, "validation_accuracy", json_real(accuracy)) ||
        json_object_set_new(line, "tau", json_real(j->tau)) ||
        json_object_set_new(line, "rate", json_real(j->rate)) ||
        json_object_set_new(line, "lambda", json_real(lambda_of(j))) ||
        json_object_set_new(line, "fps", json_real(isinf(fps) ? 0.0 : fps)))
        return ub__fail(j->context, UB_ERR_NOMEM, "cosearch: out of memory");
    if (is_warm(j, epoch) && !j->options->hardware_once)
        adapt_lambda(j, fps);
    return ub__run_note(j->run, "lambda", json_real(lambda_of(j)));
}

/* -- going on ------------------------------------------------------------- */

/* Doublings of lambda, whether there is a path, the configuration, the path. */
static ub_status save(void *self, ub_archive *archive)
{
    joint *j = self;
    float *state = ub_tensor_data(j->state);
    ub_status status = ub_parameters_save(j->net->parameters, archive, "net.");

    *state++ = (float) j->doublings;
    *state++ = (float) j->price->has_path;
    for (int64_t i = 0; i < j->price->n_fields; i++)
        *state++ = (float) j->price->configuration[i];
    for (int64_t i = 0; i < j->price->n_cells; i++) {
        *state++ = (float) j->price->path.operators[i];
        *state++ = (float) j->price->path.widths[i];
    }
    if (status == UB_OK)
        status = ub_optimizer_save(j->weights, archive, "weights.");
    if (status == UB_OK)
        status = ub_optimizer_save(j->logits, archive, "logits.");
    if (status == UB_OK)
        status = ub_archive_add(archive, "accelerator", j->state);
    return status;
}

static int is_integer(float value, double low, double high)
{
    return (double) value >= low && (double) value <= high &&
           value == floorf(value);
}

static ub_status load_configuration(ub__joint_price *price, const float *state)
{
    for (int64_t i = 0; i < price->n_fields; i++) {
        const int is_mode = i % UB_CHUNK_FIELDS == UB_CHUNK_MODE;

        if (!is_integer(state[i], is_mode ? 0 : 1, UB_CHUNK_MAX_TILE))
            return UB_ERR_FORMAT;
        price->configuration[i] = (int32_t) state[i];
    }
    return UB_OK;
}

static ub_status load_path(ub__joint_price *price, const float *state)
{
    for (int64_t i = 0; i < price->n_cells; i++, state += 2) {
        if (!is_integer(state[0], 0, (double) (price->n_operators - 1)) ||
            !is_integer(state[1], 0, (double) (price->n_bits - 1)))
            return UB_ERR_FORMAT;
        price->path.operators[i] = (int32_t) state[0];
        price->path.widths[i] = (int32_t) state[1];
    }
    return UB_OK;
}

static ub_status load_accelerator(joint *j, const ub_archive *archive)
{
    ub_tensor *found;
    const float *state;
    ub_status status = ub__archive_need(j->context, archive, "", "accelerator",
                                        j->state, &found);

    if (status != UB_OK)
        return status;
    state = ub_tensor_data(found);
    if (!is_integer(state[0], -DOUBLINGS_MAX, DOUBLINGS_MAX) ||
        !is_integer(state[1], 0, 1))
        status = UB_ERR_FORMAT;
    if (status == UB_OK)
        status = load_configuration(j->price, state + 2);
    if (status == UB_OK)
        status = load_path(j->price, state + 2 + j->price->n_fields);
    if (status == UB_OK) {
        j->doublings = (int64_t) state[0];
        j->price->has_path = (int) state[1];
    }
    if (status == UB_OK && !j->options->hardware_once)
        status = ub__joint_price_table(j->price);
    if (status == UB_ERR_INVALID || status == UB_ERR_FORMAT ||
        status == UB_ERR_RANGE)
        return ub__fail(j->context, UB_ERR_FORMAT,
                        "cosearch: the checkpoint's accelerator is damaged");
    return status;
}

static ub_status load(void *self, const ub_archive *archive)
{
    joint *j = self;
    ub_status status = ub_parameters_load(j->net->parameters, archive, "net.");

    if (status == UB_OK)
        status = ub_optimizer_load(j->weights, archive, "weights.");
    if (status == UB_OK)
        status = ub_optimizer_load(j->logits, archive, "logits.");
    if (status == UB_OK)
        status = load_accelerator(j, archive);
    /* the message says which shape */
    return status == UB_ERR_SHAPE ? UB_ERR_FORMAT : status;
}

/* -- the whole stage ------------------------------------------------------ */

static ub_status note_path(joint *j)
{
    const int64_t n = j->price->n_cells;
    int32_t bits[UB_SPACE_MAX_ITEMS];
    ub__joint_path path;
    ub_status status;

    ub__joint_net_argmax(j->net, &path);
    for (int64_t i = 0; i < n; i++)
        bits[i] = j->options->bits[path.widths[i]];
    status = ub__run_note(j->run, "operators",
                          ub__json_int32s(path.operators, n));
    return status == UB_OK
               ? ub__run_note(j->run, "cell_bits", ub__json_int32s(bits, n))
               : status;
}

ub_status ub__joint_search(ub__run *run, const ub_cosearch_options *options,
                           const ub__data *data, const ub_space *space,
                           ub__joint_price *price)
{
    joint j = {
        .context = run->context, .options = options, .run = run, .price = price
    };
    ub_status status = joint_open(&j, data, space);

    if (status == UB_OK && json_object_get(run->results, "lambda") == NULL)
        status = ub__run_note(run, "lambda", json_real(lambda_of(&j)));
    if (status == UB_OK) {
        const ub__stage s = {
            .name = "cosearch",
            .index = UB__STAGE_MICRO,
            .epochs = epochs_of(&j),
            .steps = j.steps,
            .without_utilization = 1,
            .self = &j,
            .begin_epoch = begin_epoch,
            .step = step,
            .end_epoch = end_epoch,
            .save = save,
            .load = load,
        };
        status = ub__run_stage(run, &s);
    }
    if (status == UB_OK)
        status = note_path(&j);
    joint_close(&j);
    ub__block_trim(run->context);
    return status;
}
