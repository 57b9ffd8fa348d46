/* base/hash.h - hashing (xxHash's XXH3), the only place that names the library */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t low, high;
};

/* The hash of n bytes; seed chains one hash into the next. Stable across machines and versions. */
uint64_t hash64(const void *bytes, size_t n, uint64_t seed);
struct hash128 hash128(const void *bytes, size_t n, uint64_t seed);

#endif
