/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include <string.h>

/* Final training of a derived network. */
typedef struct train {
    ub_context *context;
    const ub_search_options *options;
    ub_model *model;
    ub_parameters *parameters; /* the model's */
    ub_tape *tape;
    ub_optimizer *optimizer;
    ub_loader *loader;
    ub_schedule schedule;
    int64_t steps;
} train;

static ub_status create_optimizer(train *t)
{
    ub_optimizer_options o;

    ub_optimizer_options_init(&o, sizeof(o));
    o.kind = UB_OPTIMIZER_SGD;
    o.momentum = 0.9;
    o.nesterov = 1;
    o.weight_decay = t->options->train_decay;
    return ub_optimizer_create_for(t->parameters, UB_PARAMETER_WEIGHT, &o,
                                   &t->optimizer);
}

static ub_status train_open(train *t, const ub__data *data,
                            const ub_network *network)
{
    ub_status status = ub_model_create(
        t->context, network, t->options->seed * 4 + UB__STAGE_TRAIN, &t->model);

    if (status != UB_OK)
        return status;
    t->parameters = ub_model_parameters(t->model);
    status = ub__data_loader(t->context, t->options, data, UB__STAGE_TRAIN,
                             data->train, t->options->train_batch, &t->loader);
    if (status == UB_OK)
        status = create_optimizer(t);
    if (status == UB_OK)
        status = ub_tape_create(t->context, &t->tape);
    if (status != UB_OK)
        return status;
    t->steps = ub_loader_batches(t->loader);
    ub_schedule_init(&t->schedule, sizeof(t->schedule));
    t->schedule.kind = UB_SCHEDULE_ONE_CYCLE;
    t->schedule.rate = t->options->train_rate;
    t->schedule.warmup = t->options->train_warmup;
    t->schedule.total_steps = t->options->train_epochs * t->steps;
    return UB_OK;
}

static void train_close(train *t)
{
    ub_tape_destroy(&t->tape);
    ub_optimizer_destroy(&t->optimizer);
    ub_loader_destroy(&t->loader);
    ub_model_destroy(&t->model);
}

static ub_status begin_epoch(void *self, int64_t epoch, int64_t step)
{
    train *t = self;

    return ub_loader_start(t->loader, epoch, step);
}

static ub_status learn(train *t, ub_tensor *images, const int32_t *labels,
                       double rate, ub__epoch_sums *sums)
{
    ub_variable *x, *logits, *loss;
    ub_status status = ub_tape_constant(t->tape, images, &x);

    if (status == UB_OK)
        status = ub_model_forward(t->model, t->tape, x, UB_NORM_TRAINING,
                                  &logits);
    if (status == UB_OK)
        status = ub_count_correct(ub_variable_value(logits), labels, 1,
                                  &sums->correct);
    if (status == UB_OK)
        status = ub_op_cross_entropy(t->tape, logits, labels,
                                     t->options->smoothing, &loss);
    if (status != UB_OK)
        return status;
    sums->loss = (double) ub_tensor_data(ub_variable_value(loss))[0];
    status = ub_tape_backward(t->tape, loss);
    if (status != UB_OK)
        return status;
    return ub_optimizer_step(t->optimizer, rate, t->options->max_grad_norm,
                             NULL);
}

static ub_status step(void *self, int64_t epoch, int64_t index,
                      ub__epoch_sums *sums)
{
    train *t = self;
    const int32_t *labels;
    ub_tensor *images;
    ub_status status = ub_loader_next(t->loader, &images, &labels,
                                      &sums->images);

    if (status != UB_OK)
        return status;
    status = learn(t, images, labels,
                   ub_schedule_rate(&t->schedule, epoch * t->steps + index),
                   sums);
    ub_parameters_clear_grads(t->parameters);
    ub_tape_clear(t->tape);
    return status;
}

/* The rate of the last step, which may have been an earlier session's. */
static ub_status end_epoch(void *self, int64_t epoch, json_t *line)
{
    train *t = self;
    const double rate = ub_schedule_rate(&t->schedule,
                                         (epoch + 1) * t->steps - 1);

    if (json_object_set_new(line, "rate", json_real(rate)))
        return ub__fail(t->context, UB_ERR_NOMEM, "search: out of memory");
    return UB_OK;
}

static ub_status save(void *self, ub_archive *archive)
{
    train *t = self;
    ub_status status = ub_parameters_save(t->parameters, archive, "net.");

    if (status == UB_OK)
        status = ub_optimizer_save(t->optimizer, archive, "optimizer.");
    return status;
}

static ub_status load(void *self, const ub_archive *archive)
{
    train *t = self;
    ub_status status = ub_parameters_load(t->parameters, archive, "net.");

    if (status == UB_OK)
        status = ub_optimizer_load(t->optimizer, archive, "optimizer.");
    return status;
}

static ub_status model_logits(void *self, ub_variable *x, ub_variable **logits)
{
    train *t = self;

    return ub_model_forward(t->model, t->tape, x, UB_NORM_RUNNING, logits);
}

static ub_status test(train *t, const ub__data *data, double *accuracy)
{
    ub_loader *loader = NULL;
    ub_status status = ub__data_loader(t->context, t->options, data,
                                       UB__STAGE_TRAIN, data->test, 0, &loader);

    if (status == UB_OK)
        status = ub__accuracy(loader, t->tape, model_logits, t, accuracy);
    ub_loader_destroy(&loader);
    return status;
}

ub_status ub__train(ub__run *run, const ub_search_options *options,
                    const ub__data *data, const ub_network *network,
                    double *test_accuracy)
{
    train t = { .context = run->context, .options = options };
    ub_status status = train_open(&t, data, network);

    if (status == UB_OK) {
        const ub__stage s = {
            .name = "train",
            .index = UB__STAGE_TRAIN,
            .epochs = options->train_epochs,
            .steps = t.steps,
            .self = &t,
            .begin_epoch = begin_epoch,
            .step = step,
            .end_epoch = end_epoch,
            .save = save,
            .load = load,
        };
        status = ub__run_stage(run, &s);
    }
    if (status == UB_OK)
        status = test(&t, data, test_accuracy);
    if (status == UB_OK) {
        char *path = ub__run_path(run, "weights.safetensors");
        status = path ? ub_model_save(t.model, path) : UB_ERR_NOMEM;
        ub__free(run->context, path);
    }
    train_close(&t);
    return status;
}
