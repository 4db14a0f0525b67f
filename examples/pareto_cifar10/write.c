/* SPDX-License-Identifier: BSD-2-Clause */
/* A summary for programs: JSON, CSV. */
#include "common/results_folder.h"
#include "pareto_cifar10/claims.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>

/* null for what is not known */
static json_t *real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *pair(const double x[PARETO_BATCHES])
{
    return json_pack("[o,o]", real(x[0]), real(x[1]));
}

static json_t *moments(const pareto_moments *m)
{
    return json_pack("{s:o, s:o}", "mean", real(m->mean), "deviation",
                     real(m->deviation));
}

static json_t *integers(const int64_t *x, int64_t n)
{
    json_t *array = json_array();

    for (int64_t i = 0; i < n; i++)
        json_array_append_new(array, json_integer(x[i]));
    return array;
}

/* null without main runs to compare with. */
static json_t *comparison_json(const pareto_comparison *c)
{
    if (c->n == 0)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "pairs",
                     (json_int_t) c->n, "latency_ms", pair(c->latency_ms),
                     "near_share", pair(c->near_share), "latency_change",
                     moments(&c->latency_change), "accuracy_change",
                     moments(&c->accuracy_change), "utilization_change",
                     moments(&c->utilization_change), "moves", real(c->moves));
}

static json_t *saving_json(const pareto_saving *s)
{
    if (s->n == 0)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:o}", "pairs", (json_int_t) s->n,
                     "separate_seconds", s->separate_seconds, "shared_seconds",
                     s->shared_seconds, "hypervolume", pair(s->hypervolume));
}

static json_t *point_json(const pareto_point *p)
{
    return json_pack(
        "{s:s, s:s, s:f, s:I, s:o, s:[o,o], s:[o,o], s:o, s:[b,b], s:o, s:o}",
        "hw", ub_search_hardware_name(p->method), "label", p->label, "lambda",
        p->lambda, "runs", (json_int_t) p->n, "accuracy", moments(&p->accuracy),
        "latency_ms", moments(&p->latency_ms[0]), moments(&p->latency_ms[1]),
        "utilization", moments(&p->utilization[0]), moments(&p->utilization[1]),
        "seconds", moments(&p->seconds), "on_front", p->on_front[0],
        p->on_front[1], "speedup", pair(p->speedup), "comparison",
        comparison_json(&p->comparison));
}

static json_t *operators_json(const pareto_method *m)
{
    json_t *object = json_object();

    for (int i = 0; i < PARETO_OPERATORS; i++)
        json_object_set_new(object, pareto_operators[i],
                            json_integer(m->operators[i]));
    return object;
}

static json_t *shares_json(const pareto_method *m)
{
    json_t *object = json_object();

    for (int i = 0; i < PARETO_SHARES; i++)
        json_object_set_new(object, pareto_shares[i],
                            json_pack("[f,f]", m->shares[PARETO_BATCH_1][i],
                                      m->shares[PARETO_HW_BATCH][i]));
    return object;
}

static json_t *method_json(const pareto_summary *s, const pareto_method *m)
{
    return json_pack(
        "{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, "
        "s:o, s:o, "
        "s:s, s:s?, s:o, s:o}",
        "hw", ub_search_hardware_name(m->method), "label", m->label, "runs",
        (json_int_t) m->n_runs, "hypervolume", pair(m->hypervolume),
        "dominated", pair(m->dominated), "speedup", pair(m->speedup),
        "speedup_any", pair(m->speedup_any), "compared",
        integers(m->compared, PARETO_BATCHES), "unmatched",
        integers(m->unmatched, PARETO_BATCHES), "widths",
        (json_int_t) m->n_widths, "histogram",
        integers(m->histogram, s->n_bins), "near_share", real(m->near_share),
        "operators", operators_json(m), "depthwise_share",
        real(m->depthwise_share), "cycles", shares_json(m), "shown",
        s->results->runs[m->shown].name, "differing", m->differing,
        "comparison", comparison_json(&m->comparison), "saving",
        saving_json(&m->saving));
}

static json_t *prediction_json(const pareto_summary *s, int model)
{
    const pareto_prediction *p = s->predictions[model];

    return json_pack("{s:s, s:I, s:[o,o], s:[o,o]}", "model",
                     pareto_models[model], "networks", (json_int_t) p[0].n,
                     "error", real(p[0].error), real(p[1].error), "tau",
                     real(p[0].tau), real(p[1].tau));
}

static json_t *setup_json(const pareto_results *r)
{
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:[I,I], s:I, "
        "s:[I,I,I], s:s}",
        "preset", r->preset, "data", r->data, "data_images",
        (json_int_t) r->data_images, "test_images", (json_int_t) r->test_images,
        "train_images", (json_int_t) r->train_images, "epochs",
        integers(r->epochs, 3), "train_batch", (json_int_t) r->train_batch,
        "hw_batch", (json_int_t) r->hw_batch, "array", (json_int_t) r->rows,
        (json_int_t) r->columns, "cost_scale", (json_int_t) r->cost_scale,
        "widths", (json_int_t) r->widths.low, (json_int_t) r->widths.high,
        (json_int_t) r->widths.step, "differing", r->differing);
}

static json_t *claims_json(const pareto_summary *s)
{
    pareto_claim claims[PARETO_CLAIMS];
    json_t *array = json_array();

    pareto_judge(s, claims);
    for (int i = 0; i < PARETO_CLAIMS; i++)
        json_array_append_new(
            array,
            json_pack("{s:s, s:s, s:s, s:s}", "claim", claims[i].name, "paper",
                      claims[i].paper, "ours", claims[i].ours, "verdict",
                      pareto_verdict_name(claims[i].verdict)));
    return array;
}

static json_t *summary_json(const pareto_summary *s)
{
    json_t *points = json_array(), *methods = json_array(),
           *predictions = json_array();
    int64_t runs, wanted, lambdas, seeds;

    pareto_count(s, &runs, &wanted, &lambdas, &seeds);
    for (int64_t i = 0; i < s->n_points; i++)
        json_array_append_new(points, point_json(&s->points[i]));
    for (int64_t i = 0; i < s->n_methods; i++)
        json_array_append_new(methods, method_json(s, &s->methods[i]));
    for (int i = 0; i < PARETO_MODELS; i++)
        json_array_append_new(predictions, prediction_json(s, i));
    return json_pack(
        "{s:o, s:I, s:I, s:[I,I], s:o, s:o, s:I, s:I, s:o, s:o, "
        "s:o}",
        "setup", setup_json(s->results), "judged_runs", (json_int_t) runs,
        "judged_runs_of_grid", (json_int_t) wanted, "batches", (json_int_t) 1,
        (json_int_t) s->results->hw_batch, "points", points, "methods", methods,
        "bin_low", (json_int_t) s->bin_low, "bin_step",
        (json_int_t) s->bin_step, "near_chance", real(s->near_chance),
        "predictions", predictions, "claims", claims_json(s));
}

int pareto_write_json(const pareto_summary *summary, const char *folder)
{
    json_t *root = summary_json(summary);
    output o;
    int good = root != NULL;

    if (!good)
        fputs("out of memory\n", stderr);
    good = good && open_output(&o, folder, "summary.json");
    if (good) {
        json_dumpf(root, o.file, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        fputs("\n", o.file);
        good = close_output(&o);
    }
    json_decref(root);
    return good;
}

/* -- CSV --------------------------------------------------------------------
 */

/* A field and the comma before it; empty for what is not known. */
static void put(FILE *file, double x)
{
    fputc(',', file);
    if (isfinite(x))
        fprintf(file, "%.9g", x);
}

static void put_moments(FILE *file, const pareto_moments *m)
{
    put(file, m->mean);
    put(file, m->deviation);
}

static int write_points(const pareto_summary *s, const char *folder)
{
    output o;

    if (!open_output(&o, folder, "summary.csv"))
        return 0;
    fputs("hw,label,lambda,runs,accuracy,accuracy_deviation", o.file);
    for (int b = 0; b < PARETO_BATCHES; b++) {
        const char *batch = b == PARETO_BATCH_1 ? "batch_1" : "hw_batch";

        fprintf(o.file,
                ",latency_ms_%s,latency_ms_%s_deviation,utilization_%s,"
                "utilization_%s_deviation,on_front_%s,speedup_%s",
                batch, batch, batch, batch, batch, batch);
    }
    fputs(",seconds,seconds_deviation\n", o.file);
    for (int64_t i = 0; i < s->n_points; i++) {
        const pareto_point *p = &s->points[i];

        fprintf(o.file, "%s,%s,%.9g,%" PRId64,
                ub_search_hardware_name(p->method), p->label, p->lambda, p->n);
        put_moments(o.file, &p->accuracy);
        for (int b = 0; b < PARETO_BATCHES; b++) {
            put_moments(o.file, &p->latency_ms[b]);
            put_moments(o.file, &p->utilization[b]);
            fprintf(o.file, ",%d", (int) p->on_front[b]);
            put(o.file, p->speedup[b]);
        }
        put_moments(o.file, &p->seconds);
        fputc('\n', o.file);
    }
    return close_output(&o);
}

static void put_run(FILE *file, const pareto_run *r)
{
    fprintf(file, "%s,%s,%s,%.9g,%" PRId64, r->name,
            ub_search_hardware_name(r->method), r->label, r->lambda, r->seed);
    put(file, r->accuracy);
    for (int b = 0; b < PARETO_BATCHES; b++) {
        put(file, r->latency_ms[b]);
        put(file, r->utilization[b]);
        for (int m = 0; m < PARETO_MODELS; m++)
            put(file, r->predicted_ms[m][b]);
    }
    for (int i = 0; i < 3; i++)
        put(file, r->seconds[i]);
    fprintf(file, ",%d,", (int) r->repaired);
    for (int i = 0; i < PARETO_EDGES; i++)
        fprintf(file, "%s%s", i ? " " : "", pareto_operators[r->operators[i]]);
    fputc(',', file);
    for (int64_t i = 0; i < r->n_widths; i++)
        fprintf(file, "%s%" PRId64, i ? " " : "", r->widths[i]);
    fputc('\n', file);
}

static int write_runs(const pareto_results *r, const char *folder)
{
    output o;

    if (!open_output(&o, folder, "runs.csv"))
        return 0;
    fputs("run,hw,label,lambda,seed,accuracy", o.file);
    for (int b = 0; b < PARETO_BATCHES; b++) {
        const char *batch = b == PARETO_BATCH_1 ? "batch_1" : "hw_batch";

        fprintf(o.file, ",latency_ms_%s,utilization_%s", batch, batch);
        for (int m = 0; m < PARETO_MODELS; m++)
            fprintf(o.file, ",%s_ms_%s", pareto_models[m], batch);
    }
    fputs(",seconds_micro,seconds_channels,seconds_train,repaired,operators,"
          "widths\n",
          o.file);
    for (int64_t i = 0; i < r->n + r->n_bases; i++)
        put_run(o.file, &r->runs[i]);
    return close_output(&o);
}

int pareto_write_csv(const pareto_summary *summary, const char *folder)
{
    return write_points(summary, folder) &&
           write_runs(summary->results, folder);
}
