#include "tokenizer/chat_format.h"

#include <string.h>

static const char white_space[] = " \t\n\v\f\r";

static bool has_role(const struct chat_message *m, const char *role)
{
    return strcmp(m->role, role) == 0;
}

static bool is_white(char c)
{
    return c && strchr(white_space, c);
}

static void write_content(const struct chat_template *c, const struct chat_message *m,
                          bool trims_left, struct chat_sink *sink)
{
    const char *p = m->content;
    size_t n = m->n_content;

    if (c->style.trims) {
        for (; trims_left && n > 0 && is_white(*p); p++)
            n--;
        while (n > 0 && is_white(p[n - 1]))
            n--;
    }
    chat_sink_text(sink, p, n);
}

/* The begin token. When encoding, also where only the model and not the program wants one. */
static void write_bos(const struct chat_template *c, struct chat_sink *sink)
{
    if (!sink->t) {
        if (c->style.writes_bos)
            chat_sink_text(sink, c->bos.bytes, c->bos.n);
        return;
    }
    const struct tokenizer_special *special = tokenizer_special(sink->t);
    if (special->bos >= 0 && (c->style.writes_bos || special->add_bos))
        chat_sink_token(sink, special->bos);
}

static void write_chatml(const struct chat_template *c, const struct chat_message messages[],
                         int32_t n, struct chat_sink *sink)
{
    write_bos(c, sink);
    if (!has_role(&messages[0], "system") && c->default_system.n > 0) {
        chat_sink_mark(sink, "<|im_start|>");
        chat_sink_words(sink, "system\n");
        chat_sink_text(sink, c->default_system.bytes, c->default_system.n);
        chat_sink_mark(sink, "<|im_end|>");
        chat_sink_words(sink, "\n");
    }
    for (int32_t i = 0; i < n; i++) {
        chat_sink_mark(sink, "<|im_start|>");
        chat_sink_words(sink, messages[i].role);
        chat_sink_words(sink, "\n");
        write_content(c, &messages[i], true, sink);
        chat_sink_mark(sink, "<|im_end|>");
        chat_sink_words(sink, "\n");
    }
    chat_sink_mark(sink, "<|im_start|>");
    chat_sink_words(sink, "assistant\n");
}

static void write_llama2_user(const struct chat_template *c, const struct chat_message *system,
                              const struct chat_message *m, bool is_first, struct chat_sink *sink)
{
    if (c->style.has_system || is_first)
        write_bos(c, sink);
    chat_sink_mark(sink, "[INST]");
    chat_sink_words(sink, " ");
    if (system) {
        chat_sink_words(sink, "<<SYS>>\n");
        chat_sink_text(sink, system->content, system->n_content);
        chat_sink_words(sink, "\n<</SYS>>\n\n");
    }
    /* the program trims system and user text as one */
    write_content(c, m, !system, sink);
    chat_sink_words(sink, " ");
    chat_sink_mark(sink, "[/INST]");
}

static void write_llama2(const struct chat_template *c, const struct chat_message messages[],
                         int32_t n, struct chat_sink *sink)
{
    const struct chat_message *system = has_role(&messages[0], "system") ? &messages[0] : NULL;

    for (int32_t i = system ? 1 : 0; i < n; i++) {
        const bool is_first = i == (system ? 1 : 0);
        if (has_role(&messages[i], "user")) {
            write_llama2_user(c, is_first ? system : NULL, &messages[i], is_first, sink);
            continue;
        }
        chat_sink_words(sink, c->style.blank_before_answer ? " " : "");
        write_content(c, &messages[i], true, sink);
        chat_sink_words(sink, c->style.has_system ? " " : "");
        chat_sink_mark(sink, c->eos.bytes);
        chat_sink_words(sink, c->style.blank_after_end ? " " : "");
    }
}

static void write_llama3(const struct chat_template *c, const struct chat_message messages[],
                         int32_t n, struct chat_sink *sink)
{
    write_bos(c, sink);
    for (int32_t i = 0; i <= n; i++) {
        chat_sink_mark(sink, "<|start_header_id|>");
        chat_sink_words(sink, i < n ? messages[i].role : "assistant");
        chat_sink_mark(sink, "<|end_header_id|>");
        chat_sink_words(sink, "\n\n");
        if (i == n)
            break;
        write_content(c, &messages[i], true, sink);
        chat_sink_mark(sink, "<|eot_id|>");
    }
}

static void write_zephyr(const struct chat_template *c, const struct chat_message messages[],
                         int32_t n, struct chat_sink *sink)
{
    write_bos(c, sink);
    for (int32_t i = 0; i < n; i++) {
        chat_sink_mark(sink, has_role(&messages[i], "system") ? "<|system|>"
                             : has_role(&messages[i], "user") ? "<|user|>"
                                                              : "<|assistant|>");
        chat_sink_words(sink, "\n");
        write_content(c, &messages[i], true, sink);
        chat_sink_mark(sink, c->eos.bytes);
        chat_sink_words(sink, "\n");
    }
    chat_sink_mark(sink, "<|assistant|>");
    chat_sink_words(sink, "\n");
}

/* Gemma has no system role: its text goes before the first message of the user. */
static void write_gemma(const struct chat_template *c, const struct chat_message messages[],
                        int32_t n, struct chat_sink *sink)
{
    const struct chat_message *system = has_role(&messages[0], "system") ? &messages[0] : NULL;

    write_bos(c, sink);
    for (int32_t i = system ? 1 : 0; i < n; i++) {
        chat_sink_mark(sink, "<start_of_turn>");
        chat_sink_words(sink, has_role(&messages[i], "user") ? "user\n" : "model\n");
        if (system && i == 1) {
            chat_sink_text(sink, system->content, system->n_content);
            chat_sink_words(sink, "\n\n");
        }
        write_content(c, &messages[i], true, sink);
        chat_sink_mark(sink, "<end_of_turn>");
        chat_sink_words(sink, "\n");
    }
    chat_sink_mark(sink, "<start_of_turn>");
    chat_sink_words(sink, "model\n");
}

static const struct {
    void (*write)(const struct chat_template *, const struct chat_message[], int32_t,
                  struct chat_sink *);
    bool alternates; /* user and assistant in turn, a system message only before them */
    bool ends_with_user;
} formats[CHAT_FAMILY_COUNT] = {
    [CHAT_CHATML] = {write_chatml, false, false}, [CHAT_LLAMA2] = {write_llama2, true, true},
    [CHAT_LLAMA3] = {write_llama3, false, false}, [CHAT_ZEPHYR] = {write_zephyr, false, false},
    [CHAT_GEMMA] = {write_gemma, true, false},
};

static enum shoal_status check_roles(const struct chat_template *c,
                                     const struct chat_message messages[], int32_t n,
                                     struct shoal_error *err)
{
    for (int32_t i = 0; i < n; i++) {
        const bool is_system = has_role(&messages[i], "system");
        if (!is_system && !has_role(&messages[i], "user") && !has_role(&messages[i], "assistant"))
            return shoal_fail(err, SHOAL_E_INVALID,
                              "message %d has the role \"%.64s\": the %s chat format has system, "
                              "user and assistant",
                              (int)i, messages[i].role, chat_family_name(c->style.family));
        if (is_system && c->style.family == CHAT_LLAMA2 && !c->style.has_system)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "message %d is a system message, which the model's [INST] chat "
                              "format does not have: put its text in the first user message",
                              (int)i);
    }
    return SHOAL_OK;
}

static enum shoal_status check_order(const struct chat_template *c,
                                     const struct chat_message messages[], int32_t n,
                                     struct shoal_error *err)
{
    const int32_t first = has_role(&messages[0], "system") ? 1 : 0;
    const char *family = chat_family_name(c->style.family);

    if (!formats[c->style.family].alternates)
        return SHOAL_OK;
    if (first == n)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the %s chat format needs a user message after the system message",
                          family);
    for (int32_t i = first; i < n; i++) {
        const char *wanted = (i - first) % 2 == 0 ? "user" : "assistant";
        if (!has_role(&messages[i], wanted))
            return shoal_fail(err, SHOAL_E_INVALID,
                              "message %d has the role \"%s\": the %s chat format wants \"%s\" "
                              "there (user and assistant in turn, system only before them)",
                              (int)i, messages[i].role, family, wanted);
    }
    if (formats[c->style.family].ends_with_user && !has_role(&messages[n - 1], "user"))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the last message has the role \"%s\": the %s chat format answers only a "
                          "user message",
                          messages[n - 1].role, family);
    return SHOAL_OK;
}

enum shoal_status chat_format_check(const struct chat_template *c,
                                    const struct chat_message messages[], int32_t n_messages,
                                    struct shoal_error *err)
{
    enum shoal_status status;

    if (c->style.family == CHAT_NONE)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "the model file has no chat template: send a prompt in place of "
                          "messages, or use a model that was trained to chat");
    if (c->style.family == CHAT_UNKNOWN)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "the model's chat template is of no family that shoal has (chatml, "
                          "llama2, llama3, zephyr, gemma): send a prompt in place of messages");
    if (n_messages < 1)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the conversation is empty: it needs at least one message");
    status = check_roles(c, messages, n_messages, err);
    return status == SHOAL_OK ? check_order(c, messages, n_messages, err) : status;
}

void chat_format_write(const struct chat_template *c, const struct chat_message messages[],
                       int32_t n_messages, struct chat_sink *sink)
{
    formats[c->style.family].write(c, messages, n_messages, sink);
}
