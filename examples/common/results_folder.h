/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_COMMON_RESULTS_FOLDER_H
#define EXAMPLES_COMMON_RESULTS_FOLDER_H

#include <stdio.h>

/* A folder of results: a lock, so that two programs do not write there, and
 * files that are replaced as a whole. */

/* A descriptor that holds the lock, or -1 after a message, in which `program`
 * is who else writes there. Where there are no locks, there is none. */
int lock_folder(const char *path, const char *program);
/* -1 is allowed. */
void unlock_folder(int lock);

/* Whether a file is what a program that was killed left of another: it has
 * that one's name and ".tmp" or ".PROCESS-NUMBER.tmp" behind it. */
int is_leftover(const char *name, const char *of);
/* Remove those of a search or a training, whose folder is locked. */
void remove_leftovers(const char *path);

typedef struct output {
    FILE *file;
    char path[4608], temporary[4608 + 8];
} output;

/* Both return 1, or 0 after a message. */
int open_output(output *o, const char *folder, const char *name);
/* The file gets its name, unless something could not be written. */
int close_output(output *o);

#endif
