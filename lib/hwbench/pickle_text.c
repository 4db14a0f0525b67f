/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle_tree.h"

#include <math.h>
#include <string.h>

enum { SHOWN = 40 }; /* bytes of a number in an error */

/* -- numbers -------------------------------------------------------------- */

ub_status ub__pickle_read_int(ub_context *context, const unsigned char *text,
                              size_t n, int64_t *out)
{
    const int negative = n > 0 && text[0] == '-';
    uint64_t value = 0;
    size_t i = n > 0 && (text[0] == '-' || text[0] == '+');

    if (i == n)
        return ub__fail(context, UB_ERR_FORMAT, "a number without digits");
    for (; i < n; i++) {
        const unsigned digit = text[i] - (unsigned) '0';

        if (digit > 9)
            return ub__fail(context, UB_ERR_FORMAT,
                            "character 0x%02x in an integer", text[i]);
        if (value > ((uint64_t) INT64_MAX + (unsigned) negative - digit) / 10)
            return ub__fail(context, UB_ERR_UNSUPPORTED,
                            "an integer of more than 64 bits");
        value = 10 * value + digit;
    }
    *out = negative && value > 0 ? -1 - (int64_t) (value - 1) : (int64_t) value;
    return UB_OK;
}

static int is_text(const unsigned char *text, size_t n, const char *expected)
{
    return n == strlen(expected) && memcmp(text, expected, n) == 0;
}

/* What Python's repr() writes. */
ub_status ub__pickle_read_double(ub_context *context, const unsigned char *text,
                                 size_t n, double *out)
{
    const size_t sign = n > 0 && (text[0] == '-' || text[0] == '+');
    double value = 0.0;

    if (is_text(text + sign, n - sign, "inf"))
        value = text[0] == '-' ? -INFINITY : INFINITY;
    else if (is_text(text + sign, n - sign, "nan"))
        value = NAN;
    else if (n == 0 || ub__parse_double((const char *) text, n, &value) != n)
        return ub__fail(context, UB_ERR_FORMAT, "\"%.*s\" is not a number",
                        n < SHOWN ? (int) n : SHOWN, (const char *) text);
    *out = value;
    return UB_OK;
}

/* -- UTF-8 ---------------------------------------------------------------- */

/* Bytes of the character that begins here, its code point in *out; 0 when it is
 * no valid UTF-8 (overlong, a surrogate, beyond U+10FFFF, cut off). */
static size_t utf8_next(const unsigned char *text, size_t n, uint32_t *out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char c = text[0];
    const size_t length = c < 0x80   ? 1
                          : c < 0xc2 ? 0
                          : c < 0xe0 ? 2
                          : c < 0xf0 ? 3
                          : c < 0xf5 ? 4
                                     : 0;
    uint32_t code = length < 2 ? c : c & (0x7fu >> length);

    if (length == 0 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    if (code < least[length] || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return 0;
    *out = code;
    return length;
}

static size_t utf8_write(uint32_t code, unsigned char out[4])
{
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    const size_t length = code < 0x80      ? 1
                          : code < 0x800   ? 2
                          : code < 0x10000 ? 3
                                           : 4;

    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (unsigned char) (0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (unsigned char) (lead[length] | code);
    return length;
}

static size_t ascii_length(const unsigned char *text, size_t n)
{
    size_t i = 0;

    while (i < n && text[i] < 0x80)
        i++;
    return i;
}

/* -- the pool ------------------------------------------------------------- */

static ub_status put(ub__pickle *p, const void *bytes, size_t n)
{
    ub_status status = ub__pickle_reserve(p, &p->pool, n, 1);

    if (status != UB_OK)
        return status;
    memcpy((unsigned char *) p->pool.memory + p->pool.count, bytes, n);
    p->pool.count += (uint32_t) n;
    return UB_OK;
}

static ub_status put_code(ub__pickle *p, uint32_t code)
{
    unsigned char bytes[4];

    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return ub__fail(p->context, UB_ERR_FORMAT, "U+%04lX is not a character",
                        (unsigned long) code);
    return put(p, bytes, utf8_write(code, bytes));
}

/* A node of what was put into the pool since it held `first` bytes. */
static ub__pickle_value pooled(const ub__pickle *p, uint32_t first)
{
    ub__pickle_value value = { .kind = UB__PICKLE_TEXT,
                               .flags = UB__PICKLE_POOLED };

    value.as.span = (ub__pickle_span){ first, p->pool.count - first };
    return value;
}

/* A node of a part of the input. */
static ub__pickle_value inside(size_t first, size_t n)
{
    ub__pickle_value value = { .kind = UB__PICKLE_TEXT };

    value.as.span = (ub__pickle_span){ (uint32_t) first, (uint32_t) n };
    return value;
}

/* -- texts ---------------------------------------------------------------- */

ub_status ub__pickle_add_utf8(ub__pickle *p, size_t first, size_t n,
                              ub__pickle_node *out)
{
    const unsigned char *text = p->bytes + first;
    size_t i = ascii_length(text, n), length;
    uint32_t code;

    for (; i < n; i += length) {
        length = utf8_next(text + i, n - i, &code);
        if (length == 0)
            return ub__fail(p->context, UB_ERR_FORMAT,
                            "byte %zu of the text is not valid UTF-8", i);
    }
    return ub__pickle_add(p, inside(first, n), out);
}

/* A string of Python 2 is a text when it is ASCII. NumPy's data are strings,
 * too, and may look like a text by chance. */
static ub_status add_string(ub__pickle *p, ub__pickle_value value,
                            ub__pickle_node *out)
{
    const size_t n = value.as.span.count;

    if (ascii_length(ub__pickle_bytes_of(p, &value), n) == n)
        value.flags |= UB__PICKLE_PYTHON2;
    else
        value.kind = UB__PICKLE_BYTES;
    return ub__pickle_add(p, value, out);
}

ub_status ub__pickle_add_python2(ub__pickle *p, size_t first, size_t n,
                                 ub__pickle_node *out)
{
    return add_string(p, inside(first, n), out);
}

/* Up to `most` hexadecimal digits; how many there are. */
static size_t hexadecimal(const unsigned char *text, size_t n, size_t most,
                          uint32_t *out)
{
    size_t i = 0;

    *out = 0;
    for (; i < n && i < most; i++) {
        const unsigned char c = text[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;

        if (digit < 0)
            break;
        *out = *out << 4 | (uint32_t) digit;
    }
    return i;
}

static size_t octal(const unsigned char *text, size_t n, uint32_t *out)
{
    size_t i = 0;

    *out = 0;
    for (; i < n && i < 3 && text[i] >= '0' && text[i] <= '7'; i++)
        *out = *out << 3 | (text[i] - (uint32_t) '0');
    return i;
}

/* What a backslash and `text` (not empty) stand for, as Python's
 * codecs.escape_decode() has it; out has room for 2 bytes. Returns how much of
 * the text that was; 0 when it is wrong. */
static size_t unescape(const unsigned char *text, size_t n,
                       unsigned char out[2], size_t *out_n)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *simple = text[0] == '\0' ? NULL : strchr(from, text[0]);
    uint32_t code;
    size_t length;

    *out_n = 1;
    if (simple != NULL) {
        out[0] = (unsigned char) to[simple - from];
        return 1;
    }
    if (text[0] == 'x') {
        length = hexadecimal(text + 1, n - 1, 2, &code);
        out[0] = (unsigned char) code;
        return length == 2 ? 3 : 0;
    }
    length = octal(text, n, &code);
    if (length > 0) {
        out[0] = (unsigned char) code;
        return length;
    }
    out[0] = '\\';
    out[1] = text[0];
    *out_n = 2;
    return 1;
}

ub_status ub__pickle_add_quoted(ub__pickle *p, size_t first, size_t n,
                                ub__pickle_node *out)
{
    const unsigned char *text = p->bytes + first;
    const uint32_t pool = p->pool.count;

    if (n < 2 || text[0] != text[n - 1] || (text[0] != '\'' && text[0] != '"'))
        return ub__fail(p->context, UB_ERR_FORMAT, "a string without quotes");
    text++;
    n -= 2;
    if (memchr(text, '\\', n) == NULL)
        return ub__pickle_add_python2(p, first + 1, n, out);
    for (size_t i = 0; i < n;) {
        unsigned char bytes[2];
        size_t length = 1, bytes_n = 1;
        ub_status status;

        bytes[0] = text[i];
        if (text[i] == '\\') {
            length = i + 1 < n
                         ? unescape(text + i + 1, n - i - 1, bytes, &bytes_n)
                         : 0;
            if (length == 0)
                return ub__fail(p->context, UB_ERR_FORMAT,
                                "a wrong escape in a string");
            length++;
        }
        status = put(p, bytes, bytes_n);
        if (status != UB_OK)
            return status;
        i += length;
    }
    return add_string(p, pooled(p, pool), out);
}

/* The code point at the head of a text with \u escapes, which is Latin-1
 * otherwise; how much of the text that was, 0 when it is wrong. */
static size_t escaped_next(const unsigned char *text, size_t n, uint32_t *out)
{
    size_t length;

    *out = text[0];
    if (text[0] != '\\' || n < 2 || (text[1] != 'u' && text[1] != 'U'))
        return 1;
    length = text[1] == 'u' ? 4 : 8;
    return hexadecimal(text + 2, n - 2, length, out) == length ? 2 + length : 0;
}

ub_status ub__pickle_add_unicode(ub__pickle *p, size_t first, size_t n,
                                 ub__pickle_node *out)
{
    const unsigned char *text = p->bytes + first;
    const uint32_t pool = p->pool.count;

    if (ascii_length(text, n) == n && memchr(text, '\\', n) == NULL)
        return ub__pickle_add(p, inside(first, n), out);
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t length = escaped_next(text + i, n - i, &code);
        ub_status status;

        if (length == 0)
            return ub__fail(p->context, UB_ERR_FORMAT,
                            "a wrong escape in a text");
        status = put_code(p, code);
        /* Python takes backslashes in pairs, and keeps both. */
        if (status == UB_OK && length == 1 && code == '\\' && i + 1 < n) {
            status = put_code(p, text[i + 1]);
            length = 2;
        }
        if (status != UB_OK)
            return status;
        i += length;
    }
    return ub__pickle_add(p, pooled(p, pool), out);
}

/* Latin-1 of a text that is not ASCII, into the pool. */
static ub_status put_latin1(ub__pickle *p, ub__pickle_value text)
{
    const size_t n = text.as.span.count;
    ub_status status = ub__pickle_reserve(p, &p->pool, n, 1);
    const unsigned char *from;
    unsigned char *to;

    if (status != UB_OK)
        return status;
    from = ub__pickle_bytes_of(p, &text); /* the pool may have moved */
    to = (unsigned char *) p->pool.memory + p->pool.count;
    for (size_t i = 0; i < n;) {
        uint32_t code;

        i += utf8_next(from + i, n - i, &code);
        if (code > 0xff)
            return ub__fail(p->context, UB_ERR_FORMAT,
                            "U+%04lX is not in Latin-1", (unsigned long) code);
        *to++ = (unsigned char) code;
    }
    p->pool.count = (uint32_t) (to - (unsigned char *) p->pool.memory);
    return UB_OK;
}

ub_status ub__pickle_latin1(ub__pickle *p, ub__pickle_node text,
                            ub__pickle_node *out)
{
    ub__pickle_value value = *ub__pickle_value_of(p, text);
    const uint32_t pool = p->pool.count;
    ub_status status;

    /* Once for each text, or a long one could be asked for many times. */
    if (value.extra != 0) {
        *out = value.extra;
        return UB_OK;
    }
    if (ascii_length(ub__pickle_bytes_of(p, &value), value.as.span.count) <
        value.as.span.count) {
        status = put_latin1(p, value);
        if (status != UB_OK)
            return status;
        value = pooled(p, pool);
    }
    value.kind = UB__PICKLE_BYTES;
    value.flags &= UB__PICKLE_POOLED;
    status = ub__pickle_add(p, value, out);
    if (status == UB_OK)
        ub__pickle_value_of(p, text)->extra = *out;
    return status;
}
