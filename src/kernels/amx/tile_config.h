/* amx/tile_config.h - the shapes of a thread's eight tile registers
 *
 * They are loaded at the start of every call that uses tiles and released at its end. A call takes
 * thousands of cycles, loading some hundred; in between the thread's state is the initial one, so
 * that a switch or a signal saves no tiles, a core may sleep deeply, and nobody else's use of tiles
 * in the thread meets ours. */
#ifndef KERNELS_AMX_TILE_CONFIG_H
#define KERNELS_AMX_TILE_CONFIG_H

#include <immintrin.h>
#include <stdint.h>

enum { TILE_ROW_BYTES = 64, MAX_TILE_ROWS = 16 };

/* What ldtilecfg reads. Registers with no rows cannot be used. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t n_rows[16];
};

_Static_assert(sizeof(struct tile_config) == 64, "what ldtilecfg reads has 64 bytes");

static inline void tile_config_set(struct tile_config *c, int32_t tile, int32_t n_rows,
                                   int32_t row_bytes)
{
    c->n_rows[tile] = (uint8_t)n_rows;
    c->row_bytes[tile] = (uint16_t)(n_rows > 0 ? row_bytes : 0);
}

/* The compiler does not see what the tile intrinsics read: of the configuration only the first
 * bytes, of a matrix nothing. What was written must lie in memory before. */
static inline void tile_memory_barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

static inline void tile_config_load(const struct tile_config *c)
{
    tile_memory_barrier();
    _tile_loadconfig(c);
}

#endif
