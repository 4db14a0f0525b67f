/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/config.h"

#include <math.h>
#include <string.h>

#define FILE_MAX ((size_t) 64 << 20)
#define GIB      1073741824.0
#define NAME     64 /* longer sections are none of ours */

typedef struct reader {
    ub_context *context;
    const char *path;
    char *next, *end; /* text not read yet */
    int line;         /* lines read */
    char section[NAME];
    int known;                     /* the section is one of ours */
    int seen[UB__CONFIG_MAX_KEYS]; /* line of each key, 0: none */
    int old[UB__CONFIG_MAX_KEYS];  /* it was there as older versions have it */
    ub__config *out;
} reader;

/* A line in place, without the blanks at both ends. */
typedef struct line {
    char *text;
    size_t size;
    size_t indent;
} line;

/* -- values --------------------------------------------------------------- */

static ub_status fail_value(const reader *r, int key, int at, const char *value,
                            const char *wanted)
{
    return ub__fail(r->context, UB_ERR_FORMAT,
                    "%.200s:%d: %s is '%.60s', must be %s", r->path, at,
                    ub__config_keys[key].key, value, wanted);
}

static int parse_integer(const char *text, int64_t *out)
{
    const int minus = *text == '-';
    int digits = 0;

    *out = 0;
    for (text += *text == '-' || *text == '+'; *text != '\0'; text++) {
        const int digit = *text - '0';

        if (digit < 0 || digit > 9 || *out > (INT64_MAX - digit) / 10)
            return 0;
        *out = *out * 10 + digit;
        digits++;
    }
    if (minus)
        *out = -*out;
    return digits > 0;
}

static ub_status set_integer(reader *r, int key, int at, const char *value)
{
    const ub__config_key *k = &ub__config_keys[key];
    char *const to = (char *) r->out + k->offset;
    char wanted[80];
    int64_t number;

    if (!parse_integer(value, &number) || number < k->low || number > k->high) {
        snprintf(wanted, sizeof(wanted), "an integer of %lld to %lld",
                 (long long) k->low, (long long) k->high);
        return fail_value(r, key, at, value, wanted);
    }
    if (k->type == UB__CONFIG_INT32)
        *(int32_t *) (void *) to = (int32_t) number;
    else
        *(int64_t *) (void *) to = number;
    return UB_OK;
}

/* Only the first counts, but all have to make sense. */
static ub_status set_first(reader *r, int key, int at, char *value)
{
    char *part = value;
    int64_t first = 0;
    ub_status status = UB_OK;

    while (part != NULL && status == UB_OK) {
        char *comma = strchr(part, ',');
        int64_t *to = (int64_t *) (void *) ((char *) r->out +
                                            ub__config_keys[key].offset);
        size_t n;

        if (comma != NULL)
            *comma = '\0';
        part += strspn(part, " \t\r\n");
        for (n = strlen(part); n > 0 && strchr(" \t\r\n", part[n - 1]); n--)
            part[n - 1] = '\0';
        status = set_integer(r, key, at, part);
        if (first == 0)
            first = *to;
        *to = first;
        part = comma == NULL ? NULL : comma + 1;
    }
    return status;
}

static ub_status set_flag(reader *r, int key, int at, const char *value)
{
    static const char *const words[] = { "false", "true", "no", "yes",
                                         "off",   "on",   "0",  "1" };
    const ub__config_key *k = &ub__config_keys[key];
    int64_t number = -1;

    for (int i = 0; i < 8; i++) {
        if (ub__config_same(words[i], value))
            number = i & 1;
    }
    if (number < 0 && k->high > 1 && !parse_integer(value, &number))
        number = -1;
    if (number < 0 || number > k->high)
        return fail_value(r, key, at, value,
                          k->high > 1 ? "true, false or 2" : "true or false");
    *(int32_t *) (void *) ((char *) r->out + k->offset) = (int32_t) number;
    return UB_OK;
}

static ub_status set_choice(reader *r, int key, int at, const char *value)
{
    const ub__config_key *k = &ub__config_keys[key];
    char wanted[120];
    int n = 0;

    for (int64_t i = k->low; i <= k->high; i++) {
        if (ub__config_same(k->choices[i - k->low], value)) {
            *(int32_t *) (void *) ((char *) r->out + k->offset) = (int32_t) i;
            return UB_OK;
        }
        n += snprintf(wanted + n, sizeof(wanted) - (size_t) n, "%s%s",
                      i == k->low    ? ""
                      : i == k->high ? " or "
                                     : ", ",
                      k->choices[i - k->low]);
    }
    return fail_value(r, key, at, value, wanted);
}

/* A JSON number, which does not depend on the locale, or inf. */
static ub_status parse_double(reader *r, const char *value, double *out)
{
    json_t *number;
    json_error_t error;

    *out = ub__config_same("inf", value) ? INFINITY : -1.0;
    if (*out > 0.0)
        return UB_OK;
    number = json_loadb(value, strlen(value),
                        JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
    if (number == NULL && json_error_code(&error) == json_error_out_of_memory)
        return ub__fail(r->context, UB_ERR_NOMEM, "%.200s: out of memory",
                        r->path);
    if (json_is_real(number))
        *out = json_real_value(number);
    json_decref(number);
    return UB_OK;
}

/* low is 1 when 0 has no meaning, high when infinity has one. */
static ub_status set_double(reader *r, int key, int at, const char *value)
{
    const ub__config_key *k = &ub__config_keys[key];
    double number;
    const ub_status status = parse_double(r, value, &number);

    if (status != UB_OK)
        return status;
    if (number < 0.0 || (number == 0.0 && k->low > 0) ||
        (isinf(number) && !k->high))
        return fail_value(r, key, at, value,
                          !k->high ? "a number above 0"
                          : k->low ? "a number above 0, or inf"
                                   : "a number of at least 0, or inf");
    *(double *) (void *) ((char *) r->out + k->offset) = number;
    return UB_OK;
}

static ub_status set_text(reader *r, int key, int at, char *value)
{
    const ub__config_key *k = &ub__config_keys[key];
    const size_t n = strlen(value);

    if (n >= 2 && (value[0] == '"' || value[0] == '\'') &&
        value[n - 1] == value[0]) {
        value[n - 1] = '\0';
        value++;
    }
    if (strlen(value) >= (size_t) k->high)
        return fail_value(r, key, at, value, "shorter");
    for (const char *p = value; *p != '\0'; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7f)
            return fail_value(r, key, at, value,
                              "of one line without control characters");
    }
    memset((char *) r->out + k->offset, 0, (size_t) k->high);
    memcpy((char *) r->out + k->offset, value, strlen(value));
    return UB_OK;
}

static ub_status set_value(reader *r, int key, int at, char *value)
{
    switch (ub__config_keys[key].type) {
    case UB__CONFIG_FLAG: return set_flag(r, key, at, value);
    case UB__CONFIG_CHOICE: return set_choice(r, key, at, value);
    case UB__CONFIG_FIRST: return set_first(r, key, at, value);
    case UB__CONFIG_DOUBLE: return set_double(r, key, at, value);
    case UB__CONFIG_TEXT: return set_text(r, key, at, value);
    default: return set_integer(r, key, at, value);
    }
}

/* -- lines ---------------------------------------------------------------- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* 0 at the end of the text. */
static int peek_line(const reader *r, line *out, char **after)
{
    char *stop;

    if (r->next >= r->end)
        return 0;
    stop = memchr(r->next, '\n', (size_t) (r->end - r->next));
    if (stop == NULL)
        stop = r->end;
    *after = stop < r->end ? stop + 1 : stop;
    out->text = r->next;
    while (out->text < stop && is_blank(*out->text))
        out->text++;
    while (stop > out->text && is_blank(stop[-1]))
        stop--;
    out->indent = (size_t) (out->text - r->next);
    out->size = (size_t) (stop - out->text);
    return 1;
}

static int is_empty(const line *l)
{
    return l->size == 0 || l->text[0] == '#' || l->text[0] == ';';
}

static ub_status fail_line(const reader *r, const char *what)
{
    return ub__fail(r->context, UB_ERR_FORMAT, "%.200s:%d: %s", r->path,
                    r->line, what);
}

static ub_status open_section(reader *r, const line *l, unsigned *sections)
{
    const char *close = l->text + l->size - 1;
    size_t n;

    while (close > l->text && *close != ']')
        close--;
    if (close <= l->text + 1)
        return fail_line(r, "a section needs a name in brackets");
    n = (size_t) (close - l->text) - 1;
    if (n >= NAME)
        n = NAME - 1;
    memcpy(r->section, l->text + 1, n);
    r->section[n] = '\0';
    r->known = ub__config_is_section(r->section);
    if (!r->known) {
        ub__log(r->context, UB_LOG_WARNING,
                "%.200s:%d: section [%s] is ignored", r->path, r->line,
                r->section);
        return UB_OK;
    }
    for (int i = 0; i < ub__config_n_keys; i++) {
        if (strcmp(ub__config_keys[i].section, r->section) != 0)
            continue;
        if (sections[i])
            return ub__fail(r->context, UB_ERR_FORMAT,
                            "%.200s:%d: there is a section [%s] before",
                            r->path, r->line, r->section);
        sections[i] = 1;
    }
    return UB_OK;
}

/* Append the lines that go on with a value. What moves goes forward in the
 * text only, over what has been read. */
static void gather(reader *r, size_t indent, char *value, size_t *size)
{
    char *after;
    line l;

    while (peek_line(r, &l, &after)) {
        if (!is_empty(&l) && l.indent <= indent)
            return;
        r->next = after;
        r->line++;
        if (is_empty(&l))
            continue;
        if (*size > 0)
            value[(*size)++] = '\n';
        memmove(value + *size, l.text, l.size);
        *size += l.size;
    }
}

static ub_status read_option(reader *r, const line *l)
{
    const int at = r->line;
    char *delimiter = l->text, *value, *stop = l->text + l->size, *end_of_key;
    size_t size;
    int key, old;

    while (delimiter < stop && *delimiter != '=' && *delimiter != ':')
        delimiter++;
    if (delimiter == stop || delimiter == l->text)
        return fail_line(r, "no 'key = value', no section and no comment");
    value = delimiter + 1;
    while (value < stop && is_blank(*value))
        value++;
    size = (size_t) (stop - value);
    gather(r, l->indent, value, &size);
    value[size] = '\0';
    end_of_key = delimiter;
    while (end_of_key > l->text && is_blank(end_of_key[-1]))
        end_of_key--;
    *end_of_key = '\0';
    if (!r->known)
        return UB_OK;
    key = ub__config_find(r->section, l->text);
    old = key < 0;
    if (old)
        key = ub__config_find_old(r->section, l->text);
    if (key < 0 || (old && r->seen[key] != 0 && !r->old[key])) {
        ub__log(r->context, UB_LOG_WARNING,
                "%.200s:%d: key '%.60s' of [%s] is ignored", r->path, at,
                l->text, r->section);
        return UB_OK;
    }
    if (r->seen[key] != 0 && (old || !r->old[key]))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%.200s:%d: %s is there twice, first in line %d",
                        r->path, at, ub__config_keys[key].key, r->seen[key]);
    r->seen[key] = at;
    r->old[key] = old;
    return set_value(r, key, at, value);
}

static ub_status read_lines(reader *r)
{
    unsigned sections[UB__CONFIG_MAX_KEYS] = { 0 };
    ub_status status = UB_OK;
    char *after;
    line l;

    while (status == UB_OK && peek_line(r, &l, &after)) {
        r->next = after;
        r->line++;
        if (is_empty(&l))
            continue;
        if (l.text[0] == '[')
            status = open_section(r, &l, sections);
        else if (r->section[0] == '\0')
            status = fail_line(r, "a key before all sections");
        else
            status = read_option(r, &l);
    }
    return status;
}

/* -- meaning -------------------------------------------------------------- */

static int seen(const reader *r, const char *section, const char *key)
{
    return r->seen[ub__config_find(section, key)];
}

static ub_status check_required(const reader *r)
{
    static const char *const keys[] = { "ArrayHeight", "ArrayWidth" };

    for (int i = 0; i < 2; i++) {
        if (!seen(r, "architecture_presets", keys[i]))
            return ub__fail(r->context, UB_ERR_FORMAT,
                            "%.200s: [architecture_presets] has no %s", r->path,
                            keys[i]);
    }
    return UB_OK;
}

static void set_memories(reader *r)
{
    ub_hardware *h = &r->out->hardware;
    ub_hardware_config *c = &r->out->config;
    const struct {
        const char *theirs, *ours;
        int64_t kb, *words, *bytes;
    } memories[] = {
        { "IfmapSramSzkB", "input_bank_bytes", r->out->input_kb,
          &c->input_words, &h->input_bank_bytes },
        { "FilterSramSzkB", "weight_bank_bytes", r->out->weight_kb,
          &c->weight_words, &h->weight_bank_bytes },
        { "OfmapSramSzkB", "output_bank_bytes", r->out->output_kb,
          &c->output_words, &h->output_bank_bytes },
    };

    for (size_t i = 0; i < 3; i++) {
        const int given = seen(r, "architecture_presets", memories[i].theirs);

        *memories[i].words = given ? memories[i].kb * 1024
                                   : h->bank_bytes / h->element_bytes;
        if (given && !seen(r, "uboost", memories[i].ours))
            *memories[i].bytes = *memories[i].words * h->element_bytes;
    }
}

static void set_bandwidths(reader *r)
{
    ub_hardware *h = &r->out->hardware;
    const ub_hardware_config *c = &r->out->config;
    const double word = (double) h->element_bytes * h->clock_hz;
    const double all = (double) c->bandwidth * word;
    const int shared = seen(r, "uboost", "bandwidth");
    const int own = seen(r, "uboost", "input_bandwidth") ||
                    seen(r, "uboost", "weight_bandwidth") ||
                    seen(r, "uboost", "output_bandwidth");

    h->input_bandwidth *= GIB;
    h->weight_bandwidth *= GIB;
    h->output_bandwidth *= GIB;
    if (shared)
        h->bandwidth *= GIB;
    else
        h->bandwidth = c->bandwidth_mode == UB_BANDWIDTH_CALC ? INFINITY : all;
    if (shared || own || c->bandwidth_mode == UB_BANDWIDTH_CALC)
        return;
    h->input_bandwidth = h->weight_bandwidth = h->output_bandwidth = all;
    if (seen(r, "layout", "IfmapSRAMBankBandwidth"))
        h->input_bandwidth = (double) c->input_bank_bandwidth * word;
    if (seen(r, "layout", "FilterSRAMBankBandwidth"))
        h->weight_bandwidth = (double) c->weight_bank_bandwidth * word;
}

ub_status ub__config_parse(ub_context *context, const char *path, char *text,
                           size_t size, ub__config *out)
{
    static const char mark[] = "\xef\xbb\xbf";
    reader r = { .context = context, .path = path, .out = out };
    ub_status status;

    ub__config_init(out);
    if (memchr(text, '\0', size) != NULL)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%.200s: has a zero byte, is no text", path);
    r.next = size >= 3 && memcmp(text, mark, 3) == 0 ? text + 3 : text;
    r.end = text + size;
    status = read_lines(&r);
    if (status == UB_OK)
        status = check_required(&r);
    if (status != UB_OK)
        return status;
    set_memories(&r);
    set_bandwidths(&r);
    if (ub_hardware_check(&out->hardware) != UB_OK)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%.200s: clock, bandwidth and memories make no "
                        "hardware",
                        path);
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

ub_status ub_hardware_read_config(ub_context *context, const char *path,
                                  ub_hardware *hardware,
                                  ub_hardware_config *out)
{
    ub__config full;
    void *text;
    size_t size;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (path == NULL || hardware == NULL ||
        hardware->size < sizeof(*hardware) ||
        (out != NULL && out->size < sizeof(*out)))
        return ub__fail(context, UB_ERR_INVALID,
                        "hardware: no path to read, or a size is not set");
    status = ub__file_read(context, path, FILE_MAX, &text, &size);
    if (status != UB_OK)
        return status;
    status = ub__config_parse(context, path, text, size, &full);
    ub__free(context, text);
    if (status != UB_OK)
        return status;
    ub__options_out(hardware, hardware->size, &full.hardware,
                    sizeof(full.hardware));
    if (out != NULL)
        ub__options_out(out, out->size, &full.config, sizeof(full.config));
    return UB_OK;
}
