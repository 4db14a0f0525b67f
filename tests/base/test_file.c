/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t entries(ub_context *context, const char *path)
{
    char **names;
    size_t n;

    assert_int_equal(ub__folder_list(context, path, &names, &n), UB_OK);
    ub__free(context, names);
    return n;
}

static const char *fresh_folder(const char *name)
{
    const char *path = test_path(name);

    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static void assert_holds(ub_context *context, const char *path,
                         const void *data, size_t size)
{
    void *got;
    size_t n;

    assert_int_equal(ub__file_read(context, path, 1 << 24, &got, &n), UB_OK);
    assert_int_equal(n, size);
    assert_memory_equal(got, data, size);
    assert_int_equal(((char *) got)[n], 0);
    ub__free(context, got);
}

static void sizes_round_trip(void **state)
{
    static const size_t sizes[] = { 0,     1,     65535,  65536,
                                    65537, 70000, 131073, 300000 };
    static unsigned char data[300000];
    ub_context *context = test_context(1);
    const char *path = test_path("sizes");

    (void) state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char) (i * 131 >> 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *got = NULL;
        size_t n = 77;

        assert_int_equal(ub__file_write(context, path, data, sizes[i]), UB_OK);
        assert_holds(context, path, data, sizes[i]);
        assert_int_equal(ub__file_read(context, path, sizes[i], &got, &n),
                         UB_OK);
        ub__free(context, got);
        if (sizes[i] == 0)
            continue;
        got = NULL;
        n = 77;
        assert_int_equal(ub__file_read(context, path, sizes[i] - 1, &got, &n),
                         UB_ERR_RANGE);
        assert_null(got);
        assert_int_equal(n, 77);
    }
    ub_context_destroy(&context);
}

static void endless_file_is_refused(void **state)
{
    ub_context *context = test_context(1);
    void *data;
    size_t n;

    (void) state;
    assert_int_equal(ub__file_read(context, "/dev/zero", 1000000, &data, &n),
                     UB_ERR_RANGE);
    assert_int_equal(ub__file_read(context, "/dev/null", 0, &data, &n), UB_OK);
    assert_int_equal(n, 0);
    ub__free(context, data);
    ub_context_destroy(&context);
}

static void streamed(void **state)
{
    ub_context *context = test_context(1);
    const char *folder = fresh_folder("streamed");
    char *path = ub__path_join(context, folder, "file");
    ub__writer *writer = NULL;
    static char expected[260000];
    size_t size = 0;

    (void) state;
    assert_int_equal(ub__writer_open(context, path, &writer), UB_OK);
    for (size_t i = 0; i < 700; i++) {
        memset(expected + size, (int) (i & 0xff), i);
        assert_int_equal(ub__writer_put(writer, expected + size, i), UB_OK);
        size += i;
    }
    assert_false(ub__file_exists(path));
    assert_int_equal(ub__writer_commit(&writer), UB_OK);
    assert_null(writer);
    assert_holds(context, path, expected, size);
    assert_int_equal(entries(context, folder), 1);

    assert_int_equal(ub__writer_open(context, path, &writer), UB_OK);
    assert_int_equal(ub__writer_put(writer, "new", 3), UB_OK);
    ub__writer_abort(&writer);
    ub__writer_abort(&writer);
    assert_holds(context, path, expected, size);
    assert_int_equal(entries(context, folder), 1);
    ub__free(context, path);
    ub_context_destroy(&context);
}

/* A path of the same temporary name, left by a crash, is not overwritten. */
static void two_writers(void **state)
{
    ub_context *context = test_context(1);
    const char *folder = fresh_folder("two");
    char *path = ub__path_join(context, folder, "file");
    ub__writer *a, *b;

    (void) state;
    assert_int_equal(ub__writer_open(context, path, &a), UB_OK);
    assert_int_equal(ub__writer_open(context, path, &b), UB_OK);
    assert_int_equal(entries(context, folder), 2);
    assert_int_equal(ub__writer_put(a, "a", 1), UB_OK);
    assert_int_equal(ub__writer_put(b, "b", 1), UB_OK);
    assert_int_equal(ub__writer_commit(&a), UB_OK);
    assert_holds(context, path, "a", 1);
    assert_int_equal(ub__writer_commit(&b), UB_OK);
    assert_holds(context, path, "b", 1);
    assert_int_equal(entries(context, folder), 1);
    ub__free(context, path);
    ub_context_destroy(&context);
}

static void failures_leave_nothing(void **state)
{
    ub_context *context = test_context(1);
    const char *folder = fresh_folder("failures");
    char *target = ub__path_join(context, folder, "target");
    char *inside = ub__path_join(context, target, "inside");
    void *data;
    size_t n;

    (void) state;
    /* The rename fails: a folder that is not empty is in the way. */
    assert_int_equal(mkdir(target, 0777), 0);
    assert_int_equal(ub__file_write(context, inside, "old", 3), UB_OK);
    assert_int_equal(ub__file_write(context, target, "new", 3), UB_ERR_IO);
    assert_non_null(strstr(ub_context_last_error(context), "renaming"));
    assert_int_equal(entries(context, folder), 1);
    assert_holds(context, inside, "old", 3);
    assert_int_equal(ub__file_read(context, target, 10, &data, &n), UB_ERR_IO);
    assert_non_null(strstr(ub_context_last_error(context), "is a folder"));
    assert_int_equal(ub__file_write(context, "/no/such/folder/file", "x", 1),
                     UB_ERR_IO);
    assert_non_null(strstr(ub_context_last_error(context), "no such file"));
    assert_int_equal(ub__file_read(context, "/no/such", 10, &data, &n),
                     UB_ERR_IO);
    ub__free(context, target);
    ub__free(context, inside);
    ub_context_destroy(&context);
}

/* What a link points to is replaced, not the link: relative to the link's
 * folder, through another link, and where there is no file yet. */
static void links_are_followed(void **state)
{
    ub_context *context = test_context(1);
    const char *folder = fresh_folder("links");
    char *inner = ub__path_join(context, folder, "inner");
    char *file = ub__path_join(context, inner, "file");
    char *middle = ub__path_join(context, inner, "middle");
    char *link = ub__path_join(context, folder, "link");
    char *loop = ub__path_join(context, folder, "loop");
    struct stat info;

    (void) state;
    assert_int_equal(mkdir(inner, 0777), 0);
    assert_int_equal(symlink("inner/middle", link), 0);
    assert_int_equal(symlink(file, middle), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ub__file_write(context, link, "text", 4), UB_OK);
        assert_holds(context, file, "text", 4);
        assert_int_equal(lstat(link, &info), 0);
        assert_true(S_ISLNK(info.st_mode));
        assert_int_equal(lstat(middle, &info), 0);
        assert_true(S_ISLNK(info.st_mode));
        test_file_write(file, "old", 3);
    }
    assert_int_equal(entries(context, folder), 2);
    assert_int_equal(entries(context, inner), 2);
    assert_int_equal(symlink("loop", loop), 0);
    assert_int_equal(ub__file_write(context, loop, "x", 1), UB_ERR_IO);
    assert_non_null(strstr(ub_context_last_error(context), "too many symb"));
    ub__free(context, loop);
    ub__free(context, link);
    ub__free(context, middle);
    ub__free(context, file);
    ub__free(context, inner);
    ub_context_destroy(&context);
}

/* A device that is always full, and a file that may not grow: the error says
 * so, and the old file stays alone. */
static void full_disk(void **state)
{
    static const char data[200000];
    ub_context *context = test_context(1);
    const char *folder = fresh_folder("full");
    char *path = ub__path_join(context, folder, "file");
    struct rlimit old, low;

    (void) state;
    /* Less than a buffer fails at the end, more of it in between. */
    for (size_t size = 1; ub__file_exists("/dev/full") && size <= 200000;
         size += 199999) {
        assert_int_equal(ub__file_write(context, "/dev/full", data, size),
                         UB_ERR_IO);
        assert_non_null(
            strstr(ub_context_last_error(context), "/dev/full: writing: no "));
    }
    assert_int_equal(ub__file_write(context, path, "old", 3), UB_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 1000;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    for (size_t size = 1001; size <= 200000; size += 198999) {
        assert_int_equal(ub__file_write(context, path, data, size), UB_ERR_IO);
        assert_non_null(
            strstr(ub_context_last_error(context), "file too large"));
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
    assert_holds(context, path, "old", 3);
    assert_int_equal(entries(context, folder), 1);
    ub__free(context, path);
    ub_context_destroy(&context);
}

static void folders(void **state)
{
    static const char *const sorted[] = { "B", "a", "a b", "a.b", "c" };
    ub_context *context = test_context(1);
    const char *folder = fresh_folder("folder");
    char **names;
    size_t n;

    (void) state;
    for (size_t i = 0; i < 5; i++) {
        char *path = ub__path_join(context, folder, sorted[(i * 3 + 1) % 5]);

        test_file_write(path, "", 0);
        ub__free(context, path);
    }
    assert_int_equal(ub__folder_list(context, folder, &names, &n), UB_OK);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(names[i], sorted[i]);
    ub__free(context, names);
    assert_int_equal(entries(context, fresh_folder("empty")), 0);
    assert_int_equal(ub__folder_list(context, "/no/such", &names, &n),
                     UB_ERR_IO);
    assert_true(ub__is_folder(folder));
    assert_true(ub__file_exists(folder));
    assert_false(ub__is_folder("/no/such"));
    assert_false(ub__is_folder("/dev/null"));
    assert_true(ub__file_exists("/dev/null"));
    ub_context_destroy(&context);
}

static void paths_join(void **state)
{
    static const char *const cases[][3] = { { "a", "b", "a/b" },
                                            { "a/", "b", "a/b" },
                                            { "", "b", "b" },
                                            { "/", "b", "/b" } };
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        char *path = ub__path_join(context, cases[i][0], cases[i][1]);

        assert_string_equal(path, cases[i][2]);
        ub__free(context, path);
    }
    ub_context_destroy(&context);
}

static ub_status use_files(ub_context *context, void *arg)
{
    const char *folder = arg;
    char **names = NULL;
    void *data = NULL;
    size_t n;
    char *path = ub__path_join(context, folder, "file");
    ub_status status = path == NULL ? UB_ERR_NOMEM : UB_OK;

    if (status == UB_OK)
        status = ub__file_write(context, path, "text", 4);
    if (status == UB_OK)
        status = ub__file_read(context, path, 10, &data, &n);
    if (status == UB_OK)
        status = ub__folder_list(context, folder, &names, &n);
    ub__free(context, names);
    ub__free(context, data);
    ub__free(context, path);
    return status;
}

static void out_of_memory(void **state)
{
    ub_context *context = test_context(1);
    char folder[1024];
    char *link;

    (void) state;
    snprintf(folder, sizeof folder, "%s", fresh_folder("oom"));
    link = ub__path_join(context, folder, "file");
    assert_int_equal(symlink("target", link), 0);
    ub__free(context, link);
    assert_survives_oom(use_files, 1, folder);
    assert_int_equal(entries(context, folder), 2);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_round_trip),
        cmocka_unit_test(endless_file_is_refused),
        cmocka_unit_test(streamed),
        cmocka_unit_test(two_writers),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(folders),
        cmocka_unit_test(paths_join),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
