/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

#include <string.h>

/*
 * The file lists layers in any order and names their inputs. Reading goes in
 * three steps: the layers as the file has them, an order in which inputs come
 * first, and a network built in that order.
 */

typedef struct entry {
    const char *name; /* borrowed from the JSON tree */
    ub_layer layer;
    json_t *inputs;
    int64_t index; /* in the network; -1 before */
} entry;

typedef struct reader {
    ub_context *context;
    const char *path;
    json_t *root;
    entry *entries; /* 0 is the input */
    int64_t n;
    ub__name_table names;
    int64_t *order, n_order;
    ub_network *network;
} reader;

static void warn_unknown(const reader *r, const char *where,
                         const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *) object, key, value)
    {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] == NULL)
            ub__log(r->context, UB_LOG_WARNING, "%s: key '%.60s' is ignored",
                    where, key);
    }
}

/* -- one layer ------------------------------------------------------------ */

static ub_status optional_int(const reader *r, const char *where,
                              const json_t *object, const char *key,
                              int64_t *out)
{
    if (json_object_get(object, key) == NULL)
        return UB_OK;
    return ub__json_int(r->context, where, object, key, 0, INT64_MAX, out);
}

static ub_status optional_flag(const reader *r, const char *where,
                               const json_t *object, const char *key,
                               int32_t *out)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL)
        return UB_OK;
    if (!json_is_boolean(value))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: '%s' must be true or false", where, key);
    *out = json_is_true(value);
    return UB_OK;
}

/* [height, width], or one number for both. */
static ub_status optional_pair(const reader *r, const char *where,
                               const json_t *object, const char *key,
                               int64_t *height, int64_t *width)
{
    const json_t *value = json_object_get(object, key);
    const json_t *first = value, *second = value;

    if (value == NULL)
        return UB_OK;
    if (json_is_array(value) && json_array_size(value) == 2) {
        first = json_array_get(value, 0);
        second = json_array_get(value, 1);
    }
    if (!json_is_integer(first) || !json_is_integer(second))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: '%s' must be an integer or [height, width]", where,
                        key);
    *height = json_integer_value(first);
    *width = json_integer_value(second);
    return UB_OK;
}

/* The keys that a kind knows; the rest is warned of. */
static void warn_layer_keys(const reader *r, const char *where,
                            const json_t *object, unsigned fields)
{
    const char *known[24] = { "name", "kind", "inputs", "on_chip" };
    int n = 4;

    if (fields & UB__LAYER_WINDOW) {
        known[n++] = "kernel";
        known[n++] = "stride";
        known[n++] = "padding";
        known[n++] = "round_up";
    }
    if (fields & UB__LAYER_WEIGHTS) {
        known[n++] = "out_channels";
        known[n++] = "bias";
        known[n++] = "sparsity";
    }
    if (fields & UB__LAYER_DILATION)
        known[n++] = "dilation";
    if (fields & UB__LAYER_GROUPS)
        known[n++] = "groups";
    if (fields & UB__LAYER_DILATION)
        known[n++] = "bits";
    if (fields & UB__LAYER_COUNT)
        known[n++] = "count_padding";
    if (fields & UB__LAYER_MAP)
        known[n++] = "in_shape";
    if (fields & UB__LAYER_PAIR)
        known[n++] = "transpose";
    known[n] = NULL;
    warn_unknown(r, where, object, known);
}

static ub_status read_window(const reader *r, const char *where,
                             const json_t *object, ub_layer *layer)
{
    ub_status status = optional_pair(r, where, object, "kernel",
                                     &layer->kernel_height,
                                     &layer->kernel_width);

    if (status == UB_OK)
        status = optional_pair(r, where, object, "padding", &layer->pad_height,
                               &layer->pad_width);
    if (status == UB_OK)
        status = optional_int(r, where, object, "stride", &layer->stride);
    if (status == UB_OK)
        status = optional_flag(r, where, object, "round_up", &layer->round_up);
    return status;
}

/* [n, m]; m is a 32-bit number in the layer. */
static ub_status read_sparsity(const reader *r, const char *where,
                               const json_t *object, ub_layer *layer)
{
    const json_t *value = json_object_get(object, "sparsity");
    const json_t *keep = json_array_get(value, 0);
    const json_t *block = json_array_get(value, 1);

    if (value == NULL)
        return UB_OK;
    if (json_array_size(value) != 2 || !json_is_integer(keep) ||
        !json_is_integer(block) || json_integer_value(keep) < 1 ||
        json_integer_value(keep) > json_integer_value(block) ||
        json_integer_value(block) > UB_NETWORK_MAX_EXTENT)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: 'sparsity' must be [n, m] with 1 <= n <= m",
                        where);
    layer->sparse_keep = (int32_t) json_integer_value(keep);
    layer->sparse_block = (int32_t) json_integer_value(block);
    return UB_OK;
}

static ub_status read_shape(const reader *r, const char *where,
                            const json_t *object, ub_layer *layer)
{
    const json_t *value = json_object_get(object, "in_shape");
    int64_t *const parts[] = { &layer->in_channels, &layer->in_height,
                               &layer->in_width };

    if (value == NULL)
        return UB_OK;
    for (size_t i = 0; i < 3; i++) {
        const json_t *part = json_array_get(value, i);

        if (json_array_size(value) != 3 || !json_is_integer(part) ||
            json_integer_value(part) < 1)
            return ub__fail(r->context, UB_ERR_FORMAT,
                            "%s: 'in_shape' must be [channels, height, width]",
                            where);
        *parts[i] = json_integer_value(part);
    }
    return UB_OK;
}

static ub_status read_fields(const reader *r, const char *where,
                             const json_t *object, unsigned fields,
                             ub_layer *layer)
{
    ub_status status = UB_OK;

    if (fields & UB__LAYER_WINDOW)
        status = read_window(r, where, object, layer);
    if (status == UB_OK && (fields & UB__LAYER_DILATION))
        status = optional_int(r, where, object, "dilation", &layer->dilation);
    if (status == UB_OK && (fields & UB__LAYER_GROUPS))
        status = optional_int(r, where, object, "groups", &layer->groups);
    if (status == UB_OK && (fields & UB__LAYER_DILATION))
        status = ub__bits_read(r->context, where, object, layer);
    if (status == UB_OK && (fields & UB__LAYER_WEIGHTS))
        status = ub__json_int(r->context, where, object, "out_channels", 0,
                              INT64_MAX, &layer->out_channels);
    if (status == UB_OK && (fields & UB__LAYER_WEIGHTS))
        status = optional_flag(r, where, object, "bias", &layer->bias);
    if (status == UB_OK && (fields & UB__LAYER_COUNT))
        status = optional_flag(r, where, object, "count_padding",
                               &layer->count_padding);
    if (status == UB_OK && (fields & UB__LAYER_WEIGHTS))
        status = read_sparsity(r, where, object, layer);
    if (status == UB_OK && (fields & UB__LAYER_MAP))
        status = read_shape(r, where, object, layer);
    if (status == UB_OK && (fields & UB__LAYER_PAIR))
        status = optional_flag(r, where, object, "transpose",
                               &layer->transpose);
    if (status == UB_OK)
        status = optional_flag(r, where, object, "on_chip", &layer->on_chip);
    return status;
}

static ub_status read_entry(reader *r, const json_t *object, int64_t number)
{
    entry *e = &r->entries[number];
    const char *kind_name;
    ub__place where;
    int32_t kind;
    ub_status status;

    snprintf(where.text, sizeof(where.text), "%.80s: layers[%lld]", r->path,
             (long long) (number - 1));
    if (!json_is_object(object))
        return ub__fail(r->context, UB_ERR_FORMAT, "%s is not an object",
                        where.text);
    status = ub__json_string(r->context, where.text, object, "name", &e->name);
    if (status != UB_OK)
        return status;
    where = ub__place_of_layer(r->path, e->name);
    status = ub__json_string(r->context, where.text, object, "kind",
                             &kind_name);
    if (status == UB_OK)
        status = ub__json_array(r->context, where.text, object, "inputs",
                                (size_t) UB_NETWORK_MAX_LAYERS, &e->inputs);
    if (status != UB_OK)
        return status;
    kind = ub__layer_kind_find(kind_name);
    if (kind <= UB_LAYER_INPUT)
        return ub__fail(r->context, UB_ERR_FORMAT, "%s: unknown kind '%.40s'",
                        where.text, kind_name);
    ub_layer_init(&e->layer, sizeof(e->layer), (ub_layer_kind) kind);
    warn_layer_keys(r, where.text, object, ub__layer_fields(kind));
    return read_fields(r, where.text, object, ub__layer_fields(kind),
                       &e->layer);
}

static ub_status put_name(reader *r, int64_t number)
{
    const char *name = r->entries[number].name;

    if (!ub__name_valid(name))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.80s: layers[%lld]: a name must be 1 to 255 bytes "
                        "without control characters",
                        r->path, (long long) (number - 1));
    if (ub__names_find(&r->names, name) >= 0)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.80s: there are two layers '%.60s'", r->path, name);
    return ub__names_put(r->context, &r->names, name, number);
}

static ub_status read_entries(reader *r, const json_t *layers)
{
    ub_status status;

    r->n = 1 + (int64_t) json_array_size(layers);
    r->entries = ub__calloc(r->context, (size_t) r->n, sizeof(*r->entries));
    r->order = ub__alloc(r->context, (size_t) r->n, sizeof(*r->order));
    if (r->entries == NULL || r->order == NULL)
        return UB_ERR_NOMEM;
    r->entries[0].name = "input";
    for (int64_t i = 1; i < r->n; i++) {
        status = read_entry(r, json_array_get(layers, (size_t) i - 1), i);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status put_names(reader *r)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < r->n && status == UB_OK; i++)
        status = put_name(r, i);
    return status;
}

/* -- order ---------------------------------------------------------------- */

enum { UNSEEN, OPEN, DONE };

typedef struct frame {
    int64_t entry;
    size_t next; /* input to look at */
} frame;

/* "a -> b -> a" from the stack, as far as there is room. */
static ub_status fail_cycle(const reader *r, const frame *stack, int64_t depth,
                            int64_t head)
{
    char text[140];
    size_t used = 0;
    int64_t i = depth - 1;

    while (stack[i].entry != head)
        i--;
    /* The stack goes from readers to inputs; print the way of the data. */
    used += (size_t) snprintf(text, sizeof(text), "%.30s",
                              r->entries[head].name);
    for (int64_t k = depth - 1; k >= i && used < sizeof(text); k--)
        used += (size_t) snprintf(text + used, sizeof(text) - used, " -> %.30s",
                                  r->entries[stack[k].entry].name);
    return ub__fail(r->context, UB_ERR_FORMAT, "%.80s: layers form a cycle: %s",
                    r->path, text);
}

static ub_status input_entry(const reader *r, const entry *e, size_t k,
                             int64_t *out)
{
    const char *name = json_string_value(json_array_get(e->inputs, k));
    const ub__place where = ub__place_of_layer(r->path, e->name);

    if (name == NULL)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: inputs[%zu] is not a name", where.text, k);
    *out = ub__names_find(&r->names, name);
    if (*out < 0)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: input '%.60s' is no layer", where.text, name);
    return UB_OK;
}

/* Put an entry behind everything it reads. */
static ub_status visit(reader *r, int64_t start, unsigned char *state,
                       frame *stack)
{
    int64_t depth = 0;

    if (state[start] == DONE)
        return UB_OK;
    stack[depth++] = (frame){ start, 0 };
    state[start] = OPEN;
    while (depth > 0) {
        frame *top = &stack[depth - 1];
        const entry *e = &r->entries[top->entry];
        int64_t input;
        ub_status status;

        if (top->next >= json_array_size(e->inputs)) {
            state[top->entry] = DONE;
            r->order[r->n_order++] = top->entry;
            depth--;
            continue;
        }
        status = input_entry(r, e, top->next++, &input);
        if (status != UB_OK)
            return status;
        if (state[input] == OPEN)
            return fail_cycle(r, stack, depth, input);
        if (state[input] == UNSEEN) {
            state[input] = OPEN;
            stack[depth++] = (frame){ input, 0 };
        }
    }
    return UB_OK;
}

/* Inputs first, otherwise as in the file; the output last. */
static ub_status sort_entries(reader *r, int64_t output)
{
    unsigned char *state = ub__calloc(r->context, (size_t) r->n, 1);
    frame *stack = ub__alloc(r->context, (size_t) r->n, sizeof(*stack));
    ub_status status = UB_ERR_NOMEM;

    if (state == NULL || stack == NULL)
        goto out;
    status = visit(r, 0, state, stack);
    for (int64_t i = 1; i < r->n && status == UB_OK; i++) {
        if (i != output)
            status = visit(r, i, state, stack);
    }
    if (status == UB_OK && state[output] == DONE && r->n > 1)
        status = ub__fail(r->context, UB_ERR_FORMAT,
                          "%.80s: the output '%.60s' is read by another layer",
                          r->path, r->entries[output].name);
    if (status == UB_OK)
        status = visit(r, output, state, stack);
out:
    ub__free(r->context, stack);
    ub__free(r->context, state);
    return status;
}

static ub_status find_output(const reader *r, int64_t *out)
{
    const char *name;
    ub_status status;

    *out = r->n - 1;
    if (json_object_get(r->root, "output") == NULL)
        return UB_OK;
    status = ub__json_string(r->context, r->path, r->root, "output", &name);
    if (status != UB_OK)
        return status;
    *out = ub__names_find(&r->names, name);
    if (*out < 0)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.80s: the output '%.60s' is no layer", r->path, name);
    return UB_OK;
}

/* -- network -------------------------------------------------------------- */

static ub_status add_entry(reader *r, entry *e)
{
    const size_t n = json_array_size(e->inputs);
    int64_t *inputs = ub__alloc(r->context, n, sizeof(*inputs));
    ub_status status = inputs == NULL ? UB_ERR_NOMEM : UB_OK;

    for (size_t k = 0; k < n && status == UB_OK; k++) {
        status = input_entry(r, e, k, &inputs[k]);
        if (status == UB_OK)
            inputs[k] = r->entries[inputs[k]].index;
    }
    if (status == UB_OK) {
        status = ub_network_add(r->network, e->name, &e->layer, (int64_t) n,
                                inputs, &e->index);
        if (status != UB_OK && status != UB_ERR_NOMEM)
            status = ub__fail_within(
                r->context, status == UB_ERR_INVALID ? UB_ERR_FORMAT : status,
                "%.80s", r->path);
    }
    ub__free(r->context, inputs);
    return status;
}

static ub_status read_input(reader *r, ub__map *map)
{
    static const char *const known[] = { "name", "channels", "height", "width",
                                         NULL };
    const json_t *object = json_object_get(r->root, "input");
    ub__place where;
    ub_status status;

    snprintf(where.text, sizeof(where.text), "%.80s: input", r->path);
    if (!json_is_object(object))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s is missing or not an object", where.text);
    warn_unknown(r, where.text, object, known);
    status = ub__json_int(r->context, where.text, object, "channels", 1,
                          UB_NETWORK_MAX_CHANNELS, &map->channels);
    if (status == UB_OK)
        status = ub__json_int(r->context, where.text, object, "height", 1,
                              UB_NETWORK_MAX_EXTENT, &map->height);
    if (status == UB_OK)
        status = ub__json_int(r->context, where.text, object, "width", 1,
                              UB_NETWORK_MAX_EXTENT, &map->width);
    if (status == UB_OK && json_object_get(object, "name") != NULL)
        status = ub__json_string(r->context, where.text, object, "name",
                                 &r->entries[0].name);
    return status;
}

static ub_status build(reader *r, const ub__map *map)
{
    const char *name = "network";
    ub_status status = UB_OK;

    if (json_object_get(r->root, "name") != NULL)
        status = ub__json_string(r->context, r->path, r->root, "name", &name);
    if (status == UB_OK && !ub__name_valid(name))
        status = ub__fail(
            r->context, UB_ERR_FORMAT,
            "%.80s: 'name' must be 1 to 255 bytes without control "
            "characters",
            r->path);
    if (status == UB_OK)
        status = ub__network_create(r->context, name, r->entries[0].name, map,
                                    &r->network);
    /* order[0] is the input, which is entry 0 and layer 0 */
    for (int64_t i = 1; i < r->n_order && status == UB_OK; i++)
        status = add_entry(r, &r->entries[r->order[i]]);
    return status;
}

static ub_status check_header(const reader *r)
{
    static const char *const known[] = { "format", "version", "name", "input",
                                         "layers", "output",  NULL };
    const char *format;
    int64_t version;
    ub_status status = UB_OK;

    if (!json_is_object(r->root))
        return ub__fail(r->context, UB_ERR_FORMAT, "%.80s is not an object",
                        r->path);
    warn_unknown(r, r->path, r->root, known);
    if (json_object_get(r->root, "format") != NULL) {
        status = ub__json_string(r->context, r->path, r->root, "format",
                                 &format);
        if (status == UB_OK && strcmp(format, "uboost-network") != 0)
            status = ub__fail(r->context, UB_ERR_FORMAT,
                              "%.80s: 'format' is '%.40s', expected "
                              "'uboost-network'",
                              r->path, format);
    }
    if (status == UB_OK && json_object_get(r->root, "version") != NULL)
        status = ub__json_int(r->context, r->path, r->root, "version", 1, 1,
                              &version);
    return status;
}

static ub_status read_root(reader *r)
{
    json_t *layers;
    ub__map map;
    int64_t output;
    ub_status status = check_header(r);

    if (status == UB_OK)
        status = ub__json_array(r->context, r->path, r->root, "layers",
                                (size_t) UB_NETWORK_MAX_LAYERS - 1, &layers);
    if (status == UB_OK)
        status = read_entries(r, layers);
    if (status == UB_OK)
        status = read_input(r, &map);
    if (status == UB_OK)
        status = put_names(r);
    if (status == UB_OK)
        status = find_output(r, &output);
    if (status == UB_OK)
        status = sort_entries(r, output);
    if (status == UB_OK)
        status = build(r, &map);
    return status;
}

ub_status ub_network_read(ub_context *context, const char *path,
                          ub_network **out)
{
    reader r = { .context = context, .path = path };
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (path == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "network: no path to read");
    status = ub__json_read(context, path, &r.root);
    if (status != UB_OK)
        return status;
    status = read_root(&r);
    if (status == UB_OK)
        *out = r.network;
    else
        ub_network_destroy(&r.network);
    ub__names_clear(context, &r.names);
    ub__free(context, r.order);
    ub__free(context, r.entries);
    json_decref(r.root);
    return status;
}
