/* SPDX-License-Identifier: BSD-2-Clause */
#define _DEFAULT_SOURCE /* flock() */

#include "results_folder.h"

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
