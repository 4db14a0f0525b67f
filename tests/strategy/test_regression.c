/* SPDX-License-Identifier: BSD-2-Clause */
#include "foxnas.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/strategy.h>

static ub_regression *fit(ub_context *context, int64_t n, int64_t k,
                          const double *x, const double *y)
{
    ub_regression *regression = NULL;

    assert_int_equal(ub_regression_create(context, n, k, x, y, &regression),
                     UB_OK);
    return regression;
}

static ub_regression_stats stats_of(const ub_regression *regression)
{
    ub_regression_stats stats = { .size = sizeof(stats) };

    ub_regression_stats_get(regression, &stats);
    return stats;
}

/* -- made-up numbers ------------------------------------------------------ */

/* Longley, "An Appraisal of Least Squares Programs for the Electronic Computer
 * from the Point of View of the User", Journal of the American Statistical
 * Association 62(319), 1967; the results are those that NIST certifies. */
#define LONGLEY 16

static const double longley_x[LONGLEY][6] = {
    { 83.0, 234289, 2356, 1590, 107608, 1947 },
    { 88.5, 259426, 2325, 1456, 108632, 1948 },
    { 88.2, 258054, 3682, 1616, 109773, 1949 },
    { 89.5, 284599, 3351, 1650, 110929, 1950 },
    { 96.2, 328975, 2099, 3099, 112075, 1951 },
    { 98.1, 346999, 1932, 3594, 113270, 1952 },
    { 99.0, 365385, 1870, 3547, 115094, 1953 },
    { 100.0, 363112, 3578, 3350, 116219, 1954 },
    { 101.2, 397469, 2904, 3048, 117388, 1955 },
    { 104.6, 419180, 2822, 2857, 118734, 1956 },
    { 108.4, 442769, 2936, 2798, 120445, 1957 },
    { 110.8, 444546, 4681, 2637, 121950, 1958 },
    { 112.6, 482704, 3813, 2552, 123366, 1959 },
    { 114.2, 502601, 3931, 2514, 125368, 1960 },
    { 115.7, 518173, 4806, 2572, 127852, 1961 },
    { 116.9, 554894, 4007, 2827, 130081, 1962 },
};

static const double longley_y[LONGLEY] = { 60323, 61122, 60171, 61187,
                                           63221, 63639, 64989, 63761,
                                           66019, 67857, 68169, 66513,
                                           68655, 69564, 69331, 70551 };

static const double longley_b[] = { -3482258.63459582,   15.0618722713733,
                                    -0.0358191792925910, -2.02022980381683,
                                    -1.03322686717359,   -0.0511041056535807,
                                    1829.15146461355 };
static const double longley_e[] = { 890420.383607373,   84.9149257747669,
                                    0.0334910077722432, 0.488399681651699,
                                    0.214274163161675,  0.226073200069370,
                                    455.478499142212 };

/* The condition number is 5e9, so that six of sixteen digits are left; there
 * are more in practice. */
static void test_longley(void **state)
{
    ub_context *context = test_context(1);
    ub_regression *r = fit(context, LONGLEY, 6, longley_x[0], longley_y);
    const ub_regression_stats stats = stats_of(r);
    double coefficients[7], errors[7];

    (void) state;
    ub_regression_coefficients(r, coefficients, errors);
    for (int k = 0; k < 7; k++) {
        assert_close(coefficients[k], longley_b[k], 1e-8 * fabs(longley_b[k]));
        assert_close(errors[k], longley_e[k], 1e-8 * longley_e[k]);
    }
    assert_close(stats.r2, 0.995479004577296, 1e-13);
    assert_close(stats.residual_error, 304.854073561965, 1e-8);
    assert_int_equal(stats.rows, LONGLEY);
    assert_int_equal(stats.features, 6);
    assert_int_equal(stats.rank, 7);
    ub_regression_destroy(&r);
    ub_context_destroy(&context);
}

/* Indicators of two decisions of three and two choices: the last of each
 * depends on the others. */
static void test_indicators(void **state)
{
    static const double worth[] = { 1.0, 4.0, 2.5, -3.0, 0.5 };
    ub_context *context = test_context(1);
    double x[6][5] = { { 0.0 } }, y[6], coefficients[6], errors[6];
    ub_regression *r;

    (void) state;
    for (int i = 0; i < 6; i++) {
        x[i][i / 2] = x[i][3 + i % 2] = 1.0;
        y[i] = 10.0 + worth[i / 2] + worth[3 + i % 2];
    }
    r = fit(context, 6, 5, x[0], y);
    ub_regression_coefficients(r, coefficients, errors);
    assert_int_equal(stats_of(r).rank, 4);
    assert_close(coefficients[0], 13.0, 1e-12); /* the last of each */
    assert_close(coefficients[1], -1.5, 1e-12);
    assert_close(coefficients[2], 1.5, 1e-12);
    assert_true(coefficients[3] == 0.0 && isnan(errors[3]));
    assert_close(coefficients[4], -3.5, 1e-12);
    assert_true(coefficients[5] == 0.0 && isnan(errors[5]));
    for (int i = 0; i < 6; i++)
        assert_close(ub_regression_predict(r, x[i]), y[i], 1e-12);
    ub_regression_destroy(&r);
    ub_context_destroy(&context);
}

/* Fewer rows than features: those are met, and no error is known. */
static void test_few_rows(void **state)
{
    static const double x[2][3] = { { 1.0, 2.0, 0.0 }, { 3.0, 1.0, 5.0 } };
    static const double y[] = { 7.0, -1.0 };
    ub_context *context = test_context(1);
    ub_regression *r = fit(context, 2, 3, x[0], y);
    double errors[4];

    (void) state;
    ub_regression_coefficients(r, NULL, errors);
    assert_int_equal(stats_of(r).rank, 2);
    assert_true(isnan(stats_of(r).residual_error) && isnan(errors[0]));
    for (int i = 0; i < 2; i++)
        assert_close(ub_regression_predict(r, x[i]), y[i], 1e-13);
    ub_regression_destroy(&r);
    r = fit(context, 1, 0, NULL, y);
    assert_close(ub_regression_predict(r, NULL), 7.0, 0.0);
    assert_true(isnan(stats_of(r).r2));
    ub_regression_destroy(&r);
    ub_regression_destroy(&r);
    ub_regression_destroy(NULL);
    ub_context_destroy(&context);
}

/* What is explained does not depend on the unit of y, however large or small
 * its squares; of a constant nothing can be, also where its mean is rounded. */
static void test_explained(void **state)
{
    static const double x[] = { 1.0, 2.0, 4.0, 7.0, 11.0, 3.0 };
    static const double y[] = { 1.0, -3.0, 2.0, 5.0, -7.0, 1.0 };
    static const double units[] = { 0x1p0, 0x1p600, 0x1p-600 };
    ub_context *context = test_context(1);
    double constant[6], scaled[6], r2 = 0.0;
    ub_regression *r;

    (void) state;
    for (int u = 0; u < 3; u++) {
        for (int i = 0; i < 6; i++)
            scaled[i] = units[u] * y[i];
        r = fit(context, 6, 1, x, scaled);
        r2 = u == 0 ? stats_of(r).r2 : r2;
        assert_true(r2 > 0.1 && r2 < 0.2 && stats_of(r).r2 == r2);
        ub_regression_destroy(&r);
    }
    for (int i = 0; i < 6; i++)
        constant[i] = 0.1;
    r = fit(context, 6, 1, x, constant);
    assert_true(isnan(stats_of(r).r2));
    ub_regression_destroy(&r);
    ub_context_destroy(&context);
}

static void test_refused(void **state)
{
    ub_context *context = test_context(1);
    const double x[] = { 1.0, 2.0 }, y[] = { 1.0, NAN };
    const double infinite[] = { 1.0, INFINITY };
    const double huge[] = { -1e308, 1e308 }, tiny[] = { 0.0, 1e-300 };
    ub_regression *r = NULL;

    (void) state;
    assert_int_equal(ub_regression_create(context, 0, 1, x, x, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_regression_create(context, 2, -1, x, x, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_regression_create(context, 2, INT64_MAX, x, x, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_regression_create(context, 2, 1, NULL, x, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_regression_create(context, 2, 1, x, NULL, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_regression_create(context, 2, 1, x, x, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_regression_create(NULL, 2, 1, x, x, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_regression_create(context, 2, 1, x, y, &r),
                     UB_ERR_NUMERIC);
    assert_int_equal(ub_regression_create(context, 2, 1, infinite, x, &r),
                     UB_ERR_NUMERIC);
    assert_int_equal(ub_regression_create(context, 2, 1, tiny, huge, &r),
                     UB_ERR_NUMERIC);
    assert_null(r);
    ub_context_destroy(&context);
}

static ub_status create_and_destroy(ub_context *context, void *arg)
{
    ub_regression *r = NULL;
    const ub_status status = ub_regression_create(context, LONGLEY, 6,
                                                  longley_x[0], longley_y, &r);

    (void) arg;
    ub_regression_destroy(&r);
    return status;
}

static void test_memory(void **state)
{
    (void) state;
    assert_survives_oom(create_and_destroy, 1, NULL);
}

/* -- FOX-NAS -------------------------------------------------------------- */

#define ROWS    300
#define COLUMNS 40 /* of the file that are of interest */

/* Networks measured by FOX-NAS's authors. */
typedef struct measured {
    double variables[ROWS][FOX_VARIABLES];
    double metrics[2][ROWS]; /* accuracy in %, latency in ms */
} measured;

static measured *read_measured(void)
{
    static const int first[] = { 5, 10, 25, 20, 35 }; /* columns */
    measured *m;
    char *text, *line, *end;
    int row = 0;

    if (test_data("") == NULL)
        return NULL;
    m = calloc(1, sizeof(*m));
    assert_non_null(m);
    text = test_file_read(test_data("foxnas/model_data_CPU_256.csv"));
    for (line = strchr(text, '\n') + 1; *line != '\0'; line = end + 1, row++) {
        double values[COLUMNS];

        assert_true(row < ROWS);
        end = strchr(line, '\n');
        for (int k = 0; k < COLUMNS; k++, line++)
            values[k] = strtod(line, &line);
        for (int v = 0; v < FOX_VARIABLES; v++)
            m->variables[row][v] =
                values[first[v / FOX_STAGES] + v % FOX_STAGES];
        m->metrics[0][row] = values[1];
        m->metrics[1][row] = values[2];
    }
    assert_int_equal(row, ROWS);
    free(text);
    return m;
}

/* The terms of rows, side by side. */
static int64_t terms_of(const measured *m, int predictor, const int64_t *rows,
                        int64_t n, double *x)
{
    int64_t k = 0;

    for (int64_t i = 0; i < n; i++, x += k)
        k = fox_terms(predictor, m->variables[rows[i]], x);
    return k;
}

/* Predict a fold of the shuffled rows from the others. */
static void predict_fold(ub_context *context, const measured *m, int predictor,
                         const double *metric, const int64_t *order, int fold,
                         double *predicted)
{
    static double x[ROWS * FOX_TERMS];
    double y[ROWS];
    int64_t rest[ROWS], n = 0, k;
    ub_regression *r;

    for (int i = 0; i < ROWS; i++) {
        if (i % 10 != fold)
            rest[n++] = order[i];
    }
    k = terms_of(m, predictor, rest, n, x);
    for (int64_t i = 0; i < n; i++)
        y[i] = metric[rest[i]];
    r = fit(context, n, k, x, y);
    for (int i = fold; i < ROWS; i += 10) {
        fox_terms(predictor, m->variables[order[i]], x);
        predicted[order[i]] = ub_regression_predict(r, x);
    }
    ub_regression_destroy(&r);
}

/* The mean of Kendall's tau of what ten folds predict of each other, over five
 * ways to fold. */
static double cross_validate(ub_context *context, const measured *m,
                             int predictor, const double *metric)
{
    double predicted[ROWS], sum = 0.0;
    int64_t order[ROWS];
    ub_rng rng;

    ub_rng_init(&rng, 1, 0);
    for (int i = 0; i < ROWS; i++)
        order[i] = i;
    for (int repeat = 0; repeat < 5; repeat++) {
        double tau;

        ub_rng_shuffle(&rng, order, ROWS);
        for (int fold = 0; fold < 10; fold++)
            predict_fold(context, m, predictor, metric, order, fold, predicted);
        assert_int_equal(ub_kendall_tau(context, ROWS, predicted, metric, &tau),
                         UB_OK);
        sum += tau / 5.0;
    }
    return sum;
}

/* Known: 0.868 and 0.926; with main effects only 0.823 and 0.863. */
static void test_cross_validation(void **state)
{
    static const double least[] = { 0.85, 0.91 };
    ub_context *context = test_context(1);
    measured *m = read_measured();

    (void) state;
    if (m == NULL) {
        ub_context_destroy(&context);
        skip();
    }
    for (int k = 0; k < 2; k++) {
        const int predictor = k == 0 ? FOX_ACCURACY : FOX_LATENCY;
        const double tau = cross_validate(context, m, predictor, m->metrics[k]);
        const double main = cross_validate(context, m, FOX_MAIN_EFFECTS,
                                           m->metrics[k]);

        print_message("tau %.4f, of main effects only %.4f\n", tau, main);
        assert_true(tau >= least[k]);
        assert_true(tau > main + 0.02);
    }
    free(m);
    ub_context_destroy(&context);
}

/* Normal equations of centred columns, by Cholesky, with as many digits as
 * there are. */
static void reference(int64_t k, const double *x, const double *y, double *b)
{
    static long double a[FOX_TERMS][FOX_TERMS], z[FOX_TERMS], mean[FOX_TERMS];
    long double mean_y = 0.0L, first;

    for (int64_t i = 0; i < k; i++) {
        z[i] = mean[i] = 0.0L;
        for (int row = 0; row < ROWS; row++)
            mean[i] += (long double) x[row * k + i] / ROWS;
    }
    for (int row = 0; row < ROWS; row++)
        mean_y += (long double) y[row] / ROWS;
    for (int64_t i = 0; i < k; i++) {
        for (int row = 0; row < ROWS; row++)
            z[i] += (x[row * k + i] - mean[i]) * (y[row] - mean_y);
        for (int64_t j = 0; j <= i; j++) {
            a[i][j] = 0.0L;
            for (int row = 0; row < ROWS; row++)
                a[i][j] += (x[row * k + i] - mean[i]) *
                           (x[row * k + j] - mean[j]);
        }
    }
    for (int64_t j = 0; j < k; j++) {
        for (int64_t i = j; i < k; i++) {
            for (int64_t l = 0; l < j; l++)
                a[i][j] -= a[i][l] * a[j][l];
            a[i][j] /= i == j ? sqrtl(a[i][j]) : a[j][j];
        }
        for (int64_t l = 0; l < j; l++)
            z[j] -= a[j][l] * z[l];
        z[j] /= a[j][j];
    }
    for (int64_t i = k - 1; i >= 0; i--) {
        for (int64_t l = i + 1; l < k; l++)
            z[i] -= a[l][i] * z[l];
        z[i] /= a[i][i];
    }
    first = mean_y;
    for (int64_t i = 0; i < k; i++) {
        first -= z[i] * mean[i];
        b[i + 1] = (double) z[i];
    }
    b[0] = (double) first;
}

static void test_reference(void **state)
{
    static const double r2[] = { 0.947, 0.990 };
    ub_context *context = test_context(1);
    measured *m = read_measured();

    (void) state;
    if (m == NULL) {
        ub_context_destroy(&context);
        skip();
    }
    for (int which = 0; which < 2; which++) {
        static double x[ROWS * FOX_TERMS];
        double b[FOX_TERMS + 1], expected[FOX_TERMS + 1];
        int64_t rows[ROWS], k;
        ub_regression *r;

        for (int i = 0; i < ROWS; i++)
            rows[i] = i;
        k = terms_of(m, which == 0 ? FOX_ACCURACY : FOX_LATENCY, rows, ROWS, x);
        r = fit(context, ROWS, k, x, m->metrics[which]);
        reference(k, x, m->metrics[which], expected);
        ub_regression_coefficients(r, b, NULL);
        for (int64_t i = 0; i <= k; i++)
            assert_close(b[i], expected[i], 1e-8);
        assert_int_equal(stats_of(r).rank, k + 1);
        assert_close(stats_of(r).r2, r2[which], 0.0005);
        ub_regression_destroy(&r);
    }
    free(m);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longley),
        cmocka_unit_test(test_indicators),
        cmocka_unit_test(test_few_rows),
        cmocka_unit_test(test_explained),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_cross_validation),
        cmocka_unit_test(test_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
