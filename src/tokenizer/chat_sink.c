#include "tokenizer/chat_sink.h"

#include <string.h>

/* Encodes what waits. */
static void flush(struct chat_sink *s)
{
    if (s->status != SHOAL_OK)
        return;
    if (s->text->failed) {
        s->status = shoal_fail_memory(s->err, "chat prompt", s->text->n);
    } else if (s->t && s->text->n > 0) {
        s->status = tokenizer_encode(s->t, s->text->bytes, s->text->n, 0, s->ids, s->err);
        text_clear(s->text);
    }
}

void chat_sink_token(struct chat_sink *s, int32_t id)
{
    flush(s);
    if (s->status == SHOAL_OK && !token_list_add(s->ids, id))
        s->status = shoal_fail_memory(s->err, "chat prompt", s->ids->n * sizeof id);
}

void chat_sink_mark(struct chat_sink *s, const char *text)
{
    const int32_t id = s->t ? tokenizer_find_special(s->t, text, strlen(text)) : -1;

    if (id < 0)
        chat_sink_words(s, text);
    else
        chat_sink_token(s, id);
}

void chat_sink_text(struct chat_sink *s, const char *text, size_t n)
{
    text_add(s->text, text, n);
}

void chat_sink_words(struct chat_sink *s, const char *text)
{
    text_add_str(s->text, text);
}

enum shoal_status chat_sink_finish(struct chat_sink *s)
{
    flush(s);
    return s->status;
}
