/* engine/output.h - generated tokens to text: streaming, and stop texts held back
 *
 * Text is given out as soon as it is certain: whole characters only, and never the beginning of
 * what may become a stop text. Belongs to one choice of a request; leader's thread. */
#ifndef ENGINE_OUTPUT_H
#define ENGINE_OUTPUT_H

#include "tokenizer/tokenizer.h"

/* The texts that end an output. Owned by the request. */
struct stop_texts {
    char **texts;    /* (n) */
    size_t *lengths; /* (n) bytes, at least 1 */
    int32_t n;
};

struct output {
    struct detokenizer detokenizer;
    const struct stop_texts *stops; /* borrowed */
    struct text held;               /* not given out yet */
};

void output_init(struct output *o, const struct tokenizer *t, const struct stop_texts *stops);
void output_fini(struct output *o);

/* The text that token makes certain is appended to out. True when a stop text was completed: what
 * stands before it is appended, the rest is dropped, and the output is at its end. checks_stops:
 * false before min_tokens were generated. */
bool output_push(struct output *o, int32_t token, bool checks_stops, struct text *out);
/* The end: appends what was held back. */
void output_finish(struct output *o, struct text *out);

#endif
