/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <uboost/space.h>

#define CELLS UB_NASBENCH201_CELLS
#define EDGES UB_NASBENCH201_EDGES
#define SEED  88

struct ub_nasbench201 {
    ub_context *context;
    int32_t code[CELLS];  /* of an index */
    int32_t index[CELLS]; /* of a code */
};

/* -- Mersenne Twister MT19937 --------------------------------------------- */

enum { STATE = 624, MIDDLE = 397 };

typedef struct twister {
    uint32_t state[STATE];
    int used;
} twister;

static uint32_t scramble(uint32_t before, uint32_t factor)
{
    return (before ^ before >> 30) * factor;
}

/* Seeded by an array of the one word `key`. */
static void twister_init(twister *t, uint32_t key)
{
    uint32_t *s = t->state;
    int i = 1;

    s[0] = 19650218;
    for (int k = 1; k < STATE; k++)
        s[k] = scramble(s[k - 1], 1812433253) + (uint32_t) k;
    for (int k = 0; k < STATE; k++) {
        s[i] = (s[i] ^ scramble(s[i - 1], 1664525)) + key;
        if (++i == STATE) {
            s[0] = s[STATE - 1];
            i = 1;
        }
    }
    for (int k = 0; k < STATE - 1; k++) {
        s[i] = (s[i] ^ scramble(s[i - 1], 1566083941)) - (uint32_t) i;
        if (++i == STATE) {
            s[0] = s[STATE - 1];
            i = 1;
        }
    }
    s[0] = 0x80000000;
    t->used = STATE;
}

static void twister_advance(twister *t)
{
    uint32_t *s = t->state;

    for (int k = 0; k < STATE; k++) {
        const uint32_t y = (s[k] & 0x80000000) |
                           (s[(k + 1) % STATE] & 0x7fffffff);

        s[k] = s[(k + MIDDLE) % STATE] ^ y >> 1 ^ (y & 1 ? 0x9908b0df : 0);
    }
    t->used = 0;
}

static uint32_t twister_next(twister *t)
{
    uint32_t y;

    if (t->used == STATE)
        twister_advance(t);
    y = t->state[t->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    return y ^ y >> 18;
}

/* 0 .. n - 1: as many bits as n has, drawn until they are below n. */
static uint32_t twister_below(twister *t, uint32_t n)
{
    int bits = 0;
    uint32_t r;

    while (n >> bits != 0)
        bits++;
    do
        r = twister_next(t) >> (32 - bits);
    while (r >= n);
    return r;
}

/* -- the order ------------------------------------------------------------- */

static void shuffle(int32_t *items, uint32_t n)
{
    twister t;

    twister_init(&t, SEED);
    for (uint32_t i = n - 1; i > 0; i--) {
        const uint32_t r = twister_below(&t, i + 1);
        const int32_t item = items[i];

        items[i] = items[r];
        items[r] = item;
    }
}

ub_status ub_nasbench201_create(ub_context *context, ub_nasbench201 **out)
{
    ub_nasbench201 *order;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "NAS-Bench-201: no place for the order");
    order = ub__alloc(context, 1, sizeof(*order));
    if (order == NULL)
        return UB_ERR_NOMEM;
    order->context = context;
    for (int32_t i = 0; i < CELLS; i++)
        order->code[i] = i;
    shuffle(order->code, CELLS);
    for (int32_t i = 0; i < CELLS; i++)
        order->index[order->code[i]] = i;
    *out = order;
    return UB_OK;
}

void ub_nasbench201_destroy(ub_nasbench201 **order)
{
    if (order == NULL || *order == NULL)
        return;
    ub__free((*order)->context, *order);
    *order = NULL;
}

ub_status ub_nasbench201_get(const ub_nasbench201 *order, int64_t index,
                             int32_t *operators)
{
    int32_t code;

    if (order == NULL || operators == NULL || index < 0 || index >= CELLS)
        return UB_ERR_INVALID;
    code = order->code[index];
    for (int i = EDGES - 1; i >= 0; i--) {
        operators[i] = code % UB_NASBENCH201_OPERATORS;
        code /= UB_NASBENCH201_OPERATORS;
    }
    return UB_OK;
}

int64_t ub_nasbench201_index(const ub_nasbench201 *order,
                             const int32_t *operators)
{
    int32_t code = 0;

    if (order == NULL || operators == NULL)
        return -1;
    for (int i = 0; i < EDGES; i++) {
        if (operators[i] < 0 || operators[i] >= UB_NASBENCH201_OPERATORS)
            return -1;
        code = code * UB_NASBENCH201_OPERATORS + operators[i];
    }
    return order->index[code];
}

int64_t ub_nasbench201_find(const ub_nasbench201 *order, const char *text)
{
    int32_t operators[EDGES];

    if (ub_nasbench201_read(text, operators) != UB_OK)
        return -1;
    return ub_nasbench201_index(order, operators);
}
