/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#define FILE_MAX ((size_t) 64 << 20)

ub_status ub__json_parse(ub_context *context, const char *name,
                         const char *text, size_t size, json_t **out)
{
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

    if (root != NULL) {
        *out = root;
        return UB_OK;
    }
    if (json_error_code(&error) == json_error_out_of_memory)
        return ub__fail(context, UB_ERR_NOMEM, "%s: out of memory", name);
    return ub__fail(context, UB_ERR_FORMAT, "%s:%d: %s", name, error.line,
                    error.text);
}

ub_status ub__json_read(ub_context *context, const char *path, json_t **out)
{
    void *data;
    size_t size;
    ub_status status = ub__file_read(context, path, FILE_MAX, &data, &size);

    if (status != UB_OK)
        return status;
    status = ub__json_parse(context, path, data, size, out);
    ub__free(context, data);
    return status;
}

static int put_text(const char *text, size_t size, void *arg)
{
    return ub__writer_put(arg, text, size) == UB_OK ? 0 : -1;
}

ub_status ub__json_write(ub_context *context, const char *path,
                         const json_t *root)
{
    ub__writer *writer;
    ub_status status = ub__writer_open(context, path, &writer);

    if (status != UB_OK)
        return status;
    if (json_dump_callback(root, put_text, writer,
                           JSON_INDENT(2) | JSON_REAL_PRECISION(17)) == 0) {
        (void) ub__writer_put(writer, "\n", 1); /* commit tells */
        return ub__writer_commit(&writer);
    }
    /* Either the file failed, and the writer knows, or the dump did. */
    status = ub__writer_put(writer, "", 0);
    ub__writer_abort(&writer);
    if (status != UB_OK)
        return status;
    return ub__fail(context, UB_ERR_INVALID, "%s: not writable as JSON", path);
}

static json_t *integer_at(const void *values, int64_t i)
{
    return json_integer(((const int64_t *) values)[i]);
}

static json_t *int32_at(const void *values, int64_t i)
{
    return json_integer(((const int32_t *) values)[i]);
}

static json_t *real_at(const void *values, int64_t i)
{
    return json_real(((const double *) values)[i]);
}

static json_t *array_of(const void *values, int64_t n,
                        json_t *(*at)(const void *values, int64_t i))
{
    json_t *array = json_array();

    for (int64_t i = 0; array != NULL && i < n; i++) {
        if (json_array_append_new(array, at(values, i)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *ub__json_integers(const int64_t *values, int64_t n)
{
    return array_of(values, n, integer_at);
}

json_t *ub__json_int32s(const int32_t *values, int64_t n)
{
    return array_of(values, n, int32_at);
}

json_t *ub__json_reals(const double *values, int64_t n)
{
    return array_of(values, n, real_at);
}

/* NULL with the error text when there is none. */
static const json_t *find_member(ub_context *context, const char *where,
                                 const json_t *object, const char *key)
{
    const json_t *member;

    if (!json_is_object(object)) {
        ub__fail(context, UB_ERR_FORMAT, "%s: not an object", where);
        return NULL;
    }
    member = json_object_get(object, key);
    if (member == NULL)
        ub__fail(context, UB_ERR_FORMAT, "%s: \"%s\" is missing", where, key);
    return member;
}

ub_status ub__json_int(ub_context *context, const char *where,
                       const json_t *object, const char *key, int64_t low,
                       int64_t high, int64_t *out)
{
    const json_t *member = find_member(context, where, object, key);
    int64_t value;

    if (member == NULL)
        return UB_ERR_FORMAT;
    if (!json_is_integer(member))
        return ub__fail(context, UB_ERR_FORMAT, "%s: \"%s\" is not an integer",
                        where, key);
    value = json_integer_value(member);
    if (value < low || value > high)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%s: \"%s\" is %lld, expected %lld to %lld", where, key,
                        (long long) value, (long long) low, (long long) high);
    *out = value;
    return UB_OK;
}

ub_status ub__json_double(ub_context *context, const char *where,
                          const json_t *object, const char *key, double low,
                          double high, double *out)
{
    const json_t *member = find_member(context, where, object, key);
    double value;

    if (member == NULL)
        return UB_ERR_FORMAT;
    if (!json_is_number(member))
        return ub__fail(context, UB_ERR_FORMAT, "%s: \"%s\" is not a number",
                        where, key);
    value = json_number_value(member);
    if (!(value >= low && value <= high))
        return ub__fail(context, UB_ERR_FORMAT,
                        "%s: \"%s\" is %g, expected %g to %g", where, key,
                        value, low, high);
    *out = value;
    return UB_OK;
}

ub_status ub__json_string(ub_context *context, const char *where,
                          const json_t *object, const char *key,
                          const char **out)
{
    const json_t *member = find_member(context, where, object, key);

    if (member == NULL)
        return UB_ERR_FORMAT;
    if (!json_is_string(member))
        return ub__fail(context, UB_ERR_FORMAT, "%s: \"%s\" is not a string",
                        where, key);
    *out = json_string_value(member);
    return UB_OK;
}

ub_status ub__json_array(ub_context *context, const char *where,
                         const json_t *object, const char *key, size_t limit,
                         json_t **out)
{
    const json_t *member = find_member(context, where, object, key);

    if (member == NULL)
        return UB_ERR_FORMAT;
    if (!json_is_array(member))
        return ub__fail(context, UB_ERR_FORMAT, "%s: \"%s\" is not an array",
                        where, key);
    if (json_array_size(member) > limit)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%s: \"%s\" has %zu elements, expected at most %zu",
                        where, key, json_array_size(member), limit);
    *out = json_object_get(object, key);
    return UB_OK;
}
