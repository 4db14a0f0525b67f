/* SPDX-License-Identifier: BSD-2-Clause */
#include "foxnas.h"

#include <string.h>

int64_t fox_terms(int predictor, const double *variables, double *terms)
{
    const double *depth = variables, *expansion = depth + FOX_STAGES;
    const double *kernel = expansion + FOX_STAGES;
    double *more = terms + FOX_VARIABLES;

    memcpy(terms, variables, FOX_VARIABLES * sizeof(*terms));
    for (int s = 0; s < FOX_STAGES; s++) {
        const double sum = (depth[s] - 1.0) * expansion[s];

        if (predictor == FOX_ACCURACY) {
            more[s] = sum;
            more[s + 5] = depth[s] * sum;
            more[s + 10] = depth[s] * kernel[s];
        } else if (predictor == FOX_LATENCY) {
            more[s] = depth[s] * expansion[s];
            more[s + 5] = depth[s] * kernel[s];
        }
    }
    return predictor == FOX_ACCURACY ? 40 : predictor == FOX_LATENCY ? 35 : 25;
}
