/* How many threads a rank has, how large the KV pool is, and the limits that follow: the same on
 * every rank, the scarcest machine deciding. */
#include "engine/engine.h"

#include "base/cpu.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/local_model.h"
#include "model/hooks.h"
#include "plugin/plugins.h"
#include "step/limits.h"

#include <string.h>
#include <unistd.h>

enum { MASK_WORDS = 16 };
static const uint64_t most_default_pool = (uint64_t)4 << 30;

/* What each rank tells the others before sizes are chosen. */
struct rank_facts {
    uint64_t host;
    uint64_t cores[MASK_WORDS]; /* its affinity mask */
    uint64_t memory;            /* bytes that may still be taken */
};

static enum shoal_status exchange(struct shoal_engine *e, struct rank_facts facts[],
                                  struct shoal_error *err)
{
    const int32_t n = comm_size(e->comm);
    struct rank_facts mine = {.memory = cpu_memory_available()};
    enum shoal_status status;
    char host[256] = "";

    gethostname(host, sizeof host - 1);
    mine.host = hash64(host, strlen(host), 0);
    cpu_affinity_mask(mine.cores, MASK_WORDS);
    status = comm_gather(e->comm, &mine, sizeof mine, comm_rank(e->comm) == 0 ? facts : NULL, err);
    if (status == SHOAL_OK)
        status = comm_broadcast(e->comm, facts, (size_t)n * sizeof *facts, err);
    return status;
}

/* The cores of a rank's mask, each divided by the ranks that may use it. */
static int32_t fair_threads(const struct rank_facts facts[], int32_t n_ranks, int32_t rank)
{
    double share = 0;

    for (int32_t core = 0; core < MASK_WORDS * 64; core++) {
        const uint64_t bit = (uint64_t)1 << (core % 64);
        int32_t n_users = 0;
        if (!(facts[rank].cores[core / 64] & bit))
            continue;
        for (int32_t r = 0; r < n_ranks; r++)
            if (facts[r].host == facts[rank].host && (facts[r].cores[core / 64] & bit))
                n_users++;
        share += 1.0 / n_users;
    }
    return share >= 1 ? (int32_t)(share + 1e-6) : 1;
}

static void choose_threads(struct shoal_engine *e, const struct rank_facts facts[])
{
    const int32_t n_cores = cpu_affinity_count();

    e->n_threads = e->options.threads;
    if (e->n_threads == 0)
        e->n_threads = fair_threads(facts, comm_size(e->comm), comm_rank(e->comm));
#ifndef _OPENMP
    if (e->n_threads > 1)
        log_warn("built without OpenMP: one thread instead of %d", e->n_threads);
    e->n_threads = 1;
#endif
    if (e->n_threads > n_cores)
        log_warn("--threads %d on %d core%s of this rank's affinity mask: threads will share a "
                 "core (mpirun --map-by slot:PE=%d, or launch/local -t %d, gives each its own)",
                 e->n_threads, n_cores, n_cores == 1 ? "" : "s", e->n_threads, e->n_threads);
}

static int32_t blocks_of(int64_t n_tokens, int32_t block_size)
{
    return (int32_t)((n_tokens + block_size - 1) / block_size);
}

static enum shoal_status choose_blocks(struct shoal_engine *e, const struct rank_facts facts[],
                                       struct shoal_error *err)
{
    const struct model_hparams *hp = &e->model->hp;
    const struct shoal_options *o = &e->options;
    const int64_t most = INT32_MAX / 8;
    struct kv_store_options one;
    uint64_t memory = o->kv_cache_memory;
    int64_t n_blocks = o->num_kv_blocks;
    char have[32], need[32];
    enum shoal_status status =
        model_kv_options(e->model, e->plugins, e->kv_dtype, o->block_size, 1, &one, err);

    if (status != SHOAL_OK)
        return status;
    const uint64_t block_bytes = kv_store_block_bytes(&one);
    if (block_bytes == 0)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "--kv-cache-dtype %s cannot hold heads of %d elements (they must divide "
                          "by 32): use f16",
                          o->kv_cache_dtype, hp->head_dim);
    if (n_blocks == 0 && memory == 0) {
        memory = most_default_pool;
        for (int32_t r = 0; r < comm_size(e->comm); r++) {
            int32_t n_beside = 0;
            for (int32_t i = 0; i < comm_size(e->comm); i++)
                n_beside += facts[i].host == facts[r].host;
            const uint64_t share = facts[r].memory / 4 / (uint64_t)n_beside;
            memory = share < memory ? share : memory;
        }
        /* More than this would never be used, even with a cache of what ended, or gaps between
         * dense runs. */
        const bool is_lean = !o->enable_prefix_caching && strcmp(o->kv_layout, "paged") == 0;
        const int32_t longest = o->max_model_len > 0 ? o->max_model_len : hp->n_ctx;
        const uint64_t useful = (is_lean ? 1 : 4) * block_bytes * (uint64_t)e->limits.max_seqs *
                                (uint64_t)blocks_of(longest, o->block_size);
        memory = useful < memory ? useful : memory;
    }
    if (n_blocks == 0)
        n_blocks = memory / block_bytes < (uint64_t)most ? (int64_t)(memory / block_bytes) : most;
    if (n_blocks < 1)
        return shoal_fail(
            err, SHOAL_E_LIMIT,
            "a KV pool of %s holds no block: one block of %d tokens takes %s for this "
            "model; give --kv-cache-memory more",
            format_bytes(memory, have), o->block_size, format_bytes(block_bytes, need));
    e->limits.n_blocks = (int32_t)n_blocks;
    return SHOAL_OK;
}

static enum shoal_status choose_length(struct shoal_engine *e, struct shoal_error *err)
{
    const int64_t pool = (int64_t)e->limits.n_blocks * e->limits.block_size;
    const int32_t n_ctx = e->model->hp.n_ctx;
    int64_t length = e->options.max_model_len;

    if (length > n_ctx)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "requests of %lld tokens (--max-model-len) are longer than the model's "
                          "context of %d",
                          (long long)length, n_ctx);
    if (length > pool)
        return shoal_fail(
            err, SHOAL_E_LIMIT,
            "--max-model-len %lld does not fit the KV pool of %d blocks of %d tokens: "
            "give --kv-cache-memory more, or a length of at most %lld",
            (long long)length, e->limits.n_blocks, e->limits.block_size, (long long)pool);
    if (length == 0)
        length = n_ctx < pool ? n_ctx : pool;
    e->limits.max_model_len = (int32_t)length;
    return SHOAL_OK;
}

enum shoal_status engine_choose_sizes(struct shoal_engine *e, struct shoal_error *err)
{
    const int32_t budget = e->options.max_num_batched_tokens;
    struct rank_facts *facts = mem_new((size_t)comm_size(e->comm), sizeof *facts);
    enum shoal_status status = SHOAL_OK;

    if (!facts)
        status = shoal_fail_memory(err, "facts of ranks", sizeof *facts);
    if ((status = comm_agree(e->comm, status, err)) != SHOAL_OK ||
        (status = exchange(e, facts, err)) != SHOAL_OK)
        goto out;
    choose_threads(e, facts);
    e->kv_dtype = engine_parse_kv_dtype(e->options.kv_cache_dtype);
    e->limits = (struct step_limits){
        /* Decode comes first, so no more can run at once than the budget has tokens. */
        .max_seqs = e->options.max_num_seqs < budget ? e->options.max_num_seqs : budget,
        .max_tokens = budget,
        .block_size = e->options.block_size,
        .n_vocab = e->model->hp.n_vocab,
    };
    if ((status = choose_blocks(e, facts, err)) || (status = choose_length(e, err)))
        goto out;
    if (plugins_are_on(e->plugins))
        plugins_set_sizes(e->plugins, e->limits.n_blocks, e->limits.max_model_len);
    status = step_limits_check(&e->limits, err);
out:
    mem_free(facts);
    return status;
}
