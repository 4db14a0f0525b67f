/* SPDX-License-Identifier: BSD-2-Clause */
#include "tables.h"

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t nb201_code(const int32_t *choices)
{
    int64_t code = 0;

    for (int e = 0; e < NB201_EDGES; e++)
        code = code * NB201_OPERATORS + choices[e];
    return code;
}

void nb201_choices(int64_t code, int32_t *choices)
{
    for (int e = NB201_EDGES - 1; e >= 0; e--) {
        choices[e] = (int32_t) (code % NB201_OPERATORS);
        code /= NB201_OPERATORS;
    }
}

double nb201_macs(const int32_t *choices)
{
    int conv_1x1 = 0, conv_3x3 = 0; /* counted, so that ties are exact */

    for (int e = 0; e < NB201_EDGES; e++) {
        conv_1x1 += choices[e] == 2;
        conv_3x3 += choices[e] == 3;
    }
    return 7.78 + 35.39 * conv_3x3 + 3.93 * conv_1x1;
}

/* "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|": every name ends in '~'. */
static int64_t code_of(const char *cell)
{
    static const char *const names[NB201_OPERATORS] = {
        "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"
    };
    int32_t choices[NB201_EDGES];

    for (int e = 0; e < NB201_EDGES; e++) {
        size_t length;
        int32_t op = 0;

        cell += strspn(cell, "|+0123456789~");
        length = strcspn(cell, "~");
        while (op < NB201_OPERATORS && (strlen(names[op]) != length ||
                                        strncmp(names[op], cell, length) != 0))
            op++;
        assert_true(op < NB201_OPERATORS);
        choices[e] = op;
        cell += length;
    }
    return nb201_code(choices);
}

/* The cell is in column 1; the values wanted are in columns[]. */
static void read_table(const char *name, const char *separator,
                       const int *columns, double out[][NB201_CELLS])
{
    char *text = test_file_read(test_data(name)), *line_end;
    char *line = strchr(text, '\n') + 1; /* behind the titles */
    int64_t rows = 0;

    for (; (line_end = strchr(line, '\n')) != NULL; line = line_end + 1) {
        int64_t code = -1;
        int column = 0;

        *line_end = '\0';
        for (char *field = strtok(line, separator); field != NULL;
             field = strtok(NULL, separator), column++) {
            if (column == 1)
                code = code_of(field);
            for (int k = 0; k < NB201_DATASETS; k++) {
                if (column == columns[k])
                    out[k][code] = strtod(field, NULL);
            }
        }
        rows++;
    }
    assert_int_equal(rows, NB201_CELLS);
    free(text);
}

struct nb201 *nb201_read(void)
{
    static const int val12[] = { 3, 5, 7 }, test200[] = { 2, 3, 4 };
    struct nb201 *tables;

    if (test_data("") == NULL)
        return NULL;
    tables = calloc(1, sizeof(*tables));
    assert_non_null(tables);
    read_table("hwnas/nb201_12epoch_accuracy.tsv", "\t", val12, tables->val12);
    read_table("hwnas/nb201_accuracy.csv", ",", test200, tables->test200);
    for (int64_t code = 0; code < NB201_CELLS; code++)
        assert_true(tables->val12[0][code] > 0.0 &&
                    tables->test200[0][code] > 0.0);
    return tables;
}
