#include "engine/local_model.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"

#include <string.h>

int32_t local_threads(int32_t asked)
{
    const int32_t n_cores = cpu_affinity_count();

#ifndef _OPENMP
    if (asked > 1)
        log_warn("built without OpenMP: one thread instead of %d", asked);
    return 1;
#endif
    if (asked > n_cores)
        log_warn("--threads %d on %d core%s: threads will share a core", asked, n_cores,
                 n_cores == 1 ? "" : "s");
    return asked > 0 ? asked : n_cores;
}

enum model_weights engine_parse_weights(const char *name)
{
    return strcmp(name, "f32") == 0 ? MODEL_WEIGHTS_F32 : MODEL_WEIGHTS_FILE;
}

enum kv_dtype engine_parse_kv_dtype(const char *name)
{
    for (int i = 0; i < KV_DTYPE_COUNT; i++)
        if (strcmp(name, kv_dtype_name((enum kv_dtype)i)) == 0)
            return (enum kv_dtype)i;
    return KV_F16;
}

static enum shoal_status open_model(struct local_model *m, const struct gguf *gguf,
                                    const struct local_model_options *o, struct shoal_error *err)
{
    const struct model_options options = {.weights = o->weights, .max_positions = o->max_positions};
    const enum shoal_status status = model_open(&m->model, gguf, &options, err);

    if (status != SHOAL_OK)
        return status;
    return o->wants_tokenizer ? tokenizer_create(&m->tokenizer, gguf, err) : SHOAL_OK;
}

static enum shoal_status pack_model(struct local_model *m, const struct local_model_options *o,
                                    struct shoal_error *err)
{
    const int64_t start = clock_ns();
    enum shoal_status status;
    const char *core;

    if (o->weights == MODEL_WEIGHTS_F32) {
        status = model_reference_check(&core, err);
        if (status != SHOAL_OK)
            return status;
        log_info("float32 reference: OpenBLAS kernel %s", core);
    }
    m->n_image = model_image_bytes(m->model);
    m->image = mem_map(m->n_image);
    if (!m->image)
        return shoal_fail_memory(err, "the model's weights", m->n_image);
    status = model_fill(m->model, m->image, o->n_threads, err);
    if (status == SHOAL_OK)
        status = model_attach(m->model, m->image, err);
    log_info("packed %zu MiB of weights in %.2f s", m->n_image >> 20,
             (double)(clock_ns() - start) * 1e-9);
    return status;
}

enum shoal_status local_model_open(struct local_model *m, const struct local_model_options *options,
                                   struct shoal_error *err)
{
    struct gguf *gguf;
    void *built_in;
    enum shoal_status status = engine_open_gguf(options->name, &gguf, &built_in, err);

    *m = (struct local_model){0};
    if (status == SHOAL_OK)
        status = open_model(m, gguf, options, err);
    if (status == SHOAL_OK)
        status = pack_model(m, options, err);
    gguf_close(gguf);
    mem_free(built_in);
    if (status != SHOAL_OK)
        local_model_close(m);
    return status;
}

void local_model_close(struct local_model *m)
{
    tokenizer_destroy(m->tokenizer);
    model_close(m->model);
    mem_unmap(m->image, m->n_image);
    *m = (struct local_model){0};
}
