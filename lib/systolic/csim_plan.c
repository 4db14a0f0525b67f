/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"

#include <string.h>

/* All of it stays below 1 GiB. */
#define MAX_OPS ((int64_t) 1 << 23)

/* -- storage --------------------------------------------------------------- */

int ub__csim_grow(ub_context *context, void *array, int64_t *room, int64_t n,
                  size_t size)
{
    int64_t wanted = *room > 0 ? *room : 64;
    void *old, *grown;

    if (n <= *room)
        return 1;
    while (wanted < n)
        wanted *= 2;
    memcpy(&old, array, sizeof(old));
    grown = ub__realloc(context, old, (size_t) *room, (size_t) wanted, size);
    if (grown == NULL)
        return 0;
    memcpy(array, &grown, sizeof(grown));
    *room = wanted;
    return 1;
}

ub_status ub__csim_plan_rounds(ub__csim_plan *plan, int64_t n)
{
    if (!ub__csim_grow(plan->context, &plan->rounds, &plan->room_rounds, n,
                       sizeof(*plan->rounds)))
        return UB_ERR_NOMEM;
    for (; plan->n_rounds < n; plan->n_rounds++)
        plan->rounds[plan->n_rounds] = (ub__csim_round){ -1, 0, -1, 0 };
    return UB_OK;
}

void ub__csim_plan_free(ub__csim_plan *plan)
{
    for (int i = 0; i < UB__CSIM_KINDS; i++)
        ub__interconnect_destroy(&plan->network[i]);
    ub__free(plan->context, plan->tiles);
    ub__free(plan->context, plan->ops);
    ub__free(plan->context, plan->adds);
    ub__free(plan->context, plan->rounds);
}

void ub__csim_plan_insert(ub__csim_plan *plan, int32_t op)
{
    ub__csim_op *o = &plan->ops[op];
    ub__csim_round *round = &plan->rounds[o->round];
    int32_t *link = &round->op;

    while (*link >= 0 && plan->ops[*link].array < o->array)
        link = &plan->ops[*link].next;
    o->next = *link;
    *link = op;
    round->ops++;
    if (o->round > plan->last_main)
        plan->last_main = o->round;
}

void ub__csim_plan_insert_add(ub__csim_plan *plan, int32_t add)
{
    ub__csim_add *a = &plan->adds[add];
    ub__csim_round *round = &plan->rounds[a->round];
    int32_t *link = &round->add;

    while (*link >= 0 && plan->adds[*link].adder < a->adder)
        link = &plan->adds[*link].next;
    a->next = *link;
    *link = add;
    round->adds++;
    if (a->round > plan->last_post)
        plan->last_post = a->round;
}

/* -- tiles ----------------------------------------------------------------- */

/* A product, cut. */
typedef struct product {
    const ub__csim_layer *layer;
    int32_t tiles[3];   /* of m, k and n */
    int32_t x, w, p;    /* first tile of each kind */
    int32_t op;         /* first */
    int32_t start, end; /* rounds */
    int32_t open;       /* no round before it has room */
} product;

static int64_t tiles_of(int64_t extent, int64_t size)
{
    return (extent - 1) / size + 1;
}

static int32_t part(int64_t extent, int64_t size, int64_t i)
{
    const int64_t rest = extent - i * size;

    return (int32_t) (rest < size ? rest : size);
}

static ub__csim_tile tile_of(const ub__csim_machine *machine, int kind,
                             int32_t rows, int32_t columns, int64_t area)
{
    ub__csim_tile tile = { .rows = rows, .columns = columns };

    tile.bytes = (int32_t) ((int64_t) rows * columns * machine->bytes[kind] /
                            area);
    tile.kind = (uint8_t) kind;
    tile.next = tile.previous = tile.write_next = -1;
    return tile;
}

/* Inputs and weights take the banks in turn. */
static void make_operands(ub__csim_plan *plan, const product *p)
{
    const ub__csim_machine *machine = plan->machine;
    const ub__csim_layer *layer = p->layer;
    const int32_t arrays = (int32_t) machine->hardware.arrays;
    ub__csim_tile *x = plan->tiles + p->x, *w = plan->tiles + p->w;
    int32_t bank = 0;

    for (int32_t j = 0; j < p->tiles[1]; j++) {
        const int32_t depth = part(layer->k, machine->tile_k, j);

        for (int32_t i = 0; i < p->tiles[0]; i++, x++) {
            *x = tile_of(machine, UB__CSIM_X,
                         part(layer->m, machine->tile_m, i), depth,
                         layer->area);
            x->on_chip = (uint8_t) layer->on_chip;
            x->bank = bank;
            bank = (bank + 1) % arrays;
        }
    }
    bank = 0;
    for (int32_t j = 0; j < p->tiles[1]; j++) {
        for (int32_t k = 0; k < p->tiles[2]; k++, w++) {
            *w = tile_of(machine, UB__CSIM_W,
                         part(layer->k, machine->tile_k, j),
                         part(layer->n, machine->tile_n, k), 1);
            w->bank = bank;
            bank = (bank + 1) % arrays;
        }
    }
}

static void make_ops(ub__csim_plan *plan, const product *p)
{
    ub__csim_op *op = plan->ops + p->op;
    int32_t at = p->p;

    for (int32_t j = 0; j < p->tiles[1]; j++) {
        for (int32_t i = 0; i < p->tiles[0]; i++) {
            for (int32_t k = 0; k < p->tiles[2]; k++, op++, at++) {
                *op = (ub__csim_op){ .x = p->x + j * p->tiles[0] + i,
                                     .w = p->w + j * p->tiles[2] + k,
                                     .p = at,
                                     .pin = -1,
                                     .next = -1 };
                plan->tiles[at] = tile_of(plan->machine, UB__CSIM_P,
                                          plan->tiles[op->x].rows,
                                          plan->tiles[op->w].columns, 1);
            }
        }
    }
}

/* -- placing --------------------------------------------------------------- */

/* Whether another tile of the same bank is used in the round. */
static int bank_taken(const ub__csim_plan *plan, const ub__csim_op *op,
                      const ub__csim_round *round)
{
    const int32_t x = plan->tiles[op->x].bank, w = plan->tiles[op->w].bank;

    for (int32_t i = round->op; i >= 0; i = plan->ops[i].next) {
        const ub__csim_op *other = &plan->ops[i];

        if (other->x != op->x && plan->tiles[other->x].bank == x)
            return 1;
        if (other->w != op->w && plan->tiles[other->w].bank == w)
            return 1;
    }
    return 0;
}

static void open_routes(const ub__csim_plan *plan, const ub__csim_round *round)
{
    for (int kind = 0; kind < UB__CSIM_KINDS; kind++)
        ub__interconnect_reset(plan->network[kind]);
    for (int32_t i = round->op; i >= 0; i = plan->ops[i].next) {
        const ub__csim_op *op = &plan->ops[i];
        const int32_t tile[UB__CSIM_KINDS] = { op->x, op->w, op->p };

        for (int kind = 0; kind < UB__CSIM_KINDS; kind++)
            (void) ub__interconnect_route(
                plan->network[kind], plan->tiles[tile[kind]].bank, op->array);
    }
}

static int result_bank_free(const ub__csim_plan *plan,
                            const ub__csim_round *round, int32_t bank)
{
    for (int32_t i = round->op; i >= 0; i = plan->ops[i].next) {
        if (plan->tiles[plan->ops[i].p].bank == bank)
            return 0;
    }
    return 1;
}

/* The lowest free array and result bank with free routes. */
static int find_route(const ub__csim_plan *plan, ub__csim_op *op,
                      const ub__csim_round *round)
{
    const int32_t arrays = (int32_t) plan->machine->hardware.arrays;
    int32_t busy = round->op;

    open_routes(plan, round);
    for (int32_t array = 0; array < arrays; array++) {
        if (busy >= 0 && plan->ops[busy].array == array) {
            busy = plan->ops[busy].next;
            continue;
        }
        if (!ub__interconnect_free(plan->network[UB__CSIM_X],
                                   plan->tiles[op->x].bank, array) ||
            !ub__interconnect_free(plan->network[UB__CSIM_W],
                                   plan->tiles[op->w].bank, array))
            continue;
        for (int32_t bank = 0; bank < arrays; bank++) {
            if (!ub__interconnect_free(plan->network[UB__CSIM_P], bank,
                                       array) ||
                !result_bank_free(plan, round, bank))
                continue;
            op->array = array;
            plan->tiles[op->p].bank = bank;
            return 1;
        }
    }
    return 0;
}

static int fits(const ub__csim_plan *plan, ub__csim_op *op,
                const ub__csim_round *round)
{
    if (round->ops == plan->machine->hardware.arrays ||
        bank_taken(plan, op, round))
        return 0;
    if (!ub__interconnect_open(plan->network[UB__CSIM_X]))
        return find_route(plan, op, round);
    /* without refusals arrays and result banks fill up from below */
    op->array = plan->tiles[op->p].bank = round->ops;
    return 1;
}

/* A round that takes no more ops, whichever: on a bus its one source of results
 * is taken. */
static int full(const ub__csim_plan *plan, const ub__csim_round *round)
{
    const ub_hardware *hardware = &plan->machine->hardware;

    return round->ops == hardware->arrays ||
           (hardware->interconnect == UB_INTERCONNECT_BUS && round->ops > 0);
}

static ub_status place(ub__csim_plan *plan, product *p, int32_t op)
{
    ub__csim_op *o = &plan->ops[op];
    int32_t r = p->open;
    ub_status status;

    while (r < plan->n_rounds && full(plan, &plan->rounds[r]))
        r++;
    p->open = r;
    while (r < plan->n_rounds && !fits(plan, o, &plan->rounds[r]))
        r++;
    if (r == plan->n_rounds) {
        status = ub__csim_plan_rounds(plan, (int64_t) r + 1);
        if (status != UB_OK)
            return status;
        (void) fits(plan, o, &plan->rounds[r]); /* nothing is in its way */
    }
    o->round = r;
    ub__csim_plan_insert(plan, op);
    if (r > p->end)
        p->end = r;
    return UB_OK;
}

/* -- layers ---------------------------------------------------------------- */

static ub_status too_large(ub_context *context)
{
    return ub__fail(context, UB_ERR_RANGE,
                    "systolic: more than %lld tiles to multiply, or tiles of "
                    "more than %lld bytes",
                    (long long) MAX_OPS, (long long) INT32_MAX);
}

/* How many tiles and ops; UB_ERR_RANGE. */
static ub_status count(const ub__csim_plan *plan, product *p, int64_t *ops)
{
    const ub__csim_machine *machine = plan->machine;
    const ub__csim_layer *layer = p->layer;
    const int64_t tiles[3] = { tiles_of(layer->m, machine->tile_m),
                               tiles_of(layer->k, machine->tile_k),
                               tiles_of(layer->n, machine->tile_n) };
    int64_t all;

    if (!ub__mul_int64(tiles[0], tiles[1], &all) ||
        !ub__mul_int64(all, tiles[2], &all) ||
        !ub__mul_int64(all, machine->repeats, ops) ||
        *ops > MAX_OPS - plan->n_ops * machine->repeats)
        return too_large(plan->context);
    for (int i = 0; i < 3; i++)
        p->tiles[i] = (int32_t) tiles[i];
    *ops = all;
    return UB_OK;
}

static ub_status place_product(ub__csim_plan *plan, product *p)
{
    int64_t ops, x, w;
    ub_status status = count(plan, p, &ops);

    if (status != UB_OK)
        return status;
    x = (int64_t) p->tiles[0] * p->tiles[1];
    w = (int64_t) p->tiles[1] * p->tiles[2];
    p->x = (int32_t) plan->n_tiles;
    p->w = p->x + (int32_t) x;
    p->p = p->w + (int32_t) w;
    p->op = (int32_t) plan->n_ops;
    if (!ub__csim_grow(plan->context, &plan->tiles, &plan->room_tiles,
                       p->p + ops, sizeof(*plan->tiles)) ||
        !ub__csim_grow(plan->context, &plan->ops, &plan->room_ops,
                       plan->n_ops + ops, sizeof(*plan->ops)))
        return UB_ERR_NOMEM;
    plan->n_tiles = p->p + ops;
    plan->n_ops += ops;
    make_operands(plan, p);
    make_ops(plan, p);
    p->open = p->start;
    status = ub__csim_plan_rounds(plan, p->start);
    for (int64_t i = 0; i < ops && status == UB_OK; i++)
        status = place(plan, p, p->op + (int32_t) i);
    if (status == UB_OK)
        status = ub__csim_plan_sums(plan, p->op, p->tiles, &p->end);
    return status;
}

/* The last round of a layer, that of what it waits for when it has none. */
static ub_status place_layer(ub__csim_plan *plan, const ub__csim_layer *layer,
                             int32_t *ends, int64_t at)
{
    product p = { .layer = layer };
    ub_status status = UB_OK;

    for (int64_t i = 0; i < layer->n_inputs; i++) {
        if (ends[layer->inputs[i]] >= p.start)
            p.start = ends[layer->inputs[i]] + 1;
    }
    p.end = p.start - 1;
    for (int64_t i = 0; i < layer->count && status == UB_OK; i++)
        status = place_product(plan, &p);
    ends[at] = p.end;
    return status;
}

static int tiles_countable(const ub__csim_machine *machine)
{
    const int64_t sides[UB__CSIM_KINDS][2] = {
        { machine->tile_m, machine->tile_k },
        { machine->tile_k, machine->tile_n },
        { machine->tile_m, machine->tile_n },
    };

    for (int kind = 0; kind < UB__CSIM_KINDS; kind++) {
        int64_t bytes;

        if (!ub__mul_int64(sides[kind][0], sides[kind][1], &bytes) ||
            !ub__mul_int64(bytes, machine->bytes[kind], &bytes) ||
            bytes > INT32_MAX)
            return 0;
    }
    return 1;
}

ub_status ub__csim_plan_make(ub__csim_plan *plan, const ub__csim_layer *layers,
                             int64_t n)
{
    int32_t *ends;
    ub_status status = UB_OK;

    if (!tiles_countable(plan->machine))
        return too_large(plan->context);
    for (int i = 0; i < UB__CSIM_KINDS && status == UB_OK; i++)
        status = ub__interconnect_create(
            plan->context, &plan->machine->hardware, &plan->network[i]);
    if (status != UB_OK)
        return status;
    ends = ub__alloc(plan->context, (size_t) n, sizeof(*ends));
    if (ends == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n && status == UB_OK; i++)
        status = place_layer(plan, &layers[i], ends, i);
    ub__free(plan->context, ends);
    return status == UB_OK ? ub__csim_plan_repeat(plan) : status;
}
