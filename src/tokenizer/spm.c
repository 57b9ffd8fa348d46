#include "tokenizer/spm.h"

#include "base/mem.h"
#include "tokenizer/merge.h"
#include "tokenizer/symbols.h"
#include "tokenizer/utf8.h"

#include <string.h>

struct spm {
    const struct vocab *vocab;
    struct symbols symbols;  /* the tokens that text can become */
    int32_t *token_of;       /* (symbols.n) */
    int32_t byte_token[256]; /* -1: none */
};

static bool is_text(const struct vocab *v, int32_t id)
{
    return v->kinds[id] == TOKEN_NORMAL || v->kinds[id] == TOKEN_USER_DEFINED ||
           v->kinds[id] == TOKEN_UNUSED;
}

static bool add_tokens(struct spm *s, const struct vocab *v)
{
    s->token_of = mem_new((size_t)v->n, sizeof *s->token_of);
    if (!s->token_of)
        return false;
    for (int32_t id = 0; id < v->n; id++) {
        const int32_t n_before = s->symbols.n;
        size_t n;
        const char *bytes = vocab_bytes(v, id, &n);
        int32_t symbol;
        if (v->kinds[id] == TOKEN_BYTE)
            s->byte_token[(uint8_t)bytes[0]] = id;
        if (!is_text(v, id) || n == 0)
            continue;
        if (!symbols_add(&s->symbols, bytes, n, &symbol))
            return false;
        if (symbol == n_before)
            s->token_of[symbol] = id;
    }
    return true;
}

enum shoal_status spm_create(struct spm **out, const struct vocab *v, struct shoal_error *err)
{
    struct spm *s = mem_new(1, sizeof *s);

    *out = NULL;
    if (!s)
        return shoal_fail_memory(err, "tokenizer", sizeof *s);
    s->vocab = v;
    for (int i = 0; i < 256; i++)
        s->byte_token[i] = -1;
    if (!add_tokens(s, v)) {
        spm_destroy(s);
        return shoal_fail_memory(err, "tokens", v->bytes.n);
    }
    *out = s;
    return SHOAL_OK;
}

void spm_destroy(struct spm *s)
{
    if (!s)
        return;
    symbols_fini(&s->symbols);
    mem_free(s->token_of);
    mem_free(s);
}

static int32_t find_token(const struct spm *s, const char *bytes, size_t n)
{
    const int32_t symbol = symbols_find(&s->symbols, bytes, n);

    return symbol < 0 ? -1 : s->token_of[symbol];
}

struct spm_rules {
    const struct spm *spm;
    const char *text;
};

static bool find_pair(const void *rules, const struct merge_symbol *left,
                      const struct merge_symbol *right, double *order, int32_t *id)
{
    const struct spm_rules *r = rules;

    *id = find_token(r->spm, r->text + left->start, left->n + right->n);
    if (*id < 0)
        return false;
    *order = -(double)r->spm->vocab->scores[*id];
    return true;
}

/* What the model sees: the prefix blank, and blanks for U+2581. */
static bool normalize(const struct spm *s, const char *text, size_t n, struct spm_stretch stretch,
                      struct text *out)
{
    const bool collapse = s->vocab->remove_extra_whitespaces;
    bool drop_blank = collapse && stretch.opens;

    if (stretch.opens && s->vocab->add_space_prefix) {
        text_add(out, " ", 1);
        drop_blank = collapse;
    }
    for (size_t i = 0; i < n;) {
        const bool is_mark = n - i >= 3 && memcmp(text + i, "\xe2\x96\x81", 3) == 0;
        const bool is_blank = is_mark || text[i] == ' ';
        if (!is_blank)
            text_add(out, text + i, 1);
        else if (!drop_blank)
            text_add(out, " ", 1);
        drop_blank = collapse && is_blank;
        i += is_mark ? 3 : 1;
    }
    if (collapse && stretch.closes)
        while (out->n > 0 && out->bytes[out->n - 1] == ' ')
            out->n--;
    return !out->failed;
}

/* One token a byte; a run of what has no token at all is one unknown token. */
static bool emit_bytes(const struct spm *s, const char *bytes, size_t n, bool *after_unknown,
                       struct token_list *out)
{
    const int32_t unknown = s->vocab->special.unknown;

    for (size_t i = 0; i < n; i++) {
        const int32_t id = s->byte_token[(uint8_t)bytes[i]];
        if (id < 0 && unknown >= 0 && !*after_unknown && !token_list_add(out, unknown))
            return false;
        if (id >= 0 && !token_list_add(out, id))
            return false;
        *after_unknown = id < 0;
    }
    return true;
}

static bool encode_normalized(const struct spm *s, struct merger *m, const char *text, size_t n,
                              struct token_list *out)
{
    const struct spm_rules rules = {s, text};
    bool after_unknown = false;

    for (size_t i = 0; i < n;) {
        const size_t length = utf8_char(text + i, n - i), taken = length ? length : 1;
        if (!merger_add(m, i, taken, find_token(s, text + i, taken)))
            return false;
        i += taken;
    }
    if (!merger_run(m, find_pair, &rules))
        return false;
    for (size_t i = 0; i != MERGE_END; i = m->symbols[i].next) {
        const struct merge_symbol *symbol = &m->symbols[i];
        if (symbol->id < 0) {
            if (!emit_bytes(s, text + symbol->start, symbol->n, &after_unknown, out))
                return false;
            continue;
        }
        after_unknown = false;
        if (!token_list_add(out, symbol->id))
            return false;
    }
    return true;
}

enum shoal_status spm_encode(const struct spm *s, const char *text, size_t n,
                             struct spm_stretch stretch, struct token_list *out,
                             struct shoal_error *err)
{
    struct text normalized = {0};
    struct merger merger = {0};
    bool ok = normalize(s, text, n, stretch, &normalized);

    if (ok && normalized.n > 0)
        ok = encode_normalized(s, &merger, normalized.bytes, normalized.n, out);
    merger_fini(&merger);
    text_fini(&normalized);
    return ok ? SHOAL_OK : shoal_fail_memory(err, "tokens of a text", n);
}
