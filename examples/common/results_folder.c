/* SPDX-License-Identifier: BSD-2-Clause */
#define _DEFAULT_SOURCE /* flock() */

#include "common/results_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A lock of the folder itself leaves no file behind, however a run ends. */
int lock_folder(const char *path, const char *program)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0) {
        fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
        return -1;
    }
    if (flock(folder, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return folder;
    close(folder);
    fprintf(stderr, "%s: another %s is writing there\n", path, program);
    return -1;
}

void unlock_folder(int lock)
{
    if (lock >= 0)
        close(lock);
}

static const char *skip_digits(const char *text)
{
    return text + strspn(text, "0123456789");
}

int is_leftover(const char *name, const char *of)
{
    const size_t n = strlen(of);
    const char *end = name + n;

    if (strncmp(name, of, n) != 0 || *end != '.')
        return 0;
    if (strcmp(end, ".tmp") == 0)
        return 1;
    end = skip_digits(end + 1);
    return *end == '-' && strcmp(skip_digits(end + 1), ".tmp") == 0;
}

void remove_leftovers(const char *path)
{
    static const char *const files[] = {
        "accelerator.json",     "channels.json",       "checkpoint.safetensors",
        "config.json",          "log.jsonl",           "micro.json",
        "network.dot",          "network.json",        "result.json",
        "supernet.safetensors", "weights.safetensors",
    };
    char name[4608];
    DIR *all = opendir(path);
    const struct dirent *entry;

    while (all != NULL && (entry = readdir(all)) != NULL) {
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
            const int n = snprintf(name, sizeof(name), "%s/%s", path,
                                   entry->d_name);

            if (n > 0 && (size_t) n < sizeof(name) &&
                is_leftover(entry->d_name, files[i]))
                unlink(name);
        }
    }
    if (all != NULL)
        closedir(all);
}

static int complain(const char *path)
{
    fprintf(stderr, "%s: cannot be written: %s\n", path, strerror(errno));
    return 0;
}

int open_output(output *o, const char *folder, const char *name)
{
    const int n = snprintf(o->path, sizeof(o->path), "%s/%s", folder, name);

    o->file = NULL;
    if (n < 0 || (size_t) n >= sizeof(o->path)) {
        fprintf(stderr, "%s: the path is too long\n", folder);
        return 0;
    }
    snprintf(o->temporary, sizeof(o->temporary), "%s.tmp", o->path);
    o->file = fopen(o->temporary, "w");
    return o->file != NULL || complain(o->path);
}

int close_output(output *o)
{
    const int failed = ferror(o->file);

    if (fclose(o->file) == 0 && !failed && rename(o->temporary, o->path) == 0)
        return 1;
    complain(o->path);
    unlink(o->temporary);
    return 0;
}
