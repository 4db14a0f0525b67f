/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/csim.h"

#include <string.h>

#define MAX_DIVISORS 4096 /* tried to make a map of M */

typedef ub__csim_reader reader;
typedef ub__csim_product product;

/* -- the model ------------------------------------------------------------ */

static int is_model(const json_t *value)
{
    const json_t *layers = json_object_get(value, "layers");

    return json_is_object(layers) || json_is_array(layers);
}

static int has_name(const json_t *model, const char *name)
{
    const char *own = json_string_value(json_object_get(model, "name"));
    const char *tag = json_string_value(json_object_get(model, "tag"));

    return name == NULL || (own != NULL && strcmp(own, name) == 0) ||
           (tag != NULL && strcmp(tag, name) == 0);
}

static const json_t *find_in_array(const json_t *models, const char *name)
{
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);

        if (is_model(model) && has_name(model, name))
            return model;
    }
    return NULL;
}

static const json_t *find_model(const json_t *root, const char *name)
{
    const json_t *cases = json_object_get(root, "cases");
    const char *key;
    json_t *value;

    if (is_model(root))
        return has_name(root, name) ? root : NULL;
    if (json_is_array(root))
        return find_in_array(root, name);
    if (json_is_array(cases))
        return find_in_array(cases, name);
    json_object_foreach((json_t *) root, key, value)
    {
        if (is_model(value) && (name == NULL || strcmp(key, name) == 0))
            return value;
    }
    return NULL;
}

/* -- layers --------------------------------------------------------------- */

/* M as height and width of a map. */
static int make_map(int64_t m, int64_t *height, int64_t *width)
{
    const int64_t least = ub__csim_pieces(m, UB_NETWORK_MAX_EXTENT);

    for (int64_t w = least; w < least + MAX_DIVISORS; w++) {
        if (m % w != 0 || w > UB_NETWORK_MAX_EXTENT)
            continue;
        *height = m / w;
        *width = w;
        return 1;
    }
    return 0;
}

static ub_status make_layer(const reader *r, const char *name, const product *p,
                            ub_layer *layer)
{
    const int64_t kh = p->kernel_height, kw = p->kernel_width;

    ub_layer_init(layer, sizeof(*layer), UB_LAYER_CONV);
    if (!make_map(p->size[UB__CSIM_M], &layer->in_height, &layer->in_width))
        return ub__fail(r->context, UB_ERR_RANGE,
                        "%s: M = %lld is no map of at most %lld x %lld",
                        ub__place_of_layer(r->path, name).text,
                        (long long) p->size[UB__CSIM_M],
                        (long long) UB_NETWORK_MAX_EXTENT,
                        (long long) UB_NETWORK_MAX_EXTENT);
    layer->in_channels = p->size[UB__CSIM_K] / (kh * kw);
    layer->out_channels = p->size[UB__CSIM_N];
    layer->kernel_height = kh;
    layer->kernel_width = kw;
    if (kh % 2 == 1)
        layer->pad_height = kh / 2;
    else
        layer->in_height += kh - 1;
    if (kw % 2 == 1)
        layer->pad_width = kw / 2;
    else
        layer->in_width += kw - 1;
    return UB_OK;
}

static ub_status get_inputs(const reader *r, const char *name,
                            const json_t *deps, int64_t *inputs)
{
    inputs[0] = 0;
    for (size_t i = 0; i < json_array_size(deps); i++) {
        const char *dep = json_string_value(json_array_get(deps, i));

        if (dep == NULL)
            return ub__fail(r->context, UB_ERR_FORMAT,
                            "%s: deps[%zu] is not a name",
                            ub__place_of_layer(r->path, name).text, i);
        inputs[i] = ub_network_find(r->network, dep);
        if (inputs[i] < 0)
            return ub__fail(r->context, UB_ERR_FORMAT,
                            "%s: '%.60s' of its deps is no layer before it",
                            ub__place_of_layer(r->path, name).text, dep);
    }
    return UB_OK;
}

static ub_status get_on_chip(const reader *r, const char *name,
                             const json_t *object, ub_layer *layer)
{
    const json_t *value = json_object_get(object, "raw_input");
    int64_t raw = 1;
    ub_status status = UB_OK;

    if (json_is_boolean(value))
        raw = json_is_true(value);
    else if (value != NULL)
        status = ub__json_int(r->context,
                              ub__place_of_layer(r->path, name).text, object,
                              "raw_input", 0, 1, &raw);
    layer->on_chip = raw == 0;
    return status;
}

static ub_status add_with(reader *r, const char *name, const json_t *object,
                          const json_t *deps, int64_t *inputs)
{
    const size_t n = json_array_size(deps);
    ub_layer layer;
    product p;
    ub_status status = get_inputs(r, name, deps, inputs);

    if (status == UB_OK)
        status = ub__csim_product_of(r, name, object, &p);
    if (status != UB_OK)
        return status;
    if (p.size[UB__CSIM_M] > 0) {
        status = ub__csim_tiles(r, name, object, &p);
        if (status == UB_OK)
            status = make_layer(r, name, &p, &layer);
    } else {
        const ub__map *map = &r->network->nodes[inputs[0]].out;

        ub_layer_init(&layer, sizeof(layer), UB_LAYER_IDENTITY);
        if (n > 1) {
            layer.in_channels = map->channels;
            layer.in_height = map->height;
            layer.in_width = map->width;
        }
    }
    if (status == UB_OK)
        status = get_on_chip(r, name, object, &layer);
    if (status != UB_OK)
        return status;
    status = ub_network_add(r->network, name, &layer, n > 0 ? (int64_t) n : 1,
                            inputs, NULL);
    if (status != UB_OK && status != UB_ERR_NOMEM)
        status = ub__fail_within(
            r->context, status == UB_ERR_INVALID ? UB_ERR_FORMAT : status,
            "%.80s", r->path);
    return status;
}

static ub_status add_layer(reader *r, const char *name, const json_t *object)
{
    const json_t *deps = json_object_get(object, "deps");
    int64_t *inputs;
    ub_status status;

    if (!json_is_object(object))
        return ub__fail(r->context, UB_ERR_FORMAT, "%s is no object",
                        ub__place_of_layer(r->path, name).text);
    if (deps != NULL && !json_is_array(deps))
        return ub__fail(r->context, UB_ERR_FORMAT, "%s: 'deps' is not an array",
                        ub__place_of_layer(r->path, name).text);
    inputs = ub__alloc(r->context, json_array_size(deps) + 1, sizeof(*inputs));
    if (inputs == NULL)
        return UB_ERR_NOMEM;
    status = add_with(r, name, object, deps, inputs);
    ub__free(r->context, inputs);
    return status;
}

/* -- order ---------------------------------------------------------------- */

/* Goes through the layers; iter is of `layers` when it is an object and there
 * is no order. */
typedef struct walk {
    size_t next;
    void *iter;
    const char *name;
    const json_t *layer;
} walk;

static void start(const reader *r, walk *w)
{
    memset(w, 0, sizeof(*w));
    w->iter = json_object_iter((json_t *) r->layers);
}

/* 0 at the end, with *status when a name is missing. */
static int step(const reader *r, walk *w, ub_status *status)
{
    *status = UB_OK;
    if (json_is_array(r->layers)) {
        if (w->next >= json_array_size(r->layers))
            return 0;
        w->layer = json_array_get(r->layers, w->next++);
        w->name = json_string_value(json_object_get(w->layer, "name"));
    } else if (r->order != NULL) {
        if (w->next >= json_array_size(r->order))
            return 0;
        w->name = json_string_value(json_array_get(r->order, w->next++));
        w->layer = w->name == NULL ? NULL : json_object_get(r->layers, w->name);
    } else {
        if (w->iter == NULL)
            return 0;
        w->name = json_object_iter_key(w->iter);
        w->layer = json_object_iter_value(w->iter);
        w->iter = json_object_iter_next((json_t *) r->layers, w->iter);
        w->next++;
    }
    if (w->name != NULL && w->layer != NULL)
        return 1;
    *status = ub__fail(r->context, UB_ERR_FORMAT,
                       "%.80s: layer %zu of the order has no name, or '%.60s' "
                       "is no layer",
                       r->path, w->next, w->name == NULL ? "" : w->name);
    return 0;
}

/* The first layer when it is the network's input, and the map that the first
 * product reads. */
static ub_status look_ahead(const reader *r, const char **input, ub__map *map)
{
    walk w;
    ub_status status;

    *map = (ub__map){ 1, 1, 1 };
    start(r, &w);
    while (step(r, &w, &status)) {
        ub_layer layer;
        product p;

        status = ub__csim_product_of(r, w.name, w.layer, &p);
        if (status != UB_OK)
            return status;
        if (w.next == 1 && p.size[UB__CSIM_M] == 0 &&
            json_array_size(json_object_get(w.layer, "deps")) == 0)
            *input = w.name;
        if (p.size[UB__CSIM_M] == 0)
            continue;
        status = make_layer(r, w.name, &p, &layer);
        *map = (ub__map){ layer.in_channels, layer.in_height, layer.in_width };
        return status;
    }
    return status;
}

static int is_taken(const reader *r, const char *name)
{
    walk w;
    ub_status status;

    start(r, &w);
    while (step(r, &w, &status)) {
        if (strcmp(w.name, name) == 0)
            return 1;
    }
    return 0;
}

static ub_status create(reader *r, const char *model, const char **input)
{
    char name[UB__NAME_SIZE], first[UB__NAME_SIZE] = "input";
    ub__map map;
    ub_status status = look_ahead(r, input, &map);

    if (status != UB_OK)
        return status;
    while (*input == NULL && strlen(first) < 16 && is_taken(r, first))
        strcat(first, "_");
    ub__name_of_path(r->path, "csim", name);
    status = ub__network_create(
        r->context, ub__name_valid(model) ? model : name,
        *input != NULL ? *input : first, &map, &r->network);
    if (status != UB_OK && status != UB_ERR_NOMEM)
        status = ub__fail_within(
            r->context, status == UB_ERR_INVALID ? UB_ERR_FORMAT : status,
            "%.80s", r->path);
    return status;
}

static ub_status read_layers(reader *r, const char *model)
{
    const char *input = NULL;
    walk w;
    ub_status status = create(r, model, &input);

    if (status != UB_OK)
        return status;
    start(r, &w);
    while (step(r, &w, &status)) {
        if (input == NULL || w.next > 1)
            status = add_layer(r, w.name, w.layer);
        if (status != UB_OK)
            return status;
    }
    return status;
}

/* -- file ----------------------------------------------------------------- */

static ub_status read_repeat(const reader *r, ub_csim_tiling *tiling)
{
    if (json_object_get(r->model, "no_repeat") == NULL)
        return UB_OK;
    return ub__json_int(r->context, r->path, r->model, "no_repeat", 1,
                        UB__CSIM_MAX_REPEATS, &tiling->no_repeat);
}

static ub_status finish_tiling(const reader *r, ub_csim_tiling *tiling)
{
    int64_t *const out[UB__CSIM_DIMS] = { &tiling->tile_m, &tiling->tile_k,
                                          &tiling->tile_n };

    for (int dim = 0; dim < UB__CSIM_DIMS; dim++) {
        if (r->exact[dim] != 0 && r->bound[dim] > r->exact[dim])
            return ub__fail(r->context, UB_ERR_UNSUPPORTED,
                            "%.80s: tiles of %lld and of %lld", r->path,
                            (long long) r->bound[dim],
                            (long long) r->exact[dim]);
        *out[dim] = r->exact[dim] != 0 ? r->exact[dim] : r->bound[dim];
    }
    return UB_OK;
}

static ub_status read_model(reader *r, const char *name, ub_csim_tiling *tiling)
{
    const json_t *partition = json_object_get(r->model, "partition_MKN");
    ub_status status = UB_OK;

    r->layers = json_object_get(r->model, "layers");
    r->order = json_object_get(r->model, "order");
    if (name == NULL)
        name = json_string_value(json_object_get(r->model, "name"));
    if (r->order != NULL && !json_is_array(r->order))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.80s: 'order' is not an array", r->path);
    if (partition != NULL)
        status = ub__csim_sizes(r, "", partition, "partition_MKN",
                                UB__CSIM_DIMS, r->exact);
    if (status == UB_OK)
        status = read_repeat(r, tiling);
    if (status == UB_OK)
        status = read_layers(r, name);
    if (status == UB_OK)
        status = finish_tiling(r, tiling);
    return status;
}

ub_status ub_network_read_csim(ub_context *context, const char *path,
                               const char *model, ub_network **out,
                               ub_csim_tiling *out_tiling)
{
    reader r = { .context = context, .path = path };
    ub_csim_tiling tiling;
    json_t *root;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (path == NULL || out == NULL ||
        (out_tiling != NULL && out_tiling->size < sizeof(*out_tiling)))
        return ub__fail(context, UB_ERR_INVALID,
                        "csim: no path to read, or the size of a "
                        "ub_csim_tiling is not set");
    ub_csim_tiling_init(&tiling, sizeof(tiling));
    status = ub__json_read(context, path, &root);
    if (status != UB_OK)
        return status;
    r.model = find_model(root, model);
    if (r.model == NULL)
        status = ub__fail(context, UB_ERR_FORMAT,
                          "%.80s: has no model%s%.60s with layers", path,
                          model == NULL ? "" : " ", model == NULL ? "" : model);
    if (status == UB_OK)
        status = read_model(&r, model, &tiling);
    if (status == UB_OK) {
        *out = r.network;
        if (out_tiling != NULL)
            ub__options_out(out_tiling, out_tiling->size, &tiling,
                            sizeof(tiling));
    } else {
        ub_network_destroy(&r.network);
    }
    json_decref(root);
    return status;
}
