/* tokenizer/chat_format.h - the formats of the chat families */
#ifndef TOKENIZER_CHAT_FORMAT_H
#define TOKENIZER_CHAT_FORMAT_H

#include "tokenizer/chat_program.h"
#include "tokenizer/chat_sink.h"

struct chat_template {
    struct chat_style style;
    struct text default_system; /* ChatML; empty: none */
    struct text bos, eos;       /* as they are spelled */
};

/* SHOAL_OK when the family can write this conversation. */
enum shoal_status chat_format_check(const struct chat_template *c,
                                    const struct chat_message messages[], int32_t n_messages,
                                    struct shoal_error *err);

/* Writes a checked conversation and opens the assistant's turn. */
void chat_format_write(const struct chat_template *c, const struct chat_message messages[],
                       int32_t n_messages, struct chat_sink *sink);

#endif
