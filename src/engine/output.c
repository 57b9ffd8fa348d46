#include "engine/output.h"

#include <string.h>

void output_init(struct output *o, const struct tokenizer *t, const struct stop_texts *stops)
{
    *o = (struct output){.stops = stops};
    detokenizer_init(&o->detokenizer, t, true);
}

void output_fini(struct output *o)
{
    text_fini(&o->held);
}

/* Where the first of the stop texts begins in the held text; SIZE_MAX: nowhere. */
static size_t find_stop(const struct output *o)
{
    size_t best = SIZE_MAX;

    for (int32_t i = 0; i < o->stops->n && o->held.n > 0; i++) {
        const char *at = memmem(o->held.bytes, o->held.n, o->stops->texts[i], o->stops->lengths[i]);
        if (at && (size_t)(at - o->held.bytes) < best)
            best = (size_t)(at - o->held.bytes);
    }
    return best;
}

/* How many bytes at the end of the held text may be the beginning of a stop text. */
static size_t n_uncertain(const struct output *o)
{
    size_t most = 0;

    for (int32_t i = 0; i < o->stops->n; i++) {
        size_t n = o->stops->lengths[i] - 1;
        if (n > o->held.n)
            n = o->held.n;
        while (n > most && memcmp(o->held.bytes + o->held.n - n, o->stops->texts[i], n) != 0)
            n--;
        if (n > most)
            most = n;
    }
    return most;
}

/* Give out the first n held bytes and forget n_drop of them. */
static void give(struct output *o, size_t n, size_t n_drop, struct text *out)
{
    if (n > 0)
        text_add(out, o->held.bytes, n);
    if (n_drop > 0) {
        memmove(o->held.bytes, o->held.bytes + n_drop, o->held.n - n_drop + 1);
        o->held.n -= n_drop;
    }
}

bool output_push(struct output *o, int32_t token, bool checks_stops, struct text *out)
{
    detokenizer_push(&o->detokenizer, token, &o->held);
    const size_t stop = checks_stops ? find_stop(o) : SIZE_MAX;
    if (stop != SIZE_MAX) {
        give(o, stop, o->held.n, out);
        return true;
    }
    const size_t n = o->held.n - n_uncertain(o);
    give(o, n, n, out);
    return false;
}

void output_finish(struct output *o, struct text *out)
{
    detokenizer_finish(&o->detokenizer, &o->held);
    give(o, o->held.n, o->held.n, out);
}
