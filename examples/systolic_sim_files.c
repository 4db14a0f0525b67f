/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder that systolic_sim writes to, and what it writes there. */
#define _DEFAULT_SOURCE /* flock() */

#include "command_line.h"
#include "systolic_sim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A lock of the folder itself leaves no file behind, however a run ends. Where
 * there are no locks, there is none. */
static int lock_folder(simulation *s)
{
    const int folder = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0) {
        fprintf(stderr, "%s: cannot be read: %s\n", s->folder, strerror(errno));
        return 0;
    }
    s->lock = folder;
    if (flock(folder, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 1;
    fprintf(stderr, "%s: another systolic_sim is writing there\n", s->folder);
    return 0;
}

void unlock_folder(simulation *s)
{
    if (s->lock > 0)
        close(s->lock);
    s->lock = 0;
}

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
    return make_folder(s->out) && make_folder(s->folder) && lock_folder(s);
}

/* -- what an earlier run left ---------------------------------------------- */

static void remove_files(const char *folder, const char *const *names, size_t n)
{
    char path[sizeof(((simulation *) 0)->folder) + 320];

    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
}

/* "layer" and a number, as trace_layer() names its folders. */
static int is_layer(const char *name)
{
    return strncmp(name, "layer", 5) == 0 && name[5] != '\0' &&
           name[5 + strspn(name + 5, "0123456789")] == '\0';
}

static void remove_traces(const char *folder)
{
    static const char *const names[] = { "IFMAP_SRAM_TRACE.csv",
                                         "FILTER_SRAM_TRACE.csv",
                                         "OFMAP_SRAM_TRACE.csv" };
    char path[sizeof(((simulation *) 0)->folder) + 300];
    DIR *all = opendir(folder);
    const struct dirent *entry;
    struct stat at;

    if (all == NULL)
        return;
    while ((entry = readdir(all)) != NULL) {
        if (!is_layer(entry->d_name))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (lstat(path, &at) != 0 || !S_ISDIR(at.st_mode))
            continue;
        remove_files(path, names, 3);
        rmdir(path); /* unless there is something else */
    }
    closedir(all);
}

/* A folder without result.json is none of ours, but perhaps SCALE-Sim's. */
void clear_folder(const simulation *s)
{
    static const char *const names[] = { "COMPUTE_REPORT.csv",
                                         "BANDWIDTH_REPORT.csv",
                                         "DETAILED_ACCESS_REPORT.csv",
                                         "SPARSE_REPORT.csv",
                                         "cycles.png",
                                         "roofline.png",
                                         "energy.png",
                                         "result.json" };
    char path[sizeof(s->folder) + 32];

    snprintf(path, sizeof(path), "%s/result.json", s->folder);
    if (access(path, F_OK) != 0)
        return;
    remove_traces(s->folder);
    remove_files(s->folder, names, sizeof(names) / sizeof(names[0]));
}

/* -- results ----------------------------------------------------------------
 */

int write_results(const simulation *s)
{
    ub_status status;

    clear_folder(s);
    if (!write_json(s))
        return 0;
    if (s->options.level == 2) {
        status = ub_systolic_write_reports(s->context, s->folder, s->reports,
                                           s->n);
        if (status != UB_OK)
            return complain(s->context, status);
    }
    return write_pictures(s) && write_traces(s);
}
