#include "demo/line_input.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "engine/interrupt.h"

#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 500, LONGEST_LINE = 1 << 16 };

struct line_input {
    const char *prompt;
    EditLine *editor; /* NULL: plain reading */
    History *history;
    char buffer[4096]; /* [first, n) was read and is not used */
    size_t first, n;
    struct text line;
    bool is_over;
};

static char *prompt_of(EditLine *editor)
{
    struct line_input *in = NULL;
    static char none[] = "";

    el_get(editor, EL_CLIENTDATA, &in);
    if (!in)
        return none;
    text_clear(&in->line);
    text_add_str(&in->line, in->prompt);
    return in->line.bytes ? in->line.bytes : none;
}

/* One byte; 0: the end, -1: a signal or a failure. */
static int read_byte(struct line_input *in, char *out)
{
    while (in->first == in->n) {
        interrupt_wait(STDIN_FILENO, -1);
        if (interrupt_came())
            return -1;
        const ssize_t n = read(STDIN_FILENO, in->buffer, sizeof in->buffer);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
        in->first = 0;
        in->n = n > 0 ? (size_t)n : 0;
    }
    *out = in->buffer[in->first++];
    return 1;
}

/* libedit would go on reading after a signal: its letters come through here. */
static int read_letter(EditLine *editor, wchar_t *out)
{
    struct line_input *in = NULL;
    char byte;

    el_get(editor, EL_CLIENTDATA, &in);
    if (!in)
        return -1;
    const int n = read_byte(in, &byte);
    if (n == 1)
        *out = (wchar_t)(unsigned char)byte;
    return n;
}

static bool begin_editing(struct line_input *in)
{
    HistEvent event;

    in->editor = el_init("shoal", stdin, stdout, stderr);
    in->history = history_init();
    if (!in->editor || !in->history)
        return false;
    history(in->history, &event, H_SETSIZE, HISTORY_LINES);
    el_set(in->editor, EL_CLIENTDATA, in);
    el_set(in->editor, EL_PROMPT, prompt_of);
    el_set(in->editor, EL_EDITOR, "emacs");
    el_set(in->editor, EL_HIST, history, in->history);
    el_set(in->editor, EL_GETCFN, read_letter);
    return true;
}

enum shoal_status line_input_open(struct line_input **out, bool has_editing, const char *prompt,
                                  struct shoal_error *err)
{
    struct line_input *in = mem_new(1, sizeof *in);

    *out = NULL;
    if (!in)
        return shoal_fail_memory(err, "the input", sizeof *in);
    in->prompt = prompt;
    if (has_editing && !begin_editing(in)) {
        line_input_close(in);
        return shoal_fail_memory(err, "line editing", 0);
    }
    *out = in;
    return SHOAL_OK;
}

void line_input_close(struct line_input *in)
{
    if (!in)
        return;
    if (in->editor)
        el_end(in->editor);
    if (in->history)
        history_end(in->history);
    text_fini(&in->line);
    mem_free(in);
}

static enum line_input_end edit_line(struct line_input *in, const char **line)
{
    HistEvent event;
    int n = 0;
    const char *typed = el_gets(in->editor, &n);

    if (!typed || n <= 0)
        return interrupt_came() ? LINE_INPUT_INTERRUPTED : LINE_INPUT_END;
    if (n > 1)
        history(in->history, &event, H_ENTER, typed);
    text_clear(&in->line);
    text_add(&in->line, typed, strcspn(typed, "\n"));
    *line = in->line.bytes ? in->line.bytes : "";
    return LINE_INPUT_LINE;
}

static enum line_input_end read_line(struct line_input *in, const char **line)
{
    char byte;
    int n = 0;

    text_clear(&in->line);
    text_add_str(&in->line, "");
    while (!in->is_over && (n = read_byte(in, &byte)) == 1 && byte != '\n')
        if (in->line.n < LONGEST_LINE)
            text_add(&in->line, &byte, 1);
    if (n < 0)
        return interrupt_came() ? LINE_INPUT_INTERRUPTED : LINE_INPUT_FAILED;
    in->is_over |= n == 0;
    if (in->line.failed)
        return LINE_INPUT_FAILED;
    if (in->is_over && in->line.n == 0)
        return LINE_INPUT_END;
    *line = in->line.bytes;
    return LINE_INPUT_LINE;
}

enum line_input_end line_input_next(struct line_input *in, const char **line)
{
    return in->editor ? edit_line(in, line) : read_line(in, line);
}
