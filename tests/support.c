/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATHS     8
#define PATH_SIZE 1024
#define SWEEP_MAX 100000

ub_context *test_context(int threads)
{
    return test_progress_context(threads, NULL, NULL);
}

ub_context *test_progress_context(int threads, ub_progress_fn progress,
                                  void *user)
{
    ub_context_options options;
    ub_context *context = NULL;

    ub_context_options_init(&options, sizeof options);
    options.threads = threads;
    options.progress = progress;
    options.progress_user = user;
    if (ub_context_create(&options, &context) != UB_OK)
        fail_msg("cannot create a context with %d threads", threads);
    return context;
}

static void note(void *user, ub_log_level level, const char *line)
{
    struct test_log *log = user;

    (void) level;
    snprintf(log->text, sizeof(log->text), "%s", line);
    log->lines++;
}

ub_context *test_log_context(struct test_log *log)
{
    ub_context_options options;
    ub_context *context = NULL;

    ub_context_options_init(&options, sizeof(options));
    options.log = note;
    options.log_user = log;
    options.log_level = UB_LOG_WARNING;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    *log = (struct test_log){ .lines = 0 };
    return context;
}

static void *counting_alloc(void *user, size_t bytes, size_t alignment)
{
    struct test_allocator *self = user;
    void *memory;

    if (bytes > SIZE_MAX - alignment)
        return NULL;
    if (self->fail_at >= 0 && self->count >= self->fail_at) {
        self->count++;
        return NULL;
    }
    self->count++;
    memory = aligned_alloc(alignment,
                           (bytes + alignment - 1) / alignment * alignment);
    if (memory != NULL) {
        /* no test passes because new memory happens to be zero */
        memset(memory, 0xff, bytes);
        self->live += (int64_t) bytes;
    }
    return memory;
}

static void counting_free(void *user, void *memory, size_t bytes)
{
    struct test_allocator *self = user;

    self->live -= (int64_t) bytes;
    free(memory);
}

void test_allocator_init(struct test_allocator *self, int64_t fail_at,
                         ub_allocator *out)
{
    *self = (struct test_allocator){ fail_at, 0, 0 };
    *out = (ub_allocator){ sizeof *out, counting_alloc, counting_free, self };
}

static char folder[PATH_SIZE / 2];
static char paths[PATHS][PATH_SIZE];
static int paths_next;

static const char *join(const char *first, const char *name)
{
    char *path = paths[paths_next++ % PATHS];

    snprintf(path, PATH_SIZE, "%s/%s", first, name);
    return path;
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char name[PATH_SIZE];
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (lstat(name, &info) == 0 && S_ISDIR(info.st_mode))
            remove_tree(name);
        else
            unlink(name);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

static void remove_folder(void)
{
    remove_tree(folder);
}

const char *test_folder(void)
{
    const char *parent = getenv("TMPDIR");

    if (folder[0] != '\0')
        return folder;
    snprintf(folder, sizeof folder, "%s/uboost-test-XXXXXX",
             parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder) == NULL) {
        folder[0] = '\0';
        fail_msg("cannot make a temporary folder");
    }
    atexit(remove_folder);
    return folder;
}

const char *test_path(const char *name)
{
    return join(test_folder(), name);
}

static const char *in_variable(const char *variable, const char *name)
{
    const char *value = getenv(variable);

    return value == NULL || value[0] == '\0' ? NULL : join(value, name);
}

const char *test_data(const char *name)
{
    return in_variable("UBOOST_DATA", name);
}

const char *test_golden(const char *name)
{
    return in_variable("UBOOST_GOLDEN", name);
}

void test_file_write(const char *path, const void *data, size_t size)
{
    FILE *file;

    /* A file that is cut to nothing and written anew is put on the disk at once
     * by ext4, which takes long; a new one is not. */
    (void) remove(path);
    file = fopen(path, "wb");
    if (file == NULL)
        fail_msg("cannot write %s", path);
    if (size > 0 && fwrite(data, 1, size, file) != size)
        fail_msg("cannot write %s", path);
    if (fclose(file) != 0)
        fail_msg("cannot write %s", path);
}

char *test_file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    char *text;
    size_t size;

    if (file == NULL || fstat(fileno(file), &info) != 0)
        fail_msg("cannot read %s", path);
    size = (size_t) info.st_size;
    text = malloc(size + 1);
    if (text == NULL || fread(text, 1, size, file) != size)
        fail_msg("cannot read %s", path);
    text[size] = '\0';
    fclose(file);
    return text;
}

int test_files(ub_context *context, const char *name, test_file_user use)
{
    char below[PATH_SIZE]; /* users make paths, too */
    DIR *dir = opendir(name);
    struct dirent *entry;
    int counted = 0;

    if (dir == NULL)
        fail_msg("cannot open %s", name);
    snprintf(below, sizeof(below), "%s", name);
    while ((entry = readdir(dir)) != NULL) {
        char path[PATH_SIZE];
        struct stat info;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%.500s/%.255s", below, entry->d_name);
        if (stat(path, &info) != 0)
            fail_msg("cannot stat %s", path);
        counted += S_ISDIR(info.st_mode) ? test_files(context, path, use)
                                         : use(context, path);
    }
    closedir(dir);
    return counted;
}

struct test_damage test_damaged(ub_context *context, const char *name,
                                const void *data, size_t size,
                                struct test_damage every, test_reader read)
{
    struct test_damage accepted = { 0, 0 };
    char path[PATH_SIZE];
    unsigned char *bytes = malloc(size);

    if (bytes == NULL)
        fail_msg("out of memory");
    snprintf(path, sizeof(path), "%s", test_path(name));
    memcpy(bytes, data, size);
    for (size_t n = 0; n < size; n += every.prefixes) {
        test_file_write(path, bytes, n);
        accepted.prefixes += read(context, path) != 0;
    }
    for (size_t bit = 0; bit < 8 * size; bit += every.flips) {
        const unsigned char flip = (unsigned char) (1 << bit % 8);

        bytes[bit / 8] ^= flip;
        test_file_write(path, bytes, size);
        accepted.flips += read(context, path) != 0;
        bytes[bit / 8] ^= flip;
    }
    free(bytes);
    return accepted;
}

ub_layer_info test_info(const ub_network *network, int64_t index)
{
    ub_layer_info info = { .size = sizeof(info) };

    assert_int_equal(ub_network_layer(network, index, &info), UB_OK);
    return info;
}

void test_same_layers(const ub_network *a, const ub_network *b)
{
    assert_int_equal(ub_network_layers(a), ub_network_layers(b));
    for (int64_t i = 0; i < ub_network_layers(a); i++) {
        const ub_layer_info x = test_info(a, i), y = test_info(b, i);

        assert_string_equal(x.name, y.name);
        assert_memory_equal(x.layer, y.layer, sizeof(*x.layer));
        assert_int_equal(x.in_channels, y.in_channels);
        assert_int_equal(x.out_height, y.out_height);
        assert_int_equal(x.out_width, y.out_width);
        assert_int_equal(x.macs, y.macs);
    }
}

ub_gemm test_product(int64_t m, int64_t k, int64_t n, int64_t count)
{
    const ub_gemm g = { sizeof(g), m, k, n, count, m * k };

    return g;
}

float *test_logit(const ub_parameters *p, int64_t index)
{
    for (int64_t i = 0; i < ub_parameters_count(p); i++) {
        ub_tensor *value = ub_variable_value(ub_parameters_variable(p, i));

        if (ub_parameters_kind(p, i) != UB_PARAMETER_ARCHITECTURE)
            continue;
        if (index < ub_tensor_count(value))
            return ub_tensor_data(value) + index;
        index -= ub_tensor_count(value);
    }
    fail();
    return NULL;
}

void test_close(double actual, double expected, double tolerance,
                const char *expression, const char *file, int line)
{
    if (fabs(actual - expected) <= tolerance) /* false for NaN */
        return;
    print_error("%s is %.17g, expected %.17g within %g\n", expression, actual,
                expected, tolerance);
    _fail(file, line);
}

/* One run; tells whether an allocation was refused. */
static int run_with(int64_t fail_at, test_scenario scenario, int threads,
                    void *arg, ub_status *out, int64_t *out_live)
{
    struct test_allocator counter;
    ub_allocator allocator;
    ub_context_options options;
    ub_context *context = NULL;

    test_allocator_init(&counter, fail_at, &allocator);
    ub_context_options_init(&options, sizeof options);
    options.allocator = &allocator;
    options.threads = threads;
    *out = ub_context_create(&options, &context);
    if (*out == UB_OK)
        *out = scenario(context, arg);
    ub_context_destroy(&context);
    *out_live = counter.live;
    return counter.count > fail_at;
}

void test_oom_sweep(test_scenario scenario, int threads, void *arg,
                    const char *name, const char *file, int line)
{
    /* Beyond a thousand, every hundredth of the way. */
    for (int64_t n = 0; n < SWEEP_MAX; n += n < 1000 ? 1 : n / 100) {
        ub_status status;
        int64_t live;
        int refused = run_with(n, scenario, threads, arg, &status, &live);

        if (live == 0 && !refused && status == UB_OK)
            return;
        if (live == 0 && refused && status == UB_ERR_NOMEM)
            continue;
        print_error("%s with allocation %lld refused: %s, %lld bytes leaked\n",
                    name, (long long) n, ub_status_str(status),
                    (long long) live);
        _fail(file, line);
    }
    print_error("%s never succeeds\n", name);
    _fail(file, line);
}
