/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_HWBENCH_H
#define UBOOST_HWBENCH_H

#include <uboost/space.h>
#include <uboost/strategy.h>

/**
 * @file
 * @defgroup hwbench hwbench
 * Measured hardware as tables: what each network of a space costs on devices.
 *
 * A table has a space, either the 15,625 cells of NAS-Bench-201 (see space.h)
 * or FBNet's 22 layers of 9 operators, and columns. A column is a metric on a
 * data set, such as "raspi4_latency" on "cifar10". For NAS-Bench-201 it holds
 * one value per cell. For FBNet it holds one value per block, and what a
 * network costs is the sum of its 26 blocks in their order, from the stem to
 * the classifier, in double precision.
 *
 * Every table has the standard metrics, ub_hwbench_standard, of each of its
 * data sets, if only to say that they are unknown. Some need no file:
 * parameters and FLOPs; and on NAS-Bench-201, where no table says otherwise,
 * - the latency, energy and arithmetic intensity of Eyeriss, on all data sets,
 * - latency and energy of the FPGA, on CIFAR-10 and CIFAR-100,
 *
 * which are linear in the number of operators. Any number of other columns, as
 * of more devices, can be appended, from a file (ub_hwbench_read()) or computed
 * (ub_hwbench_append()).
 *
 * Costs are those of one image: latencies in ms, energies in mJ.
 *
 * Source: Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search
 * Benchmark", ICLR 2021.
 * @{
 */

UB_BEGIN_DECLS

/** Most columns of a table. */
#define UB_HWBENCH_MAX_METRICS     1024
/** Longest name of a metric, with the 0 at its end. */
#define UB_HWBENCH_NAME            64
/** Layers of FBNet whose operators are searched. */
#define UB_HWBENCH_FBNET_LAYERS    22
/** Operators of each. */
#define UB_HWBENCH_FBNET_OPERATORS 9
/** Blocks of an FBNet: the stem, the layers, the head, the pool, the
 * classifier. All but the layers have one operator, number 0. */
#define UB_HWBENCH_FBNET_BLOCKS    26
/** Room for the key of a block, with the 0 at its end. */
#define UB_HWBENCH_KEY             80

/** What a table is about. */
typedef enum ub_hwbench_space {
    UB_HWBENCH_NASBENCH201 = 1, /**< on CIFAR-10, CIFAR-100, ImageNet16-120 */
    UB_HWBENCH_FBNET = 2        /**< on CIFAR-100, ImageNet */
} ub_hwbench_space;

/** Data sets; each fixes the size of the images and the classes. */
typedef enum ub_hwbench_dataset {
    UB_HWBENCH_CIFAR10 = 0,        /**< "cifar10" */
    UB_HWBENCH_CIFAR100 = 1,       /**< "cifar100" */
    UB_HWBENCH_IMAGENET16_120 = 2, /**< "ImageNet16-120" */
    UB_HWBENCH_IMAGENET = 3        /**< "ImageNet" */
} ub_hwbench_dataset;

/** Standard metrics; their names are these, in lower case. FBNet has no
 * EDGETPU_LATENCY, no EYERISS_ARITHMETIC_INTENSITY, and nothing from
 * TEST_ACCURACY on. */
typedef enum ub_hwbench_standard {
    UB_HWBENCH_EDGEGPU_LATENCY = 0,              /**< ms, NVIDIA Jetson TX2 */
    UB_HWBENCH_EDGEGPU_ENERGY = 1,               /**< mJ */
    UB_HWBENCH_RASPI4_LATENCY = 2,               /**< ms, Raspberry Pi 4 */
    UB_HWBENCH_EDGETPU_LATENCY = 3,              /**< ms, Edge TPU */
    UB_HWBENCH_PIXEL3_LATENCY = 4,               /**< ms, Pixel 3 */
    UB_HWBENCH_EYERISS_LATENCY = 5,              /**< ms, simulated */
    UB_HWBENCH_EYERISS_ENERGY = 6,               /**< mJ */
    UB_HWBENCH_EYERISS_ARITHMETIC_INTENSITY = 7, /**< FLOP per byte */
    UB_HWBENCH_FPGA_LATENCY = 8,                 /**< ms, analytic */
    UB_HWBENCH_FPGA_ENERGY = 9,                  /**< mJ */
    /** Not a mean: the product of all latencies and energies above, from left
     * to right, as HW-NAS-Bench has it; negative where a network did not
     * compile. Unknown unless all are known. */
    UB_HWBENCH_AVERAGE_HW_METRIC = 10,
    UB_HWBENCH_PARAMS = 11,            /**< millions */
    UB_HWBENCH_FLOPS = 12,             /**< millions of multiply-accumulates;
                                            of NAS-Bench-201 biases, too */
    UB_HWBENCH_TEST_ACCURACY = 13,     /**< percent, after 200 epochs */
    UB_HWBENCH_VALID_ACCURACY = 14,    /**< percent, after 200 epochs */
    UB_HWBENCH_TEST_ACCURACY_12 = 15,  /**< percent, after 12 epochs */
    UB_HWBENCH_VALID_ACCURACY_12 = 16, /**< percent, after 12 epochs */
    UB_HWBENCH_TRAIN_SECONDS_PER_EPOCH = 17 /**< s */
} ub_hwbench_standard;

/** What is known of a value. */
typedef enum ub_hwbench_state {
    UB_HWBENCH_UNKNOWN = 0, /**< no table has it; the value is NaN */
    UB_HWBENCH_KNOWN = 1,   /**< the value is valid */
    UB_HWBENCH_FAILED = 2   /**< it did not compile for the device; the value
                                 is what the table says, -1 */
} ub_hwbench_state;

/** Where a column is from. */
typedef enum ub_hwbench_source {
    UB_HWBENCH_NOWHERE = 0,  /**< nothing is known */
    UB_HWBENCH_TABLE = 1,    /**< a file; gaps may be from the closed form */
    UB_HWBENCH_COMPUTED = 2, /**< a closed form, or a product of columns */
    UB_HWBENCH_APPENDED = 3  /**< ub_hwbench_append() */
} ub_hwbench_source;

/** A value and whether it is known. */
typedef struct ub_hwbench_value {
    double value;     /**< NaN where unknown */
    int32_t state;    /**< ub_hwbench_state */
    int32_t reserved; /**< 0 */
} ub_hwbench_value;

/** What a column is. Fill with ub_hwbench_metric_init() before it is used to
 * append one. */
typedef struct ub_hwbench_metric {
    size_t size;       /**< sizeof(ub_hwbench_metric), set by the caller */
    const char *name;  /**< printable, shorter than UB_HWBENCH_NAME */
    const char *unit;  /**< "ms", "mJ", "%", ..., or ""; up to 15 bytes; a
                            negative value in ms or mJ means that the network
                            did not compile; default "ms" */
    int32_t dataset;   /**< ub_hwbench_dataset; default UB_HWBENCH_CIFAR10 */
    int32_t direction; /**< ub_direction, which values are good; default
                            UB_MINIMIZE */
    int32_t source;    /**< ub_hwbench_source; not read when appending */
    int32_t standard;  /**< ub_hwbench_standard, -1 for others; not read when
                            appending */
    int64_t known;     /**< how many cells (blocks) are known; likewise */
    int64_t failed;    /**< how many did not compile; likewise */
} ub_hwbench_metric;

/**
 * A table. Queries do not change it.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_hwbench ub_hwbench;

/**
 * Open a table.
 *
 * @param context   where errors go
 * @param path      a folder with any of the files below; or a file that
 *                  ub_hwbench_write() wrote, which stays mapped and must not
 *                  be cut while the table lives; or the published
 *                  HW-NAS-Bench-v1_0.pickle, of which nothing is executed; or
 *                  NULL: only what needs no file. For NAS-Bench-201 the files
 * in a folder are nb201_hwnasbench_D.csv with D of cifar10, cifar100 and
 *                  ImageNet16-120, nb201_accuracy.csv,
 *                  nb201_12epoch_accuracy.tsv and nb201_help_latency_ms.csv
 *                  (27 more columns on CIFAR-10, by the names they have
 *                  there); for FBNet fbnet_hwnasbench_lut.csv. What a missing
 *                  file would say is unknown
 * @param space     ub_hwbench_space
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      there is no such space
 * @retval UB_ERR_IO           a file cannot be read, or nothing at the path is
 *                             of the space
 * @retval UB_ERR_FORMAT       a file is not what it claims to be; the error
 *                             names line or place
 * @retval UB_ERR_RANGE        a file is too large
 * @retval UB_ERR_UNSUPPORTED  a later version of the format, one written on a
 *                             machine with another byte order, or a pickle of
 *                             more than numbers and texts
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_open(ub_context *context, const char *path, int32_t space,
                          ub_hwbench **out);

/** Destroy a table and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_hwbench_destroy(ub_hwbench **bench);

/**
 * Write tables, one of each space at most, into one compact file with a
 * checksum: all columns that are from files or appended.
 *
 * @param benches  n tables
 * @param n        1 or 2
 * @param path     replaced if it exists
 *
 * @retval UB_ERR_INVALID  an argument is NULL, or two tables have one space
 * @retval UB_ERR_IO       writing failed
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_write(const ub_hwbench *const *benches, int64_t n,
                           const char *path);

/**
 * Read more columns from a text file: fields separated by commas, or by tabs
 * if the first line has one, without quotes; names in the first line. Every
 * line ends, the last one too. A field that is empty or nan is unknown. For
 * NAS-Bench-201 one column or more are called "index", "arch", "arch_str" or
 * "cellstr" and have the indices or the texts of the cells; for FBNet one is
 * called "key" and has those of ub_hwbench_fbnet_key(). Lines may be in any
 * order, and some may be missing. A column with the name of a standard metric
 * that no file has told yet is that metric; all others are appended, in ms,
 * less being better. The accuracies may also have the names that they were
 * published under, such as "cifar100_test" and "cifar100-val", which tell the
 * data set. A column "measured_source" is skipped; "average_hw_metric" is
 * computed, and refused.
 *
 * @param bench    the table; untouched on failure
 * @param dataset  ub_hwbench_dataset of the columns; for FBNet the keys tell
 *                 the data set, and this is not looked at
 * @param path     the file
 *
 * @retval UB_ERR_INVALID  the space has no such data set
 * @retval UB_ERR_IO       the file cannot be read
 * @retval UB_ERR_FORMAT   a line is not as it should be, or a metric is known
 *                         already; the error names the line
 * @retval UB_ERR_RANGE    too many columns, or the file is too large
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_read(ub_hwbench *bench, int32_t dataset, const char *path);

/** Set a description to its defaults, without a name. */
UB_API
void ub_hwbench_metric_init(ub_hwbench_metric *metric, size_t size);

/**
 * Append a column that was computed or measured elsewhere. If it has the name
 * of a standard metric that no file has told yet, it is that metric.
 *
 * @param bench            the table; untouched on failure
 * @param metric           what it is; copied
 * @param n                UB_NASBENCH201_CELLS; for FBNet
 *                         UB_HWBENCH_FBNET_BLOCKS times
 *                         UB_HWBENCH_FBNET_OPERATORS
 * @param values           one per cell; for FBNet one per block and operator,
 *                         operators side by side, where all but operator 0 of
 *                         the blocks that are no layers are not looked at;
 *                         NaN: unknown; copied
 * @param[out] out_metric  its number; may be NULL; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or the data set has another
 *                         metric of that name
 * @retval UB_ERR_NUMERIC  a value is infinite
 * @retval UB_ERR_RANGE    too many columns
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_append(ub_hwbench *bench, const ub_hwbench_metric *metric,
                            int64_t n, const double *values,
                            int64_t *out_metric);

/** The name of a data set, such as "ImageNet16-120", or NULL. */
UB_API
const char *ub_hwbench_dataset_name(int32_t dataset);

/** The data set of a name; -1 if there is none. */
UB_API
int32_t ub_hwbench_dataset_find(const char *name);

/** The space of a table, ub_hwbench_space. */
UB_API
int32_t ub_hwbench_space_of(const ub_hwbench *bench);

/** How many columns there are, of all data sets. */
UB_API
int64_t ub_hwbench_metrics(const ub_hwbench *bench);

/**
 * What a column is.
 *
 * @param bench     the table
 * @param metric    its number, 0 to ub_hwbench_metrics() - 1
 * @param[out] out  its size must be set; name and unit belong to the table and
 *                  are valid until the table is changed; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column, or size is no size
 */
UB_API_CHECK
ub_status ub_hwbench_get_metric(const ub_hwbench *bench, int64_t metric,
                                ub_hwbench_metric *out);

/** The number of the column of that name; -1 if there is none. */
UB_API
int64_t ub_hwbench_find(const ub_hwbench *bench, int32_t dataset,
                        const char *name);

/** The number of the column of a standard metric, ub_hwbench_standard; -1 if
 * the space does not have it. */
UB_API
int64_t ub_hwbench_find_standard(const ub_hwbench *bench, int32_t dataset,
                                 int32_t standard);

/** The order of the cells, which belongs to the table; NULL for FBNet. */
UB_API
const ub_nasbench201 *ub_hwbench_order(const ub_hwbench *bench);

/**
 * A value of a cell of NAS-Bench-201.
 *
 * @param bench     the table
 * @param metric    number of the column
 * @param index     0 to UB_NASBENCH201_CELLS - 1
 * @param[out] out  the value; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column or cell
 */
UB_API_CHECK
ub_status ub_hwbench_get(const ub_hwbench *bench, int64_t metric, int64_t index,
                         ub_hwbench_value *out);

/**
 * A value of a cell of NAS-Bench-201 by its text, as ub_hwbench_get().
 *
 * @param bench     the table
 * @param metric    number of the column
 * @param text      see ub_nasbench201_read()
 * @param[out] out  the value; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column or cell
 */
UB_API_CHECK
ub_status ub_hwbench_get_cell(const ub_hwbench *bench, int64_t metric,
                              const char *text, ub_hwbench_value *out);

/**
 * A value of a network of FBNet.
 *
 * @param bench      the table
 * @param metric     number of the column
 * @param operators  UB_HWBENCH_FBNET_LAYERS
 * @param[out] out   the sum of the blocks; if one did not compile, its value
 * and state; unknown if one is; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column or operator
 */
UB_API_CHECK
ub_status ub_hwbench_get_fbnet(const ub_hwbench *bench, int64_t metric,
                               const int32_t *operators, ub_hwbench_value *out);

/**
 * A value of one block of FBNet.
 *
 * @param bench     the table
 * @param metric    number of the column; not that of average_hw_metric
 * @param block     0 to UB_HWBENCH_FBNET_BLOCKS - 1; layers begin at 1
 * @param op        operator; 0 for blocks that are no layers
 * @param[out] out  the value; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column, block or operator
 */
UB_API_CHECK
ub_status ub_hwbench_get_block(const ub_hwbench *bench, int64_t metric,
                               int64_t block, int32_t op,
                               ub_hwbench_value *out);

/** The name of an operator of FBNet, such as "k5_e1_g2", or NULL: kernel,
 * expansion, groups of the 1x1 convolutions; the last is "skip". */
UB_API
const char *ub_hwbench_fbnet_operator_name(int32_t op);

/**
 * Write the key of a block of FBNet, as the published tables have it.
 *
 * @param dataset    UB_HWBENCH_CIFAR100 or UB_HWBENCH_IMAGENET
 * @param block      0 to UB_HWBENCH_FBNET_BLOCKS - 1
 * @param op         operator; 0 for blocks that are no layers
 * @param[out] text  room for UB_HWBENCH_KEY; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such block
 */
UB_API_CHECK
ub_status ub_hwbench_fbnet_key(int32_t dataset, int64_t block, int32_t op,
                               char *text);

/**
 * The FBNet with the lowest or highest value of a metric: of a sum, the lowest
 * or highest block in each layer. Of equal operators it takes the first.
 *
 * @param bench          the table
 * @param metric         number of the column; not that of average_hw_metric
 * @param direction      UB_MINIMIZE or UB_MAXIMIZE
 * @param[out] operators UB_HWBENCH_FBNET_LAYERS; untouched on failure
 * @param[out] out       what ub_hwbench_get_fbnet() says of it; may be NULL;
 *                       untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column or direction, or a block is
 *                         not known or did not compile
 */
UB_API_CHECK
ub_status ub_hwbench_fbnet_extreme(const ub_hwbench *bench, int64_t metric,
                                   int32_t direction, int32_t *operators,
                                   ub_hwbench_value *out);

/**
 * The FBNet with the lowest or highest value of one metric among those within a
 * limit of another, such as most FLOPs within a latency: exactly, by dynamic
 * programming over the blocks with the bounds of the Lagrangian relaxation.
 *
 * @param bench          the table
 * @param metric         number of the column to be best in; neither this one
 *                       nor the other is that of average_hw_metric
 * @param direction      UB_MINIMIZE or UB_MAXIMIZE
 * @param limited        number of the column that is limited
 * @param limit          the worst value allowed, itself included, in the
 *                       direction of that column; INFINITY where less is better
 *                       and -INFINITY where more is: no limit
 * @param[out] operators UB_HWBENCH_FBNET_LAYERS; untouched on failure
 * @param[out] out       what ub_hwbench_get_fbnet() says of it by the first
 *                       metric; may be NULL; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column, a block is not known or did
 *                         not compile, or no network keeps to the limit
 * @retval UB_ERR_RANGE    too many networks are nearly as good as the best
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_fbnet_best(const ub_hwbench *bench, int64_t metric,
                                int32_t direction, int64_t limited,
                                double limit, int32_t *operators,
                                ub_hwbench_value *out);

/**
 * Columns of NAS-Bench-201 as a matrix for the functions of strategy.h: a row
 * for each cell in index order. What is unknown or did not compile is NaN.
 *
 * @param bench        the table
 * @param n            how many columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param metrics      their numbers
 * @param[out] values  UB_NASBENCH201_CELLS x n; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column, or the space is FBNet
 */
UB_API_CHECK
ub_status ub_hwbench_values(const ub_hwbench *bench, int64_t n,
                            const int64_t *metrics, double *values);

/**
 * The best cell by the first of the metrics among those that keep to the limits
 * of all; see ub_best_within(). Of equally good ones it is that of the lowest
 * index.
 *
 * @param bench     the table
 * @param n         how many metrics, 1 to UB_STRATEGY_MAX_METRICS
 * @param metrics   numbers of their columns, whose directions count
 * @param limits    n numbers: the worst value allowed, itself included; NaN: no
 *                  limit; NULL: none
 * @param[out] out  index of the cell; -1 if there is none; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column, or the space is FBNet
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_best(const ub_hwbench *bench, int64_t n,
                          const int64_t *metrics, const double *limits,
                          int64_t *out);

/**
 * The Pareto front of the cells; see ub_pareto_front().
 *
 * @param bench           the table
 * @param n               how many metrics, 1 to UB_STRATEGY_MAX_METRICS
 * @param metrics         numbers of their columns, whose directions count
 * @param[out] out_front  room for UB_NASBENCH201_CELLS indices; untouched on
 *                        failure
 * @param[out] out_n      how many are set; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column, or the space is FBNet
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_pareto_front(const ub_hwbench *bench, int64_t n,
                                  const int64_t *metrics, int64_t *out_front,
                                  int64_t *out_n);

/**
 * Kendall's tau-b of every pair of metrics over the cells of which both are
 * known; see ub_kendall_tau_matrix().
 *
 * The published values of Eyeriss are sums with different last bits for cells
 * that cost the same. Ties are only seen as such if values are rounded first.
 *
 * @param bench     the table
 * @param n         how many metrics, 1 to UB_STRATEGY_MAX_METRICS
 * @param metrics   numbers of their columns
 * @param bits      significant bits that values are rounded to, 1 to 53; 40
 *                  for ties as above; 0 or 53: values as they are
 * @param[out] out  n x n; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such column, the space is FBNet, or bits
 *                         is out of range
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hwbench_kendall_tau(const ub_hwbench *bench, int64_t n,
                                 const int64_t *metrics, int32_t bits,
                                 double *out);

UB_END_DECLS

/** @} */

#endif
