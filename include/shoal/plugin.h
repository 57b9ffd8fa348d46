/* shoal/plugin.h - see and change what an engine does, from outside of it
 *
 * A plugin is a struct shoal_plugin: a name, options, and tables of functions of up to three kinds.
 *
 *     scheduler   told of requests and steps on rank 0; may set budget and chunk of the next step
 *     attention   sees q, k, v, mask and weights of the rows it wants, or computes them itself
 *     cache       sees or changes rows of K and V before they are stored, or stores its own bytes
 *
 * One is built in or in a shared object that exports shoal_plugin_entry; nothing but this header
 * and shoal/status.h is needed to build it. On a command line: --plugin NAME[,key=value...] or
 * --plugin ./mine.so[,key=value...]; in a program: struct shoal_plugin_use in shoal_options.
 *
 * Several run in the order in which they were given. A function that returns other than SHOAL_OK is
 * named in the log and its plugin is switched off, or (--plugin-errors fatal) the run ends; one
 * that changes numbers always ends the run, since going on without it would change them back.
 * Functions are called by one thread at a time of a rank, and may allocate, except where it says
 * otherwise.
 *
 * Exactness: what changes numbers is chosen by request, layer and head, never by batch, and is the
 * same on all ranks. It stands in the step log's head; a replay without it refuses; and prefixes
 * are shared only between requests that it treats alike.
 *
 * Versions: SHOAL_PLUGIN_VERSION counts up when a struct grows at its end; an engine takes plugins
 * of its own version and of older ones. A plugin sets every version field to the constant of the
 * header that it was built with. */
#ifndef SHOAL_PLUGIN_H
#define SHOAL_PLUGIN_H

#include "shoal/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SHOAL_PLUGIN_VERSION = 1 };

/* ---- What a plugin is told ---------------------------------------------------------------- */

/* What a plugin can know and do beside its arguments. Valid from create to destroy. */
struct shoal_plugin_host {
    uint32_t version;
    int32_t rank, n_ranks;
    const char *model; /* name */
    int32_t n_layer, n_head, n_head_kv, head_dim, n_vocab;
    int32_t block_size;  /* tokens a block */
    int32_t n_kv_blocks; /* of a rank; 0 in create, since rows of a plugin decide how many fit */
    int32_t max_num_seqs, max_num_batched_tokens;
    int32_t max_model_len; /* in create: the most that it can be */
    size_t kv_row_bytes;   /* of one K or V row of one head as the pool stores it without a codec */

    void *engine; /* first argument of the functions below */
    /* A line in the engine's log; level as --log-level spells it ("info"). */
    void (*log)(void *engine, const char *level, const char *text);
    /* Nanoseconds of a clock that only goes forward. */
    int64_t (*now)(void *engine);
    /* What this plugin changes, in the logits of a sequence of n tokens that is run twice, with it
     * and without: the largest and the root mean square difference of a logit, and the mean
     * divergence KL(without || with) in nats a token. The plugin sees it as choice 0 of request
     * 0, which no other request is. Takes as long as two prefills; from finish only. */
    enum shoal_status (*compare)(void *engine, const int32_t *tokens, int32_t n, double *max_error,
                                 double *rms_error, double *mean_kl, struct shoal_error *err);
    /* Both from the functions of a scheduler plugin and from finish only. The engine's own metrics
     * as they are now (rank 0), as Prometheus text or JSON; free *text with free. */
    enum shoal_status (*metrics)(void *engine, bool as_json, char **text, struct shoal_error *err);
    /* Keep a snapshot of this rank's memory with a label, for --memory-timeline. */
    void (*mark_memory)(void *engine, const char *label);
};

/* A value given to an option; those not given have the option's default. */
struct shoal_plugin_value {
    const char *name, *text;
};

/* One sequence (a choice of a request), running or waiting. Arrays are borrowed for the call. */
struct shoal_plugin_sequence {
    uint64_t request; /* as shoal_submit numbered it */
    int32_t choice;
    const char *name; /* the request's id */
    int32_t priority;
    int32_t n_prompt, n_tokens; /* known now, generated ones included */
    int32_t n_computed;         /* whose K and V were in the pool before this step */
    int32_t n_scheduled;        /* in this step; 0 while it waits */
    int32_t n_cached;           /* found by prefix */
    int32_t max_tokens, n_preempted;
    const int32_t *tokens;      /* (n_tokens) */
    const int32_t *block_table; /* (n_blocks) */
    int32_t n_blocks;
    const char *waits_for; /* while it waits: why, in a few words; else NULL */
};

/* A step of one shard group, when it has been planned (before_step) or is done (after_step). */
struct shoal_plugin_step {
    uint64_t step;
    int32_t rank;                                /* whose step it is */
    int32_t budget, chunk;                       /* tokens; that the step was planned with */
    int32_t n_tokens, n_decode_tokens;           /* the others are prefill */
    const struct shoal_plugin_sequence *running; /* (n_running) in the order of the batch */
    int32_t n_running;
    const struct shoal_plugin_sequence *waiting; /* (n_waiting) in the order of the queue */
    int32_t n_waiting;
    int32_t blocks_free, blocks_cached, blocks_held; /* of the rank's pool */

    /* After the step; zero before. */
    const int32_t *new_tokens; /* (n_running) sampled token, or -1 */
    int64_t step_ns;           /* from plan to result */
    int64_t compute_ns, communicate_ns, wait_ns;
};

/* What the next step of the group is planned with: as it holds now, to be changed. The budget is
 * clipped to [running sequences, max_num_batched_tokens], the chunk to [1, what the run began
 * with]; a sequence gets no more than either. */
struct shoal_plugin_control {
    int32_t budget, chunk;
};

enum shoal_plugin_end {
    SHOAL_PLUGIN_STOP,
    SHOAL_PLUGIN_LENGTH,
    SHOAL_PLUGIN_ABORT,
    SHOAL_PLUGIN_ERROR
};

/* A sequence that came, ended or lost its blocks, and when. */
struct shoal_plugin_request {
    struct shoal_plugin_sequence sequence;        /* its tokens and blocks as they are */
    int32_t rank;                                 /* -1: not placed yet */
    int64_t submitted_ns, first_token_ns, now_ns; /* first_token_ns 0: none yet */
    enum shoal_plugin_end end;                    /* of on_request_finished */
    const char *error;                            /* with SHOAL_PLUGIN_ERROR, else NULL */
};

/* ---- The three kinds ---------------------------------------------------------------------- */

/* Rank 0 only. Each may be NULL. state is what create made. */
struct shoal_scheduler_plugin {
    enum shoal_status (*before_step)(void *state, const struct shoal_plugin_step *step,
                                     struct shoal_plugin_control *next, struct shoal_error *err);
    enum shoal_status (*after_step)(void *state, const struct shoal_plugin_step *step,
                                    struct shoal_plugin_control *next, struct shoal_error *err);
    enum shoal_status (*on_request_added)(void *state, const struct shoal_plugin_request *request,
                                          struct shoal_error *err);
    enum shoal_status (*on_request_finished)(void *state,
                                             const struct shoal_plugin_request *request,
                                             struct shoal_error *err);
    enum shoal_status (*on_preempt)(void *state, const struct shoal_plugin_request *request,
                                    struct shoal_error *err);
};

/* Some tokens of one sequence, seen by one head of one layer. Rows of q, weights and out are
 * positions first_position, first_position + 1, ...; a long chunk comes in several calls. */
struct shoal_attention_view {
    uint64_t request;
    int32_t choice, layer, head, kv_head;
    int32_t first_position, n_tokens, n_keys, head_dim;
    float scale;
    const float *q;       /* (n_tokens, head_dim) with RoPE */
    const float *k, *v;   /* (n_keys, head_dim) positions 0 .. n_keys - 1, as the pool gives them */
    const bool *mask;     /* (n_tokens, n_keys) true: the token attends to the key */
    const float *weights; /* (n_tokens, n_keys) softmax of the scores; 0 where the mask is false */
    const float *out;     /* (n_tokens, head_dim) what goes on from here: the engine's, or of the
                           * plugin that replaces it; in `see` only */
};

enum shoal_attention_want { SHOAL_ATTENTION_LEAVE, SHOAL_ATTENTION_SEE, SHOAL_ATTENTION_REPLACE };

/* Every rank, for the requests placed on it. */
struct shoal_attention_plugin {
    /* For a request, layer and head: the same answer whenever and on whichever rank it is asked. */
    enum shoal_attention_want (*wants)(void *state, uint64_t request, int32_t choice, int32_t layer,
                                       int32_t head);
    enum shoal_status (*see)(void *state, const struct shoal_attention_view *view,
                             struct shoal_error *err);
    /* Write every element of out (n_tokens, head_dim), from the view alone, each row for itself.
     * weights is NULL. Two requests whose heads are all wanted alike share prefixes, so they must
     * come out alike: tell requests apart in `wants` only. */
    enum shoal_status (*replace)(void *state, const struct shoal_attention_view *view, float *out,
                                 struct shoal_error *err);
};

/* K and V of one token and one KV head of a layer, head_dim floats each. */
struct shoal_cache_row {
    uint64_t request;
    int32_t choice, layer, kv_head, position, head_dim;
    float *k, *v;
};

/* Every rank, for the requests placed on it. Each may be NULL; the three of the codec go together,
 * and only one plugin may have one. */
struct shoal_cache_plugin {
    /* May change k and v (then the plugin changes_numbers). */
    enum shoal_status (*before_append)(void *state, struct shoal_cache_row *row,
                                       struct shoal_error *err);
    /* k and v as attention will read them. */
    enum shoal_status (*after_append)(void *state, const struct shoal_cache_row *row,
                                      struct shoal_error *err);

    /* Bytes of one stored row (of K or of V) of head_dim floats, at least 1; 0: it cannot. */
    size_t (*row_bytes)(void *state, int32_t head_dim);
    /* Pure functions of their arguments, called by several threads at once; no allocation. */
    void (*encode)(void *state, const float *row, int32_t head_dim, uint8_t *bytes);
    void (*decode)(void *state, const uint8_t *bytes, int32_t head_dim, float *row);
};

/* ---- A plugin ----------------------------------------------------------------------------- */

struct shoal_plugin_option {
    const char *name;  /* "target_itl_ms" */
    const char *value; /* the default; NULL: has to be given */
    const char *help;  /* one sentence */
};

struct shoal_plugin {
    uint32_t version; /* SHOAL_PLUGIN_VERSION */
    const char *name; /* "adaptive-scheduling" */
    const char *about;
    const struct shoal_plugin_option *options; /* (n_options) */
    int32_t n_options;
    /* Tokens or logits may differ from a run without it: so it is where it replaces attention,
     * changes k or v, or has a codec. */
    bool changes_numbers;

    /* *state is the plugin's. values: every option, in the order of `options`. user: of struct
     * shoal_plugin_use, else NULL. A bad value is refused here, on every rank alike. */
    enum shoal_status (*create)(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err);
    /* The engine closes, nothing runs any more: write reports. May be NULL. */
    enum shoal_status (*finish)(void *state, struct shoal_error *err);
    void (*destroy)(void *state); /* after finish, also when that failed; may be NULL */

    const struct shoal_scheduler_plugin *scheduler; /* NULL where it is not of that kind */
    const struct shoal_attention_plugin *attention;
    const struct shoal_cache_plugin *cache;
};

/* A plugin of the program's own for an engine; the same on every rank. Borrowed until the engine is
 * closed. */
struct shoal_plugin_use {
    const struct shoal_plugin *plugin;
    const char *settings; /* "key=value,key=value" or NULL */
    void *user;           /* for create */
};

/* What a shared object exports. */
SHOAL_API const struct shoal_plugin *shoal_plugin_entry(void);

#ifdef __cplusplus
}
#endif
#endif
