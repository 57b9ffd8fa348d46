#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *bytes, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, n, seed);
}

struct hash128 hash128(const void *bytes, size_t n, uint64_t seed)
{
    const XXH128_hash_t h = XXH3_128bits_withSeed(bytes, n, seed);

    return (struct hash128){.low = h.low64, .high = h.high64};
}
