/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

#include <string.h>
#include <zlib.h>

/* Bytes of integers, so that no padding counts. */
static uLong add(uLong crc, int64_t value)
{
    return crc32(crc, (const Bytef *) &value, sizeof(value));
}

static uLong add_operators(uLong crc, const ub__operator *list, int64_t n)
{
    crc = add(crc, n);
    for (int64_t i = 0; i < n; i++) {
        const ub__operator *op = &list[i];

        crc = crc32(crc, (const Bytef *) op->name, (uInt) strlen(op->name) + 1);
        crc = add(add(add(crc, op->n_steps), op->zero), op->residual);
        for (int64_t s = 0; s < op->n_steps; s++) {
            const ub_operator_step *step = &op->steps[s];

            crc = add(add(add(crc, step->kind), step->relu), step->kernel);
            crc = add(add(crc, step->dilation), step->expansion);
            crc = add(crc, step->groups);
        }
    }
    return crc;
}

uint32_t ub__space_digest(const ub_space *space)
{
    uLong crc = add_operators(crc32(0, NULL, 0), space->operators,
                              space->n_operators);

    for (int64_t i = 0; i < space->n_edges; i++)
        crc = add(add(crc, space->edges[i].from), space->edges[i].to);
    for (int64_t i = 0; i < space->n_cells; i++) {
        const ub__cell *cell = &space->cells[i];

        crc = add(add(add(crc, cell->width), cell->stride), cell->pool_after);
        crc = add(add(crc, cell->out_height), cell->out_width);
        crc = add_operators(crc, cell->summed, cell->n_summed);
    }
    return (uint32_t) crc;
}
