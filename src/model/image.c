#include "model/image.h"

#include "base/hash.h"
#include "base/mem.h"
#include "kernels/ref/trig.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IMAGE_ALIGN = 64, ROPE_ROWS_AT_ONCE = 64 };

/* Stands at the start of the image, so that the ranks that did not fill it know what it holds. */
struct image_head {
    char magic[8];
    uint64_t hash;
    uint64_t n_bytes;
    uint8_t padding[40];
};
static_assert(sizeof(struct image_head) == IMAGE_ALIGN, "items start aligned");

/* One tensor's place: exactly one of linear and vector is set. */
struct image_item {
    const struct gguf_tensor *tensor; /* borrowed from the GGUF until filled */
    struct model_linear *linear;
    const float **vector;
    size_t offset;
    uint64_t hash; /* of the tensor's bytes */
};

struct model_image {
    struct image_item *items; /* (n_items) */
    int32_t n_items, capacity;
    size_t n_bytes; /* of the items, head included; the RoPE table follows */
};

enum shoal_status model_image_create(struct model_image **out, struct shoal_error *err)
{
    *out = mem_new(1, sizeof **out);
    if (!*out)
        return shoal_fail_memory(err, "model layout", sizeof **out);
    (*out)->n_bytes = sizeof(struct image_head);
    return SHOAL_OK;
}

void model_image_destroy(struct model_image *image)
{
    if (!image)
        return;
    mem_free(image->items);
    mem_free(image);
}

/* The type that the kernels know for a tensor type of the file. */
static enum weight_type weight_type_of(enum gguf_type type)
{
    switch (type) {
    case GGUF_TYPE_F16:
        return WEIGHT_F16;
    case GGUF_TYPE_BF16:
        return WEIGHT_BF16;
    case GGUF_TYPE_Q8_0:
        return WEIGHT_Q8_0;
    case GGUF_TYPE_Q4_0:
        return WEIGHT_Q4_0;
    case GGUF_TYPE_Q4_1:
        return WEIGHT_Q4_1;
    case GGUF_TYPE_Q5_0:
        return WEIGHT_Q5_0;
    case GGUF_TYPE_Q5_1:
        return WEIGHT_Q5_1;
    case GGUF_TYPE_Q2_K:
        return WEIGHT_Q2_K;
    case GGUF_TYPE_Q3_K:
        return WEIGHT_Q3_K;
    case GGUF_TYPE_Q4_K:
        return WEIGHT_Q4_K;
    case GGUF_TYPE_Q5_K:
        return WEIGHT_Q5_K;
    case GGUF_TYPE_Q6_K:
        return WEIGHT_Q6_K;
    case GGUF_TYPE_F32:
    case GGUF_TYPE_COUNT:
        break;
    }
    return WEIGHT_F32;
}

static enum shoal_status add_item(struct model_image *image, struct image_item item, size_t n_bytes,
                                  struct shoal_error *err)
{
    if (image->n_items == image->capacity) {
        const int32_t capacity = image->capacity ? 2 * image->capacity : 64;
        struct image_item *items = mem_resize(image->items, (size_t)capacity, sizeof *items);
        if (!items)
            return shoal_fail_memory(err, "model layout", (size_t)capacity * sizeof *items);
        image->items = items;
        image->capacity = capacity;
    }
    item.offset = image->n_bytes;
    if (n_bytes > SIZE_MAX / 2 - image->n_bytes)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "the model is too large for this machine's addresses");
    image->n_bytes += (n_bytes + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
    image->items[image->n_items++] = item;
    return SHOAL_OK;
}

/* The tensor of that name with the shape ne; NULL with SHOAL_OK when it is absent and may be. */
static enum shoal_status find_tensor(const struct model_binding *b, const char *name,
                                     int32_t n_dims, const int64_t ne[2],
                                     const struct gguf_tensor **out, struct shoal_error *err)
{
    const struct gguf_tensor *t = gguf_find_tensor(b->g, name);

    *out = t;
    if (!t && b->is_required)
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: tensor %s is missing", gguf_name(b->g), name);
    if (!t)
        return SHOAL_OK;
    const int64_t rows = t->ne[1] * t->ne[2] * t->ne[3];
    if (t->ne[0] != ne[0] || rows != ne[1] || (n_dims == 2 && t->ne[1] != ne[1]))
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: tensor %s has the shape %lld x %lld, expected %lld x %lld",
                          gguf_name(b->g), name, (long long)t->ne[0], (long long)rows,
                          (long long)ne[0], (long long)ne[1]);
    return SHOAL_OK;
}

enum shoal_status model_bind_linear(const struct model_binding *b, struct model_linear *field,
                                    int32_t n_in, int32_t n_out, struct shoal_error *err,
                                    const char *name, ...)
{
    const int64_t ne[2] = {n_in, n_out};
    const struct gguf_tensor *tensor;
    char full[GGUF_MAX_NAME + 1];
    enum shoal_status status;
    va_list args;

    va_start(args, name);
    vsnprintf(full, sizeof full, name, args);
    va_end(args);
    status = find_tensor(b, full, 2, ne, &tensor, err);
    if (status != SHOAL_OK || !tensor)
        return status;
    field->type = weight_type_of(tensor->type);
    field->n_in = n_in;
    field->n_out = n_out;
    field->n_panels = (n_out + PANEL_OUTPUTS - 1) / PANEL_OUTPUTS;
    field->panel_bytes = panel_bytes(field->type, n_in);
    if (b->m->weights == MODEL_WEIGHTS_FILE && n_in % weight_k_multiple(field->type) != 0)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: tensor %s: rows of %d do not divide into blocks", gguf_name(b->g),
                          full, n_in);
    const size_t n_bytes = b->m->weights == MODEL_WEIGHTS_F32
                               ? (size_t)n_in * (size_t)n_out * sizeof(float)
                               : field->panel_bytes * (size_t)field->n_panels;
    return add_item(b->m->image, (struct image_item){.tensor = tensor, .linear = field}, n_bytes,
                    err);
}

enum shoal_status model_bind_vector(const struct model_binding *b, const float **field, int32_t n,
                                    struct shoal_error *err, const char *name, ...)
{
    const int64_t ne[2] = {n, 1};
    const struct gguf_tensor *tensor;
    char full[GGUF_MAX_NAME + 1];
    enum shoal_status status;
    va_list args;

    va_start(args, name);
    vsnprintf(full, sizeof full, name, args);
    va_end(args);
    status = find_tensor(b, full, 1, ne, &tensor, err);
    if (status != SHOAL_OK || !tensor)
        return status;
    return add_item(b->m->image, (struct image_item){.tensor = tensor, .vector = field},
                    (size_t)n * sizeof(float), err);
}

enum shoal_status model_image_check_unused(const struct model *m, const struct gguf *g,
                                           struct shoal_error *err)
{
    const struct model_image *image = m->image;

    for (int64_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(g, i);
        bool is_used = false;
        for (int32_t j = 0; j < image->n_items && !is_used; j++)
            is_used = image->items[j].tensor == tensor;
        if (!is_used)
            return shoal_fail(
                err, SHOAL_E_UNSUPPORTED,
                "%s: tensor %s: architecture %s as shoal knows it has no such tensor, "
                "and leaving it out would give wrong answers",
                gguf_name(g), tensor->name, m->arch);
    }
    return SHOAL_OK;
}

static size_t rope_table_bytes(const struct model *m)
{
    return (size_t)m->max_positions * (size_t)m->hp.n_rot * sizeof(float);
}

size_t model_image_bytes(const struct model *m)
{
    return m->image->n_bytes + rope_table_bytes(m);
}

/* Row range [begin, end) of a linear layer's outputs, in panels of 16. */
static void fill_panel(const struct model_linear *l, const struct gguf_tensor *tensor, int32_t p,
                       uint8_t *out)
{
    const size_t row_bytes = gguf_row_bytes(tensor->type, l->n_in);
    const void *rows[PANEL_OUTPUTS];

    for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
        const int32_t row = p * PANEL_OUTPUTS + o;
        rows[o] = row < l->n_out ? tensor->data + (size_t)row * row_bytes : NULL;
    }
    panel_pack(l->type, rows, l->n_in, out + (size_t)p * l->panel_bytes);
}

static void fill_linear(const struct model *m, const struct image_item *item, uint8_t *out,
                        int32_t n_threads)
{
    const struct model_linear *l = item->linear;
    const struct gguf_tensor *tensor = item->tensor;

    if (m->weights == MODEL_WEIGHTS_F32) {
        const size_t row_bytes = gguf_row_bytes(tensor->type, l->n_in);
        float *rows = (float *)(void *)out;
#pragma omp parallel for num_threads(n_threads) schedule(static)
        for (int32_t r = 0; r < l->n_out; r++)
            gguf_dequantize(tensor->type, tensor->data + (size_t)r * row_bytes, l->n_in,
                            rows + (size_t)r * (size_t)l->n_in);
        return;
    }
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int32_t p = 0; p < l->n_panels; p++)
        fill_panel(l, tensor, p, out);
}

/* Angle of pair i at position p: p / scale * base^(-2 i / n_rot) / freqs[i], in double, with
 * shoal's own exp, log, sin and cos, so that every machine has the same table. */
static enum shoal_status fill_rope(const struct model *m, float *table, const float *freqs,
                                   int32_t n_threads, struct shoal_error *err)
{
    const int32_t n = m->hp.n_rot / 2;
    double *inv_freq = mem_new((size_t)n + 1, sizeof *inv_freq);

    if (!inv_freq)
        return shoal_fail_memory(err, "RoPE frequencies", (size_t)n * sizeof *inv_freq);
    for (int32_t i = 0; i < n; i++) {
        inv_freq[i] = exp_f64(-2.0 * i / m->hp.n_rot * log_f64(m->hp.rope_base)) / m->hp.rope_scale;
        if (freqs)
            inv_freq[i] /= (double)freqs[i];
    }
#pragma omp parallel for num_threads(n_threads) schedule(static, ROPE_ROWS_AT_ONCE)
    for (int32_t p = 0; p < m->max_positions; p++)
        rope_angles(p, inv_freq, n, table + (size_t)p * (size_t)m->hp.n_rot);
    mem_free(inv_freq);
    return SHOAL_OK;
}

enum shoal_status model_fill(struct model *m, uint8_t *image, int32_t n_threads,
                             struct shoal_error *err)
{
    struct model_image *layout = m->image;
    struct image_head head = {.magic = "SHOALIM", .n_bytes = model_image_bytes(m)};
    const float *freqs = NULL;

    for (int32_t i = 0; i < layout->n_items; i++) {
        struct image_item *item = &layout->items[i];
        uint8_t *out = image + item->offset;
        if (item->linear) {
            fill_linear(m, item, out, n_threads);
            continue;
        }
        gguf_dequantize(item->tensor->type, item->tensor->data, item->tensor->ne[0],
                        (float *)(void *)out);
        if (item->vector == &m->rope_freqs)
            freqs = (const float *)(void *)out;
    }
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (int32_t i = 0; i < layout->n_items; i++) {
        struct image_item *item = &layout->items[i];
        item->hash = hash64(item->tensor->data, item->tensor->n_bytes, 0);
    }
    head.hash = m->quick_hash;
    for (int32_t i = 0; i < layout->n_items; i++)
        head.hash = hash64(&layout->items[i].hash, sizeof(uint64_t), head.hash);
    memcpy(image, &head, sizeof head);
    return fill_rope(m, (float *)(void *)(image + layout->n_bytes), freqs, n_threads, err);
}

enum shoal_status model_attach(struct model *m, const uint8_t *image, struct shoal_error *err)
{
    const struct model_image *layout = m->image;
    struct image_head head;

    memcpy(&head, image, sizeof head);
    if (memcmp(head.magic, "SHOALIM", 8) != 0 || head.n_bytes != model_image_bytes(m))
        return shoal_fail(err, SHOAL_E_MISMATCH, "the packed weights in memory are not those of %s",
                          m->name);
    for (int32_t i = 0; i < layout->n_items; i++) {
        const struct image_item *item = &layout->items[i];
        const uint8_t *bytes = image + item->offset;
        if (item->vector)
            *item->vector = (const float *)(const void *)bytes;
        else if (m->weights == MODEL_WEIGHTS_F32)
            item->linear->rows = (const float *)(const void *)bytes;
        else
            item->linear->panels = bytes;
    }
    if (m->is_tied)
        m->output = m->embedding;
    m->rope_table = (const float *)(const void *)(image + layout->n_bytes);
    m->hash = head.hash;
    return SHOAL_OK;
}
