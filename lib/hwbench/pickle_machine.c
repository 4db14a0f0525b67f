/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle_machine.h"

#include <string.h>

/* -- input ---------------------------------------------------------------- */

ub_status ub__pickle_take(ub__pickle_machine *m, uint64_t n,
                          const unsigned char **out)
{
    const size_t left = m->size - m->at;

    if (n > left)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "%llu bytes are needed where %zu are left",
                        (unsigned long long) n, left);
    if (m->at < m->frame_end && n > m->frame_end - m->at)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "%llu bytes are needed where %zu are left of the frame",
                        (unsigned long long) n, m->frame_end - m->at);
    *out = m->bytes + m->at;
    m->at += (size_t) n;
    return UB_OK;
}

ub_status ub__pickle_take_unsigned(ub__pickle_machine *m, int size,
                                   uint64_t *out)
{
    const unsigned char *bytes = NULL;
    ub_status status = ub__pickle_take(m, (uint64_t) size, &bytes);

    if (status == UB_OK)
        *out = ub__pickle_load(bytes, size, 0);
    return status;
}

ub_status ub__pickle_take_counted(ub__pickle_machine *m, int size,
                                  size_t *out_first, size_t *out_n)
{
    const unsigned char *bytes = NULL;
    uint64_t n = 0;
    ub_status status = ub__pickle_take_unsigned(m, size, &n);

    if (status == UB_OK)
        status = ub__pickle_take(m, n, &bytes);
    if (status != UB_OK)
        return status;
    *out_first = m->at - (size_t) n;
    *out_n = (size_t) n;
    return UB_OK;
}

ub_status ub__pickle_take_line(ub__pickle_machine *m, const unsigned char **out,
                               size_t *out_n)
{
    const size_t end = m->at < m->frame_end ? m->frame_end : m->size;
    const unsigned char *line = m->bytes + m->at;
    const unsigned char *found = memchr(line, '\n', end - m->at);

    if (found == NULL)
        return ub__fail(m->context, UB_ERR_FORMAT, "a line without an end");
    *out = line;
    *out_n = (size_t) (found - line);
    m->at += *out_n + 1;
    return UB_OK;
}

/* -- stack ---------------------------------------------------------------- */

ub_status ub__pickle_push(ub__pickle_machine *m, ub__pickle_node node)
{
    ub_status status = ub__pickle_reserve(m->pickle, &m->stack, 1,
                                          sizeof(node));

    if (status == UB_OK)
        ub__pickle_stack(m)[m->stack.count++] = node;
    return status;
}

ub_status ub__pickle_push_value(ub__pickle_machine *m, ub__pickle_value value)
{
    ub__pickle_node node;
    ub_status status = ub__pickle_add(m->pickle, value, &node);

    return status == UB_OK ? ub__pickle_push(m, node) : status;
}

ub_status ub__pickle_need(const ub__pickle_machine *m, uint32_t n)
{
    const uint32_t there = m->stack.count - ub__pickle_fence(m);

    if (there < n)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "%lu operands are needed where the stack has %lu",
                        (unsigned long) n, (unsigned long) there);
    return UB_OK;
}

ub_status ub__pickle_pop_mark(ub__pickle_machine *m, uint32_t *out_n)
{
    if (m->marks.count == 0)
        return ub__fail(m->context, UB_ERR_FORMAT, "there is no mark");
    *out_n = m->stack.count - ub__pickle_fence(m);
    m->marks.count--;
    return UB_OK;
}

/* -- memo ----------------------------------------------------------------- */

/* Pickles number what they put from 0 or 1 on, so an index is below the offset
 * at which it is put. That keeps the memo in proportion. */
ub_status ub__pickle_memo_put(ub__pickle_machine *m, uint64_t index)
{
    ub__pickle_node *memo;
    ub_status status = ub__pickle_need(m, 1);

    if (status != UB_OK)
        return status;
    if (index >= m->at)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "the memo's index %llu is beyond what so many bytes "
                        "can have put",
                        (unsigned long long) index);
    if (index >= m->memo.count) {
        const uint32_t n = (uint32_t) index + 1 - m->memo.count;

        status = ub__pickle_reserve(m->pickle, &m->memo, n, sizeof(*memo));
        if (status != UB_OK)
            return status;
        memo = m->memo.memory;
        memset(memo + m->memo.count, 0xff, n * sizeof(*memo));
        m->memo.count += n;
    }
    memo = m->memo.memory;
    m->memo_used += memo[index] == UB__PICKLE_ABSENT;
    memo[index] = ub__pickle_top(m);
    return UB_OK;
}

ub_status ub__pickle_memo_get(ub__pickle_machine *m, uint64_t index)
{
    const ub__pickle_node *memo = m->memo.memory;

    if (index >= m->memo.count || memo[index] == UB__PICKLE_ABSENT)
        return ub__fail(m->context, UB_ERR_FORMAT,
                        "the memo holds nothing at index %llu",
                        (unsigned long long) index);
    return ub__pickle_push(m, memo[index]);
}
