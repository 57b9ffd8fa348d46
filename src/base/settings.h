/* base/settings.h - settings described by a table: parsed from text, printed as text
 *
 * One table serves the command line, SHOAL_* environment variables, `name = value` files, --help,
 * the list of effective settings, and the lines that rank 0 sends to the other ranks. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum setting_kind {
    SETTING_INT,    /* int32_t, low to high */
    SETTING_U64,    /* uint64_t */
    SETTING_BYTES,  /* uint64_t: "512MiB" */
    SETTING_FLOAT,  /* float, low to high */
    SETTING_DOUBLE, /* double, low to high */
    SETTING_FLAG,   /* bool: --name, --no-name; "on"/"off" and the like in files */
    SETTING_STRING, /* const char * */
    SETTING_CHOICE, /* const char *, one of choices */
    SETTING_LIST    /* struct setting_list: may be given several times */
};

struct setting_list {
    const char **items; /* (n), owned by the list; the strings are borrowed */
    int32_t n;
};

struct setting {
    const char *name; /* "max-num-seqs" */
    char letter;      /* short option, or 0 */
    enum setting_kind kind;
    size_t offset;            /* of the field in the struct that the table describes */
    double low, high;         /* of numbers; both 0: whatever the type holds */
    const char *choices;      /* "f32|f16|bf16|q8_0"; also of a SETTING_INT: "8|16|32" */
    const char *value;        /* what --help calls the value: "N", "FILE" */
    const char *help;         /* one sentence; the default stands in it where text_default is set */
    const char *text_default; /* what --help says the default is, where the value does not say it */
    const char *implied; /* value when the option stands without one ("--trace-steps"), or NULL */
    const char *group;   /* the heading that begins here in --help; NULL: still the one above */
};

struct setting_table {
    const struct setting *settings;
    size_t n;
    void *fields; /* the struct that they set */
};

/* Set one from text. The error names the setting (spelled "--name"), the value, and what it takes.
 * Strings are borrowed. */
enum shoal_status setting_set(const struct setting_table *t, const struct setting *s,
                              const char *value, struct shoal_error *err);
/* Append the value as setting_set reads it back; nothing for a list and for a string that is NULL.
 */
void setting_print(const struct setting_table *t, const struct setting *s, struct text *out);
/* Append what it takes, as the error says it: "a whole number from 1 to 65536". */
void setting_takes(const struct setting *s, struct text *out);

/* NULL when the table has none of that name. */
const struct setting *setting_find(const struct setting_table *t, const char *name);
/* Append "name = value" lines of all: a line an item for a list, none for a string that is NULL.
 * Strings that would not be read back as they are stand in double quotes. */
void settings_print(const struct setting_table *t, struct text *out);
/* Read such lines. Blank lines are skipped; '#' at the start of a line or after a blank begins a
 * comment, except in double quotes, where \", \\ and \n are understood. The first line that names a
 * list empties it. text is changed and must outlive the settings. `where` names it in errors, with
 * the line's number. */
enum shoal_status settings_read(const struct setting_table tables[], int32_t n_tables, char *text,
                                const char *where, struct shoal_error *err);

/* The setting of that name in any of the tables and its table, or NULL. */
const struct setting *settings_find(const struct setting_table tables[], int32_t n_tables,
                                    const char *name, const struct setting_table **table);
/* The name in the tables that is nearest to one that is in none, or NULL. */
const char *settings_nearest(const struct setting_table tables[], int32_t n_tables,
                             const char *name);
/* Empties every list; the strings in them are not the list's. */
void settings_fini(const struct setting_table *t);
void setting_list_fini(struct setting_list *list);

#endif
