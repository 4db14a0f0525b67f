/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/run_in_folder.h"

#include "common/command_line.h"
#include "common/results_folder.h"

#include <stdio.h>

static ub_status run_with_data(ub_context *context, const char *data,
                               folder_run_fn run, const void *user)
{
    ub_dataset *train = NULL, *test = NULL;
    ub_status status = UB_ERR_IO;

    if (open_data(context, data, &train, &test)) {
        status = run(user, context, train, test);
        if (status == UB_OK && !finish_output())
            status = UB_ERR_IO;
        else if (status == UB_ERR_INTERRUPTED)
            fputs("\nstopped; to go on, repeat the command with --resume\n",
                  stderr);
        else if (status != UB_OK)
            fprintf(stderr, "\n%s\n", ub_context_last_error(context));
    }
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    return status;
}

int run_in_folder(const char *out, int64_t threads, const char *data,
                  folder_run_fn run, const void *user)
{
    ub_status status = UB_ERR_NOMEM;
    ub_context *context;
    int lock;

    if (!make_folder(out))
        return 1;
    lock = lock_folder(out, "program");
    if (lock < 0)
        return 1;
    remove_leftovers(out);
    catch_interrupt();
    context = open_context(threads);
    if (context != NULL)
        status = run_with_data(context, data, run, user);
    ub_context_destroy(&context);
    unlock_folder(lock);
    if (status == UB_ERR_INTERRUPTED)
        return 130;
    return status == UB_OK ? 0 : 1;
}
