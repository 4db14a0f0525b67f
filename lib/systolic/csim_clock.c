/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"

/* Of the first shifting in; csim counts cycles in 32 bits. */
#define MAX_CYCLES ((int64_t) 1 << 31)

typedef struct ticker {
    ub__csim_memory *memory;
    const ub__csim_plan *plan;
    ub_systolic_csim_stats *out;
    ub__csim_extra *extra;
    int64_t latency; /* of the interconnect */
} ticker;

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* -- what a round needs ---------------------------------------------------- */

enum { READY, NO_WEIGHTS, NO_DATA };

/* Queue a partial sum that is not on chip before all other loads. */
static ub_status want(ticker *c, int32_t round, int32_t tile, int *ready)
{
    if (c->plan->tiles[tile].on_chip)
        return UB_OK;
    *ready = NO_DATA;
    return ub__csim_memory_miss(c->memory, round, tile);
}

static ub_status ask_arrays(ticker *c, int32_t r, int *ready)
{
    const ub__csim_plan *plan = c->plan;
    int weights = 1;
    ub_status status = UB_OK;

    for (int32_t i = plan->rounds[r].op; i >= 0; i = plan->ops[i].next) {
        const ub__csim_op *op = &plan->ops[i];

        weights &= plan->tiles[op->w].on_chip;
        if (!plan->tiles[op->x].on_chip || !plan->tiles[op->p].on_chip)
            *ready = NO_DATA;
    }
    for (int32_t i = plan->rounds[r].op; i >= 0; i = plan->ops[i].next) {
        const int32_t pin = plan->ops[i].pin;

        if (pin < 0 || plan->tiles[plan->ops[pin].p].on_chip)
            continue;
        status = want(c, r, plan->ops[pin].p, ready);
        break; /* csim looks no further */
    }
    if (!weights)
        *ready = NO_WEIGHTS;
    return status;
}

static ub_status ask_adders(ticker *c, int32_t r, int *ready)
{
    const ub__csim_plan *plan = c->plan;
    ub_status status = UB_OK;

    for (int tile = 0; tile < 3; tile++) {
        for (int32_t i = plan->rounds[r].add; i >= 0 && status == UB_OK;
             i = plan->adds[i].next) {
            const ub__csim_add *add = &plan->adds[i];

            status = want(c, r, tile < 2 ? add->tile[tile] : add->p, ready);
        }
    }
    return status;
}

static ub_status ask(ticker *c, int32_t r, int *ready)
{
    ub_status status;
    int adders = READY;

    *ready = READY;
    status = ask_arrays(c, r, ready);
    if (status == UB_OK)
        status = ask_adders(c, r, &adders);
    if (status == UB_OK)
        status = ub__csim_memory_hurry(c->memory);
    if (*ready == READY)
        *ready = adders;
    return status;
}

static void count_stall(ticker *c, int64_t cycles, int ready)
{
    c->out->stall_cycles += cycles;
    if (ready == NO_WEIGHTS)
        c->extra->stall_weights += cycles;
}

/* -- before round 0 -------------------------------------------------------- */

static int weights_there(const ticker *c)
{
    const ub__csim_plan *plan = c->plan;

    for (int32_t i = plan->rounds[0].op; i >= 0; i = plan->ops[i].next) {
        if (!plan->tiles[plan->ops[i].w].on_chip)
            return 0;
    }
    return 1;
}

/* Cycles until the weights of round 0 are in all arrays at once: each array
 * begins anew while another still shifts. 0: too many. */
static int64_t common_multiple(const ticker *c)
{
    const ub__csim_plan *plan = c->plan;
    int64_t cycles = 1;

    for (int32_t i = plan->rounds[0].op; i >= 0; i = plan->ops[i].next) {
        const int64_t rows = (int64_t) plan->tiles[plan->ops[i].w].rows + 1;
        int64_t a = cycles, b = rows;

        while (b != 0) {
            const int64_t rest = a % b;

            a = b;
            b = rest;
        }
        if (cycles / a > MAX_CYCLES / rows)
            return 0;
        cycles = cycles / a * rows;
    }
    return cycles;
}

static ub_status never(const ticker *c)
{
    return ub__fail(c->plan->context, UB_ERR_INVALID,
                    "systolic: csim would wait for the tiles of round 0 "
                    "forever: loads may run %d rounds ahead, at %g bytes per "
                    "cycle",
                    (int) c->plan->machine->prefetch,
                    (double) c->plan->machine->bandwidth);
}

/* Cycles up to the next change of what is on chip. */
static ub_status wait_for_change(ticker *c, int64_t *cycles)
{
    *cycles = ub__csim_memory_run(c->memory, INT64_MAX, 0, 1);
    if (*cycles == INT64_MAX)
        return never(c);
    return *cycles < 0 ? c->memory->failure : UB_OK;
}

static ub_status shift_first(ticker *c)
{
    const ub__csim_plan *plan = c->plan;
    int64_t cycles, most;

    if (plan->rounds[0].op < 0)
        return UB_OK;
    while (!weights_there(c)) {
        const ub_status status = wait_for_change(c, &cycles);

        if (status != UB_OK)
            return status;
        c->out->cycles += cycles;
    }
    cycles = common_multiple(c);
    if (cycles == 0)
        return ub__fail(plan->context, UB_ERR_RANGE,
                        "systolic: csim would take more than 2^31 cycles to "
                        "shift in tiles of different heights at once");
    most = INT64_MAX / 4 / cycles / plan->machine->hardware.arrays;
    for (int32_t i = plan->rounds[0].op; i >= 0; i = plan->ops[i].next) {
        const ub__csim_tile *w = &plan->tiles[plan->ops[i].w];

        if (w->bytes > most)
            return ub__fail(plan->context, UB_ERR_RANGE,
                            "systolic: bytes of the first shifting in "
                            "overflow");
        c->out->sram_read_bytes += cycles / ((int64_t) w->rows + 1) * w->bytes;
    }
    c->out->cycles += cycles;
    return ub__csim_memory_run(c->memory, cycles, 0, 0) < 0 ? c->memory->failure
                                                            : UB_OK;
}

static ub_status start(ticker *c)
{
    ub_status status = shift_first(c);
    int64_t cycles;
    int ready;

    if (status != UB_OK)
        return status;
    ub__csim_memory_spawn(c->memory, 0);
    status = c->memory->failure;
    while (status == UB_OK) {
        status = ask(c, 0, &ready);
        if (status != UB_OK || ready == READY)
            break;
        status = wait_for_change(c, &cycles);
        if (status != UB_OK)
            break;
        c->out->cycles += cycles;
        count_stall(c, cycles, ready);
    }
    return status;
}

/* -- rounds ---------------------------------------------------------------- */

/* Start everything of a round; the cycles until all of it is done. */
static int64_t begin(ticker *c, int32_t r)
{
    const ub__csim_plan *plan = c->plan;
    ub_systolic_csim_stats *out = c->out;
    int64_t cycles = 2 * c->latency + 1;

    for (int32_t i = plan->rounds[r].op; i >= 0; i = plan->ops[i].next) {
        const ub__csim_op *op = &plan->ops[i];
        const ub__csim_tile *x = &plan->tiles[op->x], *p = &plan->tiles[op->p];

        cycles = max_of(cycles, x->rows);
        out->operations += 2 * (int64_t) x->rows * x->columns * p->columns;
        out->sram_read_bytes += x->bytes;
        out->sram_write_bytes += p->bytes;
        if (op->pin >= 0)
            out->sram_read_bytes += plan->tiles[plan->ops[op->pin].p].bytes;
        c->extra->rounds++;
    }
    for (int32_t i = plan->rounds[r + 1].op; i >= 0; i = plan->ops[i].next) {
        const ub__csim_tile *w = &plan->tiles[plan->ops[i].w];

        cycles = max_of(cycles, w->rows);
        out->sram_read_bytes += w->bytes;
    }
    for (int32_t i = plan->rounds[r].add; i >= 0; i = plan->adds[i].next) {
        const ub__csim_add *add = &plan->adds[i];
        const ub__csim_tile *p = &plan->tiles[add->p];

        cycles = max_of(cycles, p->rows);
        out->additions += (int64_t) p->rows * p->columns;
        out->sram_read_bytes += plan->tiles[add->tile[0]].bytes;
        out->sram_read_bytes += plan->tiles[add->tile[1]].bytes;
        out->sram_write_bytes += p->bytes;
    }
    return cycles + 1;
}

/* Stall until all of round r + 1 is on chip. *given_up: it takes longer than
 * csim waits. */
static ub_status stall(ticker *c, int32_t r, int *given_up)
{
    const int64_t limit = 100 * c->plan->machine->hardware.rows;
    int64_t cycles, stalled = 0;
    int ready;
    ub_status status;

    for (;;) {
        ub__csim_memory_spawn(c->memory, r + 1);
        if (c->memory->failure != UB_OK)
            return c->memory->failure;
        status = ask(c, r + 1, &ready);
        if (status != UB_OK || ready == READY)
            return status;
        stalled++;
        count_stall(c, 1, ready);
        if (stalled > limit) {
            *given_up = 1;
            return UB_OK;
        }
        cycles = ub__csim_memory_run(c->memory, limit + 1 - stalled, r, 1);
        if (cycles < 0)
            return c->memory->failure;
        /* csim asks in each of them; only after the last can there be news */
        stalled += cycles - 1;
        count_stall(c, cycles - 1, ready);
        c->out->cycles += cycles;
    }
}

ub_status ub__csim_clock(ub__csim_memory *memory, ub_systolic_csim_stats *out,
                         ub__csim_extra *extra)
{
    ticker c = {
        .memory = memory,
        .plan = memory->plan,
        .out = out,
        .extra = extra,
        .latency = ub__interconnect_latency(&memory->plan->machine->hardware),
    };
    ub_status status = start(&c);
    int given_up = 0;

    for (int32_t r = 0; r < memory->last && status == UB_OK && !given_up; r++) {
        const int64_t cycles = begin(&c, r);

        out->cycles += cycles;
        if (ub__csim_memory_run(memory, cycles, r, 0) < 0)
            return memory->failure;
        status = stall(&c, r, &given_up);
    }
    if (given_up)
        out->cycles = -1;
    else
        out->cycles += c.latency + 1;
    return status;
}
