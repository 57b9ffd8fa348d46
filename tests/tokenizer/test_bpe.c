#include "support.h"

#include "support/suite.h"

#include <string.h>

/* Ids 260 to 266 in this order; a blank is written as U+0120. */
static const char *const merges[] = {
    "a b",
    "b c",
    "ab c",
    "\xc4\xa0 a",
    "a a",
    "aa aa",
    "\xc4\xa0"
    "a b",
};
enum { AB = BPE_MERGED, BC, ABC, BLANK_A, AA, AAAA, BLANK_AB, N_MERGES = 7 };

static int32_t byte_id(int byte)
{
    return BPE_BYTES + byte;
}

START_TEST(merges_by_rank)
{
    const int32_t a = byte_id('a'), b = byte_id('b'), c = byte_id('c'), x = byte_id('x');
    const struct {
        const char *text;
        size_t n;
        int32_t ids[8];
    } table[] = {
        {"", 0, {0}},
        {"a", 1, {a}},
        {"abc", 1, {ABC}},
        {"bc", 1, {BC}},
        {"xbc", 2, {x, BC}},
        {"xbabc", 3, {x, b, ABC}},
        {"aaa", 2, {AA, a}},
        {"aaaaa", 2, {AAAA, a}},
        {" ab", 2, {byte_id(' '), AB}}, /* "a b" comes before the blank's merge */
        {" ac", 2, {BLANK_A, c}},
        {"a1b", 3, {a, byte_id('1'), b}},
        {"\xff", 1, {byte_id(0xff)}},
        {"a\xc3"
         "b",
         3,
         {a, byte_id(0xc3), b}},
        {"\n\xc2\xad", 3, {byte_id('\n'), byte_id(0xc2), byte_id(0xad)}},
    };
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    write_bpe(w, "smollm", merges, N_MERGES);
    f = finish_file(w);
    t = tokenizer_of(f.g);
    close_file(&f);
    ck_assert_int_eq(tokenizer_n_vocab(t), BPE_MERGED + N_MERGES);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_ids(t, table[i].text, SIZE_MAX, 0, table[i].ids, table[i].n);
    expect_ids(t, "a\0b", 3, 0, (const int32_t[]){a, byte_id(0), b}, 3);
    tokenizer_destroy(t);
}
END_TEST

START_TEST(special_tokens_only_when_asked)
{
    const int32_t less = byte_id('<'), more = byte_id('>'), s = byte_id('s'), slash = byte_id('/');
    const struct {
        const char *text;
        unsigned flags;
        size_t n;
        int32_t ids[8];
    } table[] = {
        {"<s>", 0, 3, {less, s, more}},
        {"<s>", TOKENIZE_SPECIAL, 1, {0}},
        {"a<s></s>", TOKENIZE_SPECIAL, 3, {byte_id('a'), 0, 1}},
        {"<</s>", TOKENIZE_SPECIAL, 2, {less, 1}},
        {"</s", TOKENIZE_SPECIAL, 3, {less, slash, s}},
        {"<think>", 0, 1, {3}}, /* a user-defined token is text */
        {"<think>", TOKENIZE_SPECIAL, 1, {3}},
        {"<|im_start|>", TOKENIZE_SPECIAL, 1, {2}},
        {"a", TOKENIZE_ADD_BOS_EOS, 3, {0, byte_id('a'), 1}},
        {"", TOKENIZE_ADD_BOS_EOS, 2, {0, 1}},
        {"<s>", TOKENIZE_ADD_BOS_EOS | TOKENIZE_SPECIAL, 3, {0, 0, 1}},
    };
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    write_bpe(w, "gpt-2", merges, N_MERGES);
    gguf_write_u32(w, "tokenizer.ggml.bos_token_id", 0);
    gguf_write_u32(w, "tokenizer.ggml.eos_token_id", 1);
    gguf_write_bool(w, "tokenizer.ggml.add_bos_token", true);
    gguf_write_bool(w, "tokenizer.ggml.add_eos_token", true);
    f = finish_file(w);
    t = tokenizer_of(f.g);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_ids(t, table[i].text, SIZE_MAX, table[i].flags, table[i].ids, table[i].n);
    ck_assert_int_eq(tokenizer_find_special(t, "</s>", 4), 1);
    ck_assert_int_eq(tokenizer_find_special(t, "</s>x", 5), -1);
    ck_assert_int_eq(tokenizer_find_special(t, "</s", 3), -1);
    ck_assert(tokenizer_is_control(t, 2) && !tokenizer_is_control(t, 3));
    ck_assert(!tokenizer_is_control(t, -1) && !tokenizer_is_control(t, 1 << 30));
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

/* Tokens of a file of special tokens, longest first where several fit; all but the first byte
 * tokens are left out on purpose. */
START_TEST(the_longest_special_token_wins_and_ends_are_known_by_text)
{
    static const char *const tokens[] = {"<|a|>", "<|a|>b",        "<|im_end|>", "<EOT>", "a",
                                         "b",     "<|endoftext|>", "<|tool|>",   "ab",    "x"};
    static const int32_t kinds[] = {3, 3, 1, 3, 1, 1, 3, 4, 4, 1};
    static const char *const none[] = {"a b"};
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;
    int32_t n;

    gguf_write_string(w, "tokenizer.ggml.model", "gpt2");
    gguf_write_string(w, "tokenizer.ggml.pre", "gpt-2");
    gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, NULL, 10);
    gguf_write_i32s(w, "tokenizer.ggml.token_type", kinds, 10);
    gguf_write_strings(w, "tokenizer.ggml.merges", none, NULL, 1);
    gguf_write_u32(w, "tokenizer.ggml.eot_token_id", 0);
    gguf_write_u32(w, "tokenizer.ggml.padding_token_id", 10); /* there is no such token */
    f = finish_file(w);
    t = tokenizer_of(f.g);
    expect_ids(t, "<|a|>b<|a|>a", SIZE_MAX, TOKENIZE_SPECIAL, (const int32_t[]){1, 0, 4}, 3);
    expect_ids(t, "a<|tool|>a", SIZE_MAX, TOKENIZE_SPECIAL, (const int32_t[]){4, 7, 4}, 3);
    /* a user-defined token spelled like a mark is one; the other bytes have no token */
    expect_ids(t, "a<|tool|>a", SIZE_MAX, 0, (const int32_t[]){4, 4}, 2);
    expect_ids(t, "xab?", SIZE_MAX, 0, (const int32_t[]){9, 8}, 2);
    const int32_t *ends = tokenizer_ends(t, &n);
    ck_assert_int_eq(n, 4);
    ck_assert(ends[0] == 0 && ends[1] == 2 && ends[2] == 3 && ends[3] == 6);
    ck_assert(tokenizer_is_end(t, 2) && !tokenizer_is_end(t, 1) && !tokenizer_is_end(t, -1));
    ck_assert(tokenizer_is_control(t, 2));
    ck_assert_int_eq(tokenizer_special(t)->padding, -1);
    ck_assert_int_eq(tokenizer_special(t)->eos, -1);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

START_TEST(what_a_file_does_not_say)
{
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    write_bpe(w, "llama-bpe", merges, N_MERGES);
    f = finish_file(w);
    t = tokenizer_of(f.g);
    /* the default begin token, 11, is ordinary text here */
    ck_assert_int_eq(tokenizer_special(t)->bos, -1);
    ck_assert_int_eq(tokenizer_special(t)->eos, -1);
    ck_assert(tokenizer_special(t)->add_bos && !tokenizer_special(t)->add_eos);
    /* a whole piece that is a token is not merged: the ranks would give another result */
    expect_ids(t, " ab", SIZE_MAX, 0, (const int32_t[]){BLANK_AB}, 1);
    tokenizer_destroy(t);
    close_file(&f);

    w = gguf_writer_create();
    write_bpe(w, NULL, merges, N_MERGES);
    f = finish_file(w);
    t = tokenizer_of(f.g); /* warns, and takes gpt-2's rule */
    ck_assert(!tokenizer_special(t)->add_bos);
    expect_ids(t, " ab", SIZE_MAX, 0, (const int32_t[]){byte_id(' '), AB}, 2);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

/* A step on the way to a token need not be a token: it falls back to its bytes. */
START_TEST(merges_through_what_is_no_token)
{
    static const char *const tokens[] = {"a", "b", "c", "abc"}, *const steps[] = {"a b", "ab c"};
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    gguf_write_string(w, "tokenizer.ggml.model", "gpt2");
    gguf_write_string(w, "tokenizer.ggml.pre", "gpt-2");
    gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, NULL, 4);
    gguf_write_strings(w, "tokenizer.ggml.merges", steps, NULL, 2);
    f = finish_file(w);
    t = tokenizer_of(f.g);
    expect_ids(t, "abcab", SIZE_MAX, 0, (const int32_t[]){3, 0, 1}, 3);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

/* The tokens a, b, c, ab, bc and the control token "abc", which no text may become. */
START_TEST(repeated_merges_and_control_tokens_that_look_like_text)
{
    static const char *const tokens[] = {"a", "b", "c", "ab", "bc", "abc"};
    static const int32_t kinds[] = {1, 1, 1, 1, 1, 3};
    static const char *const steps[] = {"a b", "b c", "a b"}; /* the first of two ranks counts */
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    gguf_write_string(w, "tokenizer.ggml.model", "gpt2");
    gguf_write_string(w, "tokenizer.ggml.pre", "llama-bpe");
    gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, NULL, 6);
    gguf_write_i32s(w, "tokenizer.ggml.token_type", kinds, 6);
    gguf_write_strings(w, "tokenizer.ggml.merges", steps, NULL, 3);
    f = finish_file(w);
    t = tokenizer_of(f.g);
    expect_ids(t, "abc", SIZE_MAX, 0, (const int32_t[]){3, 2}, 2);
    expect_ids(t, "abc", SIZE_MAX, TOKENIZE_SPECIAL, (const int32_t[]){5}, 1);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

START_TEST(files_that_are_refused)
{
    static const char *const tokens[] = {"a", "b"}, *const bad_merge[] = {"ab"};
    static const char *const merge[] = {"a b"};
    static const struct {
        const char *model, *pre;
        bool has_tokens, has_merges, has_bad_merge;
        enum shoal_status status;
        const char *word;
    } table[] = {
        {NULL, NULL, true, true, false, SHOAL_E_FORMAT, "tokenizer.ggml.model"},
        {"bert", NULL, true, true, false, SHOAL_E_UNSUPPORTED, "\"bert\""},
        {"gpt2", "tekken", true, true, false, SHOAL_E_UNSUPPORTED, "\"tekken\""},
        {"gpt2", "gpt-2", false, true, false, SHOAL_E_FORMAT, "tokens"},
        {"gpt2", "gpt-2", true, false, false, SHOAL_E_FORMAT, "merges"},
        {"gpt2", "gpt-2", true, false, true, SHOAL_E_FORMAT, "merge 0"},
        {"llama", NULL, false, false, false, SHOAL_E_FORMAT, "tokens"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gguf_writer *w = gguf_writer_create();
        struct shoal_error err = {0};
        struct tokenizer *t;
        struct memory_file f;
        if (table[i].model)
            gguf_write_string(w, "tokenizer.ggml.model", table[i].model);
        if (table[i].pre)
            gguf_write_string(w, "tokenizer.ggml.pre", table[i].pre);
        if (table[i].has_tokens)
            gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, NULL, 2);
        if (table[i].has_merges || table[i].has_bad_merge)
            gguf_write_strings(w, "tokenizer.ggml.merges",
                               table[i].has_bad_merge ? bad_merge : merge, NULL, 1);
        f = finish_file(w);
        ck_assert_int_eq(tokenizer_create(&t, f.g, &err), table[i].status);
        ck_assert_ptr_null(t);
        ck_assert_msg(strstr(err.text, table[i].word) != NULL, "%s", err.text);
        close_file(&f);
    }
}
END_TEST

START_TEST(long_runs)
{
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;
    struct text text = {0};

    write_bpe(w, "smollm", merges, N_MERGES);
    f = finish_file(w);
    t = tokenizer_of(f.g);
    ck_assert(text_reserve(&text, 1000000));
    memset(text.bytes, 'a', 1000000);
    struct token_list list = encode(t, text.bytes, 1000000, 0);
    ck_assert_uint_eq(list.n, 250000);
    for (size_t i = 0; i < list.n; i++)
        if (list.ids[i] != AAAA)
            ck_abort_msg("token %zu is %d", i, (int)list.ids[i]);
    token_list_fini(&list);
    memset(text.bytes, ' ', 1000000);
    list = encode(t, text.bytes, 1000000, 0);
    ck_assert_uint_eq(list.n, 1000000);
    token_list_fini(&list);
    text_fini(&text);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

START_TEST(the_bytes_model)
{
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;
    int32_t n;

    gguf_write_string(w, "tokenizer.ggml.model", "bytes");
    f = finish_file(w);
    t = tokenizer_of(f.g);
    ck_assert_int_eq(tokenizer_n_vocab(t), 256);
    expect_ids(t, "a\0\xff<s>", 6, TOKENIZE_SPECIAL | TOKENIZE_ADD_BOS_EOS,
               (const int32_t[]){'a', 0, 255, '<', 's', '>'}, 6);
    tokenizer_ends(t, &n);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(tokenizer_special(t)->bos, -1);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

SUITE("bpe", merges_by_rank, special_tokens_only_when_asked,
      the_longest_special_token_wins_and_ends_are_known_by_text, what_a_file_does_not_say,
      merges_through_what_is_no_token, repeated_merges_and_control_tokens_that_look_like_text,
      files_that_are_refused, long_runs, the_bytes_model)
