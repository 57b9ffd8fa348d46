#include "forward.h"

#include "base/mem.h"
#include "model/builtin.h"
#include "model/run.h"

#include <check.h>
#include <string.h>

static void open_model(struct forward *f)
{
    const struct model_options options = {.weights = MODEL_WEIGHTS_FILE};
    struct gguf *gguf;
    void *bytes;
    size_t n;

    ck_assert_int_eq(model_tiny(&bytes, &n, NULL), SHOAL_OK);
    ck_assert_int_eq(gguf_open_memory(&gguf, bytes, n, "tiny", NULL), SHOAL_OK);
    ck_assert_int_eq(model_open(&f->model, gguf, &options, NULL), SHOAL_OK);
    f->n_image = model_image_bytes(f->model);
    f->image = mem_map(f->n_image);
    ck_assert_int_eq(model_fill(f->model, f->image, 1, NULL), SHOAL_OK);
    ck_assert_int_eq(model_attach(f->model, f->image, NULL), SHOAL_OK);
    gguf_close(gguf);
    mem_free(bytes);
}

static enum kv_dtype parse_dtype(const char *name)
{
    int dtype = 0;

    while (strcmp(name, kv_dtype_name((enum kv_dtype)dtype)) != 0)
        dtype++;
    return (enum kv_dtype)dtype;
}

void forward_open(struct forward *f, const char *dtype, int32_t block_size, int32_t n_threads)
{
    const struct kv_store_options kv = {.dtype = parse_dtype(dtype),
                                        .n_layer = 1,
                                        .n_blocks = FORWARD_SEQS * FORWARD_BLOCKS,
                                        .block_size = block_size,
                                        .n_head_kv = 1,
                                        .head_dim = 32};

    memset(f, 0, sizeof *f);
    open_model(f);
    kernels_init(&f->kernels, cpu_isa_best());
    ck_assert_int_eq(kv_store_init(&f->kv, &kv, NULL), SHOAL_OK);
    ck_assert_int_eq(
        model_run_create(&f->run,
                         &(struct model_run_options){.model = f->model,
                                                     .kernels = &f->kernels,
                                                     .n_threads = n_threads,
                                                     .limits = {.max_seqs = FORWARD_SEQS,
                                                                .max_tokens = 512,
                                                                .max_model_len = 512,
                                                                .block_size = block_size,
                                                                .n_blocks = kv.n_blocks,
                                                                .n_vocab = 256}},
                         NULL),
        SHOAL_OK);
    for (int32_t i = 0; i < FORWARD_SEQS; i++) {
        for (int32_t b = 0; b < FORWARD_BLOCKS; b++)
            f->tables[i][b] = b * FORWARD_SEQS + i;
        f->slots[i] = (struct step_slot){
            .is_used = true, .n_blocks = FORWARD_BLOCKS, .block_table = f->tables[i]};
    }
}

void forward_close(struct forward *f)
{
    model_run_destroy(f->run);
    kv_store_fini(&f->kv);
    model_close(f->model);
    mem_unmap(f->image, f->n_image);
}

void forward_step(struct forward *f, const struct shoal_teach_chunk *chunks,
                  const int32_t *sequences, int32_t n)
{
    int32_t q_indptr[FORWARD_SEQS + 1] = {0}, n_computed[FORWARD_SEQS], tokens[512];
    const struct step_slot *slots[FORWARD_SEQS];
    bool wants_logits[FORWARD_SEQS];

    for (int32_t i = 0; i < n; i++) {
        q_indptr[i + 1] = q_indptr[i] + chunks[i].n_tokens;
        memcpy(tokens + q_indptr[i], chunks[i].tokens, (size_t)chunks[i].n_tokens * sizeof *tokens);
        n_computed[i] = chunks[i].first_position;
        slots[i] = &f->slots[sequences[i]];
        wants_logits[i] = true;
    }
    ck_assert_int_eq(model_forward(f->run,
                                   &(struct step_batch){.n_seqs = n,
                                                        .n_tokens = q_indptr[n],
                                                        .q_indptr = q_indptr,
                                                        .token_ids = tokens,
                                                        .n_computed = n_computed,
                                                        .slots = slots,
                                                        .wants_logits = wants_logits},
                                   &f->kv, NULL),
                     SHOAL_OK);
}

const float *forward_hidden(const struct forward *f, int32_t row)
{
    return f->run->x + (size_t)row * (size_t)f->model->hp.n_embd;
}

void forward_logits(struct forward *f, int32_t row, float *out)
{
    const float *logits;
    int64_t ld;

    model_logits(f->run, &row, 1, &logits, &ld);
    memcpy(out, logits, (size_t)f->model->hp.n_vocab * sizeof *out);
}
