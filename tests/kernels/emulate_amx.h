/* emulate_amx.h - tile registers in plain C, for a test on a processor without AMX
 *
 * Included before everything else in the kernels' own source files. The functions end the program
 * with a sentence where the processor would fault: registers that are not configured, shapes that
 * do not fit each other. */
#ifndef TESTS_KERNELS_EMULATE_AMX_H
#define TESTS_KERNELS_EMULATE_AMX_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

void emulated_loadconfig(const void *config);
void emulated_release(void);
void emulated_zero(int tile);
void emulated_loadd(int tile, const void *base, size_t stride);
void emulated_stored(int tile, void *base, size_t stride);
void emulated_dpbssd(int sum, int a, int b);
/* Whether this thread's registers are released, and how many products there were so far. */
bool emulated_is_released(void);
long emulated_n_products(void);

#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbssd
#define _tile_loadconfig emulated_loadconfig
#define _tile_release emulated_release
#define _tile_zero emulated_zero
#define _tile_loadd emulated_loadd
#define _tile_stored emulated_stored
#define _tile_dpbssd emulated_dpbssd

#endif
