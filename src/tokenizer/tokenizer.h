/* tokenizer/tokenizer.h - text to token ids and back, from the vocabulary in a GGUF file
 *
 * Byte-level BPE (tokenizer.ggml.model = "gpt2"; Sennrich et al. 2016, GPT-2's byte map and
 * pre-tokenizers), SentencePiece ("llama"; merges by score, byte fall-back, leading-space rule),
 * and plain bytes ("bytes", of the built-in tiny model: id = byte). Everything that encoding needs
 * is made at create. Encoding allocates; decoding into a struct detokenizer does not. A tokenizer
 * is read-only after create: any thread may use it, each with its own struct text and detokenizer.
 */
#ifndef TOKENIZER_TOKENIZER_H
#define TOKENIZER_TOKENIZER_H

#include "base/status.h"
#include "base/text.h"
#include "gguf/gguf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tokenizer;

/* Builds from the file's tokenizer.ggml.* keys; copies what it keeps, so that g may be closed.
 * Refuses other models and pre-tokenizers by name; an absent `pre` warns and uses gpt-2's. */
enum shoal_status tokenizer_create(struct tokenizer **out, const struct gguf *g,
                                   struct shoal_error *err);
void tokenizer_destroy(struct tokenizer *t);

int32_t tokenizer_n_vocab(const struct tokenizer *t);

/* Ids as the file names them; -1 when there is none. */
struct tokenizer_special {
    int32_t bos, eos, unknown, padding;
    bool add_bos, add_eos;
};
const struct tokenizer_special *tokenizer_special(const struct tokenizer *t);

/* True for every id that ends a generation: eos, eot, eom, and the tokens that are known to by
 * their text. */
bool tokenizer_is_end(const struct tokenizer *t, int32_t id);
/* All of them, ascending; *n ids, owned by t. */
const int32_t *tokenizer_ends(const struct tokenizer *t, int32_t *n);
/* Control tokens, the unknown token among them, are dropped by detokenizing. */
bool tokenizer_is_control(const struct tokenizer *t, int32_t id);
/* The special token spelled by the n bytes, or -1. */
int32_t tokenizer_find_special(const struct tokenizer *t, const char *text, size_t n);

/* A growing array of ids; zero it to begin. */
struct token_list {
    int32_t *ids; /* (n) */
    size_t n, capacity;
};
bool token_list_add(struct token_list *list, int32_t id); /* false: out of memory */
void token_list_fini(struct token_list *list);

enum tokenize_flags {
    TOKENIZE_SPECIAL = 1,     /* special tokens written in the text become their ids */
    TOKENIZE_ADD_BOS_EOS = 2, /* begin and end tokens as the model says */
};

/* Appends the ids of the n bytes of text. Text that is not UTF-8 is encoded byte by byte, never
 * refused; a byte that the vocabulary has no token for is left out (BPE) or unknown
 * (SentencePiece). User-defined tokens are text and always found, except those spelled like a mark
 * ("<|tool|>"), which need TOKENIZE_SPECIAL as control tokens do. Fails only for want of memory. */
enum shoal_status tokenizer_encode(const struct tokenizer *t, const char *text, size_t n,
                                   unsigned flags, struct token_list *out, struct shoal_error *err);

/* Appends the bytes of one token as they stand (SentencePiece's U+2581 as a blank), control tokens
 * too when with_control. Out-of-range ids add nothing. */
void tokenizer_piece(const struct tokenizer *t, int32_t id, bool with_control, struct text *out);

/* Streaming detokenizer: a character that is split over tokens is held back until it is whole.
 * Zeroed by detokenizer_init; no allocation. */
struct detokenizer {
    const struct tokenizer *t; /* borrowed */
    uint8_t held[4];           /* the start of a character */
    uint8_t n_held;
    bool at_start; /* SentencePiece: the first blank is dropped if a prefix was added */
};
/* continues_text: what comes follows a prompt, so a leading blank is kept. */
void detokenizer_init(struct detokenizer *d, const struct tokenizer *t, bool continues_text);
/* Appends to out what token id makes whole: valid UTF-8 (bytes that can never be become U+FFFD). */
void detokenizer_push(struct detokenizer *d, int32_t id, struct text *out);
/* At the end: a character that stayed incomplete becomes U+FFFD. */
void detokenizer_finish(struct detokenizer *d, struct text *out);

#endif
