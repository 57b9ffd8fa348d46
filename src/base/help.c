#include "base/help.h"

#include <ctype.h>
#include <string.h>

enum { INDENT = 38, WIDTH = 100 };

/* Appends words, wrapped; the cursor stands at column `at`. */
static void wrap(const char *words, size_t at, size_t indent, struct text *out)
{
    const char *p = words;
    bool is_first = true;

    while (*p) {
        const size_t n = strcspn(p, " ");
        if (!is_first && at + 1 + n > WIDTH) {
            text_printf(out, "\n%*s", (int)indent, "");
            at = indent;
            is_first = true;
        }
        if (!is_first) {
            text_add_str(out, " ");
            at++;
        }
        text_add(out, p, n);
        at += n;
        is_first = false;
        p += n;
        while (*p == ' ')
            p++;
    }
}

static const char *value_name(const struct setting *s)
{
    if (s->kind == SETTING_FLAG)
        return NULL;
    return s->value ? s->value : "VALUE";
}

static void print_default(const struct setting_table *t, const struct setting *s, struct text *out)
{
    struct text value = {0};

    text_add_str(&value, "");
    if (s->text_default)
        text_add_str(&value, s->text_default);
    else if (s->kind != SETTING_FLAG || *(const bool *)((const char *)t->fields + s->offset))
        setting_print(t, s, &value);
    if (value.n > 0)
        text_printf(out, " (default %s)", value.bytes);
    text_fini(&value);
}

static void print_setting(const struct command *command, const struct setting_table *t,
                          const struct setting *s, struct text *out)
{
    const bool is_on =
        s->kind == SETTING_FLAG && *(const bool *)((const char *)t->fields + s->offset);
    const char *value = value_name(s);
    struct text left = {0}, right = {0};

    if (s->letter)
        text_printf(&left, "  -%c, ", s->letter);
    else
        text_add_str(&left, "      ");
    text_printf(&left, "%s%s%s",
                command->has_dash_names && !s->letter && strlen(s->name) <= 3 ? "-" : "--",
                is_on ? "[no-]" : "", s->name);
    if (value)
        text_printf(&left, s->implied ? "[=%s]" : " %s", value);
    if (left.n + 2 > INDENT)
        text_printf(&left, "\n%*s", INDENT, "");
    else
        text_printf(&left, "%*s", (int)(INDENT - left.n), "");
    text_add_str(&right, s->help ? s->help : "");
    if (s->kind == SETTING_LIST)
        text_add_str(&right, "; may be given several times");
    print_default(t, s, &right);
    if (left.bytes)
        text_add(out, left.bytes, left.n);
    if (right.bytes)
        wrap(right.bytes, INDENT, INDENT, out);
    text_add_str(out, "\n");
    text_fini(&left);
    text_fini(&right);
}

/* Each line of `lines` with a first word before it that changes after the first line. */
static void print_lines(const char *lines, const char *first, const char *rest, struct text *out)
{
    while (*lines) {
        const size_t n = strcspn(lines, "\n");
        text_add_str(out, first);
        text_add(out, lines, n);
        text_add_str(out, "\n");
        lines += n + (lines[n] == '\n');
        first = rest;
    }
}

void help_print(const struct command *command, const struct setting_table tables[],
                int32_t n_tables, struct text *out)
{
    struct text first = {0}, rest = {0};

    text_printf(&first, "usage: shoal %s ", command->name);
    text_printf(&rest, "       shoal %s ", command->name);
    if (first.bytes && rest.bytes)
        print_lines(command->usage, first.bytes, rest.bytes, out);
    text_fini(&first);
    text_fini(&rest);
    text_add_str(out, "\n");
    wrap(command->about, 0, 0, out);
    text_add_str(out, "\n");

    for (int32_t i = 0; i < n_tables; i++) {
        for (size_t k = 0; k < tables[i].n; k++) {
            const struct setting *s = &tables[i].settings[k];
            if (s->group)
                text_printf(out, "\n%s:\n", s->group);
            print_setting(command, &tables[i], s, out);
        }
    }
    text_add_str(out, "\n");
    wrap("Every option can also be given by a variable (SHOAL_LOG_LEVEL=info for --log-level info) "
         "or as a line of the --config file (log-level = info). The command line wins, then the "
         "environment, then the file.",
         0, 0, out);
    text_add_str(out, "\n");
    if (command->examples) {
        text_add_str(out, "\nExamples:\n");
        print_lines(command->examples, "  ", "  ", out);
    }
}
