/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_DATASET_H
#define UBOOST_DATASET_H

#include <uboost/tensor.h>

/**
 * @file
 * @defgroup dataset dataset
 * Labelled images in memory, and batches of them prepared ahead.
 * @{
 */

UB_BEGIN_DECLS

/**
 * Labelled images: 8-bit pixels N, C, H, W, one class per image. Immutable.
 * Subsets share the images of their parent and may outlive it.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_dataset ub_dataset;

/** Settings of ub_dataset_open(). Fill with ub_dataset_options_init() first. */
typedef struct ub_dataset_options {
    size_t size;             /**< set by ub_dataset_options_init() */
    uint64_t synthetic_seed; /**< seed of the synthetic set; default 1 */
    int64_t synthetic_train; /**< its training images, 1 or more; default
                                  10000 */
    int64_t synthetic_test;  /**< its test images, 1 or more; default 2000 */
    int32_t image_size;      /**< height and width, up to 1024, to which images
                                are resized; 0 (default): see
                                ub_dataset_open() */
    int32_t reserved;        /**< 0 */
} ub_dataset_options;

/**
 * Set every option to its default.
 *
 * @param options  options to fill
 * @param size     sizeof(*options) as the caller sees it
 */
UB_API
void ub_dataset_options_init(ub_dataset_options *options, size_t size);

/**
 * Read a data set whole. The path is tried as, in this order:
 *
 * - `synthetic`: ten classes of drawn shapes and textures, no file needed
 *   ("synthetic", 3 channels; pixels depend on seed, size and index alone);
 * - a CIFAR-10 or CIFAR-100 binary archive, .tar.gz or .tar ("cifar10",
 *   "cifar100"; the latter with its fine labels);
 * - a folder with data_batch_1.bin or train.bin, or with a folder
 *   cifar-10-batches-bin, cifar-100-binary, or with an archive
 *   cifar-10-binary.tar.gz, cifar-100-binary.tar.gz;
 * - a folder with the IDX files of MNIST, or its train-images file, .gz or
 *   not ("fashion-mnist" when the path says so, else "idx"; 1 channel);
 * - a folder with train/ and val/ (preferred) or test/ in it, one sub-folder a
 *   class, images (PNG; JPEG where built in) in it or in its images/
 *   ("folder", 3 channels; transparency on black). Classes are sorted by name.
 *   val/val_annotations.txt, as in Tiny ImageNet, is followed.
 *
 * With image_size 0 CIFAR and IDX images keep their size, except that 28 x 28
 * are padded with zeros to 32 x 32; folders and the synthetic set are
 * 32 x 32. With another image_size all are resized (bilinear, averaging when
 * shrinking, the aspect ratio not kept), 28 x 28 after padding unless
 * image_size is 28.
 *
 * Training images keep the order of their batches, files or names. Errors
 * name the file, the offset in it and what was expected there.
 *
 * @param context         where memory comes from; must outlive both sets
 * @param path            see above
 * @param options         settings, or NULL for the defaults; not kept
 * @param[out] out_train  training images, owned by the caller
 * @param[out] out_test   test images, owned by the caller; may be NULL. Both
 *                        are untouched on failure.
 *
 * @retval UB_ERR_INVALID      an option is out of its range
 * @retval UB_ERR_IO           the path does not exist, or reading failed
 * @retval UB_ERR_FORMAT       a file is damaged, or not what its name says
 * @retval UB_ERR_RANGE        more images, or larger ones, than supported
 * @retval UB_ERR_UNSUPPORTED  a JPEG file, and no JPEG support built in
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_dataset_open(ub_context *context, const char *path,
                          const ub_dataset_options *options,
                          ub_dataset **out_train, ub_dataset **out_test);

/**
 * Make a data set of images in memory, which are copied. Its name is
 * "memory", its class names are numbers.
 *
 * @param context   where memory comes from; must outlive the set
 * @param shape     N, C, H, W: at least 1; C at most 4, H and W at most 1024
 * @param classes   number of classes, 1 to 65536
 * @param images    N * C * H * W pixels
 * @param labels    N labels, each 0 to classes - 1
 * @param[out] out  the data set, owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is out of its range
 * @retval UB_ERR_RANGE    more than 16 GiB of images
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_dataset_create(ub_context *context, const int64_t shape[4],
                            int64_t classes, const uint8_t *images,
                            const int32_t *labels, ub_dataset **out);

/** Destroy a data set and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_dataset_destroy(ub_dataset **dataset);

/** Number of images. */
UB_API
int64_t ub_dataset_count(const ub_dataset *dataset);

/** Number of classes, those without an image included. */
UB_API
int64_t ub_dataset_classes(const ub_dataset *dataset);

/** Channels of an image: 1 or 3, up to 4 with ub_dataset_create(). */
UB_API
int64_t ub_dataset_channels(const ub_dataset *dataset);

/** Height of an image in pixels. */
UB_API
int64_t ub_dataset_height(const ub_dataset *dataset);

/** Width of an image in pixels. */
UB_API
int64_t ub_dataset_width(const ub_dataset *dataset);

/** Pixels C, H, W of image number `index`, borrowed; NULL if out of range. */
UB_API
const uint8_t *ub_dataset_image(const ub_dataset *dataset, int64_t index);

/** Class of image number `index`; -1 if out of range. */
UB_API
int32_t ub_dataset_label(const ub_dataset *dataset, int64_t index);

/** Name of a class, UTF-8 as in its file, borrowed; NULL if out of range. */
UB_API
const char *ub_dataset_class_name(const ub_dataset *dataset, int64_t label);

/** What was read: "cifar10", "cifar100", "fashion-mnist", "idx", "folder",
 * "synthetic" or "memory". A static string. */
UB_API
const char *ub_dataset_name(const ub_dataset *dataset);

/**
 * Some images of a data set, in a given order.
 *
 * @param dataset   the parent; its images are shared, not copied
 * @param n         number of images, at least 1
 * @param indexes   n numbers of images in the parent, repeats allowed
 * @param[out] out  the subset, owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  n or an index is out of range
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_dataset_subset(const ub_dataset *dataset, int64_t n,
                            const int64_t *indexes, ub_dataset **out);

/**
 * Class-balanced random choice of images, in random order. The choice has as
 * many images of each class, to within one, as long as the classes have them.
 * So has each tail of it (unless it reaches images after a class ran out):
 * the last tenth, cut off by ub_dataset_slice(), is a balanced validation set.
 *
 * @param dataset   the parent; its images are shared, not copied
 * @param n         number of images, 1 to ub_dataset_count()
 * @param seed      the same seed gives the same choice and order
 * @param[out] out  the choice, owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  n is out of range
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_dataset_choose(const ub_dataset *dataset, int64_t n, uint64_t seed,
                            ub_dataset **out);

/**
 * Images begin to end - 1 of a data set.
 *
 * @param dataset   the parent; its images are shared, not copied
 * @param begin     first image, at least 0
 * @param end       behind the last image: more than begin, at most
 *                  ub_dataset_count()
 * @param[out] out  the slice, owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  begin or end is out of range
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_dataset_slice(const ub_dataset *dataset, int64_t begin,
                           int64_t end, ub_dataset **out);

/**
 * Mean and (population) standard deviation of each channel over all pixels of
 * all images, where 0 is pixel value 0 and 1 is pixel value 255.
 *
 * @param dataset    the images
 * @param[out] mean  ub_dataset_channels() values
 * @param[out] std   ub_dataset_channels() values
 */
UB_API
void ub_dataset_statistics(const ub_dataset *dataset, float *mean, float *std);

/** Settings of a loader. Fill with ub_loader_options_init() first. */
typedef struct ub_loader_options {
    size_t size;     /**< set by ub_loader_options_init() */
    int64_t batch;   /**< images of a batch, 1 to 65536; default 64 */
    uint64_t seed;   /**< of order and augmentation; default 1 */
    float mean[4];   /**< per channel, subtracted; default 0 */
    float std[4];    /**< per channel, positive, divides; default 1 */
    int32_t shuffle; /**< 1: another order every epoch; default 0 */
    int32_t
        crop_padding;  /**< pixels (0 to 64) by which an image is shifted at
                          most, each way; pixel value 0 moves in; default 0 */
    int32_t flip;      /**< 1: mirror left-right half of the time; default 0 */
    int32_t drop_last; /**< 1: leave out a smaller last batch; default 0 */
    int32_t prefetch;  /**< 1 (default): prepare the next batch in a thread */
    int32_t reserved;  /**< 0 */
} ub_loader_options;

/**
 * Batches of a data set, epoch after epoch: pixels p as
 * (p / 255 - mean) / std, shuffled and augmented. Order and augmentation depend
 * on the seed, the epoch and the place in it alone, not on prefetching nor on
 * where the epoch was started.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_loader ub_loader;

/**
 * Set every option to its default.
 *
 * @param options  options to fill
 * @param size     sizeof(*options) as the caller sees it
 */
UB_API
void ub_loader_options_init(ub_loader_options *options, size_t size);

/**
 * Create a loader. It has no epoch yet: see ub_loader_start().
 *
 * @param context   where memory comes from; must outlive the loader
 * @param dataset   its images are shared; it may be destroyed before
 * @param options   settings, or NULL for the defaults; not kept
 * @param[out] out  the loader, owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  an option is out of its range
 * @retval UB_ERR_NOMEM    out of memory, or starting the thread failed
 */
UB_API_CHECK
ub_status ub_loader_create(ub_context *context, const ub_dataset *dataset,
                           const ub_loader_options *options, ub_loader **out);

/** Destroy a loader and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_loader_destroy(ub_loader **loader);

/** Batches of an epoch; 0 when drop_last leaves none. */
UB_API
int64_t ub_loader_batches(const ub_loader *loader);

/**
 * Begin an epoch, at any of its batches. An epoch under way is given up.
 *
 * @param loader       the loader
 * @param epoch        number of the epoch, 0 to 2^31 - 1
 * @param first_batch  number of the batch that ub_loader_next() gives first,
 *                     0 to ub_loader_batches()
 *
 * @retval UB_ERR_INVALID  an argument is out of range
 */
UB_API_CHECK
ub_status ub_loader_start(ub_loader *loader, int64_t epoch,
                          int64_t first_batch);

/**
 * The next batch of the epoch. At its end *out_n is 0, and the other two are
 * NULL.
 *
 * @param loader           the loader
 * @param[out] out_images  n, C, H, W; borrowed until the next call of
 *                         ub_loader_next(), _start() or _destroy(); may be
 *                         written to meanwhile
 * @param[out] out_labels  n labels, borrowed alike
 * @param[out] out_n       images in this batch: the batch size, or fewer in
 *                         the last batch
 *
 * @retval UB_ERR_INVALID  no epoch was started
 */
UB_API_CHECK
ub_status ub_loader_next(ub_loader *loader, ub_tensor **out_images,
                         const int32_t **out_labels, int64_t *out_n);

UB_END_DECLS

/** @} */

#endif
