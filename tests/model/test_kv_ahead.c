/* What linear layers ask for: K of the sequences that decode, each block and KV head by one thread,
 * until a thread has enough. */
#include "support/suite.h"

#include "model/run.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_THREADS = 3,
    MOST_SEQS = 32,
    MOST_ROWS = 64,
    MOST_TASKS = 4096,
    N_KV = 2,
    HEAD_DIM = 32
};

/* Sequences of so many tokens in the pool and in this step, repeated. */
struct sequence {
    int32_t n_computed, n_scheduled;
};
static const struct {
    int32_t n_threads, block_size, n_seqs;
    struct sequence of[4];
    bool is_enough;
} table[] = {
    {1, 16, 1, {{0, 1}}, false},
    {1, 16, 4, {{69, 1}, {600, 1}, {0, 5}, {15, 1}}, false},
    {2, 16, 4, {{69, 1}, {600, 1}, {0, 5}, {15, 1}}, false},
    {3, 8, 4, {{700, 1}, {255, 1}, {256, 1}, {257, 1}}, false},
    {2, 128, 4, {{3000, 1}, {0, 1}, {500, 9}, {40, 1}}, false},
    {1, 8, 32, {{3000, 1}, {2000, 1}, {1000, 1}, {10, 1}}, true},
};

struct world {
    struct model model;
    struct model_run run;
    struct team_share shares[MOST_THREADS];
    struct attend_task tasks[MOST_TASKS];
    struct attend_merge merges[MOST_SEQS];
    int32_t kept[MOST_ROWS], row_merge[MOST_ROWS], q_indptr[MOST_SEQS + 1], n_computed[MOST_SEQS];
    bool stored_by_task[MOST_ROWS];
    struct kv_ahead ahead[MOST_THREADS];
    struct step_slot slots[MOST_SEQS];
    const struct step_slot *slot_of[MOST_SEQS];
    struct step_batch batch;
    struct kv_store kv;
    uint8_t *seen; /* of each run of the layer */
};

static int32_t blocks_of(int32_t n_tokens, int32_t block_size)
{
    return (n_tokens + block_size - 1) / block_size;
}

static void world_init(struct world *w, int i)
{
    int32_t n_blocks = 0;
    struct shoal_error err;

    memset(w, 0, sizeof *w);
    w->model.hp.n_layer = 2;
    w->model.hp.n_head = 3 * N_KV;
    w->model.hp.n_head_kv = N_KV;
    w->model.hp.head_dim = HEAD_DIM;
    w->run.model = &w->model;
    team_init(&w->run.team, table[i].n_threads, w->shares);
    w->run.tasks = w->tasks;
    w->run.merges = w->merges;
    w->run.max_merges = MOST_SEQS;
    w->run.kept = w->kept;
    w->run.row_merge = w->row_merge;
    w->run.stored_by_task = w->stored_by_task;
    w->run.ahead = w->ahead;
    w->batch = (struct step_batch){.n_seqs = table[i].n_seqs,
                                   .q_indptr = w->q_indptr,
                                   .n_computed = w->n_computed,
                                   .slots = w->slot_of};
    for (int32_t s = 0; s < table[i].n_seqs; s++) {
        const struct sequence *of = &table[i].of[s % 4];
        const int32_t n = blocks_of(of->n_computed + of->n_scheduled, table[i].block_size);
        w->n_computed[s] = of->n_computed;
        w->q_indptr[s + 1] = w->q_indptr[s] + of->n_scheduled;
        w->slots[s].block_table = malloc((size_t)n * sizeof(int32_t));
        for (int32_t b = 0; b < n; b++)
            w->slots[s].block_table[b] = n_blocks++;
        w->slot_of[s] = &w->slots[s];
    }
    w->batch.n_tokens = w->q_indptr[table[i].n_seqs];
    const struct kv_store_options options = {.dtype = KV_F16,
                                             .n_layer = 2,
                                             .n_blocks = n_blocks,
                                             .block_size = table[i].block_size,
                                             .n_head_kv = N_KV,
                                             .head_dim = HEAD_DIM};
    ck_assert_int_eq(kv_store_init(&w->kv, &options, &err), SHOAL_OK);
    w->seen = calloc((size_t)n_blocks * N_KV, 1);
    attend_plan(&w->run, &w->batch, false);
}

static void world_fini(struct world *w)
{
    for (int32_t s = 0; s < w->batch.n_seqs; s++)
        free(w->slots[s].block_table);
    free(w->seen);
    kv_store_fini(&w->kv);
}

START_TEST(each_key_once)
{
    static struct world w;
    size_t n_seen = 0, n_wanted = 0;

    world_init(&w, _i);
    for (int32_t t = 0; t < table[_i].n_threads; t++) {
        const struct kv_ahead *a = &w.ahead[t];
        kv_ahead_plan(&w.run, t, &w.batch, &w.kv);
        kv_ahead_begin(&w.run, t, &w.kv, 1);
        ck_assert_ptr_eq(a->requests.base, kv_store_layer(&w.kv, 1));
        ck_assert_uint_eq((size_t)a->requests.run_bytes, w.kv.head_bytes / 2);
        ck_assert_int_le(a->requests.n_runs, KV_AHEAD_RUNS);
        for (int32_t i = 0; i < a->requests.n_runs; i++) {
            ck_assert_uint_eq(a->requests.runs[i] % w.kv.head_bytes, 0);
            ck_assert_int_eq(w.seen[a->requests.runs[i] / w.kv.head_bytes]++, 0);
            n_seen++;
        }
        kv_ahead_begin(&w.run, t, &w.kv, w.model.hp.n_layer);
        ck_assert_int_eq(a->requests.n_runs, 0);
    }
    for (int32_t s = 0; s < w.batch.n_seqs; s++) {
        const struct sequence *of = &table[_i].of[s % 4];
        const int32_t n = blocks_of(of->n_computed + 1, table[_i].block_size);
        for (int32_t b = 0; of->n_scheduled == 1 && b < n; b++)
            for (int32_t h = 0; h < N_KV; h++, n_wanted++)
                if (!table[_i].is_enough)
                    ck_assert_int_eq(w.seen[w.slots[s].block_table[b] * N_KV + h], 1);
    }
    if (table[_i].is_enough) {
        ck_assert_uint_eq(n_seen, KV_AHEAD_RUNS);
        ck_assert_uint_lt(n_seen, n_wanted);
    } else {
        ck_assert_uint_eq(n_seen, n_wanted);
    }
    world_fini(&w);
}
END_TEST

SUITE_LOOPS("kv_ahead", {each_key_once, sizeof table / sizeof *table})
