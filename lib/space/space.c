/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

#include <stdio.h>
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
    .depth = 4,
};

static ub_status check_options(ub_context *context, const ub_space_options *o)
{
    if (!ub__in_range(o->channels, 1, 1 << 16) ||
        !ub__in_range(o->height, 1, 1 << 16) ||
        !ub__in_range(o->width, 1, 1 << 16) ||
        !ub__in_range(o->classes, 1, 1 << 20) ||
        !ub__in_range(o->base_width, 1, 1 << 16))
        return ub__fail(context, UB_ERR_INVALID,
                        "space: images of %lldx%lldx%lld, %lld classes, base "
                        "width %lld: out of range",
                        (long long) o->channels, (long long) o->height,
                        (long long) o->width, (long long) o->classes,
                        (long long) o->base_width);
    if (!ub__in_range(o->depth, 1, UB_SPACE_MAX_ITEMS) || o->reserved != 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "space: depth %lld, reserved %d", (long long) o->depth,
                        (int) o->reserved);
    if (!ub__in_range(o->inputs, 1, 2) ||
        !ub__in_range(o->nodes, o->inputs + 1, UB_SPACE_MAX_ITEMS) ||
        !ub__in_range(o->output, o->inputs, o->nodes - 1))
        return ub__fail(context, UB_ERR_INVALID,
                        "space: %lld inputs, %lld nodes, output node %lld do "
                        "not fit each other",
                        (long long) o->inputs, (long long) o->nodes,
                        (long long) o->output);
    if ((o->stem_kernel != 0 && !ub__is_kernel(o->stem_kernel)) ||
        (o->stem_kernel == 0 && o->stem_pool) ||
        (o->preprocess != 0 && !ub__is_kernel(o->preprocess)))
        return ub__fail(context, UB_ERR_INVALID,
                        "space: stem kernel %lld, preprocessing kernel %lld: "
                        "expected odd numbers below 64, or 0 and no pool",
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

ub_status ub__space_options(ub_context *context,
                            const ub_space_options *options,
                            ub_space_options *out)
{
    *out = defaults;
    return options == NULL
               ? UB_OK
               : ub__options_in(context, "space options", out, sizeof(*out),
                                sizeof(*out), options);
}

ub_status ub_space_create(ub_context *context, const ub_space_options *options,
                          ub_space **out)
{
    ub_space_options o;
    ub_space *space;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = ub__space_options(context, options, &o);
    if (status != UB_OK)
        return status;
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
    ub__operators_clear(s->context, s->operators, s->n_operators);
    for (int64_t i = 0; i < s->n_cells; i++) {
        ub__operators_clear(s->context, s->cells[i].summed,
                            s->cells[i].n_summed);
        ub__free(s->context, s->cells[i].summed);
    }
    ub__free(s->context, (char *) (uintptr_t) s->options.name);
    ub__free(s->context, s);
    *space = NULL;
}

ub_status ub_space_add_operator(ub_space *space, const ub_operator *op)
{
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    status = ub__operator_copy(space->context, op, space->operators,
                               space->n_operators);
    space->n_operators += status == UB_OK;
    return status;
}

/* -- edges, cells --------------------------------------------------------- */

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

/* The next in the row, with its maps. */
static ub_status next_cell(ub_space *space, const ub_space_cell *cell,
                           ub__cell *c)
{
    ub_status status;

    if (cell == NULL || space->n_cells == UB_SPACE_MAX_ITEMS ||
        !ub__in_range(cell->width, 0, 1 << 16) ||
        !ub__in_range(cell->stride, 1, 16))
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: cell %lld is NULL, one too many, or its width "
                        "or stride is out of range",
                        (long long) space->n_cells);
    c->width = cell->width ? cell->width : space->options.base_width;
    c->stride = cell->stride;
    c->pool_after = cell->pool_after != 0;
    for (int64_t i = 0; i < space->options.inputs; i++)
        map_after(space, space->n_cells - 1 - i, &c->height_in[i],
                  &c->width_in[i]);
    c->height = c->height_in[0];
    c->map_width = c->width_in[0];
    status = divide_map(space, c->stride, &c->height, &c->map_width);
    if (status != UB_OK)
        return status;
    c->out_height = c->height;
    c->out_width = c->map_width;
    return divide_map(space, c->pool_after ? 2 : 1, &c->out_height,
                      &c->out_width);
}

ub_status ub_space_add_cell(ub_space *space, const ub_space_cell *cell)
{
    ub__cell c = { 0 };
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    status = next_cell(space, cell, &c);
    if (status != UB_OK)
        return status;
    c.index = ub_space_cells(space);
    space->cells[space->n_cells++] = c;
    return UB_OK;
}

ub_status ub_space_add_block(ub_space *space, const ub_space_cell *block,
                             const ub_operator *operators, int64_t n)
{
    ub__cell c = { 0 };
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    if (operators == NULL || !ub__in_range(n, 1, UB_SPACE_MAX_ITEMS))
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: a block of %lld operators", (long long) n);
    status = next_cell(space, block, &c);
    if (status != UB_OK)
        return status;
    c.summed = ub__calloc(space->context, (size_t) n, sizeof(*c.summed));
    if (c.summed == NULL)
        return UB_ERR_NOMEM;
    for (; status == UB_OK && c.n_summed < n; c.n_summed += status == UB_OK) {
        status = ub__operator_copy(space->context, &operators[c.n_summed],
                                   c.summed, c.n_summed);
        if (status == UB_OK && operators[c.n_summed].zero)
            status = ub__fail(space->context, UB_ERR_INVALID,
                              "operator \"%s\": a block has no use for zero",
                              operators[c.n_summed].name);
    }
    if (status != UB_OK) {
        ub__operators_clear(space->context, c.summed, n);
        ub__free(space->context, c.summed);
        return status;
    }
    c.index = space->n_blocks++;
    space->cells[space->n_cells++] = c;
    return UB_OK;
}

ub_status ub__space_fill(ub_space *space, const ub_operator *operators,
                         int64_t n_operators, const ub__edge *edges,
                         int64_t n_edges)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < n_operators && status == UB_OK; i++)
        status = ub_space_add_operator(space, &operators[i]);
    for (int64_t i = 0; i < n_edges && status == UB_OK; i++)
        status = ub_space_add_edge(space, edges[i].from, edges[i].to);
    return status;
}

/* -- what there is -------------------------------------------------------- */

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
    return space->n_cells - space->n_blocks;
}

int64_t ub_space_decisions(const ub_space *space)
{
    return space->options.shared ? space->n_edges
                                 : space->n_edges * ub_space_cells(space);
}

int64_t ub_space_sites(const ub_space *space)
{
    return ub_space_cells(space) * (space->options.inputs + space->n_edges);
}

int64_t ub__space_decision(const ub_space *space, int64_t cell, int64_t edge)
{
    return space->options.shared
               ? edge
               : space->cells[cell].index * space->n_edges + edge;
}

int64_t ub__space_site(const ub_space *space, int64_t cell, int64_t slot)
{
    return space->cells[cell].index * (space->options.inputs + space->n_edges) +
           slot;
}

int64_t ub__space_edge_stride(const ub_space *space, int64_t cell, int64_t edge)
{
    const ub__cell *c = &space->cells[cell];
    int64_t from;

    if (c->n_summed > 0)
        return c->stride;
    from = space->edges[edge].from;
    if (space->options.preprocess != 0 || from >= space->options.inputs)
        return 1;
    return c->height_in[from] / c->height;
}

int64_t ub__space_first_width(const ub_space *space)
{
    return space->options.stem_kernel ? space->options.base_width
                                      : space->options.channels;
}

void ub__space_operator_name(const ub_space *space, int64_t cell, int64_t edge,
                             const ub__operator *op, char name[UB__SPACE_NAME])
{
    const long long index = (long long) space->cells[cell].index;

    if (space->cells[cell].n_summed > 0)
        snprintf(name, UB__SPACE_NAME, "block%lld.%s", index, op->name);
    else
        snprintf(name, UB__SPACE_NAME, "cell%lld.edge%lld.%s", index,
                 (long long) edge, op->name);
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
