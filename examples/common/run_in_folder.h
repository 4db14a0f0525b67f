/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_COMMON_RUN_IN_FOLDER_H
#define EXAMPLES_COMMON_RUN_IN_FOLDER_H

#include <uboost/uboost.h>

/* A search or a training, which prints what it found. */
typedef ub_status (*folder_run_fn)(const void *user, ub_context *context,
                                   const ub_dataset *train,
                                   const ub_dataset *test);

/* Run it with the folder created and locked, what a killed run left there
 * removed, signals caught, `threads` (0: all) and the images of `data` as
 * open_data() takes them. The exit status of the program: 0, 1 after a message,
 * 130 when stopped. */
int run_in_folder(const char *out, int64_t threads, const char *data,
                  folder_run_fn run, const void *user);

#endif
