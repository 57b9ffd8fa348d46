#include "kernels/kv_q8_0.h"
#include "kernels/ref/attention_q8_0.h"
#include "kernels/ref/math.h"
#include "kernels/tables.h"

#include <string.h>

static uint16_t load16(const uint8_t *p)
{
    uint16_t h;

    memcpy(&h, p, sizeof h);
    return h;
}

static void store16(uint8_t *p, uint16_t h)
{
    memcpy(p, &h, sizeof h);
}

static float load_float(const uint8_t *tile, enum kv_dtype dtype, size_t i)
{
    float x;

    if (dtype == KV_F16)
        return half_to_float(load16(tile + 2 * i));
    if (dtype == KV_BF16)
        return bf16_to_float(load16(tile + 2 * i));
    memcpy(&x, tile + 4 * i, sizeof x);
    return x;
}

static void store_float(uint8_t *tile, enum kv_dtype dtype, size_t i, float x)
{
    if (dtype == KV_F16)
        store16(tile + 2 * i, float_to_half(x));
    else if (dtype == KV_BF16)
        store16(tile + 2 * i, float_to_bf16(x));
    else
        memcpy(tile + 4 * i, &x, sizeof x);
}

/* Where the K of one token lies in a block: element d is at tile[index(d)], in units of elements.
 */
struct k_place {
    size_t tile_bytes; /* from the head's start to the tile of the w tokens */
    size_t w, lane;
};

static struct k_place k_place(enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                              int32_t slot)
{
    const int32_t w = block_size < 16 ? block_size : 16;

    return (struct k_place){.tile_bytes = (size_t)(slot / w) *
                                          (kv_head_bytes(dtype, block_size, head_dim) / 2) /
                                          (size_t)(block_size / w),
                            .w = (size_t)w,
                            .lane = (size_t)(slot % w)};
}

static size_t v_place(enum kv_dtype dtype, int32_t block_size, int32_t head_dim, int32_t slot)
{
    const size_t tile_bytes = kv_head_bytes(dtype, block_size, head_dim) / 2;

    return tile_bytes + tile_bytes / (size_t)block_size * (size_t)slot;
}

static void store_ref(uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                      int32_t slot, const float *k, const float *v)
{
    if (dtype == KV_Q8_0) {
        q8_0_store(head, block_size, head_dim, slot, k, v, quantize_kv_ref);
        return;
    }
    const struct k_place kp = k_place(dtype, block_size, head_dim, slot);
    uint8_t *v_row = head + v_place(dtype, block_size, head_dim, slot);
    for (int32_t d = 0; d < head_dim; d++) {
        store_float(head + kp.tile_bytes, dtype, (size_t)d * kp.w + kp.lane, k[d]);
        store_float(v_row, dtype, (size_t)d, v[d]);
    }
}

/* K of the token in a slot of a block's head run, widened, to out[head_dim] */
static void load_k(const uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                   int32_t slot, float *out)
{
    const struct k_place kp = k_place(dtype, block_size, head_dim, slot);
    const uint8_t *tile = head + kp.tile_bytes;

    for (size_t d = 0, i = kp.lane; d < (size_t)head_dim; d++, i += kp.w)
        out[d] = load_float(tile, dtype, i);
}

/* V of the same */
static void load_v(const uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                   int32_t slot, float *out)
{
    const uint8_t *row = head + v_place(dtype, block_size, head_dim, slot);

    for (size_t d = 0; d < (size_t)head_dim; d++)
        out[d] = load_float(row, dtype, d);
}

void kv_head_load(const uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                  int32_t slot, float *k, float *v)
{
    if (dtype == KV_Q8_0) {
        q8_0_load(head, block_size, head_dim, slot, k, v);
        return;
    }
    load_k(head, dtype, block_size, head_dim, slot, k);
    load_v(head, dtype, block_size, head_dim, slot, v);
}

/* One row over the keys at begin .. last. */
static void split_row(const struct attention_args *a, const float *q, int32_t begin, int32_t last,
                      float *part, float *scratch)
{
    float *e = scratch, *kv = scratch + KV_SPLIT_TOKENS, *acc = part + 2;
    float p[16] = {0}, m = -INFINITY;

    for (int32_t t = begin; t <= last; t++) {
        float score = 0;
        load_k(attention_head_at(a, t), a->dtype, a->block_size, a->head_dim, t % a->block_size,
               kv);
        for (int32_t d = 0; d < a->head_dim; d++)
            score = fmaf(q[d], kv[d], score);
        score *= a->scale;
        m = score > m ? score : m; /* NaN is never the maximum, but makes the sum NaN */
        e[t - begin] = score;
    }
    for (int32_t d = 0; d < a->head_dim; d++)
        acc[d] = 0;
    for (int32_t t = begin; t <= last; t++) {
        const float weight = exp_ref(e[t - begin] - m);
        p[t % 16] += weight;
        load_v(attention_head_at(a, t), a->dtype, a->block_size, a->head_dim, t % a->block_size,
               kv);
        for (int32_t d = 0; d < a->head_dim; d++)
            acc[d] = fmaf(weight, kv[d], acc[d]);
    }
    part[0] = m + 0.0f; /* never -0, whichever zero came first */
    part[1] = tree_sum_ref(p);
}

static void split_ref(const struct attention_args *a, int32_t split, float *parts, float *scratch)
{
    const int32_t n_part = attention_part_floats(a->head_dim), begin = split * KV_SPLIT_TOKENS;

    for (int32_t t = 0; t < a->n_tokens; t++) {
        for (int32_t g = 0; g < a->n_group; g++) {
            const int32_t r = t * a->n_group + g;
            int32_t last = a->first_position + t;
            if (last > begin + KV_SPLIT_TOKENS - 1)
                last = begin + KV_SPLIT_TOKENS - 1;
            float *part = parts + (size_t)r * (size_t)n_part;
            for (int32_t i = 0; i < n_part; i++)
                part[i] = 0;
            (a->dtype == KV_Q8_0 ? split_row_q8_0 : split_row)(
                a, a->q + t * a->ld_q + (int64_t)g * a->head_dim, begin, last, part, scratch);
        }
    }
}

static void merge_ref(float *into, const float *part, int32_t n_rows, int32_t head_dim)
{
    const int32_t n_part = attention_part_floats(head_dim);

    for (int32_t r = 0; r < n_rows; r++, into += n_part, part += n_part) {
        /* a sum of 0 says that there was no key: with one it is at least 1, or NaN */
        if (part[1] == 0)
            continue;
        if (into[1] == 0) {
            memcpy(into, part, (size_t)n_part * sizeof *into);
            continue;
        }
        const float m = into[0] > part[0] ? into[0] : part[0];
        const float a = exp_ref(into[0] - m), b = exp_ref(part[0] - m);
        into[0] = m;
        for (int32_t i = 1; i < 2 + head_dim; i++)
            into[i] = fmaf(into[i], a, part[i] * b);
    }
}

static void finish_ref(const float *part, int32_t head_dim, float *out)
{
    for (int32_t d = 0; d < head_dim; d++)
        out[d] = part[2 + d] / part[1];
}

void attention_init_ref(struct attention_kernels *k)
{
    k->split = split_ref;
    k->merge = merge_ref;
    k->finish = finish_ref;
    k->store = store_ref;
}
