#include "support.h"

#include "base/mem.h"
#include "support/suite.h"
#include "tokenizer/chat.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Published texts and ids, and the ids that a real model was given. */

static const char separator[] = "\n__ggml_vocab_test__\n";

/* One case after the other of NAME.inp and NAME.out in the folder of vectors. */
static void check_published(const struct tokenizer *t, const char *name)
{
    char path[4096], file[128];
    struct text texts, ids;
    const char *at, *line;
    int n_cases = 0;

    snprintf(file, sizeof file, "data/tokenizer-vectors/ggml-vocab-%s.gguf.inp", name);
    path_from("SHOAL_SHARED", file, path);
    texts = file_text(path);
    snprintf(file, sizeof file, "data/tokenizer-vectors/ggml-vocab-%s.gguf.out", name);
    path_from("SHOAL_SHARED", file, path);
    ids = file_text(path);
    line = ids.bytes;
    for (at = texts.bytes; at; n_cases++) {
        const char *stop = strstr(at, separator);
        const size_t n = stop ? (size_t)(stop - at) : strlen(at);
        int32_t wanted[4096];
        size_t n_wanted = 0;
        char *end;
        while (*line && *line != '\n') {
            wanted[n_wanted++] = (int32_t)strtol(line, &end, 10);
            if (n_wanted == 4096 || end == line)
                ck_abort_msg("%s: case %d cannot be read", path, n_cases);
            line = end + strspn(end, " ");
        }
        line += *line == '\n';
        expect_ids(t, at, n, 0, wanted, n_wanted);
        at = stop ? stop + sizeof separator - 1 : NULL;
    }
    ck_assert_int_eq(n_cases, 47);
    printf("%s: %d of %d texts\n", name, n_cases, n_cases);
    text_fini(&texts);
    text_fini(&ids);
}

static void check_vocabulary(const char *variable, const char *file, const char *name)
{
    char path[4096], shared[4096];
    struct tokenizer *t;

    if (!path_from("SHOAL_SHARED", "data/tokenizer-vectors", shared) ||
        !path_from(variable, file, path))
        return;
    t = tokenizer_at(path);
    check_published(t, name);
    tokenizer_destroy(t);
}

START_TEST(published_gpt_2)
{
    check_vocabulary("SHOAL_SHARED", "data/gguf-vocab/ggml-vocab-gpt-2.gguf", "gpt-2");
}
END_TEST

START_TEST(published_llama_bpe)
{
    check_vocabulary("SHOAL_VOCAB_DIR", "ggml-vocab-llama-bpe.gguf", "llama-bpe");
}
END_TEST

START_TEST(published_qwen2)
{
    check_vocabulary("SHOAL_VOCAB_DIR", "ggml-vocab-qwen2.gguf", "qwen2");
}
END_TEST

static int32_t *ids_of(const json_t *array)
{
    int32_t *ids = mem_new(json_array_size(array), sizeof *ids);
    size_t i;
    json_t *id;

    ck_assert(ids != NULL);
    json_array_foreach(array, i, id) ids[i] = (int32_t)json_integer_value(id);
    return ids;
}

static void append_ids(struct token_list *list, const int32_t ids[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!token_list_add(list, ids[i]))
            ck_abort_msg("out of memory");
}

/* The text of the only user message in a prompt that has the template's text around it. */
static struct chat_message user_message(const char *prompt)
{
    static const char before[] = "<|im_start|>user\n",
                      after[] = "<|im_end|>\n<|im_start|>assistant";
    const char *start = strstr(prompt, before), *end;

    ck_assert_ptr_nonnull(start);
    start += sizeof before - 1;
    end = strstr(start, after);
    ck_assert_ptr_nonnull(end);
    return (struct chat_message){"user", start, (size_t)(end - start)};
}

static void check_chat(const struct chat_template *c, const struct tokenizer *t, const char *prompt,
                       const int32_t ids[], size_t n_ids)
{
    const struct chat_message message = user_message(prompt);
    struct shoal_error err = {0};
    struct token_list list = {0};
    struct text text = {0};

    ck_assert_msg(chat_render(c, &message, 1, &text, &err) == SHOAL_OK, "%s", err.text);
    ck_assert_str_eq(text.bytes, prompt);
    ck_assert_msg(chat_encode(c, t, &message, 1, &list, &err) == SHOAL_OK, "%s", err.text);
    ck_assert_uint_eq(list.n, n_ids);
    ck_assert(memcmp(list.ids, ids, n_ids * sizeof *ids) == 0);
    text_fini(&text);
    token_list_fini(&list);
}

/* The recorded texts keep the end token, which a detokenizer drops. */
static void expect_answer(const char *text, const char *recorded)
{
    const char *end = strstr(recorded, "<|im_end|>");
    const size_t n = end ? (size_t)(end - recorded) : strlen(recorded);

    ck_assert_msg(strlen(text) == n && memcmp(text, recorded, n) == 0, "%s, not %s", text,
                  recorded);
}

static void check_golden(const char *file, const struct chat_template *c, const struct tokenizer *t)
{
    char path[4096], line[65536];
    int n = 0;
    FILE *f;

    if (!path_from("SHOAL_TEST_DATA", file, path))
        return;
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s cannot be opened", path);
    for (; fgets(line, sizeof line, f); n++) {
        json_error_t error;
        json_t *one = json_loads(line, 0, &error);
        ck_assert_msg(one != NULL, "%s: %s", path, error.text);
        const char *prompt = json_string_value(json_object_get(one, "prompt"));
        const bool is_chat = json_is_true(json_object_get(one, "chat"));
        const json_t *prompt_ids = json_object_get(one, "prompt_token_ids");
        const json_t *answer_ids = json_object_get(one, "greedy_token_ids");
        int32_t *ids = ids_of(prompt_ids), *answer = ids_of(answer_ids);
        struct token_list list = {0};
        struct text text;

        expect_ids(t, prompt, SIZE_MAX, TOKENIZE_ADD_BOS_EOS | (is_chat ? TOKENIZE_SPECIAL : 0),
                   ids, json_array_size(prompt_ids));
        if (is_chat)
            check_chat(c, t, prompt, ids, json_array_size(prompt_ids));
        append_ids(&list, answer, json_array_size(answer_ids));
        text = stream_of(t, &list, true);
        expect_answer(text.bytes, json_string_value(json_object_get(one, "text")));
        text_fini(&text);
        token_list_fini(&list);
        mem_free(ids);
        mem_free(answer);
        json_decref(one);
    }
    fclose(f);
    ck_assert_int_gt(n, 3);
    printf("%s: %d prompts\n", file, n);
}

START_TEST(prompts_of_a_real_model)
{
    char path[4096];
    struct shoal_error err = {0};
    struct chat_template *c;
    struct tokenizer *t;
    struct gguf *g;
    int32_t n;

    if (!path_from("SHOAL_TEST_MODEL", NULL, path))
        return;
    ck_assert_msg(gguf_open(&g, path, &err) == SHOAL_OK, "%s", err.text);
    t = tokenizer_of(g);
    ck_assert_int_eq(chat_template_create(&c, g, &err), SHOAL_OK);
    ck_assert_int_eq(chat_template_family(c), CHAT_CHATML);
    check_golden("golden/gsm8k_text.jsonl", c, t);
    check_golden("golden/mt_bench_chat.jsonl", c, t);
    const int32_t *ends = tokenizer_ends(t, &n);
    ck_assert(n == 2 && ends[0] == 0 && ends[1] == 2);
    chat_template_destroy(c);
    tokenizer_destroy(t);
    gguf_close(g);
}
END_TEST

SUITE("vectors", published_gpt_2, published_llama_bpe, published_qwen2, prompts_of_a_real_model)
