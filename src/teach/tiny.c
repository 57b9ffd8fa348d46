#include "teach/tiny.h"

#include "base/mem.h"
#include "base/status.h"
#include "gguf/gguf.h"
#include "model/builtin.h"

#include <string.h>

static enum shoal_status pack(struct shoal_teach_tiny *t, const struct gguf *g,
                              struct shoal_error *err)
{
    const struct model_options options = {.weights = MODEL_WEIGHTS_FILE};
    enum shoal_status status = model_open(&t->model, g, &options, err);

    if (status != SHOAL_OK)
        return status;
    t->n_image = model_image_bytes(t->model);
    t->image = mem_map(t->n_image);
    if (!t->image)
        return shoal_fail_memory(err, "the tiny model's weights", t->n_image);
    status = model_fill(t->model, t->image, 1, err);
    return status == SHOAL_OK ? model_attach(t->model, t->image, err) : status;
}

enum shoal_status shoal_teach_tiny_open(struct shoal_teach_tiny **out, struct shoal_error *err)
{
    struct shoal_teach_tiny *t = mem_new(1, sizeof *t);
    struct gguf *g = NULL;
    void *bytes = NULL;
    size_t n;
    enum shoal_status status;

    *out = NULL;
    if (!t)
        return shoal_fail_memory(err, "the tiny model", sizeof *t);
    kernels_init(&t->kernels, cpu_isa_best());
    status = model_tiny(&bytes, &n, err);
    if (status == SHOAL_OK)
        status = gguf_open_memory(&g, bytes, n, "tiny", err);
    if (status == SHOAL_OK)
        status = pack(t, g, err);
    gguf_close(g);
    mem_free(bytes);
    if (status != SHOAL_OK) {
        shoal_teach_tiny_close(t);
        return status;
    }
    *out = t;
    return SHOAL_OK;
}

void shoal_teach_tiny_close(struct shoal_teach_tiny *tiny)
{
    if (!tiny)
        return;
    tiny_pass_destroy(&tiny->pass);
    model_close(tiny->model);
    mem_unmap(tiny->image, tiny->n_image);
    mem_free(tiny);
}

struct shoal_teach_tiny_shape shoal_teach_tiny_see(const struct shoal_teach_tiny *tiny)
{
    const struct model_hparams *hp = &tiny->model->hp;

    return (struct shoal_teach_tiny_shape){.n_embd = hp->n_embd,
                                           .n_head = hp->n_head,
                                           .n_head_kv = hp->n_head_kv,
                                           .head_dim = hp->head_dim,
                                           .n_vocab = hp->n_vocab,
                                           .n_ctx = hp->n_ctx};
}

struct shoal_teach_heads tiny_heads(const struct shoal_teach_tiny *tiny)
{
    const struct model_hparams *hp = &tiny->model->hp;

    return (struct shoal_teach_heads){
        .n_head = hp->n_head, .n_head_kv = hp->n_head_kv, .head_dim = hp->head_dim};
}

enum shoal_status tiny_pass_create(const struct shoal_teach_tiny *tiny, int32_t n_rows,
                                   int32_t n_chunks, struct tiny_pass *out, struct shoal_error *err)
{
    const size_t n_embd = (size_t)tiny->model->hp.n_embd, n_vocab = (size_t)tiny->model->hp.n_vocab;
    const size_t rows = (size_t)n_rows * n_embd;
    const size_t chunk_floats = n_embd + n_vocab + 1; /* last, logits, next */
    const size_t n = 6 * rows + (size_t)n_chunks * chunk_floats;
    float *floats = mem_new_aligned(n, sizeof *floats);

    *out = (struct tiny_pass){.n_rows = n_rows, .n_chunks = n_chunks, .memory = floats};
    if (!floats)
        return shoal_fail_memory(err, "a pass of the tiny model", n * sizeof *floats);
    out->x = floats;
    out->q = out->x + rows;
    out->k = out->q + rows;
    out->v = out->k + rows;
    out->attended = out->v + rows;
    out->branch = out->attended + rows;
    out->last = out->branch + rows;
    out->logits = out->last + (size_t)n_chunks * n_embd;
    out->next = (int32_t *)(out->logits + (size_t)n_chunks * n_vocab);
    return SHOAL_OK;
}

void tiny_pass_destroy(struct tiny_pass *pass)
{
    mem_free(pass->memory);
    *pass = (struct tiny_pass){0};
}

static void linear(const struct shoal_teach_tiny *tiny, const struct model_linear *l,
                   const float *in, int32_t n_rows, float *out)
{
    const struct linear_args args = {.panels = l->panels,
                                     .n_panels = l->n_panels,
                                     .k = l->n_in,
                                     .n_rows = n_rows,
                                     .xf = in,
                                     .out = out,
                                     .ld_out = l->n_out};

    tiny->kernels.linear[l->type](&args);
}

void tiny_project(const struct shoal_teach_tiny *tiny, struct tiny_pass *pass,
                  const int32_t *tokens)
{
    const struct model *m = tiny->model;
    const struct model_linear *e = &m->embedding;

    for (int32_t row = 0; row < pass->n_rows; row++)
        panel_unpack_row(
            e->type, e->panels + (size_t)(tokens[row] / PANEL_OUTPUTS) * e->panel_bytes,
            tokens[row] % PANEL_OUTPUTS, e->n_in, pass->x + (size_t)row * (size_t)e->n_in);
    linear(tiny, &m->layers[0].q, pass->x, pass->n_rows, pass->q);
    linear(tiny, &m->layers[0].k, pass->x, pass->n_rows, pass->k);
    linear(tiny, &m->layers[0].v, pass->x, pass->n_rows, pass->v);
}

void tiny_finish(const struct shoal_teach_tiny *tiny, struct tiny_pass *pass,
                 const int32_t *last_rows)
{
    const struct model *m = tiny->model;
    const size_t n_embd = (size_t)m->hp.n_embd, n_vocab = (size_t)m->hp.n_vocab;
    float max;

    linear(tiny, &m->layers[0].attn_out, pass->attended, pass->n_rows, pass->branch);
    for (size_t row = 0; row < (size_t)pass->n_rows; row++)
        tiny->kernels.rows.add(pass->x + row * n_embd, pass->branch + row * n_embd, m->hp.n_embd);
    for (size_t i = 0; i < (size_t)pass->n_chunks; i++)
        memcpy(pass->last + i * n_embd, pass->x + (size_t)last_rows[i] * n_embd,
               n_embd * sizeof *pass->x);
    linear(tiny, &m->output, pass->last, pass->n_chunks, pass->logits);
    for (size_t i = 0; i < (size_t)pass->n_chunks; i++)
        pass->next[i] = tiny->kernels.rows.argmax(pass->logits + i * n_vocab, m->hp.n_vocab, &max);
}

void tiny_keep(struct shoal_teach_tiny *tiny, struct tiny_pass *pass,
               struct shoal_teach_output *out)
{
    tiny_pass_destroy(&tiny->pass);
    tiny->pass = *pass;
    *out = (struct shoal_teach_output){.n_rows = pass->n_rows,
                                       .n_embd = tiny->model->hp.n_embd,
                                       .q = pass->q,
                                       .k = pass->k,
                                       .v = pass->v,
                                       .attended = pass->attended,
                                       .hidden = pass->x,
                                       .n_chunks = pass->n_chunks,
                                       .n_vocab = tiny->model->hp.n_vocab,
                                       .logits = pass->logits,
                                       .next = pass->next};
}
