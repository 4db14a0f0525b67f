/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"

int ub__jpeg_supported(void)
{
    return 0;
}

ub_status ub__jpeg_decode(ub_context *context, const void *data, size_t size,
                          ub__picture *picture)
{
    (void) data;
    (void) size;
    (void) picture;
    return ub__fail(context, UB_ERR_UNSUPPORTED,
                    "a JPEG file, and this library was built without "
                    "libjpeg-turbo");
}
