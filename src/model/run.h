/* model/run.h - the step memory that the parts of the forward pass share */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model/forward.h"
#include "model/profile.h"
#include "model/team.h"
#include "plugin/plugins.h"
#include "step/sequence_id.h"

/* A piece of attention work: some tokens of a sequence against one KV head. */
struct attend_task {
    int32_t seq, head;       /* of the batch; first query head of the (part of the) group */
    int32_t n_group;         /* query heads that share the KV head: head .. head + n_group - 1 */
    int32_t token, n_tokens; /* of the sequence's chunk */
    int32_t to;              /* the row of r->in where the first token's output goes */
    int32_t split;           /* the one split to do into parts, or -1: all, finished into rows */
    size_t part;             /* split >= 0: floats offset of its first row in the parts */
    bool stores;             /* puts its keys into the pool itself, before it reads them */
    int64_t cost;            /* sum of the costs of the tasks before it */
};

/* A sequence whose one token attends by splits, which are merged after all are there. */
struct attend_merge {
    int32_t n_splits;
    size_t part; /* floats: split s, head h at part + (s * n_head + h) * part_floats */
};

/* What plugins see of attention, and where they write; only where there are such plugins. */
struct attention_hooks {
    bool is_there;
    bool sees_replaced; /* there are several: one may see what another replaced */
    uint8_t *wants; /* (max_seqs, n_layer, n_head) enum shoal_attention_want, asked once a step */
    bool *layer_wants; /* (n_layer) of any */
    float *q, *out;    /* (ATTENTION_MAX_ROWS, head_dim) */
    float *k, *v;      /* (max_model_len, head_dim) */
    bool *mask;        /* (ATTENTION_MAX_ROWS, max_model_len) */
    float *weights;    /* (ATTENTION_MAX_ROWS, max_model_len) */
};

/* Rows of K and V as a plugin stores them. */
struct cache_hooks {
    bool has_append;
    float *k, *v;                           /* (head_dim) of one row, read back */
    const struct shoal_cache_plugin *codec; /* NULL: tiles of the store's dtype */
    void *state;
    int32_t *table; /* block table of a split's decoded keys: 0, 1, 0, 1, ... to max_model_len */
};
/* Decoded keys stand in blocks of this size, two a split. */
enum { CODEC_BLOCK = 128 };

/* What linear layers read: rows of k floats, and the same quantised where they want that. */
struct activations {
    float *rows;
    struct quantized_group *groups; /* of each row k / 32 */
};

/* K that a thread's attention of the next layer reads, for the linear layers before to ask for. */
enum { KV_AHEAD_RUNS = 1024 };
struct kv_ahead {
    _Alignas(64) struct ahead requests;
    size_t runs[KV_AHEAD_RUNS]; /* the same in every layer */
    int32_t n_runs;
};

struct model_run {
    const struct model *model;
    const struct kernels *kernels;
    struct plugins *plugins;      /* or NULL */
    const _Atomic int *interrupt; /* or NULL */
    /* Set by thread 0 before a barrier, read by all behind it: the step is left after this layer,
     * and why. */
    bool is_left;
    enum shoal_status status;
    struct shoal_error err; /* of a plugin */
    struct team team;
    struct profile_thread *profile; /* (n_threads) or NULL: nobody profiles */
    struct profile counted;         /* bytes, ops and counts of the profile */
    struct attention_hooks attention;
    struct cache_hooks cache;
    int32_t max_rows; /* rows of every buffer: the budget, rounded up to whole panels of 8 */

    float *x;                 /* (max_rows, n_embd) the residual stream */
    struct activations in;    /* of max_rows: the widest of n_embd and the heads together; attention
                               * writes its output there */
    struct activations gated; /* of n_ff: what goes into the down projection */
    float *q, *k, *v;         /* (max_rows, padded width) */
    float *branch;            /* (max_rows, padded n_embd) what goes back into the residual */
    float *gate, *up;         /* (max_rows, padded n_ff) */
    float *logits;            /* (MODEL_LOGIT_ROWS, padded n_vocab) */
    int32_t *row_seq;         /* (max_rows) which sequence of the batch a row belongs to */
    _Atomic int32_t *bad_layer; /* (max_rows) */
    int32_t *logit_rows;        /* (MODEL_LOGIT_ROWS) */

    /* The rows of the batch that attend and go on from there, in order: in the last layer only
     * those whose hidden state somebody wants. What comes behind attention has row i for kept[i].
     */
    int32_t *kept; /* (max_rows) */
    int32_t n_kept;
    struct attend_task *tasks; /* (max_tasks) */
    int32_t n_tasks, max_tasks;
    struct attend_merge *merges; /* (max_merges) */
    int32_t n_merges, max_merges;
    int32_t *row_merge;   /* (n_kept) index into merges, or -1 */
    bool *stored_by_task; /* (max_rows) K and V go into the pool with the row's attention */
    bool all_by_tasks;    /* so it is for every row of the batch */
    float *parts;         /* (max_part_floats) */
    size_t max_part_floats;
    float *thread_floats; /* (n_threads, thread_stride): scratch and parts of one tile each */
    size_t thread_stride;
    struct kv_ahead *ahead; /* (n_threads) */

    void *memory; /* all of the above */
    size_t n_bytes;
};

/* A linear layer of a stage, what it reads, and where its output goes: rows of pad16(n_out). */
struct linear_job {
    const struct model_linear *linear;
    const struct activations *in;
    float *out;
};

static inline int32_t pad16(int32_t n)
{
    return (n + 15) / 16 * 16;
}

/* Share [0, n) out evenly: the part of thread t of n_threads. */
static inline void share(int64_t n, int32_t n_threads, int32_t t, int64_t *begin, int64_t *end)
{
    *begin = n * t / n_threads;
    *end = n * (t + 1) / n_threads;
}

/* True when any of the layers wants quantised input (in float input otherwise). */
bool linear_wants_quantized(const struct model *m, const struct model_linear *l);

/* Thread t's part of a linear stage of n_rows rows, in rectangles: blocks of rows one after the
 * other, and in each the units of outputs. */
struct linear_walk {
    struct team_pieces pieces;
    int64_t begin, end; /* what is left of the piece at hand: block * n_units + unit */
    int64_t n_units;
    int32_t n_rows, n_blocks;
};
struct linear_piece {
    int64_t begin, end; /* units */
    int32_t row, row_end;
};
struct linear_walk linear_walk(struct model_run *r, int32_t t, int64_t n_units, int32_t n_rows);
/* False: there are none left. */
bool linear_next(struct linear_walk *walk, struct linear_piece *piece);

/* Thread t's part of layers that read the same n_rows rows: a stage of its own.
 */
void apply_linear(struct model_run *r, int32_t t, const struct linear_job jobs[], int32_t n_jobs,
                  int32_t n_rows);
/* Outputs [begin, end) of rows [row, row_end), in this thread: begin is a multiple of column_unit,
 * end too or the layer's last. */
void apply_columns(const struct model_run *r, int32_t t, const struct linear_job *job,
                   int32_t begin, int32_t end, int32_t row, int32_t row_end);
int32_t column_unit(const struct model_run *r);
/* Thread t's share of the next linear stage: its first lines, before the stage's barrier. */
void prefetch_linear(const struct model_run *r, int32_t t, const struct linear_job jobs[],
                     int32_t n_jobs, int32_t n_rows);
/* Output `begin` of a layer comes soon, after a stretch of memory that does not lead up to it. */
void prefetch_columns(const struct model_run *r, const struct model_linear *l, int32_t begin);

/* Where a stage leaves what the next linear layers read: rows of k. */
struct layer_input {
    struct activations *to;
    int32_t k, layer;
    bool is_quantized;
};
/* Columns [begin, begin + n) of row i of in->to, which is row `row` of the batch, are there:
 * quantise them where the next layers want that (begin and n are then multiples of 32), and note a
 * value that is not finite. */
void ready_columns(struct model_run *r, const struct layer_input *in, int32_t i, int32_t row,
                   int32_t begin, int32_t n);
/* rows.c, a row of the batch each: the embedding into the residual; the residual normed into row i
 * of the input (weight NULL: as it is); row i of r->branch onto the residual. */
void embed_row(struct model_run *r, const struct step_batch *batch, int32_t row);
void norm_row(struct model_run *r, const struct layer_input *in, int32_t i, int32_t row,
              const float *weight);
void add_branch(struct model_run *r, int32_t i, int32_t row);
/* RoPE on query heads [first, first + n) of a row; RoPE on the key of a KV head, and that with its
 * value into the pool, unless plugins are to be asked first. */
void rotate_queries(struct model_run *r, const struct step_batch *batch, int32_t row, int32_t first,
                    int32_t n);
void store_keys(struct model_run *r, const struct step_batch *batch, const struct kv_store *kv,
                int32_t row, int32_t il, int32_t kv_head);

/* --weights f32: outputs [begin, end) of rows [row, row_end), in panels of 8 rows; row is a
 * multiple of 8. */
void reference_linear(const struct linear_job *job, int32_t row, int32_t row_end, int32_t begin,
                      int32_t end);
enum { REFERENCE_ROWS = 8, REFERENCE_OUTPUTS = 128 };

static inline struct profile_thread *model_profile_of(struct model_run *r, int32_t t)
{
    return r->profile ? &r->profile[t] : NULL;
}
/* profile.c: what a step, and n rows of logits, have to read and to multiply. */
void profile_count_step(struct model_run *r, const struct step_batch *batch,
                        const struct kv_store *kv);
void profile_count_logits(struct model_run *r, int32_t n);

/* Tokens at the end of a sequence's chunk whose hidden state somebody wants: the last layer's
 * attention and feed-forward block leave out the others. */
int32_t attend_wanted(const struct model_run *r, const struct step_batch *batch, int32_t seq);
/* Cut the batch's attention into tasks, and choose the rows that are kept: once a step for all
 * layers, and once more for the last. */
void attend_plan(struct model_run *r, const struct step_batch *batch, bool is_last);
/* Thread t's part of them, for one layer: a stage of its own. The kept rows that did not attend by
 * splits are then in r->in, ready as `in` says where that is given; the others need
 * attend_merge_row. */
void attend(struct model_run *r, int32_t t, const struct step_batch *batch,
            const struct kv_store *kv, int32_t il, const struct layer_input *in);
/* Thread t's share of them: [begin, end). */
void attend_share(const struct model_run *r, int32_t t, int32_t *begin, int32_t *end);
/* kv_ahead.c: once a step, which K thread t's share of the decoding sequences reads; then, when the
 * attention of a layer is done, that of layer `il` is to be asked for (il = n_layer: nothing). */
void kv_ahead_plan(struct model_run *r, int32_t t, const struct step_batch *batch,
                   const struct kv_store *kv);
void kv_ahead_begin(struct model_run *r, int32_t t, const struct kv_store *kv, int32_t il);
/* Merge the splits of kept row i, if it attended by splits, into r->in; thread t's scratch. */
void attend_merge_row(struct model_run *r, int32_t t, int32_t i);

/* By thread 0, before a barrier: the step is left after this layer. */
static inline void model_leave(struct model_run *r, enum shoal_status why)
{
    if (!r->is_left)
        r->status = why;
    r->is_left = true;
}

/* attention_hooks.c: what is wanted of this batch; then, in thread 0 with the others waiting, what
 * plugins see and replace in a layer, in r->in. */
void attention_hooks_ask(struct model_run *r, const struct step_batch *batch);
void attention_hooks_call(struct model_run *r, const struct step_batch *batch,
                          const struct kv_store *kv, int32_t il);
static inline bool attention_hooks_want(const struct model_run *r, int32_t il)
{
    return plugins_are_on(r->plugins) && r->attention.is_there && r->attention.layer_wants[il];
}

/* cache_hooks.c: one row of one KV head into the pool, and out of it as attention reads it. */
struct cache_place {
    int32_t il, block, kv_head, slot;
};
void cache_store(const struct model_run *r, const struct kv_store *kv,
                 const struct cache_place *place, const float *k, const float *v);
void cache_load(const struct model_run *r, const struct kv_store *kv,
                const struct cache_place *place, float *k, float *v);
/* In thread 0 with the others waiting: store all rows of the batch, between the plugins' before and
 * after. */
void cache_hooks_append(struct model_run *r, const struct step_batch *batch, struct kv_store *kv,
                        int32_t il);
static inline bool cache_hooks_has_append(const struct model_run *r)
{
    return plugins_are_on(r->plugins) && r->cache.has_append;
}
static inline bool cache_hooks_has_codec(const struct model_run *r)
{
    return plugins_are_on(r->plugins) && r->cache.codec;
}
/* The keys of a split that args' rows attend to, decoded into blocks of float32 at `tiles`
 * (cache_tile_floats): the arguments with which the engine's own kernel reads them there. */
size_t cache_tile_floats(const struct model_hparams *hp);
struct attention_args cache_decode_split(const struct model_run *r, const struct kv_store *kv,
                                         int32_t il, int32_t kv_head,
                                         const struct attention_args *args, int32_t split,
                                         float *tiles);

int32_t attend_max_tasks(const struct model_hparams *hp, const struct step_limits *limits,
                         int32_t n_threads);
int32_t attend_max_merges(const struct model_hparams *hp, const struct step_limits *limits,
                          int32_t n_threads);
size_t attend_part_floats(const struct model_hparams *hp, const struct step_limits *limits,
                          int32_t n_threads);
/* of a thread: scratch, two tiles of parts, and with a codec the keys of a split */
size_t attend_thread_floats(const struct model_hparams *hp, bool has_codec);

#endif
