#include "tokenizer/pretokenize.h"

#include "base/text.h"
#include "support/suite.h"

#include <string.h>

/* Pieces are shown with a | after each; the text is what is left without them. */
static const struct {
    const char *rule, *pieces;
} table[] = {
    {"gpt-2", "Hello| world|!|"},
    {"gpt-2", "  | two|    | x|"},
    {"gpt-2", "don|'t| you|'ll| I|'m| we|'ve| he|'d| it|'s| they|'re|"},
    {"gpt-2", "DON|'|T|"},
    {"gpt-2", "a|123| 456|b|"},
    {"gpt-2", "    \n|"},
    {"gpt-2", "a|  \n  | b|"},
    {"gpt-2", "x|\n|\n|y|"},
    {"gpt-2", "caf\xc3\xa9| \xe4\xbd\xa0\xe5\xa5\xbd|!?| \xf0\x9f\x98\x80|"},
    {"gpt-2", "a|\xc2\xa0|b|"},
    {"gpt-2", "a|\xe1\xa0\x8e|b|"}, /* U+180E is not white space */
    {"gpt-2", "a|\xc2\x85|b|"},
    {"gpt-2", "a| |\xc2\x85|b|"},
    {"gpt-2", "a| \xe1\xa0\x8e|b|"},
    {"gpt-2", "ab|\xff|\xc3|c|"},
    {"gpt-2", " |\xff| |"},
    {"smollm", "Hello| world|!|"},
    {"smollm", "a|1|2|3| |4|5|b|"},
    {"smollm", "a|  |5|  |"},
    {"smollm", "a| | b|"},
    {"smollm", "'|5|'s|"},
    {"smollm", "x|\xc2\xbd|\xe0\xa5\xa7|\xe2\x85\xa7|"}, /* fraction, digit, Roman numeral */
    {"smollm", "3|.|1|4|"},
    {"starcoder", "if|(|a|[|1|0|]):|\n   | b|"},
    {"llama-bpe", "Hello| world|!|"},
    {"llama-bpe", "DON|'T| you|'ll|"},
    {"llama-bpe", "a|123|456|7| |89|"},
    {"llama-bpe", "x| =| y|;\n\n|z|"},
    {"llama-bpe", "a| \n\n|  | b|"},
    {"llama-bpe", "a|  \n|"},
    {"llama-bpe", "\tx|\t\t|\ty|   |"},
    {"llama-bpe", "(x|)(|y|)|"},
    {"llama-bpe", "a|\r\n|b|"},
    {"qwen2", "a|1|2|3| |4|"},
    {"qwen2", "It|'S| OK|?!\r\n|"},
    {"qwen2", "   | x|"},
    {"qwen2", "_y| |\xff|z|"},
};

static void collect(const struct pretokenizer *p, const char *text, size_t n, struct text *out)
{
    struct pretoken_walk walk;
    struct shoal_error err;
    size_t start, length, at = 0;

    ck_assert_int_eq(pretoken_begin(&walk, p, text, n, &err), SHOAL_OK);
    for (;;) {
        ck_assert_int_eq(pretoken_next(&walk, &start, &length, &err), SHOAL_OK);
        ck_assert_uint_eq(start, at);
        if (length == 0)
            break;
        text_add(out, text + start, length);
        text_add(out, "|", 1);
        at += length;
    }
    ck_assert_uint_eq(at, n);
    pretoken_end(&walk);
}

START_TEST(pieces)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text text = {0}, got = {0};
        struct pretokenizer *p;
        struct shoal_error err = {0};

        ck_assert_msg(pretokenizer_create(&p, table[i].rule, strlen(table[i].rule), &err) ==
                          SHOAL_OK,
                      "%s", err.text);
        for (const char *c = table[i].pieces; *c; c++)
            if (*c != '|')
                text_add(&text, c, 1);
        collect(p, text.bytes, text.n, &got);
        ck_assert_msg(strcmp(got.bytes, table[i].pieces) == 0, "%s: %s, not %s", table[i].rule,
                      got.bytes, table[i].pieces);
        text_fini(&text);
        text_fini(&got);
        pretokenizer_destroy(p);
    }
}
END_TEST

START_TEST(names_that_are_refused)
{
    static const char *const names[] = {"gpt-3", "gpt-", "gpt-2x", "", "bert"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct pretokenizer *p;
        struct shoal_error err = {0};
        ck_assert_int_eq(pretokenizer_create(&p, names[i], strlen(names[i]), &err),
                         SHOAL_E_UNSUPPORTED);
        ck_assert_ptr_null(p);
        ck_assert_ptr_nonnull(strstr(err.text, "smollm"));
    }
}
END_TEST

/* A piece can be as long as the text: no limit of the matcher may end it. */
START_TEST(long_runs_are_one_piece)
{
    static const char *const rules[] = {"gpt-2", "smollm", "llama-bpe", "qwen2"};
    enum { N = 3000000 };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (const char *c = " a!"; *c; c++) {
            struct pretokenizer *p;
            struct pretoken_walk walk;
            struct shoal_error err = {0};
            struct text text = {0};
            size_t start, length;
            ck_assert(text_reserve(&text, N));
            memset(text.bytes, *c, N);
            ck_assert(pretokenizer_create(&p, rules[i], strlen(rules[i]), &err) == SHOAL_OK);
            ck_assert(pretoken_begin(&walk, p, text.bytes, N, &err) == SHOAL_OK);
            ck_assert_msg(pretoken_next(&walk, &start, &length, &err) == SHOAL_OK, "%s", err.text);
            ck_assert_uint_eq(length, N);
            pretoken_end(&walk);
            pretokenizer_destroy(p);
            text_fini(&text);
        }
}
END_TEST

SUITE("pretokenize", pieces, names_that_are_refused, long_runs_are_one_piece)
