#include "kernels/panel.h"

_Static_assert(sizeof(struct panel_q4_0) == 288, "no padding");
_Static_assert(sizeof(struct panel_q4_1) == 320, "no padding");
_Static_assert(sizeof(struct panel_q5_0) == 352, "no padding");
_Static_assert(sizeof(struct panel_q5_1) == 384, "no padding");
_Static_assert(sizeof(struct panel_q8_0) == 544, "no padding");
_Static_assert(sizeof(struct panel_q2_k) == 21 * 64, "blocks stay aligned");
_Static_assert(sizeof(struct panel_q3_k) == 29 * 64, "blocks stay aligned");
_Static_assert(sizeof(struct panel_q4_k) == 37 * 64, "blocks stay aligned");
_Static_assert(sizeof(struct panel_q5_k) == 45 * 64, "blocks stay aligned");
_Static_assert(sizeof(struct panel_q6_k) == 53 * 64, "blocks stay aligned");

static const struct panel_type types[WEIGHT_TYPE_COUNT] = {
    [WEIGHT_F32] = {.k_multiple = 1, .unit_bytes = 64, .is_float = true},
    [WEIGHT_F16] = {.k_multiple = 1, .unit_bytes = 32, .is_float = true},
    [WEIGHT_BF16] = {.k_multiple = 1, .unit_bytes = 32, .is_float = true},
    [WEIGHT_Q8_0] = {.k_multiple = 32, .unit_bytes = sizeof(struct panel_q8_0), .offset = 128},
    [WEIGHT_Q4_0] = {.k_multiple = 32, .unit_bytes = sizeof(struct panel_q4_0), .offset = 8},
    [WEIGHT_Q4_1] = {.k_multiple = 32, .unit_bytes = sizeof(struct panel_q4_1), .has_min = true},
    [WEIGHT_Q5_0] = {.k_multiple = 32, .unit_bytes = sizeof(struct panel_q5_0), .offset = 16},
    [WEIGHT_Q5_1] = {.k_multiple = 32, .unit_bytes = sizeof(struct panel_q5_1), .has_min = true},
    [WEIGHT_Q2_K] = {.k_multiple = BLOCK_ITEMS,
                     .unit_bytes = sizeof(struct panel_q2_k),
                     .has_half_scales = true,
                     .has_half_mins = true},
    [WEIGHT_Q3_K] = {.k_multiple = BLOCK_ITEMS,
                     .unit_bytes = sizeof(struct panel_q3_k),
                     .offset = 4,
                     .has_half_scales = true},
    [WEIGHT_Q4_K] = {.k_multiple = BLOCK_ITEMS,
                     .unit_bytes = sizeof(struct panel_q4_k),
                     .has_min = true},
    [WEIGHT_Q5_K] = {.k_multiple = BLOCK_ITEMS,
                     .unit_bytes = sizeof(struct panel_q5_k),
                     .has_min = true},
    [WEIGHT_Q6_K] = {.k_multiple = BLOCK_ITEMS,
                     .unit_bytes = sizeof(struct panel_q6_k),
                     .offset = 32,
                     .has_half_scales = true},
};

const struct panel_type *panel_type(enum weight_type type)
{
    return &types[type];
}

bool weight_is_float(enum weight_type type)
{
    return types[type].is_float;
}

int32_t weight_k_multiple(enum weight_type type)
{
    return types[type].k_multiple;
}

size_t panel_bytes(enum weight_type type, int32_t k)
{
    const size_t n_units = (size_t)k / (size_t)types[type].k_multiple;

    return (n_units * (size_t)types[type].unit_bytes + 63) / 64 * 64;
}
