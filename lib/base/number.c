/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define MAX_DIGITS   800   /* 767 decide every double; the rest is sticky */
#define MAX_EXPONENT 99999 /* larger ones are infinite or nothing anyway */
#define SHIFT        50    /* of decimal digits, in 64 bits */

/* 0.ddd... x 10^point; sticky: not all digits are here. */
typedef struct decimal {
    int n;
    int64_t point;
    int sticky;
    unsigned char digits[MAX_DIGITS];
} decimal;

/* -- reading the text ------------------------------------------------------ */

static void put_digit(decimal *d, char c)
{
    if (d->n == 0 && c == '0')
        return;
    if (d->n < MAX_DIGITS)
        d->digits[d->n++] = (unsigned char) (c - '0');
    else
        d->sticky |= c != '0';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits and a point; returns their length, 0 if there is no digit. */
static size_t scan_digits(const char *text, size_t size, decimal *out)
{
    size_t i = 0, digits = 0;
    int64_t whole = 0, leading = 0;

    for (; i < size && is_digit(text[i]); i++, digits++) {
        put_digit(out, text[i]);
        whole += out->n > 0;
    }
    if (i < size && text[i] == '.') {
        for (i++; i < size && is_digit(text[i]); i++, digits++) {
            put_digit(out, text[i]);
            leading += out->n == 0;
        }
    }
    out->point = whole - leading;
    return digits > 0 ? i : 0;
}

/* "e", a sign, digits: the length, 0 where there are none. */
static size_t scan_exponent(const char *text, size_t size, int64_t *out)
{
    size_t i = 1, first;
    int64_t value = 0;
    int negative = 0;

    if (size < 2 || (text[0] != 'e' && text[0] != 'E'))
        return 0;
    if (text[1] == '+' || text[1] == '-') {
        negative = text[1] == '-';
        i++;
    }
    for (first = i; i < size && is_digit(text[i]); i++) {
        if (value <= MAX_EXPONENT)
            value = value * 10 + (text[i] - '0');
    }
    *out = negative ? -value : value;
    return i > first ? i : 0;
}

/* -- up to 19 digits ------------------------------------------------------- */

static uint64_t power(uint64_t base, int n)
{
    uint64_t result = 1;

    while (n-- > 0)
        result *= base;
    return result;
}

/* x < 2^64 shifted up until its highest bit is set; by how much. */
static int normalize(uint64_t *x)
{
    int shift = 0;

    for (int step = 32; step > 0; step /= 2) {
        if (*x >> (64 - step) == 0) {
            *x <<= step;
            shift += step;
        }
    }
    return shift;
}

/* (high, low) / d in two steps of 32 bits (Knuth's algorithm D); high < d, and
 * d has its highest bit set. */
static uint64_t divide(uint64_t high, uint64_t low, uint64_t d,
                       uint64_t *remainder)
{
    const uint64_t d1 = d >> 32, d0 = d & UINT32_MAX;
    uint64_t quotient = 0;

    for (int shift = 32; shift >= 0; shift -= 32) {
        const uint64_t next = low >> shift & UINT32_MAX;
        uint64_t q = high / d1, r = high % d1;

        while (q > UINT32_MAX || q * d0 > (r << 32 | next)) {
            q--;
            r += d1;
            if (r > UINT32_MAX)
                break;
        }
        high = (high << 32 | next) - q * d;
        quotient = quotient << 32 | q;
    }
    *remainder = high;
    return quotient;
}

/* m / 10^k for k up to 27: the quotient has 63 bits or more, the last of which
 * stands for all that follow, so that its conversion rounds right. */
static double quotient(uint64_t m, int k)
{
    uint64_t d = power(5, k), q, rest;
    const int up = normalize(&m), d_up = normalize(&d);

    q = divide(m >> 1, m << 63, d, &rest);
    q |= rest != 0;
    return ldexp((double) q, d_up - up - 63 - k);
}

/* Whether there is a short way. */
static int convert_short(const decimal *d, double *out)
{
    const int64_t exponent = d->point - d->n;
    uint64_t m = 0;

    if (d->n > 19 || exponent < -27 || exponent > 0)
        return 0;
    for (int i = 0; i < d->n; i++)
        m = m * 10 + d->digits[i];
    if (exponent == 0)
        *out = (double) m;
    else if (m >> 53 == 0 && exponent >= -19 && FLT_EVAL_METHOD == 0)
        /* 10^19 < 2^64 and exact, 10^19 = 5^19 x 2^19. */
        *out = (double) m / (double) power(10, (int) -exponent);
    else
        *out = quotient(m, (int) -exponent);
    return 1;
}

/* -- any number ------------------------------------------------------------ */

static void trim(decimal *d)
{
    while (d->n > 0 && d->digits[d->n - 1] == 0)
        d->n--;
}

/* x 2^-bits, by long division. */
static void shift_down(decimal *d, int bits)
{
    const uint64_t mask = ((uint64_t) 1 << bits) - 1;
    uint64_t rest = 0;
    int read = 0, n = 0;

    while (rest >> bits == 0 && (read < d->n || rest != 0)) {
        rest = rest * 10 + (read < d->n ? d->digits[read] : 0);
        read++;
    }
    d->point -= read - 1;
    while (rest != 0 || read < d->n) {
        const unsigned char digit = (unsigned char) (rest >> bits);
        const uint64_t next = read < d->n ? d->digits[read] : 0;

        read++;
        if (n < MAX_DIGITS)
            d->digits[n++] = digit;
        else
            d->sticky |= digit != 0;
        rest = (rest & mask) * 10 + next;
    }
    d->n = n;
    trim(d);
}

/* x 2^bits, from the last digit. */
static void shift_up(decimal *d, int bits)
{
    uint64_t carry = 0;
    unsigned char front[24];
    int added = 0, kept;

    for (int i = d->n - 1; i >= 0; i--) {
        carry += (uint64_t) d->digits[i] << bits;
        d->digits[i] = (unsigned char) (carry % 10);
        carry /= 10;
    }
    for (; carry > 0; carry /= 10)
        front[added++] = (unsigned char) (carry % 10);
    kept = d->n + added <= MAX_DIGITS ? d->n : MAX_DIGITS - added;
    for (int i = kept; i < d->n; i++)
        d->sticky |= d->digits[i] != 0;
    memmove(d->digits + added, d->digits, (size_t) kept);
    for (int i = 0; i < added; i++)
        d->digits[i] = front[added - 1 - i];
    d->n = kept + added;
    d->point += added;
    trim(d);
}

/* The nearest whole number, of two the even one. */
static uint64_t round_whole(const decimal *d)
{
    uint64_t whole = 0;
    int up;

    for (int64_t i = 0; i < d->point; i++)
        whole = whole * 10 + (i < d->n ? d->digits[i] : 0);
    if (d->point < 0 || d->point >= d->n)
        return whole;
    up = d->digits[d->point] >= 5;
    if (d->digits[d->point] == 5 && d->point + 1 == d->n && !d->sticky)
        up = (int) (whole & 1);
    return whole + (uint64_t) up;
}

/* To [1/2, 1) x 2^exponent, by as many bits at a time as fit; then 53 bits, or
 * fewer of a subnormal number. */
static double convert_long(decimal *d)
{
    int exponent = 0;

    if (d->n == 0 || d->point < -400)
        return 0.0;
    if (d->point > 400)
        return HUGE_VAL;
    while (d->point > 0) {
        const int bits = d->point > 15 ? SHIFT : 1;

        shift_down(d, bits);
        exponent += bits;
    }
    while (d->point < 0 || d->digits[0] < 5) {
        const int bits = d->point < -15 ? SHIFT : 1;

        shift_up(d, bits);
        exponent -= bits;
    }
    for (int excess = DBL_MIN_EXP - exponent; excess > 0;) {
        const int bits = excess > SHIFT ? SHIFT : excess;

        shift_down(d, bits);
        exponent += bits;
        excess -= bits;
    }
    shift_up(d, SHIFT);
    shift_up(d, DBL_MANT_DIG - SHIFT);
    return ldexp((double) round_whole(d), exponent - DBL_MANT_DIG);
}

size_t ub__parse_double(const char *text, size_t size, double *out)
{
    size_t sign, digits, exponent_size;
    int64_t exponent = 0;
    double value;
    decimal d;

    d.n = d.sticky = 0; /* no need to clear the digits */
    sign = size > 0 && (text[0] == '+' || text[0] == '-');
    digits = scan_digits(text + sign, size - sign, &d);
    if (digits == 0)
        return 0;
    exponent_size = scan_exponent(text + sign + digits, size - sign - digits,
                                  &exponent);
    d.point += exponent_size > 0 ? exponent : 0;
    if (!convert_short(&d, &value)) {
        trim(&d);
        value = convert_long(&d);
    }
    *out = sign > 0 && text[0] == '-' ? -value : value;
    return sign + digits + exponent_size;
}
