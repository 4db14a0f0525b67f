/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ten classes that a small network can learn, for machines with no data: five
 * shapes and five textures of random colour, place, size and angle, under
 * noise. Sums, products and square roots only, so that the same seed gives the
 * same pixels everywhere.
 */
#include "dataset/dataset.h"

#include <math.h>

#define CLASSES 10
#define SIDE    32
#define GRID    6

static const char class_names[CLASSES][12] = { "disc",    "square", "triangle",
                                               "cross",   "ring",   "stripes",
                                               "checker", "dots",   "ripples",
                                               "clouds" };

/* What differs between two images of a class. */
typedef struct drawing {
    float cos, sin; /* of the angle */
    float x, y;     /* centre; the image spans -1 to 1 */
    float radius;   /* of a shape */
    float period;   /* of a texture */
    float slope_x;  /* change of brightness over the image */
    float slope_y;
    float noise;        /* amplitude */
    float softness;     /* width of an edge */
    float colors[2][3]; /* background, foreground */
    float grid[GRID][GRID];
} drawing;

static float uniform(ub_rng *rng, float low, float high)
{
    return low + (high - low) * (float) ub_rng_uniform(rng);
}

/* A random direction, without the last-digit differences of sine and cosine. */
static void draw_angle(ub_rng *rng, drawing *d)
{
    float x = 0;
    float y = 0;
    float square = 0;
    do {
        x = uniform(rng, -1, 1);
        y = uniform(rng, -1, 1);
        square = x * x + y * y;
    } while (square > 1 || square < 0.01F);
    d->cos = x / sqrtf(square);
    d->sin = y / sqrtf(square);
}

static void draw_parameters(ub_rng *rng, int64_t side, drawing *d)
{
    draw_angle(rng, d);
    d->x = uniform(rng, -0.3F, 0.3F);
    d->y = uniform(rng, -0.3F, 0.3F);
    d->radius = uniform(rng, 0.35F, 0.7F);
    d->period = uniform(rng, 0.35F, 0.7F);
    d->slope_x = uniform(rng, -40, 40);
    d->slope_y = uniform(rng, -40, 40);
    d->noise = uniform(rng, 10, 60);
    d->softness = 2.0F / (float) side;
    for (int c = 0; c < 3; c++) {
        int background = (int) ub_rng_below(rng, 256);
        int foreground = (background + 64 + (int) ub_rng_below(rng, 129)) % 256;
        d->colors[0][c] = (float) background;
        d->colors[1][c] = (float) foreground;
    }
    for (int i = 0; i < GRID * GRID; i++)
        d->grid[i / GRID][i % GRID] = (float) ub_rng_uniform(rng);
}

static float clamp(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* 0 at whole numbers, 1 halfway. */
static float wave(float x)
{
    return 1 - 2 * fabsf(x - floorf(x) - 0.5F);
}

/* Distance from the edge of a shape, negative inside. */
static float shape_distance(int label, float u, float v, float radius)
{
    float a = fabsf(u);
    float b = fabsf(v);
    float slant = 0.8660254F * a + 0.5F * v;
    switch (label) {
    case 0: return sqrtf(u * u + v * v) - radius;
    case 1: return fmaxf(a, b) - 0.85F * radius;
    case 2: return fmaxf(slant, -v) - 0.6F * radius;
    case 3:
        return fminf(fmaxf(a, b - 0.7F * radius), fmaxf(a - 0.7F * radius, b)) -
               0.3F * radius;
    default: return fabsf(sqrtf(u * u + v * v) - 0.8F * radius) - 0.2F * radius;
    }
}

/* Smooth noise between random values on a grid. */
static float cloud(const drawing *d, float u, float v)
{
    float x = clamp((u + 1.5F) * (GRID - 1) / 3, 0, GRID - 1.001F);
    float y = clamp((v + 1.5F) * (GRID - 1) / 3, 0, GRID - 1.001F);
    int i = (int) x;
    int j = (int) y;
    float p = x - (float) i;
    float q = y - (float) j;
    float top = d->grid[j][i] * (1 - p) + d->grid[j][i + 1] * p;
    float bottom = d->grid[j + 1][i] * (1 - p) + d->grid[j + 1][i + 1] * p;
    return top * (1 - q) + bottom * q;
}

/* How much of the foreground colour a texture has at a point, 0 to 1. */
static float texture(const drawing *d, int label, float u, float v)
{
    float a = wave(u / d->period);
    float b = wave(v / d->period);
    switch (label) {
    case 5: return clamp(4 * a - 1.5F, 0, 1);
    case 6: return clamp(16 * (a - 0.5F) * (b - 0.5F) + 0.5F, 0, 1);
    case 7: return clamp(4 * (a + b) - 5.5F, 0, 1);
    case 8:
        return clamp(4 * wave(sqrtf(u * u + v * v) / d->period) - 1.5F, 0, 1);
    default: return clamp(3 * cloud(d, u, v) - 1, 0, 1);
    }
}

static float coverage(const drawing *d, int label, float x, float y)
{
    float u = d->cos * (x - d->x) + d->sin * (y - d->y);
    float v = d->cos * (y - d->y) - d->sin * (x - d->x);
    if (label >= 5)
        return texture(d, label, u, v);
    return clamp(0.5F - shape_distance(label, u, v, d->radius) / d->softness, 0,
                 1);
}

/* Sum of four random bytes about 0: near enough to normal, within +-1. */
static float noise(uint32_t bits)
{
    uint32_t sum = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) +
                   (bits >> 24);
    return ((float) sum - 510) / 510;
}

static void draw_image(ub_rng *rng, int label, int64_t side, uint8_t *pixels)
{
    drawing d;
    draw_parameters(rng, side, &d);
    int64_t area = side * side;
    for (int64_t i = 0; i < area; i++) {
        float x = (2 * (float) (i % side) + 1) / (float) side - 1;
        float y = (2 * (float) (i / side) + 1) / (float) side - 1;
        float share = coverage(&d, label, x, y);
        float light = d.slope_x * x + d.slope_y * y;
        for (int c = 0; c < 3; c++) {
            float value = d.colors[0][c] * (1 - share) + d.colors[1][c] * share;
            uint32_t bits = (uint32_t) (ub_rng_u64(rng) >> 32);
            value += light + d.noise * noise(bits);
            pixels[c * area + i] = (uint8_t) clamp(value + 0.5F, 0, 255);
        }
    }
}

typedef struct draw_job {
    ub__images *images;
    uint64_t seed;
    uint64_t first_stream;
} draw_job;

static void draw_task(void *arg, int64_t task, int worker)
{
    (void) worker;
    const draw_job *job = arg;
    ub_rng rng;
    ub_rng_init(&rng, job->seed, job->first_stream + (uint64_t) task);
    int label = (int) (task % CLASSES);
    job->images->labels[task] = label;
    draw_image(&rng, label, job->images->height,
               job->images->pixels + task * ub__images_bytes(job->images));
}

static ub_status draw_set(ub_context *context, uint64_t seed, int test,
                          int64_t count, int64_t side, ub__images **out)
{
    ub__images *images = NULL;
    ub_status status = ub__images_create(context, "synthetic", 3, side, side,
                                         CLASSES, &images);
    if (status)
        return status;
    for (int i = 0; i < CLASSES; i++)
        snprintf(images->class_names[i], UB__CLASS_NAME, "%s", class_names[i]);
    status = ub__images_reserve(images, count);
    if (status) {
        ub__images_unref(&images);
        return status;
    }
    draw_job job = { images, seed, (uint64_t) test << 62 };
    ub__parallel(context, count, draw_task, &job);
    images->count = count;
    *out = images;
    return UB_OK;
}

ub_status ub__synthetic_draw(ub_context *context, uint64_t seed, int64_t train,
                             int64_t test, int64_t image_size,
                             ub__image_sets *out)
{
    int64_t side = image_size ? image_size : SIDE;
    ub__images *drawn = NULL;
    ub_status status = draw_set(context, seed, 0, train, side, &drawn);
    if (status)
        return status;
    status = draw_set(context, seed, 1, test, side, &out->test);
    if (status) {
        ub__images_unref(&drawn);
        return status;
    }
    out->train = drawn;
    return UB_OK;
}
