/* base/rng.h - random numbers
 *
 * rng_at is counter-based: a pure function of its keys, so that resuming, replaying or sharing out
 * the work changes nothing. struct rng is a small sequential generator for tests and workloads.
 * Both rest on the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

static inline uint64_t rng_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t rng_at(uint64_t seed, uint64_t choice, uint64_t position)
{
    return rng_mix(rng_mix(rng_mix(seed) ^ choice) ^ position);
}

/* Uniform in [0, 1) with 24 bits, exact in float. */
static inline float rng_unit(uint64_t bits)
{
    return (float)(bits >> 40) * 0x1p-24f;
}

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
    return rng_mix(r->state++);
}

/* Uniform in [0, n), n > 0. The bias is below n / 2^32. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

#endif
