/* SPDX-License-Identifier: BSD-2-Clause */
#include "runs.h"
#include "search/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void test_whole_run(void **state)
{
    static const char *const files[] = {
        "config.json",  "log.jsonl",   "micro.json",          "channels.json",
        "network.json", "network.dot", "weights.safetensors", "result.json",
    };
    static const char *const names[] = { "a0", "a1", "a2", "a3",
                                         "a4", "a5", "a6" };

    (void) state;
    for (int32_t hw = 0; hw <= UB_SEARCH_ROOFLINE_PUBLISHED; hw++) {
        ub_context *context = test_context(2);
        const char *folder = runs_folder(names[hw]);
        ub_search_options o;
        ub_search_result r;

        runs_options(&o);
        o.hardware = hw;
        o.splits = 1 + hw % 2;
        o.sampling = hw == 1 ? UB_SAMPLING_SINGLE_PATH : UB_SAMPLING_SOFT;
        o.mask_place = hw == 2 ? UB_MASK_BEFORE_NORM : UB_MASK_AFTER;
        o.include_ends = hw == 3;
        o.cost_scale = hw == 3 ? 8 : 1;
        o.table_batch = hw == UB_SEARCH_BLACKBOX_INTERP ? 1 : 0;
        if (runs_go(context, &o, folder, 0, &r) != UB_OK)
            fail_msg("%s: %s", ub_search_hardware_name(hw),
                     ub_context_last_error(context));
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
            assert_true(runs_has(folder, files[i]));
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
        assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_ERR_INVALID);
        assert_non_null(strstr(ub_context_last_error(context), "another run"));
        ub_context_destroy(&context);
    }
}

/* -- stopping ------------------------------------------------------------- */

static void test_stop_everywhere(void **state)
{
    static const char *const names[] = { "s0", "s1", "s2" };
    static const int32_t hardware[] = { UB_SEARCH_SYSTOLIC,
                                        UB_SEARCH_SYSTOLIC_FULL,
                                        UB_SEARCH_BLACKBOX_INTERP };

    (void) state;
    for (int i = 0; i < 3; i++) {
        ub_search_options o;
        ub_search_result r;

        runs_options(&o);
        o.hardware = hardware[i];
        o.table_batch = i == 2;
        runs_stopped(&o, names[i], &r);
        assert_int_equal(r.polish_moves, 0);
    }
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
    runs_options(&o);
    o.micro_epochs = 3;
    o.search_rate = 0.25;
    o.search_gamma = 0.5;
    o.search_step = 2;
    o.tau = 3.0;
    o.tau_decay = 0.5;
    o.tau_floor = 1.0;
    snprintf(folder, sizeof(folder), "%s", runs_folder("log"));
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_OK);
    runs_read(folder, "log.jsonl", log, sizeof(log) - 1, &n);
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
    struct runs_stop once = { 2, 0 };
    ub_context *context = runs_context(&once, 2);
    const char *folder = runs_folder("other");
    ub_context_options portable;
    ub_search_options o;
    ub_search_result r;

    (void) state;
    runs_options(&o);
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    o.lambda = 7.0;
    assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "other options"));
    runs_options(&o);
    o.table_batch = 1;
    assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "other options"));
    ub_context_destroy(&context);
    ub_context_options_init(&portable, sizeof(portable));
    portable.threads = 2;
    portable.portable_kernels = 1;
    assert_int_equal(ub_context_create(&portable, &context), UB_OK);
    runs_options(&o);
    assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "kernels"));
    ub_context_destroy(&context);
}

/* Without its checkpoint, a complete run is not done a second time. */
static void test_complete(void **state)
{
    struct runs_stop never = { 0, 0 };
    ub_context *context = runs_context(&never, 2);
    char folder[512], path[600];
    ub_search_options o;
    ub_search_result r;

    (void) state;
    runs_options(&o);
    snprintf(folder, sizeof(folder), "%s", runs_folder("complete"));
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_OK);
    never.seen = 0;
    assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_OK);
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    assert_int_equal(remove(path), 0);
    assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "complete run"));
    assert_int_equal(never.seen, 0);
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
        snprintf(folder, sizeof(folder), "%s", runs_folder(path));
        snprintf(path, sizeof(path), "%s/%s", folder, names[i / 2]);
        test_file_write(path, "another's", 9);
        runs_options(&o);
        assert_int_equal(runs_go(context, &o, folder, i % 2, &r),
                         UB_ERR_INVALID);
        assert_non_null(strstr(ub_context_last_error(context), "another run"));
        runs_read(folder, names[i / 2], found, sizeof(found), &n);
        assert_int_equal(n, 9);
        assert_memory_equal(found, "another's", 9);
        assert_false(runs_has(folder, "config.json"));
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
    struct runs_stop once = { 1, 0 };
    ub_context *context = runs_context(&once, 2);
    char folder[512], path[600];
    ub_search_options o;
    ub_search_result r;

    (void) state;
    runs_options(&o);
    snprintf(folder, sizeof(folder), "%s", runs_folder("sums"));
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++) {
        once.seen = 0;
        set_state(context, path, 0, sums[i]);
        assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_FORMAT);
        assert_non_null(strstr(ub_context_last_error(context), "no state"));
    }
    for (int64_t stage = -1; stage <= 3; stage += 4) {
        once.seen = 0;
        set_state(context, path, stage, (const int64_t[3]){ 1, 8, 8 });
        assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_FORMAT);
        assert_non_null(strstr(ub_context_last_error(context), "no state"));
    }
    once.seen = 0;
    set_state(context, path, 0, (const int64_t[3]){ 1, 8, 8 });
    assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
}

/* A damaged checkpoint is an error, whichever byte it is. */
static void test_damaged_checkpoint(void **state)
{
    static char good[1 << 20], bad[1 << 20];
    struct runs_stop once = { 7, 0 }, now = { 1, 0 };
    ub_context *context = runs_context(&once, 2);
    char folder[512], path[600];
    ub_search_options o;
    ub_search_result r;
    ub_rng rng;
    size_t n;

    (void) state;
    ub_rng_init(&rng, 1, 1);
    runs_options(&o);
    snprintf(folder, sizeof(folder), "%s", runs_folder("damaged"));
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
    runs_read(folder, "checkpoint.safetensors", good, sizeof(good), &n);
    for (int i = 0; i < 40; i++) {
        const size_t at = (size_t) ub_rng_below(&rng, i < 20 ? n : 4000);
        ub_status status;

        memcpy(bad, good, n);
        bad[at] = (char) (bad[at] ^ (1 << ub_rng_below(&rng, 8)));
        test_file_write(path, bad, i % 4 == 3 ? at : n);
        now.seen = 0;
        context = runs_context(&now, 2);
        status = runs_go(context, &o, folder, 1, &r);
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
    runs_options(&o);
    o.widths.step = 3;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.search_momentum = 1.0; /* which no optimizer takes */
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    assert_false(runs_has(test_folder(), "config.json"));
    runs_options(&o);
    o.lambda = (double) NAN;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.table_batch = -1;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.polish = 2;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.polish_weight = -1.0;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.initial_place = -0.5;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.initial_height = -1.0;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.polish_limit = 0;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.reserved_from = 1;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.hardware = UB_SEARCH_ROOFLINE_PUBLISHED + 1;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    o.train_images = 1000;
    assert_int_equal(runs_go(context, &o, test_folder(), 0, &r),
                     UB_ERR_INVALID);
    runs_options(&o);
    assert_int_equal(runs_go(context, &o, "/nonexistent/folder", 0, &r),
                     UB_ERR_IO);
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
    runs_options(&o);
    assert_int_equal(runs_data(context, 1, &images), UB_OK);
    assert_int_equal(ub_search_train(context, &o, NULL, images, images,
                                     runs_folder("none"), 0, &r),
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
    runs_options(&o);
    o.hardware = UB_SEARCH_BLACKBOX;
    o.table_batch = 1; /* filled at each step of the sweep */
    return runs_go(context, &o, arg, 0, &r);
}

/* The run in the folder has been through its micro search. */
static ub_status resume_scenario(ub_context *context, void *arg)
{
    ub_search_options o;
    ub_search_result r;

    runs_options(&o);
    return runs_go(context, &o, arg, 1, &r);
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(run_scenario, 1, (void *) (uintptr_t) runs_folder("m"));
}

static void test_out_of_memory_resuming(void **state)
{
    char folder[512];
    struct runs_stop once = { 6, 0 };
    ub_context *context = runs_context(&once, 1);
    ub_search_options o;
    ub_search_result r;

    (void) state;
    snprintf(folder, sizeof(folder), "%s", runs_folder("r"));
    runs_options(&o);
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
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
        cmocka_unit_test(test_complete),
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
