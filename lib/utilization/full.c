/* SPDX-License-Identifier: BSD-2-Clause */
#include "utilization/amount.h"

#include <math.h>

/*
 * Level 1 of the simulator without its loop over rounds. Rounds come in
 * classes of equal length, so sums over them are products; a round waits for
 * loads, so its start is the latest of a few paths, and along a run of equal
 * rounds a path grows linearly, so only the runs' ends count. The header has
 * the formula. One account serves both forms: values carry derivatives, and
 * the ceiling, the minimum and the maximum are exact or smooth.
 */

/* Behind a whole number of tiles, the smooth form goes over to one more within
 * this part of a tile. */
#define CEILING_WIDTH 0.1
/* The smooth maximum departs from the maximum where its arguments differ by
 * less than this part of their sum, by a quarter of that at most. */
#define MAXIMUM_WIDTH 0.01
/* The smooth form begins to load again at the size of a bank, and does so in
 * full when an operand is larger by this part. */
#define BANK_WIDTH    0.1
/* Cycles of the way to the banks and back, and there. */
#define SRAM_CYCLES   3.0
#define STORE_CYCLES  2.0

/* -- smooth or not --------------------------------------------------------- */

/* The two between which a smooth maximum lies, mixed. */
static amount blend(amount high, amount low, double width)
{
    const double gap = high.value - low.value;
    const double share = 0.5 - 0.5 * gap / width; /* of the lower one */
    amount mixed = add(scale(high, 1.0 - share), scale(low, share));

    /* The quadratic that meets both with their slopes; its width counts as
     * fixed in the value's derivative, which the last term mends. */
    const double bow = (width - gap) * (width - gap) / (4.0 * width);
    const double by_width = 0.25 * (1.0 - gap * gap / (width * width));
    const double sign_high = high.value < 0.0 ? -1.0 : 1.0;
    const double sign_low = low.value < 0.0 ? -1.0 : 1.0;

    mixed.value = high.value + bow;
    mixed.by_in += by_width * MAXIMUM_WIDTH *
                   (sign_high * high.by_in + sign_low * low.by_in);
    mixed.by_out += by_width * MAXIMUM_WIDTH *
                    (sign_high * high.by_out + sign_low * low.by_out);
    return mixed;
}

static inline amount most(int smooth, amount a, amount b)
{
    const amount high = a.value >= b.value ? a : b;
    const amount low = a.value >= b.value ? b : a;
    const double width = MAXIMUM_WIDTH * (fabs(a.value) + fabs(b.value));

    if (!smooth || high.value - low.value >= width)
        return high;
    return blend(high, low, width);
}

static inline amount least(int smooth, amount a, amount b)
{
    const amount most_of = most(smooth, scale(a, -1.0), scale(b, -1.0));

    return scale(most_of, -1.0);
}

/* 0 up to 0, 1 from 1 on; the derivative is continuous. */
static amount ramp(amount a)
{
    const double x = a.value;

    if (x <= 0.0 || x >= 1.0)
        return fixed(x <= 0.0 ? 0.0 : 1.0);
    a = scale(a, 6.0 * x * (1.0 - x));
    a.value = x * x * (3.0 - 2.0 * x);
    return a;
}

/* -- one product ---------------------------------------------------------- */

/* Sizes are those of ub_systolic_gemm()'s products and tiles, times are in
 * cycles, "full" is a depth of as many rows as the array has. */
typedef struct product {
    const ub_util_options *o;
    int smooth;
    double cycles_per_byte;
    double rows, columns, m, tiles_m, rest_m;
    double tiles_k, tiles_n;
    amount count, k, n, rest_k, rest_n;
    amount depth, width; /* of the first weight tile */
    double input_ratio;  /* bytes of an input element in a window */

    double stream, stream_rest; /* rounds of whole and of last input tiles */
    double gap_full;            /* between starts, last row of tiles */
    amount gap_rest;
    double body;       /* whole rows of tiles at one depth */
    double full;       /* number of depths before the last */
    double phase_full; /* all rounds at one depth */
    amount phase_rest;
    amount first, last_row;          /* gap of the first round; last row */
    amount weights, inputs, outputs; /* of all products, each moved once */
} product;

static amount weight_time(const product *p, amount depth, amount columns)
{
    return scale(times(depth, columns),
                 (double) p->o->weight_bytes * p->cycles_per_byte);
}

static amount input_time(const product *p, double rows, amount depth)
{
    return scale(depth, rows * p->input_ratio * p->cycles_per_byte);
}

static amount output_time(const product *p, double rows, amount columns)
{
    return scale(columns,
                 p->o->charge_outputs
                     ? rows * (double) p->o->output_bytes * p->cycles_per_byte
                     : 0.0);
}

static void set_sizes(product *p, const ub_cost_layer *l)
{
    const double taps = ub__util_taps(l), groups = ub__util_groups(l);
    double map = (double) l->batch;

    if (l->kind != UB_COST_LINEAR)
        map *= (double) l->in_height * (double) l->in_width;
    p->rows = (double) p->o->rows;
    p->columns = (double) p->o->columns;
    p->m = ub__util_pixels(l);
    p->count = fixed(groups);
    p->k = (amount){ taps * l->in_channels / groups, taps / groups, 0.0 };
    p->n = (amount){ l->out_channels / groups, 0.0, 1.0 / groups };
    if (l->kind == UB_COST_DEPTHWISE) {
        p->count = (amount){ l->in_channels, 1.0, 0.0 };
        p->k = fixed(taps);
        p->n = fixed(1.0);
    }
    p->input_ratio = p->o->charge_inputs ? fmin(1.0, map / (p->m * taps)) *
                                               (double) p->o->input_bytes
                                         : 0.0;
}

/* Into so many tiles down and across. */
static void cut(product *p, double tiles_k, double tiles_n)
{
    p->tiles_m = ceil(p->m / p->rows);
    p->rest_m = p->m - (p->tiles_m - 1.0) * p->rows;
    p->tiles_k = tiles_k;
    p->full = tiles_k - 1.0;
    p->rest_k = plus(p->k, -p->full * p->rows);
    p->depth = p->full > 0.0 ? fixed(p->rows) : p->k;
    p->tiles_n = tiles_n;
    p->rest_n = plus(p->n, -(tiles_n - 1.0) * p->columns);
    p->width = tiles_n > 1.0 ? fixed(p->columns) : p->n;
}

/* A round lasts as long as it streams, or as the next one's weights shift in;
 * only the last row of input tiles can be shorter than these. */
static void time_rounds(product *p)
{
    const int smooth = p->smooth;

    p->stream = fmax(p->rows, SRAM_CYCLES) + 1.0;
    p->stream_rest = fmax(p->rest_m, SRAM_CYCLES) + 1.0;
    p->gap_full = fmax(p->stream_rest, p->rows + 1.0);
    p->gap_rest = most(smooth, fixed(p->stream_rest), plus(p->rest_k, 1.0));
    p->first = p->full > 0.0 ? fixed(p->gap_full) : p->gap_rest;
    p->body = p->tiles_n * (p->tiles_m - 1.0) * p->stream;
    p->phase_full = p->body + p->tiles_n * p->gap_full;
    p->phase_rest = plus(scale(p->gap_rest, p->tiles_n), p->body);
    p->last_row = plus(scale(p->gap_rest, p->tiles_n - 1.0), p->stream_rest);
}

static void count_bytes(product *p)
{
    const amount count = scale(p->count, p->cycles_per_byte);

    p->weights = scale(times(count, times(p->k, p->n)),
                       (double) p->o->weight_bytes);
    p->inputs = scale(times(count, p->k), p->m * p->input_ratio);
    p->outputs = times(p->count, output_time(p, p->m, p->n));
}

/* All rounds of all products, from the first one's start on. */
static amount all_rounds(const product *p, amount each)
{
    return plus(less(times(p->count, each), p->first), p->stream_rest);
}

/* The first tiles' loads and shift. */
static amount head_of(const product *p)
{
    return add(weight_time(p, p->depth, p->width),
               most(p->smooth, plus(p->depth, 1.0),
                    input_time(p, fmin(p->m, p->rows), p->depth)));
}

/* What is stored behind the last round, if everything before it is. */
static amount tail_of(const product *p)
{
    const int smooth = p->smooth;
    amount tail = most(smooth, fixed(STORE_CYCLES),
                       output_time(p, p->rest_m, p->rest_n));

    if (p->tiles_m > 1.0)
        tail = most(smooth, tail,
                    less(add(output_time(p, p->rows, p->rest_n),
                             output_time(p, p->rest_m, p->n)),
                         p->last_row));
    return tail;
}

/* -- waiting for loads ---------------------------------------------------- */

/* The loads of one depth up to those of the last column of weights in its first
 * row of tiles, with the shift of these; or to the column before, and the gap
 * between, if that is later. Columns but the first come behind the inputs. */
static amount wait_for_columns(const product *p, amount depth, amount gap)
{
    const amount row = scale(input_time(p, p->m, depth), 1.0 / p->tiles_m);
    const amount columns = plus(add(weight_time(p, depth, p->n), depth), 1.0);
    amount before;

    if (p->tiles_n < 2.0)
        return columns;
    before = less(add(columns, gap), weight_time(p, depth, p->rest_n));
    if (p->tiles_n > 2.0)
        before = add(before, row);
    return most(p->smooth, add(columns, row), before);
}

/* And up to the inputs of its last row. */
static amount wait_for_rows(const product *p, amount depth)
{
    return add(weight_time(p, depth, p->tiles_m > 1.0 ? p->n : p->width),
               input_time(p, p->m, depth));
}

/* From time 0 until all is computed, through the loads of the first or the last
 * full depth, and the first ones behind them: loads go on whatever the array
 * does. */
static amount wait_full(const product *p, amount more)
{
    const int smooth = p->smooth;
    const amount depth = fixed(p->rows);
    const amount loads = add(weight_time(p, depth, p->n),
                             input_time(p, p->m, depth));
    const double others = p->tiles_n - 1.0, before = p->full - 1.0;
    const double gap = p->tiles_m > 1.0 ? p->stream : p->gap_full;
    const amount slower = most(smooth, loads, fixed(p->phase_full));
    amount latest, rest;

    latest = most(smooth,
                  plus(wait_for_columns(p, depth, fixed(gap)),
                       p->body + others * (p->gap_full - gap)),
                  plus(wait_for_rows(p, depth), others * p->gap_full));
    /* from depth to depth, what takes longer adds up */
    latest = add(add(latest, scale(slower, before)), p->phase_rest);
    rest = add(weight_time(p, p->rest_k, p->width),
               most(smooth, plus(p->rest_k, 1.0),
                    input_time(p, fmin(p->m, p->rows), p->rest_k)));
    rest = add(add(scale(loads, p->full), rest),
               plus(p->last_row, p->body - p->stream_rest));
    return plus(add(most(smooth, latest, rest), more), p->stream_rest);
}

/* The same through the loads of the last depth. */
static amount wait_rest(const product *p, amount more)
{
    const amount depth = p->rest_k, full = fixed(p->rows);
    const amount loads = add(weight_time(p, full, p->n),
                             input_time(p, p->m, full));
    const amount gap = p->tiles_m > 1.0 ? fixed(p->stream) : p->gap_rest;
    const amount columns = less(
        add(wait_for_columns(p, depth, gap), plus(p->last_row, p->body)),
        scale(gap, p->tiles_n - 1.0));

    return add(
        add(scale(loads, p->full), more),
        most(p->smooth, columns, add(wait_for_rows(p, depth), p->last_row)));
}

/* -- blocks --------------------------------------------------------------- */

/* The rounds of one depth come in blocks, all depths of a block together. More
 * blocks let results leave and phases mix earlier, but operands that do not
 * fit their banks are loaded again for each. */
typedef struct blocks {
    amount base, tail;    /* cycles that take no notice of memory */
    amount late;          /* what waiting adds if there is one block */
    amount memory;        /* the channel's time if nothing is loaded again */
    amount again;         /* and for each further block */
    amount other;         /* the same, cut the dearer way */
    amount stores;        /* of the last depth, beyond its rounds */
    double lag;           /* between the first round's end and the last's */
    amount lead, drained; /* until the first store, and with all of them */
} blocks;

/* Time to load an operand again; 0 while it fits its bank. */
static amount load_again(const product *p, amount time, int64_t bank)
{
    const amount each = over(time, p->count);
    const double room = (double) bank * p->cycles_per_byte;

    if (!(room > 0.0))
        return fixed(0.0);
    if (!p->smooth)
        return each.value > room ? time : fixed(0.0);
    return times(time,
                 ramp(scale(plus(each, -room), 1.0 / (room * BANK_WIDTH))));
}

/* Loads that `number` blocks repeat: cut the way that repeats the cheaper
 * operand, both ways where that is better. The two meet with one slope. */
static amount repeated(const product *p, const blocks *b, amount number)
{
    const amount each = times(b->again, b->other);

    if (p->tiles_m <= 1.0 || p->tiles_n <= 1.0 || b->again.value <= 0.0 ||
        b->again.value * number.value <= b->other.value)
        return times(plus(number, -1.0), b->again);
    return less(scale(root(times(number, each)), 2.0), add(b->again, b->other));
}

/* A block of one round has no other round to begin with. */
static amount lag_of(const product *p, const blocks *b, amount number)
{
    const double rounds = p->tiles_n * p->tiles_m;

    if (rounds <= 1.0)
        return fixed(0.0);
    return scale(plus(scale(number, -1.0), rounds), b->lag / (rounds - 1.0));
}

static amount cycles_in(const product *p, const blocks *b, amount number)
{
    const int smooth = p->smooth;
    const amount bottom = most(smooth, add(b->base, b->tail), b->memory);
    const amount tail = most(
        smooth, b->tail, add(over(b->stores, number), lag_of(p, b, number)));
    const amount late = p->tiles_m > 1.0 ? over(b->late, number) : b->late;
    amount cycles = most(smooth, add(b->base, tail),
                         add(b->memory, repeated(p, b, number)));

    if (p->full > 0.0)
        cycles = most(smooth, cycles, add(b->drained, over(b->lead, number)));
    return add(bottom, most(smooth, less(cycles, bottom), late));
}

/* The number y of blocks where level + excess / y, which falls, meets memory +
 * (y - 1) again, which rises: at least `fewest`, at most one for each round. */
static amount meet(const product *p, const blocks *b, amount level,
                   amount excess, amount fewest)
{
    const int smooth = p->smooth;
    const amount rounds = fixed(p->tiles_n * p->tiles_m);
    const amount ahead = add(less(level, b->memory), b->again);
    const amount side = root(
        add(times(ahead, ahead), scale(times(b->again, excess), 4.0)));
    amount number = rounds;

    if (excess.value <= 0.0)
        return fewest;
    if (ahead.value < 0.0)
        number = over(scale(excess, 2.0), less(side, ahead));
    else if (side.value + ahead.value < /* beyond the smooth minimum's reach */
             2.2 * b->again.value * rounds.value)
        number = over(add(side, ahead), scale(b->again, 2.0));
    number = least(smooth, most(smooth, number, fewest),
                   most(smooth, rounds, fewest));
    if (smooth) /* what saves nothing is not done, without a jump */
        number = add(fewest,
                     times(less(number, fewest),
                           ramp(over(excess, scale(b->base, MAXIMUM_WIDTH)))));
    return number;
}

/* As many as each of what blocks make shorter asks for. */
static amount best_number(const product *p, const blocks *b, amount fewest)
{
    const int smooth = p->smooth;
    const amount level = add(b->base, b->tail);
    const amount stores = plus(less(b->stores, b->tail), b->lag);
    amount number = meet(p, b, level, stores, fewest);

    number = most(smooth, number, meet(p, b, b->drained, b->lead, fewest));
    return most(smooth, number,
                meet(p, b, most(smooth, level, b->memory), b->late, fewest));
}

/* Simulated blocks are halvings: powers of two, roughly. */
static amount best_halving(const product *p, const blocks *b, amount number,
                           double fewest)
{
    int exponent;
    const double half = frexp(number.value, &exponent);
    const double low = ldexp(1.0, exponent - 1);
    amount best;

    if (half == 0.5)
        return cycles_in(p, b, fixed(low));
    best = cycles_in(p, b, fixed(2.0 * low));
    return low < fewest ? best : least(0, best, cycles_in(p, b, fixed(low)));
}

static void set_memory(const product *p, blocks *b)
{
    const amount down = load_again(p, p->weights, p->o->weight_bank_bytes);
    const amount across = load_again(p, p->inputs, p->o->input_bank_bytes);

    b->memory = add(add(p->weights, p->inputs), p->outputs);
    b->again = p->tiles_m <= 1.0   ? across
               : p->tiles_n <= 1.0 ? down
                                   : least(p->smooth, down, across);
    b->other = less(add(down, across), b->again);
}

/* The results of the last depth leave while its rounds go on. */
static void set_stores(const product *p, blocks *b, amount head)
{
    const double first = p->tiles_m > 1.0 ? p->stream : p->stream_rest;
    const amount stores = output_time(p, p->m, p->n);

    b->stores = less(stores, plus(p->last_row, p->body - p->stream_rest));
    b->lag = first - p->stream_rest;
    b->lead = fixed(p->full * p->phase_full);
    b->drained = add(plus(stores, first),
                     add(head, less(p->gap_rest, p->first)));
}

static amount product_cycles(const product *p)
{
    const int smooth = p->smooth;
    const amount each = plus(p->phase_rest, p->full * p->phase_full);
    const amount more = times(plus(p->count, -1.0), each);
    const amount head = head_of(p);
    blocks b = { .tail = tail_of(p) };
    amount fewest = fixed(1.0), late, number, partial;

    set_memory(p, &b);
    set_stores(p, &b, head);
    b.base = add(head, all_rounds(p, each));
    late = wait_rest(p, more);
    if (p->full > 0.0)
        late = most(smooth, late, wait_full(p, more));
    late = add(late, b.tail);
    number = most(smooth, add(b.base, b.tail), b.memory);
    b.late = less(most(smooth, late, number), number);
    if (p->full <= 0.0)
        return cycles_in(p, &b, fewest); /* results leave from the start */
    partial = scale(p->n, p->m * (double) p->o->partial_bytes /
                              (double) p->o->output_bank_bytes);
    fewest = most(smooth, fewest, partial);
    number = best_number(p, &b, fewest);
    return smooth ? cycles_in(p, &b, number)
                  : best_halving(p, &b, number, fewest.value);
}

/* -- tiles ---------------------------------------------------------------- */

/* Numbers of tiles between which a form lies, and the share of the higher. */
typedef struct tiling {
    double low;
    amount share;
} tiling;

/* The ceiling, at least 1. What does not depend on the channels is rounded
 * exactly in both forms. */
static tiling tile(int smooth, amount extent, double size)
{
    const double x = extent.value / size, below = floor(x);

    if (!smooth || (extent.by_in == 0.0 && extent.by_out == 0.0))
        return (tiling){ fmax(1.0, ceil(x)), fixed(0.0) };
    if (below < 1.0)
        return (tiling){ 1.0, fixed(0.0) };
    extent = plus(extent, -below * size);
    extent = ramp(scale(extent, 1.0 / (size * CEILING_WIDTH)));
    if (extent.value >= 1.0)
        return (tiling){ below + 1.0, fixed(0.0) };
    return (tiling){ below, extent };
}

static amount cycles_of(product *p, double tiles_k, double tiles_n)
{
    cut(p, tiles_k, tiles_n);
    time_rounds(p);
    return product_cycles(p);
}

static amount mix(amount low, amount high, amount share)
{
    return add(low, times(share, less(high, low)));
}

/* On a step, one form goes over to the other; on two, four do. */
static amount mixed_cycles(product *p)
{
    const tiling k = tile(p->smooth, p->k, p->rows);
    const tiling n = tile(p->smooth, p->n, p->columns);
    amount cycles = cycles_of(p, k.low, n.low), more;

    if (k.share.value > 0.0)
        cycles = mix(cycles, cycles_of(p, k.low + 1.0, n.low), k.share);
    if (n.share.value <= 0.0)
        return cycles;
    more = cycles_of(p, k.low, n.low + 1.0);
    if (k.share.value > 0.0)
        more = mix(more, cycles_of(p, k.low + 1.0, n.low + 1.0), k.share);
    return mix(cycles, more, n.share);
}

/* -- the models ----------------------------------------------------------- */

static ub__util_part part_of(const ub_util_options *o, const ub_cost_layer *l,
                             int smooth)
{
    product p = { .o = o,
                  .smooth = smooth,
                  .cycles_per_byte = o->clock_hz / o->bandwidth };

    set_sizes(&p, l);
    count_bytes(&p);
    return (ub__util_part){ ub__util_macs(l), mixed_cycles(&p) };
}

static ub__util_part exact_part(const ub_util_options *o,
                                const ub_cost_layer *layer)
{
    ub_cost_layer l = *layer;
    ub__util_part part;

    l.in_channels = fmax(1.0, floor(l.in_channels + 0.5));
    l.out_channels = fmax(1.0, floor(l.out_channels + 0.5));
    part = part_of(o, &l, 0);
    part.macs = fixed(part.macs.value);
    part.cycles = fixed(ceil(part.cycles.value));
    return part;
}

static ub__util_part smooth_part(const ub_util_options *o,
                                 const ub_cost_layer *layer)
{
    return part_of(o, layer, 1);
}

ub_status ub_util_full(const ub_util_options *options,
                       const ub_cost_layer *layer, ub_cost *out)
{
    return ub__util_evaluate(options, layer, exact_part, out);
}

ub_status ub_util_full_smooth(const ub_util_options *options,
                              const ub_cost_layer *layer, ub_cost *out)
{
    return ub__util_evaluate(options, layer, smooth_part, out);
}
