/* SPDX-License-Identifier: BSD-2-Clause */
#include "pickle_show.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void constants(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("N."), "None" },         { PICKLE("\x88."), "True" },
        { PICKLE("\x89."), "False" },     { PICKLE("I01\n."), "True" },
        { PICKLE("I00\n."), "False" },    { PICKLE(")."), "()" },
        { PICKLE("]."), "[]" },           { PICKLE("}."), "{}" },
        { PICKLE("\x80\x02N."), "None" }, { PICKLE("\x80\x05N."), "None" },
    };

    (void) state;
    EXPECT_ALL(samples);
}

static void integers(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("K\xff."), "255" },
        { PICKLE("M\x01\xff."), "65281" },
        { PICKLE("J\xff\xff\xff\xff."), "-1" },
        { PICKLE("J\x00\x00\x00\x80."), "-2147483648" },
        { PICKLE("J\xff\xff\xff\x7f."), "2147483647" },
        { PICKLE("I0\n."), "0" },
        { PICKLE("I-12\n."), "-12" },
        { PICKLE("I+7\n."), "7" },
        { PICKLE("I02\n."), "2" },
        { PICKLE("L5L\n."), "5" },
        { PICKLE("L-0L\n."), "0" },
        { PICKLE("L01\n."), "1" },
        { PICKLE("L9223372036854775807L\n."), "9223372036854775807" },
        { PICKLE("L-9223372036854775808L\n."), "-9223372036854775808" },
        { PICKLE("\x8a\x00."), "0" },
        { PICKLE("\x8a\x01\xff."), "-1" },
        { PICKLE("\x8a\x02\xff\x00."), "255" },
        { PICKLE("\x8a\x03\x01\x02\x80."), "-8388095" },
        { PICKLE("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."),
          "-9223372036854775808" },
        { PICKLE("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."),
          "9223372036854775807" },
        { PICKLE("\x8a\x0a\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00."), "5" },
        { PICKLE("\x8a\x09\xfe\xff\xff\xff\xff\xff\xff\xff\xff."), "-2" },
        { PICKLE("\x8b\x02\x00\x00\x00\x34\x12."), "4660" },
        { PICKLE("\x8b\x00\x00\x00\x00."), "0" },
    };
    static const struct pickle_refused refused[] = {
        { PICKLE("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00."),
          UB_ERR_UNSUPPORTED, "LONG1 at byte 0: an integer of more than 64" },
        { PICKLE("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."),
          UB_ERR_UNSUPPORTED, "more than 64 bits" },
        { PICKLE("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff."),
          UB_ERR_UNSUPPORTED, "more than 64 bits" },
        { PICKLE("L9223372036854775808L\n."), UB_ERR_UNSUPPORTED,
          "LONG at byte 0: an integer of more than 64 bits" },
        { PICKLE("L-9223372036854775809L\n."), UB_ERR_UNSUPPORTED,
          "more than 64 bits" },
        { PICKLE("I99999999999999999999\n."), UB_ERR_UNSUPPORTED,
          "INT at byte 0" },
        { PICKLE("I\n."), UB_ERR_FORMAT, "without digits" },
        { PICKLE("I-\n."), UB_ERR_FORMAT, "without digits" },
        { PICKLE("LL\n."), UB_ERR_FORMAT, "without digits" },
        { PICKLE("L1LL\n."), UB_ERR_FORMAT, "character 0x4c" },
        { PICKLE("I0x10\n."), UB_ERR_FORMAT, "character 0x78" },
        { PICKLE("I1\r\n."), UB_ERR_FORMAT, "character 0x0d" },
        { PICKLE("\x8b\x00\x00\x00\x80."), UB_ERR_FORMAT,
          "LONG4 at byte 0: 2147483648 bytes are needed where 1 are left" },
    };

    (void) state;
    EXPECT_ALL(samples);
    REFUSE_ALL(refused);
}

static void doubles(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("G\x3f\xf8\x00\x00\x00\x00\x00\x00."), "1.5000000000000000" },
        { PICKLE("G\xbf\xf0\x00\x00\x00\x00\x00\x00."), "-1.0000000000000000" },
        { PICKLE("G\x7f\xf0\x00\x00\x00\x00\x00\x00."), "inf" },
        { PICKLE("F0.1\n."), "0.10000000000000001" },
        { PICKLE("F-2\n."), "-2.0000000000000000" },
        { PICKLE("F2.\n."), "2.0000000000000000" },
        { PICKLE("F.5\n."), "0.50000000000000000" },
        { PICKLE("F1e-05\n."), "1.0000000000000001e-05" },
        { PICKLE("F1.5E+300\n."), "1.5000000000000001e+300" },
        { PICKLE("Finf\n."), "inf" },
        { PICKLE("F-inf\n."), "-inf" },
        { PICKLE("F+inf\n."), "inf" },
        { PICKLE("Fnan\n."), "nan" },
        { PICKLE("F1e999\n."), "inf" },
        { PICKLE("F5.807418537139893\n."), "5.8074185371398928" },
    };
    static const struct pickle_refused refused[] = {
        { PICKLE("F\n."), UB_ERR_FORMAT,
          "FLOAT at byte 0: \"\" is not a number" },
        { PICKLE("F.\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("F1,5\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("F0x1p3\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("F 1\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("F1e\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("F1\0\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("Finfinity\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("Fnan(1)\n."), UB_ERR_FORMAT, "not a number" },
        { PICKLE("G\0\0\0\0\0\0\0"), UB_ERR_FORMAT,
          "BINFLOAT at byte 0: 8 bytes are needed where 7 are left" },
    };

    (void) state;
    EXPECT_ALL(samples);
    REFUSE_ALL(refused);
}

static void texts(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("X\x02\0\0\0ab."), "'ab'" },
        { PICKLE("X\0\0\0\0."), "''" },
        { PICKLE("\x8c\x02\xc3\xa9."), "'\xc3\xa9'" },
        { PICKLE("\x8c\x03\xe2\x82\xac."), "'\xe2\x82\xac'" },
        { PICKLE("\x8c\x04\xf0\x9f\x98\x80."), "'\xf0\x9f\x98\x80'" },
        { PICKLE("\x8d\x01\0\0\0\0\0\0\0a."), "'a'" },
        { PICKLE("Vab\n."), "'ab'" },
        { PICKLE("V\n."), "''" },
        { PICKLE("V\\u20ac\xe9\\u005c\n."), "'\xe2\x82\xac\xc3\xa9\\'" },
        { PICKLE("V\\U0001f600\n."), "'\xf0\x9f\x98\x80'" },
        { PICKLE("Va\\n\\\\u0041\\\n."), "'a\\n\\\\u0041\\'" },
        { PICKLE("C\x02\x00\xff."), "b(00ff)" },
        { PICKLE("C\x00."), "b()" },
        { PICKLE("B\x01\0\0\0a."), "b(61)" },
        { PICKLE("\x8e\x01\0\0\0\0\0\0\0a."), "b(61)" },
        { PICKLE("\x96\x01\0\0\0\0\0\0\0a."), "b(61)" },
        { PICKLE("U\x02"
                 "ab."),
          "'ab'" },
        { PICKLE("U\x01\xe9."), "b(e9)" },
        { PICKLE("T\x02\0\0\0ab."), "'ab'" },
        { PICKLE("S'ab'\n."), "'ab'" },
        { PICKLE("S\"it's\"\n."), "'it's'" },
        { PICKLE("S''\n."), "''" },
        { PICKLE("S'a\\'b\\\\c\\x41\\102\\q\\1'\n."), "'a'b\\cAB\\q\x01'" },
        { PICKLE("S'\\xe9\\n\\r\\t\\a\\b\\f\\v\\\"'\n."),
          "b(e90a0d0907080c0b22)" },
        { PICKLE("S'\\777'\n."), "b(ff)" },
    };
    static const struct pickle_refused refused[] = {
        { PICKLE("\x8c\x01\xff."), UB_ERR_FORMAT,
          "SHORT_BINUNICODE at byte 0: byte 0 of the text is not valid UTF-8" },
        { PICKLE("\x8c\x02\xc0\x80."), UB_ERR_FORMAT, "not valid UTF-8" },
        { PICKLE("\x8c\x03\xe0\x80\x80."), UB_ERR_FORMAT, "not valid UTF-8" },
        { PICKLE("\x8c\x03\xed\xa0\x80."), UB_ERR_FORMAT, "not valid UTF-8" },
        { PICKLE("\x8c\x04\xf4\x90\x80\x80."), UB_ERR_FORMAT,
          "not valid UTF-8" },
        { PICKLE("\x8c\x02"
                 "a\xe2."),
          UB_ERR_FORMAT, "byte 1 of the text" },
        { PICKLE("\x8c\x02\xe2\x82."), UB_ERR_FORMAT, "not valid UTF-8" },
        { PICKLE("\x8c\x02\xc3"
                 "a."),
          UB_ERR_FORMAT, "not valid UTF-8" },
        { PICKLE("X\x05\0\0\0ab."), UB_ERR_FORMAT,
          "BINUNICODE at byte 0: 5 bytes are needed where 3 are left" },
        { PICKLE("\x8d\0\0\0\0\0\0\0\x80."), UB_ERR_FORMAT,
          "BINUNICODE8 at byte 0: 9223372036854775808 bytes are needed" },
        { PICKLE("\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), UB_ERR_FORMAT,
          "BINBYTES8 at byte 0: 18446744073709551615 bytes are needed" },
        { PICKLE("\x96\xff\xff\xff\xff\xff\xff\xff\x7f."), UB_ERR_FORMAT,
          "BYTEARRAY8 at byte 0" },
        { PICKLE("B\xff\xff\xff\xff."), UB_ERR_FORMAT, "BINBYTES at byte 0" },
        { PICKLE("C\x02"
                 "a"),
          UB_ERR_FORMAT, "SHORT_BINBYTES at byte 0" },
        { PICKLE("T\xff\xff\xff\xff."), UB_ERR_FORMAT, "BINSTRING at byte 0" },
        { PICKLE("U\x02"
                 "a"),
          UB_ERR_FORMAT, "SHORT_BINSTRING at byte 0" },
        { PICKLE("Sab\n."), UB_ERR_FORMAT,
          "STRING at byte 0: a string without quotes" },
        { PICKLE("S'\n."), UB_ERR_FORMAT, "without quotes" },
        { PICKLE("S\n."), UB_ERR_FORMAT, "without quotes" },
        { PICKLE("S'a\"\n."), UB_ERR_FORMAT, "without quotes" },
        { PICKLE("S'\\x4'\n."), UB_ERR_FORMAT, "a wrong escape" },
        { PICKLE("S'\\xg0'\n."), UB_ERR_FORMAT, "a wrong escape" },
        { PICKLE("S'a\\'\n."), UB_ERR_FORMAT, "a wrong escape" },
        { PICKLE("V\\u12\n."), UB_ERR_FORMAT,
          "UNICODE at byte 0: a wrong escape in a text" },
        { PICKLE("V\\U00110000\n."), UB_ERR_FORMAT, "not a character" },
        { PICKLE("V\\ud800\n."), UB_ERR_FORMAT, "U+D800 is not a character" },
    };

    (void) state;
    EXPECT_ALL(samples);
    REFUSE_ALL(refused);
}

static void containers(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("(t."), "()" },
        { PICKLE("(K\1K\2t."), "(1, 2)" },
        { PICKLE("K\1\x85."), "(1)" },
        { PICKLE("K\1K\2\x86."), "(1, 2)" },
        { PICKLE("K\1K\2K\3\x87."), "(1, 2, 3)" },
        { PICKLE("(l."), "[]" },
        { PICKLE("(K\1K\2l."), "[1, 2]" },
        { PICKLE("]K\1a."), "[1]" },
        { PICKLE("](K\1K\2e."), "[1, 2]" },
        { PICKLE("](e."), "[]" },
        { PICKLE("]K\1a(K\2K\3eK\4a."), "[1, 2, 3, 4]" },
        /* Two lists that grow in turn, so that each has to move. */
        { PICKLE("]q\0]q\1\x86q\2"
                 "0h\0K\1a0h\1K\2a0h\0K\3a0h\1K\4a0h\0K\5a0h\1K\6a0"
                 "h\0(K\7K\x08K\x09"
                 "e0h\1K\x0a"
                 "a0h\2."),
          "([1, 3, 5, 7, 8, 9], [2, 4, 6, 10])" },
        { PICKLE("(d."), "{}" },
        { PICKLE("(K\1NK\2)d."), "{1: None, 2: ()}" },
        { PICKLE("}K\1Ns."), "{1: None}" },
        { PICKLE("}(K\1NU\1aK\5u."), "{1: None, 'a': 5}" },
        { PICKLE("}(u."), "{}" },
        { PICKLE("}K\1\x85Ns."), "{(1): None}" },
        { PICKLE("]]a]]aa."), "[[], [[]]]" },
        { PICKLE("(K\1K\2"
                 "1K\3."),
          "3" },
        { PICKLE("K\1K\2"
                 "0."),
          "1" },
        { PICKLE("K\1(0."), "1" },
        { PICKLE("K\1"
                 "2\x86."),
          "(1, 1)" },
        /* A list that is in itself. */
        { PICKLE("]q\0h\0a."), "[[[[[[[[[[[[[...]]]]]]]]]]]]]" },
    };
    static const struct pickle_refused refused[] = {
        { PICKLE("}(K\1u."), UB_ERR_FORMAT,
          "SETITEMS at byte 4: a key without a value" },
        { PICKLE("(K\1d."), UB_ERR_FORMAT, "DICT at byte 3: a key without" },
        { PICKLE("}]Ns."), UB_ERR_FORMAT, "a key that is a container" },
        { PICKLE("(}Nd."), UB_ERR_FORMAT, "a key that is a container" },
        { PICKLE("}Na."), UB_ERR_FORMAT,
          "APPEND at byte 2: there is no list to fill" },
        { PICKLE("](NNu."), UB_ERR_FORMAT, "there is no dict to fill" },
        { PICKLE("]NNs."), UB_ERR_FORMAT, "there is no dict to fill" },
        { PICKLE(")(Ne."), UB_ERR_FORMAT, "there is no list to fill" },
        { PICKLE("K\1K\2."), UB_ERR_FORMAT,
          "STOP at byte 4: the stack is not empty at the end" },
        { PICKLE("(N."), UB_ERR_FORMAT, "the stack is not empty at the end" },
    };

    (void) state;
    EXPECT_ALL(samples);
    REFUSE_ALL(refused);
}

static void memo(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("Np0\n0g0\n."), "None" },
        { PICKLE("K\1q\0"
                 "0h\0."),
          "1" },
        { PICKLE("K\1r\1\0\0\0"
                 "0j\1\0\0\0."),
          "1" },
        { PICKLE("K\1\x94K\2\x94h\0h\1\x86\x86\x86."), "(1, (2, (1, 2)))" },
        /* PUT of another index counts for MEMOIZE, as in Python. */
        { PICKLE("K\1q\2K\2\x94\x86h\1\x86."), "((1, 2), 2)" },
        { PICKLE("K\1q\0K\2q\0\x86h\0\x86."), "((1, 2), 2)" },
    };
    static const struct pickle_refused refused[] = {
        { PICKLE("h\0."), UB_ERR_FORMAT,
          "BINGET at byte 0: the memo holds nothing at index 0" },
        { PICKLE("Nq\2h\1."), UB_ERR_FORMAT, "nothing at index 1" },
        { PICKLE("j\xff\xff\xff\xff."), UB_ERR_FORMAT,
          "LONG_BINGET at byte 0: the memo holds nothing at index 4294967295" },
        { PICKLE("Nr\0\0\0\x80."), UB_ERR_FORMAT,
          "LONG_BINPUT at byte 1: the memo's index 2147483648 is beyond" },
        { PICKLE("Np-1\n."), UB_ERR_FORMAT,
          "PUT at byte 1: the memo's index is negative" },
        { PICKLE("Np9223372036854775807\n."), UB_ERR_FORMAT, "is beyond" },
        { PICKLE("Npx\n."), UB_ERR_FORMAT, "PUT at byte 1: character 0x78" },
        { PICKLE("g5\n."), UB_ERR_FORMAT, "GET at byte 0: the memo holds" },
    };

    (void) state;
    EXPECT_ALL(samples);
    REFUSE_ALL(refused);
}

static void frames(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("\x80\4\x95\2\0\0\0\0\0\0\0N."), "None" },
        { PICKLE("\x95\0\0\0\0\0\0\0\0N."), "None" },
        { PICKLE("\x95\2\0\0\0\0\0\0\0K\1\x95\2\0\0\0\0\0\0\0\x85."), "(1)" },
        /* Long bytes stand between two frames. */
        { PICKLE("\x95\1\0\0\0\0\0\0\0]C\1a\x95\2\0\0\0\0\0\0\0a."),
          "[b(61)]" },
    };
    static const struct pickle_refused refused[] = {
        { PICKLE("\x95\3\0\0\0\0\0\0\0N."), UB_ERR_FORMAT,
          "FRAME at byte 0: it has 3 bytes where 2 are left" },
        { PICKLE("\x95\0\0\0\0\0\0\0\x80N."), UB_ERR_FORMAT,
          "it has 9223372036854775808 bytes where 2 are left" },
        { PICKLE("\x95\x0b\0\0\0\0\0\0\0\x95\1\0\0\0\0\0\0\0N."), UB_ERR_FORMAT,
          "FRAME at byte 9: it begins before the last frame's" },
        { PICKLE("\x95\2\0\0\0\0\0\0\0M\1\2."), UB_ERR_FORMAT,
          "BININT2 at byte 9: 2 bytes are needed where 1 are left of the" },
        { PICKLE("\x95\2\0\0\0\0\0\0\0I1\n."), UB_ERR_FORMAT,
          "INT at byte 9: a line without an end" },
        { PICKLE("\x95\0\0\0"), UB_ERR_FORMAT, "FRAME at byte 0: 8 bytes" },
        { PICKLE("\x80\x06N."), UB_ERR_UNSUPPORTED,
          "PROTO at byte 0: protocol 6 is newer than 5" },
    };

    (void) state;
    EXPECT_ALL(samples);
    REFUSE_ALL(refused);
}

/* Whatever would make or call anything. */
static void refused_opcodes(void **state)
{
    static const struct pickle_refused refused[] = {
        { PICKLE("cos\nsystem\n(S'touch x'\ntR."), UB_ERR_UNSUPPORTED,
          "pickle: GLOBAL at byte 0: os.system is not among the names" },
        { PICKLE("cnt\nsystem\n."), UB_ERR_UNSUPPORTED, "nt.system" },
        { PICKLE("c__builtin__\neval\n."), UB_ERR_UNSUPPORTED,
          "__builtin__.eval" },
        { PICKLE("cbuiltins\nbytearray\n."), UB_ERR_UNSUPPORTED,
          "builtins.bytearray" },
        { PICKLE("cnumpy\ndtypes\n."), UB_ERR_UNSUPPORTED, "numpy.dtypes" },
        { PICKLE("cnumpy.dtype\n\n."), UB_ERR_UNSUPPORTED, "numpy.dtype. is" },
        { PICKLE("cnumpy\ndtype\0\n."), UB_ERR_UNSUPPORTED, "numpy.dtype? is" },
        { PICKLE("c\x1b[31m\n\xff\n."), UB_ERR_UNSUPPORTED, "?[31m.? is not" },
        { PICKLE("\x80\4\x8c\2os\x8c\6system\x93."), UB_ERR_UNSUPPORTED,
          "pickle: STACK_GLOBAL at byte 14: os.system is not among" },
        { PICKLE("\x8c\5posix\x94\x8c\6system\x94\x93."), UB_ERR_UNSUPPORTED,
          "STACK_GLOBAL at byte 17: posix.system" },
        { PICKLE("K\1\x8c\6system\x93."), UB_ERR_FORMAT,
          "STACK_GLOBAL at byte 10: a name that is no text" },
        { PICKLE("(ios\nsystem\n."), UB_ERR_UNSUPPORTED,
          "INST at byte 1: os.system is not" },
        { PICKLE("(inumpy\nndarray\n."), UB_ERR_UNSUPPORTED,
          "INST at byte 1: instances of classes are not read" },
        { PICKLE("(cnumpy\nndarray\no."), UB_ERR_UNSUPPORTED,
          "OBJ at byte 16: this opcode makes more than data" },
        { PICKLE("cnumpy\nndarray\n)\x81."), UB_ERR_UNSUPPORTED,
          "NEWOBJ at byte 16" },
        { PICKLE("cnumpy\nndarray\n)}\x92."), UB_ERR_UNSUPPORTED,
          "NEWOBJ_EX at byte 17" },
        { PICKLE("\x82\1."), UB_ERR_UNSUPPORTED, "EXT1 at byte 0" },
        { PICKLE("\x83\1\0."), UB_ERR_UNSUPPORTED, "EXT2 at byte 0" },
        { PICKLE("\x84\1\0\0\0."), UB_ERR_UNSUPPORTED, "EXT4 at byte 0" },
        { PICKLE("Px\n."), UB_ERR_UNSUPPORTED, "PERSID at byte 0" },
        { PICKLE("NQ."), UB_ERR_UNSUPPORTED, "BINPERSID at byte 1" },
        { PICKLE("\x8f."), UB_ERR_UNSUPPORTED, "EMPTY_SET at byte 0" },
        { PICKLE("(\x90."), UB_ERR_UNSUPPORTED, "ADDITEMS at byte 1" },
        { PICKLE("(\x91."), UB_ERR_UNSUPPORTED, "FROZENSET at byte 1" },
        { PICKLE("\x97."), UB_ERR_UNSUPPORTED, "NEXT_BUFFER at byte 0" },
        { PICKLE("N\x98."), UB_ERR_UNSUPPORTED, "READONLY_BUFFER at byte 1" },
        /* REDUCE and BUILD of what is no function, or has no state. */
        { PICKLE("N)R."), UB_ERR_FORMAT,
          "REDUCE at byte 2: what would be called is no function" },
        { PICKLE("U\6system)R."), UB_ERR_FORMAT, "is no function" },
        { PICKLE("ccollections\nOrderedDict\nNR."), UB_ERR_FORMAT,
          "the arguments are no tuple" },
        { PICKLE("cnumpy\nndarray\n)R."), UB_ERR_UNSUPPORTED,
          "REDUCE at byte 16: arrays made by calling ndarray" },
        { PICKLE("ccollections\nOrderedDict\n)R)R."), UB_ERR_FORMAT,
          "is no function" },
        { PICKLE("}}b."), UB_ERR_UNSUPPORTED, "BUILD at byte 2: only a dtype" },
        { PICKLE("cnumpy\ndtype\n."), UB_ERR_UNSUPPORTED,
          "STOP at byte 13: a dtype or a function by itself" },
    };

    (void) state;
    REFUSE_ALL(refused);
}

/* Names that stand for data. */
static void known_names(void **state)
{
    static const struct pickle_sample samples[] = {
        { PICKLE("c_codecs\nencode\n(Va\xe9\nVlatin1\ntR."), "b(61e9)" },
        { PICKLE("c_codecs\nencode\n(V\nVlatin-1\ntR."), "b()" },
        { PICKLE("c_codecs\nencode\nX\3\0\0\0abcq\1X\6\0\0\0latin1\x86R."),
          "b(616263)" },
        { PICKLE("c__builtin__\nbytes\n)R."), "b()" },
        { PICKLE("\x8c\x08"
                 "builtins\x8c\5bytes\x93)R."),
          "b()" },
        { PICKLE("ccollections\nOrderedDict\n)R(K\1Nu."), "{1: None}" },
        { PICKLE("]cnumpy\ndtype\na."), "[?]" },
    };
    static const struct pickle_refused refused[] = {
        { PICKLE("c_codecs\nencode\n(V\\u20ac\nVlatin1\ntR."), UB_ERR_FORMAT,
          "REDUCE at byte 34: U+20AC is not in Latin-1" },
        { PICKLE("c_codecs\nencode\n(VQQ==\nVbase64\ntR."), UB_ERR_UNSUPPORTED,
          "encode to anything but latin1" },
        { PICKLE("c_codecs\nencode\n(Va\ntR."), UB_ERR_FORMAT, "encode with" },
        { PICKLE("c_codecs\nencode\n(K\1Vlatin1\ntR."), UB_ERR_FORMAT,
          "encode with" },
        { PICKLE("c__builtin__\nbytes\n(K\5tR."), UB_ERR_UNSUPPORTED,
          "without arguments only" },
        { PICKLE("ccollections\nOrderedDict\n(]tR."), UB_ERR_UNSUPPORTED,
          "without arguments only" },
    };

    (void) state;
    EXPECT_ALL(samples);
    REFUSE_ALL(refused);
}

static void wrong_bytes(void **state)
{
    static const struct pickle_refused refused[] = {
        { PICKLE(""), UB_ERR_FORMAT, "pickle: ends at byte 0 without STOP" },
        { PICKLE("N"), UB_ERR_FORMAT, "pickle: ends at byte 1 without STOP" },
        { PICKLE("N\xff."), UB_ERR_FORMAT,
          "pickle: 0xff at byte 1 is no opcode" },
        { PICKLE("{}"), UB_ERR_FORMAT, "0x7b at byte 0 is no opcode" },
        { PICKLE("\x80"), UB_ERR_FORMAT, "PROTO at byte 0: 1 bytes are" },
    };

    (void) state;
    REFUSE_ALL(refused);
}

/* Every opcode that takes from the stack, with nothing there, and with what is
 * below a mark, through which it must not see. */
static void underflow(void **state)
{
    static const struct pickle_sample popping[] = {
        { PICKLE("."), "0" },        { PICKLE("2"), "0" },
        { PICKLE("R"), "0" },        { PICKLE("a"), "0" },
        { PICKLE("b"), "0" },        { PICKLE("p0\n"), "0" },
        { PICKLE("q\0"), "0" },      { PICKLE("r\0\0\0\0"), "0" },
        { PICKLE("s"), "0" },        { PICKLE("\x85"), "0" },
        { PICKLE("\x86"), "0" },     { PICKLE("\x87"), "0" },
        { PICKLE("\x93"), "0" },     { PICKLE("\x94"), "0" },
        { PICKLE(")R"), "1" },       { PICKLE("]a"), "1" },
        { PICKLE("Nb"), "1" },       { PICKLE("]s"), "1" },
        { PICKLE(")\x86"), "1" },    { PICKLE("N\x87"), "1" },
        { PICKLE("U\1a\x93"), "1" }, { PICKLE("})s"), "2" },
        { PICKLE("NN\x87"), "2" },
    };
    static const char marked[] = "ltdeu1";
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < sizeof(popping) / sizeof(*popping); i++) {
        char bytes[32] = ")])(", text[64];

        memcpy(bytes + 4, popping[i].bytes, popping[i].n);
        snprintf(text, sizeof(text), "are needed where the stack has %s",
                 popping[i].shown);
        pickle_refuse(context, bytes, 4 + popping[i].n, UB_ERR_FORMAT, text);
        pickle_refuse(context, bytes + 4, popping[i].n, UB_ERR_FORMAT, text);
    }
    for (size_t i = 0; i < strlen(marked); i++) {
        const char bytes[] = { ']', ')', marked[i], '.' };

        pickle_refuse(context, bytes, 4, UB_ERR_FORMAT, "there is no mark");
    }
    pickle_refuse(context, PICKLE("0."), UB_ERR_FORMAT, "POP at byte 0");
    pickle_refuse(context, PICKLE("(e."), UB_ERR_FORMAT,
                  "APPENDS at byte 1: 1 operands are needed where the stack");
    pickle_refuse(context, PICKLE("](NN(u."), UB_ERR_FORMAT,
                  "SETITEMS at byte 5: there is no dict");
    ub_context_destroy(&context);
}

static void access(void **state)
{
    static const char bytes[] = "}(U\1aK\1U\1b]U\1aK\2K\5Nu.behind";
    ub_context *context = test_context(1);
    ub__pickle_node root, node;
    ub__pickle *p = NULL;
    double x = 7.0;
    int64_t n = 7;
    size_t length;

    (void) state;
    assert_int_equal(ub__pickle_parse(context, PICKLE(bytes), NULL, &p), UB_OK);
    assert_int_equal(ub__pickle_used(p), sizeof(bytes) - 1 - strlen("behind"));
    root = ub__pickle_root(p);
    assert_int_equal(ub__pickle_length(p, root), 4);
    node = ub__pickle_get(p, root, "a");
    assert_int_equal(ub__pickle_int(p, node, &n), UB_OK);
    assert_int_equal(n, 2); /* the last of that key */
    assert_true(ub__pickle_text_is(p, ub__pickle_key(p, root, 1), "b"));
    assert_false(ub__pickle_text_is(p, ub__pickle_key(p, root, 1), "bb"));
    assert_false(ub__pickle_text_is(p, ub__pickle_key(p, root, 3), "b"));
    assert_null(ub__pickle_text(p, root, &length));
    assert_int_equal(ub__pickle_get(p, root, "c"), UB__PICKLE_ABSENT);
    assert_int_equal(ub__pickle_get(p, node, "a"), UB__PICKLE_ABSENT);
    assert_int_equal(ub__pickle_kind_of(p, UB__PICKLE_ABSENT),
                     UB__PICKLE_OTHER);
    assert_int_equal(ub__pickle_length(p, UB__PICKLE_ABSENT), 0);
    assert_int_equal(ub__pickle_item(p, UB__PICKLE_ABSENT, 0),
                     UB__PICKLE_ABSENT);
    node = ub__pickle_get(p, root, "b");
    assert_int_equal(ub__pickle_number(p, node, 0, &x), UB_ERR_FORMAT);
    assert_int_equal(ub__pickle_number(p, root, 0, &x), UB_ERR_FORMAT);
    assert_int_equal(ub__pickle_double(p, node, &x), UB_ERR_FORMAT);
    assert_int_equal(ub__pickle_double(p, UB__PICKLE_ABSENT, &x),
                     UB_ERR_FORMAT);
    assert_int_equal(ub__pickle_int(p, node, &n), UB_ERR_FORMAT);
    assert_true(x == 7.0 && n == 2);
    assert_int_equal(ub__pickle_dimensions(p, root), 0);
    assert_int_equal(ub__pickle_extent(p, root, 0), 0);
    ub__pickle_destroy(&p);
    ub__pickle_destroy(&p);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants),   cmocka_unit_test(integers),
        cmocka_unit_test(doubles),     cmocka_unit_test(texts),
        cmocka_unit_test(containers),  cmocka_unit_test(memo),
        cmocka_unit_test(frames),      cmocka_unit_test(refused_opcodes),
        cmocka_unit_test(known_names), cmocka_unit_test(wrong_bytes),
        cmocka_unit_test(underflow),   cmocka_unit_test(access),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
