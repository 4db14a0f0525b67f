/* SPDX-License-Identifier: BSD-2-Clause */
#include "tiny.h"

#include "../search/runs.h"

#include <stdio.h>

static const ub_operator_step e1[] = { { UB_STEP_CONV, 1, 1, 1, 1, 1 },
                                       { UB_STEP_DEPTHWISE, 1, 3, 1, 0, 1 },
                                       { UB_STEP_CONV, 0, 1, 1, 0, 1 } };
static const ub_operator_step e2_g2[] = {
    { UB_STEP_CONV, 1, 1, 1, 2, 2 },
    { UB_STEP_CHANNEL_SHUFFLE, 0, 1, 1, 0, 2 },
    { UB_STEP_DEPTHWISE, 1, 3, 1, 0, 1 },
    { UB_STEP_CONV, 0, 1, 1, 0, 2 },
};
static const ub_operator_step conv1[] = { { UB_STEP_CONV, 1, 1, 1, 0, 1 } };
static const ub_operator_step conv3[] = { { UB_STEP_CONV, 1, 3, 1, 0, 1 } };

static const ub_operator operators[] = {
    { sizeof(ub_operator), "e1", e1, 3, 0, UB_RESIDUAL_ADD },
    { sizeof(ub_operator), "e2_g2", e2_g2, 4, 0, UB_RESIDUAL_ADD },
    { sizeof(ub_operator), "skip", conv1, 1, 0, UB_RESIDUAL_ONLY },
};
static const ub_operator stem = { sizeof(ub_operator), "stem", conv3, 1, 0, 0 };
static const ub_operator head = { sizeof(ub_operator), "head", conv1, 1, 0, 0 };

static ub_status fill(ub_space *space)
{
    static const ub_space_cell row[] = {
        { 4, 2, 0 }, { 4, 1, 0 }, { 8, 2, 0 }, { 8, 1, 0 }, { 12, 1, 0 }
    };
    ub_status status = ub_space_add_edge(space, 0, 1);

    for (int i = 0; i < 3 && status == UB_OK; i++)
        status = ub_space_add_operator(space, &operators[i]);
    if (status == UB_OK)
        status = ub_space_add_block(space, &row[0], &stem, 1);
    for (int i = 1; i < 4 && status == UB_OK; i++)
        status = ub_space_add_cell(space, &row[i]);
    return status == UB_OK ? ub_space_add_block(space, &row[4], &head, 1)
                           : status;
}

ub_status tiny_space(ub_context *context, ub_space **out)
{
    ub_space_options o;
    ub_space *space;
    ub_status status;

    ub_space_options_init(&o, sizeof(o));
    o.name = "tiny";
    o.height = o.width = 16;
    o.classes = 3;
    o.inputs = o.output = 1;
    o.nodes = 2;
    o.preprocess = o.stem_kernel = 0;
    o.stem_pool = o.shared = 0;
    o.global_pool = 1;
    status = ub_space_create(context, &o, &space);
    if (status != UB_OK)
        return status;
    status = fill(space);
    if (status == UB_OK)
        *out = space;
    else
        ub_space_destroy(&space);
    return status;
}

void tiny_options(ub_cosearch_options *o)
{
    ub_cosearch_options_init(o, sizeof(*o));
    assert_int_equal(ub_cosearch_preset(o, "quick"), UB_OK);
    o->bit_widths = 2;
    o->bits[0] = 4;
    o->bits[1] = 8;
    o->bits[2] = 0;
    o->train_images = 40;
    o->search_batch = 8;
    o->train_batch = 16;
    o->cost = UB_COSEARCH_LATENCY;
    o->warmup_epochs = o->search_epochs = o->train_epochs = 1;
    o->refresh = 2;
    o->samples = 50;
}

ub_status tiny_run(ub_context *context, const ub_cosearch_options *o,
                   const ub_space *space, const char *folder, int resume,
                   ub_cosearch_result *result)
{
    ub_dataset *train = NULL, *test = NULL;
    ub_space *own = NULL;
    ub_status status = runs_data(context, 1, &train);

    result->size = sizeof(*result);
    if (status == UB_OK)
        status = runs_data(context, 2, &test);
    if (status == UB_OK && space == NULL)
        status = tiny_space(context, &own);
    if (status == UB_OK)
        status = ub_cosearch_run(context, o, space ? space : own, train, test,
                                 folder, resume, result);
    ub_space_destroy(&own);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    return status;
}

void tiny_whole(const ub_cosearch_options *o, const char *name,
                char folder[512], ub_cosearch_result *r)
{
    ub_context *context = test_context(1);

    snprintf(folder, 512, "%s", runs_folder(name));
    if (tiny_run(context, o, NULL, folder, 0, r) != UB_OK)
        fail_msg("%s: %s", name, ub_context_last_error(context));
    ub_context_destroy(&context);
}
