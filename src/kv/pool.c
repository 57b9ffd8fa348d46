#include "kv/pool.h"

#include "base/mem.h"
#include "kv/blocks.h"
#include "kv/prefix.h"
#include "kv/runs.h"

#include <assert.h>

struct kv_pool {
    struct kv_pool_options options;
    struct kv_blocks blocks; /* paged */
    struct kv_prefix prefix; /* paged with prefix caching */
    int32_t n_cached;        /* listed by prefix, held by nobody */
    struct kv_runs runs;     /* dense */
    int32_t *n_run_refs;     /* (n_blocks) dense: 1 while held */
};

static bool is_dense(const struct kv_pool *p)
{
    return p->options.layout == KV_DENSE;
}

static bool has_prefixes(const struct kv_pool *p)
{
    return p->options.prefix_caching;
}

static bool is_listed(const struct kv_pool *p, int32_t id)
{
    return has_prefixes(p) && kv_prefix_is_listed(&p->prefix, id);
}

static bool init_parts(struct kv_pool *p)
{
    const struct kv_pool_options *o = &p->options;

    if (is_dense(p)) {
        p->n_run_refs = mem_new((size_t)o->n_blocks, sizeof *p->n_run_refs);
        return p->n_run_refs && kv_runs_init(&p->runs, o->n_blocks);
    }
    return kv_blocks_init(&p->blocks, o->n_blocks) &&
           (!has_prefixes(p) || kv_prefix_init(&p->prefix, o->n_blocks, o->block_size, o->salt));
}

enum shoal_status kv_pool_create(struct kv_pool **out, const struct kv_pool_options *options,
                                 struct shoal_error *err)
{
    struct kv_pool *p;

    *out = NULL;
    if (options->n_blocks < 1 || options->n_blocks == INT32_MAX)
        return shoal_fail(err, SHOAL_E_INVALID, "the KV pool has %d blocks; it needs 1 to %d",
                          options->n_blocks, INT32_MAX - 1);
    if (options->block_size < 1)
        return shoal_fail(err, SHOAL_E_INVALID, "a KV block of %d tokens; it needs at least 1",
                          options->block_size);
    if (options->layout == KV_DENSE && options->prefix_caching)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the dense KV layout shares no blocks; turn prefix caching off");

    p = mem_new(1, sizeof *p);
    if (!p)
        return shoal_fail_memory(err, "KV pool", sizeof *p);
    p->options = *options;
    if (!init_parts(p)) {
        kv_pool_destroy(p);
        return shoal_fail_memory(err, "KV pool's block lists", (size_t)options->n_blocks * 16);
    }
    *out = p;
    return SHOAL_OK;
}

void kv_pool_destroy(struct kv_pool *p)
{
    if (!p)
        return;
    kv_blocks_fini(&p->blocks);
    kv_prefix_fini(&p->prefix);
    kv_runs_fini(&p->runs);
    mem_free(p->n_run_refs);
    mem_free(p);
}

static bool take_run(struct kv_pool *p, int32_t n, int32_t ids[])
{
    const int32_t begin = kv_runs_take(&p->runs, n);

    if (begin < 0)
        return false;
    for (int32_t i = 0; i < n; i++) {
        ids[i] = begin + i;
        p->n_run_refs[begin + i] = 1;
    }
    return true;
}

bool kv_pool_can_take(const struct kv_pool *p, int32_t n)
{
    return n <= 0 || (is_dense(p) ? kv_runs_fits(&p->runs, n) : n <= p->blocks.n_idle);
}

bool kv_pool_take(struct kv_pool *p, int32_t n, int32_t ids[])
{
    if (n <= 0)
        return true;
    if (is_dense(p))
        return take_run(p, n, ids);
    if (n > p->blocks.n_idle)
        return false;
    for (int32_t i = 0; i < n; i++) {
        ids[i] = kv_blocks_pop(&p->blocks);
        if (is_listed(p, ids[i])) {
            kv_prefix_drop(&p->prefix, ids[i]);
            p->n_cached--;
        }
    }
    return true;
}

void kv_pool_ref(struct kv_pool *p, int32_t id)
{
    assert(!is_dense(p));
    assert(p->blocks.n_refs[id] > 0 || is_listed(p, id));
    p->n_cached -= p->blocks.n_refs[id] == 0;
    kv_blocks_ref(&p->blocks, id);
}

static void release_run(struct kv_pool *p, const int32_t ids[], int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        assert(ids[i] == ids[0] + i && p->n_run_refs[ids[i]] == 1);
        p->n_run_refs[ids[i]] = 0;
    }
    kv_runs_give(&p->runs, ids[0], n);
}

void kv_pool_release(struct kv_pool *p, const int32_t ids[], int32_t n)
{
    if (n <= 0)
        return;
    if (is_dense(p)) {
        release_run(p, ids, n);
        return;
    }
    /* The end of a prefix is worth less than its start, which more prompts share: what is cached
     * goes to the back from the last block to the first, what is free to the front from the first
     * to the last; both times the last block is taken before the others. */
    for (int32_t i = n - 1; i >= 0; i--) {
        if (kv_blocks_unref(&p->blocks, ids[i]) && is_listed(p, ids[i])) {
            kv_blocks_push_back(&p->blocks, ids[i]);
            p->n_cached++;
        }
    }
    for (int32_t i = 0; i < n; i++) {
        if (p->blocks.n_refs[ids[i]] > 0 || is_listed(p, ids[i]))
            continue;
        if (has_prefixes(p))
            kv_prefix_drop(&p->prefix, ids[i]);
        kv_blocks_push_front(&p->blocks, ids[i]);
    }
}

int32_t kv_pool_refs(const struct kv_pool *p, int32_t id)
{
    return is_dense(p) ? p->n_run_refs[id] : p->blocks.n_refs[id];
}

int32_t kv_pool_match(const struct kv_pool *p, uint64_t salt, const int32_t tokens[],
                      int32_t n_tokens, int32_t ids[])
{
    if (!has_prefixes(p))
        return 0;
    return kv_prefix_match(&p->prefix, salt, tokens, n_tokens / p->options.block_size, ids);
}

void kv_pool_publish(struct kv_pool *p, uint64_t salt, const int32_t ids[], int32_t i,
                     const int32_t tokens[])
{
    if (!has_prefixes(p))
        return;
    assert(p->blocks.n_refs[ids[i]] > 0);
    kv_prefix_learn(&p->prefix, ids[i], i == 0 ? -1 : ids[i - 1], salt,
                    tokens + (size_t)i * (size_t)p->options.block_size);
}

void kv_pool_forget(struct kv_pool *p)
{
    if (!has_prefixes(p))
        return;
    for (int32_t id = 0; id < p->options.n_blocks; id++)
        kv_prefix_drop(&p->prefix, id);
    p->n_cached = 0; /* the cached blocks are free where they stand on the list */
}

struct kv_pool_counts kv_pool_count(const struct kv_pool *p)
{
    struct kv_pool_counts counts = {0};

    if (is_dense(p)) {
        counts.n_free = p->runs.n_free;
    } else {
        counts.n_cached = p->n_cached;
        counts.n_free = p->blocks.n_idle - counts.n_cached;
    }
    counts.n_held = p->options.n_blocks - counts.n_free - counts.n_cached;
    return counts;
}

static bool check_paged(const struct kv_pool *p)
{
    const int32_t n_blocks = p->options.n_blocks;
    int32_t n_cached = 0;

    if (!kv_blocks_check(&p->blocks))
        return false;
    if (!has_prefixes(p))
        return p->n_cached == 0;
    for (int32_t id = 0; id < n_blocks; id++) {
        const bool is_idle = p->blocks.n_refs[id] == 0;

        n_cached += is_idle && is_listed(p, id);
        /* An idle block is cached or nothing is known of it. */
        if (is_idle && !is_listed(p, id) && p->prefix.entries[id].serial != 0)
            return false;
    }
    return n_cached == p->n_cached && kv_prefix_check(&p->prefix, n_blocks);
}

static bool check_dense(const struct kv_pool *p)
{
    int32_t n_held = 0;

    if (!kv_runs_check(&p->runs))
        return false;
    for (int32_t id = 0; id < p->options.n_blocks; id++)
        n_held += p->n_run_refs[id];
    for (int32_t i = 0; i < p->runs.n_runs; i++)
        for (int32_t j = 0; j < p->runs.runs[i].n; j++)
            if (p->n_run_refs[p->runs.runs[i].begin + j] != 0)
                return false;
    return n_held == p->options.n_blocks - p->runs.n_free;
}

bool kv_pool_check(const struct kv_pool *p)
{
    return is_dense(p) ? check_dense(p) : check_paged(p);
}
