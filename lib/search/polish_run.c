/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include <string.h>

/* Polishing as a part of a run: what is in its notes and in its log. */

static ub_status no_memory(ub_context *context)
{
    return ub__fail(context, UB_ERR_NOMEM, "search: out of memory");
}

/* What result.json says of it, which is also what a resumed run goes on from;
 * the widths of the search stay in "searched_widths". */
static json_t *note_json(const ub__polish *p, const json_t *searched)
{
    return json_pack(
        "{s:f, s:b, s:I, s:I, s:I, s:[f,f], s:f, s:f, s:f, s:O}", "weight",
        p->options->polish_weight, "finished", p->finished, "rounds",
        (json_int_t) p->rounds, "moves", (json_int_t) p->moves, "evaluations",
        (json_int_t) p->evaluations, "latency_ms", p->searched_ms,
        p->latency_ms, "objective", ub__polish_value(p), "log_sufficient",
        ub__polish_suffices(p), "log_probability", ub__polish_probability(p),
        "searched_widths", searched);
}

static ub_status note(ub__run *run, const ub__polish *p)
{
    const json_t *old = json_object_get(run->results, "polish");
    json_t *searched = old ? json_incref(
                                 json_object_get(old, "searched_widths"))
                           : json_incref(
                                 json_object_get(run->results, "widths"));
    ub_status status = ub__run_note(run, "polish", note_json(p, searched));

    json_decref(searched);
    if (status == UB_OK)
        status = ub__run_note(
            run, "widths",
            ub__integers_json(NULL, p->widths, ub_space_sites(p->space)));
    return status;
}

/* Counters of a run that was stopped between two rounds. */
static ub_status go_on(ub__run *run, const int64_t *widths, ub__polish *p)
{
    json_t *old = json_object_get(run->results, "polish");
    json_int_t rounds, moves, evaluations;

    if (old == NULL)
        return UB_OK;
    if (json_unpack(old, "{s:b, s:I, s:I, s:I}", "finished", &p->finished,
                    "rounds", &rounds, "moves", &moves, "evaluations",
                    &evaluations) != 0 ||
        rounds < 0 || moves < 0 || evaluations < 0 ||
        !json_is_array(json_object_get(old, "searched_widths")))
        return ub__fail(run->context, UB_ERR_FORMAT,
                        "search: the checkpoint's polishing is damaged");
    p->rounds = rounds;
    p->moves = moves;
    p->evaluations = evaluations;
    return ub__polish_move_to(p, widths);
}

static ub_status log_round(ub__run *run, const ub__polish *p, double seconds)
{
    json_t *line = json_pack(
        "{s:s, s:I, s:I, s:I, s:f, s:f, s:f}", "stage", "polish", "round",
        (json_int_t) p->rounds, "moves", (json_int_t) p->moves, "evaluations",
        (json_int_t) p->evaluations, "objective", ub__polish_value(p),
        "latency_ms", p->latency_ms, "seconds", seconds);
    ub_status status;

    if (line == NULL)
        return no_memory(run->context);
    status = ub__run_log(run, line);
    json_decref(line);
    return status;
}

static ub_status add_seconds(ub__run *run, double seconds)
{
    const double before = json_number_value(
        json_object_get(run->results, "seconds_polish"));

    return ub__run_note(run, "seconds_polish", json_real(before + seconds));
}

static ub_status report_progress(ub__run *run, const ub__polish *p)
{
    ub_progress progress = { .size = sizeof(progress) };

    progress.stage = "polish";
    progress.epochs = 1;
    progress.step = p->rounds;
    progress.steps = p->rounds + !p->finished;
    progress.loss = ub__polish_value(p);
    progress.latency_ms = p->latency_ms;
    return ub__progress(run->context, &progress);
}

static ub_status one_round(ub__run *run, ub__polish *p)
{
    const double began = ub__seconds();
    ub_status status = ub__polish_round(p);
    double seconds;

    if (status == UB_OK)
        status = note(run, p);
    seconds = ub__seconds() - began;
    if (status == UB_OK)
        status = add_seconds(run, seconds);
    if (status == UB_OK)
        status = log_round(run, p, seconds);
    if (status != UB_OK)
        return status;
    status = report_progress(run, p);
    if (status == UB_ERR_INTERRUPTED || (status == UB_OK && p->finished)) {
        const ub_status saved = ub__run_save(run);
        return saved == UB_OK ? status : saved;
    }
    return status;
}

ub_status ub__polish_run(ub__run *run, const ub_search_options *options,
                         const ub_hardware *hardware, const ub_space *space,
                         const int32_t *operators, const ub_supernet *net,
                         int64_t *widths)
{
    ub__polish p;
    ub_status status = ub__polish_open(run->context, options, hardware, space,
                                       operators, net, &p);

    if (status != UB_OK)
        return status;
    status = go_on(run, widths, &p);
    while (status == UB_OK && !p.finished)
        status = one_round(run, &p);
    if (status == UB_OK)
        memcpy(widths, p.widths,
               (size_t) ub_space_sites(space) * sizeof(*widths));
    ub__polish_close(&p);
    return status;
}
