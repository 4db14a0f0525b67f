/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT          "checkpoint.safetensors"

/* Seconds between checkpoints within an epoch. */
#define CHECKPOINT_INTERVAL 30.0

static ub_status no_memory(ub_context *context)
{
    return ub__fail(context, UB_ERR_NOMEM, "search: out of memory");
}

char *ub__run_path(const ub__run *run, const char *name)
{
    return ub__path_join(run->context, run->folder, name);
}

ub_status ub__run_note(ub__run *run, const char *key, json_t *value)
{
    if (json_object_set_new(run->results, key, value) != 0)
        return no_memory(run->context);
    return UB_OK;
}

ub_status ub__run_noted_integer(const ub__run *run, const char *key,
                                int64_t index, int64_t n, int64_t low,
                                int64_t high, int64_t *out)
{
    const json_t *array = json_object_get(run->results, key);
    const json_t *item = json_array_get(array, (size_t) index);

    if (json_array_size(array) != (size_t) n || !json_is_integer(item) ||
        json_integer_value(item) < low || json_integer_value(item) > high)
        return ub__fail(run->context, UB_ERR_FORMAT,
                        "search: the checkpoint's %s are damaged", key);
    *out = json_integer_value(item);
    return UB_OK;
}

ub_status ub__run_write_network(const ub__run *run, const ub_network *network)
{
    char *json = ub__run_path(run, "network.json");
    char *dot = ub__run_path(run, "network.dot");
    ub_status status = UB_ERR_NOMEM;

    if (json != NULL && dot != NULL)
        status = ub_network_write(network, json);
    if (status == UB_OK)
        status = ub_network_write_dot(network, dot);
    ub__free(run->context, json);
    ub__free(run->context, dot);
    return status;
}

/* -- the log -------------------------------------------------------------- */

static ub_status log_append(ub__run *run, const char *text, size_t length)
{
    if (run->log_length + length + 1 > run->log_room) {
        const size_t room = 2 * (run->log_length + length + 1);
        char *log = ub__realloc(run->context, run->log, run->log_room, room, 1);
        if (log == NULL)
            return UB_ERR_NOMEM;
        run->log = log;
        run->log_room = room;
    }
    memcpy(run->log + run->log_length, text, length);
    run->log_length += length;
    run->log[run->log_length] = '\0';
    return UB_OK;
}

static ub_status log_write(const ub__run *run)
{
    char *path = ub__run_path(run, "log.jsonl");
    ub_status status;

    if (path == NULL)
        return UB_ERR_NOMEM;
    status = ub__file_write(run->context, path, run->log, run->log_length);
    ub__free(run->context, path);
    return status;
}

ub_status ub__run_log(ub__run *run, const json_t *line)
{
    char *text = json_dumps(line, JSON_REAL_PRECISION(9) | JSON_COMPACT);
    ub_status status;

    if (text == NULL)
        return no_memory(run->context);
    status = log_append(run, text, strlen(text));
    if (status == UB_OK)
        status = log_append(run, "\n", 1);
    free(text);
    return status == UB_OK ? log_write(run) : status;
}

/* -- checkpoints ---------------------------------------------------------- */

static json_t *state_json(const ub__run *run)
{
    return json_pack(
        "{s:i, s:I, s:I, s:[f,f,f,I,I,I], s:[f,f,f], s:O}", "stage", run->stage,
        "epoch", (json_int_t) run->epoch, "step", (json_int_t) run->step,
        "sums", run->sums.loss, run->sums.latency_ms, run->sums.utilization,
        (json_int_t) run->sums.steps, (json_int_t) run->sums.images,
        (json_int_t) run->sums.correct, "seconds", run->seconds[0],
        run->seconds[1], run->seconds[2], "results", run->results);
}

static ub_status set_json_text(ub_context *context, ub_archive *archive,
                               const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_REAL_PRECISION(17) | JSON_COMPACT);
    ub_status status;

    if (text == NULL)
        return no_memory(context);
    status = ub_archive_set_text(archive, key, text);
    free(text);
    return status;
}

static ub_status fill_checkpoint(ub__run *run, const ub__stage *stage,
                                 ub_archive *archive)
{
    json_t *state = state_json(run);
    ub_status status;

    if (state == NULL)
        return no_memory(run->context);
    status = set_json_text(run->context, archive, "state", state);
    json_decref(state);
    if (status == UB_OK)
        status = set_json_text(run->context, archive, "config", run->config);
    if (status == UB_OK)
        status = ub_archive_set_text(archive, "log", run->log ? run->log : "");
    if (status == UB_OK && stage != NULL)
        status = stage->save(stage->self, archive);
    return status;
}

/* `stage` is NULL between two stages. */
static ub_status checkpoint(ub__run *run, const ub__stage *stage)
{
    char *path = ub__run_path(run, CHECKPOINT);
    ub_archive *archive = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (path != NULL)
        status = ub_archive_create(run->context, &archive);
    if (status == UB_OK)
        status = fill_checkpoint(run, stage, archive);
    if (status == UB_OK)
        status = ub_archive_write(archive, path);
    ub_archive_destroy(&archive);
    ub__free(run->context, path);
    return status;
}

/* Most images an epoch is believed to have. */
#define IMAGES_MAX ((json_int_t) 1 << 40)

/* The run's place, from the checkpoint's state. */
static ub_status parse_state(ub__run *run, const char *path, json_t *state)
{
    json_int_t epoch, step, steps, images, correct;
    json_t *results;

    if (json_unpack(state, "{s:i, s:I, s:I, s:[F,F,F,I,I,I], s:[F,F,F], s:o}",
                    "stage", &run->stage, "epoch", &epoch, "step", &step,
                    "sums", &run->sums.loss, &run->sums.latency_ms,
                    &run->sums.utilization, &steps, &images, &correct,
                    "seconds", &run->seconds[0], &run->seconds[1],
                    &run->seconds[2], "results", &results) != 0 ||
        run->stage < 0 || run->stage >= UB__STAGES || epoch < 0 || step < 0 ||
        steps != step || images < (step > 0) || images > IMAGES_MAX ||
        correct < 0 || correct > images || !json_is_object(results))
        return ub__fail(run->context, UB_ERR_FORMAT,
                        "%s: no state of a run in it", path);
    run->epoch = epoch;
    run->step = step;
    run->sums.steps = steps;
    run->sums.images = images;
    run->sums.correct = correct;
    json_decref(run->results);
    run->results = json_incref(results);
    return UB_OK;
}

/* Takes over `config`, which was found in `path`. */
static ub_status check_config(ub__run *run, const char *path, json_t *config)
{
    const ub_status status = ub__config_check(run->context, path, config,
                                              run->config, run->defaults);

    json_decref(config);
    return status;
}

static ub_status take_checkpoint(ub__run *run, const char *path)
{
    const char *config, *log, *text;
    json_t *parsed;
    ub_status status = ub_archive_read(run->context, path, &run->resumed);

    if (status != UB_OK)
        return status;
    config = ub_archive_text(run->resumed, "config");
    text = ub_archive_text(run->resumed, "state");
    log = ub_archive_text(run->resumed, "log");
    if (config == NULL || text == NULL || log == NULL)
        return ub__fail(run->context, UB_ERR_FORMAT,
                        "%s: no state of a run in it", path);
    status = ub__json_parse(run->context, path, config, strlen(config),
                            &parsed);
    if (status == UB_OK)
        status = check_config(run, path, parsed);
    if (status == UB_OK)
        status = ub__json_parse(run->context, path, text, strlen(text),
                                &parsed);
    if (status != UB_OK)
        return status;
    status = parse_state(run, path, parsed);
    json_decref(parsed);
    if (status == UB_OK)
        status = log_append(run, log, strlen(log));
    return status;
}

/* -- opening -------------------------------------------------------------- */

static const char *const run_files[] = {
    CHECKPOINT,         "config.json",
    "log.jsonl",        "micro.json",
    "channels.json",    "network.json",
    "network.dot",      "weights.safetensors",
    "result.json",      "supernet.safetensors",
    "accelerator.json",
};

static ub_status check_empty(const ub__run *run)
{
    for (size_t i = 0; i < sizeof(run_files) / sizeof(*run_files); i++) {
        char *path = ub__run_path(run, run_files[i]);
        const int exists = path != NULL && ub__file_exists(path);

        if (path == NULL)
            return UB_ERR_NOMEM;
        ub__free(run->context, path);
        if (exists)
            return ub__fail(run->context, UB_ERR_INVALID,
                            "%s holds another run's %s", run->folder,
                            run_files[i]);
    }
    return UB_OK;
}

/* Hours of work would go into what is there already. */
static ub_status check_incomplete(const ub__run *run)
{
    char *path = ub__run_path(run, "result.json");
    const int exists = path != NULL && ub__file_exists(path);

    if (path == NULL)
        return UB_ERR_NOMEM;
    ub__free(run->context, path);
    if (exists)
        return ub__fail(run->context, UB_ERR_INVALID,
                        "%s holds a complete run, without its checkpoint",
                        run->folder);
    return UB_OK;
}

/* Goes on with a run that has no checkpoint yet, or begins one where there is
 * none: also when told to resume, as the folder may be a wrong one. */
static ub_status open_config(ub__run *run, int resume)
{
    char *path = ub__run_path(run, "config.json");
    json_t *config;
    ub_status status;

    if (path == NULL)
        return UB_ERR_NOMEM;
    if (resume && ub__file_exists(path)) {
        status = ub__json_read(run->context, path, &config);
        if (status == UB_OK)
            status = check_config(run, path, config);
        if (status == UB_OK)
            status = check_incomplete(run);
    } else {
        status = check_empty(run);
    }
    if (status == UB_OK)
        status = ub__json_write(run->context, path, run->config);
    ub__free(run->context, path);
    return status;
}

static ub_status open_folder(ub__run *run, int resume)
{
    char *path = ub__run_path(run, CHECKPOINT);
    const int goes_on = path != NULL && resume && ub__file_exists(path);
    ub_status status;

    if (path == NULL)
        return UB_ERR_NOMEM;
    status = goes_on ? take_checkpoint(run, path) : open_config(run, resume);
    ub__free(run->context, path);
    return status;
}

ub_status ub__run_open(ub_context *context, json_t *config, json_t *defaults,
                       const char *folder, int resume, ub__run *run)
{
    ub_status status;

    memset(run, 0, sizeof(*run));
    run->context = context;
    run->folder = folder;
    run->config = config;
    run->defaults = defaults;
    run->results = json_object();
    if (config == NULL || defaults == NULL || run->results == NULL)
        status = no_memory(context);
    else
        status = open_folder(run, resume);
    if (status != UB_OK)
        ub__run_close(run);
    return status;
}

void ub__run_close(ub__run *run)
{
    json_decref(run->config);
    json_decref(run->defaults);
    json_decref(run->results);
    ub__free(run->context, run->log);
    ub_archive_destroy(&run->resumed);
    memset(run, 0, sizeof(*run));
}

/* -- running a stage ------------------------------------------------------ */

typedef struct stage_clock {
    double began, epoch_began, saved;
    int64_t first; /* steps done before this session */
    int64_t epoch_images;
} stage_clock;

static ub_status report_progress(ub__run *run, const ub__stage *stage,
                                 const stage_clock *clock,
                                 const ub__epoch_sums *last)
{
    const double now = ub__seconds();
    const int64_t done = run->epoch * stage->steps + run->step;
    const int64_t left = stage->epochs * stage->steps - done;
    const double steps = (double) run->sums.steps;
    ub_progress p = { .size = sizeof(p) };

    p.stage = stage->name;
    p.epoch = run->epoch;
    p.epochs = stage->epochs;
    p.step = run->step;
    p.steps = stage->steps;
    p.loss = run->sums.loss / steps;
    p.accuracy = (double) run->sums.correct /
                 (double) (run->sums.images + 1e-9);
    p.latency_ms = last->latency_ms;
    p.utilization = last->utilization;
    if (now > clock->epoch_began)
        p.images_per_second = (double) (run->sums.images -
                                        clock->epoch_images) /
                              (now - clock->epoch_began);
    if (done > clock->first)
        p.seconds_left = (now - clock->began) / (double) (done - clock->first) *
                         (double) left;
    return ub__progress(run->context, &p);
}

static ub_status one_step(ub__run *run, const ub__stage *stage,
                          ub__epoch_sums *last)
{
    ub_status status;

    memset(last, 0, sizeof(*last));
    status = stage->step(stage->self, run->epoch, run->step, last);
    if (status != UB_OK)
        return status;
    if (!isfinite(last->loss))
        return ub__fail(run->context, UB_ERR_NUMERIC,
                        "%s: the loss of epoch %lld, step %lld is %g",
                        stage->name, (long long) run->epoch + 1,
                        (long long) run->step + 1, last->loss);
    run->sums.loss += last->loss;
    run->sums.latency_ms += last->latency_ms;
    run->sums.utilization += last->utilization;
    run->sums.images += last->images;
    run->sums.correct += last->correct;
    run->sums.steps++;
    run->step++;
    return UB_OK;
}

/* Time goes into the checkpoint, so that a resumed run reports all of it. */
static ub_status timed_checkpoint(ub__run *run, const ub__stage *stage,
                                  stage_clock *clock)
{
    const double now = ub__seconds();

    run->seconds[stage->index] += now - clock->saved;
    clock->saved = now;
    return checkpoint(run, stage);
}

static ub_status epoch_steps(ub__run *run, const ub__stage *stage,
                             stage_clock *clock)
{
    while (run->step < stage->steps) {
        ub__epoch_sums last;
        ub_status status = one_step(run, stage, &last);

        if (status != UB_OK)
            return status;
        status = report_progress(run, stage, clock, &last);
        if (status == UB_ERR_INTERRUPTED) {
            const ub_status saved = timed_checkpoint(run, stage, clock);
            return saved == UB_OK ? status : saved;
        }
        if (status == UB_OK && run->step < stage->steps &&
            ub__seconds() - clock->saved > CHECKPOINT_INTERVAL)
            status = timed_checkpoint(run, stage, clock);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status end_epoch(ub__run *run, const ub__stage *stage,
                           stage_clock *clock)
{
    const double n = (double) run->sums.steps;
    json_t *line = json_pack(
        "{s:s, s:I, s:f, s:f}", "stage", stage->name, "epoch",
        (json_int_t) run->epoch + 1, "loss", run->sums.loss / n, "accuracy",
        (double) run->sums.correct / (double) run->sums.images);
    ub_status status;

    if (line == NULL)
        return no_memory(run->context);
    if (stage->index != UB__STAGE_TRAIN &&
        (json_object_set_new(line, "latency_ms",
                             json_real(run->sums.latency_ms / n)) ||
         (!stage->without_utilization &&
          json_object_set_new(line, "utilization",
                              json_real(run->sums.utilization / n)))))
        status = no_memory(run->context);
    else
        status = stage->end_epoch(stage->self, run->epoch, line);
    if (status == UB_OK &&
        json_object_set_new(line, "seconds",
                            json_real(ub__seconds() - clock->epoch_began)))
        status = no_memory(run->context);
    if (status == UB_OK)
        status = ub__run_log(run, line);
    json_decref(line);
    if (status != UB_OK)
        return status;
    run->epoch++;
    run->step = 0;
    memset(&run->sums, 0, sizeof(run->sums));
    return timed_checkpoint(run, stage, clock);
}

ub_status ub__run_stage(ub__run *run, const ub__stage *stage)
{
    stage_clock clock = { 0 };
    ub_status status = UB_OK;

    if (run->epoch > stage->epochs || run->step > stage->steps)
        return ub__fail(run->context, UB_ERR_FORMAT,
                        "%s: the checkpoint is at epoch %lld, step %lld of "
                        "%lld, %lld",
                        stage->name, (long long) run->epoch,
                        (long long) run->step, (long long) stage->epochs,
                        (long long) stage->steps);
    if (run->resumed != NULL && (run->epoch > 0 || run->step > 0))
        status = stage->load(stage->self, run->resumed);
    ub_archive_destroy(&run->resumed);
    clock.began = clock.saved = ub__seconds();
    clock.first = run->epoch * stage->steps + run->step;
    while (status == UB_OK && run->epoch < stage->epochs) {
        clock.epoch_began = ub__seconds();
        clock.epoch_images = run->sums.images;
        status = stage->begin_epoch(stage->self, run->epoch, run->step);
        if (status == UB_OK)
            status = epoch_steps(run, stage, &clock);
        if (status == UB_OK)
            status = end_epoch(run, stage, &clock);
    }
    return status;
}

ub_status ub__run_advance(ub__run *run)
{
    run->stage++;
    run->epoch = run->step = 0;
    memset(&run->sums, 0, sizeof(run->sums));
    return checkpoint(run, NULL);
}

ub_status ub__run_save(ub__run *run)
{
    return checkpoint(run, NULL);
}
