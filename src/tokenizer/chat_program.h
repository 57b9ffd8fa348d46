/* tokenizer/chat_program.h - what can be told from the text of a chat template's program
 *
 * The program is not run; marks and string literals in its text are looked for. */
#ifndef TOKENIZER_CHAT_PROGRAM_H
#define TOKENIZER_CHAT_PROGRAM_H

#include "tokenizer/chat.h"

struct chat_style {
    enum chat_family family;
    bool trims;      /* white space around contents is taken off */
    bool has_system; /* Llama 2: <<SYS>>, blanks around answers, a begin token for each turn */
    bool writes_bos; /* the program puts the begin token itself */
    bool blank_before_answer, blank_after_end; /* Mistral's two spellings */
};

/* An empty program is CHAT_NONE. */
struct chat_style chat_program_style(struct gguf_string program);

/* The system text that a ChatML program inserts where the conversation has none; nothing is added
 * when it has no such text. Returns whether there is one. */
bool chat_program_default_system(struct gguf_string program, struct text *out);

#endif
