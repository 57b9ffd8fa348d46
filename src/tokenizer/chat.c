#include "tokenizer/chat.h"

#include "base/mem.h"
#include "tokenizer/chat_format.h"
#include "tokenizer/chat_program.h"

#include <string.h>

static const char *const family_names[CHAT_FAMILY_COUNT] = {"none",   "unknown", "chatml", "llama2",
                                                            "llama3", "zephyr",  "gemma"};

const char *chat_family_name(enum chat_family family)
{
    return family_names[family];
}

enum chat_family chat_template_family(const struct chat_template *c)
{
    return c->style.family;
}

/* The spelling of the token that key names; fallback where the file does not. */
static void read_token_text(const struct gguf *g, const char *key, const char *fallback,
                            struct text *out)
{
    const struct gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    struct gguf_string s = {fallback, strlen(fallback)};
    const uint8_t *cursor;
    int64_t id = -1;

    if (tokens && tokens->type == GGUF_ARRAY && tokens->element_type == GGUF_STRING &&
        gguf_get_i64(g, key, -1, INT64_MIN, INT64_MAX, &id, NULL) == SHOAL_OK && id >= 0 &&
        (uint64_t)id < tokens->n) {
        cursor = tokens->value;
        for (int64_t i = 0; i <= id; i++)
            s = gguf_next_string(&cursor);
    }
    text_add(out, s.bytes, s.n);
}

enum shoal_status chat_template_create(struct chat_template **out, const struct gguf *g,
                                       struct shoal_error *err)
{
    struct chat_template *c = mem_new(1, sizeof *c);
    struct gguf_string program = {0};

    *out = NULL;
    if (!c)
        return shoal_fail_memory(err, "chat template", sizeof *c);
    if (gguf_get_string(g, "tokenizer.chat_template", &program, NULL) != SHOAL_OK)
        c->style.family = CHAT_UNKNOWN;
    else
        c->style = chat_program_style(program);
    if (c->style.family == CHAT_CHATML)
        chat_program_default_system(program, &c->default_system);
    read_token_text(g, "tokenizer.ggml.bos_token_id",
                    c->style.family == CHAT_LLAMA3  ? "<|begin_of_text|>"
                    : c->style.family == CHAT_GEMMA ? "<bos>"
                                                    : "<s>",
                    &c->bos);
    read_token_text(g, "tokenizer.ggml.eos_token_id", "</s>", &c->eos);
    if (c->default_system.failed || c->bos.failed || c->eos.failed) {
        chat_template_destroy(c);
        return shoal_fail_memory(err, "chat template", program.n);
    }
    *out = c;
    return SHOAL_OK;
}

void chat_template_destroy(struct chat_template *c)
{
    if (!c)
        return;
    text_fini(&c->default_system);
    text_fini(&c->bos);
    text_fini(&c->eos);
    mem_free(c);
}

enum shoal_status chat_encode(const struct chat_template *c, const struct tokenizer *t,
                              const struct chat_message messages[], int32_t n_messages,
                              struct token_list *out, struct shoal_error *err)
{
    const size_t n_before = out->n;
    struct text waiting = {0};
    struct chat_sink sink = {.t = t, .ids = out, .text = &waiting, .err = err};
    enum shoal_status status = chat_format_check(c, messages, n_messages, err);

    if (status != SHOAL_OK)
        return status;
    chat_format_write(c, messages, n_messages, &sink);
    status = chat_sink_finish(&sink);
    if (status != SHOAL_OK)
        out->n = n_before;
    text_fini(&waiting);
    return status;
}

enum shoal_status chat_render(const struct chat_template *c, const struct chat_message messages[],
                              int32_t n_messages, struct text *out, struct shoal_error *err)
{
    struct chat_sink sink = {.text = out, .err = err};
    const enum shoal_status status = chat_format_check(c, messages, n_messages, err);

    if (status != SHOAL_OK)
        return status;
    chat_format_write(c, messages, n_messages, &sink);
    return chat_sink_finish(&sink);
}
