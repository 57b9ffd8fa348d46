/* tokenizer/support.h - vocabularies and texts for the tokenizer's tests */
#ifndef TESTS_TOKENIZER_SUPPORT_H
#define TESTS_TOKENIZER_SUPPORT_H

#include "base/rng.h"
#include "gguf/writer.h"
#include "tokenizer/tokenizer.h"

/* A GGUF that gguf_writer made, open. Fails the test when something goes wrong. */
struct memory_file {
    void *bytes;
    struct gguf *g;
};
struct memory_file finish_file(struct gguf_writer *w); /* destroys w */
void close_file(struct memory_file *f);

/* Writes what a byte-level BPE file has: the special tokens, the 256 bytes in ascending order, then
 * one token for each merge. kinds are the file's: 3 control, 4 user-defined. */
struct special_token {
    const char *text;
    int32_t kind;
};
void write_vocabulary(struct gguf_writer *w, const char *pre, const struct special_token special[],
                      int32_t n_special, const char *const merges[], int32_t n_merges);

/* The same with the control tokens <s>, </s> and <|im_start|> (ids 0 to 2) and the user-defined
 * <think> (3). */
enum { BPE_BYTES = 4, BPE_MERGED = 260 };
void write_bpe(struct gguf_writer *w, const char *pre, const char *const merges[], int32_t n);

/* The whole tokenizer of a file in memory or on disk. */
struct tokenizer *tokenizer_of(struct gguf *g);
struct tokenizer *tokenizer_at(const char *path);

/* text is n bytes, or ends in 0 when n is SIZE_MAX. */
struct token_list encode(const struct tokenizer *t, const char *text, size_t n, unsigned flags);
void expect_ids(const struct tokenizer *t, const char *text, size_t n, unsigned flags,
                const int32_t ids[], size_t n_ids);

/* All bytes of the tokens, control tokens dropped. */
struct text pieces_of(const struct tokenizer *t, const struct token_list *list);
/* The streaming detokenizer from its start to its finish; the text must be UTF-8 after each push.
 */
struct text stream_of(const struct tokenizer *t, const struct token_list *list, bool continues);
/* What decoding with U+FFFD for every ill-formed part gives, written without the detokenizer. */
struct text repaired(const char *bytes, size_t n);

/* A text of up to 60 characters, or of random bytes, of letters, digits, blanks, and characters of
 * every length. */
struct text random_text(struct rng *r);

/* The path of a file in the folder that an environment variable names; NULL, with a sentence on
 * stdout, when it is unset. name may be NULL for a variable that names the file. */
const char *path_from(const char *variable, const char *name, char path[static 4096]);
struct text file_text(const char *path);

#endif
