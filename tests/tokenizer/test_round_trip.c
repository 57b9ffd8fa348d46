#include "support.h"

#include "support/suite.h"

#include <string.h>

/* Of every model that the tree has: what encoding makes of any bytes, decoding turns back into
 * them, at once and token by token. */

static const char *const merges[] = {
    "t h",
    "th e",
    "\xc4\xa0 the",
    "a a",
    "aa aa",
    "\xc4\x8a \xc4\x8a",
    "\xc4\xa0 \xc4\xa0",
    "\xc3\xa4 \xc2\xbd",
    "\xc3\xa2 \xc4\xa3",
    "' s",
    "1 2",
    "! ?",
};

static void check_text(const struct tokenizer *t, const struct text *text, bool has_prefix,
                       unsigned flags, int seed)
{
    struct token_list list = encode(t, text->bytes, text->n, flags);
    struct text all = pieces_of(t, &list), stream = stream_of(t, &list, false);
    struct text wanted = {0}, good;

    text_add(&wanted, "", 0);
    if (has_prefix && text->n > 0)
        text_add_str(&wanted, " ");
    text_add(&wanted, text->bytes, text->n);
    ck_assert_msg(all.n == wanted.n && memcmp(all.bytes, wanted.bytes, all.n) == 0,
                  "seed %d: \"%s\" came back as \"%s\"", seed, text->bytes, all.bytes);
    good = repaired(text->bytes, text->n);
    ck_assert_msg(stream.n == good.n && memcmp(stream.bytes, good.bytes, good.n) == 0,
                  "seed %d: \"%s\" was streamed as \"%s\"", seed, text->bytes, stream.bytes);
    for (size_t i = 0; i < list.n; i++)
        if (list.ids[i] < 0 || list.ids[i] >= tokenizer_n_vocab(t))
            ck_abort_msg("seed %d: id %d", seed, (int)list.ids[i]);
    text_fini(&all);
    text_fini(&stream);
    text_fini(&good);
    text_fini(&wanted);
    token_list_fini(&list);
}

static void walk(const struct tokenizer *t, bool has_prefix)
{
    for (int seed = 0; seed < 3000; seed++) {
        struct rng r = {(uint64_t)seed << 32};
        struct text text = random_text(&r);
        /* SentencePiece's U+2581 is a blank */
        if (!has_prefix || !memmem(text.bytes, text.n, "\xe2\x96\x81", 3))
            check_text(t, &text, has_prefix, 0, seed);
        text_fini(&text);
    }
}

START_TEST(byte_level_bpe)
{
    static const char *const rules[] = {"gpt-2", "smollm", "llama-bpe", "qwen2"};

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct gguf_writer *w = gguf_writer_create();
        struct memory_file f;
        struct tokenizer *t;
        write_bpe(w, rules[i], merges, sizeof merges / sizeof *merges);
        f = finish_file(w);
        t = tokenizer_of(f.g);
        walk(t, false);
        tokenizer_destroy(t);
        close_file(&f);
    }
}
END_TEST

START_TEST(bytes)
{
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    gguf_write_string(w, "tokenizer.ggml.model", "bytes");
    f = finish_file(w);
    t = tokenizer_of(f.g);
    walk(t, false);
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

START_TEST(sentencepiece)
{
    char path[4096];
    struct tokenizer *t;

    if (!path_from("SHOAL_TEST_DATA", "tokenizer/spm-bytes.gguf", path))
        return;
    t = tokenizer_at(path);
    walk(t, true);
    tokenizer_destroy(t);
}
END_TEST

/* Tokens in any order, as a model may emit them. */
START_TEST(streaming_any_tokens_equals_decoding_the_whole)
{
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    write_bpe(w, "gpt-2", merges, sizeof merges / sizeof *merges);
    f = finish_file(w);
    t = tokenizer_of(f.g);
    for (int seed = 0; seed < 3000; seed++) {
        struct rng r = {(uint64_t)seed << 32};
        const uint32_t n = rng_below(&r, 40);
        struct token_list list = {0};
        struct text all, stream, good;
        for (uint32_t i = 0; i < n; i++) {
            /* bytes above 0x7f most often, and ids out of range now and then */
            const uint32_t choice = rng_below(&r, 4);
            const int32_t id = choice == 0 ? (int32_t)rng_below(&r, 300) - 10
                                           : BPE_BYTES + 0x80 + (int32_t)rng_below(&r, 128);
            if (!token_list_add(&list, id))
                ck_abort_msg("out of memory");
        }
        all = pieces_of(t, &list);
        stream = stream_of(t, &list, seed % 2);
        good = repaired(all.bytes, all.n);
        ck_assert_msg(stream.n == good.n && memcmp(stream.bytes, good.bytes, good.n) == 0,
                      "seed %d", seed);
        text_fini(&all);
        text_fini(&stream);
        text_fini(&good);
        token_list_fini(&list);
    }
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

START_TEST(characters_that_are_split)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *after[5]; /* each push */
        const char *finished;
    } table[] = {
        {"a\xc3\xa9z", 4, {"a", "a", "a\xc3\xa9", "a\xc3\xa9z"}, "a\xc3\xa9z"},
        {"\xf0\x9f\x98\x80", 4, {"", "", "", "\xf0\x9f\x98\x80"}, "\xf0\x9f\x98\x80"},
        {"\xff", 1, {"\xef\xbf\xbd"}, "\xef\xbf\xbd"},
        {"\xe2\x82z", 3, {"", "", "\xef\xbf\xbdz"}, "\xef\xbf\xbdz"},
        {"\xe2\x82", 2, {"", ""}, "\xef\xbf\xbd"},
        {"\xf0\x9f\xc3\xa9",
         4,
         {"", "", "\xef\xbf\xbd", "\xef\xbf\xbd\xc3\xa9"},
         "\xef\xbf\xbd\xc3\xa9"},
        {"\xed\xa0\x80",
         3,
         {"", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\x80", 2, {"\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"}, "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    struct gguf_writer *w = gguf_writer_create();
    struct memory_file f;
    struct tokenizer *t;

    gguf_write_string(w, "tokenizer.ggml.model", "bytes");
    f = finish_file(w);
    t = tokenizer_of(f.g);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct detokenizer d;
        struct text out = {0};
        text_add(&out, "", 0);
        detokenizer_init(&d, t, true);
        for (size_t k = 0; k < table[i].n; k++) {
            detokenizer_push(&d, (uint8_t)table[i].bytes[k], &out);
            ck_assert_str_eq(out.bytes, table[i].after[k]);
        }
        detokenizer_finish(&d, &out);
        ck_assert_str_eq(out.bytes, table[i].finished);
        detokenizer_finish(&d, &out); /* nothing is left */
        ck_assert_str_eq(out.bytes, table[i].finished);
        text_fini(&out);
    }
    tokenizer_destroy(t);
    close_file(&f);
}
END_TEST

SUITE("round trip", characters_that_are_split, byte_level_bpe, bytes, sentencepiece,
      streaming_any_tokens_equals_decoding_the_whole)
