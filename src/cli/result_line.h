/* cli/result_line.h - a finished request as a line of JSON, in the shape of OpenAI's batch results
 */
#ifndef CLI_RESULT_LINE_H
#define CLI_RESULT_LINE_H

#include "cli/job.h"

#include <time.h>

struct result_context {
    const struct shoal_engine *engine; /* for the pieces of tokens; borrowed */
    const char *model;                 /* its name in the answers; borrowed */
    time_t created;
};

/* Append the line of a job whose choices have all ended, with its end of line. */
void result_line_print(const struct result_context *context, const struct job *j, struct text *out);
/* The line of a request that never ran. */
void result_line_refuse(const char *custom_id, int64_t line, const struct shoal_error *err,
                        struct text *out);

/* Parts of it: the value of "logprobs" of a choice in the two shapes, and "prompt_logprobs". */
void result_completion_logprobs(const struct result_context *context, const struct job_choice *c,
                                struct text *out);
void result_chat_logprobs(const struct result_context *context, const struct job_choice *c,
                          struct text *out);
void result_prompt_logprobs(const struct result_context *context, const struct job *j,
                            struct text *out);

#endif
