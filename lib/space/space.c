/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

#include <string.h>

static const ub_space_options defaults = {
    .size = sizeof(ub_space_options),
    .name = "space",
    .channels = 3,
    .height = 32,
    .width = 32,
    .classes = 10,
    .base_width = 16,
    .inputs = 2,
    .nodes = 5,
    .output = 4,
    .preprocess = 3,
    .stem_kernel = 3,
    .stem_pool = 1,
    .shared = 1,
};

static int in_range(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

static int is_kernel(int64_t kernel)
{
    return in_range(kernel, 1, 63) && kernel % 2 == 1;
}

static ub_status check_options(ub_context *context, const ub_space_options *o)
{
    if (!in_range(o->channels, 1, 1 << 16) ||
        !in_range(o->height, 1, 1 << 16) || !in_range(o->width, 1, 1 << 16) ||
        !in_range(o->classes, 1, 1 << 20) ||
        !in_range(o->base_width, 1, 1 << 16))
        return ub__fail(context, UB_ERR_INVALID,
                        "space: images of %lldx%lldx%lld, %lld classes, base "
                        "width %lld: out of range",
                        (long long) o->channels, (long long) o->height,
                        (long long) o->width, (long long) o->classes,
                        (long long) o->base_width);
    if (!in_range(o->inputs, 1, 2) ||
        !in_range(o->nodes, o->inputs + 1, UB_SPACE_MAX_ITEMS) ||
        !in_range(o->output, o->inputs, o->nodes - 1))
        return ub__fail(context, UB_ERR_INVALID,
                        "space: %lld inputs, %lld nodes, output node %lld do "
                        "not fit each other",
                        (long long) o->inputs, (long long) o->nodes,
                        (long long) o->output);
    if (!is_kernel(o->stem_kernel) ||
        (o->preprocess != 0 && !is_kernel(o->preprocess)))
        return ub__fail(context, UB_ERR_INVALID,
                        "space: stem kernel %lld, preprocessing kernel %lld: "
                        "expected odd numbers below 64",
                        (long long) o->stem_kernel, (long long) o->preprocess);
    if (o->stem_pool && (o->height % 2 || o->width % 2))
        return ub__fail(context, UB_ERR_SHAPE,
                        "space: the stem's pool needs an even map, not "
                        "%lldx%lld",
                        (long long) o->height, (long long) o->width);
    return UB_OK;
}

void ub_space_options_init(ub_space_options *options, size_t size)
{
    ub__options_out(options, size, &defaults, sizeof(defaults));
}

ub_status ub_space_create(ub_context *context, const ub_space_options *options,
                          ub_space **out)
{
    ub_space_options o = defaults;
    ub_space *space;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (options != NULL) {
        status = ub__options_in(context, "space options", &o, sizeof(o),
                                sizeof(o), options);
        if (status != UB_OK)
            return status;
    }
    if (o.name == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "space: a NULL argument");
    status = check_options(context, &o);
    if (status != UB_OK)
        return status;
    space = ub__calloc(context, 1, sizeof(*space));
    if (space == NULL)
        return UB_ERR_NOMEM;
    space->context = context;
    space->options = o;
    space->options.name = ub__strdup(context, o.name);
    if (space->options.name == NULL) {
        ub__free(context, space);
        return UB_ERR_NOMEM;
    }
    *out = space;
    return UB_OK;
}

void ub_space_destroy(ub_space **space)
{
    ub_space *s;

    if (space == NULL || *space == NULL)
        return;
    s = *space;
    for (int64_t i = 0; i < s->n_operators; i++) {
        ub__free(s->context, s->operators[i].name);
        ub__free(s->context, s->operators[i].steps);
    }
    ub__free(s->context, (char *) (uintptr_t) s->options.name);
    ub__free(s->context, s);
    *space = NULL;
}

static ub_status check_step(ub_context *context, const char *name,
                            const ub_operator_step *step)
{
    const int pool = step->kind == UB_STEP_MAX_POOL ||
                     step->kind == UB_STEP_AVG_POOL;

    if (step->kind < UB_STEP_CONV || step->kind > UB_STEP_AVG_POOL)
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": unknown kind %d of a step", name,
                        (int) step->kind);
    if (!is_kernel(step->kernel) || !in_range(step->dilation, 1, 64) ||
        (pool && step->dilation != 1))
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": kernel %lld with dilation %lld", name,
                        (long long) step->kernel, (long long) step->dilation);
    if (!in_range(step->expansion, 0, 64) ||
        (step->kind != UB_STEP_CONV && step->expansion != 0))
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": expansion %lld", name,
                        (long long) step->expansion);
    return UB_OK;
}

static ub_status check_operator(const ub_space *space, const ub_operator *op)
{
    ub_context *context = space->context;

    if (op == NULL || op->size != sizeof(*op) || op->name == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "operator: NULL, without name, or of unknown size");
    if (space->n_operators == UB_SPACE_MAX_ITEMS ||
        !in_range(op->n_steps, 0, UB_SPACE_MAX_ITEMS) ||
        (op->zero && op->n_steps > 0) || (op->n_steps > 0 && !op->steps))
        return ub__fail(context, UB_ERR_INVALID,
                        "operator \"%s\": %lld steps as operator %lld",
                        op->name, (long long) op->n_steps,
                        (long long) space->n_operators);
    for (int64_t i = 0; i < space->n_operators; i++) {
        if (strcmp(space->operators[i].name, op->name) == 0)
            return ub__fail(context, UB_ERR_INVALID,
                            "operator \"%s\" is there already", op->name);
    }
    for (int64_t i = 0; i < op->n_steps; i++) {
        const ub_status status = check_step(context, op->name, &op->steps[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

ub_status ub_space_add_operator(ub_space *space, const ub_operator *op)
{
    ub__operator *slot;
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    status = check_operator(space, op);
    if (status != UB_OK)
        return status;
    slot = &space->operators[space->n_operators];
    slot->name = ub__strdup(space->context, op->name);
    slot->steps = ub__calloc(space->context, (size_t) op->n_steps,
                             sizeof(*op->steps));
    if (slot->name == NULL || slot->steps == NULL) {
        ub__free(space->context, slot->name);
        ub__free(space->context, slot->steps);
        memset(slot, 0, sizeof(*slot));
        return UB_ERR_NOMEM;
    }
    slot->n_steps = op->n_steps;
    slot->zero = op->zero != 0;
    slot->residual = op->residual != 0;
    slot->takes_width = 0;
    for (int64_t i = 0; i < op->n_steps; i++) {
        slot->steps[i] = op->steps[i];
        if (op->steps[i].kind == UB_STEP_CONV && op->steps[i].expansion == 0)
            slot->takes_width = 1;
    }
    space->n_operators++;
    return UB_OK;
}

ub_status ub_space_add_edge(ub_space *space, int64_t from, int64_t to)
{
    if (space == NULL)
        return UB_ERR_INVALID;
    if (space->n_edges == UB_SPACE_MAX_ITEMS)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: more than %d edges", UB_SPACE_MAX_ITEMS);
    if (from < 0 || from >= to || to < space->options.inputs ||
        to >= space->options.nodes)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: an edge from node %lld to %lld of %lld",
                        (long long) from, (long long) to,
                        (long long) space->options.nodes);
    space->edges[space->n_edges].from = from;
    space->edges[space->n_edges].to = to;
    space->n_edges++;
    return UB_OK;
}

/* The map that cell number `index` (or the stem, below 0) hands on. */
static void map_after(const ub_space *space, int64_t index, int64_t *height,
                      int64_t *width)
{
    const int64_t halving = space->options.stem_pool ? 2 : 1;

    if (index < 0) {
        *height = space->options.height / halving;
        *width = space->options.width / halving;
    } else {
        *height = space->cells[index].out_height;
        *width = space->cells[index].out_width;
    }
}

static ub_status divide_map(ub_space *space, int64_t by, int64_t *height,
                            int64_t *width)
{
    if (*height % by || *width % by)
        return ub__fail(space->context, UB_ERR_SHAPE,
                        "space: cell %lld cannot divide its %lldx%lld map by "
                        "%lld",
                        (long long) space->n_cells, (long long) *height,
                        (long long) *width, (long long) by);
    *height /= by;
    *width /= by;
    return UB_OK;
}

ub_status ub_space_add_cell(ub_space *space, const ub_space_cell *cell)
{
    ub__cell c = { 0 };
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    if (cell == NULL || space->n_cells == UB_SPACE_MAX_ITEMS ||
        !in_range(cell->width, 0, 1 << 16) || !in_range(cell->stride, 1, 16))
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: cell %lld is NULL, one too many, or its width "
                        "or stride is out of range",
                        (long long) space->n_cells);
    c.width = cell->width ? cell->width : space->options.base_width;
    c.stride = cell->stride;
    c.pool_after = cell->pool_after != 0;
    for (int64_t i = 0; i < space->options.inputs; i++)
        map_after(space, space->n_cells - 1 - i, &c.height_in[i],
                  &c.width_in[i]);
    c.height = c.height_in[0];
    c.map_width = c.width_in[0];
    status = divide_map(space, c.stride, &c.height, &c.map_width);
    if (status != UB_OK)
        return status;
    c.out_height = c.height;
    c.out_width = c.map_width;
    status = divide_map(space, c.pool_after ? 2 : 1, &c.out_height,
                        &c.out_width);
    if (status != UB_OK)
        return status;
    space->cells[space->n_cells++] = c;
    return UB_OK;
}

int64_t ub_space_operators(const ub_space *space)
{
    return space->n_operators;
}

const char *ub_space_operator_name(const ub_space *space, int64_t index)
{
    if (index < 0 || index >= space->n_operators)
        return NULL;
    return space->operators[index].name;
}

int64_t ub_space_edges(const ub_space *space)
{
    return space->n_edges;
}

int64_t ub_space_cells(const ub_space *space)
{
    return space->n_cells;
}

int64_t ub_space_decisions(const ub_space *space)
{
    return space->options.shared ? space->n_edges
                                 : space->n_edges * space->n_cells;
}

int64_t ub_space_sites(const ub_space *space)
{
    return space->n_cells * (space->options.inputs + space->n_edges);
}

int64_t ub__space_decision(const ub_space *space, int64_t cell, int64_t edge)
{
    return space->options.shared ? edge : cell * space->n_edges + edge;
}

int64_t ub__space_site(const ub_space *space, int64_t cell, int64_t slot)
{
    return cell * (space->options.inputs + space->n_edges) + slot;
}

int64_t ub__space_edge_stride(const ub_space *space, int64_t cell, int64_t edge)
{
    const int64_t from = space->edges[edge].from;
    const ub__cell *c = &space->cells[cell];

    if (space->options.preprocess != 0 || from >= space->options.inputs)
        return 1;
    return c->height_in[from] / c->height;
}

int ub__space_input_used(const ub_space *space, int64_t cell, int64_t slot,
                         const int32_t *operators)
{
    for (int64_t e = 0; e < space->n_edges; e++) {
        const int32_t op = operators[ub__space_decision(space, cell, e)];
        if (space->edges[e].from == slot && !space->operators[op].zero)
            return 1;
    }
    return 0;
}
