/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "-9223372036854775808" and a space */
#define NUMBER_TEXT 21
/* Adam counts in double; and the count must have room to go on. */
#define STEPS_MAX   ((int64_t) 1 << 53)

static const char *moment_name(const ub_optimizer *optimizer, int moment)
{
    if (optimizer->options.kind == UB_OPTIMIZER_SGD)
        return "velocity";
    return moment == 0 ? "first_moment" : "second_moment";
}

static void state_name(const ub_optimizer *optimizer, int64_t index, int moment,
                       char name[64])
{
    snprintf(name, 64, "%" PRId64 ".%s", index, moment_name(optimizer, moment));
}

static ub_status save_moment(const ub_optimizer *optimizer, int64_t index,
                             int moment, ub_archive *archive,
                             const char *prefix)
{
    char name[64];
    char *joined;
    ub_status status;

    state_name(optimizer, index, moment, name);
    joined = ub__name_join(optimizer->context, prefix, "", name);
    if (joined == NULL)
        return UB_ERR_NOMEM;
    status = ub_archive_add(archive, joined,
                            optimizer->slots[index].moments[moment]);
    ub__free(optimizer->context, joined);
    return status;
}

/* The step counts, separated by spaces. */
static char *format_steps(const ub_optimizer *optimizer)
{
    char *text, *end;

    text = ub__alloc(optimizer->context, (size_t) optimizer->count + 1,
                     NUMBER_TEXT);
    if (text == NULL)
        return NULL;
    text[0] = '\0';
    end = text;
    for (int64_t i = 0; i < optimizer->count; i++)
        end += snprintf(end, NUMBER_TEXT + 1, "%s%" PRId64, i > 0 ? " " : "",
                        optimizer->slots[i].steps);
    return text;
}

/* One count; the text moves behind it. */
static int parse_count(const char **text, int64_t *out)
{
    const char *at = *text;
    int64_t value = 0;

    if (*at < '0' || *at > '9')
        return 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = 10 * value + (*at - '0');
        if (value > STEPS_MAX)
            return 0;
    }
    *text = at;
    *out = value;
    return 1;
}

static int parse_steps(const char *text, int64_t n, int64_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && *text++ != ' ')
            return 0;
        if (!parse_count(&text, &out[i]))
            return 0;
    }
    return *text == '\0';
}

static ub_status load_steps(const ub_optimizer *optimizer,
                            const ub_archive *archive, const char *prefix,
                            int64_t *out)
{
    char *key = ub__name_join(optimizer->context, prefix, "", "steps");
    const char *text;
    ub_status status = UB_OK;

    if (key == NULL)
        return UB_ERR_NOMEM;
    text = ub_archive_text(archive, key);
    if (text == NULL || !parse_steps(text, optimizer->count, out))
        status = ub__fail(optimizer->context, UB_ERR_FORMAT,
                          "archive: the text %s does not hold the steps of "
                          "%lld variables",
                          key, (long long) optimizer->count);
    ub__free(optimizer->context, key);
    return status;
}

static ub_status find_moments(const ub_optimizer *optimizer,
                              const ub_archive *archive, const char *prefix,
                              ub_tensor **found)
{
    int moments = ub__optimizer_moments(optimizer);

    for (int64_t i = 0; i < moments * optimizer->count; i++) {
        int moment = (int) (i % moments);
        char name[64];
        ub_status status;

        state_name(optimizer, i / moments, moment, name);
        status = ub__archive_need(optimizer->context, archive, prefix, name,
                                  optimizer->slots[i / moments].moments[moment],
                                  &found[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* Shapes have been checked: copying cannot fail. */
static ub_status take_state(ub_optimizer *optimizer, ub_tensor *const *found,
                            const int64_t *steps)
{
    int moments = ub__optimizer_moments(optimizer);
    ub_status status = UB_OK;

    for (int64_t i = 0; status == UB_OK && i < moments * optimizer->count; i++)
        status = ub_tensor_copy(
            optimizer->slots[i / moments].moments[i % moments], found[i]);
    for (int64_t i = 0; status == UB_OK && i < optimizer->count; i++)
        optimizer->slots[i].steps = steps[i];
    return status;
}

ub_status ub_optimizer_save(const ub_optimizer *optimizer, ub_archive *archive,
                            const char *prefix)
{
    char *key = NULL, *steps = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (optimizer == NULL || archive == NULL)
        return UB_ERR_INVALID;
    key = ub__name_join(optimizer->context, prefix, "", "steps");
    if (key == NULL)
        goto done;
    steps = format_steps(optimizer);
    if (steps == NULL)
        goto done;
    status = ub_archive_set_text(archive, key, steps);
    for (int64_t i = 0; i < optimizer->count; i++) {
        for (int m = 0; m < ub__optimizer_moments(optimizer); m++) {
            if (status == UB_OK)
                status = save_moment(optimizer, i, m, archive, prefix);
        }
    }
done:
    ub__free(optimizer->context, steps);
    ub__free(optimizer->context, key);
    return status;
}

ub_status ub_optimizer_load(ub_optimizer *optimizer, const ub_archive *archive,
                            const char *prefix)
{
    ub_tensor **found = NULL;
    int64_t *steps = NULL;
    ub_status status = UB_ERR_NOMEM;
    size_t n;

    if (optimizer == NULL || archive == NULL)
        return UB_ERR_INVALID;
    n = (size_t) optimizer->count;
    steps = ub__calloc(optimizer->context, n, sizeof *steps);
    if (steps == NULL)
        goto done;
    found = ub__calloc(optimizer->context,
                       n * (size_t) ub__optimizer_moments(optimizer),
                       sizeof *found);
    if (found == NULL)
        goto done;
    status = load_steps(optimizer, archive, prefix, steps);
    if (status == UB_OK)
        status = find_moments(optimizer, archive, prefix, found);
    if (status == UB_OK)
        status = take_state(optimizer, found, steps);
done:
    ub__free(optimizer->context, found);
    ub__free(optimizer->context, steps);
    return status;
}
