/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"

/* -- chains ---------------------------------------------------------------- */

/* The ops of one tile of m and n, by their tile of k. */
typedef struct column {
    ub__csim_plan *plan;
    int32_t first, step; /* ops */
    int32_t depth;       /* tiles of k */
    int32_t *open;       /* those that start from nothing yet, linked by k */
    int32_t *left;       /* what nobody takes up */
    int32_t n_left;
} column;

static int32_t op_of(const column *c, int32_t j)
{
    return c->first + j * c->step;
}

/* Whether the bank of a result may be read for an op of the round. */
static int may_read(const ub__csim_plan *plan, int32_t from, int32_t to)
{
    ub__interconnect *network = plan->network[UB__CSIM_P];
    const ub__csim_round *round = &plan->rounds[plan->ops[to].round];
    const int32_t bank = plan->tiles[plan->ops[from].p].bank;
    const int open = ub__interconnect_open(network);

    if (!open)
        ub__interconnect_reset(network);
    for (int32_t i = round->op; i >= 0; i = plan->ops[i].next) {
        const ub__csim_op *op = &plan->ops[i];
        int32_t other;

        if (op->pin < 0)
            continue;
        other = plan->tiles[plan->ops[op->pin].p].bank;
        if (other == bank)
            return 0;
        if (!open)
            (void) ub__interconnect_route(network, other, op->array);
    }
    return open || ub__interconnect_free(network, bank, plan->ops[to].array);
}

/* Hand the result of op j1 to the first op that can start from it. */
static int hand_on(column *c, int32_t j1)
{
    ub__csim_plan *plan = c->plan;
    const int32_t from = op_of(c, j1);
    int32_t *link = &c->open[c->depth];

    for (int32_t j = *link; j < c->depth; j = *link) {
        const int32_t to = op_of(c, j);

        if (plan->ops[to].round > plan->ops[from].round &&
            may_read(plan, from, to)) {
            plan->ops[to].pin = from;
            *link = c->open[j];
            return 1;
        }
        link = &c->open[j];
    }
    return 0;
}

static void chain(column *c)
{
    c->n_left = 0;
    c->open[c->depth] = 0; /* the first */
    for (int32_t j = 0; j < c->depth; j++)
        c->open[j] = j + 1;
    for (int32_t j = 0; j < c->depth; j++) {
        if (!hand_on(c, j))
            c->left[c->n_left++] = j;
    }
}

/* -- adders ---------------------------------------------------------------- */

static int32_t bank_read(const ub__csim_plan *plan, const ub__csim_add *add,
                         int operand)
{
    return plan->tiles[add->tile[operand ^ add->flip]].bank;
}

static int bank_conflict(const ub__csim_plan *plan, const ub__csim_add *add,
                         const ub__csim_round *round)
{
    const int32_t result = plan->tiles[add->p].bank;

    for (int32_t i = round->add; i >= 0; i = plan->adds[i].next) {
        const ub__csim_add *other = &plan->adds[i];

        if (bank_read(plan, other, 0) == bank_read(plan, add, 0) ||
            bank_read(plan, other, 1) == bank_read(plan, add, 1) ||
            (result >= 0 && plan->tiles[other->p].bank == result))
            return 1;
    }
    return 0;
}

static void open_routes(const ub__csim_plan *plan, const ub__csim_round *round)
{
    for (int i = 0; i < UB__CSIM_KINDS; i++)
        ub__interconnect_reset(plan->network[i]);
    for (int32_t i = round->add; i >= 0; i = plan->adds[i].next) {
        const ub__csim_add *add = &plan->adds[i];

        (void) ub__interconnect_route(plan->network[0], bank_read(plan, add, 0),
                                      add->adder);
        (void) ub__interconnect_route(plan->network[1], bank_read(plan, add, 1),
                                      add->adder);
        (void) ub__interconnect_route(plan->network[2],
                                      plan->tiles[add->p].bank, add->adder);
    }
}

/* A bank for the result; -1: none. The second of a pair writes to the bank of
 * the first. */
static int32_t result_bank(const ub__csim_plan *plan, const ub__csim_add *add,
                           const ub__csim_round *round, int32_t adder)
{
    const int32_t arrays = (int32_t) plan->machine->hardware.arrays;
    const int32_t fixed = plan->tiles[add->p].bank;

    for (int32_t bank = 0; bank < arrays; bank++) {
        int taken = fixed >= 0 && bank != fixed;

        for (int32_t i = round->add; i >= 0 && !taken; i = plan->adds[i].next)
            taken = plan->tiles[plan->adds[i].p].bank == bank;
        if (!taken && ub__interconnect_free(plan->network[2], bank, adder))
            return bank;
    }
    return -1;
}

static int add_fits(ub__csim_plan *plan, ub__csim_add *add,
                    const ub__csim_round *round)
{
    const int32_t arrays = (int32_t) plan->machine->hardware.arrays;
    int32_t busy = round->add;

    if (round->adds == arrays || bank_conflict(plan, add, round))
        return 0;
    open_routes(plan, round);
    for (int32_t adder = 0; adder < arrays; adder++) {
        int32_t bank;

        if (busy >= 0 && plan->adds[busy].adder == adder) {
            busy = plan->adds[busy].next;
            continue;
        }
        if (!ub__interconnect_free(plan->network[0], bank_read(plan, add, 0),
                                   adder) ||
            !ub__interconnect_free(plan->network[1], bank_read(plan, add, 1),
                                   adder))
            continue;
        bank = result_bank(plan, add, round, adder);
        if (bank < 0)
            continue;
        add->adder = adder;
        plan->tiles[add->p].bank = bank;
        return 1;
    }
    return 0;
}

static ub_status place_add(ub__csim_plan *plan, int32_t at)
{
    ub__csim_add *add = &plan->adds[at];
    int32_t r = add->after + 1;
    ub_status status;

    for (;; r++) {
        status = ub__csim_plan_rounds(plan, (int64_t) r + 1);
        if (status != UB_OK)
            return status;
        if (add_fits(plan, add, &plan->rounds[r]))
            break;
    }
    add->round = r;
    ub__csim_plan_insert_add(plan, at);
    return UB_OK;
}

/* What is left of a column, as tiles and the rounds that make them. */
typedef struct partial {
    int32_t tile, round;
} partial;

static ub_status add_pair(ub__csim_plan *plan, const partial *a,
                          const partial *b, partial *out)
{
    const int32_t sum = (int32_t) plan->n_tiles;
    ub__csim_tile tile = plan->tiles[a->tile];
    ub_status status = UB_OK;

    if (!ub__csim_grow(plan->context, &plan->tiles, &plan->room_tiles,
                       plan->n_tiles + 1, sizeof(*plan->tiles)) ||
        !ub__csim_grow(plan->context, &plan->adds, &plan->room_adds,
                       plan->n_adds + 2, sizeof(*plan->adds)))
        return UB_ERR_NOMEM;
    tile.bank = -1;
    tile.final = 0;
    plan->tiles[plan->n_tiles++] = tile;
    *out = (partial){ sum, 0 };
    for (int32_t flip = 0; flip < 2 && status == UB_OK; flip++) {
        const int32_t at = (int32_t) plan->n_adds++;

        plan->adds[at] = (ub__csim_add){
            .tile = { a->tile, b->tile },
            .flip = flip,
            .after = a->round > b->round ? a->round : b->round,
            .p = sum,
            .next = -1,
        };
        status = place_add(plan, at);
        if (plan->adds[at].round > out->round)
            out->round = plan->adds[at].round;
    }
    return status;
}

/* Two at a time, first in first out, until one remains: the result. */
static ub_status add_up(column *c, partial *queue, int32_t *end)
{
    ub__csim_plan *plan = c->plan;
    int32_t from = 0, to = c->n_left;
    ub_status status = UB_OK;

    for (int32_t i = 0; i < to; i++) {
        const ub__csim_op *op = &plan->ops[op_of(c, c->left[i])];

        queue[i] = (partial){ op->p, op->round };
    }
    for (; to - from > 1 && status == UB_OK; from += 2) {
        status = add_pair(plan, &queue[from], &queue[from + 1], &queue[to]);
        if (status == UB_OK && queue[to].round > *end)
            *end = queue[to].round;
        to++;
    }
    if (status == UB_OK)
        plan->tiles[queue[from].tile].final = 1;
    return status;
}

ub_status ub__csim_plan_sums(ub__csim_plan *plan, int32_t first,
                             const int32_t tiles[3], int32_t *end)
{
    const int32_t depth = tiles[1], step = tiles[0] * tiles[2];
    int32_t *lists = ub__alloc(plan->context, (size_t) depth + 1,
                               sizeof(*lists));
    /* all sums of a product are known before the first is added up */
    int32_t *left = ub__alloc(plan->context, (size_t) depth * (size_t) step,
                              sizeof(*left));
    int32_t *n_left = ub__alloc(plan->context, (size_t) step, sizeof(*n_left));
    partial *queue = ub__alloc(plan->context, 2 * (size_t) depth,
                               sizeof(*queue));
    column c = { .plan = plan, .step = step, .depth = depth, .open = lists };
    ub_status status = UB_OK;

    if (lists == NULL || left == NULL || n_left == NULL || queue == NULL)
        status = UB_ERR_NOMEM;
    for (int32_t i = 0; i < step && status == UB_OK; i++) {
        c.first = first + i;
        c.left = left + (int64_t) i * depth;
        chain(&c);
        n_left[i] = c.n_left;
    }
    for (int32_t i = 0; i < step && status == UB_OK; i++) {
        c.first = first + i;
        c.left = left + (int64_t) i * depth;
        c.n_left = n_left[i];
        status = add_up(&c, queue, end);
    }
    ub__free(plan->context, queue);
    ub__free(plan->context, n_left);
    ub__free(plan->context, left);
    ub__free(plan->context, lists);
    return status;
}

/* -- again ----------------------------------------------------------------- */

/* Copies start with nothing on chip and end with nothing that is written back,
 * whatever the layer says. */
static void copy_tiles(ub__csim_plan *plan, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        ub__csim_tile *tile = &plan->tiles[plan->n_tiles++];

        *tile = plan->tiles[i];
        tile->on_chip = 0;
        tile->final = 0;
    }
}

static ub_status copy_all(ub__csim_plan *plan, const int64_t n[3],
                          int32_t rounds, int64_t times)
{
    const int32_t tiles = (int32_t) (n[0] * times);
    const int32_t ops = (int32_t) (n[1] * times);
    const int32_t later = (int32_t) (rounds * times + 1);
    const ub_status status = ub__csim_plan_rounds(plan,
                                                  (int64_t) later + rounds);

    if (status != UB_OK)
        return status;
    copy_tiles(plan, n[0]);
    for (int64_t i = 0; i < n[1]; i++) {
        ub__csim_op op = plan->ops[i];

        op.x += tiles;
        op.w += tiles;
        op.p += tiles;
        op.round += later;
        op.pin = op.pin < 0 ? -1 : op.pin + ops;
        plan->ops[plan->n_ops] = op;
        ub__csim_plan_insert(plan, (int32_t) plan->n_ops++);
    }
    for (int64_t i = 0; i < n[2]; i++) {
        ub__csim_add add = plan->adds[i];

        add.tile[0] += tiles;
        add.tile[1] += tiles;
        add.p += tiles;
        add.round += later;
        plan->adds[plan->n_adds] = add;
        ub__csim_plan_insert_add(plan, (int32_t) plan->n_adds++);
    }
    return UB_OK;
}

ub_status ub__csim_plan_repeat(ub__csim_plan *plan)
{
    const int64_t n[3] = { plan->n_tiles, plan->n_ops, plan->n_adds };
    const int64_t repeats = plan->machine->repeats;
    const int32_t last = plan->last_main > plan->last_post ? plan->last_main
                                                           : plan->last_post;
    ub_status status = UB_OK;

    if (repeats == 1)
        return UB_OK;
    if ((int64_t) last * repeats > INT32_MAX / 4 ||
        n[0] * repeats > INT32_MAX / 4 || n[2] * repeats > INT32_MAX / 4)
        return ub__fail(plan->context, UB_ERR_RANGE,
                        "systolic: %lld repetitions of %d rounds",
                        (long long) repeats, (int) last + 1);
    if (!ub__csim_grow(plan->context, &plan->tiles, &plan->room_tiles,
                       n[0] * repeats, sizeof(*plan->tiles)) ||
        !ub__csim_grow(plan->context, &plan->ops, &plan->room_ops,
                       n[1] * repeats, sizeof(*plan->ops)) ||
        !ub__csim_grow(plan->context, &plan->adds, &plan->room_adds,
                       n[2] * repeats, sizeof(*plan->adds)))
        return UB_ERR_NOMEM;
    for (int64_t i = 1; i < repeats && status == UB_OK; i++)
        status = copy_all(plan, n, last + 1, i);
    return status;
}
