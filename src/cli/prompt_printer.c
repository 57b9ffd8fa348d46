#include "cli/prompt_printer.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool prompt_printer_begin(struct prompt_printer *p, const struct setting_list *prompts)
{
    *p = (struct prompt_printer){.prompts = prompts};
    if (!prompts)
        return true;
    p->texts = mem_new((size_t)prompts->n, sizeof *p->texts);
    p->is_done = mem_new((size_t)prompts->n, sizeof *p->is_done);
    return p->texts && p->is_done;
}

void prompt_printer_fini(struct prompt_printer *p)
{
    for (int32_t i = 0; p->texts && i < p->prompts->n; i++)
        text_fini(&p->texts[i]);
    mem_free(p->texts);
    mem_free(p->is_done);
    *p = (struct prompt_printer){0};
}

bool prompt_printer_streams(const struct prompt_printer *p)
{
    return p->prompts && p->prompts->n == 1;
}

static void put(struct prompt_printer *p, const char *bytes, size_t n)
{
    if (p->has_failed)
        return;
    if (fwrite(bytes, 1, n, stdout) != n || fflush(stdout) != 0) {
        log_error("cannot write standard output: %s", strerror(errno));
        p->has_failed = true;
    }
}

void prompt_printer_text(struct prompt_printer *p, const char *text, size_t n)
{
    if (n == 0)
        return;
    put(p, text, n);
    p->ends_line = text[n - 1] == '\n';
}

static void print_ready(struct prompt_printer *p)
{
    for (; p->n_printed < p->prompts->n && p->is_done[p->n_printed]; p->n_printed++) {
        struct text *t = &p->texts[p->n_printed];
        if (t->n > 0)
            put(p, t->bytes, t->n);
        text_fini(t);
    }
}

void prompt_printer_job(struct prompt_printer *p, const struct job *j)
{
    const struct text *text = &j->choices[0].text;
    const int32_t i = (int32_t)j->line - 1;

    if (!p->prompts)
        return;
    if (prompt_printer_streams(p)) {
        if (!p->ends_line)
            put(p, "\n", 1);
        return;
    }
    text_printf(&p->texts[i], "> %s\n", p->prompts->items[i]);
    text_add(&p->texts[i], text->bytes, text->n);
    text_add_str(&p->texts[i], "\n\n");
    p->is_done[i] = true;
    print_ready(p);
}

void prompt_printer_skip(struct prompt_printer *p, int64_t line)
{
    if (!p->prompts)
        return;
    p->is_done[line - 1] = true;
    print_ready(p);
}
