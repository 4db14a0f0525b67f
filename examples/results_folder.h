/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_RESULTS_FOLDER_H
#define EXAMPLES_RESULTS_FOLDER_H

/* A lock of a folder of results, so that two programs do not write there. */

/* A descriptor that holds the lock, or -1 after a message, in which `program`
 * is who else writes there. Where there are no locks, there is none. */
int lock_folder(const char *path, const char *program);
/* -1 is allowed. */
void unlock_folder(int lock);

#endif
