/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_OPS_GOLDEN_H
#define UBOOST_TESTS_OPS_GOLDEN_H

#include "support.h"

#include <jansson.h>
#include <uboost/ops.h>

/*
 * One case of ops.json while it runs. Whatever a runner reads is marked as
 * used; a case fails when something in it was not.
 */

#define GOLDEN_OPERANDS 64

struct golden {
    ub_context *context;
    ub_tape *tape;
    const json_t *params, *inputs;
    json_t *used_params, *used_inputs; /* sets of names */
    int absolute;                      /* inputs by their magnitude */
    int operands_n;
    const char *names[GOLDEN_OPERANDS];
    ub_variable *operands[GOLDEN_OPERANDS];
    ub_tensor *running_mean, *running_var; /* of batch normalization */
    /* The operator's own float32 bound, see golden_operators.c. */
    double y_terms; /* rounding steps of one result */
    double y_bound; /* absolute */
    double g_terms[GOLDEN_OPERANDS];
    double g_bound[GOLDEN_OPERANDS];
};

/* Float32 rounding unit. */
#define GOLDEN_UNIT 0x1p-24

/* How the sizes of rounding errors are found for an operator. */
enum golden_magnitude {
    MAGNITUDE_NONE, /* errors are bounded by y_bound and g_bound alone */
    MAGNITUDE_GRAD, /* linear in its gradient: run again with |gy| */
    MAGNITUDE_ALL   /* linear in its inputs too: run again with |inputs| */
};

struct golden_operator {
    const char *name;
    enum golden_magnitude magnitude;
    ub_status (*run)(struct golden *golden, ub_variable **out);
};

extern const struct golden_operator golden_operators[];
extern const size_t golden_operators_n;

/* Input of that name; NULL when the case has none. */
ub_variable *golden_input(struct golden *golden, const char *name);
/* Inputs x0, x1, ... into `out`; how many there are. */
int golden_inputs(struct golden *golden, ub_variable *out[GOLDEN_OPERANDS]);

/* Parameters; the default is for one that is missing or null. A pair of two
 * equal numbers counts as one. */
int64_t golden_integer(struct golden *golden, const char *name,
                       int64_t missing);
double golden_double(struct golden *golden, const char *name, double missing);
void golden_pair(struct golden *golden, const char *name, int64_t missing,
                 int64_t out[2]);
/* All numbers of a list, nested or an object with "data"; free() it. NULL when
 * missing. */
double *golden_list(struct golden *golden, const char *name, int64_t *out_n);
/* Fails unless the parameter is missing or this text. */
void golden_text(struct golden *golden, const char *name, const char *text);

/* Tensor of {"shape": ..., "data": ...}. */
ub_tensor *golden_tensor(ub_context *context, const json_t *from, int absolute);

/* Rounding steps behind y, behind the gradient of an input. */
void golden_y_terms(struct golden *golden, double terms);
void golden_g_terms(struct golden *golden, const ub_variable *input,
                    double terms);
void golden_g_bound(struct golden *golden, const ub_variable *input,
                    double bound);
/* Largest magnitude. */
double golden_largest(const ub_tensor *tensor);

#endif
