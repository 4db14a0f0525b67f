/* SPDX-License-Identifier: BSD-2-Clause */
/* What folders of runs with other options than the main ones are called. */
#include "pareto_cifar10/pareto_cifar10.h"

#include <inttypes.h>
#include <string.h>

static int rank_of(const char *label)
{
    static const char *const first[] = { "", PARETO_POLISHED, PARETO_SHARED };
    const int n = (int) (sizeof(first) / sizeof(first[0]));

    for (int i = 0; i < n; i++) {
        if (strcmp(label, first[i]) == 0)
            return i;
    }
    return strcmp(label, PARETO_SHARED_BASE) == 0 ? n + 1 : n;
}

int pareto_label_order(const char *a, const char *b)
{
    const int x = rank_of(a), y = rank_of(b);

    return x != y ? x - y : strcmp(a, b);
}

/* METHOD-LABEL must not be how another method, or one with a label, begins. */
static int is_method(const char *label)
{
    for (int32_t i = 0; i < PARETO_METHODS; i++) {
        const char *rest = strchr(ub_search_hardware_name(i), '-');
        const size_t n = rest ? strlen(rest + 1) : 0;

        if (rest != NULL && strncmp(label, rest + 1, n) == 0 &&
            (label[n] == '\0' || label[n] == '-'))
            return 1;
    }
    return 0;
}

int pareto_label_fits(const char *label)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

    return label[0] != '\0' && strlen(label) < PARETO_LABEL &&
           label[strspn(label, letters)] == '\0' &&
           strcmp(label, PARETO_POLISHED) != 0 &&
           strcmp(label, PARETO_SHARED) != 0 &&
           strcmp(label, PARETO_SHARED_BASE) != 0 && !is_method(label);
}

static int take_label(pareto_run *run, const char *label, size_t n)
{
    char copy[PARETO_LABEL];

    if (n == 0 || n >= sizeof(copy))
        return 0;
    memcpy(copy, label, n);
    copy[n] = '\0';
    if (!pareto_label_fits(copy) && strcmp(copy, PARETO_POLISHED) != 0 &&
        strcmp(copy, PARETO_SHARED) != 0)
        return 0;
    memcpy(run->label, copy, n + 1);
    return 1;
}

int pareto_find_label(pareto_run *run)
{
    const char *method = ub_search_hardware_name(run->method);
    const size_t before = strlen(method), all = strlen(run->name);
    char end[PARETO_NAME], base[PARETO_NAME];
    size_t after;

    run->label[0] = '\0';
    snprintf(base, sizeof(base), "%s-" PARETO_SHARED "-seed%" PRId64, method,
             run->seed);
    snprintf(end, sizeof(end), "-lambda%g-seed%" PRId64, run->lambda,
             run->seed);
    after = strlen(end);
    if (strcmp(run->name, base) == 0) {
        memcpy(run->label, PARETO_SHARED_BASE, sizeof(PARETO_SHARED_BASE));
        return 1;
    }
    if (all < before + after || strncmp(run->name, method, before) != 0 ||
        strcmp(run->name + all - after, end) != 0)
        return 0;
    if (all == before + after)
        return 1;
    return run->name[before] == '-' &&
           take_label(run, run->name + before + 1, all - after - before - 1);
}

pareto_text pareto_row_name(int32_t method, const char *label)
{
    pareto_text name;

    snprintf(name.text, sizeof(name.text), "%s%s%s",
             ub_search_hardware_name(method), label[0] ? ", " : "", label);
    return name;
}
