#include "teach/scheduler.h"

#include "base/mem.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

/* Of a scheduler that is turned by hand. */
enum {
    MAX_BUDGET = 65536,
    MAX_SEQS = 1024,
    MAX_LEN = 65536,
    MAX_BLOCKS = 65536,
    BYTE_TOKENS = 256
};

void shoal_teach_scheduler_options_default(struct shoal_teach_scheduler_options *options)
{
    *options = (struct shoal_teach_scheduler_options){.budget = 32,
                                                      .chunk = 16,
                                                      .max_seqs = 8,
                                                      .max_len = 512,
                                                      .n_blocks = 64,
                                                      .block_size = 16,
                                                      .layout = "paged",
                                                      .dtype = "f16"};
}

static enum shoal_status check_range(const char *what, int32_t n, int32_t low, int32_t high,
                                     struct shoal_error *err)
{
    if (n < low || n > high)
        return shoal_fail(err, SHOAL_E_INVALID, "a scheduler with %s %d: it is %d to %d", what, n,
                          low, high);
    return SHOAL_OK;
}

static enum shoal_status check_options(const struct shoal_teach_scheduler_options *o,
                                       struct shoal_error *err)
{
    enum kv_dtype dtype;
    enum shoal_status status;

    if ((status = check_range("budget", o->budget, 1, MAX_BUDGET, err)) ||
        (status = check_range("chunk", o->chunk, 0, o->budget, err)) ||
        (status = check_range("max_seqs", o->max_seqs, 1, MAX_SEQS, err)) ||
        (status = check_range("max_len", o->max_len, 2, MAX_LEN, err)) ||
        (status = check_range("n_blocks", o->n_blocks, 1, MAX_BLOCKS, err)) ||
        (status = teach_parse_dtype(o->dtype, &dtype, err)))
        return status;
    if (o->tiny && o->max_len > shoal_teach_tiny_see(o->tiny).n_ctx)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "a scheduler with max_len %d: the tiny model's context is %d", o->max_len,
                          shoal_teach_tiny_see(o->tiny).n_ctx);
    return SHOAL_OK;
}

static enum shoal_status create_sched(struct shoal_teach_scheduler *s,
                                      const struct shoal_teach_scheduler_options *o,
                                      struct shoal_error *err)
{
    struct sched_options options = {.limits = s->limits,
                                    .n_groups = 1,
                                    .watermark_blocks = -1,
                                    .prefix_caching = o->prefix_caching};
    enum shoal_status status;

    if ((status = teach_parse_layout(o->layout, &options.layout, err)))
        return status;
    if (options.layout == KV_DENSE && o->prefix_caching)
        return shoal_fail(
            err, SHOAL_E_INVALID,
            "a dense layout with a prefix cache: only blocks of a paged one are shared");
    if ((status = sched_create(&s->sched, &options, err)) ||
        (status = step_plan_init(&s->plan, &s->limits, err)) ||
        (status = step_result_init(&s->result, &s->limits, err)))
        return status;
    /* Not as the threshold at start, which could not be raised any more. */
    if (o->chunk > 0)
        sched_set_chunk(s->sched, 0, o->chunk);
    return SHOAL_OK;
}

static enum shoal_status allocate(struct shoal_teach_scheduler *s, struct shoal_error *err)
{
    struct step_arrays *a = &s->arrays;
    const size_t n = (size_t)s->limits.max_seqs;

    s->events = mem_new(n, sizeof *s->events);
    a->chunks = mem_new(n, sizeof *a->chunks);
    a->is_decode = mem_new(n, sizeof *a->is_decode);
    a->wants_token = mem_new(n, sizeof *a->wants_token);
    a->n_prompt = mem_new(n, sizeof *a->n_prompt);
    a->new_tokens = mem_new(n, sizeof *a->new_tokens);
    a->admitted = mem_new(n, sizeof *a->admitted);
    a->preempted = mem_new(n, sizeof *a->preempted);
    a->finished = mem_new(n, sizeof *a->finished);
    a->tokens = mem_new((size_t)s->limits.max_tokens, sizeof *a->tokens);
    if (!s->events || !a->chunks || !a->is_decode || !a->wants_token || !a->n_prompt ||
        !a->new_tokens || !a->admitted || !a->preempted || !a->finished || !a->tokens)
        return shoal_fail_memory(err, "the steps of a scheduler", n * sizeof *a->chunks);
    return SHOAL_OK;
}

static enum shoal_status create_model(struct shoal_teach_scheduler *s,
                                      const struct shoal_teach_scheduler_options *o,
                                      struct shoal_error *err)
{
    const size_t n = (size_t)s->limits.max_seqs;
    struct shoal_teach_pool_options pool = {.layout = o->layout,
                                            .dtype = o->dtype,
                                            .n_blocks = o->n_blocks,
                                            .block_size = o->block_size};
    enum shoal_status status;

    if (!o->tiny)
        return SHOAL_OK;
    s->tiny = o->tiny;
    pool.n_head_kv = shoal_teach_tiny_see(o->tiny).n_head_kv;
    pool.head_dim = shoal_teach_tiny_see(o->tiny).head_dim;
    if ((status = teach_pool_create(&s->pool, &pool, false, err)))
        return status;
    s->caches = mem_new(n, sizeof *s->caches);
    s->pointers = mem_new(n, sizeof(struct shoal_teach_cache *));
    s->tables =
        mem_new(n * (size_t)step_blocks_of(&s->limits, s->limits.max_model_len), sizeof *s->tables);
    if (!s->caches || !s->pointers || !s->tables)
        return shoal_fail_memory(err, "the block tables of a scheduler", n * sizeof *s->caches);
    return SHOAL_OK;
}

enum shoal_status shoal_teach_scheduler_create(struct shoal_teach_scheduler **out,
                                               const struct shoal_teach_scheduler_options *options,
                                               struct shoal_error *err)
{
    enum shoal_status status = check_options(options, err);
    struct shoal_teach_scheduler *s;

    *out = NULL;
    if (status != SHOAL_OK)
        return status;
    s = mem_new(1, sizeof *s);
    if (!s)
        return shoal_fail_memory(err, "a scheduler", sizeof *s);
    s->limits = (struct step_limits){
        .max_seqs = options->max_seqs,
        .max_tokens = options->budget,
        .max_model_len = options->max_len,
        .block_size = options->block_size,
        .n_blocks = options->n_blocks,
        .n_vocab = options->tiny ? shoal_teach_tiny_see(options->tiny).n_vocab : BYTE_TOKENS};
    if ((status = create_sched(s, options, err)) || (status = allocate(s, err)) ||
        (status = create_model(s, options, err))) {
        shoal_teach_scheduler_destroy(s);
        return status;
    }
    *out = s;
    return SHOAL_OK;
}

void shoal_teach_scheduler_destroy(struct shoal_teach_scheduler *s)
{
    if (!s)
        return;
    for (int32_t i = 0; i < s->n_records; i++)
        mem_free(s->records[i].tokens);
    mem_free(s->records);
    mem_free(s->events);
    mem_free(s->arrays.chunks);
    mem_free(s->arrays.is_decode);
    mem_free(s->arrays.wants_token);
    mem_free(s->arrays.n_prompt);
    mem_free(s->arrays.new_tokens);
    mem_free(s->arrays.admitted);
    mem_free(s->arrays.preempted);
    mem_free(s->arrays.finished);
    mem_free(s->arrays.tokens);
    mem_free(s->caches);
    mem_free(s->pointers);
    mem_free(s->tables);
    shoal_teach_pool_destroy(s->pool);
    step_result_fini(&s->result);
    step_plan_fini(&s->plan);
    sched_destroy(s->sched);
    mem_free(s);
}
