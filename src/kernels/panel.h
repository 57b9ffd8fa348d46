/* kernels/panel.h - the bytes of packed panels, one layout for every instruction set
 *
 * A panel holds 16 outputs; its depth goes in groups of 32 weights an output, which a kernel sees
 * as eight vectors of 64 bytes. Byte 4 * o + b of vector i is the weight of output o at depth
 * 4 * i + b of the group, unsigned (panel_type.offset says what is to be taken off it): four
 * neighbours of one output fill a 32-bit lane, as byte dot products want them. Vectors 0 to 3 are
 * the first half group. They are stored as
 *
 *     nibbles [4][64]   vector 2j in the low halves, vector 2j + 1 in the high halves of line j
 *     bits    [64]      bit i of each byte belongs to vector i
 *     pairs   [2][64]   bits 2 * (i % 4) and the next of line i / 4 belong to vector i
 *
 * Integer scales of half groups lie in pairs, {first, second} of output 0, then of output 1, ...
 * Halfs are IEEE half bits. Float types are [k][16]. */
#ifndef KERNELS_PANEL_H
#define KERNELS_PANEL_H

#include "kernels/linear.h"

enum {
    GROUP_VECTORS = 8,
    VECTOR_BYTES = 64,
    BLOCK_ITEMS = 256, /* depth of a block of the K types */
    BLOCK_GROUPS = BLOCK_ITEMS / GROUP_ITEMS
};

/* One group each. */
struct panel_q4_0 {
    uint8_t nibbles[256];
    uint16_t d[PANEL_OUTPUTS];
};
struct panel_q4_1 {
    uint8_t nibbles[256];
    uint16_t d[PANEL_OUTPUTS], m[PANEL_OUTPUTS];
};
struct panel_q5_0 {
    uint8_t nibbles[256], bits[64];
    uint16_t d[PANEL_OUTPUTS];
};
struct panel_q5_1 {
    uint8_t nibbles[256], bits[64];
    uint16_t d[PANEL_OUTPUTS], m[PANEL_OUTPUTS];
};
struct panel_q8_0 {
    uint8_t bytes[512];
    uint16_t d[PANEL_OUTPUTS];
};

/* One block of eight groups each. What belongs to a group lies together, so that a kernel reads one
 * ascending stream (with a stream for each of nibbles, bits and pairs, a single row ran at a third
 * of the speed of memory). d is widened where that keeps the groups aligned to 64 bytes. */
struct panel_q4_k {
    uint16_t d[PANEL_OUTPUTS], dmin[PANEL_OUTPUTS];
    uint8_t scales[BLOCK_GROUPS][PANEL_OUTPUTS], mins[BLOCK_GROUPS][PANEL_OUTPUTS];
    struct {
        uint8_t nibbles[256];
    } groups[BLOCK_GROUPS];
};
struct panel_q5_k {
    uint16_t d[PANEL_OUTPUTS], dmin[PANEL_OUTPUTS];
    uint8_t scales[BLOCK_GROUPS][PANEL_OUTPUTS], mins[BLOCK_GROUPS][PANEL_OUTPUTS];
    struct {
        uint8_t nibbles[256], bits[64];
    } groups[BLOCK_GROUPS];
};
struct panel_q6_k {
    float d[PANEL_OUTPUTS];
    int8_t scales[BLOCK_GROUPS][2 * PANEL_OUTPUTS];
    struct {
        uint8_t nibbles[256], pairs[128];
    } groups[BLOCK_GROUPS];
};
struct panel_q3_k {
    float d[PANEL_OUTPUTS];
    int8_t scales[BLOCK_GROUPS][2 * PANEL_OUTPUTS];
    struct {
        uint8_t pairs[128], bits[64];
    } groups[BLOCK_GROUPS];
};
struct panel_q2_k {
    uint16_t d[PANEL_OUTPUTS], dmin[PANEL_OUTPUTS];
    uint8_t scales[BLOCK_GROUPS][2 * PANEL_OUTPUTS]; /* scale | min << 4 */
    struct {
        uint8_t pairs[128];
    } groups[BLOCK_GROUPS];
};

/* How a type's numbers are put together (kernels/linear.h has the formulas). */
struct panel_type {
    int32_t k_multiple;   /* depth of the unit below */
    int32_t unit_bytes;   /* bytes of a panel for each k_multiple of depth */
    int32_t offset;       /* to take off the stored weights */
    bool is_float;        /* takes float activations */
    bool has_half_scales; /* integer scales a half group */
    bool has_min;         /* a float minimum a group */
    bool has_half_mins;   /* integer minimums a half group, and dmin */
};

/* Here, so that a kernel that is compiled for one type sees constants. */
static const struct panel_type panel_types[WEIGHT_TYPE_COUNT] = {
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

/* panel_bytes of linear.h, for kernels: with a constant type a few instructions. */
static inline size_t panel_stride(enum weight_type type, int32_t k)
{
    const size_t n_units = (size_t)k / (size_t)panel_types[type].k_multiple;

    return (n_units * (size_t)panel_types[type].unit_bytes + 63) / 64 * 64;
}

/* Ask for the group (of float types one depth) that is so many bytes further on, maybe of the next
 * panel; beyond the last panel a prefetch does nothing. Into the second cache (locality 2): the
 * first one cannot wait for as many lines as are under way from memory. */
enum { PANEL_PREFETCH_BYTES = 12 * 1024 };
static inline void panel_prefetch(enum weight_type type, const uint8_t *panel, int32_t group)
{
    const int32_t items = panel_types[type].is_float ? 1 : GROUP_ITEMS;
    const uintptr_t n_bytes =
        (uintptr_t)(panel_types[type].unit_bytes * items / panel_types[type].k_multiple);
    const uintptr_t at = (uintptr_t)panel + (uintptr_t)group * n_bytes + PANEL_PREFETCH_BYTES;

    for (uintptr_t i = 0; i < n_bytes; i += 64)
        __builtin_prefetch((const void *)(at + i), 0, 2);
}

/* A group of a panel taken apart. */
struct panel_group {
    uint8_t v[GROUP_VECTORS][VECTOR_BYTES];
    float scale[PANEL_OUTPUTS];           /* w_scale */
    float min[PANEL_OUTPUTS];             /* w_min; dmin where has_half_mins */
    int32_t half_scale[2][PANEL_OUTPUTS]; /* 1 where there are none */
    int32_t half_min[2][PANEL_OUTPUTS];   /* where has_half_mins */
};

/* Group `group` of a panel of a quantised type. */
void panel_group_load(enum weight_type type, const void *panel, int32_t group,
                      struct panel_group *out);

/* Output `output` at depth k of a panel of a float type. */
float panel_float(enum weight_type type, const void *panel, int32_t output, int32_t k);

#endif
