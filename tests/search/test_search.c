/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGES 60
#define PIXELS (3 * 16 * 16)

/* Stripes whose direction is the class, with noise: quickly learnt. */
static ub_status make_data(ub_context *context, uint64_t seed, ub_dataset **out)
{
    static const int64_t shape[4] = { IMAGES, 3, 16, 16 };
    uint8_t images[IMAGES * PIXELS];
    int32_t labels[IMAGES];
    ub_rng rng;

    ub_rng_init(&rng, seed, 0);
    for (int i = 0; i < IMAGES; i++) {
        labels[i] = i % 3;
        for (int p = 0; p < PIXELS; p++) {
            const int y = p / 16 % 16, x = p % 16;
            const int at = labels[i] == 0 ? x : (labels[i] == 1 ? y : x + y);
            images[i * PIXELS + p] = (uint8_t) (at % 4 * 60 +
                                                (int) ub_rng_below(&rng, 40));
        }
    }
    return ub_dataset_create(context, shape, 3, images, labels, out);
}

static void tiny_options(ub_search_options *o)
{
    ub_search_options_init(o, sizeof(*o));
    assert_int_equal(ub_search_preset(o, "quick"), UB_OK);
    o->base_width = 2;
    o->widths = (ub_width_range){ 2, 4, 2 };
    o->rows = o->columns = 16;
    o->train_images = 40;
    o->search_batch = 8;
    o->train_batch = 16;
    o->micro_epochs = o->channel_epochs = o->train_epochs = 1;
}

/* A new folder under the test's. */
static const char *new_folder(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s", test_path(name));
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static ub_status run(ub_context *context, const ub_search_options *o,
                     const char *folder, int resume, ub_search_result *result)
{
    ub_dataset *train = NULL, *test = NULL;
    ub_status status = make_data(context, 1, &train);

    result->size = sizeof(*result);
    if (status == UB_OK)
        status = make_data(context, 2, &test);
    if (status == UB_OK)
        status = ub_search_run(context, o, train, test, folder, resume, result);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    return status;
}

static int has_file(const char *folder, const char *name)
{
    char path[600];
    struct stat s;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &s) == 0 && s.st_size > 0;
}

static void test_whole_run(void **state)
{
    static const char *const files[] = {
        "config.json",  "log.jsonl",   "micro.json",          "channels.json",
        "network.json", "network.dot", "weights.safetensors", "result.json",
    };
    static const char *const names[6] = { "a0", "a1", "a2", "a3", "a4", "a5" };

    (void) state;
    for (int32_t hw = 0; hw <= UB_SEARCH_BLACKBOX_INTERP; hw++) {
        ub_context *context = test_context(2);
        const char *folder = new_folder(names[hw]);
        ub_search_options o;
        ub_search_result r;

        tiny_options(&o);
        o.hardware = hw;
        o.splits = 1 + hw % 2;
        o.sampling = hw == 1 ? UB_SAMPLING_SINGLE_PATH : UB_SAMPLING_SOFT;
        o.mask_place = hw == 2 ? UB_MASK_BEFORE_NORM : UB_MASK_AFTER;
        o.include_ends = hw == 3;
        o.cost_scale = hw == 3 ? 8 : 1;
        o.table_batch = hw == UB_SEARCH_BLACKBOX_INTERP ? 1 : 0;
        if (run(context, &o, folder, 0, &r) != UB_OK)
            fail_msg("%s: %s", ub_search_hardware_name(hw),
                     ub_context_last_error(context));
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
            assert_true(has_file(folder, files[i]));
        assert_true(r.simulated_cycles > 0 && r.model_latency_ms > 0);
        assert_true(r.simulated_cycles_hw_batch > r.simulated_cycles);
        assert_true(r.simulated_utilization > 0 &&
                    r.simulated_utilization <= 1);
        assert_true(r.parameters > 0 && r.macs > 0);
        /* the closed form is close to the simulator at hw_batch, and the table
         * at its own, where widths lie between the priced ones */
        if (hw == UB_SEARCH_SYSTOLIC_FULL)
            assert_close(r.model_latency_ms, r.simulated_latency_ms_hw_batch,
                         0.05 * r.simulated_latency_ms_hw_batch);
        if (hw == UB_SEARCH_BLACKBOX_INTERP)
            assert_close(r.model_latency_ms, r.simulated_latency_ms,
                         0.2 * r.simulated_latency_ms);
        assert_int_equal(run(context, &o, folder, 0, &r), UB_ERR_INVALID);
        assert_non_null(strstr(ub_context_last_error(context), "another run"));
        ub_context_destroy(&context);
    }
}

/* -- stopping ------------------------------------------------------------- */

struct stop {
    int64_t after, seen;
};

static int stop_after(void *user, const ub_progress *progress)
{
    struct stop *s = user;

    (void) progress;
    return ++s->seen == s->after;
}

static ub_context *stopping_context(struct stop *s)
{
    ub_context_options options;
    ub_context *context = NULL;

    ub_context_options_init(&options, sizeof(options));
    options.progress = stop_after;
    options.progress_user = s;
    options.threads = 2;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    return context;
}

static void read_file(const char *folder, const char *name, char *out,
                      size_t room, size_t *size)
{
    char path[600];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    *size = fread(out, 1, room, file);
    assert_true(*size > 0 && *size < room);
    fclose(file);
}

/* Cut the time, which is last, out of every line of a log. */
static void drop_seconds(char *log, size_t *size)
{
    char *to = log, *line = log;

    log[*size] = '\0';
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char *seconds = strstr(line, ",\"seconds\":");

        assert_true(seconds != NULL && seconds < end);
        memmove(to, line, (size_t) (seconds - line));
        to += seconds - line;
        *to++ = '\n';
    }
    *size = (size_t) (to - log);
}

/* Stopped after every single step and resumed, a run ends with the same bits
 * as one that nobody stopped. */
static void stop_everywhere(int32_t hardware, int64_t table_batch)
{
    static char a[1 << 20], b[1 << 20];
    struct stop never = { 0, 0 }, often = { 1, 0 };
    ub_context *context = stopping_context(&never);
    char whole[512], parts[512];
    ub_search_result r, s;
    ub_search_options o;
    size_t n, m;
    int stops = 0;

    tiny_options(&o);
    o.hardware = hardware;
    o.table_batch = table_batch;
    snprintf(parts, sizeof(parts), "whole%d", (int) hardware);
    snprintf(whole, sizeof(whole), "%s", new_folder(parts));
    snprintf(parts, sizeof(parts), "parts%d", (int) hardware);
    snprintf(parts, sizeof(parts), "%s", new_folder(parts));
    assert_int_equal(run(context, &o, whole, 0, &r), UB_OK);
    ub_context_destroy(&context);
    for (;; stops++) {
        ub_status status;

        often.seen = 0;
        context = stopping_context(&often);
        status = run(context, &o, parts, 1, &s);
        ub_context_destroy(&context);
        if (status == UB_OK)
            break;
        assert_int_equal(status, UB_ERR_INTERRUPTED);
    }
    assert_int_equal(stops, never.seen);
    read_file(whole, "weights.safetensors", a, sizeof(a), &n);
    read_file(parts, "weights.safetensors", b, sizeof(b), &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    read_file(whole, "log.jsonl", a, sizeof(a), &n);
    read_file(parts, "log.jsonl", b, sizeof(b), &m);
    drop_seconds(a, &n);
    drop_seconds(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    assert_true(r.test_accuracy == s.test_accuracy);
    assert_true(r.simulated_cycles == s.simulated_cycles);
    assert_true(r.model_latency_ms == s.model_latency_ms);
}

static void test_stop_everywhere(void **state)
{
    (void) state;
    stop_everywhere(UB_SEARCH_SYSTOLIC, 0);
    stop_everywhere(UB_SEARCH_SYSTOLIC_FULL, 0);
    stop_everywhere(UB_SEARCH_BLACKBOX_INTERP, 1);
}

/* Line `index` of a log has these numbers. */
static void check_line(const char *log, int index, const char *stage,
                       double rate, double tau)
{
    json_t *line;

    for (int i = 0; i < index; i++)
        log = strchr(log, '\n') + 1;
    line = json_loads(log, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "stage")),
                        stage);
    /* the log keeps nine digits */
    assert_close(json_real_value(json_object_get(line, "rate")), rate,
                 1e-8 * rate);
    assert_close(json_real_value(json_object_get(line, "tau")), tau,
                 1e-8 * tau);
    json_decref(line);
}

/* Rates and temperatures in the log are those of the header's formulas. */
static void test_log(void **state)
{
    static char log[1 << 16];
    ub_context *context = test_context(1);
    char folder[512];
    ub_schedule schedule;
    ub_search_options o;
    ub_search_result r;
    size_t n;

    (void) state;
    tiny_options(&o);
    o.micro_epochs = 3;
    o.search_rate = 0.25;
    o.search_gamma = 0.5;
    o.search_step = 2;
    o.tau = 3.0;
    o.tau_decay = 0.5;
    o.tau_floor = 1.0;
    snprintf(folder, sizeof(folder), "%s", new_folder("log"));
    assert_int_equal(run(context, &o, folder, 0, &r), UB_OK);
    read_file(folder, "log.jsonl", log, sizeof(log) - 1, &n);
    log[n] = '\0';
    check_line(log, 0, "micro", 0.25, 3.0);
    check_line(log, 1, "micro", 0.25, 1.5);
    check_line(log, 2, "micro", 0.125, 1.0);
    check_line(log, 3, "channels", 0.25, 3.0);
    /* The last step's, which is the same for any number of them. */
    ub_schedule_init(&schedule, sizeof(schedule));
    schedule.kind = UB_SCHEDULE_ONE_CYCLE;
    schedule.rate = o.train_rate;
    schedule.warmup = o.train_warmup;
    schedule.total_steps = 10;
    check_line(log, 4, "train", ub_schedule_rate(&schedule, 9), 0.0);
    ub_context_destroy(&context);
}

static void test_other_options_refused(void **state)
{
    struct stop once = { 2, 0 };
    ub_context *context = stopping_context(&once);
    const char *folder = new_folder("other");
    ub_context_options portable;
    ub_search_options o;
    ub_search_result r;

    (void) state;
    tiny_options(&o);
    assert_int_equal(run(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    o.lambda = 7.0;
    assert_int_equal(run(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "other options"));
    tiny_options(&o);
    o.table_batch = 1;
    assert_int_equal(run(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "other options"));
    ub_context_destroy(&context);
    ub_context_options_init(&portable, sizeof(portable));
    portable.threads = 2;
    portable.portable_kernels = 1;
    assert_int_equal(ub_context_create(&portable, &context), UB_OK);
    tiny_options(&o);
    assert_int_equal(run(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "kernels"));
    ub_context_destroy(&context);
}

/* A folder with anything of a run in it, but no run to go on with. */
static void test_wrong_folder(void **state)
{
    static const char *const names[] = { "log.jsonl", "network.dot" };

    (void) state;
    for (int i = 0; i < 4; i++) {
        ub_context *context = test_context(1);
        char folder[512], path[600], found[16];
        ub_search_options o;
        ub_search_result r;
        size_t n;

        snprintf(path, sizeof(path), "wrong%d", i);
        snprintf(folder, sizeof(folder), "%s", new_folder(path));
        snprintf(path, sizeof(path), "%s/%s", folder, names[i / 2]);
        test_file_write(path, "another's", 9);
        tiny_options(&o);
        assert_int_equal(run(context, &o, folder, i % 2, &r), UB_ERR_INVALID);
        assert_non_null(strstr(ub_context_last_error(context), "another run"));
        read_file(folder, names[i / 2], found, sizeof(found), &n);
        assert_int_equal(n, 9);
        assert_memory_equal(found, "another's", 9);
        assert_false(has_file(folder, "config.json"));
        ub_context_destroy(&context);
    }
}

/* Puts the checkpoint back with its stage and the last three sums replaced. */
static void set_state(ub_context *context, const char *path, int64_t stage,
                      const int64_t sums[3])
{
    ub_archive *archive = NULL;
    json_t *parsed, *array;
    char *text;

    assert_int_equal(ub_archive_read(context, path, &archive), UB_OK);
    parsed = json_loads(ub_archive_text(archive, "state"), 0, NULL);
    assert_int_equal(json_object_set_new(parsed, "stage", json_integer(stage)),
                     0);
    array = json_object_get(parsed, "sums");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            json_array_set_new(array, 3 + i, json_integer(sums[i])), 0);
    text = json_dumps(parsed, JSON_COMPACT);
    assert_int_equal(ub_archive_set_text(archive, "state", text), UB_OK);
    assert_int_equal(ub_archive_write(archive, path), UB_OK);
    free(text);
    json_decref(parsed);
    ub_archive_destroy(&archive);
}

/* Sums of steps, images and right answers that no run adds up to, and stages
 * that there are none of. */
static void test_checkpoint_sums(void **state)
{
    static const int64_t sums[][3] = {
        { 1, 8, 9 }, { 1, 8, -1 }, { 1, 0, 0 },         { 1, -1, -1 },
        { 0, 8, 0 }, { 2, 8, 0 },  { 1, INT64_MAX, 0 }, { INT64_MAX, 8, 0 },
    };
    struct stop once = { 1, 0 };
    ub_context *context = stopping_context(&once);
    char folder[512], path[600];
    ub_search_options o;
    ub_search_result r;

    (void) state;
    tiny_options(&o);
    snprintf(folder, sizeof(folder), "%s", new_folder("sums"));
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    assert_int_equal(run(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++) {
        once.seen = 0;
        set_state(context, path, 0, sums[i]);
        assert_int_equal(run(context, &o, folder, 1, &r), UB_ERR_FORMAT);
        assert_non_null(strstr(ub_context_last_error(context), "no state"));
    }
    for (int64_t stage = -1; stage <= 3; stage += 4) {
        once.seen = 0;
        set_state(context, path, stage, (const int64_t[3]){ 1, 8, 8 });
        assert_int_equal(run(context, &o, folder, 1, &r), UB_ERR_FORMAT);
        assert_non_null(strstr(ub_context_last_error(context), "no state"));
    }
    once.seen = 0;
    set_state(context, path, 0, (const int64_t[3]){ 1, 8, 8 });
    assert_int_equal(run(context, &o, folder, 1, &r), UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
}

/* A damaged checkpoint is an error, whichever byte it is. */
static void test_damaged_checkpoint(void **state)
{
    static char good[1 << 20], bad[1 << 20];
    struct stop once = { 7, 0 }, now = { 1, 0 };
    ub_context *context = stopping_context(&once);
    char folder[512], path[600];
    ub_search_options o;
    ub_search_result r;
    ub_rng rng;
    size_t n;

    (void) state;
    ub_rng_init(&rng, 1, 1);
    tiny_options(&o);
    snprintf(folder, sizeof(folder), "%s", new_folder("damaged"));
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    assert_int_equal(run(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
    read_file(folder, "checkpoint.safetensors", good, sizeof(good), &n);
    for (int i = 0; i < 40; i++) {
        const size_t at = (size_t) ub_rng_below(&rng, i < 20 ? n : 4000);
        ub_status status;

        memcpy(bad, good, n);
        bad[at] = (char) (bad[at] ^ (1 << ub_rng_below(&rng, 8)));
        test_file_write(path, bad, i % 4 == 3 ? at : n);
        now.seen = 0;
        context = stopping_context(&now);
        status = run(context, &o, folder, 1, &r);
        /* A flipped bit in a weight cannot be told from another weight. */
        assert_true(status == UB_ERR_FORMAT || status == UB_ERR_INVALID ||
                    status == UB_ERR_INTERRUPTED || status == UB_ERR_SHAPE ||
                    status == UB_ERR_UNSUPPORTED || status == UB_ERR_NUMERIC);
        ub_context_destroy(&context);
    }
}

static void test_bad_options(void **state)
{
    ub_context *context = test_context(1);
    ub_search_options o;
    ub_search_result r;

    (void) state;
    tiny_options(&o);
    o.widths.step = 3;
    assert_int_equal(run(context, &o, test_folder(), 0, &r), UB_ERR_INVALID);
    tiny_options(&o);
    o.lambda = (double) NAN;
    assert_int_equal(run(context, &o, test_folder(), 0, &r), UB_ERR_INVALID);
    tiny_options(&o);
    o.table_batch = -1;
    assert_int_equal(run(context, &o, test_folder(), 0, &r), UB_ERR_INVALID);
    tiny_options(&o);
    o.hardware = UB_SEARCH_BLACKBOX_INTERP + 1;
    assert_int_equal(run(context, &o, test_folder(), 0, &r), UB_ERR_INVALID);
    tiny_options(&o);
    o.train_images = 1000;
    assert_int_equal(run(context, &o, test_folder(), 0, &r), UB_ERR_INVALID);
    tiny_options(&o);
    assert_int_equal(run(context, &o, "/nonexistent/folder", 0, &r), UB_ERR_IO);
    assert_int_equal(ub_search_preset(&o, "large"), UB_ERR_INVALID);
    assert_int_equal(ub_search_preset(&o, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_search_preset(NULL, "quick"), UB_ERR_INVALID);
    ub_context_destroy(&context);
}

static void test_no_network(void **state)
{
    ub_context *context = test_context(1);
    ub_search_result r = { .size = sizeof(r) };
    ub_dataset *images = NULL;
    ub_search_options o;

    (void) state;
    tiny_options(&o);
    assert_int_equal(make_data(context, 1, &images), UB_OK);
    assert_int_equal(ub_search_train(context, &o, NULL, images, images,
                                     new_folder("none"), 0, &r),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "network is NULL"));
    ub_dataset_destroy(&images);
    ub_context_destroy(&context);
}

/* -- out of memory -------------------------------------------------------- */

static void clear_folder(const char *folder)
{
    static const char *const names[] = {
        "checkpoint.safetensors",
        "config.json",
        "log.jsonl",
        "micro.json",
        "channels.json",
        "network.json",
        "network.dot",
        "weights.safetensors",
        "result.json",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[600];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
}

static ub_status run_scenario(ub_context *context, void *arg)
{
    ub_search_options o;
    ub_search_result r;

    clear_folder(arg);
    tiny_options(&o);
    o.hardware = UB_SEARCH_BLACKBOX;
    o.table_batch = 1; /* filled at each step of the sweep */
    return run(context, &o, arg, 0, &r);
}

/* The run in the folder has been through its micro search. */
static ub_status resume_scenario(ub_context *context, void *arg)
{
    ub_search_options o;
    ub_search_result r;

    tiny_options(&o);
    return run(context, &o, arg, 1, &r);
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(run_scenario, 1, (void *) (uintptr_t) new_folder("m"));
}

static void test_out_of_memory_resuming(void **state)
{
    char folder[512];
    struct stop once = { 6, 0 };
    ub_context *context = stopping_context(&once);
    ub_search_options o;
    ub_search_result r;

    (void) state;
    ub_context_destroy(&context);
    snprintf(folder, sizeof(folder), "%s", new_folder("r"));
    tiny_options(&o);
    {
        ub_context_options c;
        ub_context_options_init(&c, sizeof(c));
        c.progress = stop_after;
        c.progress_user = &once;
        assert_int_equal(ub_context_create(&c, &context), UB_OK);
    }
    assert_int_equal(run(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
    assert_survives_oom(resume_scenario, 1, folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_run),
        cmocka_unit_test(test_stop_everywhere),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_other_options_refused),
        cmocka_unit_test(test_wrong_folder),
        cmocka_unit_test(test_checkpoint_sums),
        cmocka_unit_test(test_damaged_checkpoint),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_no_network),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_out_of_memory_resuming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
