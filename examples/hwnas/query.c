/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas/hwnas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct network {
    int64_t index; /* of NAS-Bench-201; -1 for FBNet */
    int32_t choices[UB_HWBENCH_FBNET_LAYERS];
} network;

/* Digits, with or without spaces or commas. */
static int read_ops(const hwnas *h, const char *text, int32_t *choices)
{
    const int wanted = hwnas_decisions(h);
    const char last = h->request->space == UB_HWBENCH_FBNET ? '8' : '4';
    int n = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == ' ' || *at == ',')
            continue;
        if (*at < '0' || *at > last || n == wanted) {
            n = -1;
            break;
        }
        choices[n++] = *at - '0';
    }
    if (n == wanted)
        return 1;
    fprintf(stderr, "--ops %s: expected %d digits from 0 to %c\n", text, wanted,
            last);
    return 0;
}

static int find_network(const hwnas *h, network *out)
{
    const hwnas_request *r = h->request;
    ub_status status = UB_OK;

    out->index = r->index;
    if (r->ops != NULL && !read_ops(h, r->ops, out->choices))
        return 0;
    if (r->space == UB_HWBENCH_FBNET)
        return 1;
    if (r->ops != NULL)
        out->index = ub_nasbench201_index(ub_hwbench_order(h->bench),
                                          out->choices);
    else if (r->arch != NULL)
        out->index = ub_nasbench201_find(ub_hwbench_order(h->bench), r->arch);
    if (out->index < 0) {
        fprintf(stderr, "--arch %s: not a cell of NAS-Bench-201\n", r->arch);
        return 0;
    }
    status = ub_nasbench201_get(ub_hwbench_order(h->bench), out->index,
                                out->choices);
    return status == UB_OK || hwnas_failed(h, status);
}

static ub_status get(const hwnas *h, const network *n, int64_t metric,
                     ub_hwbench_value *value)
{
    if (n->index >= 0)
        return ub_hwbench_get(h->bench, metric, n->index, value);
    return ub_hwbench_get_fbnet(h->bench, metric, n->choices, value);
}

static int print_network(const hwnas *h, const network *n)
{
    char text[UB_NASBENCH201_TEXT], digits[32];

    hwnas_digits(h, n->choices, digits);
    if (n->index < 0) {
        printf("FBNet %s on %s\n", digits,
               ub_hwbench_dataset_name(h->request->dataset));
        for (int i = 0; i < UB_HWBENCH_FBNET_LAYERS; i++)
            printf("%s%s", i > 0 ? " " : "",
                   ub_hwbench_fbnet_operator_name(n->choices[i]));
        printf("\n\n");
        return 1;
    }
    if (ub_nasbench201_write(n->choices, text) != UB_OK)
        return 0;
    printf("NAS-Bench-201 number %lld (%s) on %s\n%s\n\n", (long long) n->index,
           digits, ub_hwbench_dataset_name(h->request->dataset), text);
    return 1;
}

static void print_value(const ub_hwbench_metric *metric,
                        const ub_hwbench_value *value)
{
    if (value->state == UB_HWBENCH_KNOWN)
        printf("%-32s %15.8g %s\n", metric->name, value->value, metric->unit);
    else
        printf("%-32s %15s\n", metric->name,
               value->state == UB_HWBENCH_FAILED ? "did not compile"
                                                 : "unknown");
}

int hwnas_query(const hwnas *h)
{
    json_t *root = h->request->json ? json_object() : NULL;
    network n = { .index = -1 };
    int done = find_network(h, &n) &&
               (h->request->network == NULL ||
                hwnas_write_network(h, n.choices, h->request->network)) &&
               (root != NULL || print_network(h, &n));

    for (int64_t i = 0; i < ub_hwbench_metrics(h->bench) && done; i++) {
        const ub_hwbench_metric metric = hwnas_metric(h, i);
        ub_hwbench_value value;
        ub_status status;

        if (metric.dataset != h->request->dataset)
            continue;
        status = get(h, &n, i, &value);
        if (status != UB_OK)
            done = hwnas_failed(h, status);
        else if (root != NULL)
            done = json_object_set_new(root, metric.name,
                                       hwnas_number(value.value)) == 0;
        else
            print_value(&metric, &value);
    }
    if (root == NULL)
        return done;
    if (done)
        return hwnas_print_json(root);
    json_decref(root);
    return 0;
}
