/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_NN_H
#define UBOOST_LIB_NN_H

#include "quant/quant.h"

#include <uboost/nn.h>

/* prefix (NULL for none) + separator + name, ub__alloc()ed. */
char *ub__name_join(ub_context *context, const char *prefix,
                    const char *separator, const char *name);

/* Drop the last parameters until `count` are left: how a layer whose creation
 * fails halfway leaves the list as it was. */
void ub__parameters_truncate(ub_parameters *parameters, int64_t count);

/* The archive's tensor prefix + name, borrowed; it must be there and have the
 * shape of `like`. */
ub_status ub__archive_need(ub_context *context, const ub_archive *archive,
                           const char *prefix, const char *name,
                           const ub_tensor *like, ub_tensor **out);

/* Uniform within 1 / sqrt(fan-in), where convolutions and linear layers start.
 * Behind a convolution, batch normalization makes the size of a step relative
 * to that of the weight count. The rates of U-Boost NAS are meant for weights
 * of this size; He's, larger by sqrt(6), learn six times as slowly. */
ub_status ub__init_weight(ub_tensor *weight, ub_rng *rng);

/* Append "<prefix>.<name>". */
ub_status ub__parameters_add(ub_parameters *parameters, const char *prefix,
                             const char *name, ub_parameter_kind kind, int rank,
                             const int64_t *shape, ub_variable **out);

/* What an optimizer knows of one variable. */
typedef struct ub__optimizer_slot {
    ub_variable *variable;
    ub_tensor *moments[2]; /* velocity; or first and second moment */
    int64_t steps;         /* with a gradient */
} ub__optimizer_slot;

struct ub_optimizer {
    ub_context *context;
    ub_optimizer_options options;
    ub__optimizer_slot *slots;
    int64_t count;
};

/* How many of the moments the update rule has. */
int ub__optimizer_moments(const ub_optimizer *optimizer);

/* Batch normalization as a layer: "<prefix>.weight", ".bias",
 * ".running_mean", ".running_var". A plain value; on failure the caller
 * truncates the list. */
typedef struct ub__norm_layer {
    ub_variable *weight;
    ub_variable *bias;
    ub_tensor *running_mean;
    ub_tensor *running_var;
    double eps;
    double momentum;
} ub__norm_layer;

ub_status ub__norm_layer_create(ub_parameters *parameters, const char *prefix,
                                int64_t channels, double eps, double momentum,
                                ub__norm_layer *out);
ub_status ub__norm_layer_forward(const ub__norm_layer *layer, ub_tape *tape,
                                 ub_variable *x, int training, int relu,
                                 ub_variable **out);

/* As ub_conv_norm_create(), with only some of its parts. */
enum { UB__PART_CONV = 1, UB__PART_NORM = 2 };
ub_status ub__conv_norm_create(ub_parameters *parameters, const char *prefix,
                               const ub_conv_norm_options *options, int parts,
                               ub_rng *rng, ub_conv_norm **out);

/* Append "<prefix>.input_range", zeros. */
ub_status ub__input_range_create(ub_parameters *parameters, const char *prefix,
                                 ub_tensor **out);

/* As ub_conv_norm_forward(), but normalization is left to whoever adds up the
 * terms, unless a mask comes behind it. */
ub_status ub__conv_norm_term(const ub_conv_norm *layer, ub_tape *tape,
                             ub_variable *x, int training, ub_variable *mask,
                             ub_mask_place mask_place, ub__mixed_term *out);

/* As ub_linear_layer_create(), with or without a bias. */
ub_status ub__linear_layer_create(ub_parameters *parameters, const char *prefix,
                                  int64_t in_features, int64_t out_features,
                                  int bias, ub_rng *rng, ub_linear_layer **out);

#endif
