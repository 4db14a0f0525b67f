/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/conv.h"

/* Floats of the sums of parts of the images. */
#define PART_SUMS ((int64_t) 1 << 20)

/* A way to convolve. */
typedef struct method {
    ub__scratch_size (*scratch)(ub_context *context, const ub__conv *conv);
    void (*forward)(ub_context *context, const ub__conv *conv, const float *x,
                    const float *w, const float *bias, float *y);
    void (*backward_data)(ub_context *context, const ub__conv *conv,
                          const float *w, const float *gy, float *gx,
                          int accumulate);
    void (*backward_weight)(ub_context *context, const ub__conv *conv,
                            const float *x, const float *gy, float *gw,
                            int accumulate);
} method;

static const method depthwise = { ub__depthwise_scratch, ub__depthwise_forward,
                                  ub__depthwise_backward_data,
                                  ub__depthwise_backward_weight };
static const method plain = { ub__plain_scratch, ub__plain_forward,
                              ub__plain_backward_data,
                              ub__plain_backward_weight };
static const method lanes = { ub__lanes_scratch, ub__lanes_forward,
                              ub__lanes_backward_data,
                              ub__lanes_backward_weight };

int64_t ub__conv_weights(const ub__conv *conv)
{
    return conv->out_channels * (conv->in_channels / conv->groups) *
           conv->kernel_height * conv->kernel_width;
}

int64_t ub__image_parts(const ub_context *context, const ub__conv *conv,
                        int64_t most)
{
    const int64_t room = 1 + PART_SUMS / ub__conv_weights(conv);
    const int64_t threads = ub_context_threads(context);

    most = most < threads ? most : threads;
    return most < room ? most : room;
}

void ub__add_parts(ub_context *context, int64_t n, int64_t parts,
                   const float *sums, float *to)
{
    for (int64_t part = 0; part < parts; part++)
        ub__scale(context, n, 1.0f, sums + part * n, to, 1);
}

static const method *method_for(const ub_context *context, const ub__conv *conv)
{
    if (ub__conv_is_depthwise(conv))
        return &depthwise;
    return ub__conv_is_plain(conv, ub__loops_for(context)) ? &plain : &lanes;
}

ub__scratch_size ub__conv_scratch(ub_context *context, const ub__conv *conv)
{
    return method_for(context, conv)->scratch(context, conv);
}

void ub__conv_forward(ub_context *context, const ub__conv *conv, const float *x,
                      const float *w, const float *bias, float *y)
{
    method_for(context, conv)->forward(context, conv, x, w, bias, y);
}

void ub__conv_backward_data(ub_context *context, const ub__conv *conv,
                            const float *w, const float *gy, float *gx,
                            int accumulate)
{
    method_for(context, conv)
        ->backward_data(context, conv, w, gy, gx, accumulate);
}

void ub__conv_backward_weight(ub_context *context, const ub__conv *conv,
                              const float *x, const float *gy, float *gw,
                              float *gbias, int accumulate)
{
    if (gbias != NULL)
        ub__channel_sums(context, conv->batch, conv->out_channels,
                         conv->out_height * conv->out_width, gy, gbias,
                         accumulate);
    if (gw != NULL)
        method_for(context, conv)
            ->backward_weight(context, conv, x, gy, gw, accumulate);
}
