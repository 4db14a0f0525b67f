/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder that systolic_sim writes to, and what it writes there. */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"
#include "common/results_folder.h"
#include "systolic_sim/systolic_sim.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int make_folders(simulation *s)
{
    char run[sizeof(s->config.run_name)];
    int n;

    snprintf(run, sizeof(run), "%s", s->config.run_name);
    for (char *at = strchr(run, '/'); at != NULL; at = strchr(at, '/'))
        *at = '_';
    if (run[0] == '\0' || strcmp(run, ".") == 0 || strcmp(run, "..") == 0)
        snprintf(run, sizeof(run), "run");
    n = snprintf(s->folder, sizeof(s->folder), "%s/%s", s->out, run);
    if (n < 0 || (size_t) n + 64 >= sizeof(s->folder)) {
        fputs("-p: the path is too long\n", stderr);
        return 0;
    }
    if (!make_folder(s->out) || !make_folder(s->folder))
        return 0;
    s->lock = lock_folder(s->folder, "systolic_sim");
    return s->lock >= 0;
}

/* -- what an earlier run left ---------------------------------------------- */

static const char *const run_files[] = {
    "COMPUTE_REPORT.csv", "BANDWIDTH_REPORT.csv", "DETAILED_ACCESS_REPORT.csv",
    "SPARSE_REPORT.csv",  "cycles.png",           "roofline.png",
    "energy.png",         "result.json",          NULL
};

static const char *const layer_files[] = { "IFMAP_SRAM_TRACE.csv",
                                           "FILTER_SRAM_TRACE.csv",
                                           "OFMAP_SRAM_TRACE.csv", NULL };

/* One of the names, or what a run that was killed left of it. */
static int is_ours(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(name, *names) == 0 || is_leftover(name, *names))
            return 1;
    }
    return 0;
}

/* "layer" and a number, as trace_layer() names its folders. */
static int is_layer(const char *name)
{
    return strncmp(name, "layer", 5) == 0 && name[5] != '\0' &&
           name[5 + strspn(name + 5, "0123456789")] == '\0';
}

/* Files of these names; in folders of layers, too. */
static void remove_files(const char *folder, const char *const *names)
{
    char path[sizeof(((simulation *) 0)->folder) + 320];
    DIR *all = opendir(folder);
    const struct dirent *entry;
    struct stat at;

    if (all == NULL)
        return;
    while ((entry = readdir(all)) != NULL) {
        const char *name = entry->d_name;

        if ((size_t) snprintf(path, sizeof(path), "%s/%s", folder, name) >=
            sizeof(path))
            continue;
        if (is_ours(name, names) && strcmp(name, "result.json") != 0)
            unlink(path);
        if (names == layer_files || !is_layer(name) || lstat(path, &at) != 0 ||
            !S_ISDIR(at.st_mode))
            continue;
        remove_files(path, layer_files);
        rmdir(path); /* unless there is something else */
    }
    closedir(all);
}

/* A folder without result.json is none of ours, but perhaps SCALE-Sim's. */
static int is_earlier(const simulation *s)
{
    char path[sizeof(s->folder) + 32];

    snprintf(path, sizeof(path), "%s/result.json", s->folder);
    return access(path, F_OK) == 0;
}

/* -- results ----------------------------------------------------------------
 */

int write_results(const simulation *s)
{
    const int earlier = is_earlier(s);
    ub_status status;

    /* On a full disk the earlier run's files stay. */
    if (!write_json(s))
        return 0;
    if (earlier)
        remove_files(s->folder, run_files);
    if (s->options.level == 2) {
        status = ub_systolic_write_reports(s->context, s->folder, s->reports,
                                           s->n);
        if (status != UB_OK)
            return complain(s->context, status);
    }
    return write_pictures(s) && write_traces(s);
}
