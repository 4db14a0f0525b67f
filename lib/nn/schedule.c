/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static const ub_schedule defaults = {
    .size = sizeof(ub_schedule),
    .kind = UB_SCHEDULE_CONSTANT,
    .rate = 0.1,
    .gamma = 0.5,
    .step_size = 1,
    .total_steps = 1,
    .warmup = 0.3,
    .div = 25.0,
    .final_div = 1e4,
};

/* Size of the struct in the first release. */
#define SCHEDULE_V1 sizeof(ub_schedule)

static int is_positive(double value)
{
    return isfinite(value) && value > 0.0;
}

static int is_not_negative(double value)
{
    return isfinite(value) && value >= 0.0;
}

/* The first field out of its range, or NULL. */
static const char *find_fault(const ub_schedule *s)
{
    if (!is_not_negative(s->rate))
        return "rate";
    if (s->reserved != 0)
        return "reserved";
    switch (s->kind) {
    case UB_SCHEDULE_CONSTANT: return NULL;
    case UB_SCHEDULE_STEP:
        if (!is_not_negative(s->gamma))
            return "gamma";
        return s->step_size < 1 ? "step_size" : NULL;
    case UB_SCHEDULE_COSINE:
        if (!is_not_negative(s->minimum))
            return "minimum";
        return s->total_steps < 1 ? "total_steps" : NULL;
    case UB_SCHEDULE_ONE_CYCLE:
        if (!(s->warmup >= 0.0 && s->warmup <= 1.0))
            return "warmup";
        if (!is_positive(s->div))
            return "div";
        if (!is_positive(s->final_div))
            return "final_div";
        return s->total_steps < 1 ? "total_steps" : NULL;
    default: return "kind";
    }
}

/* From one rate to another by half a cosine; part in [0, 1]. */
static double anneal(double from, double to, double part)
{
    return to + (from - to) / 2.0 * (1.0 + cos(pi * part));
}

static double clamp_part(double part)
{
    return part < 0.0 ? 0.0 : part > 1.0 ? 1.0 : part;
}

static double one_cycle(const ub_schedule *s, int64_t step)
{
    double last = (double) s->total_steps - 1.0;
    double top = s->warmup * (double) s->total_steps - 1.0;
    double first_rate = s->rate / s->div;
    double now = (double) step < last ? (double) step : last;

    if (now <= top)
        return top > 0.0 ? anneal(first_rate, s->rate, now / top) : s->rate;
    return anneal(s->rate, first_rate / s->final_div,
                  (now - top) / (last - top));
}

/* Without a context it reports by its status only. */
static ub_status read_schedule(ub_context *context, const ub_schedule *schedule,
                               ub_schedule *full)
{
    const char *fault;
    ub_status status;

    if (schedule == NULL)
        return ub__fail(context, UB_ERR_INVALID, "schedule: NULL");
    *full = defaults;
    status = ub__options_in(context, "schedule", full, sizeof *full,
                            SCHEDULE_V1, schedule);
    if (status != UB_OK)
        return status;
    fault = find_fault(full);
    if (fault != NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "schedule: %s is out of its range", fault);
    return UB_OK;
}

void ub_schedule_init(ub_schedule *schedule, size_t size)
{
    ub__options_out(schedule, size, &defaults, sizeof defaults);
}

ub_status ub_schedule_check(ub_context *context, const ub_schedule *schedule)
{
    ub_schedule full;

    return context == NULL ? UB_ERR_INVALID
                           : read_schedule(context, schedule, &full);
}

double ub_schedule_rate(const ub_schedule *schedule, int64_t step)
{
    ub_schedule s;

    if (read_schedule(NULL, schedule, &s) != UB_OK)
        return (double) NAN;
    if (step < 0)
        step = 0;
    switch (s.kind) {
    case UB_SCHEDULE_STEP:
        return s.rate * pow(s.gamma, (double) (step / s.step_size));
    case UB_SCHEDULE_COSINE:
        return anneal(s.rate, s.minimum,
                      clamp_part((double) step / (double) s.total_steps));
    case UB_SCHEDULE_ONE_CYCLE: return one_cycle(&s, step);
    default: return s.rate;
    }
}
