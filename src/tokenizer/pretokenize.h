/* tokenizer/pretokenize.h - cutting text into the pieces that byte-level BPE merges within
 *
 * One regular expression a rule (PCRE2, with Unicode properties, compiled once). Every character
 * belongs to exactly one piece; a byte that is not UTF-8 is a piece of its own. */
#ifndef TOKENIZER_PRETOKENIZE_H
#define TOKENIZER_PRETOKENIZE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct pretokenizer;

/* By the name in tokenizer.ggml.pre (n bytes); unknown names are refused. */
enum shoal_status pretokenizer_create(struct pretokenizer **out, const char *name, size_t n,
                                      struct shoal_error *err);
void pretokenizer_destroy(struct pretokenizer *p);
/* A piece that is a token as it stands is taken without merging. */
bool pretokenizer_takes_whole_pieces(const struct pretokenizer *p);

/* One walk over a text: begin, next until it gives no piece, end. Each walk belongs to one thread.
 */
struct pretoken_walk {
    const struct pretokenizer *p;
    const char *text; /* (n) borrowed */
    size_t n, at;
    size_t valid_end; /* text is UTF-8 from at to here */
    void *match;
};

enum shoal_status pretoken_begin(struct pretoken_walk *w, const struct pretokenizer *p,
                                 const char *text, size_t n, struct shoal_error *err);
/* Sets *start and *length of the next piece; *length is 0 at the end. */
enum shoal_status pretoken_next(struct pretoken_walk *w, size_t *start, size_t *length,
                                struct shoal_error *err);
void pretoken_end(struct pretoken_walk *w);

#endif
