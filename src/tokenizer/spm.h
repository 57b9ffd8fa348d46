/* tokenizer/spm.h - SentencePiece encoding, the kind with merges by score (Kudo, Richardson 2018)
 *
 * Text begins as one symbol a character; of the adjacent pairs that together are a token the one
 * with the highest score becomes one symbol, the left-most of equals. A character that ends up as
 * no token becomes byte tokens. Blanks are ordinary characters (the vocabulary has turned U+2581
 * into them). */
#ifndef TOKENIZER_SPM_H
#define TOKENIZER_SPM_H

#include "tokenizer/vocab.h"

struct spm;

/* Keeps v: borrowed, it outlives this. */
enum shoal_status spm_create(struct spm **out, const struct vocab *v, struct shoal_error *err);
void spm_destroy(struct spm *s);

/* What is known about a stretch of plain text: it may stand between marks, or beside user-defined
 * tokens, which are text too. */
struct spm_stretch {
    bool opens;  /* nothing of the run stands before it: the prefix blank goes here */
    bool closes; /* nothing of the run stands after it */
};

/* Appends the ids of n bytes of plain text. */
enum shoal_status spm_encode(const struct spm *s, const char *text, size_t n,
                             struct spm_stretch stretch, struct token_list *out,
                             struct shoal_error *err);

#endif
