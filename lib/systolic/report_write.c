/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE 40
#define LINE_SIZE   1024

/* -- numbers as Python prints them ---------------------------------------- */

/* The digits of a positive number, as few as tell it apart from all others,
 * and the power of ten of the first one. */
static int shortest_digits(double x, char digits[32], int *power)
{
    char text[NUMBER_SIZE];
    int n = 0;

    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, x);
        if (strtod(text, NULL) == x)
            break;
    }
    *power = atoi(strchr(text, 'e') + 1);
    /* skips the decimal point, whatever the locale makes of it */
    for (const char *c = text; *c != 'e'; c++) {
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static void put_scientific(const char *digits, int n, int power, char *out)
{
    *out++ = digits[0];
    if (n > 1)
        *out++ = '.';
    memcpy(out, digits + 1, (size_t) n - 1);
    snprintf(out + n - 1, 16, "e%c%02d", power < 0 ? '-' : '+', abs(power));
}

static void put_fixed(const char *digits, int n, int power, char *out)
{
    const int whole = power < 0 ? 1 : power + 1;
    const int last = n - 1 - power < 1 ? 1 : n - 1 - power;

    for (int i = 0; i < whole + last; i++) {
        const int at = i - whole + 1 + power;

        if (i == whole)
            *out++ = '.';
        *out++ = at >= 0 && at < n ? digits[at] : '0';
    }
    *out = '\0';
}

void ub__python_float(double x, char *out)
{
    char digits[32] = "";
    int power, n;

    if (x < 0.0) {
        *out++ = '-';
        x = -x;
    }
    if (x == 0.0 || !isfinite(x)) {
        snprintf(out, 4, "%s", x == 0.0 ? "0.0" : isnan(x) ? "nan" : "inf");
        return;
    }
    n = shortest_digits(x, digits, &power);
    if (power < -4 || power >= 16)
        put_scientific(digits, n, power, out);
    else
        put_fixed(digits, n, power, out);
}

/* -- lines ---------------------------------------------------------------- */

typedef struct line {
    char text[LINE_SIZE];
    size_t n;
} line;

static void put_text(line *l, const char *text)
{
    l->n += (size_t) snprintf(l->text + l->n, LINE_SIZE - l->n, "%s%s",
                              l->n > 0 ? ", " : "", text);
}

static void put_int(line *l, int64_t value)
{
    char text[NUMBER_SIZE];

    snprintf(text, sizeof(text), "%lld", (long long) value);
    put_text(l, text);
}

static void put_double(line *l, double value)
{
    char text[NUMBER_SIZE];

    ub__python_float(value, text);
    put_text(l, text);
}

/* SCALE-Sim's cycles are floating-point numbers. */
static void put_cycle(line *l, int64_t value)
{
    put_double(l, (double) value);
}

static void put_times(line *l, const ub_systolic_accesses *a)
{
    put_cycle(l, a->start);
    put_cycle(l, a->stop);
}

static void put_accesses(line *l, const ub_systolic_accesses *a)
{
    put_times(l, a);
    put_int(l, a->count);
}

/* -- reports -------------------------------------------------------------- */

static const char compute_head[] =
    "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, "
    "Overall Util %, Mapping Efficiency %, Compute Util %,\n";
static const char bandwidth_head[] =
    "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW, Avg OFMAP SRAM BW, "
    "Avg IFMAP DRAM BW, Avg FILTER DRAM BW, Avg OFMAP DRAM BW,\n";
static const char sparse_bandwidth_head[] =
    "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW, "
    "Avg FILTER Metadata SRAM BW, Avg OFMAP SRAM BW, "
    "Avg IFMAP DRAM BW, Avg FILTER DRAM BW, Avg OFMAP DRAM BW,\n";
static const char detail_head[] =
    "LayerID, SRAM IFMAP Start Cycle, SRAM IFMAP Stop Cycle, "
    "SRAM IFMAP Reads, SRAM Filter Start Cycle, SRAM Filter Stop Cycle, "
    "SRAM Filter Reads, SRAM OFMAP Start Cycle, SRAM OFMAP Stop Cycle, "
    "SRAM OFMAP Writes, DRAM IFMAP Start Cycle, DRAM IFMAP Stop Cycle, "
    "DRAM IFMAP Reads, DRAM Filter Start Cycle, DRAM Filter Stop Cycle, "
    "DRAM Filter Reads, DRAM OFMAP Start Cycle, DRAM OFMAP Stop Cycle, "
    "DRAM OFMAP Writes,\n";
static const char sparse_head[] =
    "LayerID, Sparsity Representation, Original Filter Storage, "
    "New Storage (Filter+Metadata), Filter Metadata Storage, "
    "Avg FILTER Metadata SRAM BW, \n";

static void put_compute(line *l, const ub_systolic_report *r, int32_t sparsity)
{
    (void) sparsity;
    put_int(l, r->cycles_with_prefetch);
    put_int(l, r->cycles);
    put_int(l, r->stall_cycles);
    put_double(l, r->utilization);
    put_double(l, r->mapping_efficiency);
    put_double(l, r->compute_utilization);
}

static void put_bandwidth(line *l, const ub_systolic_report *r,
                          int32_t sparsity)
{
    put_double(l, r->sram_input.rate);
    put_double(l, r->sram_weight.rate);
    if (sparsity != UB_SYSTOLIC_DENSE)
        put_double(l, r->index_rate);
    put_double(l, r->sram_output.rate);
    put_double(l, r->dram_input.rate);
    put_double(l, r->dram_weight.rate);
    put_double(l, r->dram_output.rate);
}

static void put_detail(line *l, const ub_systolic_report *r, int32_t sparsity)
{
    put_times(l, &r->sram_input);
    if (sparsity == UB_SYSTOLIC_DENSE)
        put_int(l, r->sram_input.count);
    else
        put_double(l, r->input_reads);
    put_accesses(l, &r->sram_weight);
    put_accesses(l, &r->sram_output);
    put_accesses(l, &r->dram_input);
    put_accesses(l, &r->dram_weight);
    put_accesses(l, &r->dram_output);
}

static void put_sparse(line *l, const ub_systolic_report *r, int32_t sparsity)
{
    static const char *const names[] = { "", "csr", "csc", "ellpack_block" };

    put_text(l, names[sparsity]);
    put_int(l, r->dense_words);
    if (sparsity == UB_SYSTOLIC_ELLPACK) {
        put_double(l, r->stored_words);
        put_double(l, r->index_words);
    } else {
        put_int(l, (int64_t) r->stored_words);
        put_int(l, (int64_t) r->index_words);
    }
    put_double(l, r->index_rate);
}

typedef struct kind {
    const char *name, *head;
    void (*put)(line *l, const ub_systolic_report *r, int32_t sparsity);
} kind;

static ub_status write_lines(ub__writer *writer, const kind *k,
                             const ub_systolic_report *reports, int64_t n,
                             int32_t sparsity)
{
    ub_status status = ub__writer_put(writer, k->head, strlen(k->head));
    int64_t id = 0;

    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        line l = { .n = 0 };

        if (reports[i].products == 0)
            continue;
        put_int(&l, id++);
        k->put(&l, &reports[i], sparsity);
        l.n += (size_t) snprintf(l.text + l.n, LINE_SIZE - l.n, ",\n");
        status = ub__writer_put(writer, l.text, l.n);
    }
    return status;
}

static ub_status write_report(ub_context *context, const char *folder,
                              const kind *k, const ub_systolic_report *reports,
                              int64_t n, int32_t sparsity)
{
    char *path = ub__path_join(context, folder, k->name);
    ub__writer *writer = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (path != NULL)
        status = ub__writer_open(context, path, &writer);
    if (status == UB_OK)
        status = write_lines(writer, k, reports, n, sparsity);
    if (status == UB_OK)
        status = ub__writer_commit(&writer);
    else
        ub__writer_abort(&writer);
    ub__free(context, path);
    return status;
}

ub_status ub_systolic_write_reports(ub_context *context, const char *folder,
                                    const ub_systolic_report *reports,
                                    int64_t n)
{
    kind kinds[] = {
        { "COMPUTE_REPORT.csv", compute_head, put_compute },
        { "BANDWIDTH_REPORT.csv", bandwidth_head, put_bandwidth },
        { "DETAILED_ACCESS_REPORT.csv", detail_head, put_detail },
        { "SPARSE_REPORT.csv", sparse_head, put_sparse },
    };
    int32_t sparsity = UB_SYSTOLIC_DENSE;
    ub_status status = UB_OK;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (folder == NULL || n < 0 || (n > 0 && reports == NULL))
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: reports need a folder and %lld of them",
                        (long long) n);
    for (int64_t i = 0; i < n; i++) {
        if (reports[i].size != sizeof(*reports) ||
            reports[i].sparsity < UB_SYSTOLIC_DENSE ||
            reports[i].sparsity > UB_SYSTOLIC_ELLPACK)
            return ub__fail(context, UB_ERR_INVALID,
                            "systolic: report %lld was not filled",
                            (long long) i);
        if (sparsity == UB_SYSTOLIC_DENSE)
            sparsity = reports[i].sparsity;
    }
    if (sparsity != UB_SYSTOLIC_DENSE)
        kinds[1].head = sparse_bandwidth_head;
    for (int i = 0; i < (sparsity == UB_SYSTOLIC_DENSE ? 3 : 4); i++) {
        if (status == UB_OK)
            status = write_report(context, folder, &kinds[i], reports, n,
                                  sparsity);
    }
    return status;
}

ub_status ub_systolic_report_network(const ub_network *network,
                                     const ub_hardware *hardware,
                                     const ub_systolic_options *options,
                                     const char *folder)
{
    ub_context *context;
    ub_systolic_report *reports;
    ub_status status = UB_OK;
    int64_t n;

    if (network == NULL)
        return UB_ERR_INVALID;
    context = ub_network_context(network);
    n = ub_network_layers(network);
    reports = ub__calloc(context, (size_t) n, sizeof(*reports));
    if (reports == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        ub_layer_info info = { .size = sizeof(info) };

        reports[i].size = sizeof(*reports);
        status = ub_network_layer(network, i, &info);
        if (status == UB_OK)
            status = ub_systolic_report_layer(context, &info, hardware, options,
                                              &reports[i]);
    }
    if (status == UB_OK)
        status = ub_systolic_write_reports(context, folder, reports, n);
    ub__free(context, reports);
    return status;
}
