#include "support.h"

#include "base/mem.h"
#include "support/suite.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The file's texts become the ids that the sentencepiece package gives, and come back. */
static void check_vectors(const char *name, bool is_lossless)
{
    char path[4096], file[64];
    json_error_t error;
    json_t *cases, *one;
    size_t i;
    struct tokenizer *t;

    snprintf(file, sizeof file, "tokenizer/%s.gguf", name);
    if (!path_from("SHOAL_TEST_DATA", file, path))
        return;
    t = tokenizer_at(path);
    snprintf(file, sizeof file, "tokenizer/%s.json", name);
    path_from("SHOAL_TEST_DATA", file, path);
    cases = json_load_file(path, JSON_ALLOW_NUL, &error);
    ck_assert_msg(cases != NULL, "%s: %s", path, error.text);
    json_array_foreach(cases, i, one)
    {
        const json_t *text = json_object_get(one, "text"), *ids = json_object_get(one, "ids");
        const size_t n = json_string_length(text), n_ids = json_array_size(ids);
        int32_t *wanted = mem_new(n_ids, sizeof *wanted);
        struct token_list list = encode(t, json_string_value(text), n, 0);
        struct text back = stream_of(t, &list, false);
        for (size_t k = 0; k < n_ids; k++)
            wanted[k] = (int32_t)json_integer_value(json_array_get(ids, k));
        expect_ids(t, json_string_value(text), n, 0, wanted, n_ids);
        /* a U+2581 in the text comes back as a blank */
        if (is_lossless && !strstr(json_string_value(text), "\xe2\x96\x81")) {
            ck_assert_uint_eq(back.n, n);
            ck_assert(memcmp(back.bytes, json_string_value(text), n) == 0);
        }
        text_fini(&back);
        token_list_fini(&list);
        mem_free(wanted);
    }
    ck_assert_uint_gt(json_array_size(cases), 60);
    json_decref(cases);
    tokenizer_destroy(t);
}

START_TEST(equals_sentencepiece_with_byte_tokens)
{
    check_vectors("spm-bytes", true);
}
END_TEST

START_TEST(equals_sentencepiece_without_byte_tokens)
{
    check_vectors("spm-unknown", false);
}
END_TEST

/* "ab" beats "bc", "aa" ties with "ba"; "cc" is a control token, which no text may become. */
static const char *const tokens[] = {"<unk>",
                                     "<s>",
                                     "</s>",
                                     "<tag>",
                                     "\xe2\x96\x81",
                                     "a",
                                     "b",
                                     "c",
                                     "ab",
                                     "bc",
                                     "aa",
                                     "\xe2\x96\x81\x61",
                                     "\xe2\x96\x81\xe2\x96\x81",
                                     "ba",
                                     "cc"};
static const float scores[] = {0, 0, 0, 0, -9, -9, -9, -9, -1, -2, -3, -4, -5, -3, 9};
static const int32_t kinds[] = {2, 3, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3};
enum { N_TOKENS = sizeof tokens / sizeof *tokens };

static struct gguf_writer *small_file(void)
{
    struct gguf_writer *w = gguf_writer_create();

    gguf_write_string(w, "tokenizer.ggml.model", "llama");
    gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, NULL, N_TOKENS);
    gguf_write_f32s(w, "tokenizer.ggml.scores", scores, N_TOKENS);
    gguf_write_i32s(w, "tokenizer.ggml.token_type", kinds, N_TOKENS);
    return w;
}

START_TEST(merges_and_blanks)
{
    static const struct {
        const char *text;
        unsigned flags;
        size_t n;
        int32_t ids[12];
    } table[] = {
        {"", 0, 0, {0}},
        {"", TOKENIZE_ADD_BOS_EOS, 1, {1}},
        {"a", 0, 1, {11}},
        {"a", TOKENIZE_ADD_BOS_EOS, 2, {1, 11}},
        {"abc", 0, 3, {4, 8, 7}},
        {"cabc", 0, 4, {4, 7, 8, 7}},
        {"cc", 0, 3, {4, 7, 7}},
        {"acc", TOKENIZE_SPECIAL, 2, {11, 14}},
        {"caaac", 0, 5, {4, 7, 10, 5, 7}}, /* the left-most of two equal pairs */
        {"cbaac", 0, 5, {4, 7, 13, 5, 7}}, /* and of two pairs with equal scores */
        {" a", 0, 2, {4, 11}},
        {"  ", 0, 2, {12, 4}},
        {"xyz", 0, 2, {4, 0}}, /* a run of unknown characters is one token */
        {"x\xff\xc3z"
         "a"
         "x",
         0,
         4,
         {4, 0, 5, 0}},
        {"<tag>", 0, 2, {4, 3}},
        {"a<tag>a", 0, 3, {11, 3, 5}},
        {"<s>", 0, 2, {4, 0}}, /* control tokens are no text */
        {"<s>", TOKENIZE_SPECIAL, 1, {1}},
        {"<s>a</s>a", TOKENIZE_SPECIAL, 4, {1, 11, 2, 11}},
        {"<s><tag>", TOKENIZE_SPECIAL, 3, {1, 4, 3}},
    };
    struct memory_file f = finish_file(small_file());
    struct tokenizer *t = tokenizer_of(f.g);

    close_file(&f); /* nothing of the file is needed any more */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_ids(t, table[i].text, SIZE_MAX, table[i].flags, table[i].ids, table[i].n);
    ck_assert_int_eq(tokenizer_special(t)->bos, 1);
    ck_assert_int_eq(tokenizer_special(t)->eos, 2);
    ck_assert_int_eq(tokenizer_special(t)->unknown, 0);
    ck_assert_int_eq(tokenizer_special(t)->padding, -1);
    ck_assert(tokenizer_special(t)->add_bos && !tokenizer_special(t)->add_eos);
    tokenizer_destroy(t);
}
END_TEST

START_TEST(blanks_as_the_file_says)
{
    static const struct {
        bool prefix, remove;
        const char *text;
        size_t n;
        int32_t ids[8];
    } table[] = {
        {false, false, "a", 1, {5}},
        {false, false, " a", 1, {11}},
        {true, true, "  a  b ", 3, {11, 4, 6}},
        {false, true, "  a  b ", 3, {5, 4, 6}},
        {true, true, "   ", 0, {0}},
        {true, true, "a <tag> b", 5, {11, 4, 3, 4, 6}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gguf_writer *w = small_file();
        struct memory_file f;
        struct tokenizer *t;
        gguf_write_bool(w, "tokenizer.ggml.add_space_prefix", table[i].prefix);
        gguf_write_bool(w, "tokenizer.ggml.remove_extra_whitespaces", table[i].remove);
        f = finish_file(w);
        t = tokenizer_of(f.g);
        expect_ids(t, table[i].text, SIZE_MAX, 0, table[i].ids, table[i].n);
        tokenizer_destroy(t);
        close_file(&f);
    }
}
END_TEST

START_TEST(the_prefix_blank_is_taken_away_again)
{
    struct memory_file f = finish_file(small_file());
    struct tokenizer *t = tokenizer_of(f.g);
    struct token_list list = encode(t, " a", SIZE_MAX, TOKENIZE_ADD_BOS_EOS);
    struct text first = stream_of(t, &list, false), later = stream_of(t, &list, true);

    ck_assert_str_eq(first.bytes, " a");
    ck_assert_str_eq(later.bytes, "  a");
    text_fini(&first);
    text_fini(&later);
    token_list_fini(&list);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

START_TEST(files_that_are_refused)
{
    static const char *const bad_byte[] = {"<0xZZ>"};
    static const int32_t byte_kind[] = {6};
    static const float not_a_number[N_TOKENS] = {NAN};
    enum { NO_SCORES, SHORT_SCORES, NAN_SCORE, BAD_BYTE, SHORT_KINDS, N_CASES };

    for (int i = 0; i < N_CASES; i++) {
        struct gguf_writer *w = gguf_writer_create();
        struct shoal_error err = {0};
        struct tokenizer *t;
        struct memory_file f;
        gguf_write_string(w, "tokenizer.ggml.model", "llama");
        if (i == BAD_BYTE) {
            gguf_write_strings(w, "tokenizer.ggml.tokens", bad_byte, NULL, 1);
            gguf_write_i32s(w, "tokenizer.ggml.token_type", byte_kind, 1);
            gguf_write_f32s(w, "tokenizer.ggml.scores", scores, 1);
        } else {
            gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, NULL, N_TOKENS);
        }
        if (i == SHORT_SCORES)
            gguf_write_f32s(w, "tokenizer.ggml.scores", scores, N_TOKENS - 1);
        if (i == NAN_SCORE)
            gguf_write_f32s(w, "tokenizer.ggml.scores", not_a_number, N_TOKENS);
        if (i == SHORT_KINDS) {
            gguf_write_f32s(w, "tokenizer.ggml.scores", scores, N_TOKENS);
            gguf_write_i32s(w, "tokenizer.ggml.token_type", kinds, 3);
        }
        f = finish_file(w);
        ck_assert_msg(tokenizer_create(&t, f.g, &err) == SHOAL_E_FORMAT, "case %d", i);
        ck_assert_ptr_null(t);
        ck_assert_msg(strncmp(err.text, "test: ", 6) == 0, "%s", err.text);
        close_file(&f);
    }
}
END_TEST

/* A long piece is one row of symbols for the merge loop. */
START_TEST(long_runs)
{
    char path[4096];
    struct tokenizer *t;

    if (!path_from("SHOAL_TEST_DATA", "tokenizer/spm-bytes.gguf", path))
        return;
    t = tokenizer_at(path);
    for (const char *c = "a \xff"; *c; c++) {
        struct text text = {0}, back;
        struct token_list list;
        ck_assert(text_reserve(&text, 100000));
        memset(text.bytes, *c, 100000);
        text.n = 100000;
        list = encode(t, text.bytes, text.n, 0);
        back = pieces_of(t, &list);
        ck_assert_uint_eq(back.n, text.n + 1);
        ck_assert(memcmp(back.bytes + 1, text.bytes, text.n) == 0);
        text_fini(&text);
        text_fini(&back);
        token_list_fini(&list);
    }
    tokenizer_destroy(t);
}
END_TEST

SUITE("spm", merges_and_blanks, blanks_as_the_file_says, the_prefix_blank_is_taken_away_again,
      files_that_are_refused, long_runs, equals_sentencepiece_with_byte_tokens,
      equals_sentencepiece_without_byte_tokens)
