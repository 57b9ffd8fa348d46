/* cli/batch_request.h - one line of input as a request
 *
 * A line is an OpenAI batch line ({"custom_id", "method", "url", "body"}) or, in the text format, a
 * prompt. Every field is checked for type and range here; what depends on the model (vocabulary,
 * context, chat template) is checked when the request is submitted. */
#ifndef CLI_BATCH_REQUEST_H
#define CLI_BATCH_REQUEST_H

#include "shoal/shoal.h"

#include <jansson.h>

struct batch_request {
    char *custom_id; /* "prompt-N" where the line has none; NULL only when out of memory */
    int64_t line;    /* from 1 */
    bool is_chat;    /* answered with a chat.completion object */
    bool return_token_ids;
    double arrival; /* seconds after start; 0: at once */
    struct shoal_request request;

    json_t *root; /* holds the texts that request points to; or */
    char *text;   /* the prompt's own copy */
    int32_t *prompt_ids, *stop_token_ids, *bias_ids;
    float *bias_values;
    const char **stop;
    struct shoal_message *messages;
    char **joined; /* (n_joined) contents that were given in parts */
    int32_t n_joined;
};

/* Which fields without effect have been warned about; zero it to begin. */
struct batch_warnings {
    uint32_t said; /* by the field's place in the table */
};

/* Read one JSON line of n bytes. On failure *out holds the line's number and, if it could be read,
 * its custom_id, so that the answer can name them. In any case batch_request_fini frees *out. */
enum shoal_status batch_request_read(struct batch_request *out, const char *bytes, size_t n,
                                     int64_t line, struct batch_warnings *warnings,
                                     struct shoal_error *err);
/* The same from plain text; everything but the prompt is taken from defaults, whose pointers are
 * borrowed until the request is freed. */
enum shoal_status batch_request_from_text(struct batch_request *out, const char *bytes, size_t n,
                                          int64_t line, const struct shoal_request *defaults,
                                          bool is_chat, struct shoal_error *err);
void batch_request_fini(struct batch_request *b); /* zeroed is fine */

#endif
