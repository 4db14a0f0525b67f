/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include "supernet/supernet.h"

#include <math.h>
#include <string.h>

/* Smaller gains are rounding. */
#define LEAST_GAIN 1e-9

/*
 * A trial sets every site of a group to one width. Groups are the single sites
 * and, behind them, the sites of the edges into one node: there, widths that
 * differ cost aligning convolutions, and one site alone may find no way down.
 */
struct ub__polish_group {
    int64_t first, count; /* among the members */
    double gain;          /* of its best trial in this round */
    int64_t place;
};

/* -- what a width is worth ------------------------------------------------ */

/* ln(exp(a) + exp(b)) */
static double log_add(double a, double b)
{
    return fmax(a, b) + log1p(exp(-fabs(a - b)));
}

/* Of every place of a mask: ln P(width) and ln P(at most this width), both less
 * those of the searched width. */
static void fill_site(ub__polish *p, int64_t at, const ub_mask *mask)
{
    const float *logits = ub_tensor_data(
        ub_variable_value(ub_mask_logits(mask)));
    const int64_t searched = ub_mask_argmax(mask);
    double *suffices = p->suffices + at * p->n_places;
    double *probability = p->probability + at * p->n_places;
    double base;

    for (int64_t k = 0; k < p->n_places; k++) {
        probability[k] = (double) logits[k] - (double) logits[searched];
        suffices[k] = k == 0 ? probability[0]
                             : log_add(suffices[k - 1], probability[k]);
    }
    base = suffices[searched];
    for (int64_t k = 0; k < p->n_places; k++)
        suffices[k] -= base;
    p->place[at] = searched;
}

/* -- pricing -------------------------------------------------------------- */

static int64_t width_at(const ub__polish *p, int64_t place)
{
    const ub_width_range *range = &p->options->widths;

    return range->low + place * range->step;
}

static ub_status derive(const ub__polish *p, ub_network **out)
{
    return ub_space_derive(p->space, p->operators, p->widths, out);
}

/* The network of the widths as they are, priced as it would be built. */
static ub_status simulate(const ub__polish *p, double *latency_ms)
{
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_network *network = NULL, *priced = NULL;
    ub_status status = derive(p, &network);

    if (status == UB_OK)
        status = ub_network_scaled(network, p->options->cost_scale, &priced);
    if (status == UB_OK)
        status = ub_systolic_run(priced, p->hardware, NULL, &total, NULL, 0);
    ub_network_destroy(&network);
    ub_network_destroy(&priced);
    if (status == UB_OK)
        *latency_ms = total.latency_ms;
    return status;
}

static double sum_over_sites(const ub__polish *p, const double *table)
{
    double sum = 0.0;

    for (int64_t i = 0; i < p->n_sites; i++)
        sum += table[i * p->n_places + p->place[i]];
    return sum;
}

static double objective(const ub__polish *p, double latency_ms)
{
    return latency_ms / p->searched_ms -
           p->options->polish_weight * sum_over_sites(p, p->suffices);
}

/* What is too large to be built is no better than anything. */
static ub_status evaluate(ub__polish *p, double *value, double *latency_ms)
{
    const ub_status status = simulate(p, latency_ms);

    p->evaluations++;
    if (status == UB_ERR_RANGE) {
        *value = INFINITY;
        return UB_OK;
    }
    if (status == UB_OK)
        *value = objective(p, *latency_ms);
    return status;
}

/* -- trials --------------------------------------------------------------- */

static void set_place(ub__polish *p, int64_t at, int64_t place)
{
    p->place[at] = place;
    p->widths[p->sites[at]] = width_at(p, place);
}

static void set_group(ub__polish *p, const ub__polish_group *group,
                      int64_t place)
{
    for (int64_t i = 0; i < group->count; i++)
        set_place(p, p->members[group->first + i], place);
}

static int is_set(const ub__polish *p, const ub__polish_group *group,
                  int64_t place)
{
    for (int64_t i = 0; i < group->count; i++) {
        if (p->place[p->members[group->first + i]] != place)
            return 0;
    }
    return 1;
}

static int exhausted(const ub__polish *p)
{
    return p->evaluations >= p->options->polish_limit;
}

/* The objective with a group set to a place; the widths are as before then
 * unless it is better than `below`. */
static ub_status attempt(ub__polish *p, const ub__polish_group *group,
                         int64_t place, double below, int keep, double *value)
{
    double latency_ms;
    ub_status status;

    memcpy(p->before, p->place, (size_t) p->n_sites * sizeof(*p->before));
    set_group(p, group, place);
    status = evaluate(p, value, &latency_ms);
    if (status == UB_OK && keep && *value < below) {
        p->latency_ms = latency_ms;
        return UB_OK;
    }
    for (int64_t i = 0; i < group->count; i++) {
        const int64_t at = p->members[group->first + i];
        set_place(p, at, p->before[at]);
    }
    return status;
}

/* The best place of a group, of equal ones the narrowest. */
static ub_status scan(ub__polish *p, ub__polish_group *group, double value)
{
    ub_status status = UB_OK;

    group->gain = 0.0;
    for (int64_t k = 0; k < p->n_places && status == UB_OK; k++) {
        double trial;

        if (is_set(p, group, k) || exhausted(p))
            continue;
        status = attempt(p, group, k, 0.0, 0, &trial);
        if (status == UB_OK && value - trial > group->gain) {
            group->gain = value - trial;
            group->place = k;
        }
    }
    return status;
}

/* The group of the largest gain, of equal ones the first; NULL: none. */
static ub__polish_group *best_group(ub__polish *p)
{
    ub__polish_group *best = NULL;

    for (int64_t g = 0; g < p->n_groups; g++) {
        ub__polish_group *group = &p->groups[g];
        if (group->gain > (best ? best->gain : LEAST_GAIN))
            best = group;
    }
    return best;
}

ub_status ub__polish_round(ub__polish *p)
{
    double value = objective(p, p->latency_ms);
    ub__polish_group *group;
    ub_status status = UB_OK;

    p->finished = 1;
    for (int64_t g = 0; g < p->n_groups && status == UB_OK; g++)
        status = scan(p, &p->groups[g], value);
    /* Later moves may have lost their gain to earlier ones. */
    while (status == UB_OK && !exhausted(p) &&
           (group = best_group(p)) != NULL) {
        double trial;

        status = attempt(p, group, group->place, value - LEAST_GAIN, 1, &trial);
        group->gain = 0.0;
        if (status == UB_OK && trial < value - LEAST_GAIN) {
            value = trial;
            p->moves++;
            p->finished = 0;
        }
    }
    p->rounds++;
    p->finished |= exhausted(p);
    return status;
}

double ub__polish_value(const ub__polish *p)
{
    return objective(p, p->latency_ms);
}

double ub__polish_suffices(const ub__polish *p)
{
    return sum_over_sites(p, p->suffices);
}

double ub__polish_probability(const ub__polish *p)
{
    return sum_over_sites(p, p->probability);
}

/* -- opening -------------------------------------------------------------- */

static ub_status count_parameters(const ub__polish *p, int64_t *out)
{
    ub_network *network = NULL;
    const ub_status status = derive(p, &network);

    if (status == UB_OK)
        *out = ub_network_parameters(network);
    ub_network_destroy(&network);
    return status;
}

/* Whether a site's width changes the network, which has so many parameters: it
 * does not where nothing reads the cell. */
static ub_status matters(ub__polish *p, int64_t site, int64_t parameters,
                         int *out)
{
    const ub_width_range *range = &p->options->widths;
    const int64_t width = p->widths[site];
    int64_t others = 0;
    ub_status status;

    p->widths[site] = width == range->low ? range->high : range->low;
    status = count_parameters(p, &others);
    p->widths[site] = width;
    *out = others != parameters;
    return status;
}

static ub_status find_sites(ub__polish *p, const ub_supernet *net)
{
    const int64_t n = ub_space_sites(p->space);
    int64_t parameters = 0;
    ub_status status = count_parameters(p, &parameters);

    for (int64_t site = 0; site < n && status == UB_OK; site++) {
        int counts;

        if (net->masks[site] == NULL)
            continue;
        status = matters(p, site, parameters, &counts);
        if (status == UB_OK && counts) {
            p->sites[p->n_sites] = site;
            fill_site(p, p->n_sites++, net->masks[site]);
        }
    }
    return status;
}

static void add_group(ub__polish *p, int64_t first, int64_t count)
{
    ub__polish_group *group = &p->groups[p->n_groups++];

    group->first = first;
    group->count = count;
}

/* The sites of the edges into a node of a cell, if there are two at least. */
static void add_node(ub__polish *p, int64_t cell, int64_t node,
                     int64_t *n_members)
{
    const int64_t inputs = p->space->options.inputs;
    const int64_t slots = inputs + p->space->n_edges;
    const int64_t first = *n_members;

    for (int64_t i = 0; i < p->n_sites; i++) {
        const int64_t edge = p->sites[i] % slots - inputs;
        if (p->sites[i] / slots == cell && edge >= 0 &&
            p->space->edges[edge].to == node)
            p->members[(*n_members)++] = i;
    }
    if (*n_members - first < 2)
        *n_members = first;
    else
        add_group(p, first, *n_members - first);
}

static void make_groups(ub__polish *p)
{
    int64_t n_members = p->n_sites;

    for (int64_t i = 0; i < p->n_sites; i++) {
        p->members[i] = i;
        add_group(p, i, 1);
    }
    for (int64_t c = 0; c < p->space->n_cells; c++) {
        for (int64_t n = 0; n < p->space->options.nodes; n++)
            add_node(p, c, n, &n_members);
    }
}

static ub_status open_memory(ub__polish *p)
{
    const size_t n = (size_t) ub_space_sites(p->space);
    const size_t table = n * (size_t) p->n_places;

    p->widths = ub__calloc(p->context, n, sizeof(*p->widths));
    p->sites = ub__calloc(p->context, n, sizeof(*p->sites));
    p->place = ub__calloc(p->context, n, sizeof(*p->place));
    p->before = ub__calloc(p->context, n, sizeof(*p->before));
    p->members = ub__calloc(p->context, 2 * n, sizeof(*p->members));
    p->groups = ub__calloc(p->context, 2 * n, sizeof(*p->groups));
    p->suffices = ub__calloc(p->context, table, sizeof(*p->suffices));
    p->probability = ub__calloc(p->context, table, sizeof(*p->probability));
    return p->widths && p->sites && p->place && p->before && p->members &&
                   p->groups && p->suffices && p->probability
               ? UB_OK
               : UB_ERR_NOMEM;
}

ub_status ub__polish_open(ub_context *context, const ub_search_options *options,
                          const ub_hardware *hardware, const ub_space *space,
                          const int32_t *operators, const ub_supernet *net,
                          ub__polish *p)
{
    ub_status status;

    memset(p, 0, sizeof(*p));
    p->context = context;
    p->options = options;
    p->hardware = hardware;
    p->space = space;
    p->operators = operators;
    p->n_places = ub_width_range_count(&options->widths);
    status = open_memory(p);
    if (status == UB_OK) {
        ub_supernet_widths(net, p->widths);
        status = simulate(p, &p->searched_ms);
        p->latency_ms = p->searched_ms;
    }
    if (status == UB_OK)
        status = find_sites(p, net);
    if (status != UB_OK) {
        ub__polish_close(p);
        return status;
    }
    make_groups(p);
    return UB_OK;
}

ub_status ub__polish_move_to(ub__polish *p, const int64_t *widths)
{
    const ub_width_range *range = &p->options->widths;

    for (int64_t i = 0; i < p->n_sites; i++) {
        const int64_t width = widths[p->sites[i]];

        if (width < range->low || width > range->high ||
            (width - range->low) % range->step != 0)
            return ub__fail(p->context, UB_ERR_FORMAT,
                            "search: width %lld is not one of those searched",
                            (long long) width);
        set_place(p, i, (width - range->low) / range->step);
    }
    return simulate(p, &p->latency_ms);
}

void ub__polish_close(ub__polish *p)
{
    ub__free(p->context, p->widths);
    ub__free(p->context, p->sites);
    ub__free(p->context, p->place);
    ub__free(p->context, p->before);
    ub__free(p->context, p->members);
    ub__free(p->context, p->groups);
    ub__free(p->context, p->suffices);
    ub__free(p->context, p->probability);
    memset(p, 0, sizeof(*p));
}
