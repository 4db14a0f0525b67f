/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <math.h>
#include <string.h>

#define LAYERS UB_HWBENCH_FBNET_LAYERS
#define SKIP   8
#define STEM   0
#define HEAD   (LAYERS + 1)
#define POOL   (LAYERS + 2)
#define LINEAR (LAYERS + 3)

/* Kernel, expansion and groups of the operators that are no skip. */
static const signed char blocks[SKIP][3] = { { 3, 1, 1 }, { 3, 1, 2 },
                                             { 3, 3, 1 }, { 3, 6, 1 },
                                             { 5, 1, 1 }, { 5, 1, 2 },
                                             { 5, 3, 1 }, { 5, 6, 1 } };

/* Layers, width, and stride of the first layer on CIFAR-100 and ImageNet. */
static const short stages[7][4] = { { 1, 16, 1, 1 },  { 4, 24, 1, 2 },
                                    { 4, 32, 2, 2 },  { 4, 64, 2, 2 },
                                    { 4, 112, 1, 1 }, { 4, 184, 2, 2 },
                                    { 1, 352, 1, 1 } };

/* A block between maps: `side` is that of its input. */
typedef struct place {
    int side, stride;
    int in, out; /* channels */
} place;

static int is_large(int32_t dataset)
{
    return dataset == UB_HWBENCH_IMAGENET;
}

static int classes_of(int32_t dataset)
{
    return is_large(dataset) ? 1000 : 100;
}

static int head_width(int32_t dataset)
{
    return is_large(dataset) ? 1984 : 1504;
}

/* Where the layer is, or what follows the last one. */
static place layer_place(int32_t dataset, int64_t layer)
{
    const int large = is_large(dataset);
    place p = { large ? 112 : 32, 1, 16, 16 };

    for (int stage = 0; stage < 7; stage++) {
        for (int i = 0; i < stages[stage][0]; i++) {
            p.stride = i == 0 ? stages[stage][2 + large] : 1;
            p.out = stages[stage][1];
            if (layer-- == 0)
                return p;
            p.side /= p.stride;
            p.in = p.out;
        }
    }
    return p;
}

static int is_block(int32_t dataset, int64_t block, int32_t op)
{
    return (dataset == UB_HWBENCH_CIFAR100 || is_large(dataset)) &&
           ub__hwbench_has_block(block, op);
}

/* -- parameters and multiply-accumulates ----------------------------------- */

typedef struct amount {
    int64_t parameters, flops;
} amount;

/* Square kernels over an output map; a batch norm behind it has two parameters
 * for each channel. */
static void add_conv(amount *a, int64_t in, int64_t out, int64_t kernel,
                     int64_t side, int64_t groups)
{
    const int64_t weights = in / groups * out * kernel * kernel;

    a->parameters += weights + 2 * out;
    a->flops += weights * side * side;
}

static amount layer_amount(int32_t dataset, int64_t layer, int32_t op)
{
    const place p = layer_place(dataset, layer);
    const int side = p.side / p.stride;
    amount a = { 0, 0 };

    if (op < SKIP) {
        const int kernel = blocks[op][0], groups = blocks[op][2];
        const int width = p.in * blocks[op][1];

        add_conv(&a, p.in, width, 1, p.side, groups);
        add_conv(&a, width, width, kernel, side, width);
        add_conv(&a, width, p.out, 1, side, groups);
    } else if (p.in != p.out || p.stride != 1) {
        add_conv(&a, p.in, p.out, 1, side, 1);
    }
    return a;
}

static amount block_amount(int32_t dataset, int64_t block, int32_t op)
{
    const place p = layer_place(dataset, block == STEM ? 0 : LAYERS);
    const int width = head_width(dataset), classes = classes_of(dataset);
    amount a = { 0, 0 };

    if (block == STEM) {
        add_conv(&a, 3, p.in, 3, p.side, 1);
    } else if (block == HEAD) {
        add_conv(&a, p.in, width, 1, p.side, 1);
    } else if (block == LINEAR) {
        a.parameters = (int64_t) width * classes + classes;
        a.flops = (int64_t) width * classes;
    } else if (block != POOL) {
        a = layer_amount(dataset, block - 1, op);
    }
    return a;
}

/* -- keys ------------------------------------------------------------------ */

static void layer_key(int32_t dataset, int64_t layer, int32_t op, char *text)
{
    const place p = layer_place(dataset, layer);

    if (op < SKIP)
        snprintf(text, UB_HWBENCH_KEY,
                 "ConvBlock_H%d_W%d_Cin%d_Cout%d_exp%d_kernel%d_stride%d"
                 "_group%d",
                 p.side, p.side, p.in, p.out, blocks[op][1], blocks[op][0],
                 p.stride, blocks[op][2]);
    else
        snprintf(text, UB_HWBENCH_KEY, "Skip_H%d_W%d_Cin%d_Cout%d_stride%d",
                 p.side, p.side, p.in, p.out, p.stride);
}

int ub__hwbench_has_block(int64_t block, int32_t op)
{
    const int is_layer = block > STEM && block < HEAD;

    return block >= STEM && block <= LINEAR && op >= 0 &&
           op < (is_layer ? UB_HWBENCH_FBNET_OPERATORS : 1);
}

double ub__hwbench_fbnet_form(int32_t standard, int32_t dataset, int64_t block,
                              int32_t op)
{
    amount a;

    if (standard != UB_HWBENCH_PARAMS && standard != UB_HWBENCH_FLOPS)
        return NAN;
    a = block_amount(dataset, block, op);
    return (double) (standard == UB_HWBENCH_PARAMS ? a.parameters : a.flops) /
           1e6;
}

void ub__hwbench_block_keys(ub__block_key keys[UB__HWBENCH_BLOCK_KEYS])
{
    ub__block_key *key = keys;

    for (int32_t slot = 0; slot < 2; slot++) {
        for (int64_t row = 0; row < UB__HWBENCH_FBNET_ROWS; row++) {
            const int64_t block = row / UB_HWBENCH_FBNET_OPERATORS;
            const int32_t op = (int32_t) (row % UB_HWBENCH_FBNET_OPERATORS);

            if (ub_hwbench_fbnet_key(ub__hwbench_fbnet_datasets[slot], block,
                                     op, key->text) != UB_OK)
                continue;
            key->row = row;
            key->slot = slot;
            key->seen = 0;
            key++;
        }
    }
}

int ub__hwbench_is_spare_key(const char *text, size_t size)
{
    static const char spare[] = "FC_Cin1504_Cout10";

    return size == sizeof(spare) - 1 && memcmp(text, spare, size) == 0;
}

const char *ub_hwbench_fbnet_operator_name(int32_t op)
{
    static const char names[UB_HWBENCH_FBNET_OPERATORS][12] = {
        "k3_e1",    "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1",
        "k5_e1_g2", "k5_e3",    "k5_e6", "skip"
    };

    return op >= 0 && op < UB_HWBENCH_FBNET_OPERATORS ? names[op] : NULL;
}

ub_status ub_hwbench_fbnet_key(int32_t dataset, int64_t block, int32_t op,
                               char *text)
{
    const place end = layer_place(dataset, LAYERS);
    const int width = head_width(dataset), large = is_large(dataset);

    if (!is_block(dataset, block, op) || text == NULL)
        return UB_ERR_INVALID;
    if (block == STEM)
        snprintf(text, UB_HWBENCH_KEY,
                 "ConvNorm_H%d_W%d_Cin3_Cout16_kernel3_stride%d_group1",
                 large ? 224 : 32, large ? 224 : 32, large ? 2 : 1);
    else if (block == HEAD)
        snprintf(text, UB_HWBENCH_KEY,
                 "ConvNorm_H%d_W%d_Cin%d_Cout%d_kernel1_stride1_group1",
                 end.side, end.side, end.in, width);
    else if (block == POOL)
        snprintf(text, UB_HWBENCH_KEY,
                 "AvgP_H%d_W%d_Cin%d_Cout%d_kernel%d_stride1", end.side,
                 end.side, width, width, end.side);
    else if (block == LINEAR)
        snprintf(text, UB_HWBENCH_KEY, "FC_Cin%d_Cout%d", width,
                 classes_of(dataset));
    else
        layer_key(dataset, block - 1, op, text);
    return UB_OK;
}
