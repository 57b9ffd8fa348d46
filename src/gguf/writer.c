#include "gguf/writer.h"

#include "base/mem.h"
#include "base/text.h"
#include "gguf/quantize.h"

#include <inttypes.h>
#include <string.h>

enum { VERSION = 3, ALIGNMENT = 32 };

/* The parts of the file as they grow; numbers are added as they lie in memory (gguf/bytes.h). */
struct gguf_writer {
    struct text kvs, descriptors, data;
    uint64_t n_kv, n_tensors;
    struct shoal_error error; /* the first failure; status 0: none */
};

struct gguf_writer *gguf_writer_create(void)
{
    return mem_new(1, sizeof(struct gguf_writer));
}

void gguf_writer_destroy(struct gguf_writer *w)
{
    if (!w)
        return;
    text_fini(&w->kvs);
    text_fini(&w->descriptors);
    text_fini(&w->data);
    mem_free(w);
}

static void add_u32(struct text *t, uint32_t x)
{
    text_add(t, &x, sizeof x);
}

static void add_u64(struct text *t, uint64_t x)
{
    text_add(t, &x, sizeof x);
}

static void add_string(struct text *t, const char *bytes, size_t n)
{
    add_u64(t, n);
    text_add(t, bytes, n);
}

/* Zeros up to the alignment. */
static void pad(struct text *t)
{
    static const uint8_t zeros[ALIGNMENT];

    text_add(t, zeros, (ALIGNMENT - t->n % ALIGNMENT) % ALIGNMENT);
}

static void begin_kv(struct gguf_writer *w, const char *key, enum gguf_value_type type)
{
    if (!w->error.status && strcmp(key, "general.alignment") == 0)
        shoal_fail(&w->error, SHOAL_E_INVALID, "general.alignment cannot be set: it is always %d",
                   ALIGNMENT);
    add_string(&w->kvs, key, strlen(key));
    add_u32(&w->kvs, type);
    w->n_kv++;
}

static void begin_array(struct gguf_writer *w, const char *key, enum gguf_value_type type,
                        uint64_t n)
{
    begin_kv(w, key, GGUF_ARRAY);
    add_u32(&w->kvs, type);
    add_u64(&w->kvs, n);
}

void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t value)
{
    begin_kv(w, key, GGUF_U32);
    add_u32(&w->kvs, value);
}

void gguf_write_f32(struct gguf_writer *w, const char *key, float value)
{
    begin_kv(w, key, GGUF_F32);
    text_add(&w->kvs, &value, sizeof value);
}

void gguf_write_bool(struct gguf_writer *w, const char *key, bool value)
{
    const uint8_t byte = value;

    begin_kv(w, key, GGUF_BOOL);
    text_add(&w->kvs, &byte, 1);
}

void gguf_write_string(struct gguf_writer *w, const char *key, const char *value)
{
    begin_kv(w, key, GGUF_STRING);
    add_string(&w->kvs, value, strlen(value));
}

void gguf_write_strings(struct gguf_writer *w, const char *key, const char *const values[],
                        const size_t lengths[], uint64_t n)
{
    begin_array(w, key, GGUF_STRING, n);
    for (uint64_t i = 0; i < n; i++)
        add_string(&w->kvs, values[i], lengths ? lengths[i] : strlen(values[i]));
}

void gguf_write_f32s(struct gguf_writer *w, const char *key, const float values[], uint64_t n)
{
    begin_array(w, key, GGUF_F32, n);
    text_add(&w->kvs, values, n * sizeof *values);
}

void gguf_write_i32s(struct gguf_writer *w, const char *key, const int32_t values[], uint64_t n)
{
    begin_array(w, key, GGUF_I32, n);
    text_add(&w->kvs, values, n * sizeof *values);
}

/* What would make the size of the data unknown; the rest is for the reader's checks to find.
 * Returns false, having recorded why, when there is no size. */
static bool tensor_size(struct gguf_writer *w, const char *name, enum gguf_type type,
                        int32_t n_dims, const int64_t ne[], int64_t *n_items, size_t *n_bytes)
{
    const struct gguf_type_info *info = gguf_type_info(type);
    bool is_sound = info && info->block_items && n_dims >= 1 && n_dims <= GGUF_MAX_DIMS;

    if (w->error.status)
        return false;
    *n_items = 1;
    for (int32_t k = 0; k < n_dims && is_sound; k++)
        is_sound = ne[k] > 0 && !__builtin_mul_overflow(*n_items, ne[k], n_items);
    is_sound = is_sound && ne[0] % info->block_items == 0 &&
               mem_mul((size_t)(*n_items / info->block_items), (size_t)info->block_bytes, n_bytes);
    if (!is_sound)
        shoal_fail(&w->error, SHOAL_E_INVALID,
                   "tensor %s: type %d with %" PRId32 " dimensions and rows of %" PRId64
                   " elements cannot be stored",
                   name, (int)type, n_dims, n_dims >= 1 ? ne[0] : 0);
    return is_sound;
}

void gguf_write_tensor(struct gguf_writer *w, const char *name, enum gguf_type type, int32_t n_dims,
                       const int64_t ne[], const void *data)
{
    int64_t n_items;
    size_t n_bytes;

    if (!tensor_size(w, name, type, n_dims, ne, &n_items, &n_bytes))
        return;
    add_string(&w->descriptors, name, strlen(name));
    add_u32(&w->descriptors, (uint32_t)n_dims);
    for (int32_t k = 0; k < n_dims; k++)
        add_u64(&w->descriptors, (uint64_t)ne[k]);
    add_u32(&w->descriptors, type);
    add_u64(&w->descriptors, w->data.n);
    text_add(&w->data, data, n_bytes);
    pad(&w->data);
    w->n_tensors++;
}

void gguf_write_tensor_f32(struct gguf_writer *w, const char *name, enum gguf_type type,
                           int32_t n_dims, const int64_t ne[], const float *values)
{
    const char *problem;
    int64_t n_items;
    size_t n_bytes;
    void *blocks;

    if (!tensor_size(w, name, type, n_dims, ne, &n_items, &n_bytes))
        return;
    blocks = mem_new(n_bytes, 1);
    if (!blocks) {
        shoal_fail_memory(&w->error, name, n_bytes);
        return;
    }
    problem = gguf_quantize(type, values, n_items, blocks);
    if (problem)
        shoal_fail(&w->error, SHOAL_E_INVALID, "tensor %s: %s (%s)", name, problem,
                   gguf_type_info(type)->name);
    else
        gguf_write_tensor(w, name, type, n_dims, ne, blocks);
    mem_free(blocks);
}

/* The parts in the order of the file. */
static void assemble(const struct gguf_writer *w, struct text *file)
{
    text_add_str(file, "GGUF");
    add_u32(file, VERSION);
    add_u64(file, w->n_tensors);
    add_u64(file, w->n_kv);
    text_add(file, w->kvs.bytes, w->kvs.n);
    text_add(file, w->descriptors.bytes, w->descriptors.n);
    if (w->n_tensors)
        pad(file);
}

enum shoal_status gguf_writer_finish(struct gguf_writer *w, void **bytes, size_t *n,
                                     struct shoal_error *err)
{
    const bool out_of_memory = w->kvs.failed || w->descriptors.failed || w->data.failed;
    struct text head = {0};
    struct gguf *written;
    enum shoal_status status;
    uint8_t *file = NULL;
    size_t n_bytes;

    if (w->error.status)
        return shoal_fail(err, w->error.status, "%s", w->error.text);
    assemble(w, &head);
    n_bytes = head.n + w->data.n;
    if (!head.failed && !out_of_memory)
        file = mem_new_aligned(n_bytes, 1);
    if (file) {
        memcpy(file, head.bytes, head.n);
        if (w->data.n)
            memcpy(file + head.n, w->data.bytes, w->data.n);
    }
    text_fini(&head);
    if (!file)
        return shoal_fail_memory(err, "the GGUF file that is written", n_bytes);

    /* Names, duplicates and limits are the reader's to judge: nothing is given out that it would
     * refuse. */
    status = gguf_open_memory(&written, file, n_bytes, "the GGUF file that is written", err);
    gguf_close(written);
    if (status != SHOAL_OK) {
        mem_free(file);
        return status;
    }
    *bytes = file;
    *n = n_bytes;
    return SHOAL_OK;
}
