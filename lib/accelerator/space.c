/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

#include <string.h>

const ub_chunk_space *ub__chunk_space_of(const ub_accelerator *accelerator,
                                         int64_t chunk)
{
    return &accelerator->options.families[chunk % UB_CHUNK_FAMILIES];
}

int ub__chunk_depthwise(int64_t chunk)
{
    return chunk % UB_CHUNK_FAMILIES >= UB_CHUNK_DEPTHWISE_LARGE;
}

int ub__chunk_modes(const ub_chunk_space *space, int32_t modes[3])
{
    int n = 0;

    for (int32_t mode = 0; mode < 3; mode++) {
        if (space->modes >> mode & 1)
            modes[n++] = mode;
    }
    return n;
}

/* The smallest values of everything. */
static void set_smallest(const ub_chunk_space *space, int32_t *configuration)
{
    int32_t modes[3];

    ub__chunk_modes(space, modes);
    configuration[UB_CHUNK_MODE] = modes[0];
    for (int d = 0; d < UB__DIMENSIONS; d++) {
        const int32_t value = space->values[d][space->lengths[d] - 1];

        configuration[UB_CHUNK_TILE_ROWS + d] = value;
        configuration[UB_CHUNK_UNROLL_ROWS + d] = value;
    }
}

void ub__chunks_fill(const ub_accelerator *accelerator, const ub__load *load,
                     int32_t *configuration)
{
    for (int64_t c = 0; c < accelerator->chunks; c++) {
        if (load->start[c] == load->start[c + 1])
            set_smallest(ub__chunk_space_of(accelerator, c),
                         configuration + c * UB_CHUNK_FIELDS);
    }
}

void ub__chunk_draw(const ub_chunk_space *space, ub_rng *rng,
                    int32_t *configuration)
{
    int32_t modes[3];
    const int n = ub__chunk_modes(space, modes);

    configuration[UB_CHUNK_MODE] = modes[ub_rng_below(rng, (uint64_t) n)];
    for (int d = 0; d < UB__DIMENSIONS; d++) {
        const uint64_t length = (uint64_t) space->lengths[d];
        const uint64_t tile = ub_rng_below(rng, length);
        const uint64_t unroll = tile + ub_rng_below(rng, length - tile);

        configuration[UB_CHUNK_TILE_ROWS + d] = space->values[d][tile];
        configuration[UB_CHUNK_UNROLL_ROWS + d] = space->values[d][unroll];
    }
}

/* -- decisions --------------------------------------------------------------
 */

/* Which chunks count. */
static ub_status find_used(const ub_accelerator *a, const ub_workload *workload,
                           int used[UB__MAX_CHUNKS])
{
    ub_status status = UB_OK;

    for (int64_t c = 0; c < a->chunks; c++)
        used[c] = workload == NULL;
    if (workload != NULL)
        status = ub__workload_check(a, workload);
    for (int64_t i = 0; status == UB_OK && workload != NULL && i < workload->n;
         i++)
        used[ub_accelerator_chunk_of(a, workload, i)] = 1;
    return status;
}

/* Number of choices of a field. */
static int32_t field_choices(const ub_chunk_space *space, int field)
{
    int32_t modes[3];

    if (field == UB_CHUNK_MODE)
        return ub__chunk_modes(space, modes);
    return space->lengths[(field - 1) % UB__DIMENSIONS];
}

/* The value behind a choice. */
static int32_t field_value(const ub_chunk_space *space, int field,
                           int32_t choice)
{
    int32_t modes[3];

    if (field == UB_CHUNK_MODE) {
        ub__chunk_modes(space, modes);
        return modes[choice];
    }
    return space->values[(field - 1) % UB__DIMENSIONS][choice];
}

/* -1 when there is none. */
static int32_t field_choice(const ub_chunk_space *space, int field,
                            int32_t value)
{
    for (int32_t i = 0; i < field_choices(space, field); i++) {
        if (field_value(space, field, i) == value)
            return i;
    }
    return -1;
}

static ub_status refuse(const ub_accelerator *a, int64_t chunk, int field,
                        const char *what, int32_t value)
{
    return ub__fail(a->context, UB_ERR_INVALID,
                    "accelerator: field %d of chunk %lld has no %s %d", field,
                    (long long) chunk, what, (int) value);
}

/* -- public --------------------------------------------------------------- */

ub_status ub_accelerator_decisions(const ub_accelerator *accelerator,
                                   const ub_workload *workload, int64_t max,
                                   int32_t *choices, int32_t *groups,
                                   int32_t *ordered, int64_t *n)
{
    int used[UB__MAX_CHUNKS];
    int32_t group = 0;
    int64_t at = 0;
    ub_status status;

    if (accelerator == NULL)
        return UB_ERR_INVALID;
    if (n == NULL || max < 0)
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator: n is NULL, or room for %lld decisions",
                        (long long) max);
    status = find_used(accelerator, workload, used);
    if (status != UB_OK)
        return status;
    for (int64_t c = 0; c < accelerator->chunks; c++) {
        for (int f = 0; used[c] && f < UB_CHUNK_FIELDS; f++, at++) {
            if (at < max && choices != NULL)
                choices[at] = field_choices(ub__chunk_space_of(accelerator, c),
                                            f);
            if (at < max && groups != NULL)
                groups[at] = group;
            if (at < max && ordered != NULL)
                ordered[at] = f != UB_CHUNK_MODE;
        }
        group += used[c];
    }
    *n = at;
    return UB_OK;
}

/* What both ways between configurations and choices begin with. */
static ub_status begin(const ub_accelerator *accelerator,
                       const ub_workload *workload,
                       const int32_t *configuration, const int32_t *choices,
                       int used[UB__MAX_CHUNKS])
{
    if (accelerator == NULL)
        return UB_ERR_INVALID;
    if (configuration == NULL || choices == NULL)
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator: configuration or choices are NULL");
    return find_used(accelerator, workload, used);
}

ub_status ub_accelerator_encode(const ub_accelerator *accelerator,
                                const ub_workload *workload,
                                const int32_t *configuration, int32_t *choices)
{
    int32_t found[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    int used[UB__MAX_CHUNKS];
    ub_status status;
    size_t at = 0;

    status = begin(accelerator, workload, configuration, choices, used);
    if (status != UB_OK)
        return status;
    for (int64_t c = 0; c < accelerator->chunks; c++) {
        for (int f = 0; used[c] && f < UB_CHUNK_FIELDS; f++) {
            const int32_t value = configuration[c * UB_CHUNK_FIELDS + f];

            found[at] = field_choice(ub__chunk_space_of(accelerator, c), f,
                                     value);
            if (found[at++] < 0)
                return refuse(accelerator, c, f, "value", value);
        }
    }
    memcpy(choices, found, at * sizeof(*found));
    return UB_OK;
}

ub_status ub_accelerator_decode(const ub_accelerator *accelerator,
                                const ub_workload *workload,
                                const int32_t *choices, int32_t *configuration)
{
    int32_t made[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    int used[UB__MAX_CHUNKS];
    ub_status status;
    int64_t at = 0;

    status = begin(accelerator, workload, configuration, choices, used);
    if (status != UB_OK)
        return status;
    for (int64_t c = 0; c < accelerator->chunks; c++) {
        const ub_chunk_space *space = ub__chunk_space_of(accelerator, c);

        set_smallest(space, made + c * UB_CHUNK_FIELDS);
        for (int f = 0; used[c] && f < UB_CHUNK_FIELDS; f++, at++) {
            if (choices[at] < 0 || choices[at] >= field_choices(space, f))
                return refuse(accelerator, c, f, "choice", choices[at]);
            made[c * UB_CHUNK_FIELDS + f] = field_value(space, f, choices[at]);
        }
    }
    memcpy(configuration, made,
           (size_t) accelerator->chunks * UB_CHUNK_FIELDS * sizeof(*made));
    return UB_OK;
}
