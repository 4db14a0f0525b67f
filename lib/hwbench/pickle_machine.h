/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_HWBENCH_PICKLE_MACHINE_H
#define UBOOST_LIB_HWBENCH_PICKLE_MACHINE_H

#include "hwbench/pickle_tree.h"

/* The stack machine. */
typedef struct ub__pickle_machine {
    ub__pickle *pickle;
    ub_context *context;
    const unsigned char *bytes;
    size_t size, at;
    size_t frame_end;       /* 0: no frame yet */
    ub__pickle_array stack; /* nodes */
    ub__pickle_array marks; /* heights of the stack */
    ub__pickle_array memo;  /* nodes, UB__PICKLE_ABSENT where none is */
    uint32_t memo_used;
    int stopped;
} ub__pickle_machine;

/* The next n bytes. What begins within a frame must end there. */
ub_status ub__pickle_take(ub__pickle_machine *m, uint64_t n,
                          const unsigned char **out);
/* A number of `size` bytes, little-endian. */
ub_status ub__pickle_take_unsigned(ub__pickle_machine *m, int size,
                                   uint64_t *out);
/* Such a number, and so many bytes; where they begin. */
ub_status ub__pickle_take_counted(ub__pickle_machine *m, int size,
                                  size_t *out_first, size_t *out_n);
/* A line, without its end. */
ub_status ub__pickle_take_line(ub__pickle_machine *m, const unsigned char **out,
                               size_t *out_n);

static inline ub__pickle_node *ub__pickle_stack(const ub__pickle_machine *m)
{
    return m->stack.memory;
}

/* Height of the stack at the last mark: what is below cannot be popped. */
static inline uint32_t ub__pickle_fence(const ub__pickle_machine *m)
{
    const uint32_t *marks = m->marks.memory;

    return m->marks.count > 0 ? marks[m->marks.count - 1] : 0;
}

/* That so many can be popped; pop and top rely on it. */
ub_status ub__pickle_need(const ub__pickle_machine *m, uint32_t n);

static inline ub__pickle_node ub__pickle_pop(ub__pickle_machine *m)
{
    return ub__pickle_stack(m)[--m->stack.count];
}

static inline ub__pickle_node ub__pickle_top(const ub__pickle_machine *m)
{
    return ub__pickle_stack(m)[m->stack.count - 1];
}

ub_status ub__pickle_push(ub__pickle_machine *m, ub__pickle_node node);
ub_status ub__pickle_push_value(ub__pickle_machine *m, ub__pickle_value value);

/* Remove the last mark; how many are above it. They stay for the caller to
 * take, by lowering m->stack.count. */
ub_status ub__pickle_pop_mark(ub__pickle_machine *m, uint32_t *out_n);

/* Note the top of the stack; push what was noted. */
ub_status ub__pickle_memo_put(ub__pickle_machine *m, uint64_t index);
ub_status ub__pickle_memo_get(ub__pickle_machine *m, uint64_t index);

/* -- pickle_literal.c ----------------------------------------------------- */

/* Opcodes that push what follows them. */
ub_status ub__pickle_op_constant(ub__pickle_machine *m, int node);
ub_status ub__pickle_op_unsigned(ub__pickle_machine *m, int size);
ub_status ub__pickle_op_binint(ub__pickle_machine *m, int argument);
ub_status ub__pickle_op_long(ub__pickle_machine *m, int size);
ub_status ub__pickle_op_binfloat(ub__pickle_machine *m, int argument);
ub_status ub__pickle_op_int_line(ub__pickle_machine *m, int is_long);
ub_status ub__pickle_op_float_line(ub__pickle_machine *m, int argument);
ub_status ub__pickle_op_text(ub__pickle_machine *m, int size);
ub_status ub__pickle_op_bytes(ub__pickle_machine *m, int size);
ub_status ub__pickle_op_string(ub__pickle_machine *m, int size);
ub_status ub__pickle_op_text_line(ub__pickle_machine *m, int quoted);

#endif
