/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/topology.h"

#include <string.h>

#define PLAIN_SIZE  32 /* longer names are none of ours */
#define CONV_FIELDS 8
#define GEMM_FIELDS 4

/* Names as people write them, and what they become without case, blanks, '_'
 * and '-'. */
static const struct {
    const char *name;
    const char *plain[4];
} columns[UB__COLUMNS] = {
    [UB__COLUMN_NAME] = { "Layer name", { "layername", "layer", "name" } },
    [UB__COLUMN_IFMAP_HEIGHT] = { "IFMAP Height",
                                  { "ifmapheight", "ifmaph", "inputheight" } },
    [UB__COLUMN_IFMAP_WIDTH] = { "IFMAP Width",
                                 { "ifmapwidth", "ifmapw", "inputwidth" } },
    [UB__COLUMN_FILTER_HEIGHT] = { "Filter Height",
                                   { "filterheight", "filth", "filterh",
                                     "kernelheight" } },
    [UB__COLUMN_FILTER_WIDTH] = { "Filter Width",
                                  { "filterwidth", "filtw", "filterw",
                                    "kernelwidth" } },
    [UB__COLUMN_CHANNELS] = { "Channels",
                              { "channels", "channel", "numchannels", "ch" } },
    [UB__COLUMN_FILTERS] = { "Num Filter",
                             { "numfilter", "numfilters", "filters",
                               "nfilt" } },
    [UB__COLUMN_STRIDES] = { "Strides", { "strides", "stride" } },
    [UB__COLUMN_M] = { "M", { "m" } },
    [UB__COLUMN_N] = { "N", { "n" } },
    [UB__COLUMN_K] = { "K", { "k" } },
    [UB__COLUMN_SPARSITY] = { "Sparsity",
                              { "sparsity", "sparsityratio", "n:m" } },
    [UB__COLUMN_PAD] = { "Padding", { "padding", "pad" } },
    [UB__COLUMN_PAD_HEIGHT] = { "Pad Height",
                                { "padheight", "padh", "paddingheight" } },
    [UB__COLUMN_PAD_WIDTH] = { "Pad Width",
                               { "padwidth", "padw", "paddingwidth" } },
    [UB__COLUMN_DILATION] = { "Dilation", { "dilation" } },
    [UB__COLUMN_GROUPS] = { "Groups", { "groups", "group" } },
    [UB__COLUMN_BATCH] = { "Batch", { "batch", "batchsize" } },
};

const char *ub__topology_column_name(int column)
{
    return columns[column].name;
}

static int find_column(const char *field)
{
    char plain[PLAIN_SIZE];
    size_t n = 0;

    for (; *field != '\0'; field++) {
        if (*field == ' ' || *field == '\t' || *field == '_' || *field == '-')
            continue;
        if (n == sizeof(plain) - 1)
            return -1;
        plain[n++] = (char) (*field >= 'A' && *field <= 'Z' ? *field | 0x20
                                                            : *field);
    }
    plain[n] = '\0';
    for (int column = 0; column < UB__COLUMNS; column++) {
        for (int i = 0; i < 4 && columns[column].plain[i] != NULL; i++) {
            if (strcmp(columns[column].plain[i], plain) == 0)
                return column;
        }
    }
    return -1;
}

static int begins_with_digit(const char *field)
{
    return field[0] >= '0' && field[0] <= '9';
}

int ub__topology_is_header(const ub__topology_row *first)
{
    int known = 0, sizes = 0;

    for (int i = 0; i < first->n; i++) {
        known += find_column(first->fields[i]) >= 0;
        sizes += i > 0 && begins_with_digit(first->fields[i]);
    }
    if (known >= 2)
        return 1;
    return sizes == 0 && first->n > 1 &&
           strcmp(first->fields[0], "activation") != 0;
}

static int first_column(int32_t form)
{
    return form == UB_TOPOLOGY_CONV ? UB__COLUMN_IFMAP_HEIGHT : UB__COLUMN_M;
}

static int last_column(int32_t form)
{
    return form == UB_TOPOLOGY_CONV ? UB__COLUMN_STRIDES : UB__COLUMN_K;
}

void ub__topology_positions(int32_t form, ub__topology_layout *out)
{
    int field = 0;

    for (int i = 0; i < UB__COLUMNS; i++)
        out->at[i] = -1;
    out->form = form;
    out->krittika = 0;
    out->at[UB__COLUMN_NAME] = field++;
    for (int i = first_column(form); i <= last_column(form); i++)
        out->at[i] = field++;
    out->at[UB__COLUMN_SPARSITY] = field++;
    out->unnamed = 1;
    out->width = field;
}

static int is_krittika(const char *word)
{
    return strcmp(word, "conv") == 0 || strcmp(word, "gemm") == 0 ||
           strcmp(word, "activation") == 0;
}

/* Where a header names columns; how often it names all of the form's. */
static int count_names(const ub__topology_row *header, int32_t form,
                       int at[UB__COLUMNS])
{
    int times[UB__COLUMNS] = { 0 };

    for (int i = 0; i < UB__COLUMNS; i++)
        at[i] = -1;
    for (int i = 0; i < header->n; i++) {
        const int column = find_column(header->fields[i]);

        if (column >= 0 && times[column]++ == 0)
            at[column] = i;
    }
    if (times[UB__COLUMN_NAME] > 1)
        return 0;
    for (int i = first_column(form); i <= last_column(form); i++) {
        if (times[i] != 1)
            return 0;
    }
    return 1;
}

/* UB_TOPOLOGY_AUTO when nothing tells. */
static int32_t form_of(const ub__topology_row *header,
                       const ub__topology_row *row)
{
    int at[UB__COLUMNS];

    if (header != NULL && count_names(header, UB_TOPOLOGY_GEMM, at))
        return UB_TOPOLOGY_GEMM;
    if (header != NULL &&
        (at[UB__COLUMN_IFMAP_HEIGHT] >= 0 || at[UB__COLUMN_IFMAP_WIDTH] >= 0))
        return UB_TOPOLOGY_CONV;
    /* a header of other names with more fields than that: a layout file */
    if (header != NULL && row->n > CONV_FIELDS + 1)
        return UB_TOPOLOGY_AUTO;
    if (row->n >= CONV_FIELDS)
        return UB_TOPOLOGY_CONV;
    return row->n <= GEMM_FIELDS + 1 || is_krittika(row->fields[0])
               ? UB_TOPOLOGY_GEMM
               : UB_TOPOLOGY_AUTO;
}

/* Columns that only a name can tell, and those that have no meaning. */
static void place_extra(ub_context *context, const char *path,
                        const ub__topology_row *header, int base, int by_name,
                        ub__topology_layout *out)
{
    for (int i = 0; i < header->n; i++) {
        const int column = find_column(header->fields[i]);

        if (!by_name && i < base)
            continue;
        if (column >= UB__COLUMN_SPARSITY && out->at[column] < 0)
            out->at[column] = i;
        else if (header->fields[i][0] != '\0' &&
                 out->at[column < 0 ? 0 : column] != i)
            ub__log(context, UB_LOG_WARNING,
                    "%.200s:%d: column '%.60s' is ignored", path, header->line,
                    header->fields[i]);
    }
}

ub_status ub__topology_layout_of(ub_context *context, const char *path,
                                 int32_t form, const ub__topology_row *header,
                                 const ub__topology_row *row,
                                 ub__topology_layout *out)
{
    int at[UB__COLUMNS], base, by_name;

    if (form == UB_TOPOLOGY_AUTO)
        form = form_of(header, row);
    if (form == UB_TOPOLOGY_AUTO)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%.200s:%d: %d fields are neither a convolution, which "
                        "has %d, nor a product of matrices, which has %d, and "
                        "no header names them",
                        path, row->line, row->n, CONV_FIELDS, GEMM_FIELDS);
    ub__topology_positions(form, out);
    if (header == NULL) {
        out->krittika = is_krittika(row->fields[0]);
        return UB_OK;
    }
    base = out->at[UB__COLUMN_SPARSITY];
    out->at[UB__COLUMN_SPARSITY] = -1;
    if (!count_names(header, form, at) &&
        count_names(
            header,
            form == UB_TOPOLOGY_CONV ? UB_TOPOLOGY_GEMM : UB_TOPOLOGY_CONV, at))
        return ub__fail(context, UB_ERR_FORMAT,
                        "%.200s:%d: the header names the columns of %s", path,
                        header->line,
                        form == UB_TOPOLOGY_CONV
                            ? "a product of matrices, not of a convolution"
                            : "a convolution, not of a product of matrices");
    by_name = count_names(header, form, at);
    if (by_name) {
        for (int i = first_column(form); i <= last_column(form); i++)
            out->at[i] = at[i];
        out->at[UB__COLUMN_NAME] = at[UB__COLUMN_NAME];
        for (int i = first_column(form); i <= last_column(form); i++) {
            if (at[UB__COLUMN_NAME] < 0 && at[i] == 0)
                base = 0;
        }
        /* a first column of another name is the layers' */
        if (at[UB__COLUMN_NAME] < 0 && base != 0)
            out->at[UB__COLUMN_NAME] = 0;
    } else {
        ub__log(context, UB_LOG_WARNING,
                "%.200s:%d: the header does not name all columns once; they "
                "are taken by position",
                path, header->line);
    }
    place_extra(context, path, header, base, by_name, out);
    out->width = header->n > base ? header->n : base;
    out->unnamed = out->at[UB__COLUMN_SPARSITY] < 0;
    if (out->unnamed)
        out->at[UB__COLUMN_SPARSITY] = out->width++;
    return UB_OK;
}
