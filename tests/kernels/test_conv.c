/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sums of up to a few thousand products of normal values, in another order
 * than the reference's. */
#define TOLERANCE 1e-4
/* Of a sum, relative: parts of some hundred terms, then some hundred parts,
 * each rounded by up to 2^-24. */
#define LONG_SUM  4e-5

/* batch, channels, height, width, outputs, kernel h, w, stride, pad h, w,
 * dilation, groups; up to 8 images do not take the widest vectors */
static const int64_t shapes[][12] = {
    { 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1 },
    { 9, 3, 5, 7, 4, 1, 1, 1, 0, 0, 1, 1 },
    { 10, 3, 7, 5, 2, 3, 3, 1, 1, 1, 1, 1 },
    { 11, 17, 11, 13, 5, 3, 3, 2, 1, 1, 1, 1 },
    { 12, 3, 13, 11, 17, 5, 5, 3, 2, 2, 1, 1 },
    { 1, 3, 17, 19, 1, 3, 5, 1, 0, 4, 1, 1 },
    { 37, 5, 4, 4, 6, 3, 3, 1, 1, 1, 1, 1 }, /* many images at a time */
    { 9, 4, 8, 8, 16, 5, 5, 1, 2, 2, 1, 1 }, /* several */
    { 2, 16, 16, 16, 16, 3, 3, 1, 1, 1, 1, 1 },
    { 2, 3, 32, 32, 8, 3, 3, 1, 1, 1, 1, 1 }, /* bands */
    { 2, 4, 31, 29, 8, 3, 3, 2, 1, 1, 1, 1 },
    { 19, 6, 4, 4, 5, 5, 5, 1, 4, 4, 2, 1 }, /* taps outside the map */
    { 3, 6, 4, 4, 5, 3, 3, 1, 2, 2, 2, 1 },
    { 9, 3, 2, 2, 2, 5, 5, 1, 2, 2, 1, 1 },  /* kernel larger than the map */
    { 13, 2, 3, 3, 3, 3, 3, 1, 4, 4, 4, 1 }, /* dilation beyond the map */
    { 14, 2, 1, 1, 3, 5, 5, 3, 4, 4, 1, 1 }, /* taps with gaps */
    { 9, 3, 3, 3, 2, 1, 1, 5, 4, 4, 1, 1 },  /* no tap on the map at all */
    { 2, 3, 9, 8, 4, 3, 3, 4, 2, 2, 2, 1 },  /* stride, dilation not coprime */
    { 2, 3, 9, 9, 4, 1, 1, 2, 0, 0, 1, 1 },
    { 2, 3, 9, 9, 4, 1, 1, 1, 1, 1, 1, 1 },
    { 2, 3, 9, 9, 4, 2, 2, 2, 0, 0, 1, 1 },
    { 1, 3, 12, 12, 4, 4, 4, 4, 0, 0, 1, 1 },
    { 10, 3, 10, 9, 4, 3, 3, 3, 3, 3, 2, 1 },
    { 15, 6, 7, 7, 4, 3, 3, 1, 1, 1, 1, 2 }, /* groups */
    { 5, 6, 4, 4, 9, 3, 3, 1, 1, 1, 1, 3 },
    { 2, 6, 6, 6, 4, 1, 1, 1, 0, 0, 1, 2 },
    { 17, 6, 3, 3, 4, 1, 1, 1, 0, 0, 1, 2 },
    { 2, 3, 7, 7, 6, 3, 3, 1, 1, 1, 1, 3 }, /* channel multiplier */
    { 2, 3, 5, 5, 3, 1, 1, 1, 0, 0, 1, 3 }, /* depthwise */
    { 2, 17, 4, 4, 17, 3, 3, 1, 1, 1, 1, 17 },
    { 3, 5, 8, 8, 5, 5, 5, 1, 2, 2, 1, 5 },
    { 3, 5, 4, 4, 5, 5, 5, 1, 4, 4, 2, 5 },
    { 2, 3, 16, 16, 3, 3, 3, 2, 1, 1, 1, 3 },
    { 2, 3, 13, 11, 3, 5, 3, 3, 2, 1, 1, 3 },
    { 2, 3, 10, 9, 3, 3, 3, 3, 3, 3, 2, 3 },
    { 2, 5, 9, 8, 5, 3, 3, 4, 2, 2, 2, 5 },
    { 3, 2, 7, 8, 2, 3, 4, 2, 3, 1, 2, 2 },
    { 1, 2, 150, 140, 2, 3, 3, 1, 1, 1, 1, 2 }, /* depthwise in bands */
    { 1, 2, 150, 140, 2, 7, 7, 2, 3, 3, 1, 2 },
    { 1, 18, 40, 90, 18, 5, 3, 1, 2, 1, 1, 18 }, /* many planes, in bands */
    { 1, 18, 40, 90, 18, 3, 5, 2, 1, 2, 1, 18 },
    { 5, 7, 7, 7, 7, 3, 3, 1, 1, 1, 1, 7 },
    { 9, 24, 4, 4, 24, 5, 5, 1, 4, 4, 2, 24 },
    { 19, 3, 4, 4, 3, 5, 5, 1, 2, 2, 1, 3 }, /* kernels repeat in a vector */
    { 7, 13, 9, 10, 13, 9, 7, 2, 4, 3, 1, 13 },
    { 2, 2, 1, 1, 2, 5, 5, 3, 4, 4, 1, 2 },
    { 2, 3, 3, 3, 3, 1, 1, 5, 4, 4, 1, 3 },
    { 1, 2, 3, 300, 2, 3, 3, 1, 1, 1, 1, 1 }, /* rows wider than a product */
    { 2, 70, 7, 7, 67, 3, 3, 1, 1, 1, 1, 1 }, /* several channel blocks */
    { 1, 200, 9, 9, 300, 3, 3, 1, 1, 1, 1, 1 },
    { 1, 129, 16, 16, 40, 5, 5, 1, 4, 4, 2, 1 },
    { 37, 5, 4, 4, 6, 1, 1, 1, 0, 0, 1, 1 }, /* one pixel, by products */
    { 3, 70, 16, 20, 67, 1, 1, 1, 0, 0, 1, 1 },
    { 2, 6, 8, 8, 4, 1, 1, 1, 0, 0, 1, 2 },
    { 33, 70, 32, 32, 2, 3, 3, 1, 1, 1, 1, 1 }, /* images turned in parts */
    { 33, 2, 32, 32, 70, 3, 3, 1, 1, 1, 1, 1 },
    { 1, 130, 70, 60, 2, 3, 3, 1, 1, 1, 1, 1 }, /* planes turned in parts */
    { 1, 2, 70, 60, 130, 5, 3, 1, 4, 2, 2, 1 },
    { 1, 130, 70, 60, 3, 5, 3, 2, 4, 2, 2, 1 },
    { 1, 130, 61, 70, 2, 3, 3, 3, 0, 1, 1, 1 },
};

struct sizes {
    int64_t x, w, y;
};

static ub__conv conv_of(const int64_t s[12])
{
    ub__conv conv = { .batch = s[0],
                      .in_channels = s[1],
                      .in_height = s[2],
                      .in_width = s[3],
                      .out_channels = s[4],
                      .kernel_height = s[5],
                      .kernel_width = s[6],
                      .stride = s[7],
                      .pad_height = s[8],
                      .pad_width = s[9],
                      .dilation = s[10],
                      .groups = s[11] };

    conv.out_height = (s[2] + 2 * s[8] - s[10] * (s[5] - 1) - 1) / conv.stride +
                      1;
    conv.out_width = (s[3] + 2 * s[9] - s[10] * (s[6] - 1) - 1) / conv.stride +
                     1;
    return conv;
}

static struct sizes sizes_of(const ub__conv *c)
{
    struct sizes sizes = {
        c->batch * c->in_channels * c->in_height * c->in_width,
        c->out_channels * (c->in_channels / c->groups) * c->kernel_height *
            c->kernel_width,
        c->batch * c->out_channels * c->out_height * c->out_width
    };

    return sizes;
}

/* Calls visit() for each product of an input, a weight and an output; the
 * definition of the operator and of both gradients. */
typedef void (*visitor)(void *arg, int64_t x, int64_t w, int64_t y);

static void visit_output(const ub__conv *c, int64_t b, int64_t f, int64_t r,
                         int64_t s, visitor visit, void *arg)
{
    int64_t in = c->in_channels / c->groups;
    int64_t group = f / (c->out_channels / c->groups);
    int64_t y = ((b * c->out_channels + f) * c->out_height + r) * c->out_width;

    for (int64_t i = 0; i < in; i++) {
        for (int64_t u = 0; u < c->kernel_height; u++) {
            for (int64_t v = 0; v < c->kernel_width; v++) {
                int64_t row = r * c->stride - c->pad_height + u * c->dilation;
                int64_t col = s * c->stride - c->pad_width + v * c->dilation;
                int64_t x = (b * c->in_channels + group * in + i);
                int64_t w = f * in + i;

                if (row < 0 || row >= c->in_height || col < 0 ||
                    col >= c->in_width)
                    continue;
                visit(arg, (x * c->in_height + row) * c->in_width + col,
                      (w * c->kernel_height + u) * c->kernel_width + v, y + s);
            }
        }
    }
}

static void visit_all(const ub__conv *c, visitor visit, void *arg)
{
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t f = 0; f < c->out_channels; f++)
            for (int64_t r = 0; r < c->out_height; r++)
                for (int64_t s = 0; s < c->out_width; s++)
                    visit_output(c, b, f, r, s, visit, arg);
}

struct reference {
    const float *x, *w, *gy;
    double *y, *gx, *gw, *gbias;
};

static void reference_product(void *arg, int64_t x, int64_t w, int64_t y)
{
    struct reference *reference = arg;

    reference->y[y] += (double) reference->x[x] * (double) reference->w[w];
    reference->gx[x] += (double) reference->gy[y] * (double) reference->w[w];
    reference->gw[w] += (double) reference->gy[y] * (double) reference->x[x];
}

static double *zeros(int64_t n)
{
    double *values = calloc((size_t) n, sizeof *values);

    assert_non_null(values);
    return values;
}

struct scene {
    ub__conv conv;
    struct sizes sizes;
    float *x, *w, *bias, *gy;
    struct reference reference;
    char name[128];
};

static void scene_init(struct scene *scene, const int64_t shape[12])
{
    const ub__conv *conv = &scene->conv;
    int64_t area;

    scene->conv = conv_of(shape);
    scene->sizes = sizes_of(conv);
    snprintf(scene->name, sizeof scene->name,
             "%lldx%lldx%lldx%lld out %lld kernel %lldx%lld stride %lld "
             "pad %lld,%lld dilation %lld groups %lld",
             (long long) shape[0], (long long) shape[1], (long long) shape[2],
             (long long) shape[3], (long long) shape[4], (long long) shape[5],
             (long long) shape[6], (long long) shape[7], (long long) shape[8],
             (long long) shape[9], (long long) shape[10],
             (long long) shape[11]);
    scene->x = test_values(scene->sizes.x, 1);
    scene->w = test_values(scene->sizes.w, 2);
    scene->bias = test_values(conv->out_channels, 3);
    scene->gy = test_values(scene->sizes.y, 4);
    scene->reference.x = scene->x;
    scene->reference.w = scene->w;
    scene->reference.gy = scene->gy;
    scene->reference.y = zeros(scene->sizes.y);
    scene->reference.gx = zeros(scene->sizes.x);
    scene->reference.gw = zeros(scene->sizes.w);
    scene->reference.gbias = zeros(conv->out_channels);
    visit_all(conv, reference_product, &scene->reference);
    area = conv->out_height * conv->out_width;
    for (int64_t i = 0; i < scene->sizes.y; i++)
        scene->reference.gbias[i / area % conv->out_channels] += (double) scene
                                                                     ->gy[i];
}

static void scene_free(struct scene *scene)
{
    free(scene->x);
    free(scene->w);
    free(scene->bias);
    free(scene->gy);
    free(scene->reference.y);
    free(scene->reference.gx);
    free(scene->reference.gw);
    free(scene->reference.gbias);
}

/* Expect `actual` to be the reference (+ base). */
static void check(const struct scene *scene, const float *actual,
                  const double *reference, const float *base, int64_t n,
                  const char *what)
{
    double *expected = zeros(n);
    char text[192];

    for (int64_t i = 0; i < n; i++)
        expected[i] = reference[i] + (base ? (double) base[i] : 0.0);
    snprintf(text, sizeof text, "%s, %s", what, scene->name);
    test_all_close(actual, expected, n, TOLERANCE, text);
    free(expected);
}

static void check_forward(ub_context *context, struct scene *scene)
{
    const ub__conv *conv = &scene->conv;
    int64_t n = scene->sizes.y, area = conv->out_height * conv->out_width;
    float *y = test_garbage(n), *again = test_garbage(n);
    float *biases = test_garbage(n);

    test_scratch(context, ub__conv_scratch(context, conv));
    ub__conv_forward(context, conv, scene->x, scene->w, NULL, y);
    check(scene, y, scene->reference.y, NULL, n, "forward");
    ub__conv_forward(context, conv, scene->x, scene->w, NULL, again);
    test_same_bits(y, again, n);
    for (int64_t i = 0; i < n; i++)
        biases[i] = scene->bias[i / area % conv->out_channels];
    ub__conv_forward(context, conv, scene->x, scene->w, scene->bias, y);
    check(scene, y, scene->reference.y, biases, n, "forward with bias");
    free(y);
    free(again);
    free(biases);
}

static void check_data(ub_context *context, struct scene *scene)
{
    const ub__conv *conv = &scene->conv;
    int64_t n = scene->sizes.x;
    float *gx = test_garbage(n), *again = test_garbage(n);
    float *base = test_values(n, 5), *sum = test_copy(base, n);

    test_scratch(context, ub__conv_scratch(context, conv));
    ub__conv_backward_data(context, conv, scene->w, scene->gy, gx, 0);
    check(scene, gx, scene->reference.gx, NULL, n, "backward data");
    ub__conv_backward_data(context, conv, scene->w, scene->gy, again, 0);
    test_same_bits(gx, again, n);
    ub__conv_backward_data(context, conv, scene->w, scene->gy, sum, 1);
    check(scene, sum, scene->reference.gx, base, n, "backward data, added");
    free(gx);
    free(again);
    free(base);
    free(sum);
}

static void check_weight(ub_context *context, struct scene *scene)
{
    const ub__conv *conv = &scene->conv;
    int64_t n = scene->sizes.w, f = conv->out_channels;
    float *gw = test_garbage(n), *again = test_garbage(n);
    float *base = test_values(n, 6), *sum = test_copy(base, n);
    float *gbias = test_garbage(f), *bias = test_values(f, 7);
    float *bias_sum = test_copy(bias, f);

    test_scratch(context, ub__conv_scratch(context, conv));
    ub__conv_backward_weight(context, conv, scene->x, scene->gy, gw, gbias, 0);
    check(scene, gw, scene->reference.gw, NULL, n, "backward weight");
    check(scene, gbias, scene->reference.gbias, NULL, f, "backward bias");
    ub__conv_backward_weight(context, conv, scene->x, scene->gy, again, NULL,
                             0);
    test_same_bits(gw, again, n);
    ub__conv_backward_weight(context, conv, scene->x, scene->gy, sum, bias_sum,
                             1);
    check(scene, sum, scene->reference.gw, base, n, "backward weight, added");
    check(scene, bias_sum, scene->reference.gbias, bias, f,
          "backward bias, added");
    ub__conv_backward_weight(context, conv, scene->x, scene->gy, NULL, bias_sum,
                             0);
    test_same_bits(bias_sum, gbias, f);
    free(gw);
    free(again);
    free(base);
    free(sum);
    free(gbias);
    free(bias);
    free(bias_sum);
}

static void against_reference(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct scene scene;

        scene_init(&scene, shapes[i]);
        for (int number = 0; number < TEST_CONTEXTS; number++) {
            ub_context *context = test_variant(number);

            check_forward(context, &scene);
            check_data(context, &scene);
            check_weight(context, &scene);
            ub_context_destroy(&context);
        }
        scene_free(&scene);
    }
}

/* Constant maps, the worst there is for one long sum in float: every addition
 * to it is rounded the same way. Of the tap in the middle, which reads all of
 * the map. */
static void check_long_sums(ub_context *context, int64_t groups)
{
    const int64_t shape[] = { 64, 8, 32, 32, 8, 3, 3, 1, 1, 1, 1, groups };
    const ub__conv conv = conv_of(shape);
    const struct sizes sizes = sizes_of(&conv);
    const double expected = (double) 0.7f * (double) 0.3f * 64.0 * 32.0 * 32.0;
    float *x = test_garbage(sizes.x), *gy = test_garbage(sizes.y);
    float *gw = test_garbage(sizes.w);

    for (int64_t i = 0; i < sizes.x; i++)
        x[i] = 0.7f;
    for (int64_t i = 0; i < sizes.y; i++)
        gy[i] = 0.3f;
    test_scratch(context, ub__conv_scratch(context, &conv));
    ub__conv_backward_weight(context, &conv, x, gy, gw, NULL, 0);
    for (int64_t i = 4; i < sizes.w; i += 9)
        assert_close((double) gw[i], expected, LONG_SUM * expected);
    free(x);
    free(gy);
    free(gw);
}

static void long_sums(void **state)
{
    (void) state;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        check_long_sums(context, 1);
        check_long_sums(context, 2);
        check_long_sums(context, 8);
        ub_context_destroy(&context);
    }
}

/* The scratch memory must not grow with the layer without bound. */
static void scratch_is_small(void **state)
{
    static const int64_t large[][12] = {
        { 64, 64, 16, 16, 64, 5, 5, 1, 2, 2, 1, 1 },
        { 64, 64, 4, 4, 64, 5, 5, 1, 4, 4, 2, 1 },
        { 64, 512, 4, 4, 512, 3, 3, 1, 1, 1, 1, 1 },
        { 64, 512, 4, 4, 512, 5, 5, 1, 4, 4, 2, 1 },
        { 8, 64, 224, 224, 64, 3, 3, 1, 1, 1, 1, 1 },
        { 8, 3, 224, 224, 64, 7, 7, 2, 3, 3, 1, 1 },
        { 8, 64, 224, 224, 64, 3, 3, 1, 1, 1, 1, 64 },
        { 8, 64, 224, 224, 64, 5, 5, 2, 2, 2, 1, 64 },
    };
    ub_context *context = test_variant(1);

    (void) state;
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        const ub__conv conv = conv_of(large[i]);
        const size_t weights = (size_t) sizes_of(&conv).w * sizeof(float);
        const ub__scratch_size size = ub__conv_scratch(context, &conv);

        assert_in_range(size.worker, 1, 1024 * 1024);
        assert_in_range(size.shared, 0, 16 * 1024 * 1024 + 2 * weights);
    }
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_reference),
        cmocka_unit_test(long_sums),
        cmocka_unit_test(scratch_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
