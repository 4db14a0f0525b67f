/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/topology.h"

#include <string.h>

#define FILE_MAX ((size_t) 64 << 20)

typedef struct reader {
    ub_context *context;
    const char *path;
    ub_topology_options options;
    char *next, *end; /* text not read yet */
    int line;         /* lines read */
    char separator;
    ub__topology_layout layout;
    ub_network *network; /* NULL before the first row */
    int64_t batch;       /* 0 before the first row */
    int warned;          /* of fields behind the last column */
    int warned_number;   /* of a number where sparsity may be */
} reader;

/* -- lines and fields ----------------------------------------------------- */

static char *skip_blanks(char *p, char separator)
{
    while (*p == ' ' || (*p == '\t' && separator != '\t'))
        p++;
    return p;
}

static void trim(char *from, char *to, char separator)
{
    while (to > from &&
           (to[-1] == ' ' || (to[-1] == '\t' && separator != '\t')))
        to--;
    *to = '\0';
}

/* Take the quotes off; *p is behind the first one, then behind the last. NULL
 * when there is none. */
static char *unquote(char **p)
{
    char *const field = *p, *to = *p, *from = *p;

    for (; *from != '\0'; from++) {
        if (*from == '"' && from[1] != '"') {
            *p = from + 1;
            *to = '\0';
            return field;
        }
        if (*from == '"')
            from++;
        *to++ = *from;
    }
    return NULL;
}

static ub_status fail_quotes(const reader *r)
{
    return ub__fail(r->context, UB_ERR_FORMAT,
                    "%.200s:%d: a quoted field does not end, or has text "
                    "behind it",
                    r->path, r->line);
}

/* Cut the line at p, which ends in a NUL, into fields. */
static ub_status cut(const reader *r, char *p, ub__topology_row *row)
{
    row->n = 0;
    row->line = r->line;
    for (int i = 0; i < UB__TOPOLOGY_FIELDS; i++) {
        char *field = skip_blanks(p, r->separator);

        if (*field == '#') {
            *field = '\0';
            p = field;
        } else if (*field == '"') {
            p = field + 1;
            field = unquote(&p);
            if (field != NULL)
                p = skip_blanks(p, r->separator);
            if (field == NULL || (*p != '\0' && *p != r->separator))
                return fail_quotes(r);
        } else {
            while (*p != '\0' && *p != r->separator)
                p++;
        }
        row->fields[i] = field;
        if (*field != '\0' && field != p)
            row->n = i + 1;
        if (*p == '\0') {
            trim(field, p, r->separator);
            return UB_OK;
        }
        trim(field, p++, r->separator);
    }
    return UB_OK;
}

/* '\0' when the line tells nothing. */
static char find_separator(const char *line)
{
    const char first = line[strspn(line, " \t")];

    if (first == '\0' || first == '#')
        return '\0';
    return strchr(line, ',') == NULL && strchr(line, '\t') != NULL ? '\t' : ',';
}

/* The next line with a field in it; row->n is 0 at the end of the text. */
static ub_status next_row(reader *r, ub__topology_row *row)
{
    row->n = 0;
    while (row->n == 0 && r->next < r->end) {
        char *line = r->next;
        char *stop = memchr(line, '\n', (size_t) (r->end - line));
        ub_status status;

        if (stop == NULL)
            stop = r->end;
        r->next = stop < r->end ? stop + 1 : stop;
        r->line++;
        if (stop > line && stop[-1] == '\r')
            stop--;
        *stop = '\0';
        if (r->separator == '\0')
            r->separator = find_separator(line);
        status = cut(r, line, row);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* -- fields of a row ------------------------------------------------------ */

/* The text of a column, "" when the row has none. */
static const char *field_of(const ub__topology_layout *layout,
                            const ub__topology_row *row, int column)
{
    const int at = layout->at[column];

    return at >= 0 && at < row->n ? row->fields[at] : "";
}

/* Digits alone; 0 when it is something else or has more than 18 of them. */
static int parse_digits(const char *text, size_t n, int64_t *out)
{
    *out = 0;
    if (n == 0 || n > 18)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        *out = *out * 10 + (text[i] - '0');
    }
    return 1;
}

static ub_status get_number(const reader *r, const ub__topology_layout *layout,
                            const ub__topology_row *row, int column,
                            int64_t low, int64_t *out)
{
    const char *text = field_of(layout, row, column);
    const char *name = ub__topology_column_name(column);
    int64_t value;

    if (text[0] == '\0')
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: column '%s' is missing", r->path, row->line,
                        name);
    if (strspn(text, "0123456789") > 18)
        return ub__fail(r->context, UB_ERR_RANGE,
                        "%.200s:%d: column '%s': %.40s is too large", r->path,
                        row->line, name, text);
    if (!parse_digits(text, strlen(text), &value))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: column '%s': '%.40s' is not a number of "
                        "digits",
                        r->path, row->line, name, text);
    if (value < low)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: column '%s' is %lld, must be at least %lld",
                        r->path, row->line, name, (long long) value,
                        (long long) low);
    *out = value;
    return UB_OK;
}

static ub_status get_optional(const reader *r,
                              const ub__topology_layout *layout,
                              const ub__topology_row *row, int column,
                              int64_t low, int64_t *out)
{
    if (field_of(layout, row, column)[0] == '\0')
        return UB_OK;
    return get_number(r, layout, row, column, low, out);
}

/* A number in a column of no name: SCALE-Sim drops what is behind the last
 * comma of a row, and files have been shipped that rely on it. */
static int is_dropped(reader *r, const ub__topology_layout *layout,
                      const ub__topology_row *row, const char *text)
{
    int64_t value;

    if (!layout->unnamed || !parse_digits(text, strlen(text), &value))
        return 0;
    if (!r->warned_number)
        ub__log(r->context, UB_LOG_WARNING,
                "%.200s:%d: '%.40s' behind column %d is ignored", r->path,
                row->line, text, layout->at[UB__COLUMN_SPARSITY]);
    r->warned_number = 1;
    return 1;
}

static ub_status get_sparsity(reader *r, const ub__topology_layout *layout,
                              const ub__topology_row *row, ub_layer *layer)
{
    const char *text = field_of(layout, row, UB__COLUMN_SPARSITY);
    const char *colon = strchr(text, ':');
    int64_t keep, block;

    if (text[0] == '\0' || strcmp(text, "1") == 0 || strcmp(text, "1:1") == 0 ||
        is_dropped(r, layout, row, text))
        return UB_OK;
    if (colon == NULL || !parse_digits(text, (size_t) (colon - text), &keep) ||
        !parse_digits(colon + 1, strlen(colon + 1), &block) || keep < 1 ||
        keep > block || block > UB_NETWORK_MAX_EXTENT)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: column '%s': '%.40s' is not N:M with 1 <= "
                        "N <= M",
                        r->path, row->line,
                        ub__topology_column_name(UB__COLUMN_SPARSITY), text);
    layer->sparse_keep = (int32_t) keep;
    layer->sparse_block = (int32_t) block;
    return UB_OK;
}

/* -- rows to layers ------------------------------------------------------- */

static ub_status conv_layer(const reader *r, const ub__topology_layout *layout,
                            const ub__topology_row *row, ub_layer *layer)
{
    const struct {
        int column;
        int64_t *out;
    } sizes[] = {
        { UB__COLUMN_IFMAP_HEIGHT, &layer->in_height },
        { UB__COLUMN_IFMAP_WIDTH, &layer->in_width },
        { UB__COLUMN_FILTER_HEIGHT, &layer->kernel_height },
        { UB__COLUMN_FILTER_WIDTH, &layer->kernel_width },
        { UB__COLUMN_CHANNELS, &layer->in_channels },
        { UB__COLUMN_FILTERS, &layer->out_channels },
        { UB__COLUMN_STRIDES, &layer->stride },
    };
    ub_status status = UB_OK;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        status = get_number(r, layout, row, sizes[i].column, 1, sizes[i].out);
        if (status != UB_OK)
            return status;
    }
    status = get_optional(r, layout, row, UB__COLUMN_PAD, 0,
                          &layer->pad_height);
    layer->pad_width = layer->pad_height;
    if (status == UB_OK)
        status = get_optional(r, layout, row, UB__COLUMN_PAD_HEIGHT, 0,
                              &layer->pad_height);
    if (status == UB_OK)
        status = get_optional(r, layout, row, UB__COLUMN_PAD_WIDTH, 0,
                              &layer->pad_width);
    if (status == UB_OK)
        status = get_optional(r, layout, row, UB__COLUMN_DILATION, 1,
                              &layer->dilation);
    if (status == UB_OK)
        status = get_optional(r, layout, row, UB__COLUMN_GROUPS, 1,
                              &layer->groups);
    return status;
}

static ub_status gemm_layer(const reader *r, const ub__topology_layout *layout,
                            const ub__topology_row *row, ub_layer *layer)
{
    ub_status status = get_number(r, layout, row, UB__COLUMN_M, 1,
                                  &layer->in_height);

    if (status == UB_OK)
        status = get_number(r, layout, row, UB__COLUMN_N, 1,
                            &layer->out_channels);
    if (status == UB_OK)
        status = get_number(r, layout, row, UB__COLUMN_K, 1, &layer->in_width);
    layer->in_channels = 1;
    layer->kernel_width = layer->in_width;
    return status;
}

static ub_status get_batch(reader *r, const ub__topology_layout *layout,
                           const ub__topology_row *row)
{
    int64_t batch = 1;
    const ub_status status = get_optional(r, layout, row, UB__COLUMN_BATCH, 1,
                                          &batch);

    if (status == UB_OK && r->batch != 0 && r->batch != batch)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: the batch is %lld, %lld in the rows before",
                        r->path, row->line, (long long) batch,
                        (long long) r->batch);
    r->batch = batch;
    return status;
}

/* What went wrong within a row, and where. */
static ub_status within_row(const reader *r, const ub__topology_row *row,
                            ub_status status)
{
    if (status == UB_OK || status == UB_ERR_NOMEM)
        return status;
    return ub__fail_within(r->context,
                           status == UB_ERR_INVALID ? UB_ERR_FORMAT : status,
                           "%.200s:%d", r->path, row->line);
}

static ub_status create(reader *r, const ub__topology_row *row,
                        const ub_layer *layer)
{
    const ub__map map = { layer->in_channels, layer->in_height,
                          layer->in_width };
    char name[UB__NAME_SIZE];

    ub__name_of_path(r->path, "topology", name);
    return within_row(
        r, row,
        ub__network_create(r->context, name, "input", &map, &r->network));
}

static ub_status append(reader *r, const ub__topology_row *row,
                        const char *wanted, const ub_layer *layer)
{
    const int64_t before = ub_network_layers(r->network) - 1;
    char name[UB__NAME_SIZE];

    if (ub__network_free_name(r->network, wanted, row->line, name) != UB_OK)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: the name '%.40s...' is too long", r->path,
                        row->line, wanted);
    return within_row(
        r, row, ub_network_add(r->network, name, layer, 1, &before, NULL));
}

/* One layer of one channel for each of the row's, as SCALE-Sim. */
static ub_status append_expanded(reader *r, const ub__topology_row *row,
                                 const char *name, const ub_layer *layer)
{
    const int64_t channels = layer->in_channels;
    char numbered[2 * UB__NAME_SIZE];
    ub_layer one = *layer;
    ub_status status = UB_OK;

    one.in_channels = 1;
    if (channels > UB_NETWORK_MAX_LAYERS)
        return ub__fail(r->context, UB_ERR_RANGE,
                        "%.200s:%d: %lld layers, one for each channel", r->path,
                        row->line, (long long) channels);
    for (int64_t c = 0; c < channels && status == UB_OK; c++) {
        snprintf(numbered, sizeof(numbered), "%.255s.%lld", name,
                 (long long) c);
        status = append(r, row, numbered, &one);
    }
    return status;
}

static ub_status append_conv(reader *r, const ub__topology_row *row,
                             const char *name, int grouped,
                             const ub_layer *layer)
{
    ub_layer depthwise = *layer;

    if (grouped || strstr(name, "DP") == NULL)
        return append(r, row, name, layer);
    if (r->options.expand_dp)
        return append_expanded(r, row, name, layer);
    depthwise.groups = layer->in_channels;
    if (!ub__mul_int64(layer->in_channels, layer->out_channels,
                       &depthwise.out_channels))
        depthwise.out_channels = INT64_MAX;
    return append(r, row, name, &depthwise);
}

static ub_status add_activation(reader *r, const ub__topology_row *row)
{
    const char *what = row->n > 1 ? row->fields[1] : "";
    const int relu = strcmp(what, "relu") == 0 || strcmp(what, "ReLU") == 0;
    ub_layer layer;

    if (r->network == NULL)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: an activation before all layers", r->path,
                        row->line);
    if (!relu)
        ub__log(r->context, UB_LOG_WARNING,
                "%.200s:%d: activation '%.40s' is taken as identity", r->path,
                row->line, what);
    ub_layer_init(&layer, sizeof(layer),
                  relu ? UB_LAYER_RELU : UB_LAYER_IDENTITY);
    return append(r, row, row->fields[0], &layer);
}

static void warn_fields(reader *r, const ub__topology_layout *layout,
                        const ub__topology_row *row)
{
    if (row->n <= layout->width || r->warned)
        return;
    r->warned = 1;
    ub__log(r->context, UB_LOG_WARNING,
            "%.200s:%d: fields behind column %d are ignored", r->path,
            row->line, layout->width);
}

static ub_status add_row(reader *r, const ub__topology_row *row)
{
    ub__topology_layout layout = r->layout;
    const char *name;
    char unnamed[UB__NAME_SIZE];
    ub_layer layer;
    ub_status status;
    int conv;

    if (layout.krittika && strcmp(row->fields[0], "activation") == 0)
        return add_activation(r, row);
    if (layout.krittika)
        ub__topology_positions(strcmp(row->fields[0], "gemm") == 0
                                   ? UB_TOPOLOGY_GEMM
                                   : UB_TOPOLOGY_CONV,
                               &layout);
    warn_fields(r, &layout, row);
    conv = layout.form == UB_TOPOLOGY_CONV;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.round_up = 1;
    status = conv ? conv_layer(r, &layout, row, &layer)
                  : gemm_layer(r, &layout, row, &layer);
    if (status == UB_OK)
        status = get_sparsity(r, &layout, row, &layer);
    if (status == UB_OK)
        status = get_batch(r, &layout, row);
    if (status == UB_OK && r->network == NULL)
        status = create(r, row, &layer);
    if (status != UB_OK)
        return status;
    snprintf(unnamed, sizeof(unnamed), "layer:%d", row->line);
    name = field_of(&layout, row, UB__COLUMN_NAME);
    if (name[0] == '\0')
        name = unnamed;
    if (conv)
        return append_conv(r, row, name,
                           field_of(&layout, row, UB__COLUMN_GROUPS)[0] != '\0',
                           &layer);
    return append(r, row, name, &layer);
}

/* -- file ----------------------------------------------------------------- */

static ub_status read_rows(reader *r)
{
    ub__topology_row first, row;
    int header;
    ub_status status = next_row(r, &first);

    header = status == UB_OK && first.n > 0 && ub__topology_is_header(&first);
    row = first;
    if (header)
        status = next_row(r, &row);
    if (status == UB_OK && row.n == 0)
        return ub__fail(r->context, UB_ERR_FORMAT, "%.200s: has no layers",
                        r->path);
    if (status == UB_OK)
        status = ub__topology_layout_of(r->context, r->path, r->options.form,
                                        header ? &first : NULL, &row,
                                        &r->layout);
    while (status == UB_OK && row.n > 0) {
        status = add_row(r, &row);
        if (status == UB_OK)
            status = next_row(r, &row);
    }
    return status;
}

static ub_status check_batch(const reader *r, const int64_t *out_batch)
{
    if (out_batch != NULL || r->batch == 1)
        return UB_OK;
    return ub__fail(r->context, UB_ERR_UNSUPPORTED,
                    "%.200s: a batch of %lld, which a network cannot hold",
                    r->path, (long long) r->batch);
}

ub_status ub__topology_parse(ub_context *context, const char *path, char *text,
                             size_t size, const ub_topology_options *options,
                             ub_network **out, int64_t *out_batch)
{
    static const char mark[] = "\xef\xbb\xbf";
    reader r = { .context = context, .path = path, .options = *options };
    ub_status status;

    if (memchr(text, '\0', size) != NULL)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%.200s: has a zero byte, is no text", path);
    r.next = size >= 3 && memcmp(text, mark, 3) == 0 ? text + 3 : text;
    r.end = text + size;
    status = read_rows(&r);
    if (status == UB_OK)
        status = check_batch(&r, out_batch);
    if (status != UB_OK) {
        ub_network_destroy(&r.network);
        return status;
    }
    *out = r.network;
    if (out_batch != NULL)
        *out_batch = r.batch;
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

void ub_topology_options_init(ub_topology_options *options, size_t size)
{
    const ub_topology_options full = { .size = sizeof(full) };

    ub__options_out(options, size, &full, sizeof(full));
}

ub_status ub_network_read_topology(ub_context *context, const char *path,
                                   const ub_topology_options *options,
                                   ub_network **out, int64_t *out_batch)
{
    ub_topology_options full = { .size = sizeof(full) };
    void *text;
    size_t size;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (path == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "topology: no path to read");
    status = ub__options_in(context, "topology options", &full, sizeof(full),
                            sizeof(full), options);
    if (status != UB_OK)
        return status;
    if (full.form < UB_TOPOLOGY_AUTO || full.form > UB_TOPOLOGY_GEMM ||
        full.expand_dp < 0 || full.expand_dp > 1)
        return ub__fail(context, UB_ERR_INVALID,
                        "topology: form %d, expand_dp %d", (int) full.form,
                        (int) full.expand_dp);
    status = ub__file_read(context, path, FILE_MAX, &text, &size);
    if (status != UB_OK)
        return status;
    status = ub__topology_parse(context, path, text, size, &full, out,
                                out_batch);
    ub__free(context, text);
    return status;
}
