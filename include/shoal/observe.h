/* shoal/observe.h - see how an engine fares: metrics, memory, who holds what, leaks
 *
 * All of it is there in every engine; the options of struct shoal_options say what is written where
 * when an engine runs by itself. Memory is that of this process, on a CPU: there is no GPU memory
 * here. Texts are made for the caller, who frees them with free. Called between shoal_run calls, by
 * the thread that uses the engine. */
#ifndef SHOAL_OBSERVE_H
#define SHOAL_OBSERVE_H

#include "shoal/shoal.h"

#ifdef __cplusplus
extern "C" {
#endif

enum shoal_metrics_format {
    SHOAL_METRICS_PROMETHEUS, /* text exposition format 0.0.4 */
    SHOAL_METRICS_JSON        /* {"name": {"type", "help", "samples": [...]}, ...} */
};

/* The metrics as they are now; rank 0 only (SHOAL_E_INVALID elsewhere). *n: bytes before the 0 that
 * ends the text; n may be NULL. */
SHOAL_API enum shoal_status shoal_metrics_text(struct shoal_engine *engine,
                                               enum shoal_metrics_format format, char **text,
                                               size_t *n, struct shoal_error *err);
/* Write options.metrics_file if its interval is over or SIGUSR1 came. shoal_run does so by itself;
 * this is for a program that waits for something else. */
SHOAL_API void shoal_metrics_poll(struct shoal_engine *engine);

/* Memory of a rank in bytes. */
enum shoal_memory_part {
    SHOAL_MEMORY_WEIGHTS,
    SHOAL_MEMORY_KV_POOL,
    SHOAL_MEMORY_STEP,      /* activations, logits, results, slots */
    SHOAL_MEMORY_PLAN,      /* scheduler, plans, messages */
    SHOAL_MEMORY_TOKENIZER, /* and chat template */
    SHOAL_MEMORY_REQUESTS,  /* requests and events under way */
    SHOAL_MEMORY_OTHER,     /* all the rest of the process */
    SHOAL_MEMORY_PART_COUNT
};
SHOAL_API const char *shoal_memory_part_name(enum shoal_memory_part part); /* "kv_pool" */

struct shoal_memory {
    uint64_t resident, huge, heap;                   /* of the process */
    uint64_t part_held[SHOAL_MEMORY_PART_COUNT];     /* taken, touched or not; of `other` only
                                                      * what was registered */
    uint64_t part_resident[SHOAL_MEMORY_PART_COUNT]; /* sum: resident, and what of the weights
                                                      * other ranks touched */
    int64_t part_growth[SHOAL_MEMORY_PART_COUNT];    /* of resident, since the engine was open */
};
SHOAL_API void shoal_memory_now(struct shoal_engine *engine, struct shoal_memory *out);
/* A snapshot with a label, kept in the timeline. */
SHOAL_API void shoal_memory_mark(struct shoal_engine *engine, const char *label);
/* The timeline as CSV or JSON: every mark, and the samples of the thread that
 * options.memory_timeline starts. */
SHOAL_API enum shoal_status shoal_memory_timeline(struct shoal_engine *engine, bool as_json,
                                                  char **text, struct shoal_error *err);
/* A table of this rank's memory by part, as options.memory_report prints it at the end. */
SHOAL_API enum shoal_status shoal_memory_text(struct shoal_engine *engine, char **text,
                                              struct shoal_error *err);

/* Who holds what: the engine's own buffers, and those that a program adds to the list. */
struct shoal_buffer {
    const char *name, *owner; /* copied; cut after 31 bytes */
    uint64_t n_bytes;
    uint64_t (*size)(void *user); /* asked for the bytes instead of n_bytes; or NULL */
    void *user;
};
SHOAL_API enum shoal_status shoal_buffer_add(struct shoal_engine *engine,
                                             const struct shoal_buffer *buffer, int32_t *id,
                                             struct shoal_error *err);
SHOAL_API void shoal_buffer_remove(struct shoal_engine *engine, int32_t id);
/* A table of them, the largest first. */
SHOAL_API enum shoal_status shoal_buffers_text(struct shoal_engine *engine, char **text,
                                               struct shoal_error *err);

/* Leaks: what is held now, against a baseline. Both are to be called when nothing runs and all
 * events have been fetched. Memory of the program's own counts as `other`, except what it has added
 * to the list of buffers. */
struct shoal_leak {
    bool leaks;
    enum shoal_memory_part part; /* that grew most */
    int64_t growth;              /* bytes it gained */
    char text[256];              /* the same as a sentence */
};
SHOAL_API void shoal_leak_begin(struct shoal_engine *engine, uint64_t threshold);
SHOAL_API void shoal_leak_check(struct shoal_engine *engine, struct shoal_leak *out);

#ifdef __cplusplus
}
#endif
#endif
