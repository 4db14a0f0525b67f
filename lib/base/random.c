/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <math.h>

#define GOLDEN_GAMMA UINT64_C(0x9e3779b97f4a7c15)
#define TWO_PI       6.283185307179586477

/* The output function of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

void ub_rng_init(ub_rng *rng, uint64_t seed, uint64_t stream)
{
    /* One to one in the stream, so that no two streams of a seed coincide. */
    uint64_t x = mix(mix(seed + GOLDEN_GAMMA) + stream);

    for (int i = 0; i < 4; i++) {
        x += GOLDEN_GAMMA;
        rng->state[i] = mix(x);
    }
}

/* xoshiro256** 1.0 (Blackman, Vigna 2018). */
uint64_t ub_rng_u64(ub_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t ub_rng_below(ub_rng *rng, uint64_t n)
{
    uint64_t least, x;

    if (n == 0)
        return 0;
    least = (0 - n) % n; /* 2^64 mod n: what remains is a multiple of n */
    do
        x = ub_rng_u64(rng);
    while (x < least);
    return x % n;
}

double ub_rng_uniform(ub_rng *rng)
{
    return (double) (ub_rng_u64(rng) >> 11) * 0x1p-53;
}

double ub_rng_normal(ub_rng *rng)
{
    double radius = sqrt(-2.0 * log(1.0 - ub_rng_uniform(rng)));

    return radius * cos(TWO_PI * ub_rng_uniform(rng));
}

double ub_rng_gumbel(ub_rng *rng)
{
    /* 52 bits and a half: exact, and neither 0 nor 1. */
    double u = ((double) (ub_rng_u64(rng) >> 12) + 0.5) * 0x1p-52;

    return -log(-log(u));
}

void ub_rng_shuffle(ub_rng *rng, int64_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t) ub_rng_below(rng, i);
        int64_t item = items[i - 1];

        items[i - 1] = items[j];
        items[j] = item;
    }
}
