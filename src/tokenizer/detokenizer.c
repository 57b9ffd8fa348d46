#include "tokenizer/tokenizer.h"

#include "tokenizer/piece.h"

#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void detokenizer_init(struct detokenizer *d, const struct tokenizer *t, bool continues_text)
{
    *d =
        (struct detokenizer){.t = t, .at_start = !continues_text && tokenizer_adds_space_prefix(t)};
}

/* What is held is the start of a character, at most three bytes. One more byte makes it whole,
 * makes it longer, or shows that it never was one; then the byte is looked at again on its own. */
static void push_byte(struct detokenizer *d, uint8_t byte, struct text *out)
{
    d->held[d->n_held++] = byte;
    if (utf8_valid(d->held, d->n_held)) {
        text_add(out, d->held, d->n_held);
        d->n_held = 0;
        return;
    }
    if (utf8_whole(d->held, d->n_held) == 0)
        return;
    const bool was_alone = d->n_held == 1;
    text_add_str(out, replacement);
    d->n_held = 0;
    if (!was_alone)
        push_byte(d, byte, out);
}

void detokenizer_push(struct detokenizer *d, int32_t id, struct text *out)
{
    size_t n;
    const char *bytes = tokenizer_piece_bytes(d->t, id, &n);

    if (n == 0 || tokenizer_is_control(d->t, id))
        return;
    if (d->at_start && bytes[0] == ' ') {
        bytes++;
        n--;
    }
    d->at_start = false;
    if (d->n_held == 0 && utf8_valid(bytes, n)) {
        text_add(out, bytes, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        push_byte(d, (uint8_t)bytes[i], out);
}

void detokenizer_finish(struct detokenizer *d, struct text *out)
{
    if (d->n_held > 0)
        text_add_str(out, replacement);
    d->n_held = 0;
}
