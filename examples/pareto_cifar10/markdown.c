/* SPDX-License-Identifier: BSD-2-Clause */
/* A summary for people: tables in Markdown, and one for a terminal. */
#include "pareto_cifar10/markdown.h"
#include "common/results_folder.h"
#include "pareto_cifar10/claims.h"

#include <inttypes.h>
#include <math.h>

/* NAME(p) is a string as long as the expression that it is part of. */
#define NAME(p) pareto_row_name((p)->method, (p)->label).text

void pareto_put_moments(FILE *f, const pareto_moments *m, double factor,
                        int digits, int64_t n)
{
    fprintf(f, "%.*f", digits, factor * m->mean);
    if (n > 1)
        fprintf(f, " ± %.*f", digits, factor * m->deviation);
}

void pareto_put_number(FILE *f, const char *format, double x)
{
    if (isfinite(x))
        fprintf(f, format, x);
    else
        fputc('-', f);
}

/* -- set-up -----------------------------------------------------------------
 */

static void put_images(FILE *f, const pareto_results *r)
{
    if (r->train_images == 0)
        fprintf(f, "all %" PRId64, r->data_images);
    else
        fprintf(f, "%" PRId64 " of %" PRId64, r->train_images, r->data_images);
}

static void put_setup(FILE *f, const pareto_summary *s)
{
    const pareto_results *r = s->results;
    int64_t runs, wanted, lambdas, seeds;

    pareto_count(s, &runs, &wanted, &lambdas, &seeds);
    fprintf(f, "## setup\n\n| | paper | here |\n|---|---|---|\n");
    fprintf(f, "| data | CIFAR-10 | %s |\n| training images | all 50000 | ",
            r->data);
    put_images(f, r);
    fprintf(f,
            " |\n| epochs of micro search, channel search, training | 10, 30, "
            "100 | %" PRId64 ", %" PRId64 ", %" PRId64 " |\n",
            r->epochs[0], r->epochs[1], r->epochs[2]);
    fprintf(f, "| training batch | 256 | %" PRId64 " |\n", r->train_batch);
    fprintf(f,
            "| widths that are trained | 64 to 280 by 8 | %" PRId64 " to "
            "%" PRId64 " by %" PRId64 " |\n",
            r->widths.low, r->widths.high, r->widths.step);
    fprintf(f,
            "| widths that are priced | 64 to 280 by 8 | %" PRId64 " to "
            "%" PRId64 " by %" PRId64 " |\n",
            s->bin_low, r->widths.high * r->cost_scale, s->bin_step);
    fprintf(f, "| array | 128x128 | %" PRId64 "x%" PRId64 " |\n", r->rows,
            r->columns);
    fprintf(f, "| batch in the loss | 64 | %" PRId64 " |\n", r->hw_batch);
    fprintf(f, "| seeds | 3 | %" PRId64 " |\n", seeds);
    fprintf(f, "| preset | - | %s |\n\n", r->preset);
    fprintf(f,
            "%" PRId64 " of %" PRId64 " runs of systolic, flops, roofline and "
            "blackbox are there (%" PRId64 " lambdas, %" PRId64 " seeds)%s.",
            runs, wanted, lambdas, seeds,
            runs < wanted ? ": the grid is INCOMPLETE, and there are no "
                            "verdicts"
                          : "");
    if (r->differing[0] != '\0')
        fprintf(f, " They DIFFER in %s.", r->differing);
    else
        fputs(" They differ in nothing else.", f);
    fputs("\n", f);
}

/* -- results ----------------------------------------------------------------
 */

static void put_results(FILE *f, const pareto_summary *s)
{
    fprintf(
        f,
        "\n## results\n\nMean and standard deviation over seeds; simulated "
        "at level 1, batch 1 and %" PRId64 ".\n\n"
        "| method | lambda | runs | accuracy %% | us, 1 | utilization %%, 1 "
        "| us, %" PRId64 " | utilization %%, %" PRId64 " |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|\n",
        s->results->hw_batch, s->results->hw_batch, s->results->hw_batch);
    for (int64_t i = 0; i < s->n_points; i++) {
        const pareto_point *p = &s->points[i];

        fprintf(f, "| %s | %g | %" PRId64 " | ", NAME(p), p->lambda, p->n);
        pareto_put_moments(f, &p->accuracy, 100.0, 2, p->n);
        for (int b = 0; b < PARETO_BATCHES; b++) {
            fputs(" | ", f);
            pareto_put_moments(f, &p->latency_ms[b], PARETO_US(1), 1, p->n);
            fputs(" | ", f);
            pareto_put_moments(f, &p->utilization[b], 100.0, 1, p->n);
        }
        fputs(" |\n", f);
    }
}

static void put_paper(FILE *f, const pareto_summary *s)
{
    fputs("\n## paper\n\nAccuracy % and run time at batch 1 in us, the paper's "
          "(3 seeds, full width) and these.\n\n"
          "| method | lambda | paper % | paper us | here % | here us |\n"
          "|---|---:|---:|---:|---:|---:|\n",
          f);
    for (int64_t i = 0; i < s->n_points; i++) {
        const pareto_point *p = &s->points[i];
        double accuracy, run_time;

        if (p->label[0] == '\0' &&
            pareto_paper(p->method, p->lambda, &accuracy, &run_time))
            fprintf(f, "| %s | %g | %.1f | %.0f | %.2f | %.1f |\n", NAME(p),
                    p->lambda, accuracy, run_time, 100.0 * p->accuracy.mean,
                    PARETO_US(p->latency_ms[PARETO_BATCH_1].mean));
    }
}

/* -- fronts -----------------------------------------------------------------
 */

static void put_fronts(FILE *f, const pareto_summary *s)
{
    fprintf(f, "\n## fronts\n\nPoints that no other point of the same method "
               "dominates; times as slow as the fastest systolic point of "
               "accuracy no more than 1.0 point lower.\n\n"
               "| batch | method | lambda | accuracy %% | us | / systolic |\n"
               "|---:|---|---:|---:|---:|---:|\n");
    for (int b = 0; b < PARETO_BATCHES; b++) {
        for (int64_t i = 0; i < s->n_points; i++) {
            const pareto_point *p = &s->points[i];

            if (!p->on_front[b])
                continue;
            fprintf(f, "| %" PRId64 " | %s | %g | %.2f | %.1f | ",
                    b == PARETO_BATCH_1 ? 1 : s->results->hw_batch, NAME(p),
                    p->lambda, 100.0 * p->accuracy.mean,
                    PARETO_US(p->latency_ms[b].mean));
            pareto_put_number(f, "%.2f", p->speedup[b]);
            fputs(" |\n", f);
        }
    }
}

static void put_speed(FILE *f, const pareto_summary *s)
{
    fprintf(f,
            "\n## speed\n\nGeometric mean of the last column above, points "
            "without a systolic point of similar accuracy; the geometric mean "
            "of all points against the fastest systolic one, as if any "
            "accuracy were similar; and of all runs pooled: the paper's "
            "hypervolume in ms * percentage points (smaller is better; each "
            "slow, accurate point of a front adds to it), and the usual one, "
            "the share that the front dominates of the box from the ideal "
            "point to the slowest and least accurate run (larger is "
            "better).\n\n"
            "| method | runs | / systolic, 1 | of points | without | "
            "/ systolic, %" PRId64 " | of points | without | "
            "/ fastest systolic, 1 | / fastest systolic, %" PRId64
            " | hypervolume, 1 | hypervolume, %" PRId64
            " | paper | dominated %%, 1 | dominated %%, %" PRId64 " |\n"
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:"
            "|---:|---:|\n",
            s->results->hw_batch, s->results->hw_batch, s->results->hw_batch,
            s->results->hw_batch);
    for (int64_t i = 0; i < s->n_methods; i++) {
        const pareto_method *m = &s->methods[i];

        fprintf(f, "| %s | %" PRId64, NAME(m), m->n_runs);
        for (int b = 0; b < PARETO_BATCHES; b++) {
            fputs(" | ", f);
            pareto_put_number(f, "%.2f", m->speedup[b]);
            fprintf(f, " | %" PRId64 " | %" PRId64, m->compared[b],
                    m->unmatched[b]);
        }
        for (int b = 0; b < PARETO_BATCHES; b++) {
            fputs(" | ", f);
            pareto_put_number(f, "%.2f", m->speedup_any[b]);
        }
        fprintf(f, " | %.4g | %.4g | ", m->hypervolume[0], m->hypervolume[1]);
        if (m->method < PARETO_JUDGED && m->label[0] == '\0')
            fprintf(f, "%.2f", pareto_paper_hypervolumes[m->method]);
        else
            fputs("-", f);
        for (int b = 0; b < PARETO_BATCHES; b++) {
            fputs(" | ", f);
            pareto_put_number(f, "%.1f", 100.0 * m->dominated[b]);
        }
        fputs(" |\n", f);
    }
}

/* -- choices ----------------------------------------------------------------
 */

/* The rest of the first two lines of a table: behind what is to the left of the
 * names, and what is under that. */
static void put_heads(FILE *f, int64_t n, const char *const *names,
                      const char *under)
{
    for (int64_t i = 0; i < n; i++)
        fprintf(f, " %s |", names[i]);
    fprintf(f, "\n%s", under);
    for (int64_t i = 0; i < n; i++)
        fputs("---:|", f);
}

static void put_method_heads(FILE *f, const pareto_summary *s)
{
    const char *names[PARETO_METHODS];

    for (int64_t i = 0; i < s->n_main; i++)
        names[i] = ub_search_hardware_name(s->methods[i].method);
    put_heads(f, s->n_main, names, "|---|");
}

static void put_widths(FILE *f, const pareto_summary *s)
{
    fprintf(f,
            "\n## widths\n\nShare of the convolutions whose priced width was "
            "chosen within one step (%" PRId64 ") of a multiple of %" PRId64
            ", %%; of all widths of the range %.1f %% are. Then the widths.\n\n"
            "| width |",
            s->bin_step, s->results->columns, 100.0 * s->near_chance);
    put_method_heads(f, s);
    fputs("\n| within one step, % |", f);
    for (int64_t i = 0; i < s->n_main; i++)
        fprintf(f, " %.1f |", 100.0 * s->methods[i].near_share);
    fputs("\n| convolutions |", f);
    for (int64_t i = 0; i < s->n_main; i++)
        fprintf(f, " %" PRId64 " |", s->methods[i].n_widths);
    for (int64_t bin = 0; bin < s->n_bins; bin++) {
        fprintf(f, "\n| %" PRId64 " |", s->bin_low + bin * s->bin_step);
        for (int64_t i = 0; i < s->n_main; i++)
            fprintf(f, " %" PRId64 " |", s->methods[i].histogram[bin]);
    }
    fputs("\n", f);
}

static void put_operators(FILE *f, const pareto_summary *s)
{
    fputs(
        "\n## operators\n\nOf the nine edges of a cell, over all runs, %; and "
        "of the edges with a convolution those with a depthwise separable "
        "one.\n\n| operator |",
        f);
    put_method_heads(f, s);
    for (int o = 0; o < PARETO_OPERATORS; o++) {
        fprintf(f, "\n| %s |", pareto_operators[o]);
        for (int64_t i = 0; i < s->n_main; i++) {
            const pareto_method *m = &s->methods[i];

            fprintf(f, " %.1f |",
                    100.0 * (double) m->operators[o] /
                        (double) (PARETO_EDGES * m->n_runs));
        }
    }
    fputs("\n| depthwise of convolutions |", f);
    for (int64_t i = 0; i < s->n_main; i++)
        fprintf(f, " %.1f |", 100.0 * s->methods[i].depthwise_share);
    fputs("\n", f);
}

static void put_prediction(FILE *f, const pareto_summary *s)
{
    fprintf(f,
            "\n## prediction\n\nLatency of the %" PRId64
            " networks that runs without a label found, each model's exact "
            "form against the simulator "
            "at the same batch: mean of |difference| / simulated, and "
            "Kendall's tau.\n\n"
            "| model | error %%, 1 | tau, 1 | error %%, %" PRId64
            " | tau, %" PRId64 " |\n|---|---:|---:|---:|---:|\n",
            s->results->n_main, s->results->hw_batch, s->results->hw_batch);
    for (int i = 0; i < PARETO_MODELS; i++) {
        fprintf(f, "| %s", pareto_models[i]);
        for (int b = 0; b < PARETO_BATCHES; b++) {
            const pareto_prediction *p = &s->predictions[i][b];

            fputs(" | ", f);
            pareto_put_number(f, "%.1f", 100.0 * p->error);
            fputs(" | ", f);
            pareto_put_number(f, "%.3f", p->tau);
        }
        fputs(" |\n", f);
    }
}

static void put_cycles(FILE *f, const pareto_summary *s)
{
    fputs(
        "\n## cycles\n\nWhere the cycles of all processing elements go in the "
        "simulator, %: mean over the runs of a method.\n\n| batch | method |",
        f);
    put_heads(f, PARETO_SHARES, pareto_shares, "|---:|---|");
    for (int b = 0; b < PARETO_BATCHES; b++) {
        for (int64_t m = 0; m < s->n_main; m++) {
            fprintf(f, "\n| %" PRId64 " | %s |",
                    b == PARETO_BATCH_1 ? 1 : s->results->hw_batch,
                    NAME(&s->methods[m]));
            for (int i = 0; i < PARETO_SHARES; i++)
                fprintf(f, " %.1f |", 100.0 * s->methods[m].shares[b][i]);
        }
    }
    fputs("\n", f);
}

static void put_prices(FILE *f, const pareto_summary *s)
{
    const pareto_results *r = s->results;

    fprintf(
        f,
        "\n## prices\n\nWhat the models charge, in us, for a convolution of "
        "%" PRId64 " channels to as many on a map of 16 x 16, batch %" PRId64
        "; the table of blackbox has what the simulator says.\n\n"
        "| operator |",
        r->columns, r->hw_batch);
    put_heads(f, PARETO_MODELS, pareto_models, "|---|");
    for (int i = 0; i < PARETO_CONVOLUTIONS; i++) {
        fprintf(f, "\n| %s |", pareto_operators[i]);
        for (int m = 0; m < PARETO_MODELS; m++)
            fprintf(f, " %.1f |", PARETO_US(r->operator_ms[i][m]));
    }
    fputs("\n", f);
}

static void put_claims(FILE *f, const pareto_summary *s)
{
    pareto_claim claims[PARETO_CLAIMS];
    int64_t runs, wanted, lambdas, seeds;

    pareto_judge(s, claims);
    pareto_count(s, &runs, &wanted, &lambdas, &seeds);
    fputs("\n## claims\n\nLatencies are simulated at batch 1. ", f);
    fprintf(f,
            "Set-up that differs from the paper's: networks are trained at "
            "1/%" PRId64 " of the width that is priced, on ",
            s->results->cost_scale);
    put_images(f, s->results);
    fprintf(f,
            " images of %s, for %" PRId64 ", %" PRId64 " and %" PRId64
            " epochs, with %" PRId64 " seeds (preset %s)%s.\n\n"
            "| claim | paper | here | verdict |\n|---|---|---|---|\n",
            s->results->data, s->results->epochs[0], s->results->epochs[1],
            s->results->epochs[2], seeds, s->results->preset,
            runs < wanted ? "; runs are MISSING" : "");
    for (int i = 0; i < PARETO_CLAIMS; i++)
        fprintf(f, "| %s | %s | %s | %s |\n", claims[i].name, claims[i].paper,
                claims[i].ours, pareto_verdict_name(claims[i].verdict));
}

int pareto_write_markdown(const pareto_summary *summary, const char *folder)
{
    output o;

    if (!open_output(&o, folder, "summary.md"))
        return 0;
    fputs("# Searches led by several cost models\n\nMade by `pareto_cifar10 "
          "--summary`; not to be edited.\n\n",
          o.file);
    put_setup(o.file, summary);
    put_results(o.file, summary);
    put_paper(o.file, summary);
    put_fronts(o.file, summary);
    put_speed(o.file, summary);
    put_widths(o.file, summary);
    put_operators(o.file, summary);
    put_prediction(o.file, summary);
    put_cycles(o.file, summary);
    put_prices(o.file, summary);
    pareto_put_variants(o.file, summary);
    put_claims(o.file, summary);
    return close_output(&o);
}

/* -- a terminal -------------------------------------------------------------
 */

/* The mean, and behind it the deviation, or blanks as wide. */
static void print_moments(FILE *f, const pareto_moments *m, double factor,
                          int width, int digits, int deviation_width)
{
    fprintf(f, " %*.*f", width, digits, factor * m->mean);
    if (isfinite(m->deviation))
        fprintf(f, " +- %*.*f", deviation_width, digits, factor * m->deviation);
    else
        fprintf(f, "%*s", deviation_width + 4, "");
}

void pareto_print(const pareto_summary *s, FILE *f)
{
    pareto_claim claims[PARETO_CLAIMS];
    int64_t runs, wanted, lambdas, seeds;

    pareto_count(s, &runs, &wanted, &lambdas, &seeds);
    pareto_judge(s, claims);
    fprintf(f, "%-22s %7s %5s %16s %18s %14s %14s\n", "method", "lambda",
            "runs", "accuracy %", "us at batch 1", "utilization %",
            "front, slower");
    for (int64_t i = 0; i < s->n_points; i++) {
        const pareto_point *p = &s->points[i];

        fprintf(f, "%-22s %7g %5" PRId64, NAME(p), p->lambda, p->n);
        print_moments(f, &p->accuracy, 100.0, 8, 2, 4);
        print_moments(f, &p->latency_ms[0], PARETO_US(1), 9, 1, 5);
        print_moments(f, &p->utilization[0], 100.0, 6, 1, 4);
        fputs("  ", f);
        if (isfinite(p->speedup[0]))
            fprintf(f, "%11.2f x\n", p->speedup[0]);
        else
            fprintf(f, "%s\n", p->on_front[0] ? "        front" : "");
    }
    fprintf(f, "\n%" PRId64 " of %" PRId64 " runs%s%s\n", runs, wanted,
            s->results->differing[0] ? ", which DIFFER in " : "",
            s->results->differing);
    for (int i = 0; i < PARETO_CLAIMS; i++)
        fprintf(f, "%s: %s [%s]\n", claims[i].name, claims[i].ours,
                pareto_verdict_name(claims[i].verdict));
}
