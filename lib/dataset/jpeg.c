/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* Scans of a progressive file; more only serve to burn time. */
#define MAX_SCANS 100

/* What libjpeg calls back with. Errors end in a longjmp to `failed`. */
typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];
    ub_context *context;
    uint8_t *volatile pixels;
    volatile ub_status status;
} decoder;

static void on_error(j_common_ptr common)
{
    decoder *d = common->client_data;
    int memory = common->err->msg_code == JERR_OUT_OF_MEMORY;
    common->err->format_message(common, d->message);
    d->status = memory ? ub__fail(d->context, UB_ERR_NOMEM,
                                  "out of memory while decoding a JPEG file")
                       : ub__fail(d->context, UB_ERR_FORMAT,
                                  "no valid JPEG file: %s", d->message);
    longjmp(d->failed, 1);
}

/* libjpeg repairs damaged data with a warning; here it is an error. Stray
 * bytes between segments are harmless and seen in real data sets. */
static void on_message(j_common_ptr common, int level)
{
    if (level < 0 && common->err->msg_code != JWRN_EXTRANEOUS_DATA)
        on_error(common);
}

static void no_output(j_common_ptr common)
{
    (void) common;
}

static void on_progress(j_common_ptr common)
{
    decoder *d = common->client_data;
    if (d->jpeg.input_scan_number <= MAX_SCANS)
        return;
    d->status = ub__fail(d->context, UB_ERR_RANGE,
                         "a JPEG file of more than %d scans", MAX_SCANS);
    longjmp(d->failed, 1);
}

static ub_status begin(decoder *d, const void *data, size_t size)
{
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.progress = &d->progress;
    jpeg_mem_src(&d->jpeg, data, (unsigned long) size);
    jpeg_read_header(&d->jpeg, TRUE);
    ub_status status = ub__picture_check(d->context, d->jpeg.image_height,
                                         d->jpeg.image_width);
    if (status)
        return status;
    J_COLOR_SPACE space = d->jpeg.jpeg_color_space;
    if (space == JCS_CMYK || space == JCS_YCCK)
        return ub__fail(d->context, UB_ERR_UNSUPPORTED,
                        "a JPEG file in CMYK, expected RGB or grey");
    d->jpeg.out_color_space = JCS_RGB;
    d->jpeg.dct_method = JDCT_ISLOW;
    d->pixels = ub__alloc(
        d->context, (size_t) d->jpeg.image_height * d->jpeg.image_width, 3);
    return d->pixels ? UB_OK : UB_ERR_NOMEM;
}

static void read_rows(decoder *d)
{
    jpeg_start_decompress(&d->jpeg);
    size_t stride = (size_t) d->jpeg.output_width * 3;
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        JSAMPROW row = d->pixels + d->jpeg.output_scanline * stride;
        jpeg_read_scanlines(&d->jpeg, &row, 1);
    }
    jpeg_finish_decompress(&d->jpeg);
}

int ub__jpeg_supported(void)
{
    return 1;
}

/* Nothing local changes after setjmp(): all is in the decoder. */
static void run(decoder *d, const void *data, size_t size)
{
    if (setjmp(d->failed) == 0) {
        d->status = begin(d, data, size);
        if (d->status == UB_OK)
            read_rows(d);
    }
    jpeg_destroy_decompress(&d->jpeg);
}

ub_status ub__jpeg_decode(ub_context *context, const void *data, size_t size,
                          ub__picture *picture)
{
    decoder *d = ub__calloc(context, 1, sizeof *d);
    if (!d)
        return UB_ERR_NOMEM;
    d->context = context;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->jpeg.client_data = d;
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    d->errors.output_message = no_output;
    d->progress.progress_monitor = on_progress;
    run(d, data, size);
    ub_status status = d->status;
    if (status) {
        ub__free(context, d->pixels);
    } else {
        picture->height = d->jpeg.image_height;
        picture->width = d->jpeg.image_width;
        picture->pixels = d->pixels;
    }
    ub__free(context, d);
    return status;
}
