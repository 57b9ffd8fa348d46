#include "engine/small_model.h"

#include "base/half.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gguf/writer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_HEAD = 2, N_HEAD_KV = 1, HEAD_DIM = SMALL_EMBD / N_HEAD };

/* The tensor of that name, uniform in centre +- scale from a counter. */
static void write_tensor(struct gguf_writer *w, const char *name, enum gguf_type type, int64_t n_in,
                         int64_t n_out, float centre, float scale)
{
    const int64_t ne[] = {n_in, n_out}, n = n_in * n_out;
    float *values = mem_new((size_t)n, sizeof *values);
    uint64_t key = 0;

    ck_assert(values);
    for (const char *c = name; *c; c++)
        key = rng_mix(key ^ (uint64_t)(unsigned char)*c);
    for (int64_t i = 0; i < n; i++)
        values[i] = centre + (2 * rng_unit(rng_at(1, key, (uint64_t)i)) - 1) * scale;
    gguf_write_tensor_f32(w, name, type, n_out > 1 ? 2 : 1, ne, values);
    mem_free(values);
}

static void write_layer(struct gguf_writer *w, int32_t il, enum gguf_type linear)
{
    const struct {
        const char *name;
        int64_t n_in, n_out;
    } matrices[] = {
        {"attn_q", SMALL_EMBD, N_HEAD * HEAD_DIM},
        {"attn_k", SMALL_EMBD, N_HEAD_KV * HEAD_DIM},
        {"attn_v", SMALL_EMBD, N_HEAD_KV * HEAD_DIM},
        {"attn_output", N_HEAD * HEAD_DIM, SMALL_EMBD},
        {"ffn_gate", SMALL_EMBD, SMALL_FF},
        {"ffn_up", SMALL_EMBD, SMALL_FF},
        {"ffn_down", SMALL_FF, SMALL_EMBD},
    };
    char name[64];

    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) {
        snprintf(name, sizeof name, "blk.%d.%s.weight", il, matrices[i].name);
        write_tensor(w, name, linear, matrices[i].n_in, matrices[i].n_out, 0, 0.2f);
    }
    snprintf(name, sizeof name, "blk.%d.attn_norm.weight", il);
    write_tensor(w, name, GGUF_TYPE_F32, SMALL_EMBD, 1, 1, 0.2f);
    snprintf(name, sizeof name, "blk.%d.ffn_norm.weight", il);
    write_tensor(w, name, GGUF_TYPE_F32, SMALL_EMBD, 1, 1, 0.2f);
}

static void *make_bytes(enum gguf_type linear, size_t *n)
{
    struct gguf_writer *w = gguf_writer_create();
    void *bytes = NULL;

    ck_assert(w);
    gguf_write_string(w, "general.architecture", "llama");
    gguf_write_string(w, "general.name", "small");
    gguf_write_string(w, "tokenizer.ggml.model", "bytes");
    gguf_write_u32(w, "llama.embedding_length", SMALL_EMBD);
    gguf_write_u32(w, "llama.block_count", SMALL_LAYERS);
    gguf_write_u32(w, "llama.attention.head_count", N_HEAD);
    gguf_write_u32(w, "llama.attention.head_count_kv", N_HEAD_KV);
    gguf_write_u32(w, "llama.feed_forward_length", SMALL_FF);
    gguf_write_u32(w, "llama.context_length", SMALL_CTX);
    gguf_write_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    write_tensor(w, "token_embd.weight", GGUF_TYPE_F32, SMALL_EMBD, SMALL_VOCAB, 0, 1);
    for (int32_t il = 0; il < SMALL_LAYERS; il++)
        write_layer(w, il, linear);
    write_tensor(w, "output_norm.weight", GGUF_TYPE_F32, SMALL_EMBD, 1, 1, 0.2f);
    write_tensor(w, "output.weight", linear, SMALL_EMBD, SMALL_VOCAB, 0, 0.3f);
    ck_assert(gguf_writer_finish(w, &bytes, n, NULL) == SHOAL_OK);
    gguf_writer_destroy(w);
    return bytes;
}

static void break_value(void *bytes, size_t n, const struct breakage *broken)
{
    const struct gguf_tensor *tensor;
    struct gguf *g;

    ck_assert(gguf_open_memory(&g, bytes, n, "small", NULL) == SHOAL_OK);
    tensor = gguf_find_tensor(g, broken->tensor);
    ck_assert_msg(tensor, "the model has no tensor %s", broken->tensor);
    const size_t row_bytes = tensor->n_bytes / (size_t)tensor->ne[1];
    uint8_t *at =
        (uint8_t *)bytes + (tensor->data - (uint8_t *)bytes) + (size_t)broken->row * row_bytes;
    if (tensor->type == GGUF_TYPE_Q8_0) {
        const uint16_t scale = float_to_half(broken->value);
        memcpy(at, &scale, sizeof scale);
    } else {
        ck_assert(tensor->type == GGUF_TYPE_F32);
        memcpy(at, &broken->value, sizeof broken->value);
    }
    gguf_close(g);
}

void small_model_write(char path[static 256], enum gguf_type linear, const struct breakage *broken)
{
    const char *folder = getenv("TMPDIR");
    size_t n;
    void *bytes = make_bytes(linear, &n);

    if (broken && broken->tensor)
        break_value(bytes, n, broken);
    snprintf(path, 256, "%s/shoal-small-XXXXXX", folder ? folder : "/tmp");
    const int fd = mkstemp(path);
    ck_assert(fd >= 0);
    ck_assert(write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    mem_free(bytes);
}
