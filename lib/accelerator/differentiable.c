/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"
#include "strategy/strategy.h"

#include <math.h>
#include <string.h>

#define TINY 1e-20

/* A chunk's vectors of logits, in the order they are sampled in. */
enum { VECTORS = 1 + 2 * UB__DIMENSIONS };

/* What was drawn for a chunk. */
typedef struct draw {
    double y[UB__CHUNK_LOGITS];
    int32_t start[VECTORS]; /* first logit that could be chosen */
    int32_t n[VECTORS];     /* how many could; 1: nothing was drawn */
    int32_t chosen[VECTORS];
} draw;

/* -- formulas ---------------------------------------------------------------
 */

int64_t ub__chunk_gumbel(int64_t n, const double *logits,
                         const double *uniforms, double temperature,
                         double *out)
{
    int64_t best = 0;

    for (int64_t i = 0; i < n; i++) {
        const double noise = -log(-log(uniforms[i] + TINY) + TINY);

        out[i] = (logits[i] + noise) / temperature;
        if (out[i] > out[best])
            best = i;
    }
    ub__softmax(out, n, out);
    return best;
}

void ub__chunk_gradient(int64_t n, const double *y, int64_t chosen, double loss,
                        double temperature, double *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = loss * y[chosen] * ((i == chosen) - y[i]) / temperature;
}

void ub__chunk_adam_step(const ub__chunk_adam *adam, int64_t n, int64_t t,
                         const double *gradient, double *first, double *second,
                         double *values)
{
    const double correct1 = 1 - pow(adam->beta1, (double) t);
    const double correct2 = 1 - pow(adam->beta2, (double) t);

    for (int64_t i = 0; i < n; i++) {
        const double g = gradient[i];

        first[i] = adam->beta1 * first[i] + (1 - adam->beta1) * g;
        second[i] = adam->beta2 * second[i] + (1 - adam->beta2) * g * g;
        values[i] -= adam->rate * (first[i] / correct1) /
                     (sqrt(second[i] / correct2) + adam->epsilon);
    }
}

/* -- one sample --------------------------------------------------------------
 */

static int32_t vector_place(int vector)
{
    return vector == 0 ? 0 : 3 + (vector - 1) * UB_CHUNK_MAX_VALUES;
}

/* Number of choices of a vector. */
static int32_t vector_length(const ub_chunk_space *space, int vector)
{
    int32_t modes[3];

    if (vector == 0)
        return ub__chunk_modes(space, modes);
    return space->lengths[(vector - 1) % UB__DIMENSIONS];
}

/* One vector, from choice `from` on. */
static void draw_vector(ub_accelerator_search *s, const double *logits,
                        int vector, int32_t from, int32_t n, draw *d)
{
    double uniforms[UB_CHUNK_MAX_VALUES];
    const int32_t start = vector_place(vector) + from;

    d->start[vector] = start;
    d->n[vector] = n;
    d->chosen[vector] = 0;
    if (n == 1)
        return;
    for (int32_t i = 0; i < n; i++)
        uniforms[i] = ub_rng_uniform(&s->rng);
    d->chosen[vector] = (int32_t) ub__chunk_gumbel(
        n, logits + start, uniforms, s->options.temperature, d->y + start);
}

/* An unroll is drawn from the values up to its tile, which are behind it. */
static void draw_chunk(ub_accelerator_search *s, int64_t chunk, draw *d,
                       int32_t *configuration)
{
    const ub_chunk_space *space = ub__chunk_space_of(s->accelerator, chunk);
    const double *logits = s->state.logits + chunk * UB__CHUNK_LOGITS;
    int32_t modes[3];

    ub__chunk_modes(space, modes);
    for (int v = 0; v < VECTORS; v++) {
        const int32_t n = vector_length(space, v);
        const int32_t from = v > UB__DIMENSIONS ? d->chosen[v - 4] : 0;

        draw_vector(s, logits, v, from, n - from, d);
        configuration[v] = v == 0 ? modes[d->chosen[0]]
                                  : space->values[(v - 1) % UB__DIMENSIONS]
                                                 [from + d->chosen[v]];
    }
}

static void learn_chunk(ub_accelerator_search *s, int64_t chunk, const draw *d,
                        double loss)
{
    const ub_accelerator_search_options *o = &s->options;
    const ub__chunk_adam adam = { o->learning_rate, o->beta1, o->beta2,
                                  o->epsilon };
    const int64_t at = chunk * UB__CHUNK_LOGITS;
    double gradient[UB__CHUNK_LOGITS] = { 0 };

    for (int v = 0; v < VECTORS; v++) {
        const int32_t start = d->start[v];

        if (d->n[v] > 1)
            ub__chunk_gradient(d->n[v], d->y + start, d->chosen[v], loss,
                               o->temperature, gradient + start);
    }
    ub__chunk_adam_step(&adam, UB__CHUNK_LOGITS, ++s->state.steps[chunk],
                        gradient, s->state.first + at, s->state.second + at,
                        s->state.logits + at);
}

/* The loss without what was to be expected. */
static double surprise(const ub_accelerator_search_options *o, double loss,
                       double *mean, int32_t has_mean)
{
    const double expected = has_mean ? *mean : loss;

    if (o->baseline == 0)
        return loss;
    *mean = o->baseline * expected + (1 - o->baseline) * loss;
    return loss - expected;
}

/* Of a sample beyond the limits as if it were slower. */
static double loss_of(const ub_accelerator_search *s, double cycles,
                      double violation)
{
    const double seconds = cycles / s->accelerator->options.clock_hz *
                           (1 + s->options.penalty * violation);

    return s->options.logarithm ? log(seconds) : seconds;
}

/* Whether a chunk takes part. */
static int sampled(const ub_accelerator_search *s, const ub__load *load,
                   int64_t chunk)
{
    return s->options.sample_unused ||
           load->start[chunk] < load->start[chunk + 1];
}

static void learn(ub_accelerator_search *s, const ub__load *load,
                  const draw *draws, const ub__chunk_use *uses,
                  const ub_accelerator_result *result)
{
    ub__chunk_learner *state = &s->state;
    const double all = surprise(
        &s->options, loss_of(s, result->bottleneck, result->violation),
        &state->mean, state->has_mean);

    state->has_mean = 1;
    for (int64_t c = 0; c < s->accelerator->chunks; c++) {
        const int own = s->options.credit == UB_CREDIT_CHUNK;
        double loss = all;

        if (!sampled(s, load, c) || (own && uses[c].cycles == 0))
            continue;
        if (own)
            loss = surprise(&s->options,
                            loss_of(s, uses[c].cycles, result->violation),
                            &state->chunk_means[c], state->steps[c] > 0);
        learn_chunk(s, c, &draws[c], loss);
    }
}

/* Begin anew. */
static void forget(ub_accelerator_search *search)
{
    const size_t chunks = (size_t) search->accelerator->chunks;
    const size_t n = chunks * UB__CHUNK_LOGITS;
    ub__chunk_learner *state = &search->state;

    for (size_t i = 0; i < n; i++)
        state->logits[i] = search->options.first_logit;
    memset(state->first, 0, n * sizeof(*state->first));
    memset(state->second, 0, n * sizeof(*state->second));
    memset(state->steps, 0, sizeof(state->steps));
    state->has_mean = 0;
}

/* A search that has settled draws the same from now on. */
static void restart_settled(ub_accelerator_search *search, const ub__load *load)
{
    if (search->options.restart > 0 && search->samples % 100 == 0 &&
        ub__chunk_learner_entropy(search, load) < search->options.restart)
        forget(search);
}

/* -- private ------------------------------------------------------------------
 */

ub_status ub__chunk_learner_create(ub_accelerator_search *search)
{
    const size_t n = (size_t) search->accelerator->chunks * UB__CHUNK_LOGITS;
    ub_context *context = search->accelerator->context;
    ub__chunk_learner *state = &search->state;

    state->logits = ub__alloc(context, n, sizeof(*state->logits));
    state->first = ub__alloc(context, n, sizeof(*state->first));
    state->second = ub__alloc(context, n, sizeof(*state->second));
    if (state->logits == NULL || state->first == NULL || state->second == NULL)
        return UB_ERR_NOMEM;
    forget(search);
    return UB_OK;
}

void ub__chunk_learner_clear(ub_accelerator_search *search)
{
    ub_context *context = search->accelerator->context;

    ub__free(context, search->state.logits);
    ub__free(context, search->state.first);
    ub__free(context, search->state.second);
}

ub_status ub__chunk_learner_run(ub_accelerator_search *search,
                                const ub__load *load, int64_t samples,
                                ub_accelerator_result *best)
{
    const ub_accelerator *a = search->accelerator;
    int32_t configuration[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    draw *draws = ub__alloc(a->context, (size_t) a->chunks, sizeof(*draws));
    ub__chunk_use uses[UB__MAX_CHUNKS];

    if (draws == NULL)
        return UB_ERR_NOMEM;
    ub__chunks_fill(a, load, configuration);
    for (int64_t i = 0; i < samples; i++) {
        ub_accelerator_result result;

        for (int64_t c = 0; c < a->chunks; c++) {
            if (sampled(search, load, c))
                draw_chunk(search, c, &draws[c],
                           configuration + c * UB_CHUNK_FIELDS);
        }
        ub__load_evaluate(a, load, configuration, uses, &result);
        search->samples++;
        if (result.excess == UB_ACCELERATOR_FITS)
            ub__chunks_take(search, load, configuration, &result, best);
        else
            search->dropped++;
        if (result.excess == UB_ACCELERATOR_FITS || search->options.penalty > 0)
            learn(search, load, draws, uses, &result);
        restart_settled(search, load);
    }
    ub__free(a->context, draws);
    return UB_OK;
}

double ub__chunk_learner_entropy(const ub_accelerator_search *search,
                                 const ub__load *load)
{
    double sum = 0, n = 0;

    for (int64_t c = 0; c < search->accelerator->chunks; c++) {
        const ub_chunk_space *space = ub__chunk_space_of(search->accelerator,
                                                         c);

        if (search->state.steps[c] == 0 ||
            (load != NULL && !sampled(search, load, c)))
            continue;
        for (int v = 0; v < VECTORS; v++) {
            const int32_t length = vector_length(space, v);

            if (length == 1)
                continue;
            sum += ub__entropy(search->state.logits + c * UB__CHUNK_LOGITS +
                                   vector_place(v),
                               length);
            n++;
        }
    }
    return n > 0 ? sum / n : NAN;
}
