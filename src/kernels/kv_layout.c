#include "kernels/attention.h"

const char *kv_dtype_name(enum kv_dtype dtype)
{
    static const char *const names[KV_DTYPE_COUNT] = {"f32", "f16", "bf16", "q8_0"};

    return names[dtype];
}

size_t kv_head_bytes(enum kv_dtype dtype, int32_t block_size, int32_t head_dim)
{
    const size_t n = (size_t)block_size * (size_t)head_dim;
    size_t tile_bytes = 2 * n;

    if (dtype == KV_F32)
        tile_bytes = 4 * n;
    if (dtype == KV_Q8_0)
        tile_bytes = n + n / 32 * 2; /* and a half scale for each 32 */
    return 2 * tile_bytes;
}
