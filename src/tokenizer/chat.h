/* tokenizer/chat.h - chat messages to prompt text, for the common template families
 *
 * A GGUF carries its chat template as a Jinja program. shoal does not run it: it recognises the
 * family by marks in the program's text and writes that family's format itself. */
#ifndef TOKENIZER_CHAT_H
#define TOKENIZER_CHAT_H

#include "tokenizer/tokenizer.h"

enum chat_family {
    CHAT_NONE, /* the file has no template */
    CHAT_UNKNOWN,
    CHAT_CHATML,
    CHAT_LLAMA2,
    CHAT_LLAMA3,
    CHAT_ZEPHYR,
    CHAT_GEMMA,
    CHAT_FAMILY_COUNT
};

struct chat_message {
    const char *role; /* "system", "user", "assistant" */
    const char *content;
    size_t n_content; /* bytes */
};

struct chat_template;

/* From tokenizer.chat_template (and the default system text that its program holds, where the
 * family inserts one). Fails only for want of memory; an unknown program fails when it is used. */
enum shoal_status chat_template_create(struct chat_template **out, const struct gguf *g,
                                       struct shoal_error *err);
void chat_template_destroy(struct chat_template *c);
enum chat_family chat_template_family(const struct chat_template *c);
const char *chat_family_name(enum chat_family family);

/* Appends the ids of the whole conversation with the turn of the assistant opened. The marks of the
 * template become special tokens; the contents never do. Errors: no or unknown template, a role the
 * family does not have, no message, an order of roles that the family refuses. */
enum shoal_status chat_encode(const struct chat_template *c, const struct tokenizer *t,
                              const struct chat_message messages[], int32_t n_messages,
                              struct token_list *out, struct shoal_error *err);

/* The same as text, for people and for tests. The begin token stands in it where the program writes
 * one; chat_encode puts one also where only the model asks for it (add_bos). */
enum shoal_status chat_render(const struct chat_template *c, const struct chat_message messages[],
                              int32_t n_messages, struct text *out, struct shoal_error *err);

#endif
