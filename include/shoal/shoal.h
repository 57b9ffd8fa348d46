/* shoal/shoal.h - run a language model with continuous batching, from C
 *
 *     struct shoal_options options;
 *     shoal_options_default(&options);
 *     options.model = "model.gguf";
 *     shoal_engine_open(&engine, &options, &error);
 *     shoal_submit(engine, &request, &id, &error);       as many as there are, at any time
 *     while (shoal_run(engine, -1, &error) == SHOAL_OK && shoal_next_event(engine, &event))
 *         ...
 *     shoal_engine_close(engine);
 *
 * An engine works in the thread that calls shoal_run; nothing happens between calls, except under
 * mpirun, where a thread of the engine computes rank 0's share. One thread at a time may use an
 * engine; only shoal_interrupt may be called from anywhere. Under mpirun every rank opens an engine
 * with the same call; rank 0 goes on as above, the others call shoal_serve. */
#ifndef SHOAL_SHOAL_H
#define SHOAL_SHOAL_H

#include "shoal/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shoal_engine;
struct shoal_plugin_use;

/* How an engine is set up; the names are those of the command line (`shoal run --help` tells more).
 * Strings are borrowed for the call of shoal_engine_open. */
struct shoal_options {
    const char *model;              /* GGUF file, "embedded" or "tiny" */
    int32_t threads;                /* OpenMP threads a rank; 0: the cores it may use */
    int32_t max_num_batched_tokens; /* token budget of one step of a shard group */
    int32_t max_num_seqs;           /* requests running at once in a shard group */
    int32_t max_model_len;          /* prompt + output; 0: the context, or what the pool holds */
    int32_t
        long_prefill_token_threshold; /* most prompt tokens of a request a step; 0: the budget */
    int32_t block_size;               /* tokens a KV block: 8, 16, 32, 64, 128 */
    uint64_t kv_cache_memory;         /* bytes of a rank's KV pool; 0: by the free memory */
    int32_t num_kv_blocks;            /* its blocks instead; 0: by kv_cache_memory */
    bool populate_kv_cache;           /* take its memory at start, not as blocks are first used */
    const char *kv_cache_dtype;       /* "f16", "f32", "bf16", "q8_0" */
    const char *kv_layout;            /* "paged", "dense" */
    const char *weights;              /* "file", "f32" */
    bool enable_prefix_caching;
    const char *scheduling_policy; /* "fcfs", "priority" */
    int32_t dp, tp, cp, pp;        /* how ranks share the work; 0: dp = ranks, others 1 */
    uint64_t seed;                 /* base of the seeds of requests that give none */
    const char *isa;               /* "best", "portable", "avx2", "avxvnni", "avx512", "amx" */
    const char *step_log;          /* record every step to this file; NULL: do not */
    const char *trace_steps;       /* "off", "table", "mask": print every step to stderr */
    /* What shoal/observe.h shows, written while the engine runs and at its end; NULL, 0: off */
    const char *metrics_file;          /* .prom, .json or .csv; also on SIGUSR1 */
    double metrics_interval;           /* seconds between two writes; 0: at the end only */
    const char *memory_timeline;       /* .csv or .json */
    bool memory_report, buffer_report; /* tables to stderr at the end */
    bool leak_check;                   /* closing fails where memory grew that should not */
    const char **plugins; /* (n_plugins) "NAME[,key=value...]", in the order of their calls */
    int32_t n_plugins;
    const char *plugin_errors; /* "off": one that fails is switched off; "fatal": it ends the run */
    /* (n_plugins_own) Plugins of the program's own (shoal/plugin.h), after the others. Unlike the
     * rest of the options each rank takes its own. Borrowed until the engine is closed. */
    const struct shoal_plugin_use *plugins_own;
    int32_t n_plugins_own;
};

/* The defaults of the command line. */
SHOAL_API void shoal_options_default(struct shoal_options *options);

/* Load the model, make the KV pool, start the ranks. Collective under mpirun: rank 0's options hold
 * for all, and all ranks fail together. On failure *out is NULL. The caller closes *out. */
SHOAL_API enum shoal_status shoal_engine_open(struct shoal_engine **out,
                                              const struct shoal_options *options,
                                              struct shoal_error *err);
/* Aborts what still runs, stops the other ranks, frees everything. NULL is fine. SHOAL_OK, or that
 * the step log could not be written whole or a plugin failed at its end (which has been logged).
 * After an interrupt or a broken step under mpirun it ends all ranks and does not return. */
SHOAL_API enum shoal_status shoal_engine_close(struct shoal_engine *engine);

/* Rank of this process, 0 without mpirun. */
SHOAL_API int32_t shoal_rank(const struct shoal_engine *engine);
/* On ranks other than 0: work for rank 0 until it closes its engine. */
SHOAL_API enum shoal_status shoal_serve(struct shoal_engine *engine, struct shoal_error *err);

struct shoal_message {
    const char *role;    /* "system", "user", "assistant" */
    const char *content; /* UTF-8 */
    size_t n_content;    /* bytes */
};

struct shoal_event;
typedef void (*shoal_event_func_t)(void *user, const struct shoal_event *event);

/* A request. Start from shoal_request_default; everything is borrowed for the call of shoal_submit
 * only. Exactly one of prompt, prompt_ids and messages is set. */
struct shoal_request {
    const char *id; /* for logs and traces; NULL: "request-N" */

    const char *prompt; /* text, UTF-8 */
    size_t n_prompt;    /* bytes */
    const int32_t *prompt_ids;
    int32_t n_prompt_ids;
    const struct shoal_message *messages; /* rendered by the model's chat template */
    int32_t n_messages;

    int32_t max_tokens; /* 0: finishes at once. Clipped to what fits max_model_len */
    int32_t min_tokens;
    float temperature; /* 0: greedy */
    float top_p, min_p;
    int32_t top_k; /* 0: all */
    float repetition_penalty, presence_penalty, frequency_penalty;
    const int32_t *bias_ids; /* (n_bias) logit bias */
    const float *bias_values;
    int32_t n_bias;
    bool has_seed;
    uint64_t seed;
    int32_t n;               /* choices */
    const char *const *stop; /* (n_stop) texts that end the output and are not shown */
    int32_t n_stop;
    const int32_t *stop_token_ids; /* (n_stop_token_ids) */
    int32_t n_stop_token_ids;
    bool ignore_eos;
    int32_t logprobs;        /* -1: none; k: of each token, and of the k most likely (at most 20) */
    int32_t prompt_logprobs; /* the same for the prompt's tokens */
    int32_t priority;        /* lower runs first, with scheduling_policy "priority" */
    bool no_text;            /* events carry token ids only: nothing is detokenized */

    shoal_event_func_t
        on_event; /* called from shoal_run; NULL: shoal_next_event gives the events */
    void *user;   /* handed back in events */
};

/* max_tokens 16, temperature 1, n 1, no log-probabilities, nothing else: OpenAI's defaults. */
SHOAL_API void shoal_request_default(struct shoal_request *request);

/* Queue a request. A bad one is refused here and changes nothing. *id is its number from now on. */
SHOAL_API enum shoal_status shoal_submit(struct shoal_engine *engine,
                                         const struct shoal_request *request, uint64_t *id,
                                         struct shoal_error *err);
/* End a request: its choices that still run finish with "abort". False when there is none. */
SHOAL_API bool shoal_cancel(struct shoal_engine *engine, uint64_t id);

struct shoal_logprob {
    int32_t token;
    float logprob; /* natural */
    int32_t rank;  /* 1: the most likely */
};

enum shoal_finish {
    SHOAL_RUNNING,
    SHOAL_FINISH_STOP,   /* an end token, stop id or stop text */
    SHOAL_FINISH_LENGTH, /* max_tokens, or the model's length */
    SHOAL_FINISH_ABORT,  /* cancelled or interrupted */
    SHOAL_FINISH_ERROR   /* error says what happened */
};
SHOAL_API const char *shoal_finish_name(enum shoal_finish finish); /* "stop", "length", ... */

/* What happened to one choice of a request: a token was generated, or it ended, or both. Exactly
 * one event of each choice has a finish other than SHOAL_RUNNING, and it is the last. Pointers are
 * valid until the next call with this engine. */
struct shoal_event {
    uint64_t request;
    void *user;
    int32_t choice;
    bool has_token;
    int32_t token;
    const char *text; /* what this event makes whole, UTF-8; may be empty; ends in 0 */
    size_t n_text;
    const struct shoal_logprob *logprobs; /* (n_logprobs) the token's own first, then the best */
    int32_t n_logprobs;
    enum shoal_finish finish;
    const char *error; /* with SHOAL_FINISH_ERROR */

    /* The first event of a choice that asked for them: position j (from 1) of the prompt has the
     * entries [(j - 1) * width, j * width): the token that stands there, then the best. */
    const struct shoal_logprob *prompt_logprobs;
    int32_t n_prompt_logprobs, prompt_logprobs_width;

    const int32_t *prompt_ids; /* (n_prompt) */
    int32_t n_prompt, n_cached, n_generated;
    int32_t rank;                                 /* that computed it */
    int64_t now_ns, submitted_ns, first_token_ns; /* monotonic clock */
};

/* Work until there is an event, nothing is left to do, or timeout_ms have passed (-1: no limit, 0:
 * at most one round, in which a shard group begins a step or ends one, not both). SHOAL_OK in all
 * three cases. SHOAL_E_INTERRUPTED after shoal_interrupt, when
 * everything that ran has been aborted (its events can be fetched). Other errors end the engine. */
SHOAL_API enum shoal_status shoal_run(struct shoal_engine *engine, int timeout_ms,
                                      struct shoal_error *err);
/* The next event, if there is one. */
SHOAL_API bool shoal_next_event(struct shoal_engine *engine, struct shoal_event *event);
/* True when no request waits or runs and no event is left. */
SHOAL_API bool shoal_is_idle(const struct shoal_engine *engine);

/* Stop as soon as possible. May be called from a signal handler or another thread. */
SHOAL_API void shoal_interrupt(struct shoal_engine *engine);

/* Text and ids with the engine's tokenizer. Free *ids with free. */
SHOAL_API enum shoal_status shoal_tokenize(const struct shoal_engine *engine, const char *text,
                                           size_t n_text, bool parse_special, int32_t **ids,
                                           int32_t *n_ids, struct shoal_error *err);
/* The bytes of one token into piece (capacity bytes, cut); returns how many it has. */
SHOAL_API size_t shoal_token_piece(const struct shoal_engine *engine, int32_t token, char *piece,
                                   size_t capacity);

/* What the engine is and how it fares. */
struct shoal_info {
    const char *model_name, *arch;
    int32_t n_ranks, n_threads, n_vocab, n_ctx, max_model_len, n_kv_blocks, block_size;
    uint64_t kv_block_bytes, weight_bytes, step_bytes;
    int32_t bos, eos; /* -1: none */
};
SHOAL_API void shoal_engine_info(const struct shoal_engine *engine, struct shoal_info *info);

struct shoal_counts {
    int32_t n_waiting, n_running;
    int64_t n_finished, n_preemptions;
    int64_t n_moves; /* of running sequences from rank to rank */
    int64_t prompt_tokens, cached_tokens, generated_tokens;
    double kv_usage;          /* held blocks over all, of the fullest rank */
    double leader_seconds;    /* schedule, pack and unpack, stop checks, text */
    double scheduler_seconds; /* of these, the scheduler and the plan */
    int64_t n_steps;
};
SHOAL_API void shoal_engine_counts(const struct shoal_engine *engine, struct shoal_counts *counts);

struct shoal_rank_counts {
    int64_t n_steps, n_tokens;
    double compute_seconds, communicate_seconds, wait_seconds;
    int32_t kv_blocks, kv_blocks_peak;
    /* Messages of steps (plans and results), as this rank sees them; 0 without mpirun. */
    int64_t bytes_sent, bytes_received;
};
/* rank: 0 .. n_ranks - 1. */
SHOAL_API void shoal_rank_info(const struct shoal_engine *engine, int32_t rank,
                               struct shoal_rank_counts *counts);

/* For a debugger: `call shoal_dump_request(engine, 3)` prints what is known of a request. */
SHOAL_API void shoal_dump_request(const struct shoal_engine *engine, uint64_t id);

SHOAL_API const char *shoal_version(void); /* "0.1.0" */

#ifdef __cplusplus
}
#endif
#endif
