/* tokenizer/chat_sink.h - where a conversation is written to: text, or token ids
 *
 * Marks become special tokens. Everything else is collected and encoded as plain text when the next
 * mark comes, so that contents never become special tokens and yet are cut into pieces together
 * with the template's words around them. */
#ifndef TOKENIZER_CHAT_SINK_H
#define TOKENIZER_CHAT_SINK_H

#include "tokenizer/tokenizer.h"

struct chat_sink {
    const struct tokenizer *t; /* NULL: all goes to text, marks as they are spelled */
    struct token_list *ids;    /* when t is given */
    struct text *text;         /* the output; or what waits to be encoded */
    enum shoal_status status;  /* the first failure sticks */
    struct shoal_error *err;
};

/* A mark that is no token of this vocabulary is plain text. */
void chat_sink_mark(struct chat_sink *s, const char *text);
void chat_sink_token(struct chat_sink *s, int32_t id); /* t must be given */
void chat_sink_text(struct chat_sink *s, const char *text, size_t n);
void chat_sink_words(struct chat_sink *s, const char *text); /* ends in 0 */
/* After the last. The status of all that was written. */
enum shoal_status chat_sink_finish(struct chat_sink *s);

#endif
