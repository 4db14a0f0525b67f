/* SPDX-License-Identifier: BSD-2-Clause */
#include "pickle_show.h"
#include "pickle_written.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* -- bytes in the making -------------------------------------------------- */

struct bytes {
    char *start;
    size_t n, room;
};

static void put(struct bytes *bytes, const char *more, size_t n, size_t times)
{
    if (n * times == 0)
        return;
    if (bytes->n + n * times > bytes->room) {
        bytes->room = 2 * (bytes->n + n * times);
        bytes->start = realloc(bytes->start, bytes->room);
        assert_non_null(bytes->start);
    }
    for (size_t i = 0; i < times; i++, bytes->n += n)
        memcpy(bytes->start + bytes->n, more, n);
}

static void put_number(struct bytes *bytes, uint32_t x)
{
    const char little[] = { (char) (x & 0xff), (char) (x >> 8 & 0xff),
                            (char) (x >> 16 & 0xff), (char) (x >> 24) };

    put(bytes, little, 4, 1);
}

/* -- an allocator that notes the most that was held ----------------------- */

struct peak {
    size_t now, most;
};

static void *peak_alloc(void *user, size_t n, size_t alignment)
{
    struct peak *peak = user;
    void *memory = NULL;

    peak->now += n;
    if (peak->now > peak->most)
        peak->most = peak->now;
    return posix_memalign(&memory, alignment, n) == 0 ? memory : NULL;
}

static void peak_free(void *user, void *memory, size_t n)
{
    struct peak *peak = user;

    peak->now -= n;
    free(memory);
}

/* Parse within the memory that is promised, by the reader's own account and by
 * the allocator's, and with nothing left behind. Frees the bytes. */
static ub_status parse_bounded(struct bytes *bytes)
{
    const size_t bound = UB__PICKLE_MEMORY_BASE +
                         UB__PICKLE_MEMORY_FACTOR * bytes->n;
    const ub__pickle_limits limits = { bound };
    struct peak peak = { 0, 0 };
    const ub_allocator allocator = { sizeof(allocator), peak_alloc, peak_free,
                                     &peak };
    ub_context_options options;
    ub_context *context = NULL;
    ub__pickle *p = NULL;
    ub_status status;
    size_t before;

    ub_context_options_init(&options, sizeof(options));
    options.allocator = &allocator;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    before = peak.now;
    peak.most = before;
    status = ub__pickle_parse(context, bytes->start, bytes->n, &limits, &p);
    if (status == UB_ERR_RANGE || peak.most - before > bound)
        fail_msg("%zu bytes for an input of %zu", peak.most - before, bytes->n);
    ub__pickle_destroy(&p);
    assert_int_equal(peak.now, before);
    ub_context_destroy(&context);
    free(bytes->start);
    memset(bytes, 0, sizeof(*bytes));
    return status;
}

/* -- damage --------------------------------------------------------------- */

static void written(void **state)
{
    (void) state;
    EXPECT_ALL(pickle_written);
}

static void truncated(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < PICKLE_WRITTEN; i++) {
        for (size_t n = 0; n < pickle_written[i].n; n++)
            assert_int_equal(
                pickle_read(context, pickle_written[i].bytes, n, NULL, NULL),
                UB_ERR_FORMAT);
    }
    ub_context_destroy(&context);
}

/* Many a flip makes another number; none does more than that. */
static void flipped(void **state)
{
    ub_context *context = test_context(1);
    size_t refused = 0, all = 0;

    (void) state;
    for (size_t i = 0; i < PICKLE_WRITTEN; i++) {
        char bytes[1024];

        memcpy(bytes, pickle_written[i].bytes, pickle_written[i].n);
        for (size_t bit = 0; bit < 8 * pickle_written[i].n; bit++) {
            const char flip = (char) (1 << bit % 8);
            char *shown = NULL;
            ub_status status;

            bytes[bit / 8] = (char) (bytes[bit / 8] ^ flip);
            status = pickle_read(context, bytes, pickle_written[i].n, NULL,
                                 &shown);
            assert_true(status == UB_OK || status == UB_ERR_FORMAT ||
                        status == UB_ERR_UNSUPPORTED);
            refused += status != UB_OK;
            all++;
            free(shown);
            bytes[bit / 8] = (char) (bytes[bit / 8] ^ flip);
        }
    }
    assert_true(refused > all / 2 && refused < all);
    ub_context_destroy(&context);
}

/* -- bombs ---------------------------------------------------------------- */

enum { MANY = 1000000 };

static void nested(void **state)
{
    struct bytes bytes = { NULL, 0, 0 };

    (void) state;
    put(&bytes, "]", 1, MANY);
    put(&bytes, "a", 1, MANY - 1);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
    put(&bytes, "(", 1, MANY);
    put(&bytes, "l", 1, MANY);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
    put(&bytes, "(", 1, MANY);
    put(&bytes, "t", 1, MANY);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
    put(&bytes, "N", 1, 1);
    put(&bytes, "\x85", 1, MANY);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
    put(&bytes, "}N", 2, MANY);
    put(&bytes, "N", 1, 1);
    put(&bytes, "s", 1, MANY);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
}

/* Lists of ten times the list before: 10^300 items, seen as a tree. */
static void laughs(void **state)
{
    struct bytes bytes = { NULL, 0, 0 };

    (void) state;
    put(&bytes, "]q\0", 3, 1);
    for (int level = 0; level < 200; level++) {
        const char get[] = { 'h', (char) level };
        const char memo[] = { 'q', (char) (level + 1) };

        put(&bytes, "](", 2, 1);
        put(&bytes, get, 2, 10);
        put(&bytes, "e", 1, 1);
        put(&bytes, memo, 2, 1);
    }
    put(&bytes, "\x86", 1, 200);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
}

/* A long text whose Latin-1 is asked for again and again, and long data that
 * many arrays share. */
static void shared(void **state)
{
    struct bytes bytes = { NULL, 0, 0 };

    (void) state;
    put(&bytes, PICKLE("c_codecs\nencode\nq\0X"), 1);
    put_number(&bytes, 2 * 10000);
    put(&bytes, "\xc3\xa9", 2, 10000);
    put(&bytes, PICKLE("q\1X\6\0\0\0latin1q\2\x86\x86"), 1);
    put(&bytes, PICKLE("h\0h\1h\2\x86R\x86"), 2000);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
    put(&bytes, PICKLE("cnumpy.core.numeric\n_frombuffer\nq\0B"), 1);
    put_number(&bytes, 100000);
    put(&bytes, "a", 1, 100000);
    put(&bytes, PICKLE("cnumpy\ndtype\n(Vi1\nI0\nI1\ntR"), 1);
    put(&bytes, PICKLE("I100000\n\x85VC\n(tq\1\x86\x86\x86\x86\x86"), 1);
    put(&bytes, PICKLE("h\1\x86"), 2000);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
}

/* What each byte of input can cost at most. */
static void costly(void **state)
{
    static const struct {
        const char *head;
        size_t head_n;
        const char *repeated;
        size_t repeated_n;
        const char *tail;
    } inputs[] = {
        { PICKLE(""), PICKLE("N"), "" },
        { PICKLE(""), PICKLE("]"), "" },
        { PICKLE(""), PICKLE("("), "" },
        { PICKLE(""), PICKLE("(]"), "" },
        { PICKLE(""), PICKLE("]\x94"), "" },
        { PICKLE(""), PICKLE("]\x85"), "" },
        { PICKLE("N"), PICKLE("\x94"), "." },
        { PICKLE("N"), PICKLE("2\x86"), "." },
        { PICKLE("("), PICKLE("]"), "l." },
        { PICKLE("("), PICKLE("]"), "t." },
        { PICKLE("("), PICKLE("N"), "d." },
        { PICKLE("]("), PICKLE("]"), "e." },
        { PICKLE("]"), PICKLE("Na"), "." },
        { PICKLE("]"), PICKLE("]a"), "." },
        { PICKLE("]q\0]q\1"), PICKLE("h\0Na0h\1Na0"), "\x86." },
        { PICKLE("]q\0]q\1\x86"), PICKLE("h\0]ah\1]a00"), "." },
        { PICKLE("}"), PICKLE("NNs"), "." },
        { PICKLE("("), PICKLE("U\1\xff"), "l." },
        { PICKLE("("), PICKLE("V\xff\n"), "l." },
        { PICKLE("("), PICKLE("S'\\n'\n"), "l." },
        { PICKLE("(V"), PICKLE("\xff"), "\nl." },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
        /* Just before and after what doubles. */
        for (size_t times = 60; times < 1 << 17; times += times / 3) {
            struct bytes bytes = { NULL, 0, 0 };
            ub_status status;

            put(&bytes, inputs[i].head, inputs[i].head_n, 1);
            put(&bytes, inputs[i].repeated, inputs[i].repeated_n,
                2 * (times / 2));
            put(&bytes, inputs[i].tail, strlen(inputs[i].tail), 1);
            status = parse_bounded(&bytes);
            assert_true(status == UB_OK || status == UB_ERR_FORMAT);
        }
    }
}

/* Calls of what calls return, and of nothing else. */
static void calls(void **state)
{
    struct bytes bytes = { NULL, 0, 0 };

    (void) state;
    put(&bytes, PICKLE("ccollections\nOrderedDict\n"), 1);
    put(&bytes, PICKLE(")R"), MANY);
    assert_int_equal(parse_bounded(&bytes), UB_ERR_FORMAT);
    put(&bytes, PICKLE("(ccollections\nOrderedDict\nq\0"), 1);
    put(&bytes, PICKLE("h\0)R"), 10000);
    put(&bytes, PICKLE("l."), 1);
    assert_int_equal(parse_bounded(&bytes), UB_OK);
    put(&bytes, PICKLE("c_codecs\nencode\nq\0Va\nq\1"), 1);
    put(&bytes, PICKLE("h\0Vlatin1\n\x86R"), 10);
    put(&bytes, ".", 1, 1);
    assert_int_equal(parse_bounded(&bytes), UB_ERR_FORMAT);
    put(&bytes, PICKLE("cos\nsystem\n(S'echo executed'\ntR."), 1);
    assert_int_equal(parse_bounded(&bytes), UB_ERR_UNSUPPORTED);
}

static void limited(void **state)
{
    ub_context *context = test_context(1);
    const struct pickle_sample *sample = &pickle_written[4];
    ub__pickle_limits limits = { 100 };
    ub__pickle *p = NULL;

    (void) state;
    assert_int_equal(
        pickle_read(context, sample->bytes, sample->n, &limits, NULL),
        UB_ERR_RANGE);
    assert_non_null(strstr(ub_context_last_error(context), "100 bytes"));
    limits.memory = 4096;
    assert_int_equal(
        pickle_read(context, sample->bytes, sample->n, &limits, NULL), UB_OK);
    assert_int_equal(
        ub__pickle_parse(context, "N.", UB__PICKLE_INPUT + 1, NULL, &p),
        UB_ERR_RANGE);
    assert_null(p);
    ub_context_destroy(&context);
}

static ub_status read_sample(ub_context *context, void *arg)
{
    const struct pickle_sample *sample = arg;

    return pickle_read(context, sample->bytes, sample->n, NULL, NULL);
}

static ub_status read_long(ub_context *context, void *arg)
{
    const struct bytes *bytes = arg;

    return pickle_read(context, bytes->start, bytes->n, NULL, NULL);
}

static void out_of_memory(void **state)
{
    struct bytes bytes = { NULL, 0, 0 };

    (void) state;
    for (size_t i = 0; i < PICKLE_WRITTEN; i++)
        assert_survives_oom(read_sample, 1, (void *) &pickle_written[i]);
    /* All that grows, several times. */
    put(&bytes, "]", 1, 1);
    put(&bytes,
        PICKLE("V\xe9\naS'\\n'\naK\1\x85\x94"
               "a"),
        500);
    put(&bytes, "(", 1, 500);
    put(&bytes, "1", 1, 500);
    put(&bytes, ".", 1, 1);
    assert_survives_oom(read_long, 1, &bytes);
    free(bytes.start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written), cmocka_unit_test(truncated),
        cmocka_unit_test(flipped), cmocka_unit_test(nested),
        cmocka_unit_test(laughs),  cmocka_unit_test(shared),
        cmocka_unit_test(costly),  cmocka_unit_test(calls),
        cmocka_unit_test(limited), cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
