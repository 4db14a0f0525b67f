/* SPDX-License-Identifier: BSD-2-Clause */
#include "../search/runs.h"
#include "tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ub_status go(ub_context *context, const ub_cosearch_options *o,
                    const char *folder, int resume, ub_cosearch_result *result)
{
    return tiny_run(context, o, NULL, folder, resume, result);
}

static void copy_folder(const char *name, char out[512])
{
    snprintf(out, 512, "%s", runs_folder(name));
}

static const char *const files[] = {
    "config.json",      "log.jsonl",           "network.json", "network.dot",
    "accelerator.json", "weights.safetensors", "result.json",
};

/* All engines, both gradients and costs, one and two bit widths, once and
 * jointly. */
static void test_whole_run(void **state)
{
    static const char *const names[] = { "w0", "w1", "w2", "w3" };

    (void) state;
    for (int i = 0; i < 4; i++) {
        ub_context *context = test_context(2);
        ub_cosearch_options o;
        ub_cosearch_result r;
        char folder[512];
        json_t *root;

        tiny_options(&o);
        o.engine = i % 3;
        o.gradient = i == 1 ? UB_COSEARCH_PUBLISHED : UB_COSEARCH_EXPECTED;
        o.cost = i == 1 ? UB_COSEARCH_LATENCY : UB_COSEARCH_INTERVAL;
        o.hardware_once = i == 3;
        if (i == 2) {
            o.bit_widths = 1;
            o.bits[1] = 0;
        }
        copy_folder(names[i], folder);
        if (go(context, &o, folder, 0, &r) != UB_OK)
            fail_msg("%d: %s", i, ub_context_last_error(context));
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
            assert_true(runs_has(folder, files[k]));
        assert_true(r.fps > 0.0 && r.bottleneck > 0.0);
        assert_true(r.dsp > 0.0 && r.dsp <= o.dsp_limit);
        assert_true(r.bram > 0.0 && r.bram <= (double) o.bram_limit);
        assert_true(r.mean_bits >= 4.0 && r.mean_bits <= (i == 2 ? 4.0 : 8.0));
        root = runs_json(folder, "result.json");
        assert_int_equal(json_array_size(json_object_get(root, "cells")), 3);
        assert_true(json_number_value(json_object_get(root, "fps")) == r.fps);
        json_decref(root);
        root = runs_json(folder, "accelerator.json");
        assert_true(json_array_size(json_object_get(root, "chunks")) > 0);
        json_decref(root);
        assert_int_equal(go(context, &o, folder, 0, &r), UB_ERR_INVALID);
        ub_context_destroy(&context);
    }
}

/* lambda goes to where frames per second are wanted, once an epoch. */
static void test_band(void **state)
{
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];

    (void) state;
    tiny_options(&o);
    o.search_epochs = 2;
    o.lambda = 0.5;
    o.fps_low = 1e11;
    tiny_whole(&o, "low", folder, &r);
    assert_true(r.lambda == 2.0);
    o.fps_low = 0.0;
    o.fps_high = 1e-3;
    tiny_whole(&o, "high", folder, &r);
    assert_true(r.lambda == 0.125);
}

/* How many cells of a result skip. */
static int skips_of(const char *folder)
{
    json_t *root = runs_json(folder, "result.json");
    const json_t *cells = json_object_get(root, "cells");
    int n = 0;

    for (size_t i = 0; i < json_array_size(cells); i++)
        n += strcmp(json_string_value(
                        json_object_get(json_array_get(cells, i), "operator")),
                    "skip") == 0;
    json_decref(root);
    return n;
}

/* Where only time counts, it is skipped wherever that is fastest: two cells
 * hand on their input, the third takes one convolution instead of three, and
 * the fewest bits. The published gradient pushes down whatever was drawn, by
 * steps that Adam makes equal, so that it finds what takes no time only. */
static void test_lambda(void **state)
{
    static const char *const names[] = { "expected", "published" };

    (void) state;
    for (int32_t i = 0; i < 2; i++) {
        ub_cosearch_options o;
        ub_cosearch_result r;
        char folder[512];

        tiny_options(&o);
        o.gradient = i;
        o.lambda = 1e6;
        o.warmup_epochs = 0;
        o.search_epochs = 40;
        o.architecture_rate = 0.1;
        o.refresh = 10;
        tiny_whole(&o, names[i], folder, &r);
        if (i == UB_COSEARCH_EXPECTED) {
            assert_int_equal(skips_of(folder), 3);
            assert_true(r.mean_bits == 4.0);
        } else {
            assert_true(skips_of(folder) >= 2);
        }
    }
}

/* A number in line `index` of a log. */
static double logged(const char *folder, int index, const char *key)
{
    static char log[1 << 16];
    const char *at = log;
    size_t n;
    json_t *line;
    double value;

    runs_read(folder, "log.jsonl", log, sizeof(log) - 1, &n);
    log[n] = '\0';
    for (int i = 0; i < index; i++)
        at = strchr(at, '\n') + 1;
    line = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(line);
    value = json_number_value(json_object_get(line, key));
    json_decref(line);
    return value;
}

/* Random paths with mixed bits learn: stripes are easy, ln 3 is 1.1. */
static void test_learns(void **state)
{
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];

    (void) state;
    tiny_options(&o);
    o.train_images = 60;
    o.crop_padding = o.flip = 0;
    o.warmup_epochs = 20;
    o.search_epochs = 10;
    o.tau_decay = 0.9;
    o.search_rate = 0.1;
    o.refresh = 100;
    tiny_whole(&o, "learns", folder, &r);
    print_message("loss %.3f at first, %.3f at last\n",
                  logged(folder, 0, "loss"), logged(folder, 29, "loss"));
    assert_true(logged(folder, 29, "loss") < 0.7);
}

/* The temperature falls by its factor, but never to 0, at which no step can be
 * made; the rate along half a cosine. */
static void test_schedules(void **state)
{
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];

    (void) state;
    tiny_options(&o);
    o.search_epochs = 3;
    o.tau = 0.8;
    o.tau_decay = 0.05;
    o.search_rate = 0.3;
    o.search_rate_last = 0.1;
    tiny_whole(&o, "schedules", folder, &r);
    /* the log keeps nine digits */
    assert_close(logged(folder, 0, "tau"), 0.8, 1e-8);
    assert_close(logged(folder, 1, "tau"), 0.04, 1e-8);
    assert_close(logged(folder, 2, "tau"), 0.002, 1e-8);
    assert_close(logged(folder, 3, "tau"), 0.001, 1e-8);
    assert_close(logged(folder, 0, "rate"), 0.3, 1e-8);
    assert_close(logged(folder, 2, "rate"), 0.2, 1e-8);
}

/* -- stopping ------------------------------------------------------------- */

/* A gradual warm-up runs other paths, but not before it is one. */
static void test_gradual(void **state)
{
    static const char *const names[] = { "gradual", "random", "neither",
                                         "nor" };
    double loss[4];

    (void) state;
    for (int i = 0; i < 4; i++) {
        ub_cosearch_options o;
        ub_cosearch_result r;
        char folder[512];

        tiny_options(&o);
        o.gradual = i % 2 == 0;
        o.warmup_epochs = i < 2;
        tiny_whole(&o, names[i], folder, &r);
        loss[i] = logged(folder, 0, "loss");
    }
    assert_true(loss[0] != loss[1]);
    assert_close(loss[2], loss[3], 0.0);
}

/* Stopped after every step, a run ends with the bits of one that was not. */
static void check_stops(const ub_cosearch_options *o, const char *names[2])
{
    struct runs_stop never = { 0, 0 }, often = { 1, 0 };
    char whole[512], parts[512];
    ub_cosearch_result r, s;
    ub_context *context = runs_context(&never, 2);
    int stops = 0;

    copy_folder(names[0], whole);
    copy_folder(names[1], parts);
    assert_int_equal(go(context, o, whole, 0, &r), UB_OK);
    ub_context_destroy(&context);
    for (;; stops++) {
        ub_status status;

        often.seen = 0;
        context = runs_context(&often, 2);
        status = go(context, o, parts, 1, &s);
        ub_context_destroy(&context);
        if (status == UB_OK)
            break;
        assert_int_equal(status, UB_ERR_INTERRUPTED);
    }
    assert_int_equal(stops, never.seen);
    assert_true(stops >= 6);
    runs_same_file(whole, parts, "weights.safetensors");
    runs_same_file(whole, parts, "network.json");
    runs_same_file(whole, parts, "accelerator.json");
    assert_true(r.test_accuracy == s.test_accuracy && r.fps == s.fps);
    assert_true(r.validation_accuracy == s.validation_accuracy);
    assert_true(r.lambda == s.lambda && r.lambda == 4.0 * o->lambda);
}

static void test_stop_everywhere(void **state)
{
    static const char *names[][2] = { { "whole", "parts" },
                                      { "whole-interval", "parts-interval" } };
    ub_cosearch_options o;

    (void) state;
    tiny_options(&o);
    o.search_epochs = 2;
    o.fps_low = 1e11; /* lambda changes */
    o.engine = UB_ENGINE_RANDOM;
    for (int32_t i = 0; i < 2; i++) {
        o.cost = i;
        check_stops(&o, names[i]);
    }
}

static void test_other_options_refused(void **state)
{
    struct runs_stop once = { 2, 0 };
    ub_context *context = runs_context(&once, 2);
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];

    (void) state;
    tiny_options(&o);
    copy_folder("other", folder);
    assert_int_equal(go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    o.lambda = 7.0;
    assert_int_equal(go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "lambda"));
    tiny_options(&o);
    o.bits[0] = 5;
    assert_int_equal(go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "bits"));
    ub_context_destroy(&context);
}

/* What an older library did not write is what the joint search's preset says,
 * not that of the same name of another search, where tau is 1. */
static void test_older_config(void **state)
{
    static const char line[] = "\"tau\": 5.0,";
    struct runs_stop once = { 2, 0 };
    ub_context *context = runs_context(&once, 2);
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512], path[600], *text, *at;

    (void) state;
    tiny_options(&o);
    copy_folder("older", folder);
    assert_int_equal(go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    assert_int_equal(remove(path), 0);
    snprintf(path, sizeof(path), "%s/config.json", folder);
    text = test_file_read(path);
    at = strstr(text, line);
    assert_non_null(at);
    memset(at, ' ', strlen(line));
    test_file_write(path, text, strlen(text));
    free(text);
    o.tau = 1.0;
    assert_int_equal(go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(
        strstr(ub_context_last_error(context), "its tau is missing, not 1.0"));
    o.tau = 5.0;
    assert_int_equal(go(context, &o, folder, 1, &r), UB_OK);
    ub_context_destroy(&context);
}

static void test_options_refused(void **state)
{
    ub_context *context = test_context(1);
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];

    (void) state;
    copy_folder("refused", folder);
    for (int i = 0; i < 11; i++) {
        tiny_options(&o);
        switch (i) {
        case 0: o.bit_widths = 0; break;
        case 1: o.bits[1] = 4; break;
        case 2: o.bits[0] = 17; break;
        case 3: o.engine = 3; break;
        case 4: o.tau = 0.0; break;
        case 5:
            o.fps_low = 2.0;
            o.fps_high = 1.0;
            break;
        case 6: o.cost = 2; break;
        case 8: o.reserved = 1; break;
        case 9:
            o.cost = UB_COSEARCH_INTERVAL;
            o.gradient = UB_COSEARCH_PUBLISHED;
            break;
        case 7: o.preset = "\xff"; break; /* no UTF-8 */
        default: o.gradual = 2; break;
        }
        assert_int_equal(go(context, &o, folder, 0, &r), UB_ERR_INVALID);
        assert_false(runs_has(folder, "config.json"));
    }
    tiny_options(&o);
    o.dsp_limit = 1.0; /* each chunk needs one */
    assert_int_equal(go(context, &o, folder, 0, &r), UB_ERR_RANGE);
    ub_context_destroy(&context);
}

/* -- damage --------------------------------------------------------------- */

static ub_cosearch_options damaged_options;

/* A checkpoint of a step in the middle that is not what was written. */
static int resume_from(ub_context *context, const char *path)
{
    static int number;
    char name[32], folder[512], to[600], *data;
    ub_cosearch_result r;
    ub_status status;
    FILE *file;
    long size;

    snprintf(name, sizeof(name), "damaged%d", number++);
    copy_folder(name, folder);
    snprintf(to, sizeof(to), "%s/checkpoint.safetensors", folder);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    assert_int_equal(fclose(file), 0);
    data = test_file_read(path);
    test_file_write(to, data, (size_t) size);
    free(data);
    status = go(context, &damaged_options, folder, 1, &r);
    return status == UB_OK;
}

static void test_damaged_checkpoint(void **state)
{
    static char data[1 << 20];
    struct runs_stop once = { 4, 0 };
    ub_context *context = runs_context(&once, 1);
    ub_cosearch_result r;
    char folder[512];
    size_t size;

    (void) state;
    tiny_options(&damaged_options);
    copy_folder("whole-checkpoint", folder);
    assert_int_equal(go(context, &damaged_options, folder, 0, &r),
                     UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
    runs_read(folder, "checkpoint.safetensors", data, sizeof(data), &size);
    context = test_context(1);
    /* Any bit may be one of a weight, with which a run can go on. */
    test_damaged(context, "checkpoint", data, size,
                 (struct test_damage){ size / 7, 8 * size / 13 }, resume_from);
    ub_context_destroy(&context);
}

/* Replace a text in a file by one of the same length. */
static void replace(char *data, size_t size, const char *from, const char *to)
{
    const size_t n = strlen(from);
    int found = 0;

    assert_int_equal(n, strlen(to));
    for (size_t i = 0; i + n <= size; i++) {
        if (memcmp(data + i, from, n) == 0) {
            memcpy(data + i, to, n);
            found++;
        }
    }
    assert_true(found > 0);
}

/* What a finished search noted must be of the space. */
static void test_damaged_notes(void **state)
{
    static const char *const lies[][2] = {
        { "\\\"operators\\\"", "\\\"operatorz\\\"" },
        { "cell_bits", "cell_bitz" },
        { "\\\"stage\\\":2", "\\\"stage\\\":1" },
    };
    static char data[1 << 20], copy[1 << 20];
    struct runs_stop once = { 5, 0 };
    ub_context *context = runs_context(&once, 1);
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512], path[600];
    size_t size;

    (void) state;
    tiny_options(&o);
    copy_folder("noted", folder);
    assert_int_equal(go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
    context = test_context(1);
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    runs_read(folder, "checkpoint.safetensors", data, sizeof(data), &size);
    for (int i = 0; i < 3; i++) {
        memcpy(copy, data, size);
        replace(copy, size, lies[i][0], lies[i][1]);
        test_file_write(path, copy, size);
        assert_int_equal(go(context, &o, folder, 1, &r), UB_ERR_FORMAT);
    }
    test_file_write(path, data, size);
    assert_int_equal(go(context, &o, folder, 1, &r), UB_OK);
    ub_context_destroy(&context);
}

/* -- out of memory -------------------------------------------------------- */

static void swept_options(ub_cosearch_options *o)
{
    tiny_options(o);
    o->engine = UB_ENGINE_RANDOM; /* the exact one's memory has a sweep */
    o->samples = 2;
    o->train_images = 20;
    o->search_batch = o->train_batch = 4;
}

static ub_status run_scenario(ub_context *context, void *arg)
{
    ub_cosearch_options o;
    ub_cosearch_result r;
    char path[600];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", (const char *) arg, files[i]);
        remove(path);
    }
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors",
             (const char *) arg);
    remove(path);
    swept_options(&o);
    return go(context, &o, arg, 0, &r);
}

/* The run in the folder is within its search. */
static ub_status resume_scenario(ub_context *context, void *arg)
{
    ub_cosearch_options o;
    ub_cosearch_result r;

    swept_options(&o);
    return go(context, &o, arg, 1, &r);
}

static void test_out_of_memory(void **state)
{
    struct runs_stop once = { 3, 0 };
    ub_context *context;
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];

    (void) state;
    copy_folder("whole-memory", folder);
    assert_survives_oom(run_scenario, 1, folder);
    copy_folder("resumed-memory", folder);
    context = runs_context(&once, 1);
    swept_options(&o);
    assert_int_equal(go(context, &o, folder, 0, &r), UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
    assert_survives_oom(resume_scenario, 1, folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_run),
        cmocka_unit_test(test_band),
        cmocka_unit_test(test_lambda),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_gradual),
        cmocka_unit_test(test_stop_everywhere),
        cmocka_unit_test(test_other_options_refused),
        cmocka_unit_test(test_older_config),
        cmocka_unit_test(test_options_refused),
        cmocka_unit_test(test_damaged_checkpoint),
        cmocka_unit_test(test_damaged_notes),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
