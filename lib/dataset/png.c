/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"

#include <png.h>
#include <string.h>

ub_status ub__picture_check(ub_context *context, int64_t height, int64_t width)
{
    if (height >= 1 && width >= 1 && height <= UB__MAX_PICTURE_SIDE &&
        width <= UB__MAX_PICTURE_SIDE)
        return UB_OK;
    return ub__fail(context, UB_ERR_RANGE,
                    "a picture of %lld x %lld pixels, expected 1 x 1 to %d x "
                    "%d",
                    (long long) width, (long long) height, UB__MAX_PICTURE_SIDE,
                    UB__MAX_PICTURE_SIDE);
}

static ub_status png_fail(ub_context *context, const png_image *image)
{
    return ub__fail(context, UB_ERR_FORMAT, "no valid PNG file: %s",
                    image->message);
}

static ub_status decode(ub_context *context, png_image *image, uint8_t **out)
{
    ub_status status = ub__picture_check(context, image->height, image->width);
    if (status)
        return status;
    image->format = PNG_FORMAT_RGB;
    uint8_t *pixels = ub__alloc(context, (size_t) image->height * image->width,
                                3);
    if (!pixels)
        return UB_ERR_NOMEM;
    png_color black = { 0, 0, 0 };
    if (!png_image_finish_read(image, &black, pixels, 0, NULL)) {
        ub__free(context, pixels);
        return png_fail(context, image);
    }
    *out = pixels;
    return UB_OK;
}

ub_status ub__png_decode(ub_context *context, const void *data, size_t size,
                         ub__picture *picture)
{
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(&image, data, size))
        return png_fail(context, &image);
    uint8_t *pixels = NULL;
    ub_status status = decode(context, &image, &pixels);
    if (!status) {
        picture->height = image.height;
        picture->width = image.width;
        picture->pixels = pixels;
    }
    png_image_free(&image);
    return status;
}

static ub_status decode_any(ub_context *context, const uint8_t *data,
                            size_t size, ub__picture *picture)
{
    if (size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff)
        return ub__jpeg_decode(context, data, size, picture);
    if (size >= 4 && !memcmp(data, "\x89PNG", 4))
        return ub__png_decode(context, data, size, picture);
    return ub__fail(context, UB_ERR_FORMAT,
                    "byte 0: expected the first bytes of a PNG or JPEG file");
}

ub_status ub__picture_read(ub_context *context, const char *path,
                           ub__picture *picture)
{
    void *data = NULL;
    size_t size = 0;
    ub_status status = ub__file_read(context, path, UB__MAX_PICTURE_FILE, &data,
                                     &size);
    if (status)
        return status;
    status = decode_any(context, data, size, picture);
    ub__free(context, data);
    if (status)
        return ub__fail_within(context, status, "%s", path);
    return UB_OK;
}
