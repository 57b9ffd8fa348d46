/* Architecture "llama": SmolLM2, TinyLlama, Llama 2 and 3, Mistral.
 * Keys and tensor names as GGUF gives them (docs/model-files.md). */
#include "model/arch.h"
#include "model/image.h"

#include <string.h>

static enum shoal_status read_count(const struct gguf *g, const char *key, int64_t fallback,
                                    int64_t high, int32_t *out, struct shoal_error *err)
{
    int64_t value;
    const enum shoal_status status = gguf_get_i64(g, key, fallback, 1, high, &value, err);

    if (status != SHOAL_OK)
        return status;
    if (value < 1)
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: key %s is missing", gguf_name(g), key);
    *out = (int32_t)value;
    return SHOAL_OK;
}

static enum shoal_status read_scaling(const struct gguf *g, struct model_hparams *hp,
                                      struct shoal_error *err)
{
    struct gguf_string type;
    float factor = 1;
    enum shoal_status status;

    if ((status = gguf_get_string(g, "llama.rope.scaling.type", &type, err)) != SHOAL_OK)
        return status;
    const bool is_linear = type.n == 6 && memcmp(type.bytes, "linear", 6) == 0;
    const bool is_none = type.n == 0 || (type.n == 4 && memcmp(type.bytes, "none", 4) == 0);
    if (!is_linear && !is_none)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "%s: RoPE scaling \"%.*s\" is not supported (none and linear are)",
                          gguf_name(g), (int)type.n, type.bytes);
    status = gguf_get_float(g, "llama.rope.scale_linear", 1, &factor, err);
    if (status == SHOAL_OK && is_linear)
        status = gguf_get_float(g, "llama.rope.scaling.factor", factor, &factor, err);
    if (status != SHOAL_OK)
        return status;
    if (!(factor >= 1 && factor <= 1e6f))
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: RoPE scaling factor %g is not 1 or more",
                          gguf_name(g), (double)factor);
    hp->rope_scale = (double)factor;
    return SHOAL_OK;
}

static enum shoal_status read_hparams(const struct gguf *g, struct model_hparams *hp,
                                      struct shoal_error *err)
{
    enum shoal_status status;
    int64_t n_expert = 0;
    int32_t value_dim = 0;
    float base;

    if ((status = read_count(g, "llama.embedding_length", 0, 1 << 20, &hp->n_embd, err)) ||
        (status = read_count(g, "llama.block_count", 0, 4096, &hp->n_layer, err)) ||
        (status = read_count(g, "llama.attention.head_count", 0, 4096, &hp->n_head, err)) ||
        (status = read_count(g, "llama.attention.head_count_kv", hp->n_head, 4096, &hp->n_head_kv,
                             err)) ||
        (status = read_count(g, "llama.feed_forward_length", 0, 1 << 22, &hp->n_ff, err)) ||
        (status = read_count(g, "llama.context_length", 0, 1 << 24, &hp->n_ctx, err)))
        return status;
    if (hp->n_head % hp->n_head_kv != 0)
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: %d heads do not share %d KV heads evenly",
                          gguf_name(g), hp->n_head, hp->n_head_kv);
    if ((status = read_count(g, "llama.attention.key_length", hp->n_embd / hp->n_head, 1 << 16,
                             &hp->head_dim, err)) ||
        (status = read_count(g, "llama.attention.value_length", hp->head_dim, 1 << 16, &value_dim,
                             err)) ||
        (status =
             read_count(g, "llama.rope.dimension_count", hp->head_dim, 1 << 16, &hp->n_rot, err)))
        return status;
    if (value_dim != hp->head_dim)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "%s: keys of %d and values of %d elements a head are not supported",
                          gguf_name(g), hp->head_dim, value_dim);
    if (hp->head_dim % 2 != 0 || hp->head_dim > 1024)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED, "%s: a head of %d elements is not supported",
                          gguf_name(g), hp->head_dim);
    if (hp->n_rot != hp->head_dim)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: RoPE over %d of a head's %d elements, which llama does not have",
                          gguf_name(g), hp->n_rot, hp->head_dim);
    if ((status = gguf_get_i64(g, "llama.expert_count", 0, 0, 1 << 20, &n_expert, err)))
        return status;
    if (n_expert > 0)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED, "%s: a mixture of %d experts is not supported",
                          gguf_name(g), (int)n_expert);

    if (!gguf_find(g, "llama.attention.layer_norm_rms_epsilon"))
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: key %s is missing", gguf_name(g),
                          "llama.attention.layer_norm_rms_epsilon");
    if ((status =
             gguf_get_float(g, "llama.attention.layer_norm_rms_epsilon", 0, &hp->norm_eps, err)) ||
        (status = gguf_get_float(g, "llama.rope.freq_base", 10000, &base, err)))
        return status;
    if (!(hp->norm_eps >= 0 && hp->norm_eps < 1))
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: norm epsilon %g is not in [0, 1)", gguf_name(g),
                          (double)hp->norm_eps);
    if (!(base > 0 && base <= 1e12f))
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: RoPE base %g is not positive", gguf_name(g),
                          (double)base);
    hp->rope = ROPE_INTERLEAVED;
    hp->rope_base = (double)base;
    return read_scaling(g, hp, err);
}

static enum shoal_status bind_layer(struct model *m, const struct gguf *g, int32_t il,
                                    struct shoal_error *err)
{
    const struct model_hparams *hp = &m->hp;
    const struct model_binding need = {m, g, true}, may = {m, g, false};
    struct model_layer *l = &m->layers[il];
    const int32_t n_q = hp->n_head * hp->head_dim, n_kv = hp->n_head_kv * hp->head_dim;
    enum shoal_status s;

    if ((s = model_bind_vector(&need, &l->attn_norm, hp->n_embd, err, "blk.%d.attn_norm.weight",
                               il)) ||
        (s = model_bind_linear(&need, &l->q, hp->n_embd, n_q, err, "blk.%d.attn_q.weight", il)) ||
        (s = model_bind_linear(&need, &l->k, hp->n_embd, n_kv, err, "blk.%d.attn_k.weight", il)) ||
        (s = model_bind_linear(&need, &l->v, hp->n_embd, n_kv, err, "blk.%d.attn_v.weight", il)) ||
        (s = model_bind_vector(&may, &l->q.bias, n_q, err, "blk.%d.attn_q.bias", il)) ||
        (s = model_bind_vector(&may, &l->k.bias, n_kv, err, "blk.%d.attn_k.bias", il)) ||
        (s = model_bind_vector(&may, &l->v.bias, n_kv, err, "blk.%d.attn_v.bias", il)) ||
        (s = model_bind_linear(&need, &l->attn_out, n_q, hp->n_embd, err,
                               "blk.%d.attn_output.weight", il)) ||
        (s = model_bind_vector(&need, &l->ffn_norm, hp->n_embd, err, "blk.%d.ffn_norm.weight",
                               il)) ||
        (s = model_bind_linear(&need, &l->gate, hp->n_embd, hp->n_ff, err, "blk.%d.ffn_gate.weight",
                               il)) ||
        (s = model_bind_linear(&need, &l->up, hp->n_embd, hp->n_ff, err, "blk.%d.ffn_up.weight",
                               il)))
        return s;
    return model_bind_linear(&need, &l->down, hp->n_ff, hp->n_embd, err, "blk.%d.ffn_down.weight",
                             il);
}

static enum shoal_status bind(struct model *m, const struct gguf *g, struct shoal_error *err)
{
    const struct model_hparams *hp = &m->hp;
    const struct model_binding need = {m, g, true}, may = {m, g, false};
    enum shoal_status s;

    if ((s = model_bind_linear(&need, &m->embedding, hp->n_embd, hp->n_vocab, err,
                               "token_embd.weight")) ||
        (s = model_bind_vector(&may, &m->rope_freqs, hp->n_rot / 2, err, "rope_freqs.weight")))
        return s;
    for (int32_t il = 0; il < hp->n_layer; il++)
        if ((s = bind_layer(m, g, il, err)))
            return s;
    if ((s = model_bind_vector(&need, &m->output_norm, hp->n_embd, err, "output_norm.weight")))
        return s;
    return model_bind_linear(&may, &m->output, hp->n_embd, hp->n_vocab, err, "output.weight");
}

const struct model_arch model_arch_llama = {"llama", read_hparams, bind};
