#include "kernels/amx/tile_config.h"
#include "kernels/tables.h"

enum { CHAINS = 4 };

/* Full tiles: 16 rows times 16 outputs at depth 64. The linear kernels, whose groups are 32 deep,
 * can reach half of it. */
static double int8_amx(int64_t n)
{
    struct tile_config config = {.palette = 1};

    for (int32_t i = 0; i < CHAINS + 2; i++)
        tile_config_set(&config, i, MAX_TILE_ROWS, TILE_ROW_BYTES);
    tile_config_load(&config);
    for (int64_t i = 0; i < n; i++) {
        _tile_dpbssd(0, 4, 5);
        _tile_dpbssd(1, 4, 5);
        _tile_dpbssd(2, 4, 5);
        _tile_dpbssd(3, 4, 5);
    }
    _tile_release();
    return 2.0 * MAX_TILE_ROWS * PANEL_OUTPUTS * TILE_ROW_BYTES * CHAINS * (double)n;
}

void ceiling_init_amx(struct ceiling_kernels *ceiling)
{
    ceiling->int8 = int8_amx;
}
