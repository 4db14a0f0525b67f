/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uboost/network.h>

/* Topologies that come with SCALE-Sim, against what it says of their shapes. */

static struct test_log logged;

/* Fields of a line, cut in place. */
static int split(char *line, char **fields, int limit)
{
    int n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    for (char *p = line; p != NULL && n < limit; n++) {
        char *comma = strchr(p, ',');

        fields[n] = p;
        if (comma != NULL)
            *comma++ = '\0';
        p = comma;
    }
    return n;
}

static int64_t field(char **names, char **values, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return strtoll(values[i], NULL, 10);
    }
    fail_msg("no column %s", name);
    return 0;
}

static int64_t check_golden_file(ub_context *context, const char *name)
{
    char path[1200], line[2048], head[2048], current[512] = "";
    char *names[64], *values[64];
    FILE *file;
    ub_network *net = NULL;
    int64_t rows = 0;
    int n;

    snprintf(path, sizeof(path), "%s/%s", test_golden("scalesim"), name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(head, sizeof(head), file));
    n = split(head, names, 64);
    assert_string_equal(names[0], "topology");
    assert_string_equal(names[2], "layer");
    while (fgets(line, sizeof(line), file) != NULL) {
        ub_layer_info info;
        const int m = split(line, values, 64);

        assert_int_equal(m, n);
        if (strcmp(current, values[0]) != 0) {
            snprintf(current, sizeof(current), "%s", values[0]);
            snprintf(path, sizeof(path), "%s/%s",
                     test_golden("scalesim/topologies"), current);
            ub_network_destroy(&net);
            if (ub_network_read_topology(context, path, NULL, &net, NULL) !=
                UB_OK)
                fail_msg("%s", ub_context_last_error(context));
        }
        info = test_info(net, field(names, values, n, "layer_id") + 1);
        assert_int_equal(strncmp(info.name, values[2], strlen(values[2])), 0);
        assert_int_equal(info.in_height, field(names, values, n, "ifmap_h"));
        assert_int_equal(info.in_width, field(names, values, n, "ifmap_w"));
        assert_int_equal(info.layer->kernel_height,
                         field(names, values, n, "filt_h"));
        assert_int_equal(info.layer->kernel_width,
                         field(names, values, n, "filt_w"));
        assert_int_equal(info.in_channels, field(names, values, n, "ch"));
        assert_int_equal(info.out_channels, field(names, values, n, "nfilt"));
        assert_int_equal(info.layer->stride, field(names, values, n, "stride"));
        assert_int_equal(info.out_height, field(names, values, n, "ofmap_h"));
        assert_int_equal(info.out_width, field(names, values, n, "ofmap_w"));
        assert_int_equal(info.macs, field(names, values, n, "macs"));
        rows++;
    }
    fclose(file);
    ub_network_destroy(&net);
    return rows;
}

static void golden_shapes(void **state)
{
    ub_context *context;
    const char *folder = test_golden("scalesim");
    struct dirent *entry;
    int64_t rows = 0;
    DIR *dir = folder == NULL ? NULL : opendir(folder);

    (void) state;
    if (dir == NULL)
        skip();
    context = test_context(1);
    while ((entry = readdir(dir)) != NULL) {
        const char *end = strrchr(entry->d_name, '.');

        if (strncmp(entry->d_name, "golden_", 7) == 0 && end != NULL &&
            strcmp(end, ".csv") == 0)
            rows += check_golden_file(context, entry->d_name);
    }
    closedir(dir);
    assert_true(rows > 100);
    ub_context_destroy(&context);
}

/* Every file below loads; written in both forms it still has the same MACs. */
static int check_file(ub_context *context, const char *path)
{
    ub_network *net = NULL, *conv = NULL, *gemm = NULL;

    if (ub_network_read_topology(context, path, NULL, &net, NULL) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    assert_int_equal(
        ub_network_write_topology(net, test_path("c.csv"), UB_TOPOLOGY_CONV),
        UB_OK);
    assert_int_equal(
        ub_network_write_topology(net, test_path("g.csv"), UB_TOPOLOGY_GEMM),
        UB_OK);
    assert_int_equal(ub_network_read_topology(context, test_path("c.csv"), NULL,
                                              &conv, NULL),
                     UB_OK);
    assert_int_equal(ub_network_read_topology(context, test_path("g.csv"), NULL,
                                              &gemm, NULL),
                     UB_OK);
    test_same_layers(net, conv);
    assert_int_equal(ub_network_macs(net), ub_network_macs(gemm));
    ub_network_destroy(&gemm);
    ub_network_destroy(&conv);
    ub_network_destroy(&net);
    return 1;
}

static void golden_files(void **state)
{
    const char *folder = test_golden("scalesim/topologies");
    ub_context *context;
    struct stat info;

    (void) state;
    if (folder == NULL || stat(folder, &info) != 0)
        skip();
    context = test_log_context(&logged);
    assert_true(test_files(context, folder, check_file) > 0);
    assert_int_equal(logged.lines, 0);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_shapes),
        cmocka_unit_test(golden_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
