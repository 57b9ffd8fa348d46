/* tokenizer/piece.h - what the detokenizer sees of a tokenizer */
#ifndef TOKENIZER_PIECE_H
#define TOKENIZER_PIECE_H

#include "tokenizer/tokenizer.h"

/* The bytes of a token, control or not; owned by t. No bytes for an id out of range. */
const char *tokenizer_piece_bytes(const struct tokenizer *t, int32_t id, size_t *n);
/* True when encoding put a blank before the text, which detokenizing takes away again. */
bool tokenizer_adds_space_prefix(const struct tokenizer *t);

#endif
