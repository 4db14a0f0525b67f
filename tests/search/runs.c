/* SPDX-License-Identifier: BSD-2-Clause */
#include "runs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGES 60
#define PIXELS (3 * 16 * 16)

/* Stripes whose direction is the class, with noise: quickly learnt. */
ub_status runs_data(ub_context *context, uint64_t seed, ub_dataset **out)
{
    static const int64_t shape[4] = { IMAGES, 3, 16, 16 };
    uint8_t images[IMAGES * PIXELS];
    int32_t labels[IMAGES];
    ub_rng rng;

    ub_rng_init(&rng, seed, 0);
    for (int i = 0; i < IMAGES; i++) {
        labels[i] = i % 3;
        for (int p = 0; p < PIXELS; p++) {
            const int y = p / 16 % 16, x = p % 16;
            const int at = labels[i] == 0 ? x : (labels[i] == 1 ? y : x + y);
            images[i * PIXELS + p] = (uint8_t) (at % 4 * 60 +
                                                (int) ub_rng_below(&rng, 40));
        }
    }
    return ub_dataset_create(context, shape, 3, images, labels, out);
}

void runs_options(ub_search_options *o)
{
    ub_search_options_init(o, sizeof(*o));
    assert_int_equal(ub_search_preset(o, "quick"), UB_OK);
    o->base_width = 2;
    o->widths = (ub_width_range){ 2, 4, 2 };
    o->rows = o->columns = 16;
    o->train_images = 40;
    o->search_batch = 8;
    o->train_batch = 16;
    o->micro_epochs = o->channel_epochs = o->train_epochs = 1;
}

const char *runs_folder(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s", test_path(name));
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

ub_status runs_go(ub_context *context, const ub_search_options *o,
                  const char *folder, int resume, ub_search_result *result)
{
    ub_dataset *train = NULL, *test = NULL;
    ub_status status = runs_data(context, 1, &train);

    result->size = sizeof(*result);
    if (status == UB_OK)
        status = runs_data(context, 2, &test);
    if (status == UB_OK)
        status = ub_search_run(context, o, train, test, folder, resume, result);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    return status;
}

int runs_has(const char *folder, const char *name)
{
    char path[600];
    struct stat s;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &s) == 0 && s.st_size > 0;
}

static int stop_after(void *user, const ub_progress *progress)
{
    struct runs_stop *s = user;

    (void) progress;
    return ++s->seen == s->after;
}

ub_context *runs_context(struct runs_stop *s, int threads)
{
    return test_progress_context(threads, stop_after, s);
}

void runs_read(const char *folder, const char *name, char *out, size_t room,
               size_t *size)
{
    char path[600];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    *size = fread(out, 1, room, file);
    assert_true(*size > 0 && *size < room);
    fclose(file);
}

/* Cut the time, which is last, out of every line of a log. */
static void drop_seconds(char *log, size_t *size)
{
    char *to = log, *line = log;

    log[*size] = '\0';
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char *seconds = strstr(line, ",\"seconds\":");

        assert_true(seconds != NULL && seconds < end);
        memmove(to, line, (size_t) (seconds - line));
        to += seconds - line;
        *to++ = '\n';
    }
    *size = (size_t) (to - log);
}

void runs_stopped(const ub_search_options *o, const char *name,
                  ub_search_result *result)
{
    static char a[1 << 20], b[1 << 20];
    struct runs_stop never = { 0, 0 }, often = { 1, 0 };
    ub_context *context = runs_context(&never, 2);
    char whole[512], parts[512];
    ub_search_result r, s;
    size_t n, m;
    int stops = 0;

    snprintf(parts, sizeof(parts), "%s-whole", name);
    snprintf(whole, sizeof(whole), "%s", runs_folder(parts));
    snprintf(parts, sizeof(parts), "%s-parts", name);
    snprintf(parts, sizeof(parts), "%s", runs_folder(parts));
    assert_int_equal(runs_go(context, o, whole, 0, &r), UB_OK);
    ub_context_destroy(&context);
    for (;; stops++) {
        ub_status status;

        often.seen = 0;
        context = runs_context(&often, 2);
        status = runs_go(context, o, parts, 1, &s);
        ub_context_destroy(&context);
        if (status == UB_OK)
            break;
        assert_int_equal(status, UB_ERR_INTERRUPTED);
    }
    assert_int_equal(stops, never.seen);
    runs_read(whole, "weights.safetensors", a, sizeof(a), &n);
    runs_read(parts, "weights.safetensors", b, sizeof(b), &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    runs_read(whole, "log.jsonl", a, sizeof(a), &n);
    runs_read(parts, "log.jsonl", b, sizeof(b), &m);
    drop_seconds(a, &n);
    drop_seconds(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    assert_true(r.test_accuracy == s.test_accuracy);
    assert_true(r.simulated_cycles == s.simulated_cycles);
    assert_true(r.model_latency_ms == s.model_latency_ms);
    assert_int_equal(r.polish_moves, s.polish_moves);
    assert_int_equal(r.polish_evaluations, s.polish_evaluations);
    assert_true(r.searched_latency_ms == s.searched_latency_ms);
    *result = r;
}

void runs_same_file(const char *folder, const char *other, const char *name)
{
    static char a[1 << 20], b[1 << 20];
    size_t n, m;

    runs_read(folder, name, a, sizeof(a), &n);
    runs_read(other, name, b, sizeof(b), &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
}

json_t *runs_json(const char *folder, const char *name)
{
    static char text[1 << 16];
    json_t *root;
    size_t n;

    runs_read(folder, name, text, sizeof(text) - 1, &n);
    text[n] = '\0';
    root = json_loads(text, 0, NULL);
    assert_non_null(root);
    return root;
}
