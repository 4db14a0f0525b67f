/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/scalesim.h"

/*
 * External memory against a plain account of it: every request by its cycle
 * and place, every element of the output bank on its own. Padding, dilation,
 * groups, batches and sparsity, which the golden data do not have.
 */

#define MAX_ELEMENTS 65536
#define MAX_LINES    65536

static int64_t below(ub_rng *rng, uint32_t n)
{
    return (int64_t) ub_rng_below(rng, n);
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A layer, its product, and how it lies in the array. */
typedef struct problem {
    test_layer l;
    ub_hardware h;
    int64_t batch, m, k, n; /* k as stored */
    int64_t rows, columns, stream, fold, row_folds, column_folds;
    int32_t compat, drain;
} problem;

/* -- requests ------------------------------------------------------------- */

/* Place of the stored element in the window. */
static int64_t tap(const problem *p, int64_t k)
{
    const ub_layer *l = &p->l.layer;

    return l->sparse_block == 0
               ? k
               : k / l->sparse_keep * l->sparse_block + k % l->sparse_keep;
}

/* -1 in the padding. */
static int64_t input_address(const problem *p, int64_t m, int64_t k)
{
    const ub_layer *l = &p->l.layer;
    const ub_layer_info *i = &p->l.info;
    const int64_t channels = i->in_channels / l->groups, place = tap(p, k);
    const int64_t pixel = m % (i->out_height * i->out_width);
    const int64_t image = m / (i->out_height * i->out_width);
    const int64_t y = pixel / i->out_width * l->stride - l->pad_height +
                      place / (channels * l->kernel_width) * l->dilation;
    const int64_t x = pixel % i->out_width * l->stride - l->pad_width +
                      place / channels % l->kernel_width * l->dilation;

    if (y < 0 || y >= i->in_height || x < 0 || x >= i->in_width)
        return -1;
    return ((image * i->in_height + y) * i->in_width + x) * channels +
           place % channels;
}

/* What the operand asks for in a cycle of a fold, on a row or column; -1 for
 * nothing. */
static int64_t asked(const problem *p, int input, int64_t fc, int64_t fr,
                     int64_t cycle, int64_t lane)
{
    const int64_t r = p->h.rows, c = p->h.columns;
    const int64_t column = fc * c + lane, row = fr * r + lane;
    int64_t m, k, n;

    if (p->h.dataflow == UB_DATAFLOW_OS) {
        k = cycle - lane;
        m = n = input ? row : column;
        if (k < 0 || k >= p->k || lane >= (input ? r : c) ||
            m >= (input ? p->m : p->n))
            return -1;
    } else if (input == (p->h.dataflow == UB_DATAFLOW_IS)) {
        k = fr * r + r - 1 - cycle; /* loaded from the last row up */
        m = n = column;
        if (cycle >= r || k >= p->k || lane >= c || column >= p->columns)
            return -1;
    } else {
        m = n = cycle - r - lane;
        k = row;
        if (m < 0 || m >= p->stream || lane >= r || k >= p->k)
            return -1;
    }
    return input ? input_address(p, m, k) : n * p->k + k;
}

typedef struct reads {
    int64_t first, last, count, start, stop;
} reads;

static reads expected_reads(const problem *p, int input, int64_t words)
{
    static char held[MAX_ELEMENTS];
    const int64_t part = words / 100;
    const int64_t lanes = p->h.rows > p->h.columns ? p->h.rows : p->h.columns;
    reads e = { -1, -1, 0, 0, -1 };
    int64_t n = 0, filled = -1, now = 0;

    memset(held, 0, sizeof(held));
    for (int64_t f = 0; f < p->row_folds * p->column_folds; f++) {
        for (int64_t cycle = 0; cycle < p->fold; cycle++, now++) {
            for (int64_t lane = 0; lane < lanes; lane++) {
                const int64_t a = asked(p, input, f / p->row_folds,
                                        f % p->row_folds, cycle, lane);

                if (a < 0)
                    continue;
                assert_true(a < MAX_ELEMENTS);
                e.first = e.first < 0 ? now : e.first;
                e.last = now;
                if (held[a])
                    continue;
                held[a] = 1;
                e.count++;
                if (++n == 50 * part) {
                    memset(held, 0, sizeof(held));
                    n = 0;
                    filled = now;
                }
            }
        }
    }
    if (filled < 0) {
        e.start = -(((n + part - 1) / part * part + 9) / 10);
    } else {
        e.start = e.first - 5 * part;
        e.stop = filled + 1;
    }
    return e;
}

/* -- writes --------------------------------------------------------------- */

typedef struct bank {
    int64_t rate, half, waiting, gone; /* counted */
    int64_t lines, left;               /* made and drained */
    int64_t open;                      /* elements of the last line */
    int64_t busy;                      /* last cycle of the last emptying */
    int64_t start, stop;
    int64_t used[MAX_LINES];
} bank;

static void empty_once(bank *b, int64_t now)
{
    const int64_t most = (b->half + b->rate - 1) / b->rate;
    int64_t n = 0, counted = 0;

    if (b->open > 0) {
        b->lines++;
        b->open = 0;
    }
    for (; n < most && b->left < b->lines; n++, b->left++) {
        const int last = n == most - 1 || b->left == b->lines - 1;

        counted += last ? b->used[b->left] : b->rate;
    }
    b->waiting -= counted;
    b->gone += counted;
    b->start = b->start < 0 ? now : b->start;
    b->busy = now + n - 1;
    b->stop = b->busy > b->stop ? b->busy : b->stop;
}

static void write_one(bank *b, int64_t now)
{
    assert_true(b->lines < MAX_LINES);
    b->used[b->lines] = ++b->open;
    if (b->open == b->rate) {
        b->lines++;
        b->open = 0;
    }
    b->waiting++;
    if (now >= b->busy && b->waiting > b->half)
        empty_once(b, now);
}

/* Whether a result leaves the column in the cycle of the fold: of stationary
 * outputs in that of its last product, or shifting down, or as SCALE-Sim writes
 * them. */
static int writes(const problem *p, int64_t fc, int64_t fr, int64_t cycle,
                  int64_t lane)
{
    const int64_t r = p->h.rows;

    if (fc * p->h.columns + lane >= p->columns)
        return 0;
    if (p->h.dataflow == UB_DATAFLOW_OS) {
        const int64_t at = cycle - (p->k - 1) - lane - (p->drain ? r : 0);
        const int64_t row = p->drain || p->compat ? r - 1 - at : at;

        return at >= 0 && at < r && fr * r + row < p->m;
    }
    cycle -= 2 * r - 1 + lane;
    return cycle >= 0 && cycle < p->stream;
}

static void expect_writes(const problem *p, int64_t words, bank *b,
                          reads *in_bank)
{
    int64_t now = 0;

    *b = (bank){ .rate = p->h.columns, .half = words / 2, .start = -1 };
    *in_bank = (reads){ .first = -1 };
    for (int64_t f = 0; f < p->row_folds * p->column_folds; f++) {
        for (int64_t cycle = 0; cycle < p->fold; cycle++, now++) {
            for (int64_t lane = 0; lane < p->h.columns; lane++) {
                if (!writes(p, f / p->row_folds, f % p->row_folds, cycle, lane))
                    continue;
                in_bank->first = in_bank->first < 0 ? now : in_bank->first;
                in_bank->last = now;
                in_bank->count++;
                write_one(b, now);
            }
        }
    }
    for (now--; b->left < b->lines || b->open > 0; now = b->busy + 1)
        empty_once(b, now);
}

/* -- problems ------------------------------------------------------------- */

static void random_layer(ub_rng *rng, problem *p)
{
    ub_layer *l = &p->l.layer;
    ub_layer_info *i = &p->l.info;
    const int64_t groups = 1 + below(rng, 3);
    const int64_t extent = below(rng, 20) == 0 ? 48 : 6 + below(rng, 8);

    conv_layer(&p->l, extent, extent + below(rng, 3), 1 + below(rng, 3),
               1 + below(rng, 3), groups * (1 + below(rng, 4)),
               groups * (1 + below(rng, 12)), 1 + below(rng, 3));
    l->groups = groups;
    l->pad_height = below(rng, 3);
    l->pad_width = below(rng, 3);
    l->dilation = 1 + below(rng, 2);
    i->out_height = 1 + (i->in_height + 2 * l->pad_height -
                         l->dilation * (l->kernel_height - 1) - 1) /
                            l->stride;
    i->out_width = 1 + (i->in_width + 2 * l->pad_width -
                        l->dilation * (l->kernel_width - 1) - 1) /
                           l->stride;
    if (below(rng, 4) == 0) {
        l->sparse_block = (int32_t) (1 + below(rng, 4));
        l->sparse_keep = (int32_t) (1 + below(rng, (uint32_t) l->sparse_block));
    }
}

static void random_problem(ub_rng *rng, problem *p)
{
    ub_hardware *h = &p->h;
    ub_gemm g = { .size = sizeof(g) };

    random_layer(rng, p);
    *h = hardware_of(1 + below(rng, 9), 1 + below(rng, 9),
                     p->l.layer.sparse_block > 0 ? UB_DATAFLOW_WS
                                                 : (int32_t) below(rng, 3),
                     0);
    h->input_bank_bytes = 100 + below(rng, 600);
    h->weight_bank_bytes = 100 + below(rng, 600);
    h->output_bank_bytes = 2 + below(rng, 600);
    p->batch = 1 + below(rng, 2);
    assert_int_equal(ub_layer_gemm(&p->l.info, p->batch, &g), UB_OK);
    p->m = g.m;
    p->k = g.k;
    p->n = g.n;
    if (p->l.layer.sparse_block > 0) {
        p->k = 0;
        for (int64_t i = 0; i < g.k; i++)
            p->k += i % p->l.layer.sparse_block < p->l.layer.sparse_keep;
    }
    p->rows = h->dataflow == UB_DATAFLOW_OS ? p->m : p->k;
    p->columns = h->dataflow == UB_DATAFLOW_IS ? p->m : p->n;
    p->stream = h->dataflow == UB_DATAFLOW_OS   ? p->k
                : h->dataflow == UB_DATAFLOW_IS ? p->n
                                                : p->m;
    p->fold = h->rows + h->columns + p->stream - 2 +
              (h->dataflow == UB_DATAFLOW_OS && !p->drain ? 0 : h->rows);
    p->row_folds = (p->rows + h->rows - 1) / h->rows;
    p->column_folds = (p->columns + h->columns - 1) / h->columns;
}

static void check_reads(const problem *p, int input, int64_t words,
                        const ub_systolic_accesses *sram,
                        const ub_systolic_accesses *dram)
{
    const reads e = expected_reads(p, input, words);
    const int64_t later = p->row_folds * p->column_folds * p->fold;
    const int64_t groups = p->l.layer.groups;

    if (e.first >= 0) {
        assert_int_equal(sram->start, e.first + 1);
        assert_int_equal(sram->stop, e.last + 1 + (groups - 1) * later);
    }
    assert_int_equal(dram->start, e.start);
    assert_int_equal(dram->stop, e.stop + (groups - 1) * later);
    assert_int_equal(dram->count, e.count * groups);
}

static void check_problem(ub_context *context, const problem *p)
{
    static bank b;
    ub_systolic_report r = { .size = sizeof(r) };
    ub_systolic_options o = compat_options();
    const int64_t later = p->row_folds * p->column_folds * p->fold;
    const int64_t groups = p->l.layer.groups;
    reads in_bank;

    o.compat = p->compat;
    o.os_drain = p->drain;
    o.batch = p->batch;
    if (ub_systolic_report_layer(context, &p->l.info, &p->h, &o, &r) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    assert_int_equal(r.cycles, (later - p->compat) * groups);
    check_reads(p, 1, p->h.input_bank_bytes, &r.sram_input, &r.dram_input);
    check_reads(p, 0, p->h.weight_bank_bytes, &r.sram_weight, &r.dram_weight);
    expect_writes(p, p->h.output_bank_bytes, &b, &in_bank);
    assert_int_equal(r.sram_output.start, in_bank.first);
    assert_int_equal(r.sram_output.stop, in_bank.last + (groups - 1) * later);
    if (p->compat == UB_SYSTOLIC_COMPAT_NONE)
        assert_int_equal(r.sram_output.count, in_bank.count * groups);
    assert_int_equal(r.dram_output.start, b.start);
    assert_int_equal(r.dram_output.stop, b.stop + (groups - 1) * later);
    assert_int_equal(r.dram_output.count,
                     (p->compat ? b.gone : in_bank.count) * groups);
    assert_int_equal(r.cycles_with_prefetch,
                     r.dram_output.stop + 1 - p->compat -
                         min_of(r.dram_input.start, r.dram_weight.start));
}

static void every_request(void **state)
{
    ub_context *context = test_context(1);
    static problem p;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 11, 0);
    for (int i = 0; i < 300; i++) {
        p.drain = i % 3 == 0;
        random_problem(&rng, &p);
        p.compat = UB_SYSTOLIC_COMPAT_NONE;
        check_problem(context, &p);
        p.compat = UB_SYSTOLIC_COMPAT_SCALESIM;
        check_problem(context, &p);
    }
    ub_context_destroy(&context);
}

/* Banks that hold everything read each element that is asked for once. */
static void everything_fits(void **state)
{
    ub_context *context = test_context(1);
    ub_systolic_report r = { .size = sizeof(r) };
    test_layer l;

    (void) state;
    conv_layer(&l, 20, 20, 3, 3, 8, 24, 1);
    l.layer.pad_height = l.layer.pad_width = 1;
    l.info.out_height = l.info.out_width = 20;
    for (int32_t df = UB_DATAFLOW_WS; df <= UB_DATAFLOW_IS; df++) {
        ub_hardware h = hardware_of(5, 7, df, 1 << 20);

        assert_int_equal(
            ub_systolic_report_layer(context, &l.info, &h, NULL, &r), UB_OK);
        assert_int_equal(r.dram_input.count, 20 * 20 * 8);
        assert_int_equal(r.dram_weight.count, 9 * 8 * 24);
        assert_int_equal(r.dram_output.count, r.sram_output.count);
        assert_int_equal(r.dram_output.count - r.partial_writes, 400 * 24);
    }
    ub_context_destroy(&context);
}

/* A map of padding alone: no input is ever asked for. */
static void padding_alone(void **state)
{
    ub_context *context = test_context(1);
    ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_WS, 1024);
    ub_systolic_report r = { .size = sizeof(r) };
    test_layer l;

    (void) state;
    conv_layer(&l, 1, 1, 1, 1, 2, 3, 2);
    l.layer.pad_height = l.layer.pad_width = 1;
    l.info.out_height = l.info.out_width = 2;
    assert_int_equal(ub_systolic_report_layer(context, &l.info, &h, NULL, &r),
                     UB_OK);
    assert_int_equal(r.dram_input.count, 0);
    assert_int_equal(r.dram_weight.count, 6);
    assert_true(r.cycles_with_prefetch > r.cycles);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request),
        cmocka_unit_test(everything_fits),
        cmocka_unit_test(padding_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
