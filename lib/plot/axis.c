/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/plot.h"

#include <math.h>
#include <string.h>

/* As many as a double has behind its first digit. */
#define MAX_DECIMALS 15.0

/* 1, 2 or 5 times a power of ten, at least `step`. */
static double round_step(double step)
{
    const double power = pow(10.0, floor(log10(step)));
    const double digit = step / power;

    /* a little slack: 2.0000000001 is 2 */
    if (digit <= 1.0 + 1e-9)
        return power;
    if (digit <= 2.0 + 1e-9)
        return 2.0 * power;
    return digit <= 5.0 + 1e-9 ? 5.0 * power : 10.0 * power;
}

static void add_tick(ub__plot_axis *axis, double value)
{
    if (axis->n < UB__PLOT_MAX_TICKS)
        axis->ticks[axis->n++] = value;
}

static void make_linear(double low, double high, const double fixed[2],
                        int wanted, ub__plot_axis *axis)
{
    double step, first;

    if (high - low <= 1e-12 * fmax(fabs(low), fabs(high))) {
        /* one number: show its surroundings */
        const double room = low == 0.0 ? 1.0 : 0.5 * fabs(low);
        low -= room;
        high += room;
    }
    step = round_step((high - low) / (double) wanted);
    axis->low = isnan(fixed[0]) ? floor(low / step + 1e-9) * step : fixed[0];
    axis->high = isnan(fixed[1]) ? ceil(high / step - 1e-9) * step : fixed[1];
    first = ceil(axis->low / step - 1e-9);
    for (int i = 0; i <= 2 * wanted + 2; i++) {
        const double tick = (first + (double) i) * step;

        if (tick > axis->high + 1e-9 * step)
            break;
        add_tick(axis, fabs(tick) < 1e-9 * step ? 0.0 : tick);
    }
    axis->decimals = (int) fmin(fmax(0.0, -floor(log10(step) + 1e-9)),
                                MAX_DECIMALS);
}

/* Ends that are not fixed move in to the ticks next to the numbers. */
static void trim_log(double low, double high, const double fixed[2],
                     ub__plot_axis *axis)
{
    int first = 0, last = axis->n - 1;

    while (isnan(fixed[0]) && first + 1 < last &&
           axis->ticks[first + 1] <= low * (1.0 + 1e-9))
        first++;
    while (isnan(fixed[1]) && last - 1 > first &&
           axis->ticks[last - 1] >= high * (1.0 - 1e-9))
        last--;
    if (isnan(fixed[0]))
        axis->low = axis->ticks[first];
    if (isnan(fixed[1]))
        axis->high = axis->ticks[last];
    axis->n = last - first + 1;
    memmove(axis->ticks, axis->ticks + first,
            (size_t) axis->n * sizeof(*axis->ticks));
}

/* Decades, or with 2 and 5 between them where there are few. */
static void make_log(double low, double high, const double fixed[2], int wanted,
                     ub__plot_axis *axis)
{
    static const double digits[] = { 1.0, 2.0, 5.0 };
    const double from = floor(log10(low) + 1e-9);
    const double to = fmax(ceil(log10(high) - 1e-9), from + 1.0);
    const int decades = (int) (to - from);
    const int n_digits = 3 * decades <= 2 * wanted ? 3 : 1;
    const int stride = decades / wanted + 1;

    axis->low = isnan(fixed[0]) ? pow(10.0, from) : fixed[0];
    axis->high = isnan(fixed[1]) ? pow(10.0, to) : fixed[1];
    for (int i = 0; i <= decades; i += stride) {
        for (int k = 0; k < n_digits; k++) {
            const double tick = digits[k] * pow(10.0, from + (double) i);

            if (tick >= axis->low * (1.0 - 1e-9) &&
                tick <= axis->high * (1.0 + 1e-9))
                add_tick(axis, tick);
        }
    }
    if (n_digits == 3 && axis->n > 2)
        trim_log(low, high, fixed, axis);
}

int ub__plot_axis_make(double low, double high, const double fixed[2], int log,
                       int wanted, ub__plot_axis *out)
{
    ub__plot_axis axis = { .log = log };

    if (!isnan(fixed[0]))
        low = fixed[0];
    if (!isnan(fixed[1]))
        high = fixed[1];
    if (!(low <= high) || isinf(low) || isinf(high) || (log && low <= 0.0))
        return 0;
    if (log)
        make_log(low, high, fixed, wanted, &axis);
    else
        make_linear(low, high, fixed, wanted, &axis);
    /* places are found by its extent, which a double may be too small for */
    if (!(axis.low < axis.high) ||
        !isfinite(log ? axis.high / axis.low : axis.high - axis.low))
        return 0;
    *out = axis;
    return 1;
}

double ub__plot_axis_place(const ub__plot_axis *axis, double value)
{
    if (axis->log)
        return log(value / axis->low) / log(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

/* Blanks between groups of three digits, in place. */
static void group_digits(char *text, size_t size)
{
    const size_t sign = text[0] == '-';
    size_t length = strlen(text);

    for (size_t at = length; at > sign + 3 && length + 1 < size; at -= 3) {
        memmove(text + at - 2, text + at - 3, length - at + 4);
        text[at - 3] = ' ';
        length++;
    }
}

void ub__plot_axis_label(const ub__plot_axis *axis, double value, char *text,
                         size_t size)
{
    const double magnitude = fabs(value);

    if (value == 0.0 && axis->decimals > 4) {
        snprintf(text, size, "0"); /* beside numbers such as 2e-05 */
    } else if (magnitude >= 1e7 || (magnitude > 0.0 && magnitude < 1e-4)) {
        snprintf(text, size, "%g", value);
    } else if (axis->log) {
        snprintf(text, size, magnitude < 1.0 ? "%g" : "%.0f", value);
        if (magnitude >= 1e4)
            group_digits(text, size);
    } else {
        snprintf(text, size, "%.*f", axis->decimals, value);
        if (axis->decimals == 0 && magnitude >= 1e4)
            group_digits(text, size);
    }
}
