/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers.h"

/* SCALE-Sim's own traces, line by line. */

struct configuration {
    ub_hardware hardware;
    int64_t offset[3];
};

/* Value behind "Key :" or "Key =". */
static const char *value_of(const char *text, const char *key)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) == 0) {
            line += strlen(key);
            return line + strspn(line, " :=");
        }
    }
    fail_msg("no %s", key);
    return NULL;
}

static char *read_text(ub_context *context, const char *path)
{
    void *data;
    size_t size;

    if (ub__file_read(context, path, (size_t) 1 << 26, &data, &size) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    return data;
}

static void read_configuration(ub_context *context, const char *path,
                               struct configuration *out)
{
    static const char *const flows[] = { "ws", "os", "is" };
    char *text = read_text(context, path);
    int flow = 0;

    ub_hardware_init(&out->hardware, sizeof(out->hardware));
    out->hardware.rows = strtoll(value_of(text, "ArrayHeight"), NULL, 10);
    out->hardware.columns = strtoll(value_of(text, "ArrayWidth"), NULL, 10);
    out->offset[0] = strtoll(value_of(text, "IfmapOffset"), NULL, 10);
    out->offset[1] = strtoll(value_of(text, "FilterOffset"), NULL, 10);
    out->offset[2] = strtoll(value_of(text, "OfmapOffset"), NULL, 10);
    while (strncmp(value_of(text, "Dataflow"), flows[flow], 2) != 0) {
        flow++;
        assert_true(flow < 3);
    }
    out->hardware.dataflow = flow;
    ub__free(context, text);
}

/* Layer `index` of a topology: seven numbers behind the name, or three. */
static void read_layer(const char *text, int64_t index, struct test_layer *out)
{
    long long v[7];
    int n;

    for (int64_t i = 0; i <= index; i++) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    n = sscanf(text, "%*[^,],%lld,%lld,%lld,%lld,%lld,%lld,%lld", &v[0], &v[1],
               &v[2], &v[3], &v[4], &v[5], &v[6]);
    if (n == 3) {
        test_linear(out, v[0], v[2], v[1]);
        return;
    }
    assert_int_equal(n, 7);
    test_conv(out, v[4], v[0], v[1], v[5]);
    out->layer.kernel_height = v[2];
    out->layer.kernel_width = v[3];
    out->layer.stride = v[6];
    out->layer.round_up = 1;
    test_conv_finish(out);
}

static void compare_trace(ub_context *context, const struct configuration *c,
                          const struct test_layer *layer, int32_t operand,
                          const char *expected_path)
{
    const char *path = test_path("trace.csv");
    ub_systolic_options options;
    char *actual, *expected;

    ub_systolic_options_init(&options, sizeof(options));
    options.compat = UB_SYSTOLIC_COMPAT_SCALESIM;
    options.batch = layer->batch;
    if (ub_systolic_trace_write(context, &layer->info, &c->hardware, &options,
                                operand, c->offset[operand], path) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    actual = read_text(context, path);
    expected = read_text(context, expected_path);
    if (strcmp(actual, expected) != 0)
        fail_msg("%s differs", expected_path);
    ub__free(context, expected);
    ub__free(context, actual);
}

static int compare_layer(ub_context *context, const struct configuration *c,
                         const struct test_layer *layer, const char *folder)
{
    static const char *const names[] = { "IFMAP_SRAM_TRACE.csv",
                                         "FILTER_SRAM_TRACE.csv",
                                         "OFMAP_SRAM_TRACE.csv" };
    int n = 0;

    for (int32_t operand = 0; operand < 3; operand++) {
        char *path = ub__path_join(context, folder, names[operand]);

        assert_non_null(path);
        if (ub__file_exists(path)) {
            compare_trace(context, c, layer, operand, path);
            n++;
        }
        ub__free(context, path);
    }
    return n;
}

/* Layers of one run. */
static int compare_run(ub_context *context, const char *folder,
                       const struct configuration *c, const char *topology)
{
    char **names;
    size_t count;
    int n = 0;

    assert_int_equal(ub__folder_list(context, folder, &names, &count), UB_OK);
    for (size_t i = 0; i < count; i++) {
        struct test_layer layer;
        char *path = ub__path_join(context, folder, names[i]);

        assert_non_null(path);
        if (strncmp(names[i], "layer", 5) == 0) {
            read_layer(topology, strtoll(names[i] + 5, NULL, 10), &layer);
            n += compare_layer(context, c, &layer, path);
        }
        ub__free(context, path);
    }
    ub__free(context, names);
    return n;
}

/* All runs of a topology. */
static int compare_runs(ub_context *context, const char *tiny,
                        const char *folder, const char *topology)
{
    char file[1024], *text, *path = ub__path_join(context, tiny, folder);
    char **names;
    size_t count;
    int n = 0;

    snprintf(file, sizeof(file), "%s/%s", tiny, topology);
    text = read_text(context, file);
    assert_int_equal(ub__folder_list(context, path, &names, &count), UB_OK);
    for (size_t i = 0; i < count; i++) {
        struct configuration c;
        char *run = ub__path_join(context, path, names[i]);

        snprintf(file, sizeof(file), "%s/%s.cfg", tiny, names[i]);
        read_configuration(context, file, &c);
        n += compare_run(context, run, &c, text);
        ub__free(context, run);
    }
    ub__free(context, names);
    ub__free(context, text);
    ub__free(context, path);
    return n;
}

/* Folders out_NAME are runs of NAME_tiny.csv, sparse ones of NAME.csv; these
 * came without traces. */
static void scalesim_traces(void **state)
{
    ub_context *context = test_context(1);
    const char *golden = test_golden("scalesim/tiny");
    char tiny[512];
    char **names;
    size_t count;
    int n = 0;

    (void) state;
    if (golden == NULL) {
        ub_context_destroy(&context);
        skip();
    }
    snprintf(tiny, sizeof(tiny), "%s", golden);
    assert_int_equal(ub__folder_list(context, tiny, &names, &count), UB_OK);
    for (size_t i = 0; i < count; i++) {
        char topology[256];

        if (strncmp(names[i], "out_", 4) != 0)
            continue;
        if (strncmp(names[i], "out_sparse", 10) == 0)
            snprintf(topology, sizeof(topology), "%.100s.csv", names[i] + 4);
        else
            snprintf(topology, sizeof(topology), "%.100s_tiny.csv",
                     names[i] + 4);
        n += compare_runs(context, tiny, names[i], topology);
    }
    assert_true(n > 0);
    ub__free(context, names);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalesim_traces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
