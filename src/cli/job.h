/* cli/job.h - a request under way, and what has come of it so far */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "base/text.h"
#include "cli/batch_request.h"

struct job_token {
    int32_t id;
    int32_t n_entries; /* of logprobs: its own, then the best */
    size_t first_entry;
};

struct job_choice {
    struct text text;
    struct job_token *tokens; /* (n_tokens) when a result needs them */
    size_t n_tokens, tokens_capacity;
    struct shoal_logprob *entries; /* (n_entries) */
    size_t n_entries, entries_capacity;
    int32_t n_generated;
    enum shoal_finish finish;
    int64_t first_token_ns, last_token_ns; /* 0: no token yet */
};

struct job {
    char *custom_id;
    int64_t line;
    bool is_chat, return_token_ids, wants_logprobs, wants_prompt_logprobs;
    uint64_t id; /* the engine's */
    int32_t n_choices, n_ended;
    struct job_choice *choices; /* (n_choices) */
    char *error;                /* of the first choice that ended with one, or NULL */

    int32_t *prompt_ids; /* (n_prompt) when a result needs them, else NULL */
    int32_t n_prompt, n_cached;
    struct shoal_logprob *prompt_logprobs; /* (n_prompt_logprobs), as in struct shoal_event */
    int32_t n_prompt_logprobs, prompt_logprobs_width;
    int64_t submitted_ns, ended_ns;
    bool has_failed;             /* something of it could not be kept for want of memory */
    struct job *next, *previous; /* of the list it is in */
};

/* Takes custom_id out of b. NULL: out of memory. */
struct job *job_create(struct batch_request *b);
void job_destroy(struct job *j); /* NULL is fine */

/* Keep what an event says. True when the last choice has ended with it. */
bool job_take_event(struct job *j, const struct shoal_event *event);
/* End what still runs without an event: the engine has stopped. */
void job_end(struct job *j, enum shoal_finish finish, const char *error);

/* The worst of its choices: error, then abort, then the others. */
enum shoal_finish job_finish(const struct job *j);
int64_t job_n_generated(const struct job *j);

#endif
