/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <string.h>

/* The end of a line, which must have one: a file that was cut is refused. */
static ub_status find_end(const ub__csv *csv, const char **out)
{
    const char *begin = (const char *) csv->data + csv->at;

    *out = memchr(begin, '\n', csv->size - csv->at);
    if (*out == NULL)
        return ub__fail(csv->context, UB_ERR_FORMAT,
                        "%s:%lld: the file ends within the line", csv->path,
                        (long long) csv->line);
    return UB_OK;
}

static ub_status split(const ub__csv *csv, const char *at, const char *end,
                       size_t max, ub__field *out_fields, size_t *out_n)
{
    const char *begin = at;
    size_t n = 0;

    for (;; at++) {
        if (at != end && *at != csv->separator)
            continue;
        if (n == max)
            return ub__fail(csv->context, UB_ERR_FORMAT,
                            "%s:%lld: more than %zu fields", csv->path,
                            (long long) csv->line, max);
        out_fields[n].text = begin;
        out_fields[n++].size = (size_t) (at - begin);
        if (at == end)
            break;
        begin = at + 1;
    }
    *out_n = n;
    return UB_OK;
}

ub_status ub__csv_open(ub_context *context, const char *path, ub__csv *out)
{
    ub__csv csv = { .context = context, .path = path };
    ub_status status = ub__file_read(context, path, UB__HWBENCH_MAX_FILE,
                                     &csv.data, &csv.size);
    const char *end;

    if (status != UB_OK)
        return status;
    if (csv.size >= 3 && memcmp(csv.data, "\xef\xbb\xbf", 3) == 0)
        csv.at = 3; /* a byte order mark */
    end = memchr(csv.data, '\n', csv.size);
    csv.separator = ',';
    if (end != NULL &&
        memchr(csv.data, '\t', (size_t) (end - (char *) csv.data)) != NULL)
        csv.separator = '\t';
    *out = csv;
    return UB_OK;
}

void ub__csv_close(ub__csv *csv)
{
    ub__free(csv->context, csv->data);
    csv->data = NULL;
}

ub_status ub__csv_next(ub__csv *csv, size_t max, ub__field *out_fields,
                       size_t *out_n)
{
    while (csv->at < csv->size) {
        const char *begin = (const char *) csv->data + csv->at, *end;
        ub_status status;

        csv->line++;
        status = find_end(csv, &end);
        if (status != UB_OK)
            return status;
        csv->at += (size_t) (end - begin) + 1;
        if (end > begin && end[-1] == '\r')
            end--;
        if (end > begin)
            return split(csv, begin, end, max, out_fields, out_n);
    }
    *out_n = 0;
    return UB_OK;
}
