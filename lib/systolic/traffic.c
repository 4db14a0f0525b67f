/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/fold.h"

#include <assert.h>

#define MAX_SHORT 8 /* lines that are not full among those waiting */

/* -- when results are written --------------------------------------------- */

/* The results of a fold: lane i writes its element s in cycle s + i. */
typedef struct batch {
    int64_t start; /* cycle of the first one */
    int64_t length, lanes;
} batch;

static batch batch_of(const ub__fold *f, int64_t fold)
{
    const int64_t row_fold = fold % f->row_folds;
    batch b = { .start = fold * f->cycles };

    b.lanes = ub__fold_columns(f, fold / f->row_folds);
    if (f->dataflow == UB_DATAFLOW_OS) {
        b.length = ub__fold_rows(f, row_fold);
        b.start += f->stream - 1 + f->drain;
        if (f->upward)
            b.start += f->array_rows - b.length;
    } else {
        b.length = f->stream;
        b.start += 2 * f->array_rows - 1;
    }
    return b;
}

static int64_t all_writes(const ub__fold *f)
{
    return f->columns *
           (f->dataflow == UB_DATAFLOW_OS ? f->rows : f->row_folds * f->stream);
}

static int64_t least(int64_t a, int64_t b, int64_t c)
{
    const int64_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Cycle of write number n, from 1. */
static int64_t write_cycle(const ub__fold *f, int64_t n)
{
    batch b = batch_of(f, 0);
    int64_t cycle = 0;

    for (int64_t fold = 0; n > b.length * b.lanes;) {
        n -= b.length * b.lanes;
        b = batch_of(f, ++fold);
    }
    for (;; cycle++) {
        const int64_t short_side = b.length < b.lanes ? b.length : b.lanes;
        const int64_t left = b.length + b.lanes - 1 - cycle;

        n -= least(cycle + 1, short_side, left);
        if (n <= 0)
            return b.start + cycle;
    }
}

/* -- the output bank ------------------------------------------------------ */

/*
 * SCALE-Sim's output bank gathers results in lines of what external memory
 * takes in a cycle. Whenever they outgrow half of the bank, lines of that much
 * leave; the line begun is closed then. A closed line that was not full and is
 * not the last to leave is counted as if it were full (compat); its cycle is
 * spent either way.
 */
typedef struct output_bank {
    int64_t rate;        /* elements of a line */
    int64_t open;        /* elements in the line begun */
    int64_t first, next; /* lines waiting */
    int64_t waiting;     /* elements, as SCALE-Sim counts them */
    int64_t gone;        /* the same */
    int64_t short_line[MAX_SHORT], short_by[MAX_SHORT];
    int n_short;
} output_bank;

static void add_results(output_bank *b, int64_t n)
{
    b->waiting += n;
    b->next += (b->open + n) / b->rate;
    b->open = (b->open + n) % b->rate;
}

static void close_line(output_bank *b)
{
    if (b->open == 0)
        return;
    assert(b->n_short < MAX_SHORT); /* each emptying leaves at most one */
    b->short_line[b->n_short] = b->next++;
    b->short_by[b->n_short++] = b->rate - b->open;
    b->open = 0;
}

/* Lines that left. */
static int64_t drain_lines(output_bank *b, int64_t most)
{
    const int64_t n = b->next - b->first < most ? b->next - b->first : most;
    int64_t counted = n * b->rate;
    int kept = 0;

    b->first += n;
    for (int i = 0; i < b->n_short; i++) {
        if (b->short_line[i] == b->first - 1)
            counted -= b->short_by[i];
        if (b->short_line[i] >= b->first) {
            b->short_line[kept] = b->short_line[i];
            b->short_by[kept++] = b->short_by[i];
        }
    }
    b->n_short = kept;
    b->waiting -= counted;
    b->gone += counted;
    return n;
}

void ub__count_writes(const ub__fold *f, const ub_hardware *h, int compat,
                      ub__traffic *out)
{
    const int64_t half = ub__bank_words(h->output_bank_bytes, h,
                                        h->output_bytes) /
                         2;
    const int64_t rate = f->array_columns, all = all_writes(f);
    const int64_t most = half > 0 ? (half - 1) / rate + 1 : 1;
    const int64_t end = f->row_folds * f->column_folds * f->cycles - 1;
    output_bank b = { .rate = rate };
    int64_t written = 0, last = 0, lines = 0, stop;

    out->sram_output.start = write_cycle(f, 1);
    out->sram_output.stop = write_cycle(f, all);
    out->sram_output.count = all;
    out->dram_output.start = end;
    for (;;) {
        const int64_t n = b.waiting > half ? 1 : half + 1 - b.waiting;

        if (n > all - written)
            break;
        written += n;
        add_results(&b, n);
        close_line(&b);
        lines = drain_lines(&b, most);
        if (last == 0)
            out->dram_output.start = write_cycle(f, written);
        last = written;
    }
    add_results(&b, all - written);
    close_line(&b);
    stop = last > 0 ? write_cycle(f, last) + lines - 1 : end;
    if (b.next - b.first > 0 && end + b.next - b.first - 1 > stop)
        stop = end + b.next - b.first - 1;
    while (drain_lines(&b, most) > 0)
        ;
    out->dram_output.stop = stop;
    out->dram_output.count = compat ? b.gone : all;
}

/* -- finite bandwidth ----------------------------------------------------- */

/* Elements per cycle; 0 when it is no whole number of them. */
static int64_t rate_of(double own, int64_t bytes, const ub_hardware *h)
{
    const double bandwidth = own > 0.0 ? own : h->bandwidth;
    const double rate = bandwidth / h->clock_hz /
                        (double) ub__or_else(bytes, h->element_bytes);

    return rate >= 1.0 && rate <= 1e15 ? (int64_t) (rate + 1e-6) : 0;
}

/* SCALE-Sim fetches an operand as the array takes it, empty places included,
 * in whole lines, before the first cycle. */
static int fetch_before(int64_t elements, int64_t rate, int64_t words,
                        ub__requests *out)
{
    int64_t lines;

    if (rate == 0)
        return 0;
    lines = (elements - 1) / rate + 1;
    out->start = -lines;
    out->stop = -1;
    out->count = lines * rate;
    return lines <= (words - words / 2 - 1) / rate + 1;
}

int ub__count_at_bandwidth(const ub__fold *f, const ub_hardware *h,
                           ub__traffic *t)
{
    const int64_t by_rows = f->stream * f->array_rows * f->row_folds;
    const int64_t by_columns = f->array_columns * f->column_folds *
                               (f->dataflow == UB_DATAFLOW_OS ? f->stream
                                                              : f->rows);
    const int swapped = f->dataflow == UB_DATAFLOW_IS;
    const int64_t rate = rate_of(h->output_bandwidth, h->output_bytes, h);
    const int64_t all = t->sram_output.count;
    const int64_t end = f->row_folds * f->column_folds * f->cycles - 1;

    if (!fetch_before(swapped ? by_columns : by_rows,
                      rate_of(h->input_bandwidth, h->input_bytes, h),
                      ub__bank_words(h->input_bank_bytes, h, h->input_bytes),
                      &t->dram_input) ||
        !fetch_before(swapped ? by_rows : by_columns,
                      rate_of(h->weight_bandwidth, h->weight_bytes, h),
                      ub__bank_words(h->weight_bank_bytes, h, h->weight_bytes),
                      &t->dram_weight))
        return 0;
    if (rate == 0 ||
        all > ub__bank_words(h->output_bank_bytes, h, h->output_bytes) / 2)
        return 0;
    t->dram_output.start = end;
    t->dram_output.stop = end + (all - 1) / rate;
    t->dram_output.count = all;
    return 1;
}
