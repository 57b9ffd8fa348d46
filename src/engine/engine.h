/* engine/engine.h - the engine's parts, in the order in which they are made
 *
 * The composition root: open.c creates them in floor order and destroys them in reverse. Everything
 * below `worker` exists on the leader (rank 0) only. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "comm/comm.h"
#include "engine/events.h"
#include "engine/executor.h"
#include "engine/requests.h"
#include "engine/settings.h"
#include "engine/step_times.h"
#include "engine/trace.h"
#include "sched/sched.h"
#include "step/log.h"
#include "tokenizer/chat.h"

/* What the leader knows of one shard group. */
struct lane {
    struct executor *executor;
    struct step_plan plan; /* under way while is_busy */
    bool is_busy;
    int64_t n_steps, n_tokens;
    int64_t compute_ns, communicate_ns, wait_ns;
    int32_t blocks_peak;
    int64_t planned_ns; /* clock when the plan under way was submitted */
    int64_t rung_ns;    /* when the rank last said that its result is on its way */
    struct step_times times;
};

struct plugins;
struct plugin_views;
struct engine_observe;

struct shoal_engine {
    _Atomic int interrupt;

    struct shoal_options options; /* strings point into settings_text */
    struct text settings_text;    /* changed by parsing */
    struct text effective;        /* "name = value" lines as they hold */
    struct comm *comm;
    struct comm_bell *bell;     /* with more than one group: rung with each result */
    struct comm_window *window; /* likewise: shows this rank's KV pool to the others */
    struct kv_source kv_source; /* that reads through it */
    struct kernels kernels;
    struct gguf *gguf; /* until the model is packed */
    void *built_in;    /* bytes of the tiny model, while gguf borrows them */
    struct model *model;
    struct comm_shared image;
    struct engine_observe *observe;
    int32_t n_threads, n_groups;
    struct step_limits limits;
    enum kv_dtype kv_dtype;
    struct plugins *plugins;   /* NULL: none */
    struct worker *worker;     /* on rank 0 until an executor owns it */
    struct worker *own_worker; /* rank 0's, whoever owns it */

    struct tokenizer *tokenizer;
    struct chat_template *chat;
    struct sched *sched;
    struct lane *lanes; /* (n_groups) */
    struct requests requests;
    struct events events;
    struct sched_event *step_events; /* (max_seqs) */
    struct plugin_views *views;      /* NULL: no plugin is told of steps and requests */
    struct step_log_writer *log;
    enum trace_mode trace;
    uint64_t n_submitted;
    bool is_open;
    bool is_failed; /* a step went wrong: nothing more can run */
    struct shoal_counts counts;
    int64_t leader_ns, scheduler_ns;
};

/* load.c: the model file -> e->gguf, e->model; and the weights, packed, one copy a machine. */
enum shoal_status engine_open_model(struct shoal_engine *e, struct shoal_error *err);
enum shoal_status engine_pack_model(struct shoal_engine *e, struct shoal_error *err);
/* Open the GGUF that a name means: a path, "embedded" or "tiny". *built_in is freed with mem_free
 * after the GGUF is closed. */
enum shoal_status engine_open_gguf(const char *name, struct gguf **gguf, void **built_in,
                                   struct shoal_error *err);

/* sizes.c: threads, the KV pool and the limits that all ranks share. */
enum shoal_status engine_choose_sizes(struct shoal_engine *e, struct shoal_error *err);

/* leader.c */
enum shoal_status engine_create_lanes(struct shoal_engine *e, struct shoal_error *err);
void engine_destroy_lanes(struct shoal_engine *e);
/* End every request that is left with `reason` and a sentence (or NULL). */
void engine_end_all(struct shoal_engine *e, enum shoal_finish reason, const char *sentence);

/* answer.c: what a step's outcome means for its requests */
void engine_answer(struct shoal_engine *e, const struct sched_event *event,
                   const struct step_result *result);
/* Keep the prompts' log-probabilities, which come chunk by chunk; before the result is applied. */
void engine_keep_prompt_logprobs(struct shoal_engine *e, const struct step_plan *plan,
                                 const struct step_result *result);
/* One choice ends for a reason outside of its steps. */
void engine_end_choice(struct shoal_engine *e, struct request *request, int32_t choice,
                       enum shoal_finish reason, const char *sentence);

#endif
