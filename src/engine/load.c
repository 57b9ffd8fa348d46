/* The model: found, checked on every rank, packed once a machine. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/local_model.h"
#include "engine/observe.h"
#include "model/builtin.h"

#include <string.h>

enum shoal_status engine_open_gguf(const char *name, struct gguf **gguf, void **built_in,
                                   struct shoal_error *err)
{
    enum shoal_status status;
    size_t n;

    *gguf = NULL;
    *built_in = NULL;
    if (strcmp(name, "embedded") == 0) {
        const void *bytes = model_embedded(&n);
        return gguf_open_memory(gguf, bytes, n, "embedded", err);
    }
    if (strcmp(name, "tiny") != 0)
        return gguf_open(gguf, name, err);
    status = model_tiny(built_in, &n, err);
    if (status == SHOAL_OK)
        status = gguf_open_memory(gguf, *built_in, n, "tiny", err);
    if (status != SHOAL_OK) {
        mem_free(*built_in);
        *built_in = NULL;
    }
    return status;
}

static enum shoal_status open_text(struct shoal_engine *e, struct shoal_error *err)
{
    enum shoal_status status;

    engine_observe_skip(e, "model file");
    status = tokenizer_create(&e->tokenizer, e->gguf, err);
    engine_observe_take(e, "tokenizer", "tokenizer", MEMORY_TOKENIZER);
    if (status == SHOAL_OK)
        status = chat_template_create(&e->chat, e->gguf, err);
    engine_observe_take(e, "chat template", "tokenizer", MEMORY_TOKENIZER);
    if (status == SHOAL_OK && tokenizer_n_vocab(e->tokenizer) > e->model->hp.n_vocab)
        status = shoal_fail(
            err, SHOAL_E_FORMAT, "%s: the tokenizer has %d tokens, the embedding only %d rows",
            gguf_name(e->gguf), tokenizer_n_vocab(e->tokenizer), e->model->hp.n_vocab);
    return status;
}

/* Collective. Do all ranks have rank 0's bytes? */
static enum shoal_status check_same(struct shoal_engine *e, const void *bytes, size_t n,
                                    struct shoal_error *err)
{
    int32_t which;
    bool is_equal;
    enum shoal_status status = comm_all_equal(e->comm, bytes, n, &is_equal, &which, err);

    if (status == SHOAL_OK && !is_equal)
        status = shoal_fail(err, SHOAL_E_MISMATCH,
                            "rank %d opened a different file as %s than rank 0: all ranks need the "
                            "same model",
                            which, e->options.model);
    return status;
}

enum shoal_status engine_open_model(struct shoal_engine *e, struct shoal_error *err)
{
    const struct model_options options = {.weights = engine_parse_weights(e->options.weights)};
    enum shoal_status status;

    status = engine_open_gguf(e->options.model, &e->gguf, &e->built_in, err);
    if (status == SHOAL_OK)
        status = model_open(&e->model, e->gguf, &options, err);
    if (status == SHOAL_OK && comm_rank(e->comm) == 0)
        status = open_text(e, err);
    if ((status = comm_agree(e->comm, status, err)) != SHOAL_OK)
        return status;
    return check_same(e, &e->model->quick_hash, sizeof e->model->quick_hash, err);
}

/* The reference is exact only where OpenBLAS runs the same kernel. */
static enum shoal_status check_reference(struct shoal_engine *e, struct shoal_error *err)
{
    char core[64] = "";
    const char *name;
    enum shoal_status status;
    int32_t which;
    bool is_equal;

    status = model_reference_check(&name, err);
    if ((status = comm_agree(e->comm, status, err)) != SHOAL_OK)
        return status;
    strncpy(core, name, sizeof core - 1);
    log_info("float32 reference: OpenBLAS kernel %s", core);
    status = comm_all_equal(e->comm, core, sizeof core, &is_equal, &which, err);
    if (status == SHOAL_OK && !is_equal)
        status =
            shoal_fail(err, SHOAL_E_UNSUPPORTED,
                       "--weights f32: OpenBLAS runs another kernel on rank %d than on rank 0; "
                       "set OPENBLAS_CORETYPE to the same on all",
                       which);
    return status;
}

enum shoal_status engine_pack_model(struct shoal_engine *e, struct shoal_error *err)
{
    const int64_t start = clock_ns();
    enum shoal_status status;

    if (e->model->weights == MODEL_WEIGHTS_F32 && (status = check_reference(e, err)) != SHOAL_OK)
        return status;
    model_set_positions(e->model, e->limits.max_model_len);
    status = comm_shared_create(e->comm, model_image_bytes(e->model), &e->image, err);
    if ((status = comm_agree(e->comm, status, err)) != SHOAL_OK)
        return status;
    if (e->image.is_maker || e->image.is_private) {
        status = model_fill(e->model, e->image.bytes, e->n_threads, err);
        log_info("packed %zu MiB of weights in %.2f s", e->image.n >> 20,
                 (double)(clock_ns() - start) * 1e-9);
        comm_shared_seal(&e->image);
    }
    /* Doubles as the barrier behind which the others may read. */
    if ((status = comm_agree(e->comm, status, err)) != SHOAL_OK)
        return status;
    if (!e->image.is_maker)
        comm_shared_seal(&e->image);
    status = model_attach(e->model, e->image.bytes, err);
    gguf_close(e->gguf);
    e->gguf = NULL;
    mem_free(e->built_in);
    e->built_in = NULL;
    if ((status = comm_agree(e->comm, status, err)) != SHOAL_OK || comm_size(e->comm) == 1)
        return status;
    /* The quick hash has seen samples of the tensors; what is computed with must be equal whole. */
    return check_same(e, e->image.bytes, e->image.n, err);
}
