/* engine/requests.h - the requests that the leader answers, and the choices of each
 *
 * A request of n choices is n sequences for the scheduler. Leader's thread. */
#ifndef ENGINE_REQUESTS_H
#define ENGINE_REQUESTS_H

#include "engine/output.h"
#include "shoal/shoal.h"
#include "step/sequence_id.h"

struct choice {
    enum shoal_finish finish; /* SHOAL_RUNNING until its last event */
    int32_t n_generated, n_cached, rank;
    int64_t admitted_ns, first_token_ns, last_token_ns; /* 0: not yet */
    bool has_prompt_logprobs;                           /* its first event has carried them */
    bool is_placed;                                     /* rank is where it runs or ran */
    int32_t n_preempted;                                /* times, as plugins were told */
    struct output output;
};

struct request {
    uint64_t id;
    struct request *next; /* in its bucket */
    char *name;
    int32_t *prompt; /* (n_prompt) */
    int32_t n_prompt;
    int32_t min_tokens;
    struct stop_texts stops;
    int32_t n_choices, n_left; /* that still run */
    struct choice *choices;
    bool no_text;
    struct shoal_logprob *prompt_logprobs; /* ((n_prompt - 1) * width) of choice 0, or NULL */
    int32_t prompt_logprobs_width;
    int64_t submitted_ns;
    shoal_event_func_t on_event;
    void *user;
};

struct requests {
    struct request **buckets; /* (n_buckets) */
    size_t n_buckets, n;
};

enum shoal_status requests_init(struct requests *r, struct shoal_error *err);
void requests_fini(struct requests *r); /* destroys what is left */
struct request *requests_find(const struct requests *r, uint64_t id);
enum shoal_status requests_add(struct requests *r, struct request *request,
                               struct shoal_error *err);
void requests_remove(struct requests *r, struct request *request); /* and destroys it */
void request_destroy(struct request *request);

#endif
