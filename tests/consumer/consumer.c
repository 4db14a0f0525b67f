/* SPDX-License-Identifier: BSD-2-Clause */
/* A program outside the tree. */
#include <uboost/uboost.h>

#include <stdio.h>

int main(void)
{
    ub_context *context = NULL;
    ub_tensor *tensor = NULL;
    const int64_t shape[2] = { 2, 3 };
    if (ub_library_version() != UB_VERSION)
        return 1;
    if (ub_context_create(NULL, &context) != UB_OK)
        return 1;
    if (ub_tensor_create(context, 2, shape, &tensor) != UB_OK)
        return 1;
    printf("libuboost %d: %d elements\n", ub_library_version(),
           (int) ub_tensor_count(tensor));
    ub_tensor_unref(&tensor);
    ub_context_destroy(&context);
    return 0;
}
