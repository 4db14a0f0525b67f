/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * U-Boost NAS on CIFAR-10 (or what --data names): micro-architecture search,
 * channel search, final training, test, and the cost of the result.
 */
#include "search_cifar10.h"

#include <stdio.h>

static int run(const arguments *a, ub_context *context)
{
    ub_dataset *train = NULL, *test = NULL;
    ub_search_result result = { .size = sizeof(result) };
    ub_status status = UB_ERR_IO;

    if (open_data(context, a->data, &train, &test)) {
        status = ub_search_run(context, &a->options, train, test, a->out,
                               a->resume, &result);
        if (status == UB_ERR_INTERRUPTED)
            fprintf(stderr,
                    "\nstopped; to go on, repeat the command with --resume\n");
        else if (status != UB_OK)
            fprintf(stderr, "\n%s\n", ub_context_last_error(context));
        else
            print_result(&result, &a->options);
    }
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    if (status == UB_ERR_INTERRUPTED)
        return 130;
    return status == UB_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    arguments a;
    ub_context *context;
    int result;

    if (!parse(&a, argc, argv) || !make_folder(a.out))
        return 1;
    catch_interrupt();
    context = open_context(a.threads);
    if (context == NULL)
        return 1;
    result = run(&a, context);
    ub_context_destroy(&context);
    return result;
}
