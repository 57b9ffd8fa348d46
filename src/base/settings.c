#include "base/settings.h"

#include "base/mem.h"
#include "base/status.h"

#include <float.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SHOWN_VALUE = 120 }; /* bytes of a bad value that a message repeats */

static void *field(const struct setting_table *t, const struct setting *s)
{
    return (char *)t->fields + s->offset;
}

static bool is_limited(const struct setting *s)
{
    return s->low != 0 || s->high != 0;
}

/* The next of the choices from *cursor: its start, with its length; NULL after the last. */
static const char *next_choice(const char **cursor, size_t *n)
{
    const char *start = *cursor;

    if (*start == '\0')
        return NULL;
    *n = strcspn(start, "|");
    *cursor = start + *n + (start[*n] == '|');
    return start;
}

static bool is_choice(const char *choices, const char *value)
{
    const char *choice;
    size_t n;

    while ((choice = next_choice(&choices, &n)))
        if (strlen(value) == n && memcmp(choice, value, n) == 0)
            return true;
    return false;
}

void setting_takes(const struct setting *s, struct text *out)
{
    if (s->choices) {
        const char *cursor = s->choices, *choice;
        size_t n;

        text_add_str(out, "one of ");
        while ((choice = next_choice(&cursor, &n))) {
            if (choice != s->choices)
                text_add_str(out, ", ");
            text_add(out, choice, n);
        }
        return;
    }
    switch (s->kind) {
    case SETTING_INT:
    case SETTING_U64:
        text_add_str(out, "a whole number");
        if (s->kind == SETTING_U64 && !is_limited(s))
            text_add_str(out, " from 0 to 2^64 - 1");
        break;
    case SETTING_FLOAT:
    case SETTING_DOUBLE:
        text_add_str(out, "a number");
        break;
    case SETTING_BYTES:
        text_add_str(out, "a size in bytes (4096, 512MiB, 2GiB)");
        return;
    case SETTING_FLAG:
        text_add_str(out, "on or off");
        return;
    case SETTING_STRING:
    case SETTING_CHOICE:
    case SETTING_LIST:
        text_add_str(out, "a text");
        return;
    }
    if (is_limited(s))
        text_printf(out, " from %.15g to %.15g", s->low, s->high);
}

static enum shoal_status refuse(const struct setting *s, const char *value, struct shoal_error *err)
{
    struct text takes = {0};
    enum shoal_status status;

    setting_takes(s, &takes);
    if (*value == '\0')
        status = shoal_fail(err, SHOAL_E_INVALID, "--%s: the value is empty; it takes %s", s->name,
                            takes.bytes ? takes.bytes : "another");
    else
        status = shoal_fail(err, SHOAL_E_INVALID, "--%s: %.*s is not %s", s->name, SHOWN_VALUE,
                            value, takes.bytes ? takes.bytes : "what it takes");
    text_fini(&takes);
    return status;
}

static bool parse_flag(const char *value, bool *out)
{
    static const char *const on[] = {"on", "true", "yes", "1"};
    static const char *const off[] = {"off", "false", "no", "0"};

    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        if (strcasecmp(value, on[i]) == 0 || strcasecmp(value, off[i]) == 0) {
            *out = strcasecmp(value, on[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool in_range(const struct setting *s, double value)
{
    return !is_limited(s) || (value >= s->low && value <= s->high);
}

static enum shoal_status append(struct setting_list *list, const char *value,
                                struct shoal_error *err)
{
    const char **items = mem_resize(list->items, (size_t)list->n + 1, sizeof *items);

    if (!items || list->n == INT32_MAX)
        return shoal_fail_memory(err, "a list of options", sizeof *items);
    list->items = items;
    list->items[list->n++] = value;
    return SHOAL_OK;
}

enum shoal_status setting_set(const struct setting_table *t, const struct setting *s,
                              const char *value, struct shoal_error *err)
{
    void *out = field(t, s);
    int64_t i;
    uint64_t u;
    double d;
    bool is_on;

    if (s->choices && !is_choice(s->choices, value))
        return refuse(s, value, err);
    switch (s->kind) {
    case SETTING_INT:
        if (!parse_i64(value, INT32_MIN, INT32_MAX, &i) || !in_range(s, (double)i))
            return refuse(s, value, err);
        *(int32_t *)out = (int32_t)i;
        return SHOAL_OK;
    case SETTING_U64:
    case SETTING_BYTES:
        if (!(s->kind == SETTING_U64 ? parse_u64(value, &u) : parse_bytes(value, &u)) ||
            !in_range(s, (double)u))
            return refuse(s, value, err);
        *(uint64_t *)out = u;
        return SHOAL_OK;
    case SETTING_FLOAT:
    case SETTING_DOUBLE:
        if (!parse_double(value, &d) || !in_range(s, d))
            return refuse(s, value, err);
        if (s->kind == SETTING_DOUBLE)
            *(double *)out = d;
        else if (d > FLT_MAX || d < -FLT_MAX)
            return refuse(s, value, err);
        else
            *(float *)out = (float)d;
        return SHOAL_OK;
    case SETTING_FLAG:
        if (!parse_flag(value, &is_on))
            return refuse(s, value, err);
        *(bool *)out = is_on;
        return SHOAL_OK;
    case SETTING_STRING:
    case SETTING_CHOICE:
        *(const char **)out = value;
        return SHOAL_OK;
    case SETTING_LIST:
        return append(out, value, err);
    }
    return shoal_fail(err, SHOAL_E_INTERNAL, "--%s: no such kind of setting", s->name);
}

void setting_print(const struct setting_table *t, const struct setting *s, struct text *out)
{
    const void *value = field(t, s);

    switch (s->kind) {
    case SETTING_INT:
        text_printf(out, "%d", *(const int32_t *)value);
        break;
    case SETTING_U64:
    case SETTING_BYTES:
        text_printf(out, "%llu", (unsigned long long)*(const uint64_t *)value);
        break;
    case SETTING_FLOAT:
        text_printf(out, "%.9g", (double)*(const float *)value);
        break;
    case SETTING_DOUBLE:
        text_printf(out, "%.17g", *(const double *)value);
        break;
    case SETTING_FLAG:
        text_add_str(out, *(const bool *)value ? "on" : "off");
        break;
    case SETTING_STRING:
    case SETTING_CHOICE:
        if (*(const char *const *)value)
            text_add_str(out, *(const char *const *)value);
        break;
    case SETTING_LIST:
        break;
    }
}

const struct setting *setting_find(const struct setting_table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->settings[i].name, name) == 0)
            return &t->settings[i];
    return NULL;
}

const struct setting *settings_find(const struct setting_table tables[], int32_t n_tables,
                                    const char *name, const struct setting_table **table)
{
    for (int32_t i = 0; i < n_tables; i++) {
        const struct setting *s = setting_find(&tables[i], name);
        if (s) {
            *table = &tables[i];
            return s;
        }
    }
    return NULL;
}

const char *settings_nearest(const struct setting_table tables[], int32_t n_tables,
                             const char *name)
{
    enum { MAX = 256 };
    const char *names[MAX];
    size_t n = 0;

    for (int32_t i = 0; i < n_tables; i++)
        for (size_t k = 0; k < tables[i].n && n < MAX; k++)
            names[n++] = tables[i].settings[k].name;
    return nearest_name(name, names, n);
}

void setting_list_fini(struct setting_list *list)
{
    mem_free(list->items);
    *list = (struct setting_list){0};
}

void settings_fini(const struct setting_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->settings[i].kind == SETTING_LIST)
            setting_list_fini(field(t, &t->settings[i]));
}
