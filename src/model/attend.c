/* Attention over the paged pool, shared out by cost.
 *
 * Most work is a task per (sequence, KV head, tile of tokens) that goes through all splits of 256
 * positions itself. A sequence that decodes with a context so long that its tasks would leave other
 * threads waiting is cut by splits too; whoever owns its row then merges the parts, in the same
 * ascending order, so the bits are the same. */
#include "model/run.h"

#include <math.h>
#include <string.h>

/* Rows of a tile: the kernels go through rows by twelves, sharing each load of K and V. */
enum { TASKS_PER_THREAD = 4, TILE_ROWS = 24, PREFETCH_BYTES = 4096 };

static int32_t n_splits_of(int32_t position)
{
    return position / KV_SPLIT_TOKENS + 1;
}

static int32_t heads_per_task(const struct model_hparams *hp)
{
    const int32_t n_group = hp->n_head / hp->n_head_kv;

    return n_group < ATTENTION_MAX_ROWS ? n_group : ATTENTION_MAX_ROWS;
}

static int32_t tile_tokens(const struct model_hparams *hp)
{
    const int32_t n = TILE_ROWS / heads_per_task(hp);

    return n > 0 ? n : 1;
}

/* Tasks that cover the query heads of a tile. */
static int32_t tasks_per_tile(const struct model_hparams *hp)
{
    const int32_t n_group = hp->n_head / hp->n_head_kv, heads = heads_per_task(hp);

    return hp->n_head_kv * ((n_group + heads - 1) / heads);
}

int32_t attend_max_merges(const struct model_hparams *hp, const struct step_limits *limits,
                          int32_t n_threads)
{
    const int32_t n = TASKS_PER_THREAD * 2 * n_threads / tasks_per_tile(hp) + 1;

    return n < limits->max_seqs ? n : limits->max_seqs;
}

int32_t attend_max_tasks(const struct model_hparams *hp, const struct step_limits *limits,
                         int32_t n_threads)
{
    const int32_t tiles = limits->max_tokens / tile_tokens(hp) + limits->max_seqs;
    const int32_t splits =
        attend_max_merges(hp, limits, n_threads) * n_splits_of(limits->max_model_len);

    return (tiles + splits) * tasks_per_tile(hp);
}

size_t attend_part_floats(const struct model_hparams *hp, const struct step_limits *limits,
                          int32_t n_threads)
{
    return (size_t)attend_max_merges(hp, limits, n_threads) *
           (size_t)n_splits_of(limits->max_model_len) * (size_t)hp->n_head *
           (size_t)attention_part_floats(hp->head_dim);
}

static size_t two_tiles(const struct model_hparams *hp)
{
    return 2 * (size_t)ATTENTION_MAX_ROWS * (size_t)attention_part_floats(hp->head_dim);
}

size_t attend_thread_floats(const struct model_hparams *hp, bool has_codec)
{
    return (size_t)ATTENTION_SCRATCH_FLOATS + two_tiles(hp) +
           (has_codec ? cache_tile_floats(hp) : 0);
}

/* Add the tasks of one tile (or one split of it); each costs about its keys. */
static void add_tasks(struct model_run *r, struct attend_task task, int64_t cost, int64_t *total)
{
    const struct model_hparams *hp = &r->model->hp;
    const int32_t n_group = hp->n_head / hp->n_head_kv, heads = heads_per_task(hp);

    for (int32_t kv_head = 0; kv_head < hp->n_head_kv; kv_head++)
        for (int32_t g = 0; g < n_group; g += heads) {
            struct attend_task *t = &r->tasks[r->n_tasks++];
            *t = task;
            t->head = kv_head * n_group + g;
            t->n_group = n_group - g < heads ? n_group - g : heads;
            t->part = task.part + (size_t)t->head * (size_t)attention_part_floats(hp->head_dim);
            t->cost = *total;
            *total += cost * t->n_group;
        }
}

/* The last token of a sequence, whose output is row `to`, by splits. False: no room for more. */
static bool add_splits(struct model_run *r, const struct step_batch *batch, int32_t seq, int32_t to,
                       int64_t *total)
{
    const struct model_hparams *hp = &r->model->hp;
    const int32_t token = batch->q_indptr[seq + 1] - batch->q_indptr[seq] - 1;
    const int32_t n_splits = n_splits_of(batch->n_computed[seq] + token);
    const size_t split_floats = (size_t)hp->n_head * (size_t)attention_part_floats(hp->head_dim);
    const size_t part = r->max_part_floats / (size_t)r->max_merges * (size_t)r->n_merges;

    if (r->n_merges == r->max_merges)
        return false;
    r->row_merge[to] = r->n_merges;
    r->merges[r->n_merges++] = (struct attend_merge){.n_splits = n_splits, .part = part};
    for (int32_t s = 0; s < n_splits; s++)
        add_tasks(r,
                  (struct attend_task){.seq = seq,
                                       .token = token,
                                       .n_tokens = 1,
                                       .to = to,
                                       .split = s,
                                       .part = part + (size_t)s * split_floats},
                  KV_SPLIT_TOKENS, total);
    return true;
}

/* Whether one task reads the keys that a sequence adds in this step: its only tile, with all query
 * heads of a KV head. */
static bool is_own(const struct model_run *r, int32_t n_tokens)
{
    const struct model_hparams *hp = &r->model->hp;

    return n_tokens <= tile_tokens(hp) && tasks_per_tile(hp) == hp->n_head_kv &&
           !cache_hooks_has_append(r);
}

int32_t attend_wanted(const struct model_run *r, const struct step_batch *batch, int32_t seq)
{
    if ((plugins_are_on(r->plugins) && r->attention.is_there) ||
        batch->slots[seq]->sampling.n_prompt_logprobs >= 0)
        return batch->q_indptr[seq + 1] - batch->q_indptr[seq];
    return batch->wants_logits[seq] ? 1 : 0;
}

/* The rows that go on, and how many keys they attend to. */
static int64_t keep_rows(struct model_run *r, const struct step_batch *batch, bool is_last)
{
    int64_t keys = 0;

    r->n_kept = 0;
    for (int32_t i = 0; i < batch->n_seqs; i++) {
        const int32_t end = batch->q_indptr[i + 1];
        const int32_t n = is_last ? attend_wanted(r, batch, i) : end - batch->q_indptr[i];
        const int64_t first = batch->n_computed[i] + end - batch->q_indptr[i] - n;
        for (int32_t row = end - n; row < end; row++)
            r->kept[r->n_kept++] = row;
        keys += n * first + (int64_t)n * (n + 1) / 2;
    }
    return keys;
}

void attend_plan(struct model_run *r, const struct step_batch *batch, bool is_last)
{
    const int32_t tile = tile_tokens(&r->model->hp);
    const int64_t keys = keep_rows(r, batch, is_last);
    int64_t total = 0;
    int32_t to = 0;

    r->n_tasks = r->n_merges = 0;
    r->all_by_tasks = true;
    for (int32_t i = 0; i < r->n_kept; i++)
        r->row_merge[i] = -1;
    memset(r->stored_by_task, 0, (size_t)batch->n_tokens * sizeof *r->stored_by_task);
    for (int32_t i = 0; i < batch->n_seqs; i++) {
        const int32_t n = batch->q_indptr[i + 1] - batch->q_indptr[i];
        const int32_t n_kept = is_last ? attend_wanted(r, batch, i) : n;
        const int32_t context = batch->n_computed[i] + n;
        /* Longer than a fair part of what a thread has to do, over this model's tasks? */
        const bool is_long = n_kept == 1 && r->team.n_threads > 1 && context > KV_SPLIT_TOKENS &&
                             (int64_t)context * r->team.n_threads * TASKS_PER_THREAD >
                                 keys * tasks_per_tile(&r->model->hp);
        if (is_long && add_splits(r, batch, i, to, &total)) {
            r->all_by_tasks = false;
            to++;
            continue;
        }
        const bool stores = n_kept == n && is_own(r, n);
        r->all_by_tasks = r->all_by_tasks && stores;
        for (int32_t row = batch->q_indptr[i]; stores && row < batch->q_indptr[i + 1]; row++)
            r->stored_by_task[row] = true;
        for (int32_t t = n - n_kept; t < n; t += tile) {
            const int32_t n_tokens = n - t < tile ? n - t : tile;
            const int64_t last = batch->n_computed[i] + t + n_tokens;
            add_tasks(r,
                      (struct attend_task){.seq = i,
                                           .token = t,
                                           .n_tokens = n_tokens,
                                           .to = to,
                                           .split = -1,
                                           .stores = stores},
                      last * n_tokens, &total);
            to += n_tokens;
        }
    }
    r->tasks[r->n_tasks].cost = total; /* a last entry, so that each task knows its own cost */
}

/* First task of thread t: tasks are shared out so that each thread has the same cost. */
static int32_t first_task(const struct model_run *r, int32_t t)
{
    const int64_t total = r->tasks[r->n_tasks].cost;
    int32_t low = 0, high = r->n_tasks;

    while (low < high) {
        const int32_t middle = (low + high) / 2;
        /* by the task's middle, so that the rounding is fair to both sides */
        const int64_t at = (r->tasks[middle].cost + r->tasks[middle + 1].cost) / 2;
        if (at * r->team.n_threads < total * t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void attend_share(const struct model_run *r, int32_t t, int32_t *begin, int32_t *end)
{
    *begin = first_task(r, t);
    *end = t + 1 == r->team.n_threads ? r->n_tasks : first_task(r, t + 1);
}

/* Where the keys of a task are: a layer and KV head of a store. */
struct key_source {
    const struct kv_store *kv;
    int32_t il, kv_head;
};

/* One split of a task into parts; from decoded keys where a plugin stores them its own way. */
static void run_split(struct model_run *r, const struct key_source *from,
                      const struct attention_args *args, int32_t split, float *parts,
                      float *thread_floats)
{
    if (cache_hooks_has_codec(r)) {
        const struct attention_args decoded =
            cache_decode_split(r, from->kv, from->il, from->kv_head, args, split,
                               thread_floats + ATTENTION_SCRATCH_FLOATS + two_tiles(&r->model->hp));
        r->kernels->attention.split(&decoded, split, parts, thread_floats);
        return;
    }
    r->kernels->attention.split(args, split, parts, thread_floats);
}

/* What store_rows leaves to the task of a sequence and KV head. */
static void store_own(struct model_run *r, const struct attend_task *task,
                      const struct step_batch *batch, const struct key_source *to)
{
    const int32_t first = batch->q_indptr[task->seq] + task->token;

    for (int32_t row = first; row < first + task->n_tokens; row++) {
        rotate_queries(r, batch, row, task->head, task->n_group);
        store_keys(r, batch, to->kv, row, to->il, to->kv_head);
    }
}

static struct attention_args args_of(const struct model_run *r, const struct attend_task *task,
                                     const struct step_batch *batch, const struct kv_store *kv,
                                     int32_t il)
{
    const struct model_hparams *hp = &r->model->hp;
    const int32_t ld_q = pad16(hp->n_head * hp->head_dim);
    const int32_t row = batch->q_indptr[task->seq] + task->token;
    const int32_t kv_head = task->head / (hp->n_head / hp->n_head_kv);

    return (struct attention_args){
        .layer = kv_store_layer(kv, il),
        .block_stride = kv->block_bytes,
        .head_offset = (size_t)kv_head * kv->head_bytes,
        .block_table = batch->slots[task->seq]->block_table,
        .block_size = kv->options.block_size,
        .head_dim = hp->head_dim,
        .dtype = kv->options.dtype,
        .scale = 1.0f / sqrtf((float)hp->head_dim),
        .q = r->q + (size_t)row * (size_t)ld_q + (size_t)(task->head * hp->head_dim),
        .ld_q = ld_q,
        .n_tokens = task->n_tokens,
        .n_group = task->n_group,
        .first_position = batch->n_computed[task->seq] + task->token,
    };
}

/* after: what the thread will do then, or NULL */
static void attend_task(struct model_run *r, const struct attend_task *task, float *thread_floats,
                        const struct step_batch *batch, const struct key_source *from,
                        const struct layer_input *in, const struct attend_task *after)
{
    const struct attention_kernels *k = &r->kernels->attention;
    const struct model_hparams *hp = &r->model->hp;
    const int32_t part_floats = attention_part_floats(hp->head_dim);
    const struct attention_args args_after =
        args_of(r, after ? after : task, batch, from->kv, from->il);
    const struct attention_next then = {after ? &args_after : NULL,
                                        after && after->split > 0 ? after->split : 0};
    struct attention_args args = args_of(r, task, batch, from->kv, from->il);
    float *into = thread_floats + ATTENTION_SCRATCH_FLOATS;
    float *next = into + (size_t)ATTENTION_MAX_ROWS * (size_t)part_floats;
    const int32_t n_rows = task->n_tokens * task->n_group;

    if (task->stores)
        store_own(r, task, batch, from);
    if (task->split >= 0) {
        args.next = then;
        run_split(r, from, &args, task->split, r->parts + task->part, thread_floats);
        return;
    }
    const int32_t n_splits = n_splits_of(args.first_position + args.n_tokens - 1);
    for (int32_t s = 0; s < n_splits; s++) {
        /* Only the rows that reach into the split: merging an empty part could turn -0 into 0. */
        const int32_t before = s * KV_SPLIT_TOKENS - args.first_position;
        const int32_t first = before > 0 ? before * task->n_group : 0;
        const size_t skip = (size_t)first * (size_t)part_floats;
        args.next = s + 1 < n_splits ? (struct attention_next){&args, s + 1} : then;
        run_split(r, from, &args, s, s == 0 ? into : next, thread_floats);
        if (s > 0)
            k->merge(into + skip, next + skip, n_rows - first, hp->head_dim);
    }
    for (int32_t i = 0; i < n_rows; i++) {
        const size_t out =
            (size_t)(task->to + i / task->n_group) * (size_t)(hp->n_head * hp->head_dim) +
            (size_t)((task->head + i % task->n_group) * hp->head_dim);
        k->finish(into + (size_t)i * (size_t)part_floats, hp->head_dim, r->in.rows + out);
    }
    for (int32_t i = task->to; in && i < task->to + task->n_tokens; i++)
        ready_columns(r, in, i, r->kept[i], task->head * hp->head_dim,
                      task->n_group * hp->head_dim);
}

/* The blocks of a sequence lie anywhere, so its first keys, and the block that its new ones go
 * into, are asked for while the task before is done. */
static void prefetch_task(const struct model_run *r, const struct attend_task *task,
                          const struct step_batch *batch, const struct kv_store *kv, int32_t il)
{
    const int32_t kv_head = task->head / (r->model->hp.n_head / r->model->hp.n_head_kv);
    const int32_t last = batch->n_computed[task->seq] + task->token;
    const int32_t *table = batch->slots[task->seq]->block_table;
    const uint8_t *begin = kv_store_head(kv, il, table[0], kv_head);
    const uint8_t *end = kv_store_head(kv, il, table[last / kv->options.block_size], kv_head);
    const size_t n = kv->head_bytes < PREFETCH_BYTES ? kv->head_bytes : PREFETCH_BYTES;

    for (size_t i = 0; i < n; i += 64) {
        __builtin_prefetch(end + i, 1);
        __builtin_prefetch(begin + i);
    }
}

void attend(struct model_run *r, int32_t t, const struct step_batch *batch,
            const struct kv_store *kv, int32_t il, const struct layer_input *in)
{
    const int32_t n_group = r->model->hp.n_head / r->model->hp.n_head_kv;
    float *thread_floats = r->thread_floats + (size_t)t * r->thread_stride;

    /* As team_next, with shares of equal cost. */
    for (int32_t tried = 0; tried < r->team.n_threads; tried++) {
        const int32_t of = (t + tried) % r->team.n_threads;
        int32_t begin, end;

        attend_share(r, of, &begin, &end);
        while (team_taken(&r->team, of) < end - begin) {
            const int32_t i = begin + team_take(&r->team, of);
            if (i >= end)
                break;
            const struct attend_task *task = &r->tasks[i];
            if (i + 1 < end && task[1].stores)
                prefetch_task(r, task + 1, batch, kv, il);
            attend_task(r, task, thread_floats, batch,
                        &(struct key_source){kv, il, task->head / n_group}, in,
                        i + 1 < end ? task + 1 : NULL);
        }
    }
}

void attend_merge_row(struct model_run *r, int32_t t, int32_t i)
{
    const struct attention_kernels *k = &r->kernels->attention;
    const struct model_hparams *hp = &r->model->hp;
    const size_t part_floats = (size_t)attention_part_floats(hp->head_dim);
    const struct attend_merge *merge;
    float *into = r->thread_floats + (size_t)t * r->thread_stride + ATTENTION_SCRATCH_FLOATS;

    if (r->row_merge[i] < 0)
        return;
    merge = &r->merges[r->row_merge[i]];
    for (int32_t head = 0; head < hp->n_head; head++) {
        const float *part = r->parts + merge->part + (size_t)head * part_floats;
        memcpy(into, part, part_floats * sizeof *into);
        for (int32_t s = 1; s < merge->n_splits; s++)
            k->merge(into, part + (size_t)s * (size_t)hp->n_head * part_floats, 1, hp->head_dim);
        k->finish(into, hp->head_dim,
                  r->in.rows + (size_t)i * (size_t)(hp->n_head * hp->head_dim) +
                      (size_t)(head * hp->head_dim));
    }
}
