#include "model/builtin.h"

#include "base/mem.h"
#include "base/rng.h"
#include "gguf/writer.h"

enum { TINY_EMBD = 32, TINY_CTX = 512, TINY_VOCAB = 256, TINY_SEED = 20240229 };

/* n values, uniform in [-scale, scale), from a counter, so that every machine makes the same. */
static void fill(float *values, int n, uint64_t tensor, float scale)
{
    for (int i = 0; i < n; i++)
        values[i] = (2 * rng_unit(rng_at(TINY_SEED, tensor, (uint64_t)i)) - 1) * scale;
}

enum shoal_status model_tiny(void **bytes, size_t *n, struct shoal_error *err)
{
    static const char *const projections[] = {"blk.0.attn_q.weight", "blk.0.attn_k.weight",
                                              "blk.0.attn_v.weight", "blk.0.attn_output.weight"};
    const int64_t square[] = {TINY_EMBD, TINY_EMBD}, table[] = {TINY_EMBD, TINY_VOCAB};
    float values[TINY_EMBD * TINY_VOCAB];
    struct gguf_writer *w = gguf_writer_create();

    if (!w)
        return shoal_fail_memory(err, "the tiny model", sizeof values);
    gguf_write_string(w, "general.architecture", "tiny");
    gguf_write_string(w, "general.name", "tiny");
    gguf_write_u32(w, "tiny.embedding_length", TINY_EMBD);
    gguf_write_u32(w, "tiny.context_length", TINY_CTX);
    gguf_write_string(w, "tokenizer.ggml.model", "bytes");
    fill(values, TINY_EMBD * TINY_VOCAB, 0, 1.0f);
    gguf_write_tensor_f32(w, "token_embd.weight", GGUF_TYPE_F32, 2, table, values);
    for (uint64_t i = 0; i < 4; i++) {
        fill(values, TINY_EMBD * TINY_EMBD, i + 1, 0.4f);
        gguf_write_tensor_f32(w, projections[i], GGUF_TYPE_F32, 2, square, values);
    }
    const enum shoal_status status = gguf_writer_finish(w, bytes, n, err);
    gguf_writer_destroy(w);
    return status;
}
