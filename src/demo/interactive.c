/* shoal demo interactive: an engine that a person turns step by step */
#include "base/status.h"
#include "demo/commands.h"
#include "demo/demos.h"
#include "demo/line_input.h"
#include "engine/interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char prompt[] = "shoal> ";

static bool is_fatal(enum shoal_status status)
{
    return status == SHOAL_E_INTERRUPTED || status == SHOAL_E_INTERNAL ||
           status == SHOAL_E_NO_MEMORY;
}

/* The lines until there is no more. A command that fails is said, and the next one comes. */
static enum shoal_status loop(struct session *s, struct line_input *in, bool is_echoed,
                              int32_t *n_failed, struct shoal_error *err)
{
    bool is_over = false;

    while (!is_over) {
        const char *line = NULL;
        const enum line_input_end end = line_input_next(in, &line);
        struct text copy = {0};

        if (end == LINE_INPUT_INTERRUPTED)
            return shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
        if (end == LINE_INPUT_FAILED)
            return shoal_fail(err, SHOAL_E_IO, "standard input: %s", strerror(errno));
        if (end == LINE_INPUT_END)
            break;
        text_add_str(&copy, line);
        if (is_echoed && *line)
            text_printf(&s->show.out, "%s%s\n", prompt, line);
        const enum shoal_status status =
            copy.bytes ? commands_run(s, copy.bytes, &is_over, err) : SHOAL_OK;
        text_fini(&copy);
        show_flush(&s->show);
        if (is_fatal(status))
            return status;
        if (status) {
            fprintf(stderr, "error: %s\n", err->text);
            ++*n_failed;
        }
    }
    return SHOAL_OK;
}

static void greet(struct session *s)
{
    show_heading(&s->show, "Continuous batching, step by step");
    show_setup(&s->show, s->run, &s->options);
    session_print_requests(s);
    show_words(&s->show, "Commands: step, run, new, add, set, settings, requests, verbose, "
                         "metrics, save, load, help, quit.");
    show_strip_legend(&s->show);
    show_flush(&s->show);
}

static enum shoal_status run(const struct demo_options *o, struct shoal_error *err)
{
    const bool is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    const bool has_editing = is_terminal && !o->non_interactive;
    struct session s = {0};
    struct line_input *in = NULL;
    int32_t n_failed = 0;
    enum shoal_status status;

    session_open(&s, o);
    status = session_new(&s, err);
    if (!status)
        status = interrupt_begin(NULL, err);
    if (!status)
        status = line_input_open(&in, has_editing, prompt, err);
    if (!status) {
        greet(&s);
        status = loop(&s, in, !has_editing, &n_failed, err);
        interrupt_end();
    }
    if (has_editing)
        fputs("\n", stdout);
    line_input_close(in);
    session_close(&s);
    if (!status && n_failed > 0 && !has_editing)
        status =
            shoal_fail(err, SHOAL_E_IO, "%d command%s failed", n_failed, n_failed == 1 ? "" : "s");
    return status;
}

static const struct setting settings[] = {
    {.name = "session",
     .kind = SETTING_STRING,
     .offset = offsetof(struct demo_options, session),
     .value = "FILE",
     .help =
         "begin with the settings of this JSON file, which `save` writes; --config takes it too",
     .text_default = "none",
     .group = "Interactive"},
    {.name = "non-interactive",
     .kind = SETTING_FLAG,
     .offset = offsetof(struct demo_options, non_interactive),
     .help = "no line editing, also on a terminal; commands are printed as they come"},
};

static const struct setting_table more = {settings, sizeof settings / sizeof *settings, NULL};

const struct demo demo_interactive = {
    .name = "interactive",
    .about = "a scheduler that you turn by hand: step, run, add requests, change the budget",
    .explains = "Reads commands from the terminal, a pipe or a file; help lists them. A command "
                "that fails is said; without a terminal the exit code is 1 then.",
    .defaults = {.budget = 16,
                 .chunk = 8,
                 .block_size = 8,
                 .n_blocks = 32,
                 .max_seqs = 8,
                 .n_requests = 3,
                 .max_tokens = 8,
                 .prompt_len = "4-20"},
    .more = &more,
    .load = session_load,
    .examples = "shoal demo interactive\n"
                "printf 'step 3\\nset budget 8\\nrun\\n' | shoal demo interactive",
    .run = run,
};
