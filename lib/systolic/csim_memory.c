/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"

/* As many as csim can count, seconds of stepping. */
#define MAX_STREAMED ((int64_t) 1 << 31)
#define CHUNK        ((int64_t) 1 << 20)

/* What a cycle of external memory was. */
enum {
    IDLE,   /* all that follow are the same */
    MOVED,  /* bytes only */
    CHANGED /* a tile arrived, left, or was queued anew */
};

/* -- storage --------------------------------------------------------------- */

static ub__csim_bank *bank_of(const ub__csim_memory *memory,
                              const ub__csim_tile *tile)
{
    return &memory->banks[tile->kind * memory->plan->machine->hardware.arrays +
                          tile->bank];
}

/* The results of each bank in the order of their rounds; arrays before
 * adders. */
static ub_status make_spawn(ub__csim_memory *memory)
{
    const ub__csim_plan *plan = memory->plan;
    const int64_t n = plan->n_ops + plan->n_adds;
    int64_t at = 0;

    memory->spawn = ub__alloc(plan->context, (size_t) n,
                              sizeof(*memory->spawn));
    if (memory->spawn == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < plan->n_ops; i++)
        bank_of(memory, &plan->tiles[plan->ops[i].p])->spawn_end++;
    for (int64_t i = 0; i < plan->n_adds; i++)
        bank_of(memory, &plan->tiles[plan->adds[i].p])->spawn_end++;
    for (int64_t i = 0; i < plan->machine->hardware.arrays; i++) {
        ub__csim_bank *bank =
            &memory->banks[UB__CSIM_P * plan->machine->hardware.arrays + i];

        bank->spawn = at;
        at += bank->spawn_end;
        bank->spawn_end = bank->spawn;
    }
    for (int32_t r = 0; r <= memory->last; r++) {
        for (int32_t i = plan->rounds[r].op; i >= 0; i = plan->ops[i].next)
            memory->spawn[bank_of(memory, &plan->tiles[plan->ops[i].p])
                              ->spawn_end++] = (ub__csim_load){
                r, plan->ops[i].p
            };
        for (int32_t i = plan->rounds[r].add; i >= 0; i = plan->adds[i].next)
            memory->spawn[bank_of(memory, &plan->tiles[plan->adds[i].p])
                              ->spawn_end++] = (ub__csim_load){
                r, plan->adds[i].p
            };
    }
    return UB_OK;
}

ub_status ub__csim_memory_make(ub__csim_memory *memory, ub__csim_plan *plan)
{
    const int64_t arrays = plan->machine->hardware.arrays;
    ub_status status;

    memory->plan = plan;
    memory->last = plan->last_main > plan->last_post ? plan->last_main
                                                     : plan->last_post;
    status = ub__csim_plan_rounds(plan, (int64_t) memory->last + 1);
    if (status != UB_OK)
        return status;
    memory->op = plan->rounds[0].op;
    memory->banks = ub__calloc(plan->context,
                               (size_t) (UB__CSIM_KINDS * arrays),
                               sizeof(*memory->banks));
    if (memory->banks == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < UB__CSIM_KINDS * arrays; i++) {
        ub__csim_bank *bank = &memory->banks[i];

        bank->capacity = plan->machine->bank[i / arrays];
        bank->first = bank->last = bank->write = bank->write_last = -1;
    }
    return make_spawn(memory);
}

void ub__csim_memory_free(ub__csim_memory *memory)
{
    ub_context *context = memory->plan->context;

    ub__free(context, memory->banks);
    ub__free(context, memory->spawn);
    ub__free(context, memory->urgent);
    ub__free(context, memory->batch);
}

/* -- banks ----------------------------------------------------------------- */

static void unlink_tile(ub__csim_memory *memory, ub__csim_bank *bank,
                        ub__csim_tile *tile)
{
    ub__csim_tile *tiles = memory->plan->tiles;

    if (tile->previous >= 0)
        tiles[tile->previous].next = tile->next;
    else
        bank->first = tile->next;
    if (tile->next >= 0)
        tiles[tile->next].previous = tile->previous;
    else
        bank->last = tile->previous;
    tile->queued = 0;
}

/* The last one to be evicted, and not before the round has passed. */
static void keep(ub__csim_memory *memory, int32_t round, int32_t at)
{
    ub__csim_tile *tiles = memory->plan->tiles;
    ub__csim_tile *tile = &tiles[at];
    ub__csim_bank *bank = bank_of(memory, tile);

    if (!tile->queued)
        tile->keep = round;
    else
        unlink_tile(memory, bank, tile);
    if (tile->keep < round)
        tile->keep = round;
    tile->previous = bank->last;
    tile->next = -1;
    if (bank->last >= 0)
        tiles[bank->last].next = at;
    else
        bank->first = at;
    bank->last = at;
    tile->queued = 1;
}

/* Results only: once written, writing again moves nothing. */
static void write_back(ub__csim_memory *memory, ub__csim_bank *bank, int32_t at)
{
    ub__csim_tile *tile = &memory->plan->tiles[at];

    if (tile->writing || tile->written >= (float) tile->bytes)
        return;
    tile->writing = 1;
    tile->write_next = -1;
    if (bank->write >= 0)
        memory->plan->tiles[bank->write_last].write_next = at;
    else
        bank->write = at;
    bank->write_last = at;
    memory->writing++;
}

/* The first in line, when its rounds have passed. 0: it stays. */
static int evict(ub__csim_memory *memory, ub__csim_bank *bank, int32_t round)
{
    const int32_t at = bank->first;
    ub__csim_tile *tile;

    if (at < 0)
        return 0;
    tile = &memory->plan->tiles[at];
    if (tile->keep >= round)
        return 0;
    if (tile->final)
        write_back(memory, bank, at);
    tile->on_chip = 0;
    tile->fetched = 0.0F;
    unlink_tile(memory, bank, tile);
    bank->used -= tile->bytes;
    if (bank->used < 0)
        memory->failure = ub__fail(
            memory->plan->context, UB_ERR_UNSUPPORTED,
            "systolic: csim evicts inputs that took no room when they came, "
            "and fails; larger input banks keep them");
    return memory->failure == UB_OK;
}

/* Room for a tile that is used in round `target`. */
static int allocate(ub__csim_memory *memory, int32_t round, int32_t target,
                    int32_t at)
{
    ub__csim_tile *tile = &memory->plan->tiles[at];
    ub__csim_bank *bank = bank_of(memory, tile);

    if (tile->bytes > bank->capacity) {
        memory->failure = ub__fail(
            memory->plan->context, UB_ERR_INVALID,
            "systolic: a bank of %lld bytes is smaller than a tile of %d",
            (long long) bank->capacity, (int) tile->bytes);
        return 0;
    }
    while (bank->used + tile->bytes > bank->capacity) {
        if (!evict(memory, bank, round))
            return 0;
    }
    bank->used += tile->bytes;
    keep(memory, target, at);
    tile->spawned = 1;
    return 1;
}

void ub__csim_memory_spawn(ub__csim_memory *memory, int32_t round)
{
    const int64_t arrays = memory->plan->machine->hardware.arrays;

    for (int64_t i = 0; i < arrays; i++) {
        ub__csim_bank *bank = &memory->banks[UB__CSIM_P * arrays + i];

        for (; bank->spawn < bank->spawn_end; bank->spawn++) {
            const ub__csim_load *next = &memory->spawn[bank->spawn];
            ub__csim_tile *tile = &memory->plan->tiles[next->tile];

            if (next->round > round)
                break;
            if (tile->spawned)
                continue;
            if (!allocate(memory, round, next->round, next->tile))
                break;
            tile->on_chip = 1;
        }
    }
}

/* -- queue of loads -------------------------------------------------------- */

/* The next load; 0: none is left. All weights of a round come before all of
 * its inputs. */
static int front(ub__csim_memory *memory, ub__csim_load *out)
{
    const ub__csim_plan *plan = memory->plan;

    if (memory->n_urgent > 0) {
        *out = memory->urgent[memory->n_urgent - 1];
        return 1;
    }
    while (memory->op < 0) {
        if (memory->phase == 1) {
            if (memory->round == memory->last)
                return 0;
            memory->round++;
        }
        memory->phase ^= 1;
        memory->op = plan->rounds[memory->round].op;
    }
    out->round = memory->round;
    out->tile = memory->phase == 0 ? plan->ops[memory->op].w
                                   : plan->ops[memory->op].x;
    return 1;
}

static void pop(ub__csim_memory *memory)
{
    if (memory->n_urgent > 0)
        memory->n_urgent--;
    else
        memory->op = memory->plan->ops[memory->op].next;
}

ub_status ub__csim_memory_miss(ub__csim_memory *memory, int32_t round,
                               int32_t tile)
{
    if (!ub__csim_grow(memory->plan->context, &memory->batch,
                       &memory->room_batch, memory->n_batch + 1,
                       sizeof(*memory->batch)))
        return UB_ERR_NOMEM;
    if (memory->n_batch == 0 || memory->batch[memory->n_batch - 1].tile != tile)
        memory->batch[memory->n_batch++] = (ub__csim_load){ round, tile };
    return UB_OK;
}

/* csim queues what is missing in each stalled cycle anew. To do that again with
 * the same tiles in front changes nothing: those that have come are passed over
 * at once, in the same order, and none of them can leave before the round. */
ub_status ub__csim_memory_hurry(ub__csim_memory *memory)
{
    const int64_t n = memory->n_batch;
    int64_t same = 0;

    while (same < n && same < memory->n_urgent &&
           memory->urgent[memory->n_urgent - 1 - same].tile ==
               memory->batch[n - 1 - same].tile &&
           memory->urgent[memory->n_urgent - 1 - same].round ==
               memory->batch[n - 1 - same].round)
        same++;
    memory->n_batch = 0;
    if (same == n)
        return UB_OK;
    if (!ub__csim_grow(memory->plan->context, &memory->urgent,
                       &memory->room_urgent, memory->n_urgent + n,
                       sizeof(*memory->urgent)))
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        memory->urgent[memory->n_urgent++] = memory->batch[i];
    return UB_OK;
}

/* -- a cycle --------------------------------------------------------------- */

/* Bytes of the tile that came, at most `bytes`. */
static float fetch(ub__csim_memory *memory, int32_t round,
                   const ub__csim_load *load, float bytes, int *what)
{
    ub__csim_tile *tile = &memory->plan->tiles[load->tile];
    float moved = bytes;

    if (tile->fetched == 0.0F) {
        const ub__csim_bank *bank = bank_of(memory, tile);
        const int32_t first = bank->first;
        const int done = allocate(memory, round, load->round, load->tile);

        if (done || bank->first != first)
            *what = CHANGED;
        if (!done)
            return 0.0F;
    }
    if (tile->fetched + bytes >= (float) tile->bytes) {
        moved = (float) tile->bytes - tile->fetched;
        tile->fetched = (float) tile->bytes;
        tile->on_chip = 1;
        *what = CHANGED;
    } else {
        tile->fetched += bytes;
        if (*what == IDLE)
            *what = MOVED;
    }
    return moved;
}

/* What is left of the cycle writes results that were evicted. */
static void write_results(ub__csim_memory *memory, float used, int *what)
{
    const ub__csim_plan *plan = memory->plan;
    const int64_t arrays = plan->machine->hardware.arrays;
    const float bandwidth = plan->machine->bandwidth;

    for (int64_t i = 0; i < arrays && memory->writing > 0; i++) {
        ub__csim_bank *bank = &memory->banks[UB__CSIM_P * arrays + i];

        while (bank->write >= 0) {
            ub__csim_tile *tile = &plan->tiles[bank->write];
            const float bytes = bandwidth - used;
            float moved = bytes;

            if (tile->written + bytes >= (float) tile->bytes) {
                moved = (float) tile->bytes - tile->written;
                tile->written = (float) tile->bytes;
                tile->writing = 0;
                bank->write = tile->write_next;
                memory->writing--;
            } else {
                tile->written += bytes;
            }
            memory->moved[UB__CSIM_P] += moved;
            used += moved;
            if (*what == IDLE)
                *what = MOVED;
            if (used >= bandwidth)
                return;
        }
    }
}

static int step(ub__csim_memory *memory, int32_t round)
{
    const ub__csim_machine *machine = memory->plan->machine;
    ub__csim_load load;
    float used = 0.0F;
    int what = IDLE;

    while (used < machine->bandwidth) {
        float moved;

        if (!front(memory, &load))
            return what;
        while (memory->plan->tiles[load.tile].on_chip) {
            keep(memory, load.round, load.tile);
            pop(memory);
            what = CHANGED;
            if (!front(memory, &load))
                return what;
        }
        if (load.round - round >= machine->prefetch)
            return what;
        moved = fetch(memory, round, &load, machine->bandwidth - used, &what);
        if (memory->failure != UB_OK)
            return what;
        if (moved == 0.0F) /* no room */
            break;
        memory->moved[memory->plan->tiles[load.tile].kind] += moved;
        used += moved;
    }
    write_results(memory, used, &what);
    return what;
}

/* Cycles, at most n, that do nothing but move all the bytes they can for one
 * tile; -1 when its bytes are too few to be seen in the sum. */
static int64_t stream(ub__csim_memory *memory, int64_t n)
{
    const float bandwidth = memory->plan->machine->bandwidth;
    ub__csim_load load;
    ub__csim_tile *tile;
    float fetched, moved, whole;
    int64_t cycles = 0;

    if (!front(memory, &load))
        return 0;
    tile = &memory->plan->tiles[load.tile];
    fetched = tile->fetched;
    moved = memory->moved[tile->kind];
    whole = (float) tile->bytes;
    if (tile->on_chip || fetched == 0.0F)
        return 0;
    if (fetched + bandwidth == fetched && moved + bandwidth == moved)
        return -1;
    for (; cycles < n && fetched + bandwidth < whole; cycles++) {
        fetched += bandwidth;
        moved += bandwidth;
    }
    tile->fetched = fetched;
    memory->moved[tile->kind] = moved;
    return cycles;
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t ub__csim_memory_run(ub__csim_memory *memory, int64_t n, int32_t round,
                            int stop)
{
    int64_t left = n;

    while (left > 0) {
        int64_t streamed = 0;
        int what;

        if (memory->streamed >= MAX_STREAMED) {
            memory->failure = ub__fail(
                memory->plan->context, UB_ERR_RANGE,
                "systolic: external memory needs more than %lld cycles",
                (long long) MAX_STREAMED);
            return -1;
        }
        what = step(memory, round);
        if (memory->failure != UB_OK)
            return -1;
        if (what == IDLE)
            return n;
        if (what == MOVED)
            streamed = stream(memory, min_of(left - 1, CHUNK));
        if (streamed < 0)
            return n;
        left -= 1 + streamed;
        memory->streamed += 1 + streamed;
        if (what == CHANGED && stop)
            break;
    }
    return n - left;
}
