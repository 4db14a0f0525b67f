/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <string.h>
#include <uboost/space.h>

#define EDGES UB_NASBENCH201_EDGES
#define NODES 4

/* Edges by their targets, as the text has them. */
static const signed char source_of[EDGES] = { 0, 0, 1, 0, 1, 2 };

static int is_cell(const int32_t *operators)
{
    if (operators == NULL)
        return 0;
    for (int i = 0; i < EDGES; i++) {
        if (operators[i] < 0 || operators[i] >= UB_NASBENCH201_OPERATORS)
            return 0;
    }
    return 1;
}

/* Whether the text begins with the word, which is then left behind. */
static int take(const char **text, const char *word)
{
    const size_t length = strlen(word);

    if (strncmp(*text, word, length) != 0)
        return 0;
    *text += length;
    return 1;
}

/* No name begins another one. */
static int take_operator(const char **text, int32_t *out)
{
    for (int32_t op = 0; op < UB_NASBENCH201_OPERATORS; op++) {
        if (take(text, ub_nasbench201_operator_name(op))) {
            *out = op;
            return 1;
        }
    }
    return 0;
}

/* What the text has behind an operator: "~1|", and between nodes "+|". */
static const char *behind(int edge)
{
    static const char text[EDGES][6] = { "~0|+|", "~0|", "~1|+|",
                                         "~0|",   "~1|", "~2|" };

    return text[edge];
}

static char *append(char *end, const char *text)
{
    const size_t length = strlen(text);

    memcpy(end, text, length + 1);
    return end + length;
}

static void write_edge(int32_t op, const char *source, char *out)
{
    if (op == UB_NASBENCH201_NONE || strcmp(source, "#") == 0) {
        append(out, "#");
    } else if (op == UB_NASBENCH201_SKIP) {
        append(out, source);
    } else {
        out = append(out, "(");
        out = append(out, source);
        out = append(out, ")@");
        append(out, ub_nasbench201_operator_name(op));
    }
}

/* Edges first .. first + n - 1, sorted and joined. */
static void write_node(int n, char edges[][UB_NASBENCH201_TEXT], char *out)
{
    int order[NODES - 1] = { 0, 1, 2 };

    for (int i = 1; i < n; i++) {
        for (int k = i; k > 0; k--) {
            const int below = order[k - 1], above = order[k];

            if (strcmp(edges[below], edges[above]) > 0) {
                order[k - 1] = above;
                order[k] = below;
            }
        }
    }
    for (int i = 0; i < n; i++) {
        out = append(out, i > 0 ? "+" : "");
        out = append(out, edges[order[i]]);
    }
}

const char *ub_nasbench201_operator_name(int32_t op)
{
    switch (op) {
    case UB_NASBENCH201_NONE: return "none";
    case UB_NASBENCH201_SKIP: return "skip_connect";
    case UB_NASBENCH201_CONV_1X1: return "nor_conv_1x1";
    case UB_NASBENCH201_CONV_3X3: return "nor_conv_3x3";
    case UB_NASBENCH201_AVG_POOL_3X3: return "avg_pool_3x3";
    default: return NULL;
    }
}

ub_status ub_nasbench201_read(const char *text, int32_t *operators)
{
    int32_t read[EDGES];

    if (text == NULL || operators == NULL || !take(&text, "|"))
        return UB_ERR_INVALID;
    for (int i = 0; i < EDGES; i++) {
        if (!take_operator(&text, &read[i]) || !take(&text, behind(i)))
            return UB_ERR_INVALID;
    }
    if (*text != '\0')
        return UB_ERR_INVALID;
    memcpy(operators, read, sizeof(read));
    return UB_OK;
}

ub_status ub_nasbench201_write(const int32_t *operators, char *text)
{
    if (!is_cell(operators) || text == NULL)
        return UB_ERR_INVALID;
    text = append(text, "|");
    for (int i = 0; i < EDGES; i++) {
        text = append(text, ub_nasbench201_operator_name(operators[i]));
        text = append(text, behind(i));
    }
    return UB_OK;
}

ub_status ub_nasbench201_canonical(const int32_t *operators, char *text)
{
    char nodes[NODES][UB_NASBENCH201_TEXT] = { "0" };
    char edges[NODES - 1][UB_NASBENCH201_TEXT];
    int edge = 0;

    if (!is_cell(operators) || text == NULL)
        return UB_ERR_INVALID;
    for (int node = 1; node < NODES; node++) {
        for (int i = 0; i < node; i++, edge++)
            write_edge(operators[edge], nodes[source_of[edge]], edges[i]);
        write_node(node, edges, nodes[node]);
    }
    append(text, nodes[NODES - 1]);
    return UB_OK;
}

ub_status ub_nasbench201_count(const int32_t *operators, int64_t side,
                               int64_t classes, int64_t *parameters,
                               int64_t *flops)
{
    int64_t n1 = 0, n3 = 0;

    if (!is_cell(operators) || side < 4 || side > 1024 || side % 4 != 0 ||
        classes < 1 || classes > 1000000)
        return UB_ERR_INVALID;
    for (int i = 0; i < EDGES; i++) {
        n1 += operators[i] == UB_NASBENCH201_CONV_1X1;
        n3 += operators[i] == UB_NASBENCH201_CONV_3X3;
    }
    if (parameters != NULL)
        *parameters = 72656 + 65 * classes + 28000 * n1 + 243040 * n3;
    if (flops != NULL)
        *flops = side * side * (7600 + 3840 * n1 + 34560 * n3) + 65 * classes;
    return UB_OK;
}
