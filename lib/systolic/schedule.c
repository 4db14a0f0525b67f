/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"
#include "systolic/fold.h"
#include "systolic/systolic.h"

#include <math.h>

#define MAX_TILE ((int64_t) 1 << 32)
#define NEVER    (INT64_MAX - 1) /* ticks that nothing takes */

static const ub_systolic_options defaults = {
    .size = sizeof(ub_systolic_options),
    .batch = 1,
    .level = 1,
    .prefetch = 100,
    .charge_inputs = 1,
    .charge_outputs = 1,
    .sparsity = UB_SYSTOLIC_ELLPACK,
    .seed = 1,
};

/* -- schedules ------------------------------------------------------------ */

/* The search for the fastest way to run a product. */
typedef struct search {
    const ub_gemm *gemm;
    const ub_hardware *hardware;
    const ub_systolic_options *options;
    /* the fastest yet; ticks are NEVER without */
    int64_t ticks;
    ub__tiling tiling;
    ub__schedule schedule;
    int countable; /* whether any split's cycles can be counted */
} search;

static void consider(search *find, const ub__tiling *t, ub__schedule *s)
{
    ub__outcome outcome;

    if (!ub__tiling_fit(t, find->options->prefetch, s) ||
        ub__tiling_least_moving(t, s) >= (double) find->ticks)
        return;
    ub__systolic_walk(t, s, find->ticks, &outcome);
    if (outcome.ticks < find->ticks) {
        find->ticks = outcome.ticks;
        find->tiling = *t;
        find->schedule = *s;
    }
}

static int64_t half(int64_t n)
{
    return n > 1 ? (n + 1) / 2 : 0;
}

/* The fastest of all schedules that fit. Which ones are tried does not depend
 * on memory, so that more of it never slows a layer down. */
static void consider_blocks(search *find, const ub__tiling *t)
{
    const double least = ub__tiling_least_computing(t);

    for (int64_t m = t->tiles_m; m > 0; m = half(m)) {
        for (int64_t n = t->tiles_n; n > 0; n = half(n)) {
            const int again_m = m < t->tiles_m, again_n = n < t->tiles_n;

            for (int keep = 0; keep < 4; keep++) {
                ub__schedule s = { m, n, keep & 1, keep >> 1, 0, 0 };

                if ((s.keep_streamed && !again_n) || (s.keep_fixed && !again_m))
                    continue;
                if ((double) find->ticks <= least)
                    return;
                consider(find, t, &s);
            }
        }
    }
}

/* -- splits --------------------------------------------------------------- */

typedef void (*split_fn)(search *find, const ub__tiling *t, double least,
                         void *arg);

/* The number after `n` that is tried: up to 8 all, then 8, 12, 16, 24, ...,
 * and the limit. A banyan network routes powers of two without collision. */
static int64_t next_part(const search *find, int64_t n, int64_t limit)
{
    int64_t next = n + 1;

    if (find->hardware->interconnect == UB_INTERCONNECT_BANYAN)
        return 2 * n;
    if (n >= 8)
        next = (n & (n - 1)) == 0 ? n / 2 * 3 : n / 3 * 4;
    return n < limit && next > limit ? limit : next;
}

static void visit(search *find, const ub__parts *split, split_fn fn, void *arg)
{
    const ub__tiling t = ub__tiling_cut(find->gemm, find->hardware,
                                        find->options, split);
    const ub__schedule whole = { t.tiles_m, t.tiles_n, 1, 1, 0, 0 };

    if (!ub__tiling_countable(&t))
        return;
    find->countable = 1;
    fn(find, &t,
       fmax(ub__tiling_least_computing(&t),
            ub__tiling_least_moving(&t, &whole)),
       arg);
}

/* All ways to split a product among the arrays. Those for fewer arrays are
 * among those for more, and cost the same there. */
static void each_split(search *find, split_fn fn, void *arg)
{
    const ub__parts one = { 1, 1, 1, 1 };
    const ub__tiling t = ub__tiling_cut(find->gemm, find->hardware,
                                        find->options, &one);
    const int64_t arrays = find->hardware->arrays;
    const int64_t groups = ub__ceil_div(t.gemm.count, t.pack);
    /* what streams is shared row by row, the rest by tiles */
    const int64_t most_m = t.outputs ? t.tiles_m : t.gemm.m;
    const int64_t most_k = t.outputs ? t.gemm.k : t.tiles_k;
    ub__parts s;

    for (s.groups = 1; s.groups <= groups && s.groups <= arrays;
         s.groups = next_part(find, s.groups, groups)) {
        const int64_t left = arrays / s.groups;

        for (s.m = 1; s.m <= most_m && s.m <= left;
             s.m = next_part(find, s.m, most_m)) {
            for (s.n = 1; s.n <= t.tiles_n && s.m * s.n <= left;
                 s.n = next_part(find, s.n, t.tiles_n)) {
                for (s.k = 1; s.k <= most_k && s.m * s.n * s.k <= left;
                     s.k = next_part(find, s.k, most_k))
                    visit(find, &s, fn, arg);
            }
        }
    }
}

typedef struct promise {
    ub__tiling tiling;
    double least;
} promise;

static void most_promising(search *find, const ub__tiling *t, double least,
                           void *arg)
{
    promise *first = arg;

    (void) find;
    if (least < first->least) {
        first->least = least;
        first->tiling = *t;
    }
}

static void consider_split(search *find, const ub__tiling *t, double least,
                           void *arg)
{
    (void) arg;
    if (least < (double) find->ticks)
        consider_blocks(find, t);
}

/* The most promising split first: it rules most others out. */
static void choose(search *find)
{
    promise first = { .least = INFINITY };

    find->ticks = NEVER;
    each_split(find, most_promising, &first);
    if (!find->countable)
        return;
    consider_blocks(find, &first.tiling);
    if (find->hardware->arrays > 1)
        each_split(find, consider_split, NULL);
}

/* -- public --------------------------------------------------------------- */

/* What levels 0 and 2 alone look at. */
static int fold_options_valid(const ub_systolic_options *o)
{
    return o->os_drain >= 0 && o->os_drain <= 1 && o->count_memory >= 0 &&
           o->count_memory <= 2 && o->sparsity >= UB_SYSTOLIC_DENSE &&
           o->sparsity <= UB_SYSTOLIC_ELLPACK &&
           o->compat >= UB_SYSTOLIC_COMPAT_NONE &&
           o->compat <= UB_SYSTOLIC_COMPAT_CSIM;
}

ub_status ub__systolic_options_in(const ub_systolic_options *options,
                                  ub_systolic_options *out)
{
    ub_systolic_options full = defaults;
    const ub_status status = ub__options_in(
        NULL, "systolic", &full, sizeof(full), sizeof(full), options);

    if (status != UB_OK)
        return status;
    if (full.batch < 1 || full.prefetch < 0 ||
        full.prefetch > UB__MAX_PREFETCH || full.charge_inputs < 0 ||
        full.charge_inputs > 1 || full.charge_outputs < 0 ||
        full.charge_outputs > 1 || full.packed < 0 || full.packed > 1 ||
        full.reserved != 0 || full.tile_m < 0 || full.tile_m > MAX_TILE ||
        full.tile_k < 0 || full.tile_n < 0 || !fold_options_valid(&full))
        return UB_ERR_INVALID;
    if (full.level < 0 || full.level > 3)
        return UB_ERR_UNSUPPORTED;
    *out = full;
    return UB_OK;
}

int ub__systolic_gemm_valid(const ub_gemm *g)
{
    int64_t x, w, y, macs;

    if (g == NULL || g->size < sizeof(*g) || g->count < 0)
        return 0;
    if (g->count == 0)
        return 1;
    return g->m >= 1 && g->k >= 1 && g->n >= 1 && g->input_elements >= 0 &&
           ub__mul_int64(g->m, g->k, &x) && g->input_elements <= x &&
           ub__mul_int64(g->k, g->n, &w) && ub__mul_int64(g->m, g->n, &y) &&
           ub__mul_int64(x, g->n, &macs) &&
           ub__mul_int64(macs, g->count, &macs) && macs <= INT64_MAX / 256;
}

/* The product on arrays of level 1. */
static ub_status simulate(const ub_gemm *gemm, const ub_hardware *h,
                          const ub_systolic_options *o, ub_systolic_stats *out)
{
    search find = { .gemm = gemm, .hardware = h, .options = o };
    const int outputs = h->dataflow == UB_DATAFLOW_OS;
    ub__outcome outcome;

    if ((outputs ? o->tile_m : o->tile_k) > h->rows || o->tile_n > h->columns ||
        o->tile_k > MAX_TILE)
        return UB_ERR_INVALID;
    if (gemm->count == 0)
        return UB_OK;
    choose(&find);
    if (!find.countable)
        return UB_ERR_RANGE;
    if (find.ticks == NEVER)
        return UB_ERR_INVALID;
    ub__systolic_walk(&find.tiling, &find.schedule, INT64_MAX, &outcome);
    *out = ub__systolic_stats(&find.tiling, h, &outcome);
    return UB_OK;
}

void ub_systolic_options_init(ub_systolic_options *options, size_t size)
{
    ub__options_out(options, size, &defaults, sizeof(defaults));
}

/* What takes no memory: level 3 and the counts of external memory do. */
static ub_status at_level(const ub_gemm *gemm, const ub_hardware *h,
                          const ub_systolic_options *o, ub_systolic_stats *out)
{
    if (o->level == 3 ||
        (o->level == 1 && o->compat != UB_SYSTOLIC_COMPAT_NONE))
        return UB_ERR_UNSUPPORTED;
    return o->level == 1 ? simulate(gemm, h, o, out)
                         : ub__fold_stats(gemm, h, o, out);
}

ub_status ub_systolic_gemm(const ub_gemm *gemm, const ub_hardware *hardware,
                           const ub_systolic_options *options,
                           ub_systolic_stats *out)
{
    ub_systolic_stats stats = { .size = sizeof(stats), .utilization = 1.0 };
    ub_systolic_options o;
    ub_hardware h;
    ub_status status = ub__hardware_in(hardware, &h);

    if (status == UB_OK && ub__csim_wanted(options))
        return ub__systolic_gemm_valid(gemm) && out != NULL &&
                       out->size >= sizeof(*out)
                   ? ub__csim_gemm(gemm, hardware, options, out)
                   : UB_ERR_INVALID;
    if (status == UB_OK)
        status = ub__systolic_options_in(options, &o);
    if (status != UB_OK)
        return status;
    if (!ub__systolic_gemm_valid(gemm) || out == NULL ||
        out->size < sizeof(*out))
        return UB_ERR_INVALID;
    status = at_level(gemm, &h, &o, &stats);
    if (status == UB_OK)
        ub__options_out(out, out->size, &stats, sizeof(stats));
    return status;
}

ub_status ub__systolic_layer(const ub_layer_info *layer, int64_t n_inputs,
                             const ub_hardware *hardware,
                             const ub_systolic_options *options,
                             ub_systolic_stats *out)
{
    ub_gemm g = { .size = sizeof(g) };
    ub_systolic_stats stats = { .size = sizeof(stats) };
    ub_systolic_options o;
    ub_hardware h;
    ub_status status;

    if (ub__csim_wanted(options))
        return ub__csim_layer_alone(layer, hardware, options, out);
    status = ub__systolic_options_in(options, &o);
    if (status == UB_OK)
        status = ub__hardware_in(hardware, &h);
    if (status == UB_OK && (out == NULL || out->size < sizeof(*out)))
        status = UB_ERR_INVALID;
    if (status == UB_OK)
        status = ub_layer_gemm(layer, o.batch, &g);
    if (status == UB_OK && (o.level == 0 || o.level == 2))
        status = ub__stored_gemm(layer, hardware, &o, &g);
    if (status != UB_OK)
        return status;
    /* Of a layer it makes sense, so that there is only too much of it. */
    if (!ub__systolic_gemm_valid(&g))
        return UB_ERR_RANGE;
    if (layer->layer->on_chip)
        o.charge_inputs = 0;
    status = ub_systolic_gemm(&g, &h, &o, &stats);
    if (status == UB_OK && g.count == 0 && o.level == 1)
        status = ub__systolic_vector(layer, n_inputs, o.batch, &h, &stats);
    if (status == UB_OK)
        ub__options_out(out, out->size, &stats, sizeof(stats));
    return status;
}

ub_status ub_systolic_layer(const ub_layer_info *layer,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options,
                            ub_systolic_stats *out)
{
    return ub__systolic_layer(layer, 2, hardware, options, out);
}
