/* SPDX-License-Identifier: BSD-2-Clause */
/* What the models say of the networks that were found. */
#include "common/command_line.h"
#include "pareto_cifar10/files.h"

#include <math.h>
#include <string.h>

const char *const pareto_models[PARETO_MODELS] = {
    "systolic", "systolic-full",      "flops",
    "roofline", "roofline-published", "blackbox"
};

const char *const pareto_shares[PARETO_SHARES] = {
    "multiplying", "rows and columns without weights", "weights shifted in",
    "waiting for memory", "fill and drain"
};

enum { BLACKBOX = PARETO_MODELS - 1 };

/* Step between the widths of the table: the paper's. */
#define QUANTUM 16

static int complain(ub_context *context, const char *what, ub_status status)
{
    const char *text = context ? ub_context_last_error(context) : "";

    fprintf(stderr, "%s: %s\n", what, *text ? text : ub_status_str(status));
    return 0;
}

int pareto_pricing_open(ub_context *context, const pareto_results *results,
                        pareto_pricing *p)
{
    static const ub_util_kind kinds[BLACKBOX] = { UB_UTIL_EXACT, UB_UTIL_FULL,
                                                  UB_UTIL_FLOPS,
                                                  UB_UTIL_ROOFLINE,
                                                  UB_UTIL_ROOFLINE_PUBLISHED };
    ub_status status;

    memset(p, 0, sizeof(*p));
    p->batches[PARETO_BATCH_1] = 1;
    p->batches[PARETO_HW_BATCH] = results->hw_batch;
    ub_hardware_init(&p->hardware, sizeof(p->hardware));
    ub_util_options_init(&p->options, sizeof(p->options));
    p->machine = (ub_systolic_machine){ sizeof(p->machine), &p->hardware,
                                        NULL };
    p->simulator.size = sizeof(p->simulator);
    status = ub_hardware_set_array(&p->hardware, results->rows,
                                   results->columns);
    if (status == UB_OK)
        status = ub_util_options_from(&p->hardware, &p->options);
    if (status == UB_OK)
        status = ub_systolic_model(&p->machine, &p->simulator);
    for (int i = 0; i < BLACKBOX && status == UB_OK; i++) {
        p->models[i].size = sizeof(p->models[i]);
        status = ub_util_model(kinds[i], &p->options, &p->models[i]);
    }
    if (status == UB_OK)
        status = ub_util_table_create(context, QUANTUM, &p->table);
    p->models[BLACKBOX].size = sizeof(p->models[BLACKBOX]);
    if (status == UB_OK)
        status = ub_util_table_model(p->table, &p->models[BLACKBOX]);
    if (status == UB_OK)
        return 1;
    pareto_pricing_close(p);
    return complain(context, "models", status);
}

void pareto_pricing_close(pareto_pricing *pricing)
{
    ub_util_table_destroy(&pricing->table);
}

/* The same level and settings as those of the runs' reports. */
static ub_status simulate(const pareto_pricing *p, const ub_network *priced,
                          int64_t batch, ub_systolic_stats *total)
{
    ub_systolic_options options;

    ub_systolic_options_init(&options, sizeof(options));
    options.batch = batch;
    return ub_systolic_run(priced, &p->hardware, &options, total, NULL, 0);
}

static void find_shares(const ub_systolic_stats *s, double *shares)
{
    shares[PARETO_BUSY] = s->share_busy;
    shares[PARETO_UNUSED] = s->share_unused_rows + s->share_unused_columns +
                            s->share_unused_arrays;
    shares[PARETO_SHIFTING] = s->share_weight_load;
    shares[PARETO_WAITING] = s->share_wait_weights + s->share_wait_inputs +
                             s->share_wait_outputs;
    shares[PARETO_REST] = s->share_fill + s->share_drain + s->share_vector;
}

/* Whether this version of the simulator says what the result says, too. */
static ub_status simulate_run(pareto_pricing *p, const ub_network *priced,
                              int64_t hw_batch, pareto_run *run)
{
    for (int b = 0; b < PARETO_BATCHES; b++) {
        ub_systolic_stats total = { .size = sizeof(total) };
        const double said = run->latency_ms[b];
        const ub_status status = simulate(p, priced, p->batches[b], &total);

        if (status != UB_OK)
            return status;
        find_shares(&total, run->shares[b]);
        if (b == PARETO_BATCH_1)
            p->n_changed += fabs(total.latency_ms - said) > 1e-9 * said;
        if (b == PARETO_HW_BATCH && hw_batch != p->batches[b]) {
            run->latency_ms[b] = total.latency_ms;
            run->utilization[b] = total.utilization;
        }
    }
    return UB_OK;
}

static ub_status predict(pareto_pricing *p, const ub_network *priced,
                         pareto_run *run)
{
    for (int b = 0; b < PARETO_BATCHES; b++) {
        ub_status status = fill_table(priced, p->batches[b], &p->simulator,
                                      p->table);

        for (int m = 0; m < PARETO_MODELS && status == UB_OK; m++) {
            ub_cost cost = { .size = sizeof(cost) };

            status = ub_network_cost(priced, &p->models[m], p->batches[b],
                                     &cost, NULL, 0);
            run->predicted_ms[m][b] = cost.latency_ms;
        }
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

int pareto_price(pareto_pricing *p, const char *path, const ub_network *priced,
                 int64_t hw_batch, pareto_run *run)
{
    ub_status status = simulate_run(p, priced, hw_batch, run);

    if (status == UB_OK)
        status = predict(p, priced, run);
    return status == UB_OK ||
           complain(ub_network_context(priced), path, status);
}

int pareto_price_operators(const pareto_pricing *p, pareto_results *results)
{
    static const int64_t kernels[PARETO_CONVOLUTIONS] = { 3, 5, 3, 5, 3, 5 };
    static const int32_t kinds[PARETO_CONVOLUTIONS] = {
        UB_COST_CONV,      UB_COST_CONV, UB_COST_SEPARABLE,
        UB_COST_SEPARABLE, UB_COST_CONV, UB_COST_CONV
    };
    ub_cost_layer l;

    ub_cost_layer_init(&l, sizeof(l));
    l.in_height = l.in_width = l.out_height = l.out_width = 16;
    l.in_channels = l.out_channels = (double) results->columns;
    l.batch = results->hw_batch;
    for (int i = 0; i < PARETO_CONVOLUTIONS; i++) {
        l.kind = kinds[i];
        l.kernel_height = l.kernel_width = kernels[i];
        for (int m = 0; m < PARETO_MODELS; m++) {
            const ub_cost_model *model = m == BLACKBOX ? &p->simulator
                                                       : &p->models[m];
            ub_cost cost = { .size = sizeof(cost) };
            const ub_status status = model->evaluate(model->user, &l, &cost);

            if (status != UB_OK)
                return complain(NULL, pareto_operators[i], status);
            results->operator_ms[i][m] = cost.latency_ms;
        }
    }
    return 1;
}
