/* cli/batch_body.h - the fields of a request's body: a table, and who reads it */
#ifndef CLI_BATCH_BODY_H
#define CLI_BATCH_BODY_H

#include "cli/batch_request.h"

enum body_kind {
    BODY_INT,
    BODY_NUMBER,      /* float, from low */
    BODY_ABOVE,       /* float, above low */
    BODY_FLAG,        /* bool of struct batch_request */
    BODY_READ,        /* a function of its own */
    BODY_IGNORED,     /* of OpenAI's; means nothing here and hurts nobody */
    BODY_NO_EFFECT,   /* of OpenAI's; without effect here, which is said once */
    BODY_UNSUPPORTED, /* of OpenAI's; only with the value that asks for nothing */
};

struct body_reading {
    struct batch_request *b;
    bool wants_logprobs; /* chat: "logprobs": true */
    bool has_limit;      /* max_tokens or max_completion_tokens was there */
    int32_t top_logprobs;
    int32_t best_of; /* 0: not there */
};

struct body_field {
    const char *name;
    enum body_kind kind;
    size_t offset; /* in struct shoal_request; of BODY_FLAG in struct batch_request */
    double low, high;
    enum shoal_status (*read)(struct body_reading *r, const char *name, const json_t *value,
                              struct shoal_error *err);
};

/* Every field that is known. */
extern const struct body_field batch_fields[];
extern const size_t batch_n_fields;

/* Read the object into b->request and its arrays. b->is_chat is set; b->root holds body. */
enum shoal_status batch_body_read(struct batch_request *b, json_t *body,
                                  struct batch_warnings *warnings, struct shoal_error *err);

/* "messages": an array of {role, content}. */
enum shoal_status batch_messages_read(struct batch_request *b, const char *name,
                                      const json_t *value, struct shoal_error *err);

#endif
