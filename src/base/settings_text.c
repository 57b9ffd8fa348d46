/* Settings as "name = value" lines, and back. */
#include "base/settings.h"

#include "base/status.h"

#include <ctype.h>
#include <string.h>

static bool is_plain(const char *value)
{
    const size_t n = strlen(value);

    if (n == 0 || isspace((unsigned char)value[0]) || isspace((unsigned char)value[n - 1]))
        return false;
    return value[0] != '"' && !strpbrk(value, "#\n\r");
}

static void print_string(const char *value, struct text *out)
{
    if (is_plain(value)) {
        text_add_str(out, value);
        return;
    }
    text_add_str(out, "\"");
    for (const char *p = value; *p; p++) {
        if (*p == '\n')
            text_add_str(out, "\\n");
        else if (*p == '"' || *p == '\\')
            text_printf(out, "\\%c", *p);
        else
            text_add(out, p, 1);
    }
    text_add_str(out, "\"");
}

static void print_line(const char *name, const char *value, struct text *out)
{
    text_printf(out, "%s = ", name);
    print_string(value, out);
    text_add_str(out, "\n");
}

void settings_print(const struct setting_table *t, struct text *out)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct setting *s = &t->settings[i];
        const void *value = (const char *)t->fields + s->offset;

        if (s->kind == SETTING_LIST) {
            const struct setting_list *list = value;
            for (int32_t k = 0; k < list->n; k++)
                print_line(s->name, list->items[k], out);
        } else if (s->kind == SETTING_STRING || s->kind == SETTING_CHOICE) {
            if (*(const char *const *)value)
                print_line(s->name, *(const char *const *)value, out);
        } else {
            text_printf(out, "%s = ", s->name);
            setting_print(t, s, out);
            text_add_str(out, "\n");
        }
    }
}

static char *skip_blanks(char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

static void cut_blanks(char *begin, char *end)
{
    while (end > begin && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
}

/* Takes the quotes off in place. False: no closing quote, an unknown escape, or more behind it. */
static bool unquote(char *p)
{
    char *out = p;

    for (p++; *p != '"'; p++) {
        if (*p == '\0')
            return false;
        if (*p != '\\') {
            *out++ = *p;
            continue;
        }
        p++;
        if (*p != 'n' && *p != '"' && *p != '\\')
            return false;
        *out++ = *p == 'n' ? '\n' : *p;
    }
    p = skip_blanks(p + 1);
    if (*p && *p != '#')
        return false;
    *out = '\0';
    return true;
}

static void cut_comment(char *value)
{
    for (char *p = value; *p; p++) {
        if (*p == '#' && (p == value || isspace((unsigned char)p[-1]))) {
            *p = '\0';
            break;
        }
    }
    cut_blanks(value, value + strlen(value));
}

/* The first line of a list in this text replaces what the list held before. */
static void empty_list_once(const struct setting_table *t, const struct setting *s,
                            const struct setting *seen[], int32_t *n_seen, int32_t max_seen)
{
    if (s->kind != SETTING_LIST)
        return;
    for (int32_t i = 0; i < *n_seen; i++)
        if (seen[i] == s)
            return;
    if (*n_seen < max_seen)
        seen[(*n_seen)++] = s;
    setting_list_fini((struct setting_list *)((char *)t->fields + s->offset));
}

static enum shoal_status refuse_name(const struct setting_table tables[], int32_t n_tables,
                                     const char *name, struct shoal_error *err)
{
    const char *nearest = settings_nearest(tables, n_tables, name);

    if (nearest)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "there is no option \"%.80s\"; the nearest is \"%s\"", name, nearest);
    return shoal_fail(err, SHOAL_E_INVALID, "there is no option \"%.80s\"", name);
}

enum shoal_status settings_read(const struct setting_table tables[], int32_t n_tables, char *text,
                                const char *where, struct shoal_error *err)
{
    enum { MAX_LISTS = 32 };
    const struct setting *seen[MAX_LISTS];
    int32_t n_seen = 0, n_line = 0;
    char *next;

    for (char *line = text; line; line = next) {
        const struct setting_table *t = NULL;
        enum shoal_status status;

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        n_line++;
        char *name = skip_blanks(line);
        if (*name == '\0' || *name == '#')
            continue;
        char *equals = strchr(name, '=');
        if (!equals)
            return shoal_fail(err, SHOAL_E_INVALID, "%.200s, line %d: no '=' in \"%.80s\"", where,
                              n_line, name);
        char *value = skip_blanks(equals + 1);
        cut_blanks(name, equals);
        if (strncmp(name, "--", 2) == 0)
            name += 2;

        const struct setting *s = settings_find(tables, n_tables, name, &t);
        const bool is_quoted = *value == '"';
        if (!s) {
            status = refuse_name(tables, n_tables, name, err);
        } else if (is_quoted && !unquote(value)) {
            status = shoal_fail(err, SHOAL_E_INVALID, "--%s: the quoted value is not well-formed",
                                s->name);
        } else {
            if (!is_quoted)
                cut_comment(value);
            empty_list_once(t, s, seen, &n_seen, MAX_LISTS);
            status = setting_set(t, s, value, err);
        }
        if (status) {
            shoal_error_prefix(err, "%.200s, line %d", where, n_line);
            return status;
        }
    }
    return SHOAL_OK;
}
