#include "support.h"

#include "base/mem.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_file finish_file(struct gguf_writer *w)
{
    struct memory_file f;
    struct shoal_error err = {0};
    size_t n;

    ck_assert_msg(gguf_writer_finish(w, &f.bytes, &n, &err) == SHOAL_OK, "%s", err.text);
    gguf_writer_destroy(w);
    ck_assert_msg(gguf_open_memory(&f.g, f.bytes, n, "test", &err) == SHOAL_OK, "%s", err.text);
    return f;
}

void close_file(struct memory_file *f)
{
    gguf_close(f->g);
    mem_free(f->bytes);
}

/* The character that stands for a byte in the vocabulary, written out here on its own. */
static const char *byte_character(int byte, char out[static 4])
{
    int code = byte;

    if (byte <= 0x20)
        code = 0x100 + byte;
    else if (byte >= 0x7f && byte <= 0xa0)
        code = 0x121 + byte - 0x7f;
    else if (byte == 0xad)
        code = 0x143;
    if (code < 0x80) {
        out[0] = (char)code;
        out[1] = '\0';
    } else {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        out[2] = '\0';
    }
    return out;
}

void write_vocabulary(struct gguf_writer *w, const char *pre, const struct special_token special[],
                      int32_t n_special, const char *const merges[], int32_t n_merges)
{
    const int32_t n_tokens = n_special + 256 + n_merges;
    char(*texts)[64] = mem_new((size_t)n_tokens, sizeof *texts);
    const char **tokens = mem_new((size_t)n_tokens, sizeof *tokens);
    int32_t *kinds = mem_new((size_t)n_tokens, sizeof *kinds);

    ck_assert(texts && tokens && kinds);
    for (int32_t i = 0; i < n_tokens; i++) {
        tokens[i] = texts[i];
        kinds[i] = i < n_special ? special[i].kind : 1;
        if (i < n_special) {
            snprintf(texts[i], sizeof texts[i], "%s", special[i].text);
        } else if (i < n_special + 256) {
            byte_character(i - n_special, texts[i]);
        } else {
            const char *merge = merges[i - n_special - 256], *blank = strchr(merge + 1, ' ');
            snprintf(texts[i], sizeof texts[i], "%.*s%s", (int)(blank - merge), merge, blank + 1);
        }
    }
    gguf_write_string(w, "tokenizer.ggml.model", "gpt2");
    if (pre)
        gguf_write_string(w, "tokenizer.ggml.pre", pre);
    gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, NULL, (uint64_t)n_tokens);
    gguf_write_i32s(w, "tokenizer.ggml.token_type", kinds, (uint64_t)n_tokens);
    gguf_write_strings(w, "tokenizer.ggml.merges", merges, NULL, (uint64_t)n_merges);
    mem_free(texts);
    mem_free(tokens);
    mem_free(kinds);
}

void write_bpe(struct gguf_writer *w, const char *pre, const char *const merges[], int32_t n)
{
    static const struct special_token special[] = {
        {"<s>", 3}, {"</s>", 3}, {"<|im_start|>", 3}, {"<think>", 4}};

    write_vocabulary(w, pre, special, BPE_BYTES, merges, n);
}

struct tokenizer *tokenizer_of(struct gguf *g)
{
    struct shoal_error err = {0};
    struct tokenizer *t;

    ck_assert_msg(tokenizer_create(&t, g, &err) == SHOAL_OK, "%s", err.text);
    return t;
}

struct tokenizer *tokenizer_at(const char *path)
{
    struct shoal_error err = {0};
    struct tokenizer *t;
    struct gguf *g;

    ck_assert_msg(gguf_open(&g, path, &err) == SHOAL_OK, "%s", err.text);
    t = tokenizer_of(g);
    gguf_close(g);
    return t;
}

struct token_list encode(const struct tokenizer *t, const char *text, size_t n, unsigned flags)
{
    struct token_list list = {0};
    struct shoal_error err = {0};

    ck_assert_msg(tokenizer_encode(t, text, n == SIZE_MAX ? strlen(text) : n, flags, &list, &err) ==
                      SHOAL_OK,
                  "%s", err.text);
    return list;
}

void expect_ids(const struct tokenizer *t, const char *text, size_t n, unsigned flags,
                const int32_t ids[], size_t n_ids)
{
    struct token_list list = encode(t, text, n, flags);
    struct text got = {0}, wanted = {0};

    for (size_t i = 0; i < list.n; i++)
        text_printf(&got, "%d ", (int)list.ids[i]);
    for (size_t i = 0; i < n_ids; i++)
        text_printf(&wanted, "%d ", (int)ids[i]);
    text_add(&got, "", 0);
    text_add(&wanted, "", 0);
    ck_assert_msg(list.n == n_ids && strcmp(got.bytes, wanted.bytes) == 0,
                  "\"%.200s\" became %s, not %s", text, got.bytes, wanted.bytes);
    text_fini(&got);
    text_fini(&wanted);
    token_list_fini(&list);
}

struct text pieces_of(const struct tokenizer *t, const struct token_list *list)
{
    struct text out = {0};

    text_add(&out, "", 0);
    for (size_t i = 0; i < list->n; i++)
        tokenizer_piece(t, list->ids[i], false, &out);
    return out;
}

struct text stream_of(const struct tokenizer *t, const struct token_list *list, bool continues)
{
    struct text out = {0};
    struct detokenizer d;

    text_add(&out, "", 0);
    detokenizer_init(&d, t, continues);
    for (size_t i = 0; i < list->n; i++) {
        detokenizer_push(&d, list->ids[i], &out);
        if (!utf8_valid(out.bytes, out.n) || d.n_held > 3)
            ck_abort_msg("token %zu made the text ill-formed", i);
    }
    detokenizer_finish(&d, &out);
    ck_assert(utf8_valid(out.bytes, out.n));
    return out;
}

struct text repaired(const char *bytes, size_t n)
{
    struct text out = {0};

    text_add(&out, "", 0);
    for (size_t i = 0; i < n;) {
        size_t length = 4;
        while (length > 0 && (length > n - i || !utf8_valid(bytes + i, length)))
            length--;
        if (length > 0) {
            /* the longest valid prefix may be several characters: take the first */
            while (length > 1 && utf8_valid(bytes + i, length - 1))
                length--;
            text_add(&out, bytes + i, length);
            i += length;
            continue;
        }
        /* the longest part that could have been the start of a character, or one byte */
        length = n - i < 3 ? n - i : 3;
        while (length > 1 && utf8_whole(bytes + i, length) > 0)
            length--;
        text_add_str(&out, "\xef\xbf\xbd");
        i += length;
    }
    return out;
}

static void add_code_point(struct text *t, uint32_t c)
{
    char b[4];
    size_t n;

    if (c < 0x80) {
        b[0] = (char)c;
        n = 1;
    } else if (c < 0x800) {
        b[0] = (char)(0xc0 | c >> 6);
        b[1] = (char)(0x80 | (c & 63));
        n = 2;
    } else if (c < 0x10000) {
        b[0] = (char)(0xe0 | c >> 12);
        b[1] = (char)(0x80 | (c >> 6 & 63));
        b[2] = (char)(0x80 | (c & 63));
        n = 3;
    } else {
        b[0] = (char)(0xf0 | c >> 18);
        b[1] = (char)(0x80 | (c >> 12 & 63));
        b[2] = (char)(0x80 | (c >> 6 & 63));
        b[3] = (char)(0x80 | (c & 63));
        n = 4;
    }
    text_add(t, b, n);
}

struct text random_text(struct rng *r)
{
    static const char *const words[] = {" the", "'s",  "'LL", "\n",      "  ",     "\r\n", "12345",
                                        "<s>",  "\t ", "!?",  "<think>", "\n\n\n", " ",    "aaaa"};
    static const uint32_t tops[] = {0x80, 0x800, 0x3000, 0xd800, 0x110000};
    const uint32_t n = rng_below(r, 61), kind = rng_below(r, 4);
    struct text out = {0};

    text_add(&out, "", 0);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t choice = rng_below(r, 3);
        if (kind == 0 || (kind == 1 && choice == 0)) {
            text_add(&out, &(uint8_t){(uint8_t)rng_below(r, 256)}, 1);
        } else if (choice == 1) {
            text_add_str(&out, words[rng_below(r, sizeof words / sizeof *words)]);
        } else {
            const uint32_t c = rng_below(r, tops[rng_below(r, sizeof tops / sizeof *tops)]);
            add_code_point(&out, c >= 0xd800 && c < 0xe000 ? 0x4e00 : c);
        }
    }
    return out;
}

const char *path_from(const char *variable, const char *name, char path[static 4096])
{
    const char *value = getenv(variable);

    if (!value || !*value) {
        printf("skipped: %s is not set%s%s\n", variable, name ? ", which should hold " : "",
               name ? name : "");
        return NULL;
    }
    snprintf(path, 4096, name ? "%s/%s" : "%s", value, name);
    return path;
}

struct text file_text(const char *path)
{
    struct text out = {0};
    char buffer[4096];
    FILE *f = fopen(path, "rb");
    size_t n;

    ck_assert_msg(f != NULL, "%s cannot be opened", path);
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0)
        text_add(&out, buffer, n);
    fclose(f);
    text_add(&out, "", 0);
    return out;
}
