/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_UBOOST_H
#define UBOOST_UBOOST_H

/**
 * @file
 * All public headers.
 */

#include <uboost/accelerator.h>
#include <uboost/attr.h>
#include <uboost/autograd.h>
#include <uboost/base.h>
#include <uboost/cosearch.h>
#include <uboost/dataset.h>
#include <uboost/hardware.h>
#include <uboost/hwbench.h>
#include <uboost/mask.h>
#include <uboost/network.h>
#include <uboost/nn.h>
#include <uboost/ops.h>
#include <uboost/plot.h>
#include <uboost/quant.h>
#include <uboost/search.h>
#include <uboost/space.h>
#include <uboost/strategy.h>
#include <uboost/supernet.h>
#include <uboost/systolic.h>
#include <uboost/tensor.h>
#include <uboost/utilization.h>
#include <uboost/version.h>

#endif
