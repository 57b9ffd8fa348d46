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
    int32_t split;           /* the one split to do into parts, or -1: all, finished into rows */
    size_t part;             /* split >= 0: floats offset of its first row in the parts */
    int64_t cost;            /* sum of the costs of the tasks before it */
};

/* A sequence whose one token attends by splits, which are merged after all are there. */
struct attend_merge {
    int32_t row;
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

    float *x;                  /* (max_rows, n_embd) the residual stream */
    float *in;                 /* (max_rows, widest input) float input of the next linear layers;
                                * attention writes its output there */
    struct quantized_rows in8; /* the same, quantised */
    float *q, *k, *v;          /* (max_rows, padded width) */
    float *branch;             /* (max_rows, padded n_embd) what goes back into the residual */
    float *gate, *up;          /* (max_rows, padded n_ff) */
    float *logits;             /* (MODEL_LOGIT_ROWS, padded n_vocab) */
    int32_t *row_seq;          /* (max_rows) which sequence of the batch a row belongs to */
    int32_t *bad_layer;        /* (max_rows) */
    int32_t *logit_rows;       /* (MODEL_LOGIT_ROWS) */

    struct attend_task *tasks; /* (max_tasks) */
    int32_t n_tasks, max_tasks;
    struct attend_merge *merges; /* (max_merges) */
    int32_t n_merges, max_merges;
    int32_t *row_merge; /* (max_rows) index into merges, or -1 */
    float *parts;       /* (max_part_floats) */
    size_t max_part_floats;
    float *thread_floats; /* (n_threads, thread_stride): scratch and parts of one tile each */
    size_t thread_stride;

    void *memory; /* all of the above */
    size_t n_bytes;
};

/* A linear layer of a stage and where its output goes: rows of pad16(n_out) floats. */
struct linear_job {
    const struct model_linear *linear;
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

/* Thread t's share of up to four layers that read the same n_rows rows of r->in / r->in8. Inside a
 * parallel region; the caller puts the barrier. */
void apply_linear(const struct model_run *r, int32_t t, const struct linear_job jobs[],
                  int32_t n_jobs, int32_t n_rows);

/* --weights f32: outputs [begin, end) of a layer for n_rows rows, in panels of 8 rows. */
void reference_linear(const struct model_linear *l, const float *in, int32_t n_rows, int32_t begin,
                      int32_t end, float *out);
enum { REFERENCE_ROWS = 8, REFERENCE_OUTPUTS = 128 };

static inline struct profile_thread *model_profile_of(struct model_run *r, int32_t t)
{
    return r->profile ? &r->profile[t] : NULL;
}
/* profile.c: what a step, and n rows of logits, have to read and to multiply. */
void profile_count_step(struct model_run *r, const struct step_batch *batch,
                        const struct kv_store *kv);
void profile_count_logits(struct model_run *r, int32_t n);

/* Cut the batch's attention into tasks, once a step. */
void attend_plan(struct model_run *r, const struct step_batch *batch);
/* Thread t's share of them, for one layer; then, per row, attend_merge_row. */
void attend(struct model_run *r, int32_t t, const struct step_batch *batch,
            const struct kv_store *kv, int32_t il);
/* Merge the splits of a row that attended by splits into r->in; thread t's scratch. */
void attend_merge_row(struct model_run *r, int32_t t, int32_t row);

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
