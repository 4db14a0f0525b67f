/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/element.h"
#include "systolic/fold.h"

#include <assert.h>
#include <string.h>

#define MAX_UPDATES 1099511627776.0 /* 2^40 */
#define MAX_DEPTH   131071 /* of products of -128 that a sum can hold */
#define WIDTH       8      /* registers of a row come in so many */

/* A matrix in memory, or its transpose. */
typedef struct view {
    const int8_t *data;
    int64_t row, column; /* elements from one to the next */
    int32_t operand;
    int transposed;
} view;

/* One array, and the product it is at. Registers are [rows][pitch]; those
 * beyond the columns stay 0. */
typedef struct machine {
    int64_t rows, columns, pitch;
    int drain;
    const ub__element_watch *watch;
    int64_t cycle; /* all of them so far */

    int16_t *right; /* operands that move to the right */
    int16_t *down; /* operands that move down, or stay once they are in place */
    int32_t *sum;

    /* ws and is: `fixed` is k x across, `streamed` stream x k. os: streamed
     * from the left m x k, fixed from the top k x n. */
    view streamed, fixed;
    int64_t k, across, stream;
    int32_t *result;
    int64_t result_row, result_column;
    int result_transposed;

    int64_t row0, column0; /* of the fold */
    int64_t used_rows, used_columns;
} machine;

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* -- the edges of the array ----------------------------------------------- */

static void touch(const machine *a, int32_t operand, int transposed,
                  int64_t lane, int64_t row, int64_t column)
{
    if (a->watch != NULL)
        a->watch->touch(a->watch->user, a->cycle, operand, lane,
                        transposed ? column : row, transposed ? row : column);
}

static int16_t fetch(const machine *a, const view *v, int64_t lane, int64_t row,
                     int64_t column)
{
    touch(a, v->operand, v->transposed, lane, row, column);
    return v->data[row * v->row + column * v->column];
}

/* Partial sums meet those of the folds before. */
static void deliver(const machine *a, int64_t lane, int64_t row, int64_t column,
                    int32_t value)
{
    touch(a, UB_SYSTOLIC_OUTPUT, a->result_transposed, lane, row, column);
    a->result[row * a->result_row + column * a->result_column] += value;
}

/* -- processing elements -------------------------------------------------- */

/* Every element hands its operand to its right neighbour. */
static void shift_right(const machine *a, int64_t r, int16_t entering)
{
    int16_t *row = a->right + r * a->pitch;

    memmove(row + 1, row, (size_t) (a->columns - 1) * sizeof(*row));
    row[0] = entering;
}

/* And to the one below, all rows at once. */
static void shift_down(const machine *a)
{
    memmove(a->down + a->pitch, a->down,
            (size_t) ((a->rows - 1) * a->pitch) * sizeof(*a->down));
}

/* Sums from above, plus each element's product. The inner loop's length is a
 * constant for compilers that vectorise nothing else at -O2. */
static void add_to_above(int64_t n, const int16_t *restrict right,
                         const int16_t *restrict down,
                         const int32_t *restrict above, int32_t *restrict sum)
{
    for (int64_t c = 0; c < n; c += WIDTH) {
        for (int64_t j = c; j < c + WIDTH; j++)
            sum[j] = above[j] + right[j] * down[j];
    }
}

static void add_in_place(int64_t n, const int16_t *restrict right,
                         const int16_t *restrict down, int32_t *restrict sum)
{
    for (int64_t c = 0; c < n; c += WIDTH) {
        for (int64_t j = c; j < c + WIDTH; j++)
            sum[j] += right[j] * down[j];
    }
}

/* -- stationary weights or inputs ----------------------------------------- */

/* One row further down; a new one on top, the last of the fold first. */
static void load_fixed(machine *a, int64_t u)
{
    const int64_t k = a->rows - 1 - u;

    shift_down(a);
    for (int64_t c = 0; c < a->columns; c++)
        a->down[c] = k < a->used_rows && c < a->used_columns
                         ? fetch(a, &a->fixed, c, a->row0 + k, a->column0 + c)
                         : 0;
}

static void collect_bottom(machine *a, int64_t u)
{
    const int64_t since = u - (2 * a->rows - 1);
    const int64_t after = since - a->stream + 1;
    const int64_t end = min_of(a->used_columns, since + 1);
    const int32_t *sum = a->sum + (a->rows - 1) * a->pitch;

    for (int64_t c = after > 0 ? after : 0; c < end; c++)
        deliver(a, c, since - c, a->column0 + c, sum[c]);
}

/* All registers take their neighbours' values of the cycle before: from the
 * bottom up, so that these are still there. Operands move in all rows before
 * any is used: a processor waits for what it stored just now. */
static void step_fixed(machine *a, int64_t u)
{
    const int64_t n = a->pitch;

    if (u < a->rows)
        load_fixed(a, u);
    for (int64_t r = a->rows - 1; r >= 0; r--) {
        const int64_t t = u - a->rows - r;
        const int enters = t >= 0 && t < a->stream && r < a->used_rows;

        shift_right(a, r,
                    enters ? fetch(a, &a->streamed, r, t, a->row0 + r) : 0);
    }
    for (int64_t r = a->rows - 1; r >= 0; r--) {
        int32_t *sum = a->sum + r * n;

        if (r > 0) {
            add_to_above(n, a->right + r * n, a->down + r * n, sum - n, sum);
        } else {
            memset(sum, 0, (size_t) n * sizeof(*sum));
            add_in_place(n, a->right, a->down, sum);
        }
    }
    collect_bottom(a, u);
}

/* -- stationary outputs --------------------------------------------------- */

/* The sum of (r, c) is whole in the cycle k - 1 + r + c, and leaves then. */
static void collect_finished(machine *a, int64_t u)
{
    if (u < a->k - 1)
        return;
    for (int64_t r = 0; r < a->rows; r++) {
        const int64_t c = u - (a->k - 1) - r;
        int32_t *sum = a->sum + r * a->pitch;

        if (c < 0 || c >= a->columns)
            continue;
        if (r < a->used_rows && c < a->used_columns)
            deliver(a, c, a->row0 + r, a->column0 + c, sum[c]);
        sum[c] = 0;
    }
}

/* Columns whose last sum is whole move down, one row a cycle. */
static void shift_out(machine *a, int64_t u)
{
    const int64_t since = u - (a->k + a->rows - 1);
    const int64_t after = since - a->rows + 1;
    const int64_t begin = after > 0 ? after : 0;
    const int64_t end = min_of(a->columns, since + 1);
    int32_t *sum = a->sum + (a->rows - 1) * a->pitch;

    for (int64_t c = begin; c < end; c++) {
        const int64_t r = a->rows - 1 - (since - c);

        if (r < a->used_rows && c < a->used_columns)
            deliver(a, c, a->row0 + r, a->column0 + c, sum[c]);
    }
    if (begin >= end)
        return;
    for (; sum > a->sum; sum -= a->pitch)
        memcpy(sum + begin, sum - a->pitch + begin,
               (size_t) (end - begin) * sizeof(*sum));
    memset(sum + begin, 0, (size_t) (end - begin) * sizeof(*sum));
}

static void enter_top(machine *a, int64_t u)
{
    for (int64_t c = 0; c < a->columns; c++) {
        const int64_t k = u - c;

        a->down[c] = k >= 0 && k < a->k && c < a->used_columns
                         ? fetch(a, &a->fixed, c, k, a->column0 + c)
                         : 0;
    }
}

static void step_outputs(machine *a, int64_t u)
{
    const int64_t n = a->pitch;

    if (a->drain)
        shift_out(a, u);
    shift_down(a);
    enter_top(a, u);
    for (int64_t r = a->rows - 1; r >= 0; r--) {
        const int64_t k = u - r;
        const int enters = k >= 0 && k < a->k && r < a->used_rows;

        shift_right(a, r,
                    enters ? fetch(a, &a->streamed, r, a->row0 + r, k) : 0);
    }
    for (int64_t r = a->rows - 1; r >= 0; r--)
        add_in_place(n, a->right + r * n, a->down + r * n, a->sum + r * n);
    if (!a->drain)
        collect_finished(a, u);
}

/* -- products ------------------------------------------------------------- */

static void run_folds(machine *a, int outputs_stay, int64_t fold_cycles)
{
    const int64_t down = outputs_stay ? a->stream : a->k;

    for (a->column0 = 0; a->column0 < a->across; a->column0 += a->columns) {
        a->used_columns = min_of(a->columns, a->across - a->column0);
        for (a->row0 = 0; a->row0 < down; a->row0 += a->rows) {
            a->used_rows = min_of(a->rows, down - a->row0);
            for (int64_t u = 0; u < fold_cycles; u++, a->cycle++) {
                if (outputs_stay)
                    step_outputs(a, u);
                else
                    step_fixed(a, u);
            }
        }
    }
}

/* Operands of product `index`; inputs that stay take the weights' place. */
static void set_product(machine *a, const ub_gemm *g, int32_t dataflow,
                        int64_t index, const int8_t *input,
                        const int8_t *weights, int32_t *output)
{
    const view x = { input + index * g->m * g->k, g->k, 1, UB_SYSTOLIC_INPUT,
                     0 };
    const view w = { weights + index * g->k * g->n, g->n, 1,
                     UB_SYSTOLIC_WEIGHTS, 0 };
    const int turned = dataflow == UB_DATAFLOW_IS;

    a->k = g->k;
    a->stream = turned ? g->n : g->m;
    a->across = turned ? g->m : g->n;
    a->streamed = x;
    a->fixed = w;
    if (turned) {
        a->streamed = (view){ w.data, 1, g->n, UB_SYSTOLIC_WEIGHTS, 1 };
        a->fixed = (view){ x.data, 1, g->k, UB_SYSTOLIC_INPUT, 1 };
    }
    a->result = output + index * g->m * g->n;
    a->result_row = turned ? 1 : g->n;
    a->result_column = turned ? g->n : 1;
    a->result_transposed = turned;
}

/* -- public --------------------------------------------------------------- */

static ub_status check_gemm(ub_context *context, const ub_gemm *g,
                            const ub_hardware *h, const ub_systolic_options *o)
{
    double updates;

    if (g == NULL || g->size < sizeof(*g) || g->count < 0 ||
        (g->count > 0 && (g->m < 1 || g->k < 1 || g->n < 1)))
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: the product has no sense, or no size");
    if (g->count == 0)
        return UB_OK;
    updates = (double) g->m * (double) g->k * (double) g->n * (double) g->count;
    if (updates <= MAX_UPDATES) {
        const ub__fold f = ub__fold_of(g->m, g->k, g->n, h, o);

        updates = (double) f.row_folds * (double) f.column_folds *
                  (double) g->count * (double) f.cycles * (double) h->rows *
                  (double) h->columns;
    }
    if (!(updates <= MAX_UPDATES))
        return ub__fail(context, UB_ERR_RANGE,
                        "systolic: %.3g updates of processing elements are "
                        "more than level 3's %.0f",
                        updates, MAX_UPDATES);
    if (g->k > MAX_DEPTH)
        return ub__fail(context, UB_ERR_RANGE,
                        "systolic: sums of %lld products are too long for 32 "
                        "bits; at most %d",
                        (long long) g->k, MAX_DEPTH);
    return UB_OK;
}

/* `folds`: options for level 2, whose folds these are. */
static ub_status check_call(ub_context *context, const ub_gemm *g,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options, ub_hardware *h,
                            ub_systolic_options *folds)
{
    ub_systolic_options o;
    ub_status status = ub__hardware_in(hardware, h);

    if (status != UB_OK)
        return ub__fail(context, status,
                        "systolic: the hardware description makes no sense");
    ub_systolic_options_init(&o, sizeof(o));
    status = ub__options_in(context, "systolic", &o, sizeof(o), sizeof(o),
                            options);
    if (status != UB_OK)
        return status;
    if (o.os_drain < 0 || o.os_drain > 1)
        return ub__fail(context, UB_ERR_INVALID, "systolic: os_drain is %d",
                        (int) o.os_drain);
    if (h->arrays != 1 || o.compat != UB_SYSTOLIC_COMPAT_NONE)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "systolic: level 3 has one array, not %lld, and no "
                        "simulator's defects",
                        (long long) h->arrays);
    ub_systolic_options_init(folds, sizeof(*folds));
    folds->level = 2;
    folds->os_drain = o.os_drain;
    return check_gemm(context, g, h, folds);
}

ub_status ub__element_check(ub_context *context, const ub_gemm *gemm,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options)
{
    ub_systolic_options folds;
    ub_hardware h;

    return check_call(context, gemm, hardware, options, &h, &folds);
}

static ub_status allocate(ub_context *context, machine *a)
{
    const size_t n = (size_t) (a->rows * a->pitch);

    a->right = ub__calloc(context, 2 * n, sizeof(*a->right));
    if (a->right == NULL)
        return UB_ERR_NOMEM;
    a->down = a->right + n;
    a->sum = ub__calloc(context, n, sizeof(*a->sum));
    if (a->sum == NULL) {
        ub__free(context, a->right);
        return UB_ERR_NOMEM;
    }
    return UB_OK;
}

ub_status ub__element_multiply(ub_context *context, const ub_gemm *gemm,
                               const ub_hardware *hardware,
                               const ub_systolic_options *options,
                               const int8_t *input, const int8_t *weights,
                               int32_t *output, const ub__element_watch *watch,
                               ub_systolic_stats *stats)
{
    ub_systolic_stats s = { .size = sizeof(s), .utilization = 1.0 };
    machine a = { .watch = watch };
    ub_systolic_options o;
    ub_hardware h;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = check_call(context, gemm, hardware, options, &h, &o);
    if (status != UB_OK)
        return status;
    if ((gemm->count > 0 &&
         (input == NULL || weights == NULL || output == NULL)) ||
        (stats != NULL && stats->size < sizeof(*stats)))
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: an operand is missing, or the size of a "
                        "ub_systolic_stats is not set");
    if (gemm->count > 0) {
        const ub__fold f = ub__fold_of(gemm->m, gemm->k, gemm->n, &h, &o);

        a.drain = o.os_drain;
        a.rows = h.rows;
        a.columns = h.columns;
        a.pitch = ub__ceil_div(h.columns, WIDTH) * WIDTH;
        status = allocate(context, &a);
        if (status != UB_OK)
            return status;
        memset(output, 0,
               (size_t) (gemm->m * gemm->n * gemm->count) * sizeof(*output));
        for (int64_t i = 0; i < gemm->count; i++) {
            set_product(&a, gemm, h.dataflow, i, input, weights, output);
            run_folds(&a, h.dataflow == UB_DATAFLOW_OS, f.cycles);
        }
        ub__free(context, a.sum);
        ub__free(context, a.right);
        status = ub__fold_stats(gemm, &h, &o, &s);
        assert(status == UB_OK && s.cycles == a.cycle);
    }
    if (status == UB_OK && stats != NULL)
        ub__options_out(stats, stats->size, &s, sizeof(s));
    return status;
}

ub_status ub_systolic_multiply(ub_context *context, const ub_gemm *gemm,
                               const ub_hardware *hardware,
                               const ub_systolic_options *options,
                               const int8_t *input, const int8_t *weights,
                               int32_t *output, ub_systolic_stats *stats)
{
    return ub__element_multiply(context, gemm, hardware, options, input,
                                weights, output, NULL, stats);
}
