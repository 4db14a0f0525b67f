/* SPDX-License-Identifier: BSD-2-Clause */
#include "pickle_show.h"
#include "support.h"

#include <string.h>

/* -- scalars -------------------------------------------------------------- */

#define STATE(order)        "(I3\nV" order "\nNNNI-1\nI-1\nI0\ntb"
#define DTYPE(code)         "cnumpy\ndtype\n(V" code "\nI00\nI01\ntR"
#define SCALAR(dtype, data) "cnumpy.core.multiarray\nscalar\n(" dtype data "tR."

static void scalars(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE(SCALAR(DTYPE("f8") STATE("<"), "C\x08\0\0\0\0\0\0\xf8\x3f")),
          "1.5000000000000000" },
        { PICKLE(SCALAR(DTYPE("f8") STATE(">"), "C\x08\x3f\xf8\0\0\0\0\0\0")),
          "1.5000000000000000" },
        /* A dtype whose state is set twice. */
        { PICKLE(SCALAR(DTYPE("f8") STATE(">") STATE("<"),
                        "C\x08\0\0\0\0\0\0\xf8\x3f")),
          "1.5000000000000000" },
        { PICKLE(SCALAR(DTYPE("f8"), "C\x08\0\0\0\0\0\0\xf8\x3f")),
          "1.5000000000000000" },
        { PICKLE(SCALAR(DTYPE("f4") STATE("<"), "C\4\0\0\xc0\xbf")),
          "-1.5000000000000000" },
        { PICKLE(SCALAR(DTYPE("f4") STATE(">"), "C\4\xbf\xc0\0\0")),
          "-1.5000000000000000" },
        { PICKLE(SCALAR(DTYPE("i8") STATE("<"), "C\x08\0\0\0\0\0\0\0\x80")),
          "-9223372036854775808" },
        { PICKLE(SCALAR(DTYPE("i8") STATE(">"),
                        "C\x08\xff\xff\xff\xff\xff\xff\xff\xfe")),
          "-2" },
        { PICKLE(SCALAR(DTYPE("i4") STATE("<"), "C\4\1\2\3\x84")),
          "-2080177663" },
        { PICKLE(SCALAR(DTYPE("i4") STATE(">"), "C\4\1\2\3\x84")), "16909188" },
        { PICKLE(SCALAR(DTYPE("i2") STATE("<"), "C\2\xff\x7f")), "32767" },
        { PICKLE(SCALAR(DTYPE("i2") STATE(">"), "C\2\xff\x7f")), "-129" },
        { PICKLE(SCALAR(DTYPE("i1") STATE("|"), "C\1\xff")), "-1" },
        { PICKLE(SCALAR(DTYPE("u1") STATE("|"), "C\1\xff")), "255" },
        { PICKLE(SCALAR(DTYPE("u2") STATE(">"), "C\2\1\2")), "258" },
        { PICKLE(SCALAR(DTYPE("u4") STATE("<"), "C\4\xff\xff\xff\xff")),
          "4294967295" },
        { PICKLE(SCALAR(DTYPE("u8") STATE("<"),
                        "C\x08\xff\xff\xff\xff\xff\xff\xff\x7f")),
          "9223372036854775807" },
        { PICKLE(SCALAR(DTYPE("b1") STATE("|"), "C\1\1")), "True" },
        { PICKLE(SCALAR(DTYPE("b1") STATE("|"), "C\1\0")), "False" },
        { PICKLE("cnumpy._core.multiarray\nscalar\n(" DTYPE("i1") "C\1\2tR."),
          "2" },
        /* Bytes as protocols 0 to 2 of Python 3 write them. */
        { PICKLE(SCALAR(DTYPE("i2"), "c_codecs\nencode\n(V\xff\x7f\n"
                                     "Vlatin1\ntR")),
          "32767" },
    };

    (void) state;
    EXPECT_ALL(samples);
}

static void refused_scalars(void **state)
{
    static const struct pickle_refused refused[] = {
        { PICKLE(SCALAR(DTYPE("u8") STATE("<"),
                        "C\x08\xff\xff\xff\xff\xff\xff\xff\xff")),
          UB_ERR_UNSUPPORTED, "more than 64 bits" },
        { PICKLE(SCALAR(DTYPE("f8"), "C\7\0\0\0\0\0\0\0")), UB_ERR_FORMAT,
          "REDUCE at byte 69: a scalar of 8 bytes has 7" },
        { PICKLE(SCALAR(DTYPE("f8"), "X\x08\0\0\0ABCDEFGH")), UB_ERR_FORMAT,
          "scalar with other arguments" },
        { PICKLE(SCALAR("N", "C\1a")), UB_ERR_FORMAT, "scalar with other" },
        { PICKLE("cnumpy.core.multiarray\nscalar\n(tR."), UB_ERR_FORMAT,
          "scalar with other arguments" },
        { PICKLE(SCALAR(DTYPE("O8") STATE("|"), "N")), UB_ERR_FORMAT,
          "scalar with other arguments" },
        { PICKLE(SCALAR(DTYPE("O8") STATE("|"), "C\x08"
                                                "abcdefgh")),
          UB_ERR_UNSUPPORTED, "a scalar that is an object" },
        { PICKLE(DTYPE("c16")), UB_ERR_UNSUPPORTED,
          "REDUCE at byte 28: elements of dtype c16 are not read" },
        { PICKLE(DTYPE("S5")), UB_ERR_UNSUPPORTED, "dtype S5" },
        { PICKLE(DTYPE("U5")), UB_ERR_UNSUPPORTED, "dtype U5" },
        { PICKLE(DTYPE("V8")), UB_ERR_UNSUPPORTED, "dtype V8" },
        { PICKLE(DTYPE("M8")), UB_ERR_UNSUPPORTED, "dtype M8" },
        { PICKLE(DTYPE("f2")), UB_ERR_UNSUPPORTED, "dtype f2" },
        { PICKLE("cnumpy\ndtype\n(I8\ntR."), UB_ERR_FORMAT, "dtype with" },
        { PICKLE("cnumpy\ndtype\n)R."), UB_ERR_FORMAT, "dtype with" },
        { PICKLE("cnumpy\ndtype\n(NNNNtR."), UB_ERR_FORMAT, "dtype with" },
        { PICKLE(DTYPE("f8") STATE("|")), UB_ERR_FORMAT, "byte order" },
        { PICKLE(DTYPE("f8") STATE("=")), UB_ERR_FORMAT, "byte order" },
        { PICKLE(DTYPE("f8") "(I4\nV<\nNNNI-1\nI-1\nI0\nNtb"),
          UB_ERR_UNSUPPORTED, "another version than 3" },
        { PICKLE(DTYPE("f8") "(I3\nV<\nN(Va\nt}I-1\nI-1\nI0\ntb"),
          UB_ERR_UNSUPPORTED, "dtypes with fields" },
        { PICKLE(DTYPE("f8") "(I3\nV<\ntb"), UB_ERR_FORMAT,
          "state of a dtype" },
        { PICKLE(DTYPE("f8") ")b"), UB_ERR_FORMAT, "state of a dtype" },
        { PICKLE(DTYPE("f8") "Nb"), UB_ERR_FORMAT, "state of an object" },
    };

    (void) state;
    REFUSE_ALL(refused);
}

/* -- arrays --------------------------------------------------------------- */

#define EMPTY \
    "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\1btR"
#define ARRAY(shape, dtype, order, data) \
    EMPTY "(I1\n(" shape "t" dtype order data "tb"
#define ROWS    "I00\n"
#define COLUMNS "I01\n"
#define BUFFER(data, dtype, shape, order)                                      \
    "cnumpy.core.numeric\n_frombuffer\n(" data dtype "(" shape "tV" order "\n" \
    "tR"

static void arrays(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE(EMPTY "."), "array(0)[]" },
        { PICKLE(ARRAY("I2\n", DTYPE("i2") STATE(">"), ROWS,
                       "C\4\0\1\xff\xff") "."),
          "array(2)[1, -1]" },
        { PICKLE(ARRAY("I2\nI1\n", DTYPE("u2") STATE("<"), ROWS,
                       "C\4\0\1\xff\xff") "."),
          "array(2, 1)[256, 65535]" },
        { PICKLE(
              ARRAY("", DTYPE("f4") STATE("<"), ROWS, "C\4\0\0\xc0\x3f") "."),
          "array()[1.5]" },
        { PICKLE(ARRAY("I2\n", DTYPE("b1") STATE("|"), ROWS, "C\2\0\1") "."),
          "array(2)[0, 1]" },
        { PICKLE(ARRAY("I1\n", DTYPE("u8") STATE("<"), ROWS,
                       "C\x08\xff\xff\xff\xff\xff\xff\xff\xff") "."),
          "array(1)[1.8446744073709552e+19]" },
        { PICKLE(ARRAY("I0\nI1099511627776\n", DTYPE("f8"), ROWS, "C\0") "."),
          "array(0, 1099511627776)[]" },
        /* A row is a row in any order. */
        { PICKLE(ARRAY("I2\n", DTYPE("i1"), COLUMNS, "C\2\1\2") "."),
          "array(2)[1, 2]" },
        { PICKLE(
              BUFFER("\x96\2\0\0\0\0\0\0\0\1\2", DTYPE("i1"), "I2\n", "C") "."),
          "array(2)[1, 2]" },
        { PICKLE(BUFFER("C\2\1\2", DTYPE("i1"), "I2\n", "F") "."),
          "array(2)[1, 2]" },
        { PICKLE("cnumpy._core.numeric\n_frombuffer\n(C\1\5" DTYPE(
              "i1") "(tVC\ntR."),
          "array()[5]" },
        { PICKLE(
              ARRAY("I3\n", DTYPE("O8") STATE("|"), ROWS, "(NI1\nVa\nl") "."),
          "[None, 1, 'a']" },
        { PICKLE(ARRAY("I0\n", DTYPE("O8"), ROWS, "]") "."), "[]" },
        /* The list of the objects and the array grow apart. */
        { PICKLE("(NI1\nlp7\n" ARRAY("I2\n", DTYPE("O8"), ROWS,
                                     "g7\n") "I2\nag7\nI3\naI4\na\x87."),
          "([None, 1, 3, 4], [None, 1, 2], [None, 1, 3, 4])" },
        { PICKLE(
              "(NI1\nlp7\n" ARRAY("I2\n", DTYPE("O8"), ROWS,
                                  "g7\n") "p8\n0I3\nag8\nI2\nag8\nI5\na\x87."),
          "([None, 1, 3], [None, 1, 2, 5], [None, 1, 2, 5])" },
        /* An array that is built anew. */
        { PICKLE(EMPTY "(I1\n(I1\nt" DTYPE("i1") ROWS "C\1\1tb"
                                                      "(I1\n(I1\nt" DTYPE("i1")
                                                          ROWS "C\1\2tb."),
          "array(1)[2]" },
    };

    (void) state;
    EXPECT_ALL(samples);
}

static void refused_arrays(void **state)
{
    static const struct pickle_refused refused[] = {
        { PICKLE("cnumpy.core.multiarray\n_reconstruct\n(tR."), UB_ERR_FORMAT,
          "REDUCE at byte 38: _reconstruct with other arguments" },
        { PICKLE("cnumpy.core.multiarray\n_reconstruct\n"
                 "(cnumpy\ndtype\n(I0\ntC\1btR."),
          UB_ERR_FORMAT, "_reconstruct with" },
        { PICKLE("cnumpy.core.multiarray\n_reconstruct\n"
                 "(cnumpy\nndarray\n(I1\ntC\1btR."),
          UB_ERR_FORMAT, "_reconstruct with" },
        { PICKLE("cnumpy.core.multiarray\n_reconstruct\n"
                 "(cnumpy\nndarray\n(I0\ntC\1dtR."),
          UB_ERR_FORMAT, "_reconstruct with" },
        { PICKLE("cnumpy.core.multiarray\n_reconstruct\n"
                 "(cnumpy\nmatrix\n(I0\ntC\1btR."),
          UB_ERR_UNSUPPORTED, "GLOBAL at byte 37: numpy.matrix is not" },
        { PICKLE(EMPTY ")b."), UB_ERR_FORMAT, "the state of an array" },
        { PICKLE(EMPTY "(I2\n(t" DTYPE("i1") ROWS "C\1\1tb."), UB_ERR_FORMAT,
          "the state of an array" },
        { PICKLE(EMPTY "(I1\n(tNI00\nC\1\1tb."), UB_ERR_FORMAT,
          "the state of an array" },
        { PICKLE(ARRAY("I2\n", DTYPE("i2"), ROWS, "C\3\0\1\2")), UB_ERR_FORMAT,
          "an array of 2 times 2 bytes has 3" },
        { PICKLE(ARRAY("I-1\n", DTYPE("i1"), ROWS, "C\0")), UB_ERR_FORMAT,
          "the shape of an array" },
        { PICKLE(ARRAY("N", DTYPE("i1"), ROWS, "C\0")), UB_ERR_FORMAT,
          "the shape of an array" },
        { PICKLE(ARRAY("I1099511627776\nI1099511627776\n", DTYPE("i1"), ROWS,
                       "C\0")),
          UB_ERR_FORMAT, "the shape of an array" },
        { PICKLE(ARRAY("I2305843009213693952\n", DTYPE("f8"), ROWS, "C\0")),
          UB_ERR_FORMAT, "an array of 2305843009213693952 times 8 bytes" },
        { PICKLE(ARRAY("I1\n", DTYPE("i1"), ROWS, "X\1\0\0\0a")), UB_ERR_FORMAT,
          "the data of an array" },
        { PICKLE(ARRAY("I1\nI1\n", DTYPE("i1"), COLUMNS, "C\1a")),
          UB_ERR_UNSUPPORTED, "Fortran" },
        { PICKLE(BUFFER("C\1a", DTYPE("i1"), "I1\nI1\n", "F")),
          UB_ERR_UNSUPPORTED, "Fortran" },
        { PICKLE(BUFFER("C\1a", DTYPE("i1"), "I1\n", "K")), UB_ERR_FORMAT,
          "_frombuffer with" },
        { PICKLE(BUFFER("C\1a", DTYPE("O8"), "I1\n", "C")), UB_ERR_FORMAT,
          "_frombuffer with" },
        { PICKLE("cnumpy.core.numeric\n_frombuffer\n)R"), UB_ERR_FORMAT,
          "_frombuffer with" },
        { PICKLE(ARRAY("I2\n", DTYPE("O8"), ROWS, "(Nl")), UB_ERR_FORMAT,
          "the objects of an array" },
        { PICKLE(ARRAY("I1\n", DTYPE("O8"), ROWS, "(Nt")), UB_ERR_FORMAT,
          "the objects of an array" },
        { PICKLE(ARRAY("I1\nI1\n", DTYPE("O8"), ROWS, "(Nl")),
          UB_ERR_UNSUPPORTED, "an array of objects of 2 dimensions" },
        { PICKLE(ARRAY("", DTYPE("O8"), ROWS, "(Nl")), UB_ERR_UNSUPPORTED,
          "an array of objects of 0 dimensions" },
    };

    (void) state;
    REFUSE_ALL(refused);
}

static void dimensions(void **state)
{
    ub_context *context = test_context(1);
    char bytes[1024];

    (void) state;
    for (size_t n = UB__PICKLE_DIMENSIONS; n < UB__PICKLE_DIMENSIONS + 2; n++) {
        static const char head[] = "cnumpy.core.numeric\n_frombuffer\n(C\1\5",
                          tail[] = "tVC\ntR.";
        size_t at = strlen(head);

        memcpy(bytes, head, at);
        memcpy(bytes + at, DTYPE("i1") "(", strlen(DTYPE("i1") "("));
        at += strlen(DTYPE("i1") "(");
        for (size_t i = 0; i < n; i++, at += 2)
            memcpy(bytes + at, "K\1", 2);
        memcpy(bytes + at, tail, strlen(tail));
        at += strlen(tail);
        if (n <= UB__PICKLE_DIMENSIONS)
            assert_int_equal(pickle_read(context, bytes, at, NULL, NULL),
                             UB_OK);
        else
            pickle_refuse(context, bytes, at, UB_ERR_FORMAT,
                          "an array of 65 dimensions");
    }
    ub_context_destroy(&context);
}

/* An array without dimensions is a number, too. */
static void single(void **state)
{
    static const char real[] = ARRAY("", DTYPE("f4"), ROWS,
                                     "C\4\0\0\xc0\x3f") ".";
    static const char whole[] = ARRAY("", DTYPE("i2") STATE(">"), ROWS,
                                      "C\2\xff\xfe") ".";
    ub_context *context = test_context(1);
    ub__pickle *p = NULL;
    double x = 0.0;
    int64_t n = 0;

    (void) state;
    assert_int_equal(ub__pickle_parse(context, PICKLE(real), NULL, &p), UB_OK);
    assert_int_equal(ub__pickle_double(p, ub__pickle_root(p), &x), UB_OK);
    assert_true(x == 1.5);
    assert_int_equal(ub__pickle_int(p, ub__pickle_root(p), &n), UB_ERR_FORMAT);
    ub__pickle_destroy(&p);
    assert_int_equal(ub__pickle_parse(context, PICKLE(whole), NULL, &p), UB_OK);
    assert_int_equal(ub__pickle_int(p, ub__pickle_root(p), &n), UB_OK);
    assert_int_equal(n, -2);
    ub__pickle_destroy(&p);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),    cmocka_unit_test(refused_scalars),
        cmocka_unit_test(arrays),     cmocka_unit_test(refused_arrays),
        cmocka_unit_test(dimensions), cmocka_unit_test(single),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
