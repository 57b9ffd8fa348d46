#include "model/model.h"

#include "base/hash.h"
#include "base/mem.h"
#include "model/arch.h"
#include "model/image.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLE_BYTES = 256 };

/* All of the head of the file, and the first and last bytes of each tensor: enough to tell two
 * files apart at once, without reading them. */
static uint64_t quick_hash(const struct gguf *g)
{
    size_t n, n_head;
    const uint8_t *bytes = gguf_bytes(g, &n);

    n_head = n;
    for (int64_t i = 0; i < gguf_n_tensors(g); i++) {
        const size_t offset = (size_t)(gguf_tensor_at(g, i)->data - bytes);
        n_head = offset < n_head ? offset : n_head;
    }
    uint64_t hash = hash64(bytes, n_head, n);
    for (int64_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        const size_t n_sample = t->n_bytes < SAMPLE_BYTES ? t->n_bytes : SAMPLE_BYTES;
        hash = hash64(t->data, n_sample, hash);
        hash = hash64(t->data + t->n_bytes - n_sample, n_sample, hash);
    }
    return hash;
}

static enum shoal_status read_vocab(const struct gguf *g, struct model_hparams *hp,
                                    struct shoal_error *err)
{
    const struct gguf_tensor *embedding = gguf_find_tensor(g, "token_embd.weight");

    if (!embedding)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          gguf_n_tensors(g) == 0
                              ? "%s holds a vocabulary but no tensors: it cannot be run"
                              : "%s: tensor token_embd.weight is missing",
                          gguf_name(g));
    if (embedding->n_dims != 2 || embedding->ne[1] < 1 || embedding->ne[1] > 1 << 24)
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: tensor token_embd.weight has a wrong shape",
                          gguf_name(g));
    hp->n_vocab = (int32_t)embedding->ne[1];
    return SHOAL_OK;
}

static enum shoal_status read_arch(struct model *m, const struct gguf *g,
                                   const struct model_arch **arch, struct shoal_error *err)
{
    struct gguf_string name;
    enum shoal_status status = gguf_get_string(g, "general.architecture", &name, err);

    if (status != SHOAL_OK)
        return status;
    if (!name.bytes)
        return shoal_fail(err, SHOAL_E_FORMAT, "%s: key general.architecture is missing",
                          gguf_name(g));
    *arch = model_arch_find(name);
    if (!*arch)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "%s: architecture \"%.*s\" is not supported; supported are %s",
                          gguf_name(g), (int)(name.n < 64 ? name.n : 64), name.bytes,
                          model_arch_names());
    snprintf(m->arch, sizeof m->arch, "%s", (*arch)->name);
    status = gguf_get_string(g, "general.name", &name, err);
    if (status == SHOAL_OK && name.n > 0)
        snprintf(m->name, sizeof m->name, "%.*s", (int)(name.n < 120 ? name.n : 120), name.bytes);
    else
        snprintf(m->name, sizeof m->name, "%s", gguf_name(g));
    return status;
}

enum shoal_status model_open(struct model **out, const struct gguf *g,
                             const struct model_options *options, struct shoal_error *err)
{
    struct model *m = mem_new(1, sizeof *m);
    const struct model_arch *arch = NULL;
    enum shoal_status status;

    *out = NULL;
    if (!m)
        return shoal_fail_memory(err, "the model", sizeof *m);
    m->weights = options->weights;
    m->hp.rope_scale = 1;
    if ((status = model_image_create(&m->image, err)) || (status = read_arch(m, g, &arch, err)) ||
        (status = read_vocab(g, &m->hp, err)) || (status = arch->read_hparams(g, &m->hp, err)))
        goto fail;
    m->layers = mem_new((size_t)m->hp.n_layer, sizeof *m->layers);
    if (!m->layers) {
        status = shoal_fail_memory(err, "layers", (size_t)m->hp.n_layer * sizeof *m->layers);
        goto fail;
    }
    model_set_positions(m, options->max_positions);
    if ((status = arch->bind(m, g, err)) || (status = model_image_check_unused(m, g, err)))
        goto fail;
    m->is_tied = m->output.n_out == 0;
    m->quick_hash = quick_hash(g);
    *out = m;
    return SHOAL_OK;
fail:
    model_close(m);
    return status;
}

void model_set_positions(struct model *m, int32_t max_positions)
{
    m->max_positions =
        max_positions > 0 && max_positions < m->hp.n_ctx ? max_positions : m->hp.n_ctx;
}

void model_close(struct model *m)
{
    if (!m)
        return;
    model_image_destroy(m->image);
    mem_free(m->layers);
    mem_free(m);
}
