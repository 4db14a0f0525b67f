/* SPDX-License-Identifier: BSD-2-Clause */
#include "scene.h"

#include "base/context.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

/* Against formulas in double; values and sums of some hundred terms of order 1
 * in float32. */
#define TOLERANCE 2e-5

enum { X0, X1, X3, X5, W0, B0, W3, B3, W4, B4, A, LEAVES };
#define TERMS 6

/* The leaves of a term. One x is there twice, plain and normalized; and so are
 * one weight and its bias, as of a layer that is used twice. */
static const struct {
    int x, weight, bias, relu;
} layout[TERMS] = { { X0, W0, B0, 1 }, { X1, -1, -1, 0 }, { -1, -1, -1, 0 },
                    { X3, W3, B3, 0 }, { X1, W4, B4, 1 }, { X5, W0, B0, 1 } };

/* Widths that are multiples of no vector, more threads than channels, planes
 * of one element. */
static const int64_t shapes[][4] = {
    { 2, 3, 3, 2 }, { 7, 3, 0, 0 }, { 3, 5, 7, 1 },
    { 4, 2, 9, 9 }, { 2, 4, 8, 8 }, { 40, 1, 5, 5 },
};
#define SHAPES  ((int) (sizeof shapes / sizeof *shapes))
#define LARGEST 1024 /* elements of a leaf, at most */

struct mixed {
    struct scene scene;
    int64_t batch, channels, area;
    ub_tensor *mean[TERMS], *var[TERMS];
    ub__mixed_term terms[TERMS];
};

struct expected {
    double y[LARGEST], grad[LEAVES][LARGEST];
    double mean[TERMS][LARGEST], var[TERMS][LARGEST]; /* of the batch */
};

static ub_tensor *constant(struct mixed *m, float value)
{
    ub_tensor *tensor = NULL;

    scene_ok(&m->scene,
             ub_tensor_create(m->scene.context, 1, &m->channels, &tensor));
    ub_tensor_fill(tensor, value);
    return tensor;
}

/* Number 0 to 8: threads 1, 2, 3, with the widest vectors, portable, and with
 * the vectors between. */
static void open_mixed(struct mixed *m, const int64_t shape[4], int number,
                       int training)
{
    struct scene *s = &m->scene;

    memset(m, 0, sizeof *m);
    scene_open(s, 1 + number % 3, 0);
    s->context->portable = number / 3;
    for (int i = X0; i <= X5; i++)
        scene_leaf(s, shape[0], shape[1], shape[2], shape[3]);
    for (int i = W0; i <= B4; i++)
        scene_leaf(s, shape[1], 0, 0, 0);
    scene_leaf(s, TERMS, 0, 0, 0);
    m->batch = shape[0];
    m->channels = shape[1];
    m->area = scene_count(s->leaves[X0]) / m->batch / m->channels;
    assert_true(scene_count(s->leaves[X0]) <= LARGEST);
    for (int i = 0; i < TERMS; i++) {
        ub__mixed_term *term = &m->terms[i];

        if (layout[i].x < 0)
            continue;
        term->x = s->leaves[layout[i].x];
        if (layout[i].weight < 0)
            continue;
        term->normalized = 1;
        term->weight = s->leaves[layout[i].weight];
        term->bias = s->leaves[layout[i].bias];
        term->running_mean = m->mean[i] = constant(m, 0.25f);
        term->running_var = m->var[i] = constant(m, 2.0f);
        ub_batch_norm_options_init(&term->options, sizeof term->options);
        term->options.relu = layout[i].relu;
        term->options.training = training;
    }
}

static void close_mixed(struct mixed *m)
{
    for (int i = 0; i < TERMS; i++) {
        ub_tensor_unref(&m->mean[i]);
        ub_tensor_unref(&m->var[i]);
    }
    scene_close(&m->scene);
}

static ub_status run_mixed(struct mixed *m, ub_variable **out)
{
    return ub__op_mixed_sum(m->scene.tape, "mixed sum", TERMS, m->terms,
                            m->scene.leaves[A], out);
}

static double value(const struct mixed *m, int leaf, int64_t i)
{
    return (double) scene_data(m->scene.leaves[leaf])[i];
}

static void reference_statistics(const struct mixed *m, int i,
                                 struct expected *e)
{
    const double n = (double) (m->batch * m->area);
    double *mean = e->mean[i], *var = e->var[i];

    for (int64_t k = 0; k < m->batch * m->channels * m->area; k++)
        mean[k / m->area % m->channels] += value(m, layout[i].x, k) / n;
    for (int64_t k = 0; k < m->batch * m->channels * m->area; k++) {
        const int64_t c = k / m->area % m->channels;
        const double d = value(m, layout[i].x, k) - mean[c];

        var[c] += d * d / n;
    }
}

/* The textbook formulas, term by term. */
static void reference_normalized(const struct mixed *m, int i, const float *gy,
                                 struct expected *e)
{
    const int training = m->terms[i].options.training;
    const double a = value(m, A, i), n = (double) (m->batch * m->area);
    double sum[LARGEST] = { 0 }, product[LARGEST] = { 0 };

    reference_statistics(m, i, e);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t k = 0; k < m->batch * m->channels * m->area; k++) {
            const int64_t c = k / m->area % m->channels;
            const double w = value(m, layout[i].weight, c);
            const double mean = training ? e->mean[i][c] : 0.25;
            const double var = training ? e->var[i][c] : 2.0;
            const double inverse = 1.0 / sqrt(var + 1e-5);
            const double h = (value(m, layout[i].x, k) - mean) * inverse;
            const double z = w * h + value(m, layout[i].bias, c);
            const double passes = !layout[i].relu || z > 0.0;
            const double g = passes * (double) gy[k];

            if (pass == 0) {
                e->y[k] += a * passes * z;
                e->grad[A][i] += g * z;
                e->grad[layout[i].weight][c] += a * g * h;
                e->grad[layout[i].bias][c] += a * g;
                sum[c] += g;
                product[c] += g * h;
            } else {
                const double rest = training ? (sum[c] + h * product[c]) / n
                                             : 0.0;

                e->grad[layout[i].x][k] += a * w * inverse * (g - rest);
            }
        }
    }
}

static void reference(const struct mixed *m, const float *gy,
                      struct expected *e)
{
    memset(e, 0, sizeof *e);
    for (int i = 0; i < TERMS; i++) {
        if (layout[i].weight >= 0)
            reference_normalized(m, i, gy, e);
        else if (layout[i].x >= 0)
            for (int64_t k = 0; k < m->batch * m->channels * m->area; k++) {
                e->y[k] += value(m, A, i) * value(m, layout[i].x, k);
                e->grad[A][i] += (double) gy[k] * value(m, layout[i].x, k);
                e->grad[layout[i].x][k] += (double) gy[k] * value(m, A, i);
            }
    }
}

static void assert_near(double actual, double expected)
{
    assert_close(actual, expected, TOLERANCE * (1.0 + fabs(expected)));
}

/* Gradients `times` added up. */
static void check_grads(const struct mixed *m, const struct expected *e,
                        double times)
{
    for (int leaf = 0; leaf < LEAVES; leaf++) {
        const ub_variable *v = m->scene.leaves[leaf];

        for (int64_t k = 0; k < scene_count(v); k++)
            assert_near((double) scene_grad(v)[k] / times, e->grad[leaf][k]);
    }
}

static void check_running(const struct mixed *m, const struct expected *e,
                          int training)
{
    const double n = (double) (m->batch * m->area);

    for (int i = 0; i < TERMS; i++) {
        for (int64_t c = 0; m->mean[i] != NULL && c < m->channels; c++) {
            assert_near((double) ub_tensor_data(m->mean[i])[c],
                        training ? 0.9 * 0.25 + 0.1 * e->mean[i][c] : 0.25);
            assert_near((double) ub_tensor_data(m->var[i])[c],
                        training
                            ? 0.9 * 2.0 + 0.1 * e->var[i][c] * n / (n - 1.0)
                            : 2.0);
        }
    }
}

static void test_reference(void **state)
{
    static struct expected e;
    static float kept[LARGEST];
    struct mixed m;

    (void) state;
    for (int run = 0; run < 9 * 2 * SHAPES; run++) {
        const int training = run / 9 % 2;

        open_mixed(&m, shapes[run / 18], run % 9, training);
        for (int pass = 1; pass <= 2; pass++) {
            ub_variable *y = NULL;
            ub_tensor *gy;

            scene_ok(&m.scene, run_mixed(&m, &y));
            memcpy(kept, scene_data(y), (size_t) scene_count(y) * sizeof *kept);
            gy = scene_backward(&m.scene, y);
            if (pass == 1) {
                reference(&m, ub_tensor_data(gy), &e);
                check_running(&m, &e, training);
            }
            for (int64_t k = 0; k < ub_tensor_count(gy); k++)
                assert_near((double) kept[k], e.y[k]);
            check_grads(&m, &e, (double) pass);
            ub_tensor_unref(&gy);
            ub_tape_clear(m.scene.tape);
        }
        close_mixed(&m);
    }
}

/* The same with batch normalization and the weighted sum one by one. */
static ub_status run_apart(struct mixed *m, ub_variable **out)
{
    ub_variable *x[TERMS];

    for (int i = 0; i < TERMS; i++) {
        const ub__mixed_term *t = &m->terms[i];

        x[i] = t->x;
        if (t->normalized)
            scene_ok(&m->scene,
                     ub_op_batch_norm(m->scene.tape, t->x, t->weight, t->bias,
                                      t->running_mean, t->running_var,
                                      &t->options, &x[i]));
    }
    return ub_op_weighted_sum(m->scene.tape, TERMS, x, m->scene.leaves[A], out);
}

static void test_apart(void **state)
{
    struct mixed m[2];

    (void) state;
    for (int run = 0; run < 2 * SHAPES; run++) {
        ub_variable *y[2] = { NULL, NULL };

        for (int i = 0; i < 2; i++) {
            ub_tensor *gy;

            open_mixed(&m[i], shapes[run / 2], 0, run % 2);
            scene_ok(&m[i].scene, i == 0 ? run_mixed(&m[i], &y[i])
                                         : run_apart(&m[i], &y[i]));
            for (int64_t k = 0; i == 1 && k < scene_count(y[1]); k++)
                assert_near((double) scene_data(y[0])[k],
                            (double) scene_data(y[1])[k]);
            if (i == 1) {
                gy = scene_backward(&m[0].scene, y[0]);
                ub_tensor_unref(&gy);
                gy = scene_backward(&m[1].scene, y[1]);
                ub_tensor_unref(&gy);
            }
        }
        for (int leaf = 0; leaf < LEAVES; leaf++) {
            const ub_variable *v = m[0].scene.leaves[leaf];

            for (int64_t k = 0; k < scene_count(v); k++)
                assert_near((double) scene_grad(v)[k],
                            (double) scene_grad(m[1].scene.leaves[leaf])[k]);
        }
        for (int i = 0; i < TERMS; i++) {
            for (int64_t c = 0; m[0].mean[i] != NULL && c < m[0].channels; c++)
                assert_true(ub_tensor_data(m[0].mean[i])[c] ==
                                ub_tensor_data(m[1].mean[i])[c] &&
                            ub_tensor_data(m[0].var[i])[c] ==
                                ub_tensor_data(m[1].var[i])[c]);
        }
        close_mixed(&m[0]);
        close_mixed(&m[1]);
    }
}

/* Frozen operands get no gradient, the others the same bits as ever. */
static void test_frozen(void **state)
{
    static float kept[LEAVES][LARGEST];

    (void) state;
    for (int frozen = -1; frozen < LEAVES; frozen++) {
        ub_variable *y = NULL;
        struct mixed m;
        ub_tensor *gy;

        open_mixed(&m, shapes[0], 0, 1);
        if (frozen >= 0)
            ub_variable_set_requires_grad(m.scene.leaves[frozen], 0);
        scene_ok(&m.scene, run_mixed(&m, &y));
        gy = scene_backward(&m.scene, y);
        for (int leaf = 0; leaf < LEAVES; leaf++) {
            const ub_variable *v = m.scene.leaves[leaf];
            const size_t bytes = (size_t) scene_count(v) * sizeof(float);

            if (leaf == frozen)
                assert_null(ub_variable_grad(v));
            else if (frozen < 0)
                memcpy(kept[leaf], scene_grad(v), bytes);
            else
                assert_memory_equal(kept[leaf], scene_grad(v), bytes);
        }
        ub_tensor_unref(&gy);
        close_mixed(&m);
    }
}

/* One term, and no factors: batch normalization itself. */
static void test_single(void **state)
{
    struct mixed m;
    ub_variable *y = NULL, *scaled = NULL, *same = NULL;
    const float a = -2.0f;

    (void) state;
    open_mixed(&m, shapes[0], 0, 1);
    scene_ok(&m.scene,
             ub__op_mixed_sum(m.scene.tape, "mixed sum", 1, m.terms, NULL, &y));
    scene_ok(&m.scene,
             ub_op_batch_norm(m.scene.tape, m.terms[0].x, m.terms[0].weight,
                              m.terms[0].bias, NULL, NULL, &m.terms[0].options,
                              &same));
    ub_variable_destroy(&m.scene.leaves[A]);
    m.scene.leaves_n--;
    scene_leaf(&m.scene, 1, 0, 0, 0);
    scene_data(m.scene.leaves[A])[0] = a;
    scene_ok(&m.scene, ub__op_mixed_sum(m.scene.tape, "mixed sum", 1, m.terms,
                                        m.scene.leaves[A], &scaled));
    for (int64_t k = 0; k < scene_count(y); k++) {
        assert_true(scene_data(y)[k] == scene_data(same)[k]);
        assert_near((double) scene_data(scaled)[k],
                    (double) (a * scene_data(y)[k]));
    }
    close_mixed(&m);
}

static void test_errors(void **state)
{
    ub_variable *y = NULL;
    struct mixed m;
    struct scene *s = &m.scene;

    (void) state;
    open_mixed(&m, shapes[0], 0, 1);
    m.terms[4].x = s->leaves[W0];
    scene_error(s, run_mixed(&m, &y), UB_ERR_SHAPE,
                "batch norm: x has 1 dimensions, expected 2 or more");
    m.terms[4].x = NULL;
    scene_error(s, run_mixed(&m, &y), UB_ERR_INVALID, "batch norm: x is NULL");
    m.terms[4].x = s->leaves[X1];
    m.terms[4].options.momentum = 2.0;
    scene_error(s, run_mixed(&m, &y), UB_ERR_INVALID,
                "batch norm: eps is 1e-05, momentum 2");
    m.terms[4].options.momentum = 0.1;
    m.terms[1].x = s->leaves[A];
    scene_error(s, run_mixed(&m, &y), UB_ERR_SHAPE,
                "mixed sum: operand 1 is [6], the first [2, 3, 3, 2]");
    m.terms[1].x = s->leaves[X1];
    scene_error(s,
                ub__op_mixed_sum(s->tape, "mixed sum", TERMS, m.terms,
                                 s->leaves[W0], &y),
                UB_ERR_SHAPE, "mixed sum: a is [3], expected [6]");
    scene_error(s, run_mixed(&m, NULL), UB_ERR_INVALID,
                "operator: result is NULL");
    assert_null(y);
    for (int64_t c = 0; c < 3; c++)
        assert_true(ub_tensor_data(m.mean[0])[c] == 0.25f);
    close_mixed(&m);
}

static ub_status leaf_of(ub_context *context, int rank, const int64_t *shape,
                         ub_variable **out)
{
    ub_tensor *tensor = NULL;
    ub_status status = ub_tensor_create(context, rank, shape, &tensor);

    if (status == UB_OK)
        status = ub_variable_create(tensor, 1, out);
    ub_tensor_unref(&tensor);
    return status;
}

/* Two normalized terms and a plain one, without memory. */
static ub_status scenario(ub_context *context, void *arg)
{
    const int64_t image[] = { 2, 2, 3 }, three[] = { 3 };
    ub_variable *leaves[3] = { NULL }, *y = NULL;
    ub__mixed_term terms[3] = { 0 };
    ub_tensor *running = NULL, *gy = NULL;
    ub_tape *tape = NULL;
    ub_status status = ub_tape_create(context, &tape);

    (void) arg;
    for (int i = 0; i < 3 && status == UB_OK; i++)
        status = leaf_of(context, i == 0 ? 3 : 1,
                         i == 0   ? image
                         : i == 1 ? image + 1
                                  : three,
                         &leaves[i]);
    if (status == UB_OK)
        status = ub_tensor_create(context, 1, image + 1, &running);
    if (status == UB_OK)
        status = ub_tensor_create(context, 3, image, &gy);
    for (int i = 0; i < 3 && status == UB_OK; i++) {
        terms[i].x = leaves[0];
        terms[i].normalized = i < 2;
        terms[i].weight = terms[i].bias = leaves[1];
        terms[i].running_mean = terms[i].running_var = running;
        ub_batch_norm_options_init(&terms[i].options, sizeof terms[i].options);
        ub_tensor_fill(running, 7.0f);
    }
    if (status == UB_OK) {
        status = ub__op_mixed_sum(tape, "mixed sum", 3, terms, leaves[2], &y);
        assert_true((ub_tensor_data(running)[0] == 7.0f) == (status != UB_OK));
    }
    if (status == UB_OK)
        status = ub_tape_backward_from(tape, y, gy);
    ub_tensor_unref(&running);
    ub_tensor_unref(&gy);
    ub_tape_destroy(&tape);
    for (int i = 0; i < 3; i++)
        ub_variable_destroy(&leaves[i]);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(scenario, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_apart),
        cmocka_unit_test(test_frozen),    cmocka_unit_test(test_single),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
