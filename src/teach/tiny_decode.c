#include "teach/tiny.h"

#include "base/mem.h"
#include "base/status.h"
#include "teach/cache.h"

/* On failure the caches are as before. */
static enum shoal_status append_and_attend(const struct shoal_teach_tiny *tiny,
                                           const struct tiny_pass *pass,
                                           struct shoal_teach_cache *const caches[], int32_t n,
                                           struct shoal_error *err)
{
    const struct shoal_teach_heads heads = tiny_heads(tiny);
    const size_t n_embd = (size_t)tiny->model->hp.n_embd;
    int32_t n_appended = 0;
    enum shoal_status status = SHOAL_OK;

    while (n_appended < n && status == SHOAL_OK) {
        const size_t at = (size_t)n_appended * n_embd;
        status = shoal_teach_cache_append(caches[n_appended], 1, pass->k + at, pass->v + at, err);
        n_appended += status == SHOAL_OK;
    }
    if (status == SHOAL_OK)
        status =
            shoal_teach_attention_paged(&heads, n, pass->q, caches, pass->attended, NULL, 0, err);
    for (int32_t i = 0; status != SHOAL_OK && i < n_appended; i++)
        teach_cache_truncate(caches[i], caches[i]->n_tokens - 1);
    return status;
}

enum shoal_status shoal_teach_decode(struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                     struct shoal_teach_cache *const caches[], int32_t n,
                                     struct shoal_teach_output *out, struct shoal_error *err)
{
    struct tiny_pass pass;
    int32_t *rows;
    enum shoal_status status = tiny_check_decode(tiny, tokens, caches, n, err);

    if (status != SHOAL_OK)
        return status;
    status = tiny_pass_create(tiny, n, n, &pass, err);
    if (status != SHOAL_OK)
        return status;
    rows = mem_new((size_t)n, sizeof *rows);
    if (!rows)
        status = shoal_fail_memory(err, "a pass of the tiny model", (size_t)n * sizeof *rows);
    if (status == SHOAL_OK) {
        tiny_project(tiny, &pass, tokens);
        status = append_and_attend(tiny, &pass, caches, n, err);
    }
    if (status == SHOAL_OK) {
        for (int32_t i = 0; i < n; i++)
            rows[i] = i;
        tiny_finish(tiny, &pass, rows);
        tiny_keep(tiny, &pass, out);
    } else {
        tiny_pass_destroy(&pass);
    }
    mem_free(rows);
    return status;
}
