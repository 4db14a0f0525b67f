/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SYSTOLIC_CSIM_H
#define UBOOST_LIB_SYSTOLIC_CSIM_H

#include "systolic/interconnect.h"

#include <uboost/systolic.h>

/*
 * csim, the simulator of the SOSA compiler, to the digit: a static plan of
 * rounds (csim_plan.c, csim_chain.c), memory (csim_memory.c), and the clock
 * (csim_clock.c).
 */

/* Of an operand: inputs, weights, partial sums and results. */
enum { UB__CSIM_X, UB__CSIM_W, UB__CSIM_P, UB__CSIM_KINDS };

/* Independent products of one layer. */
typedef struct ub__csim_layer {
    int64_t m, k, n;
    int64_t count;         /* 0: no product, only waits for its inputs */
    int64_t area;          /* of the kernel: im2col repeats inputs so often */
    const int64_t *inputs; /* layers before it */
    int64_t n_inputs;
    int64_t on_chip; /* 1: inputs need not be loaded */
} ub__csim_layer;

typedef struct ub__csim_machine {
    ub_hardware hardware;           /* checked */
    int64_t tile_m, tile_k, tile_n; /* all above 0 */
    int64_t repeats;
    int64_t bank[UB__CSIM_KINDS];  /* bytes */
    int64_t bytes[UB__CSIM_KINDS]; /* of an element */
    int32_t prefetch;
    float bandwidth; /* bytes per cycle */
} ub__csim_machine;

/* What ub_systolic_stats has beyond ub_systolic_csim_stats. */
typedef struct ub__csim_extra {
    int64_t rounds;        /* tiles streamed */
    int64_t stall_weights; /* the stalls in which weights were missing */
} ub__csim_extra;

/* -- plan ------------------------------------------------------------------ */

typedef struct ub__csim_tile {
    float fetched, written; /* bytes */
    int32_t bytes;
    int32_t rows, columns;
    int32_t bank;
    int32_t keep;           /* may be evicted behind this round */
    int32_t next, previous; /* to be evicted; -1 */
    int32_t write_next;     /* to be written back; -1 */
    uint8_t kind;
    uint8_t on_chip; /* complete */
    uint8_t spawned; /* had room once */
    uint8_t final;   /* a result, not a partial sum */
    uint8_t queued;  /* in the list of those to be evicted */
    uint8_t writing; /* in the list of those to be written back */
    uint8_t unused[2];
} ub__csim_tile;

/* One tile of inputs through one of weights. */
typedef struct ub__csim_op {
    int32_t x, w, p; /* tiles */
    int32_t round, array;
    int32_t pin;  /* the op whose result it starts from; -1 */
    int32_t next; /* of its round, by array; -1 */
} ub__csim_op;

/* An adder's work on two tiles. Each sum is computed twice, by a pair with
 * the operands exchanged. */
typedef struct ub__csim_add {
    int32_t tile[2]; /* in the pair's order */
    int32_t flip;    /* operands exchanged on their networks */
    int32_t after;   /* round whose results it needs */
    int32_t p;
    int32_t round, adder;
    int32_t next; /* of its round, by adder; -1 */
} ub__csim_add;

typedef struct ub__csim_round {
    int32_t op, ops;   /* first, and how many */
    int32_t add, adds; /* first, and how many */
} ub__csim_round;

typedef struct ub__csim_plan {
    ub_context *context;
    const ub__csim_machine *machine;
    ub__csim_tile *tiles;
    ub__csim_op *ops;
    ub__csim_add *adds;
    ub__csim_round *rounds;
    int64_t n_tiles, n_ops, n_adds, n_rounds; /* rounds in use */
    int64_t room_tiles, room_ops, room_adds, room_rounds;
    int32_t last_main, last_post;
    ub__interconnect *network[UB__CSIM_KINDS]; /* all seven work alike; more
                                                  than three are never needed
                                                  at once */
} ub__csim_plan;

/* Place everything. The plan is zeroed by the caller, and freed with
 * ub__csim_plan_free() whatever is returned. */
ub_status ub__csim_plan_make(ub__csim_plan *plan, const ub__csim_layer *layers,
                             int64_t n);
void ub__csim_plan_free(ub__csim_plan *plan);

/* Make room for so many rounds, all empty. */
ub_status ub__csim_plan_rounds(ub__csim_plan *plan, int64_t n);

/* Grow an array to hold n elements; 0 when there is no memory. */
int ub__csim_grow(ub_context *context, void *array, int64_t *room, int64_t n,
                  size_t size);

/* Chain and add up the partial sums of ops first .. first + k m n - 1, which
 * are placed; *end becomes at least the last round used. */
ub_status ub__csim_plan_sums(ub__csim_plan *plan, int32_t first,
                             const int32_t tiles[3], int32_t *end);

/* All again, `repeats` times in all. */
ub_status ub__csim_plan_repeat(ub__csim_plan *plan);

void ub__csim_plan_insert(ub__csim_plan *plan, int32_t op);
void ub__csim_plan_insert_add(ub__csim_plan *plan, int32_t add);

/* -- memory ---------------------------------------------------------------- */

typedef struct ub__csim_bank {
    int64_t capacity, used;
    int32_t first, last;       /* to be evicted */
    int32_t write, write_last; /* to be written back */
    int64_t spawn, spawn_end;  /* of ub__csim_memory.spawn */
} ub__csim_bank;

/* A tile for a round. */
typedef struct ub__csim_load {
    int32_t round, tile;
} ub__csim_load;

typedef struct ub__csim_memory {
    ub__csim_plan *plan;
    ub__csim_bank *banks;  /* [UB__CSIM_KINDS][arrays] */
    ub__csim_load *spawn;  /* results by bank, then round */
    ub__csim_load *urgent; /* partial sums to fetch first; the last one first */
    int64_t n_urgent, room_urgent;
    ub__csim_load *batch; /* partial sums found missing */
    int64_t n_batch, room_batch;
    int32_t round, op, phase; /* the next of the other loads */
    int32_t last;             /* round */
    float moved[UB__CSIM_KINDS];
    int64_t writing;  /* tiles to be written back */
    int64_t streamed; /* cycles stepped one by one */
    ub_status failure;
} ub__csim_memory;

/* Zeroed by the caller; ub__csim_memory_free() whatever is returned. */
ub_status ub__csim_memory_make(ub__csim_memory *memory, ub__csim_plan *plan);
void ub__csim_memory_free(ub__csim_memory *memory);

/* Let n cycles pass in a round; with `stop`, up to and with the first in which
 * a tile arrives, leaves or is queued anew. Returns the cycles; -1 when
 * memory->failure says why it cannot go on. */
int64_t ub__csim_memory_run(ub__csim_memory *memory, int64_t n, int32_t round,
                            int stop);

/* Make room for the results of rounds up to this one. */
void ub__csim_memory_spawn(ub__csim_memory *memory, int32_t round);

/* Put the batch before all other loads, the last one first. */
ub_status ub__csim_memory_hurry(ub__csim_memory *memory);
ub_status ub__csim_memory_miss(ub__csim_memory *memory, int32_t round,
                               int32_t tile);

/* -- clock ----------------------------------------------------------------- */

ub_status ub__csim_clock(ub__csim_memory *memory, ub_systolic_csim_stats *out,
                         ub__csim_extra *extra);

/* -- all of it ------------------------------------------------------------- */

ub_status ub__csim_simulate(ub_context *context, const ub__csim_layer *layers,
                            int64_t n, const ub__csim_machine *machine,
                            ub_systolic_csim_stats *out, ub__csim_extra *extra);

/* Whether options ask for it, at level 1. */
int ub__csim_wanted(const ub_systolic_options *options);

/* ub_systolic_gemm(), ub_systolic_layer() and ub_systolic_run() for it; of the
 * first and the last the arguments are checked. */
ub_status ub__csim_gemm(const ub_gemm *gemm, const ub_hardware *hardware,
                        const ub_systolic_options *options,
                        ub_systolic_stats *out);
ub_status ub__csim_layer_alone(const ub_layer_info *info,
                               const ub_hardware *hardware,
                               const ub_systolic_options *options,
                               ub_systolic_stats *out);
ub_status ub__csim_run(const ub_network *network, const ub_hardware *hardware,
                       const ub_systolic_options *options,
                       ub_systolic_stats *total, ub_systolic_stats *layers);

#endif
