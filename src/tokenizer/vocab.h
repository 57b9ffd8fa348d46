/* tokenizer/vocab.h - the tokens of a GGUF file: their bytes, kinds and scores, and the ids that
 * have a meaning of their own
 *
 * Reads the tokenizer.ggml.* keys and copies what it keeps. What text becomes which token is for
 * bpe.h and spm.h. */
#ifndef TOKENIZER_VOCAB_H
#define TOKENIZER_VOCAB_H

#include "tokenizer/tokenizer.h"

enum vocab_model { VOCAB_BPE, VOCAB_SPM, VOCAB_BYTES };

/* Numbered as in the file. */
enum token_kind {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN,
    TOKEN_CONTROL,
    TOKEN_USER_DEFINED,
    TOKEN_UNUSED,
    TOKEN_BYTE
};

struct vocab {
    enum vocab_model model;
    int32_t n;
    struct text bytes; /* of all tokens, end to end, as detokenizing writes them */
    size_t *starts;    /* (n + 1) into bytes */
    uint8_t *kinds;    /* (n) enum token_kind */
    float *scores;     /* (n) SentencePiece only, else NULL */
    bool add_space_prefix, remove_extra_whitespaces; /* SentencePiece only, else false */
    struct tokenizer_special special;
    int32_t *ends; /* (n_ends) ascending */
    int32_t n_ends;
};

/* On failure *v must still be given to vocab_fini. */
enum shoal_status vocab_init(struct vocab *v, const struct gguf *g, struct shoal_error *err);
void vocab_fini(struct vocab *v);

static inline const char *vocab_bytes(const struct vocab *v, int32_t id, size_t *n)
{
    *n = v->starts[id + 1] - v->starts[id];
    return v->bytes.bytes + v->starts[id];
}

/* True for a token that marks structure: control and unknown tokens, and user-defined ones spelled
 * like a mark ("<|tool|>"), since converters do not always say control where they should. Plain
 * text never becomes one unless the caller asks. */
bool vocab_is_mark(const struct vocab *v, int32_t id);

#endif
