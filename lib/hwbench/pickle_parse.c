/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle_machine.h"

#include <string.h>

/* Newest protocol. */
enum { PROTOCOL = 5 };

/* An opcode: how it is done, and a number that tells it from its siblings. */
typedef struct opcode {
    char name[18];
    uint8_t argument;
    ub_status (*run)(ub__pickle_machine *m, int argument);
} opcode;

/* -- stack ---------------------------------------------------------------- */

static ub_status op_mark(ub__pickle_machine *m, int argument)
{
    uint32_t *marks;
    ub_status status = ub__pickle_reserve(m->pickle, &m->marks, 1,
                                          sizeof(*marks));

    (void) argument;
    if (status != UB_OK)
        return status;
    marks = m->marks.memory;
    marks[m->marks.count++] = m->stack.count;
    return UB_OK;
}

/* Like Python, POP removes a mark when that is on top. */
static ub_status op_pop(ub__pickle_machine *m, int argument)
{
    ub_status status;

    (void) argument;
    if (m->marks.count > 0 && m->stack.count == ub__pickle_fence(m)) {
        m->marks.count--;
        return UB_OK;
    }
    status = ub__pickle_need(m, 1);
    if (status == UB_OK)
        m->stack.count--;
    return status;
}

static ub_status op_pop_mark(ub__pickle_machine *m, int argument)
{
    uint32_t n;
    ub_status status = ub__pickle_pop_mark(m, &n);

    (void) argument;
    if (status == UB_OK)
        m->stack.count -= n;
    return status;
}

static ub_status op_dup(ub__pickle_machine *m, int argument)
{
    ub_status status = ub__pickle_need(m, 1);

    (void) argument;
    return status == UB_OK ? ub__pickle_push(m, ub__pickle_top(m)) : status;
}

/* -- containers ----------------------------------------------------------- */

/* TUPLE1 to TUPLE3. */
static ub_status op_tuple_of(ub__pickle_machine *m, int n)
{
    ub__pickle_node node;
    ub_status status = ub__pickle_need(m, (uint32_t) n);

    if (status != UB_OK)
        return status;
    status = ub__pickle_add_tuple(m->pickle,
                                  ub__pickle_stack(m) + m->stack.count - n,
                                  (uint32_t) n, &node);
    if (status != UB_OK)
        return status;
    m->stack.count -= (uint32_t) n;
    return ub__pickle_push(m, node);
}

static ub_status op_tuple(ub__pickle_machine *m, int argument)
{
    ub__pickle_node node = UB__PICKLE_NODE_EMPTY;
    uint32_t n;
    ub_status status = ub__pickle_pop_mark(m, &n);

    (void) argument;
    if (status != UB_OK)
        return status;
    m->stack.count -= n;
    if (n > 0)
        status = ub__pickle_add_tuple(
            m->pickle, ub__pickle_stack(m) + m->stack.count, n, &node);
    return status == UB_OK ? ub__pickle_push(m, node) : status;
}

static ub_status op_empty(ub__pickle_machine *m, int kind)
{
    return ub__pickle_push_value(m,
                                 (ub__pickle_value){ .kind = (uint8_t) kind });
}

/* Keys and values in turn; keys are what Python can hash. */
static ub_status check_pairs(const ub__pickle_machine *m,
                             const ub__pickle_node *items, uint32_t n)
{
    if (n % 2 != 0)
        return ub__fail(m->context, UB_ERR_FORMAT, "a key without a value");
    for (uint32_t i = 0; i < n; i += 2) {
        const int kind = ub__pickle_value_of(m->pickle, items[i])->kind;

        if (kind == UB__PICKLE_LIST || kind >= UB__PICKLE_DICT)
            return ub__fail(m->context, UB_ERR_FORMAT,
                            "a key that is a container");
    }
    return UB_OK;
}

/* The last n of the stack go into the list or dict below them. */
static ub_status fill(ub__pickle_machine *m, int kind, uint32_t n)
{
    ub__pickle_node *items;
    ub_status status = ub__pickle_need(m, n + 1);

    if (status != UB_OK)
        return status;
    m->stack.count -= n;
    items = ub__pickle_stack(m) + m->stack.count;
    if (ub__pickle_value_of(m->pickle, ub__pickle_top(m))->kind != kind)
        return ub__fail(m->context, UB_ERR_FORMAT, "there is no %s to fill",
                        kind == UB__PICKLE_LIST ? "list" : "dict");
    if (kind == UB__PICKLE_DICT)
        status = check_pairs(m, items, n);
    return status == UB_OK
               ? ub__pickle_extend(m->pickle, ub__pickle_top(m), items, n)
               : status;
}

static ub_status op_append(ub__pickle_machine *m, int argument)
{
    (void) argument;
    return fill(m, UB__PICKLE_LIST, 1);
}

static ub_status op_setitem(ub__pickle_machine *m, int argument)
{
    (void) argument;
    return fill(m, UB__PICKLE_DICT, 2);
}

/* APPENDS and SETITEMS. */
static ub_status op_fill(ub__pickle_machine *m, int kind)
{
    uint32_t n;
    ub_status status = ub__pickle_pop_mark(m, &n);

    return status == UB_OK ? fill(m, kind, n) : status;
}

/* LIST and DICT: all down to the mark. */
static ub_status op_container(ub__pickle_machine *m, int kind)
{
    const ub__pickle_value value = { .kind = (uint8_t) kind };
    const ub__pickle_node *items;
    ub__pickle_node node;
    uint32_t n;
    ub_status status = ub__pickle_pop_mark(m, &n);

    if (status != UB_OK)
        return status;
    m->stack.count -= n;
    /* Nothing was pushed yet, perhaps, and there is no stack. */
    items = n > 0 ? ub__pickle_stack(m) + m->stack.count : NULL;
    if (kind == UB__PICKLE_DICT)
        status = check_pairs(m, items, n);
    if (status == UB_OK)
        status = ub__pickle_add(m->pickle, value, &node);
    if (status == UB_OK)
        status = ub__pickle_extend(m->pickle, node, items, n);
    return status == UB_OK ? ub__pickle_push(m, node) : status;
}

/* -- memo ----------------------------------------------------------------- */

static ub_status op_put(ub__pickle_machine *m, int size)
{
    uint64_t index = 0;
    ub_status status = ub__pickle_take_unsigned(m, size, &index);

    return status == UB_OK ? ub__pickle_memo_put(m, index) : status;
}

static ub_status op_get(ub__pickle_machine *m, int size)
{
    uint64_t index = 0;
    ub_status status = ub__pickle_take_unsigned(m, size, &index);

    return status == UB_OK ? ub__pickle_memo_get(m, index) : status;
}

static ub_status op_memoize(ub__pickle_machine *m, int argument)
{
    (void) argument;
    return ub__pickle_memo_put(m, m->memo_used);
}

/* PUT and GET with the index in a line. */
static ub_status op_memo_line(ub__pickle_machine *m, int is_put)
{
    const unsigned char *line;
    int64_t index;
    size_t n;
    ub_status status = ub__pickle_take_line(m, &line, &n);

    if (status == UB_OK)
        status = ub__pickle_read_int(m->context, line, n, &index);
    if (status != UB_OK)
        return status;
    if (index < 0)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "the memo's index is negative");
    return is_put ? ub__pickle_memo_put(m, (uint64_t) index)
                  : ub__pickle_memo_get(m, (uint64_t) index);
}

/* -- names and calls ------------------------------------------------------ */

static ub_status add_name(ub__pickle_machine *m, const char *module,
                          size_t module_length, const char *name,
                          size_t name_length)
{
    ub__pickle_node node;
    ub_status status = ub__pickle_add_name(m->pickle, module, module_length,
                                           name, name_length, &node);

    return status == UB_OK ? ub__pickle_push(m, node) : status;
}

/* GLOBAL; INST begins in the same way, and its name is worth a look, too. */
static ub_status op_global(ub__pickle_machine *m, int is_inst)
{
    const unsigned char *module, *name;
    size_t module_length, name_length;
    ub_status status = ub__pickle_take_line(m, &module, &module_length);

    if (status == UB_OK)
        status = ub__pickle_take_line(m, &name, &name_length);
    if (status == UB_OK)
        status = add_name(m, (const char *) module, module_length,
                          (const char *) name, name_length);
    if (status == UB_OK && is_inst)
        status = ub__fail(m->context, UB_ERR_UNSUPPORTED,
                          "instances of classes are not read");
    return status;
}

static ub_status op_stack_global(ub__pickle_machine *m, int argument)
{
    const ub__pickle_value *module, *name;
    ub_status status = ub__pickle_need(m, 2);

    (void) argument;
    if (status != UB_OK)
        return status;
    name = ub__pickle_value_of(m->pickle, ub__pickle_pop(m));
    module = ub__pickle_value_of(m->pickle, ub__pickle_pop(m));
    if (name->kind != UB__PICKLE_TEXT || module->kind != UB__PICKLE_TEXT)
        return ub__fail(m->context, UB_ERR_FORMAT, "a name that is no text");
    return add_name(m, (const char *) ub__pickle_bytes_of(m->pickle, module),
                    module->as.span.count,
                    (const char *) ub__pickle_bytes_of(m->pickle, name),
                    name->as.span.count);
}

static ub_status op_reduce(ub__pickle_machine *m, int argument)
{
    ub__pickle_node arguments, called, node;
    ub_status status = ub__pickle_need(m, 2);

    (void) argument;
    if (status != UB_OK)
        return status;
    arguments = ub__pickle_pop(m);
    called = ub__pickle_pop(m);
    status = ub__pickle_reduce(m->pickle, called, arguments, &node);
    return status == UB_OK ? ub__pickle_push(m, node) : status;
}

static ub_status op_build(ub__pickle_machine *m, int argument)
{
    ub__pickle_node state;
    ub_status status = ub__pickle_need(m, 2);

    (void) argument;
    if (status != UB_OK)
        return status;
    state = ub__pickle_pop(m);
    return ub__pickle_build(m->pickle, ub__pickle_top(m), state);
}

static ub_status op_refuse(ub__pickle_machine *m, int argument)
{
    (void) argument;
    return ub__fail(m->context, UB_ERR_UNSUPPORTED,
                    "this opcode makes more than data and is not read");
}

static ub_status op_refuse_line(ub__pickle_machine *m, int argument)
{
    const unsigned char *line;
    size_t n;
    ub_status status = ub__pickle_take_line(m, &line, &n);

    return status == UB_OK ? op_refuse(m, argument) : status;
}

/* -- the pickle itself ---------------------------------------------------- */

static ub_status op_proto(ub__pickle_machine *m, int argument)
{
    uint64_t protocol = 0;
    ub_status status = ub__pickle_take_unsigned(m, 1, &protocol);

    (void) argument;
    if (status == UB_OK && protocol > PROTOCOL)
        return ub__fail(m->context, UB_ERR_UNSUPPORTED,
                        "protocol %d is newer than %d", (int) protocol,
                        PROTOCOL);
    return status;
}

static ub_status op_frame(ub__pickle_machine *m, int argument)
{
    uint64_t length = 0;
    ub_status status = ub__pickle_take_unsigned(m, 8, &length);

    (void) argument;
    if (status != UB_OK)
        return status;
    if (m->at < m->frame_end)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "it begins before the last frame's end");
    if (length > m->size - m->at)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "it has %llu bytes where %zu are left",
                        (unsigned long long) length, m->size - m->at);
    m->frame_end = m->at + (size_t) length;
    return UB_OK;
}

static ub_status op_stop(ub__pickle_machine *m, int argument)
{
    ub__pickle_node root;
    ub_status status = ub__pickle_need(m, 1);

    (void) argument;
    if (status != UB_OK)
        return status;
    root = ub__pickle_pop(m);
    if (m->stack.count > 0 || m->marks.count > 0)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "the stack is not empty at the end");
    if (ub__pickle_kind_of(m->pickle, root) == UB__PICKLE_OTHER)
        return ub__fail(m->context, UB_ERR_UNSUPPORTED,
                        "a dtype or a function by itself is no data");
    m->pickle->root = root;
    m->stopped = 1;
    return UB_OK;
}

static const opcode opcodes[256] = {
    ['('] = { "MARK", 0, op_mark },
    ['.'] = { "STOP", 0, op_stop },
    ['0'] = { "POP", 0, op_pop },
    ['1'] = { "POP_MARK", 0, op_pop_mark },
    ['2'] = { "DUP", 0, op_dup },
    ['F'] = { "FLOAT", 0, ub__pickle_op_float_line },
    ['I'] = { "INT", 0, ub__pickle_op_int_line },
    ['J'] = { "BININT", 0, ub__pickle_op_binint },
    ['K'] = { "BININT1", 1, ub__pickle_op_unsigned },
    ['L'] = { "LONG", 1, ub__pickle_op_int_line },
    ['M'] = { "BININT2", 2, ub__pickle_op_unsigned },
    ['N'] = { "NONE", UB__PICKLE_NODE_NONE, ub__pickle_op_constant },
    ['P'] = { "PERSID", 0, op_refuse_line },
    ['Q'] = { "BINPERSID", 0, op_refuse },
    ['R'] = { "REDUCE", 0, op_reduce },
    ['S'] = { "STRING", 1, ub__pickle_op_text_line },
    ['T'] = { "BINSTRING", 4, ub__pickle_op_string },
    ['U'] = { "SHORT_BINSTRING", 1, ub__pickle_op_string },
    ['V'] = { "UNICODE", 0, ub__pickle_op_text_line },
    ['X'] = { "BINUNICODE", 4, ub__pickle_op_text },
    ['a'] = { "APPEND", 0, op_append },
    ['b'] = { "BUILD", 0, op_build },
    ['c'] = { "GLOBAL", 0, op_global },
    ['d'] = { "DICT", UB__PICKLE_DICT, op_container },
    ['}'] = { "EMPTY_DICT", UB__PICKLE_DICT, op_empty },
    ['e'] = { "APPENDS", UB__PICKLE_LIST, op_fill },
    ['g'] = { "GET", 0, op_memo_line },
    ['h'] = { "BINGET", 1, op_get },
    ['i'] = { "INST", 1, op_global },
    ['j'] = { "LONG_BINGET", 4, op_get },
    ['l'] = { "LIST", UB__PICKLE_LIST, op_container },
    [']'] = { "EMPTY_LIST", UB__PICKLE_LIST, op_empty },
    ['o'] = { "OBJ", 0, op_refuse },
    ['p'] = { "PUT", 1, op_memo_line },
    ['q'] = { "BINPUT", 1, op_put },
    ['r'] = { "LONG_BINPUT", 4, op_put },
    ['s'] = { "SETITEM", 0, op_setitem },
    ['t'] = { "TUPLE", 0, op_tuple },
    [')'] = { "EMPTY_TUPLE", UB__PICKLE_NODE_EMPTY, ub__pickle_op_constant },
    ['u'] = { "SETITEMS", UB__PICKLE_DICT, op_fill },
    ['G'] = { "BINFLOAT", 0, ub__pickle_op_binfloat },
    ['B'] = { "BINBYTES", 4, ub__pickle_op_bytes },
    ['C'] = { "SHORT_BINBYTES", 1, ub__pickle_op_bytes },
    [0x80] = { "PROTO", 0, op_proto },
    [0x81] = { "NEWOBJ", 0, op_refuse },
    [0x82] = { "EXT1", 0, op_refuse },
    [0x83] = { "EXT2", 0, op_refuse },
    [0x84] = { "EXT4", 0, op_refuse },
    [0x85] = { "TUPLE1", 1, op_tuple_of },
    [0x86] = { "TUPLE2", 2, op_tuple_of },
    [0x87] = { "TUPLE3", 3, op_tuple_of },
    [0x88] = { "NEWTRUE", UB__PICKLE_NODE_TRUE, ub__pickle_op_constant },
    [0x89] = { "NEWFALSE", UB__PICKLE_NODE_FALSE, ub__pickle_op_constant },
    [0x8a] = { "LONG1", 1, ub__pickle_op_long },
    [0x8b] = { "LONG4", 4, ub__pickle_op_long },
    [0x8c] = { "SHORT_BINUNICODE", 1, ub__pickle_op_text },
    [0x8d] = { "BINUNICODE8", 8, ub__pickle_op_text },
    [0x8e] = { "BINBYTES8", 8, ub__pickle_op_bytes },
    [0x8f] = { "EMPTY_SET", 0, op_refuse },
    [0x90] = { "ADDITEMS", 0, op_refuse },
    [0x91] = { "FROZENSET", 0, op_refuse },
    [0x92] = { "NEWOBJ_EX", 0, op_refuse },
    [0x93] = { "STACK_GLOBAL", 0, op_stack_global },
    [0x94] = { "MEMOIZE", 0, op_memoize },
    [0x95] = { "FRAME", 0, op_frame },
    [0x96] = { "BYTEARRAY8", 8, ub__pickle_op_bytes },
    [0x97] = { "NEXT_BUFFER", 0, op_refuse },
    [0x98] = { "READONLY_BUFFER", 0, op_refuse },
};

static ub_status step(ub__pickle_machine *m)
{
    const size_t at = m->at;
    const opcode *op;
    ub_status status;

    if (at == m->size)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "pickle: ends at byte %zu without STOP", at);
    op = &opcodes[m->bytes[m->at++]];
    if (op->run == NULL)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "pickle: 0x%02x at byte %zu is no opcode", m->bytes[at],
                        at);
    status = op->run(m, op->argument);
    if (status != UB_OK)
        return ub__fail_within(m->context, status, "pickle: %s at byte %zu",
                               op->name, at);
    return UB_OK;
}

ub_status ub__pickle_parse(ub_context *context, const void *bytes, size_t size,
                           const ub__pickle_limits *limits, ub__pickle **out)
{
    ub__pickle_machine m = { .context = context, .bytes = bytes, .size = size };
    ub_status status;

    if (size > UB__PICKLE_INPUT)
        return ub__fail(context, UB_ERR_RANGE,
                        "pickle: %zu bytes are more than %zu", size,
                        UB__PICKLE_INPUT);
    status = ub__pickle_create(context, bytes,
                               limits != NULL ? limits->memory : 0, &m.pickle);
    if (status != UB_OK)
        return status;
    while (status == UB_OK && !m.stopped)
        status = step(&m);
    ub__pickle_release(m.pickle, &m.stack, sizeof(uint32_t));
    ub__pickle_release(m.pickle, &m.marks, sizeof(uint32_t));
    ub__pickle_release(m.pickle, &m.memo, sizeof(uint32_t));
    if (status != UB_OK) {
        ub__pickle_destroy(&m.pickle);
        return status;
    }
    m.pickle->used = m.at;
    *out = m.pickle;
    return UB_OK;
}
