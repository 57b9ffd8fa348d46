#include "emulate_amx.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TILES = 8, ROWS = 16, ROW_BYTES = 64 };

static _Thread_local struct {
    bool is_configured;
    int32_t n_rows[N_TILES], row_bytes[N_TILES];
    uint8_t bytes[N_TILES][ROWS][ROW_BYTES];
    long n_products;
} registers;

static void require(bool is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "the processor would fault: %s\n", what);
    abort();
}

/* The register, which must be one. */
static int usable(int tile)
{
    require(registers.is_configured, "no tile configuration is loaded");
    require(tile >= 0 && tile < N_TILES, "there are eight tile registers");
    require(registers.n_rows[tile] > 0, "a tile register that was given no rows");
    return tile;
}

void emulated_loadconfig(const void *config)
{
    const uint8_t *c = config;

    require(c[0] == 1, "the palette must be 1");
    require(c[1] == 0, "no row is to be started at");
    for (int i = 2; i < 16; i++)
        require(c[i] == 0, "reserved bytes must be 0");
    for (int i = 0; i < 16; i++) {
        const int row_bytes = c[16 + 2 * i] | c[17 + 2 * i] << 8, n_rows = c[48 + i];

        require((row_bytes == 0) == (n_rows == 0), "a tile has rows without bytes or the reverse");
        require(row_bytes <= ROW_BYTES && n_rows <= ROWS, "a tile is too large");
        require(i < N_TILES || n_rows == 0, "there are eight tile registers");
        if (i < N_TILES) {
            registers.n_rows[i] = n_rows;
            registers.row_bytes[i] = row_bytes;
        }
    }
    memset(registers.bytes, 0, sizeof registers.bytes);
    registers.is_configured = true;
}

void emulated_release(void)
{
    registers.is_configured = false;
}

bool emulated_is_released(void)
{
    return !registers.is_configured;
}

long emulated_n_products(void)
{
    return registers.n_products;
}

void emulated_zero(int tile)
{
    memset(registers.bytes[usable(tile)], 0, sizeof registers.bytes[tile]);
}

/* What is loaded reaches to the configured edges; the rest becomes zero. */
void emulated_loadd(int tile, const void *base, size_t stride)
{
    emulated_zero(tile);
    for (int r = 0; r < registers.n_rows[tile]; r++)
        memcpy(registers.bytes[tile][r], (const uint8_t *)base + (size_t)r * stride,
               (size_t)registers.row_bytes[tile]);
}

void emulated_stored(int tile, void *base, size_t stride)
{
    usable(tile);
    for (int r = 0; r < registers.n_rows[tile]; r++)
        memcpy((uint8_t *)base + (size_t)r * stride, registers.bytes[tile][r],
               (size_t)registers.row_bytes[tile]);
}

/* Rows of a, four signed bytes a column, times four signed bytes a lane of the rows of b. */
void emulated_dpbssd(int sum, int a, int b)
{
    const int32_t *n_rows = registers.n_rows, *row_bytes = registers.row_bytes;

    require(usable(sum) != usable(a) && a != usable(b) && sum != b, "a tile register stands twice");
    require(row_bytes[a] % 4 == 0 && row_bytes[b] % 4 == 0, "a row that is no whole columns");
    require(n_rows[sum] == n_rows[a] && row_bytes[sum] == row_bytes[b] &&
                n_rows[b] == row_bytes[a] / 4,
            "the shapes of sums and factors do not fit");
    registers.n_products++;
    for (int r = 0; r < n_rows[sum]; r++) {
        int32_t row[ROW_BYTES / 4];

        memcpy(row, registers.bytes[sum][r], sizeof row);
        for (int k = 0; k < n_rows[b]; k++)
            for (int i = 0; i < row_bytes[b]; i++)
                row[i / 4] +=
                    (int8_t)registers.bytes[a][r][4 * k + i % 4] * (int8_t)registers.bytes[b][k][i];
        memcpy(registers.bytes[sum][r], row, sizeof row);
    }
}
