#include "tokenizer/pretokenize.h"

#include "base/mem.h"
#include "base/text.h"
#include "tokenizer/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdint.h>
#include <string.h>

/* Unicode's White_Space, inside brackets; PCRE2's \s also takes U+180E, which is none. */
#define WHITE "\\p{Z}\\x{9}-\\x{d}\\x{85}"

struct rule {
    const char *name;
    const char *pattern;
    bool takes_whole_pieces;
};

static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d"
                                   "| ?\\p{L}+"
                                   "| ?\\p{N}+"
                                   "| ?[^" WHITE "\\p{L}\\p{N}]+"
                                   "|[" WHITE "]+(?![^" WHITE "])"
                                   "|[" WHITE "]+";

/* Digits are cut out one by one before anything else, so for the look-ahead the text ends there. */
static const char smollm_pattern[] = "\\p{N}"
                                     "|'s|'t|'re|'ve|'m|'ll|'d"
                                     "| ?\\p{L}+"
                                     "| ?[^" WHITE "\\p{L}\\p{N}]+"
                                     "|[" WHITE "]+(?![^" WHITE "\\p{N}])"
                                     "|[" WHITE "]+";

static const char llama3_pattern[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
                                     "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
                                     "|\\p{N}{1,3}"
                                     "| ?[^" WHITE "\\p{L}\\p{N}]+[\\r\\n]*"
                                     "|[" WHITE "]*[\\r\\n]+"
                                     "|[" WHITE "]+(?![^" WHITE "])"
                                     "|[" WHITE "]+";

static const char qwen2_pattern[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
                                    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
                                    "|\\p{N}"
                                    "| ?[^" WHITE "\\p{L}\\p{N}]+[\\r\\n]*"
                                    "|[" WHITE "]*[\\r\\n]+"
                                    "|[" WHITE "]+(?![^" WHITE "])"
                                    "|[" WHITE "]+";

static const struct rule rules[] = {
    {"gpt-2", gpt2_pattern, false},       {"smollm", smollm_pattern, false},
    {"starcoder", smollm_pattern, false}, {"refact", smollm_pattern, false},
    {"command-r", smollm_pattern, false}, {"llama-bpe", llama3_pattern, true},
    {"qwen2", qwen2_pattern, false},
};

struct pretokenizer {
    const struct rule *rule;
    pcre2_code *code;
    pcre2_match_context *context;
};

static const struct rule *find_rule(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strlen(rules[i].name) == n && memcmp(rules[i].name, name, n) == 0)
            return &rules[i];
    return NULL;
}

enum shoal_status pretokenizer_create(struct pretokenizer **out, const char *name, size_t n,
                                      struct shoal_error *err)
{
    const struct rule *rule = find_rule(name, n);
    struct pretokenizer *p;
    PCRE2_SIZE at;
    int code;

    *out = NULL;
    if (!rule)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "pre-tokenizer \"%.*s\" (tokenizer.ggml.pre): shoal has gpt-2, smollm, "
                          "starcoder, refact, command-r, llama-bpe and qwen2",
                          (int)(n < 64 ? n : 64), name);
    p = mem_new(1, sizeof *p);
    if (!p)
        return shoal_fail_memory(err, "pre-tokenizer", sizeof *p);
    p->rule = rule;
    p->context = pcre2_match_context_create(NULL);
    /* pieces lie end to end: each match begins where the one before it ended */
    p->code = pcre2_compile((PCRE2_SPTR)rule->pattern, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code, &at, NULL);
    if (!p->context || !p->code) {
        const bool is_memory = !p->context || code == PCRE2_ERROR_HEAP_FAILED;
        pretokenizer_destroy(p);
        if (is_memory)
            return shoal_fail_memory(err, "pre-tokenizer", 4096);
        return shoal_fail(err, SHOAL_E_INTERNAL,
                          "the pattern of pre-tokenizer %s does not compile at %zu (PCRE2 error "
                          "%d): PCRE2 must have been built with Unicode support",
                          rule->name, at, code);
    }
    /* the work is linear in the piece; a long run of blanks must not meet a limit */
    pcre2_set_match_limit(p->context, UINT32_MAX);
    pcre2_set_depth_limit(p->context, UINT32_MAX);
    pcre2_set_heap_limit(p->context, UINT32_MAX);
    /* where there is no JIT, pcre2_match interprets */
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    *out = p;
    return SHOAL_OK;
}

void pretokenizer_destroy(struct pretokenizer *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->context);
    mem_free(p);
}

bool pretokenizer_takes_whole_pieces(const struct pretokenizer *p)
{
    return p->rule->takes_whole_pieces;
}

enum shoal_status pretoken_begin(struct pretoken_walk *w, const struct pretokenizer *p,
                                 const char *text, size_t n, struct shoal_error *err)
{
    *w = (struct pretoken_walk){.p = p, .text = text, .n = n};
    if (utf8_valid(text, n))
        w->valid_end = n;
    w->match = pcre2_match_data_create(1, NULL);
    return w->match ? SHOAL_OK : shoal_fail_memory(err, "match data", 128);
}

enum shoal_status pretoken_next(struct pretoken_walk *w, size_t *start, size_t *length,
                                struct shoal_error *err)
{
    const PCRE2_SPTR subject = (PCRE2_SPTR)w->text + w->at;
    int code;

    *start = w->at;
    *length = 0;
    if (w->at == w->n)
        return SHOAL_OK;
    if (w->at == w->valid_end) {
        size_t step;
        while (w->valid_end < w->n &&
               (step = utf8_char(w->text + w->valid_end, w->n - w->valid_end)) > 0)
            w->valid_end += step;
        if (w->at == w->valid_end) {
            w->at = ++w->valid_end;
            *length = 1;
            return SHOAL_OK;
        }
    }
    const size_t n = w->valid_end - w->at;
    code = pcre2_match(w->p->code, subject, n, 0, PCRE2_NO_UTF_CHECK, w->match, w->p->context);
    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
        code = pcre2_match(w->p->code, subject, n, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, w->match,
                           w->p->context);
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAPLIMIT)
        return shoal_fail_memory(err, "pre-tokenizer's match", n);
    if (code < 0)
        return shoal_fail(err, SHOAL_E_INTERNAL, "pre-tokenizer %s: PCRE2 error %d",
                          w->p->rule->name, code);
    *length = pcre2_get_ovector_pointer(w->match)[1];
    w->at += *length;
    return SHOAL_OK;
}

void pretoken_end(struct pretoken_walk *w)
{
    pcre2_match_data_free(w->match);
    w->match = NULL;
}
