/* model/run.h - the step memory that the parts of the forward pass share */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model/forward.h"
#include "model/team.h"

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

struct model_run {
    const struct model *model;
    const struct kernels *kernels;
    const _Atomic int *interrupt; /* or NULL */
    bool is_interrupted;          /* set by thread 0 before a barrier, read by all behind it */
    struct team team;
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

/* Cut the batch's attention into tasks, once a step. */
void attend_plan(struct model_run *r, const struct step_batch *batch);
/* Thread t's share of them, for one layer; then, per row, attend_merge_row. */
void attend(struct model_run *r, int32_t t, const struct step_batch *batch,
            const struct kv_store *kv, int32_t il);
/* Merge the splits of a row that attended by splits into r->in; thread t's scratch. */
void attend_merge_row(struct model_run *r, int32_t t, int32_t row);

int32_t attend_max_tasks(const struct model_hparams *hp, const struct step_limits *limits,
                         int32_t n_threads);
int32_t attend_max_merges(const struct model_hparams *hp, const struct step_limits *limits,
                          int32_t n_threads);
size_t attend_part_floats(const struct model_hparams *hp, const struct step_limits *limits,
                          int32_t n_threads);
size_t attend_thread_floats(const struct model_hparams *hp);

#endif
