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

bool weight_is_float(enum weight_type type)
{
    return panel_types[type].is_float;
}

int32_t weight_k_multiple(enum weight_type type)
{
    return panel_types[type].k_multiple;
}

size_t panel_bytes(enum weight_type type, int32_t k)
{
    return panel_stride(type, k);
}
