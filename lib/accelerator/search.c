/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

#include <math.h>
#include <string.h>

static const ub_accelerator_search_options defaults = {
    .size = sizeof(defaults),
    .seed = 1,
    .engine = UB_ENGINE_EXACT,
    .credit = UB_CREDIT_CHUNK,
    .learning_rate = 0.03,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .epsilon = 1e-8,
    .temperature = 1,
    .baseline = 0.9,
    .first_logit = 1e-3,
    .penalty = 1,
    .restart = 0.1,
    .logarithm = 1,
};

static int within(double value, double low, double high)
{
    return value >= low && value <= high;
}

static ub_status check(ub_context *context,
                       const ub_accelerator_search_options *o)
{
    if (o->engine < UB_ENGINE_EXACT || o->engine > UB_ENGINE_DIFFERENTIABLE ||
        o->credit < UB_CREDIT_BOTTLENECK || o->credit > UB_CREDIT_CHUNK)
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator search: engine %d, credit %d",
                        (int) o->engine, (int) o->credit);
    if (!within(o->learning_rate, 0, 1e6) || !within(o->beta1, 0, 0.999999) ||
        !within(o->beta2, 0, 0.99999999) || !within(o->epsilon, 1e-300, 1) ||
        !within(o->temperature, 1e-6, 1e6) || !within(o->baseline, 0, 1) ||
        !within(o->first_logit, -1e6, 1e6) || !within(o->penalty, 0, 1e6) ||
        !within(o->restart, 0, 1e6))
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator search: a number is out of range");
    if ((o->sample_unused != 0 && o->sample_unused != 1) ||
        (o->logarithm != 0 && o->logarithm != 1))
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator search: a flag is neither 0 nor 1");
    return UB_OK;
}

/* More frames, or as many for less. */
static int better(const ub_accelerator_result *a,
                  const ub_accelerator_result *b)
{
    if (a->fps != b->fps)
        return a->fps > b->fps;
    if (a->dsp != b->dsp)
        return a->dsp < b->dsp;
    return a->bram < b->bram;
}

void ub__chunks_take(ub_accelerator_search *search, const ub__load *load,
                     const int32_t *configuration,
                     const ub_accelerator_result *result,
                     ub_accelerator_result *best)
{
    if (search->has_best && best->size != 0 && !better(result, best))
        return;
    /* What is known of other chunks stays, for a network that needs them. */
    for (int64_t c = 0; c < search->accelerator->chunks; c++) {
        const int64_t at = c * UB_CHUNK_FIELDS;

        if (!search->has_best || load->start[c] < load->start[c + 1])
            memcpy(search->best + at, configuration + at,
                   UB_CHUNK_FIELDS * sizeof(*configuration));
    }
    search->has_best = 1;
    *best = *result;
}

/* -- engines ------------------------------------------------------------------
 */

static ub_status run_exact(ub_accelerator_search *s, const ub__load *load,
                           ub_accelerator_result *best)
{
    int32_t configuration[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    ub_accelerator_result result;
    const ub_status status = ub__chunks_solve(
        s->accelerator, load, configuration, &s->samples, &s->points);

    if (status != UB_OK)
        return status;
    ub__load_evaluate(s->accelerator, load, configuration, NULL, &result);
    best->size = 0; /* nothing is better */
    ub__chunks_take(s, load, configuration, &result, best);
    return UB_OK;
}

static void run_random(ub_accelerator_search *s, const ub__load *load,
                       int64_t samples, ub_accelerator_result *best)
{
    const ub_accelerator *a = s->accelerator;
    int32_t configuration[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];

    ub__chunks_fill(a, load, configuration);
    for (int64_t i = 0; i < samples; i++) {
        ub_accelerator_result result;

        for (int64_t c = 0; c < a->chunks; c++) {
            if (s->options.sample_unused || load->start[c] < load->start[c + 1])
                ub__chunk_draw(ub__chunk_space_of(a, c), &s->rng,
                               configuration + c * UB_CHUNK_FIELDS);
        }
        ub__load_evaluate(a, load, configuration, NULL, &result);
        s->samples++;
        if (result.excess == UB_ACCELERATOR_FITS)
            ub__chunks_take(s, load, configuration, &result, best);
        else
            s->dropped++;
    }
}

static ub_status run(ub_accelerator_search *s, const ub__load *load,
                     int64_t samples, ub_accelerator_result *best)
{
    /* What was the best of an earlier workload may not even fit. */
    if (s->has_best) {
        ub__load_evaluate(s->accelerator, load, s->best, NULL, best);
        if (best->excess != UB_ACCELERATOR_FITS)
            best->size = 0;
    }
    if (s->options.engine == UB_ENGINE_EXACT)
        return run_exact(s, load, best);
    if (s->options.engine == UB_ENGINE_DIFFERENTIABLE)
        return ub__chunk_learner_run(s, load, samples, best);
    run_random(s, load, samples, best);
    return UB_OK;
}

static ub_status check_call(const ub_accelerator_search *s, int64_t samples,
                            const int32_t *configuration,
                            const ub_accelerator_result *out)
{
    if (samples < 0 || configuration == NULL || out == NULL ||
        out->size < sizeof(*out))
        return ub__fail(s->accelerator->context, UB_ERR_INVALID,
                        "accelerator search: %lld samples, configuration is "
                        "NULL, or the size of the result is not set",
                        (long long) samples);
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

void ub_accelerator_search_options_init(ub_accelerator_search_options *options,
                                        size_t size)
{
    ub__options_out(options, size, &defaults, sizeof(defaults));
}

void ub_accelerator_search_options_published(
    ub_accelerator_search_options *options)
{
    if (options == NULL)
        return;
    options->engine = UB_ENGINE_DIFFERENTIABLE;
    options->credit = UB_CREDIT_BOTTLENECK;
    options->learning_rate = 1e-7;
    options->beta1 = 0.5;
    options->beta2 = 0.999;
    options->epsilon = 1e-8;
    options->temperature = 1;
    options->baseline = 0;
    options->first_logit = 1e-3;
    options->penalty = 0;
    options->restart = 0;
    options->sample_unused = 1;
    options->logarithm = 0;
}

ub_status
ub_accelerator_search_create(const ub_accelerator *accelerator,
                             const ub_accelerator_search_options *options,
                             ub_accelerator_search **out)
{
    ub_accelerator_search_options full = defaults;
    ub_accelerator_search *search;
    ub_status status;

    if (accelerator == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator search: out is NULL");
    status = ub__options_in(accelerator->context, "accelerator search options",
                            &full, sizeof(full), sizeof(full), options);
    if (status == UB_OK)
        status = check(accelerator->context, &full);
    if (status != UB_OK)
        return status;
    search = ub__calloc(accelerator->context, 1, sizeof(*search));
    if (search == NULL)
        return UB_ERR_NOMEM;
    search->accelerator = accelerator;
    search->options = full;
    ub_rng_init(&search->rng, full.seed, 0);
    search->best = ub__calloc(accelerator->context,
                              (size_t) accelerator->chunks * UB_CHUNK_FIELDS,
                              sizeof(*search->best));
    if (search->best == NULL || ub__chunk_learner_create(search) != UB_OK) {
        ub_accelerator_search_destroy(&search);
        return UB_ERR_NOMEM;
    }
    *out = search;
    return UB_OK;
}

void ub_accelerator_search_destroy(ub_accelerator_search **search)
{
    ub_context *context;

    if (search == NULL || *search == NULL)
        return;
    context = (*search)->accelerator->context;
    ub__chunk_learner_clear(*search);
    ub__free(context, (*search)->best);
    ub__free(context, *search);
    *search = NULL;
}

ub_status ub_accelerator_search_run(ub_accelerator_search *search,
                                    const ub_workload *workload,
                                    int64_t samples, int32_t *configuration,
                                    ub_accelerator_result *out)
{
    ub_accelerator_result best = { .size = 0 };
    const ub_accelerator *a;
    ub_status status;
    ub__load load;

    if (search == NULL)
        return UB_ERR_INVALID;
    a = search->accelerator;
    status = check_call(search, samples, configuration, out);
    if (status == UB_OK)
        status = ub__load_create(a, workload, &load);
    if (status != UB_OK)
        return status;
    status = run(search, &load, samples, &best);
    if (status == UB_OK && best.size == 0)
        status = ub__fail(a->context, UB_ERR_RANGE,
                          "accelerator search: none of %lld samples keeps to "
                          "%g DSPs and %lld blocks of memory",
                          (long long) samples, a->options.dsp_limit,
                          (long long) a->options.bram_limit);
    if (status == UB_OK) {
        memcpy(configuration, search->best,
               (size_t) a->chunks * UB_CHUNK_FIELDS * sizeof(*configuration));
        ub__chunks_fill(a, &load, configuration);
        ub__options_out(out, out->size, &best, sizeof(best));
    }
    ub__load_clear(a, &load);
    return status;
}

ub_status ub_accelerator_search_stats_get(const ub_accelerator_search *search,
                                          ub_accelerator_search_stats *out)
{
    ub_accelerator_search_stats stats = { .size = sizeof(stats) };

    if (search == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || out->size < sizeof(*out))
        return ub__fail(search->accelerator->context, UB_ERR_INVALID,
                        "accelerator search: the size of the result is not "
                        "set");
    stats.samples = search->samples;
    stats.dropped = search->dropped;
    stats.points = search->points;
    stats.entropy = search->options.engine == UB_ENGINE_DIFFERENTIABLE
                        ? ub__chunk_learner_entropy(search, NULL)
                        : NAN;
    ub__options_out(out, out->size, &stats, sizeof(stats));
    return UB_OK;
}
