/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_NETWORK_CSIM_H
#define UBOOST_LIB_NETWORK_CSIM_H

#include "network/network.h"

#define UB__CSIM_MAX_SIZE    ((int64_t) 1 << 40) /* of M, K and N */
#define UB__CSIM_MAX_REPEATS INT32_MAX

enum { UB__CSIM_M, UB__CSIM_K, UB__CSIM_N, UB__CSIM_DIMS };

/* The product of a layer; M is 0 when it has none. */
typedef struct ub__csim_product {
    int64_t size[UB__CSIM_DIMS];
    int64_t kernel_height, kernel_width;
} ub__csim_product;

typedef struct ub__csim_reader {
    ub_context *context;
    const char *path;
    const json_t *model, *layers, *order; /* order: NULL when left out */
    ub_network *network;
    int64_t exact[UB__CSIM_DIMS]; /* tiles that others follow; 0: none yet */
    int64_t bound[UB__CSIM_DIMS]; /* the largest of those that none follows */
} ub__csim_reader;

/* n sizes from an array of exactly as many. */
ub_status ub__csim_sizes(const ub__csim_reader *r, const char *name,
                         const json_t *array, const char *key, size_t n,
                         int64_t *out);

/* The product of a layer, and the sizes of its tiles, which the reader keeps.
 */
ub_status ub__csim_product_of(const ub__csim_reader *r, const char *name,
                              const json_t *layer, ub__csim_product *out);
ub_status ub__csim_tiles(ub__csim_reader *r, const char *name,
                         const json_t *layer, const ub__csim_product *p);

/* How many tiles cover a size, and how large number i is. */
int64_t ub__csim_pieces(int64_t size, int64_t tile);
int64_t ub__csim_piece(int64_t size, int64_t tile, int64_t i);

#endif
