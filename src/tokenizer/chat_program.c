#include "tokenizer/chat_program.h"

#include <string.h>

static const char *find(struct gguf_string program, const char *text)
{
    return program.n == 0 ? NULL : memmem(program.bytes, program.n, text, strlen(text));
}

static enum chat_family family_of(struct gguf_string program)
{
    if (program.n == 0)
        return CHAT_NONE;
    if (find(program, "<|im_start|>"))
        return CHAT_CHATML;
    if (find(program, "<|start_header_id|>"))
        return CHAT_LLAMA3;
    if (find(program, "<start_of_turn>"))
        return CHAT_GEMMA;
    /* others have <|user|> too, with ends and beginnings of their own */
    if (find(program, "<|user|>") && !find(program, "<|end|>") && !find(program, "[gMASK]") &&
        !find(program, "<|begin_of_image|>"))
        return CHAT_ZEPHYR;
    /* newer Mistral programs with marks for tools or the system text put no blank behind [INST] */
    if (find(program, "[INST] ") || (find(program, "[INST]") && !find(program, "[SYSTEM_PROMPT]") &&
                                     !find(program, "[AVAILABLE_TOOLS]")))
        return CHAT_LLAMA2;
    return CHAT_UNKNOWN;
}

struct chat_style chat_program_style(struct gguf_string program)
{
    struct chat_style style = {.family = family_of(program)};

    style.trims = style.family != CHAT_CHATML && style.family != CHAT_ZEPHYR &&
                  (find(program, "| trim") || find(program, "|trim") || find(program, ".strip()"));
    style.has_system = find(program, "<<SYS>>") != NULL;
    style.writes_bos = find(program, "bos_token") || find(program, "<bos>") ||
                       find(program, "<|begin_of_text|>") || style.family == CHAT_LLAMA2 ||
                       style.family == CHAT_LLAMA3 || style.family == CHAT_GEMMA;
    style.blank_before_answer = style.has_system || find(program, "' ' + message['content']") ||
                                find(program, "\" \" + message[\"content\"]");
    style.blank_after_end = find(program, "eos_token + ' '") || find(program, "eos_token + \" \"");
    return style;
}

/* At p a line end of the program's output: a real one, or a backslash and an n inside a string. */
static size_t line_end(const char *p, const char *end, char quote)
{
    if (p < end && *p == '\n')
        return 1;
    return quote && end - p >= 2 && p[0] == '\\' && p[1] == 'n' ? 2 : 0;
}

static bool starts_with(const char *p, const char *end, const char *text)
{
    const size_t n = strlen(text);

    return (size_t)(end - p) >= n && memcmp(p, text, n) == 0;
}

/* Copies the text from p up to "<|im_end|>". False when a quote ends the string before, or a
 * variable begins: what stands there is then not a fixed text. quote is 0 outside of a string. */
static bool copy_literal(const char *p, const char *end, char quote, struct text *out)
{
    for (; p < end; p++) {
        if (starts_with(p, end, "<|im_end|>"))
            return true;
        if (quote ? *p == quote : starts_with(p, end, "{{") || starts_with(p, end, "{%"))
            return false;
        if (quote && *p == '\\' && end - p > 1) {
            p++;
            text_add(out, *p == 'n' ? "\n" : *p == 't' ? "\t" : p, 1);
        } else {
            text_add(out, p, 1);
        }
    }
    return false;
}

/* Where the scan of a program is. What is written lies outside of braces, or in a string inside. */
struct scan {
    bool in_braces; /* {{ }} or {% %} */
    char quote;     /* of the string, inside braces; or 0 */
};

static bool is_written(const struct scan *s)
{
    return !s->in_braces || s->quote;
}

/* The bytes to go on by. */
static size_t scan_step(struct scan *s, const char *p, const char *end)
{
    if (s->quote) {
        if (*p == '\\' && end - p > 1)
            return 2;
        if (*p == s->quote)
            s->quote = '\0';
        return 1;
    }
    if (s->in_braces) {
        if (*p == '\'' || *p == '"')
            s->quote = *p;
        s->in_braces = !starts_with(p, end, "}}") && !starts_with(p, end, "%}");
        return s->in_braces ? 1 : 2;
    }
    if (starts_with(p, end, "{#")) {
        const char *close = memmem(p, (size_t)(end - p), "#}", 2);
        return close ? (size_t)(close - p) + 2 : (size_t)(end - p);
    }
    s->in_braces = starts_with(p, end, "{{") || starts_with(p, end, "{%");
    return s->in_braces ? 2 : 1;
}

bool chat_program_default_system(struct gguf_string program, struct text *out)
{
    static const char opening[] = "<|im_start|>system";
    const size_t n_before = out->n;
    struct scan scan = {0};

    for (size_t i = 0; i < program.n;) {
        const char *p = program.bytes + i, *end = program.bytes + program.n;
        if (is_written(&scan) && starts_with(p, end, opening)) {
            const char *q = p + sizeof opening - 1;
            const size_t n_line_end = line_end(q, end, scan.quote);
            if (n_line_end > 0 && copy_literal(q + n_line_end, end, scan.quote, out) &&
                out->n > n_before)
                return true;
            if (out->n > n_before)
                out->n = n_before;
        }
        i += scan_step(&scan, p, end);
    }
    return false;
}
