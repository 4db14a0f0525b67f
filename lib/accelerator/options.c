/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char family_names[UB_CHUNK_FAMILIES][8] = { "a0", "a1", "dwa0",
                                                         "dwa1" };

/* -- presets ----------------------------------------------------------------
 */

static void set_values(ub_chunk_space *space, int dimension, int32_t n,
                       const int32_t *values)
{
    space->lengths[dimension] = n;
    memset(space->values[dimension], 0, sizeof(space->values[dimension]));
    memcpy(space->values[dimension], values, (size_t) n * sizeof(*values));
}

static void set_extents(ub_chunk_space *space, int32_t n, const int32_t *values)
{
    set_values(space, 0, n, values);
    set_values(space, 1, n, values);
}

static void set_channels(ub_chunk_space *space, int32_t most, int depthwise)
{
    const int32_t powers[] = { 32, 16, 8, 4, 2, 1 };
    const int32_t skipped = most == 32 ? 0 : most == 16 ? 1 : 2;

    set_values(space, 2, 6 - skipped, powers + skipped);
    if (depthwise)
        set_values(space, 3, 1, powers + 5);
    else
        set_values(space, 3, 6 - skipped, powers + skipped);
    space->modes = depthwise ? 3 : 7;
}

static void set_families(ub_chunk_space *families, int32_t preset)
{
    const int32_t large_cifar[] = { 16, 8, 4, 2, 1 };
    const int32_t small_cifar[] = { 4, 2, 1 };
    const int32_t large_imagenet[] = { 28, 14, 7, 2, 1 };
    const int32_t small_imagenet[] = { 7, 2, 1 };
    const int cifar = preset == UB_ACCELERATOR_CIFAR;

    for (int f = 0; f < UB_CHUNK_FAMILIES; f++) {
        if (f % 2 == 0) {
            set_extents(&families[f], 5, cifar ? large_cifar : large_imagenet);
            set_channels(&families[f], preset == UB_ACCELERATOR_EDD ? 16 : 8,
                         f >= UB_CHUNK_DEPTHWISE_LARGE);
        } else {
            set_extents(&families[f], 3, cifar ? small_cifar : small_imagenet);
            set_channels(&families[f], 32, f >= UB_CHUNK_DEPTHWISE_LARGE);
        }
    }
}

static void set_defaults(ub_accelerator_options *o, int32_t preset)
{
    if (preset != UB_ACCELERATOR_IMAGENET && preset != UB_ACCELERATOR_EDD)
        preset = UB_ACCELERATOR_CIFAR;
    *o = (ub_accelerator_options){
        .size = sizeof(*o),
        .clock_hz = 200e6,
        .dsp_limit = 900,
        .bram_limit = 700,
        .block_bits = 18000,
        .large_extent = preset == UB_ACCELERATOR_CIFAR ? 16 : 28,
        .max_replicas = 1,
        .setting = UB_ACCELERATOR_CORRECTED,
        .bit_widths = 3,
        .bits = { 4, 6, 8 },
    };
    set_families(o->families, preset);
}

/* -- checks -----------------------------------------------------------------
 */

static int values_valid(const ub_chunk_space *space, int dimension)
{
    const int32_t n = space->lengths[dimension];
    int32_t last = UB_CHUNK_MAX_TILE + 1;

    if (n < 1 || n > UB_CHUNK_MAX_VALUES)
        return 0;
    for (int32_t i = 0; i < n; i++) {
        if (space->values[dimension][i] < 1 ||
            space->values[dimension][i] >= last)
            return 0;
        last = space->values[dimension][i];
    }
    return 1;
}

static ub_status check_family(ub_context *context, const ub_chunk_space *space,
                              int family)
{
    const int depthwise = family >= UB_CHUNK_DEPTHWISE_LARGE;

    for (int d = 0; d < UB__DIMENSIONS; d++) {
        if (!values_valid(space, d))
            return ub__fail(context, UB_ERR_INVALID,
                            "accelerator: values %d of family %s are not "
                            "descending from %d to 1, or too many",
                            d, family_names[family], UB_CHUNK_MAX_TILE);
    }
    if (space->modes < 1 || space->modes > (depthwise ? 3 : 7) ||
        space->reserved != 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator: modes 0x%x of family %s, or its reserved "
                        "field is not 0",
                        (unsigned) space->modes, family_names[family]);
    if (depthwise && (space->lengths[3] != 1 || space->values[3][0] != 1))
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator: family %s has several input channels",
                        family_names[family]);
    return UB_OK;
}

static ub_status check_bits(ub_context *context,
                            const ub_accelerator_options *o)
{
    if (o->bit_widths < 1 || o->bit_widths > UB_CHUNK_MAX_BITS)
        return ub__fail(context, UB_ERR_INVALID, "accelerator: %d bit widths",
                        (int) o->bit_widths);
    for (int32_t i = 0; i < o->bit_widths; i++) {
        if (o->bits[i] < 1 || o->bits[i] > UB_WORKLOAD_MAX_BITS)
            return ub__fail(context, UB_ERR_INVALID, "accelerator: %d bits",
                            (int) o->bits[i]);
        for (int32_t j = 0; j < i; j++) {
            if (o->bits[i] == o->bits[j])
                return ub__fail(context, UB_ERR_INVALID,
                                "accelerator: %d bits are there twice",
                                (int) o->bits[i]);
        }
    }
    return UB_OK;
}

static ub_status check_limits(ub_context *context,
                              const ub_accelerator_options *o)
{
    if (!(o->clock_hz >= 1) || o->clock_hz > 1e15)
        return ub__fail(context, UB_ERR_INVALID, "accelerator: clock of %g Hz",
                        o->clock_hz);
    if (!(o->dsp_limit > 0) || o->bram_limit < 1 ||
        o->bram_limit > UB_ACCELERATOR_MAX_BRAM)
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator: limits of %g DSPs and %lld blocks",
                        o->dsp_limit, (long long) o->bram_limit);
    if (o->block_bits < 1 || o->block_bits > (int64_t) 1 << 40 ||
        o->large_extent < 1 || o->large_extent > UB_WORKLOAD_MAX_SIZE ||
        o->max_replicas < 1 || o->max_replicas > 1024)
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator: block bits, large extent or replicas "
                        "are out of range");
    if (o->setting != UB_ACCELERATOR_REFERENCE &&
        o->setting != UB_ACCELERATOR_CORRECTED)
        return ub__fail(context, UB_ERR_INVALID, "accelerator: setting %d",
                        (int) o->setting);
    return UB_OK;
}

static ub_status check(ub_context *context, const ub_accelerator_options *o)
{
    ub_status status = check_limits(context, o);

    if (status == UB_OK)
        status = check_bits(context, o);
    for (int f = 0; status == UB_OK && f < UB_CHUNK_FAMILIES; f++)
        status = check_family(context, &o->families[f], f);
    return status;
}

/* -- public --------------------------------------------------------------- */

void ub_accelerator_options_init(ub_accelerator_options *options, size_t size,
                                 int32_t preset)
{
    ub_accelerator_options full;

    set_defaults(&full, preset);
    ub__options_out(options, size, &full, sizeof(full));
}

void ub_accelerator_options_fix_mode(ub_accelerator_options *options,
                                     int32_t mode)
{
    if (options == NULL || mode < 0 || mode > 2)
        return;
    for (int f = 0; f < UB_CHUNK_FAMILIES; f++) {
        if (options->families[f].modes >> mode & 1)
            options->families[f].modes = (int32_t) 1 << mode;
    }
}

ub_status ub_accelerator_create(ub_context *context,
                                const ub_accelerator_options *options,
                                ub_accelerator **out)
{
    ub_accelerator_options full;
    ub_accelerator *accelerator;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "accelerator: out is NULL");
    set_defaults(&full, UB_ACCELERATOR_CIFAR);
    status = ub__options_in(context, "accelerator options", &full, sizeof(full),
                            sizeof(full), options);
    if (status == UB_OK)
        status = check(context, &full);
    if (status != UB_OK)
        return status;
    accelerator = ub__alloc(context, 1, sizeof(*accelerator));
    if (accelerator == NULL)
        return UB_ERR_NOMEM;
    *accelerator = (ub_accelerator){
        .context = context,
        .options = full,
        .chunks = (int64_t) full.bit_widths * UB_CHUNK_FAMILIES,
    };
    *out = accelerator;
    return UB_OK;
}

void ub_accelerator_destroy(ub_accelerator **accelerator)
{
    if (accelerator == NULL || *accelerator == NULL)
        return;
    ub__free((*accelerator)->context, *accelerator);
    *accelerator = NULL;
}

int64_t ub_accelerator_chunks(const ub_accelerator *accelerator)
{
    return accelerator->chunks;
}

ub_status ub_accelerator_chunk(const ub_accelerator *accelerator, int64_t index,
                               ub_chunk_info *out)
{
    ub_chunk_info info = { .size = sizeof(info) };

    if (accelerator == NULL)
        return UB_ERR_INVALID;
    if (index < 0 || index >= accelerator->chunks || out == NULL ||
        out->size < sizeof(*out))
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator: chunk %lld of %lld, or the size of the "
                        "result is not set",
                        (long long) index, (long long) accelerator->chunks);
    info.family = (int32_t) (index % UB_CHUNK_FAMILIES);
    info.bits = accelerator->options.bits[index / UB_CHUNK_FAMILIES];
    snprintf(info.name, sizeof(info.name), "%sq%d", family_names[info.family],
             (int) info.bits);
    ub__options_out(out, out->size, &info, sizeof(info));
    return UB_OK;
}
