/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
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
    o->rows = o->columns = 4;
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

static void test_other_options_refused(void **state)
{
    struct stop once = { 2, 0 };
    ub_context *context = stopping_context(&once);
    const char *folder = new_folder("other");
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
        cmocka_unit_test(test_other_options_refused),
        cmocka_unit_test(test_damaged_checkpoint),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_out_of_memory_resuming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
