/* Log-probabilities in OpenAI's two shapes and in vLLM's. */
#include "base/json_out.h"
#include "cli/result_line.h"

#include <string.h>

enum { MAX_PIECE = 512, MAX_TOP = 24 };

/* The bytes of a token; a longer one is cut. */
struct piece {
    char bytes[MAX_PIECE];
    size_t n;
};

static void get_piece(const struct result_context *context, int32_t token, struct piece *p)
{
    p->n = shoal_token_piece(context->engine, token, p->bytes, sizeof p->bytes);
    if (p->n > sizeof p->bytes)
        p->n = utf8_whole(p->bytes, sizeof p->bytes);
}

/* A token as a JSON string. One that is no whole text is written as its bytes: "bytes:\xf0\x9f". */
static void put_piece(const struct piece *p, struct text *out)
{
    if (utf8_valid(p->bytes, p->n)) {
        json_put_string(out, p->bytes, p->n);
        return;
    }
    text_add_str(out, "\"bytes:");
    for (size_t i = 0; i < p->n; i++)
        text_printf(out, "\\\\x%02x", (unsigned char)p->bytes[i]);
    text_add_str(out, "\"");
}

/* Characters that begin in the piece, so that one split over tokens counts once. */
static int64_t n_characters(const struct piece *p)
{
    int64_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += ((unsigned char)p->bytes[i] & 0xc0) != 0x80;
    return n;
}

/* The entries of a token; NULL when it has none. */
static const struct shoal_logprob *entries_of(const struct job_choice *c, size_t i)
{
    return c->tokens[i].n_entries > 0 ? c->entries + c->tokens[i].first_entry : NULL;
}

static bool is_listed(const struct piece pieces[], int32_t n, const struct piece *p)
{
    for (int32_t i = 0; i < n; i++)
        if (pieces[i].n == p->n && memcmp(pieces[i].bytes, p->bytes, p->n) == 0)
            return true;
    return false;
}

/* {"token": logprob, ...} of the best ones, then the token itself where it is not among them. Two
 * tokens of one spelling are one key, the better one's. */
static void put_top(const struct result_context *context, const struct shoal_logprob entries[],
                    int32_t n, struct text *out)
{
    struct piece pieces[MAX_TOP];
    int32_t n_pieces = 0;

    text_add_str(out, "{");
    for (int32_t i = 1; i <= n && n_pieces < MAX_TOP; i++) {
        const struct shoal_logprob *entry = &entries[i % n];
        struct piece *p = &pieces[n_pieces];

        get_piece(context, entry->token, p);
        if (is_listed(pieces, n_pieces, p))
            continue;
        if (n_pieces++ > 0)
            text_add_str(out, ",");
        put_piece(p, out);
        text_add_str(out, ":");
        json_put_float(out, (double)entry->logprob);
    }
    text_add_str(out, "}");
}

void result_completion_logprobs(const struct result_context *context, const struct job_choice *c,
                                struct text *out)
{
    int64_t offset = 0;
    struct piece p;

    text_add_str(out, "{\"text_offset\":[");
    for (size_t i = 0; i < c->n_tokens; i++) {
        text_printf(out, i ? ",%lld" : "%lld", (long long)offset);
        get_piece(context, c->tokens[i].id, &p);
        offset += n_characters(&p);
    }
    text_add_str(out, "],\"token_logprobs\":[");
    for (size_t i = 0; i < c->n_tokens; i++) {
        if (i > 0)
            text_add_str(out, ",");
        if (c->tokens[i].n_entries > 0)
            json_put_float(out, (double)entries_of(c, i)->logprob);
        else
            text_add_str(out, "null");
    }
    text_add_str(out, "],\"tokens\":[");
    for (size_t i = 0; i < c->n_tokens; i++) {
        if (i > 0)
            text_add_str(out, ",");
        get_piece(context, c->tokens[i].id, &p);
        put_piece(&p, out);
    }
    text_add_str(out, "],\"top_logprobs\":[");
    for (size_t i = 0; i < c->n_tokens; i++) {
        if (i > 0)
            text_add_str(out, ",");
        put_top(context, entries_of(c, i), c->tokens[i].n_entries, out);
    }
    text_add_str(out, "]}");
}

/* "token":...,"logprob":...,"bytes":[...] */
static void put_chat_entry(const struct result_context *context, int32_t token, double logprob,
                           struct text *out)
{
    struct piece p;

    get_piece(context, token, &p);
    text_add_str(out, "\"token\":");
    put_piece(&p, out);
    text_add_str(out, ",\"logprob\":");
    json_put_float(out, logprob);
    text_add_str(out, ",\"bytes\":[");
    for (size_t i = 0; i < p.n; i++)
        text_printf(out, i ? ",%d" : "%d", (unsigned char)p.bytes[i]);
    text_add_str(out, "]");
}

void result_chat_logprobs(const struct result_context *context, const struct job_choice *c,
                          struct text *out)
{
    bool is_first = true;

    text_add_str(out, "{\"content\":[");
    for (size_t i = 0; i < c->n_tokens; i++) {
        const struct shoal_logprob *entries = entries_of(c, i);
        const int32_t n = c->tokens[i].n_entries;

        if (n == 0)
            continue;
        text_add_str(out, is_first ? "{" : ",{");
        is_first = false;
        put_chat_entry(context, entries[0].token, (double)entries[0].logprob, out);
        text_add_str(out, ",\"top_logprobs\":[");
        for (int32_t k = 1; k < n; k++) {
            text_add_str(out, k > 1 ? ",{" : "{");
            put_chat_entry(context, entries[k].token, (double)entries[k].logprob, out);
            text_add_str(out, "}");
        }
        text_add_str(out, "]}");
    }
    text_add_str(out, "]}");
}

/* One position: {"id": {"logprob", "rank", "decoded_token"}, ...}, the token that stands there and
 * the best, each once. */
static void put_position(const struct result_context *context, const struct shoal_logprob entries[],
                         int32_t n, struct text *out)
{
    struct piece p;

    text_add_str(out, "{");
    for (int32_t i = 0; i < n; i++) {
        if (i > 0 && entries[i].token == entries[0].token)
            continue;
        if (i > 0)
            text_add_str(out, ",");
        text_printf(out, "\"%d\":{\"logprob\":", entries[i].token);
        json_put_float(out, (double)entries[i].logprob);
        text_printf(out, ",\"rank\":%d,\"decoded_token\":", entries[i].rank);
        get_piece(context, entries[i].token, &p);
        json_put_string(out, p.bytes, p.n);
        text_add_str(out, "}");
    }
    text_add_str(out, "}");
}

void result_prompt_logprobs(const struct result_context *context, const struct job *j,
                            struct text *out)
{
    const int32_t width = j->prompt_logprobs_width;

    text_add_str(out, "[null"); /* nothing comes before the first token */
    for (int32_t i = 0; width > 0 && i + width <= j->n_prompt_logprobs; i += width) {
        text_add_str(out, ",");
        put_position(context, j->prompt_logprobs + i, width, out);
    }
    text_add_str(out, "]");
}
