/* Architecture "tiny": the one-layer, one-head model of model/tiny.c. No norm, no RoPE, no
 * feed-forward: h = embedding, h += Wo attention(h), logits = embedding h. */
#include "model/arch.h"
#include "model/image.h"

static enum shoal_status read_hparams(const struct gguf *g, struct model_hparams *hp,
                                      struct shoal_error *err)
{
    int64_t n_embd, n_ctx;
    enum shoal_status s;

    if ((s = gguf_get_i64(g, "tiny.embedding_length", 0, 2, 1024, &n_embd, err)) ||
        (s = gguf_get_i64(g, "tiny.context_length", 0, 1, 1 << 20, &n_ctx, err)))
        return s;
    if (n_embd < 2 || n_embd % 2 != 0 || n_ctx < 1)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "%s: tiny.embedding_length (even) and tiny.context_length are needed",
                          gguf_name(g));
    hp->n_embd = hp->head_dim = (int32_t)n_embd;
    hp->n_ctx = (int32_t)n_ctx;
    hp->n_layer = hp->n_head = hp->n_head_kv = 1;
    return SHOAL_OK;
}

static enum shoal_status bind(struct model *m, const struct gguf *g, struct shoal_error *err)
{
    const struct model_binding need = {m, g, true};
    struct model_layer *l = &m->layers[0];
    const int32_t n = m->hp.n_embd;
    enum shoal_status s;

    if ((s = model_bind_linear(&need, &m->embedding, n, m->hp.n_vocab, err, "token_embd.weight")) ||
        (s = model_bind_linear(&need, &l->q, n, n, err, "blk.0.attn_q.weight")) ||
        (s = model_bind_linear(&need, &l->k, n, n, err, "blk.0.attn_k.weight")) ||
        (s = model_bind_linear(&need, &l->v, n, n, err, "blk.0.attn_v.weight")))
        return s;
    return model_bind_linear(&need, &l->attn_out, n, n, err, "blk.0.attn_output.weight");
}

const struct model_arch model_arch_tiny = {"tiny", read_hparams, bind};
