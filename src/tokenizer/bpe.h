/* tokenizer/bpe.h - byte-level byte-pair encoding (Sennrich et al. 2016)
 *
 * A piece of the pre-tokenizer begins as one symbol a byte; the adjacent pair with the lowest rank
 * in the merge list becomes one, the left-most of equals, until none is left. */
#ifndef TOKENIZER_BPE_H
#define TOKENIZER_BPE_H

#include "tokenizer/vocab.h"

struct bpe;

/* Copies what it keeps. */
enum shoal_status bpe_create(struct bpe **out, const struct gguf *g, const struct vocab *v,
                             struct shoal_error *err);
void bpe_destroy(struct bpe *b);

/* Appends the ids of n bytes of plain text. A byte that has no token is left out. */
enum shoal_status bpe_encode(const struct bpe *b, const char *text, size_t n,
                             struct token_list *out, struct shoal_error *err);

#endif
