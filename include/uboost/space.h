/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_SPACE_H
#define UBOOST_SPACE_H

#include <uboost/network.h>

/**
 * @file
 * @defgroup space space
 * A search space as data: operators, edges, cells; deriving a network.
 *
 * A network of a space is a stem, a row of cells and blocks and a classifier.
 * A cell is a small graph. Its first nodes are its inputs: node 0 is the output
 * of the previous cell, node 1 (where there is one) of the cell before that;
 * the first cell reads the stem as both. Each input may go through a
 * preprocessing convolution, which takes the stride that brings it to the
 * cell's map. Every other node is the sum of its edges. An edge carries one
 * operator chosen from a list; an operator is a chain of steps, such as a
 * depthwise and a 1x1 convolution. A block is what lies between cells and is
 * not chosen, such as a reduction of NAS-Bench-201: a sum of operators that all
 * read what is before it.
 *
 * Choices are written as plain arrays, so that any strategy can make them:
 * `operators` holds one operator index per decision, `widths` one width per
 * site.
 * @{
 */

UB_BEGIN_DECLS

/** Limit on the edges, operators, cells, nodes and steps of a space. */
#define UB_SPACE_MAX_ITEMS 64

/** One step of an operator. */
typedef enum ub_step_kind {
    UB_STEP_CONV = 1,           /**< convolution, batch norm */
    UB_STEP_DEPTHWISE = 2,      /**< convolution by channel, batch norm */
    UB_STEP_MAX_POOL = 3,       /**< maximum, "same" size */
    UB_STEP_AVG_POOL = 4,       /**< mean over the taps inside, "same" size */
    UB_STEP_PLAIN_CONV = 5,     /**< convolution without batch norm */
    UB_STEP_NORM = 6,           /**< batch norm */
    UB_STEP_RELU = 7,           /**< ReLU */
    UB_STEP_CHANNEL_SHUFFLE = 8 /**< channel i of group g becomes channel
                                     i * groups + g */
} ub_step_kind;

/**
 * A step. Convolutions and pools have "same" padding. The first of an
 * operator's steps with a kernel other than 1 takes the edge's stride; where
 * there is none, the first convolution does. What a kind has no use for is not
 * read, unless its range is given for all.
 */
typedef struct ub_operator_step {
    int32_t kind;      /**< ub_step_kind */
    int32_t relu;      /**< 1: ReLU after the batch norm */
    int64_t kernel;    /**< side of the kernel, odd, up to 63; pools: 0 for
                            windows side by side, as large as the stride they
                            take */
    int64_t dilation;  /**< of convolutions, 1 to 64; of pools 1 */
    int64_t expansion; /**< convolutions but depthwise ones: 0 for the edge's
                            width, otherwise this multiple, up to 64, of the
                            operator's input width; of all others 0 */
    int64_t groups;    /**< convolutions but depthwise ones, channel shuffle; of
                            all 0 to 65536, where 0 stands for 1 */
} ub_operator_step;

/** What an operator does with its input where the shapes allow: where it has
 * stride 1 and makes as many channels as it reads. */
typedef enum ub_residual {
    UB_RESIDUAL_NONE = 0, /**< nothing */
    UB_RESIDUAL_ADD = 1,  /**< adds it to its result */
    UB_RESIDUAL_ONLY = 2  /**< hands it on instead of its result */
} ub_residual;

/** What an edge can carry. */
typedef struct ub_operator {
    size_t size;                   /**< sizeof(ub_operator) */
    const char *name;              /**< unique, such as "conv3x3"; copied */
    const ub_operator_step *steps; /**< n_steps of them; copied */
    int64_t n_steps;               /**< 0: identity or zero */
    int32_t zero;                  /**< 1: contributes nothing */
    int32_t residual;              /**< a ub_residual */
} ub_operator;

/** A space without its operators, edges and cells. Fill with
 * ub_space_options_init() first. */
typedef struct ub_space_options {
    size_t size;         /**< set by ub_space_options_init() */
    const char *name;    /**< goes into files; copied; "space" */
    int64_t channels;    /**< of the images, 1 to 65536; 3 */
    int64_t height;      /**< of the images, 1 to 65536; 32 */
    int64_t width;       /**< of the images, 1 to 65536; 32 */
    int64_t classes;     /**< 1 to 2^20; 10 */
    int64_t base_width;  /**< of the stem, and of cells that name none, 1 to
                              65536; 16 */
    int64_t inputs;      /**< inputs of a cell, 1 or 2; 2 */
    int64_t nodes;       /**< nodes of a cell, inputs included; 5 */
    int64_t output;      /**< the node a cell hands on, no input; 4 */
    int64_t preprocess;  /**< kernel of the preprocessing convolution, odd, up
                              to 63; 3; 0: none, edges from inputs take the
                              stride */
    int64_t stem_kernel; /**< odd, up to 63; 3; 0: no stem, the first cell
                              reads the images */
    int32_t stem_pool;   /**< 1: 2x2 max-pool after the stem, which there must
                              be; 1 */
    int32_t shared;      /**< 1: all cells share their choices; 1 */
    int32_t global_pool; /**< 1: classifier after global average pool; 0:
                              after flattening; 0 */
    int32_t reserved;    /**< 0 */
    int64_t depth;       /**< most cells of a width in ub_space_fbnet(); 4 */
} ub_space_options;

/** One cell in the row. */
typedef struct ub_space_cell {
    int64_t width;      /**< up to 65536; 0: the base width */
    int64_t stride;     /**< of the cell's inputs, 1 to 16 */
    int64_t pool_after; /**< 1: 2x2 max-pool behind it; the map must be even */
} ub_space_cell;

/**
 * A search space. Immutable once it is in use.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_space ub_space;

/** Set every option to its default, which is U-Boost's space. */
UB_API
void ub_space_options_init(ub_space_options *options, size_t size);

/**
 * Create a space with no operators, edges or cells.
 *
 * @param context   where errors go
 * @param options   sizes, or NULL for the defaults
 * @param[out] out  owned by the caller
 *
 * @retval UB_ERR_INVALID  an option is out of range
 * @retval UB_ERR_SHAPE    the stem's pool cannot halve the images
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_space_create(ub_context *context, const ub_space_options *options,
                          ub_space **out);

/** Destroy a space and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_space_destroy(ub_space **space);

/** Append an operator; its index is its place in the list. */
UB_API_CHECK
ub_status ub_space_add_operator(ub_space *space, const ub_operator *op);

/** Append an edge from a node to a later one that is no input. */
UB_API_CHECK
ub_status ub_space_add_edge(ub_space *space, int64_t from, int64_t to);

/** Append a cell to the row; UB_ERR_SHAPE where its map cannot be divided by
 * its stride, or halved by its pool. */
UB_API_CHECK
ub_status ub_space_add_cell(ub_space *space, const ub_space_cell *cell);

/**
 * Append a block to the row: no decision, but the sum of operators, each with
 * the block's width and stride. It counts among the cells for the two inputs of
 * later ones.
 *
 * @param space      the space
 * @param block      its width, stride and pool
 * @param operators  n of them, none of them zero; copied
 * @param n          at least 1
 *
 * @retval UB_ERR_INVALID  an argument is out of range
 * @retval UB_ERR_SHAPE    its map cannot be divided by its stride
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_space_add_block(ub_space *space, const ub_space_cell *block,
                             const ub_operator *operators, int64_t n);

/**
 * U-Boost's space: options as given (NULL: defaults), eight operators (3x3 and
 * 5x5 convolution, separable, dilated; identity; zero), nine edges among two
 * inputs and three nodes, `cells` cells with a pool after each third of the row
 * (3: after each cell; 9: after every third cell). Source: U-Boost NAS,
 * section 4.
 *
 * @param context   where errors go
 * @param options   sizes, or NULL for the defaults
 * @param cells     number of cells, a multiple of 3
 * @param[out] out  owned by the caller
 *
 * @retval UB_ERR_INVALID  an option is out of range
 * @retval UB_ERR_SHAPE    the map cannot be halved often enough
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_space_uboost(ub_context *context, const ub_space_options *options,
                          int64_t cells, ub_space **out);

/**
 * NAS-Bench-201's space: cells of four nodes, each earlier one with an edge to
 * each later one (0->1, 0->2, 1->2, 0->3, 1->3, 2->3), that share their
 * choices; five operators: none, skip_connect, nor_conv_1x1, nor_conv_3x3
 * (ReLU, convolution, batch norm), avg_pool_3x3. A convolution with batch norm,
 * a third of the cells, a residual block of twice the width and half the map, a
 * third, another such block, the last third, batch norm and ReLU, global
 * average pool. With 15 cells, a base width of 16 and ub_space_derive() of the
 * choice as it is (not pruned), the network is the benchmark's. Source: Dong
 * and Yang, ICLR 2020.
 *
 * @param context   where errors go
 * @param options   name, images, classes and base width are taken, the rest is
 *                  the space's; NULL: 32 x 32, 10 classes, 16
 * @param cells     number of cells, a multiple of 3
 * @param[out] out  owned by the caller
 *
 * @retval UB_ERR_INVALID  an option is out of range
 * @retval UB_ERR_SHAPE    the map cannot be halved twice
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_space_nasbench201(ub_context *context,
                               const ub_space_options *options, int64_t cells,
                               ub_space **out);

/** What HW-NAS-Bench has FBNets for. */
typedef enum ub_fbnet_variant {
    UB_FBNET_CIFAR100 = 0, /**< map divided by 8, head of 1504 channels */
    UB_FBNET_IMAGENET = 1  /**< map divided by 32, head of 1984 channels */
} ub_fbnet_variant;

/**
 * FBNet's space as HW-NAS-Bench has it: 22 cells of one edge, each with a
 * choice of its own among k3_e1, k3_e1_g2, k3_e3, k3_e6, k5_e1, k5_e1_g2,
 * k5_e3, k5_e6 (1x1 convolution to e times the channels, channel shuffle when
 * it has g groups, depthwise k x k convolution, 1x1 convolution, plus the input
 * where the shapes allow) and skip (the input, or a 1x1 convolution where the
 * shapes do not allow it). Before them a 3x3 convolution, behind them a 1x1
 * convolution, global average pool and the classifier. Sources: Wu et al., CVPR
 * 2019; Li et al., ICLR 2021.
 *
 * @param context   where errors go
 * @param options   name, images, classes, depth and base width (16; a multiple
 *                  of 4), which all widths go with, are taken, the rest is the
 *                  space's; NULL: 32 x 32 and 100 classes, or 224 x 224 and
 *                  1000
 * @param variant   strides and head
 * @param[out] out  owned by the caller
 *
 * @retval UB_ERR_INVALID  an option or the variant is out of range
 * @retval UB_ERR_SHAPE    the map cannot be halved often enough
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_space_fbnet(ub_context *context, const ub_space_options *options,
                         ub_fbnet_variant variant, ub_space **out);

/** Number of operators. */
UB_API
int64_t ub_space_operators(const ub_space *space);

/** Name of an operator, or NULL. */
UB_API
const char *ub_space_operator_name(const ub_space *space, int64_t index);

/** Number of edges of a cell. */
UB_API
int64_t ub_space_edges(const ub_space *space);

/** Number of cells; blocks are not counted. */
UB_API
int64_t ub_space_cells(const ub_space *space);

/**
 * Number of operator decisions: the edges of one cell when cells share their
 * choices, otherwise of all cells, cell by cell.
 */
UB_API
int64_t ub_space_decisions(const ub_space *space);

/**
 * Number of sites, the places where a width can be chosen: for each cell its
 * inputs' preprocessing convolutions, then its edges. A site whose operator
 * has no convolution is not used.
 */
UB_API
int64_t ub_space_sites(const ub_space *space);

/** Draw every decision uniformly; operators has ub_space_decisions() places. */
UB_API
void ub_space_sample(const ub_space *space, ub_rng *rng, int32_t *operators);

/** Number of decisions in which two choices differ. */
UB_API
int64_t ub_space_distance(const ub_space *space, const int32_t *a,
                          const int32_t *b);

/**
 * Neighbour number `index` of a choice: one decision changed to another
 * operator. There are decisions x (operators - 1) of them.
 *
 * @param space          the space
 * @param operators      the choice
 * @param index          0 .. decisions x (operators - 1) - 1
 * @param[out] neighbour as many places as operators has
 *
 * @retval UB_ERR_INVALID  index or an operator is out of range
 */
UB_API_CHECK
ub_status ub_space_neighbour(const ub_space *space, const int32_t *operators,
                             int64_t index, int32_t *neighbour);

/**
 * Prune a choice: an edge from an empty node becomes zero, and so does one
 * that feeds only empty nodes. Where a cell's output would be empty, the edge
 * into it (from a node that is not empty) with the most probable non-zero
 * operator takes that operator.
 *
 * @param space          the space; without an operator that is zero the choice
 *                       stays as it is
 * @param operators      the choice
 * @param probability    decisions x operators, for the repair; NULL makes an
 *                       empty output an error
 * @param[out] pruned    the result, may be operators itself
 * @param[out] repaired  number of decisions the repair changed; may be NULL
 *
 * @retval UB_ERR_INVALID  an index is out of range, or an output is empty and
 *                         probability is NULL
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_space_prune(const ub_space *space, const int32_t *operators,
                         const double *probability, int32_t *pruned,
                         int64_t *repaired);

/**
 * The network that a choice describes, to the letter: operators that lead
 * nowhere are in it, and an empty node that something reads, or that is an
 * output, is a layer of zeros; ub_space_prune() takes out both. Terms of a sum
 * with fewer channels than the widest get a 1x1 convolution, batch norm and
 * ReLU to the widest. Cells whose output nothing reads are left out.
 *
 * @param space      the space
 * @param operators  a choice, mostly as ub_space_prune() leaves it
 * @param widths     ub_space_sites() widths, those of unused sites ignored;
 *                   NULL: every site has its cell's width
 * @param[out] out   owned by the caller
 *
 * @retval UB_ERR_INVALID  an index or width is out of range
 * @retval UB_ERR_SHAPE    shapes do not fit, such as an identity with a stride
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_space_derive(const ub_space *space, const int32_t *operators,
                          const int64_t *widths, ub_network **out);

/* -- NAS-Bench-201 --------------------------------------------------------- */

/**
 * @name NAS-Bench-201
 * 15,625 cells: a graph of four nodes with an edge from each to every later
 * one, six edges with one of five operators each. A cell is six operators, in
 * the order of its text: the edges 0-1; 0-2, 1-2; 0-3, 1-3, 2-3. It is written
 *
 *     |op~0|+|op~0|op~1|+|op~0|op~1|op~2|
 *
 * Its number, the index, is that of the published tables. Functions without a
 * context set no error text.
 *
 * Source: Dong, Yang, "NAS-Bench-201: Extending the Scope of Reproducible
 * Neural Architecture Search", ICLR 2020.
 * @{
 */

/** Edges of a cell, so many operators describe it. */
#define UB_NASBENCH201_EDGES     6
/** Operators to choose from. */
#define UB_NASBENCH201_OPERATORS 5
/** Cells of the space. */
#define UB_NASBENCH201_CELLS     15625
/** Room for the text of a cell, canonical or not, with the 0 at its end. */
#define UB_NASBENCH201_TEXT      128

/** Operators of NAS-Bench-201, in index order. */
typedef enum ub_nasbench201_operator {
    UB_NASBENCH201_NONE = 0,        /**< "none": zero */
    UB_NASBENCH201_SKIP = 1,        /**< "skip_connect": identity */
    UB_NASBENCH201_CONV_1X1 = 2,    /**< "nor_conv_1x1": ReLU, convolution,
                                         batch norm */
    UB_NASBENCH201_CONV_3X3 = 3,    /**< "nor_conv_3x3" */
    UB_NASBENCH201_AVG_POOL_3X3 = 4 /**< "avg_pool_3x3" */
} ub_nasbench201_operator;

/**
 * The order of the cells, both ways. Immutable.
 *
 * Thread-safety: may be read from any thread, created and destroyed in the
 * context's.
 */
typedef struct ub_nasbench201 ub_nasbench201;

/** The name of an operator, such as "nor_conv_3x3", or NULL. */
UB_API
const char *ub_nasbench201_operator_name(int32_t op);

/**
 * Read the text of a cell.
 *
 * @param text           as above, nothing before or behind it
 * @param[out] operators UB_NASBENCH201_EDGES; untouched on failure
 *
 * @retval UB_ERR_INVALID  it is not the text of a cell
 */
UB_API_CHECK
ub_status ub_nasbench201_read(const char *text, int32_t *operators);

/**
 * Write the text of a cell.
 *
 * @param operators  UB_NASBENCH201_EDGES
 * @param[out] text  room for UB_NASBENCH201_TEXT; untouched on failure
 *
 * @retval UB_ERR_INVALID  an operator does not exist
 */
UB_API_CHECK
ub_status ub_nasbench201_write(const int32_t *operators, char *text);

/**
 * A text that is the same for cells that compute the same up to edges of
 * zeros, identities, and the order of sums; 6,466 differ. Node 0 is "0"; an
 * edge is "#" if its operator is none or its source is "#", for skip_connect
 * its source, otherwise "(source)@operator"; a node is its edges, sorted,
 * joined by "+"; the cell is its last node.
 *
 * @param operators  UB_NASBENCH201_EDGES
 * @param[out] text  room for UB_NASBENCH201_TEXT; untouched on failure
 *
 * @retval UB_ERR_INVALID  an operator does not exist
 */
UB_API_CHECK
ub_status ub_nasbench201_canonical(const int32_t *operators, char *text);

/**
 * Parameters and FLOPs of the network that stacks a cell 5 + 5 + 5 times at 16,
 * 32 and 64 channels, as NAS-Bench-201 counts them: a FLOP is a
 * multiply-accumulate or a bias of the classifier. Edges that do nothing for
 * the output count as well. With n1 and n3 convolutions in the cell:
 * 72,656 + 65 classes + 28,000 n1 + 243,040 n3 parameters and
 * side^2 (7,600 + 3,840 n1 + 34,560 n3) + 65 classes FLOPs.
 *
 * @param operators       UB_NASBENCH201_EDGES
 * @param side            of the images, a multiple of 4 up to 1024: 32 for
 *                        CIFAR, 16 for ImageNet16-120
 * @param classes         1 to 1000000
 * @param[out] parameters their number; may be NULL; untouched on failure
 * @param[out] flops      their number; may be NULL; untouched on failure
 *
 * @retval UB_ERR_INVALID  an operator does not exist, or a number is out of
 *                         range
 */
UB_API_CHECK
ub_status ub_nasbench201_count(const int32_t *operators, int64_t side,
                               int64_t classes, int64_t *parameters,
                               int64_t *flops);

/**
 * Compute the order. The cells in the order of their codes, base 5 with the
 * first operator leading, are shuffled as CPython's random.shuffle() does after
 * random.seed(88), with the Mersenne Twister. Source of the generator:
 * Matsumoto, Nishimura, "Mersenne Twister", ACM Transactions on Modeling and
 * Computer Simulation 8(1), 1998.
 *
 * @param context   lends the memory
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is NULL
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_nasbench201_create(ub_context *context, ub_nasbench201 **out);

/** Destroy an order and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_nasbench201_destroy(ub_nasbench201 **order);

/**
 * The cell with an index.
 *
 * @param order           the order
 * @param index           0 to UB_NASBENCH201_CELLS - 1
 * @param[out] operators  UB_NASBENCH201_EDGES; untouched on failure
 *
 * @retval UB_ERR_INVALID  index is out of range
 */
UB_API_CHECK
ub_status ub_nasbench201_get(const ub_nasbench201 *order, int64_t index,
                             int32_t *operators);

/** The index of a cell of UB_NASBENCH201_EDGES operators; -1 if an operator
 * does not exist. */
UB_API
int64_t ub_nasbench201_index(const ub_nasbench201 *order,
                             const int32_t *operators);

/** The index of the cell with a text; -1 if it is not the text of a cell. */
UB_API
int64_t ub_nasbench201_find(const ub_nasbench201 *order, const char *text);

/** @} */

UB_END_DECLS

/** @} */

#endif
