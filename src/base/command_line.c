#include "base/command_line.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/help.h"
#include "base/env_rank.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG_BYTES = 1 << 20 };

static const struct setting own_settings[] = {
    {.name = "config",
     .kind = SETTING_STRING,
     .offset = offsetof(struct command_fields, config),
     .value = "FILE",
     .help = "read options from `name = value` lines",
     .group = "General"},
    {.name = "log-level",
     .kind = SETTING_CHOICE,
     .offset = offsetof(struct command_fields, log_level),
     .choices = "error|warn|info|debug",
     .value = "LEVEL",
     .help = "what to say on stderr: error, warn, info, debug"},
    {.name = "help",
     .letter = 'h',
     .kind = SETTING_FLAG,
     .offset = offsetof(struct command_fields, help),
     .help = "print this and exit"},
};

/* One option as it stood in argv. */
struct assignment {
    const struct setting_table *table;
    const struct setting *setting;
    const char *value;
};

struct assignments {
    struct assignment *items; /* (n), room for argc */
    int32_t n;
};

static const struct setting *find_letter(const struct command_line *cl, char letter,
                                         const struct setting_table **table)
{
    for (int32_t i = 0; i < cl->n_tables; i++) {
        for (size_t k = 0; k < cl->tables[i].n; k++) {
            if (cl->tables[i].settings[k].letter == letter) {
                *table = &cl->tables[i];
                return &cl->tables[i].settings[k];
            }
        }
    }
    return NULL;
}

static enum shoal_status refuse_option(const struct command_line *cl, const char *arg,
                                       const char *name, struct shoal_error *err)
{
    const char *nearest = settings_nearest(cl->tables, cl->n_tables, name);
    const int n = (int)strcspn(arg, "=");

    if (nearest)
        return shoal_fail(err, SHOAL_E_INVALID, "there is no option %.*s; the nearest is --%s",
                          n > 80 ? 80 : n, arg, nearest);
    return shoal_fail(err, SHOAL_E_INVALID, "there is no option %.*s", n > 80 ? 80 : n, arg);
}

/* An option name that was taken for a value is nearly always a value that was forgotten. */
static bool looks_like_option(const struct command_line *cl, const char *arg)
{
    const struct setting_table *table;
    char name[64];

    if (strncmp(arg, "--", 2) != 0)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    return settings_find(cl->tables, cl->n_tables, name, &table) != NULL;
}

/* The setting that arg names, with the length of its name in arg; *is_off for --no-name. */
static const struct setting *find_option(const struct command_line *cl, const char *arg,
                                         const struct setting_table **table, bool *is_off)
{
    const char *dashes = arg[1] == '-' ? arg + 2 : arg + 1;
    const struct setting *s = NULL;
    char name[64];
    const size_t n = strcspn(dashes, "=");

    *is_off = false;
    if (n >= sizeof name || n == 0)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)n, dashes);
    if (arg[1] == '-' || (cl->command->has_dash_names && n > 1))
        s = settings_find(cl->tables, cl->n_tables, name, table);
    if (!s && arg[1] == '-' && strncmp(name, "no-", 3) == 0) {
        s = settings_find(cl->tables, cl->n_tables, name + 3, table);
        *is_off = s && s->kind == SETTING_FLAG;
        if (!*is_off)
            s = NULL;
    }
    if (!s && arg[1] != '-' && n == 1)
        s = find_letter(cl, name[0], table);
    return s;
}

/* One option at argv[*i]; moves *i on when its value is the next argument. */
static enum shoal_status read_option(const struct command_line *cl, int argc, char *argv[], int *i,
                                     struct assignments *out, struct shoal_error *err)
{
    const char *arg = argv[*i], *value = NULL;
    struct assignment a = {0};
    bool is_off;

    a.setting = find_option(cl, arg, &a.table, &is_off);
    if (a.setting) {
        value = strchr(arg, '=');
        value = value ? value + 1 : NULL;
    } else if (arg[1] != '-' && !cl->command->has_dash_names) {
        /* -t2: what stands behind the letter is the value */
        a.setting = find_letter(cl, arg[1], &a.table);
        if (a.setting && a.setting->kind == SETTING_FLAG)
            a.setting = NULL;
        value = arg + 2;
    }
    if (!a.setting)
        return refuse_option(cl, arg, arg + strspn(arg, "-"), err);

    if (is_off && value)
        return shoal_fail(err, SHOAL_E_INVALID, "--no-%s takes no value", a.setting->name);
    if (a.setting->kind == SETTING_FLAG && !value) {
        value = is_off ? "off" : "on";
    } else if (!value && a.setting->implied) {
        value = a.setting->implied;
    } else if (!value) {
        if (*i + 1 >= argc || looks_like_option(cl, argv[*i + 1]))
            return shoal_fail(err, SHOAL_E_INVALID, "--%s needs a value: --%s %s", a.setting->name,
                              a.setting->name, a.setting->value ? a.setting->value : "VALUE");
        value = argv[++*i];
    }
    a.value = value;
    out->items[out->n++] = a;
    return SHOAL_OK;
}

static enum shoal_status read_arguments(struct command_line *cl, int argc, char *argv[],
                                        struct assignments *out, struct shoal_error *err)
{
    const struct setting argument = {.name = "argument", .kind = SETTING_LIST};
    const struct setting_table arguments = {&argument, 1, &cl->arguments};
    bool is_over = false;

    for (int i = 1; i < argc; i++) {
        enum shoal_status status;

        if (!is_over && strcmp(argv[i], "--") == 0) {
            is_over = true;
            continue;
        }
        if (!is_over && argv[i][0] == '-' && argv[i][1] != '\0')
            status = read_option(cl, argc, argv, &i, out, err);
        else if (!cl->command->arguments)
            status = shoal_fail(err, SHOAL_E_INVALID, "\"%.120s\" stands there without an option",
                                argv[i]);
        else
            status = setting_set(&arguments, &argument, argv[i], err);
        if (status)
            return status;
    }
    return SHOAL_OK;
}

/* The file, ending in 0. */
static enum shoal_status load_config(const char *path, char **out, struct shoal_error *err)
{
    FILE *f = fopen(path, "rb");
    struct text text = {0};
    char buffer[4096];
    size_t n;

    *out = NULL;
    if (!f)
        return shoal_fail(err, SHOAL_E_IO, "--config: cannot open %.200s: %s", path,
                          strerror(errno));
    text_add_str(&text, "");
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0 && text.n <= MAX_CONFIG_BYTES)
        text_add(&text, buffer, n);
    const bool is_read = !ferror(f);
    fclose(f);
    if (!is_read || text.failed || text.n > MAX_CONFIG_BYTES ||
        memchr(text.bytes, '\0', text.n) != NULL) {
        text_fini(&text);
        return shoal_fail(err, SHOAL_E_IO,
                          "--config: %.200s cannot be read, or is not a text file of options",
                          path);
    }
    *out = text.bytes;
    return SHOAL_OK;
}

static enum shoal_status apply_config(struct command_line *cl, const char *path,
                                      struct shoal_error *err)
{
    enum shoal_status status = load_config(path, &cl->config_text, err);

    /* Rank 0's settings are sent to the others, whose machines need not have the file. */
    if (status == SHOAL_E_IO && env_rank() > 0)
        return SHOAL_OK;
    if (!status)
        status = settings_read(cl->tables, cl->n_tables, cl->config_text, path, err);
    return status;
}

static void variable_name(const char *name, char *out, size_t n)
{
    size_t i = (size_t)snprintf(out, n, "SHOAL_");

    for (; *name && i + 1 < n; name++)
        out[i++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    out[i] = '\0';
}

static const char *variable(const struct setting *s, char *name, size_t n)
{
    variable_name(s->name, name, n);
    return getenv(name);
}

static void empty_list(const struct setting_table *t, const struct setting *s)
{
    if (s->kind == SETTING_LIST)
        setting_list_fini((struct setting_list *)((char *)t->fields + s->offset));
}

static enum shoal_status apply_environment(struct command_line *cl, struct shoal_error *err)
{
    char name[80];

    for (int32_t i = 0; i < cl->n_tables; i++) {
        for (size_t k = 0; k < cl->tables[i].n; k++) {
            const struct setting *s = &cl->tables[i].settings[k];
            const char *value = variable(s, name, sizeof name);

            if (!value || *value == '\0' || strcmp(s->name, "help") == 0)
                continue; /* an empty variable is none */
            empty_list(&cl->tables[i], s);
            const enum shoal_status status = setting_set(&cl->tables[i], s, value, err);
            if (status) {
                shoal_error_prefix(err, "environment variable %s", name);
                return status;
            }
        }
    }
    return SHOAL_OK;
}

static enum shoal_status apply_assignments(struct command_line *cl, const struct assignments *list,
                                           struct shoal_error *err)
{
    for (int32_t i = 0; i < list->n; i++) {
        const struct assignment *a = &list->items[i];
        if (!command_line_given(cl, a->setting->name))
            empty_list(a->table, a->setting);
        cl->given[cl->n_given++] = a->setting;
        const enum shoal_status status = setting_set(a->table, a->setting, a->value, err);
        if (status)
            return status;
    }
    return SHOAL_OK;
}

static enum shoal_status apply(struct command_line *cl, const struct assignments *list,
                               struct shoal_error *err)
{
    char name[80];
    const char *config = variable(&own_settings[0], name, sizeof name);
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; i < list->n; i++) {
        if (strcmp(list->items[i].setting->name, "help") == 0) {
            cl->fields.help = true;
            return SHOAL_OK;
        }
        if (list->items[i].setting == &own_settings[0])
            config = list->items[i].value;
    }
    if (config)
        status = apply_config(cl, config, err);
    if (!status)
        status = apply_environment(cl, err);
    if (!status)
        status = apply_assignments(cl, list, err);
    return status;
}

enum shoal_status command_line_parse(struct command_line *cl, const struct command *command,
                                     const struct setting_table tables[], int32_t n_tables,
                                     int argc, char *argv[], struct shoal_error *err)
{
    struct assignments list = {0};
    enum shoal_status status;

    *cl = (struct command_line){.command = command, .fields = {.log_level = "warn"}};
    for (int32_t i = 0; i < n_tables && i < COMMAND_MAX_TABLES - 1; i++)
        cl->tables[cl->n_tables++] = tables[i];
    cl->tables[cl->n_tables++] = (struct setting_table){
        own_settings, sizeof own_settings / sizeof *own_settings, &cl->fields};

    list.items = mem_new((size_t)argc, sizeof *list.items);
    cl->given = mem_new((size_t)argc, sizeof *cl->given);
    if (list.items && cl->given)
        status = read_arguments(cl, argc, argv, &list, err);
    else
        status = shoal_fail_memory(err, "the command line", (size_t)argc * sizeof *list.items);
    if (!status)
        status = apply(cl, &list, err);
    mem_free(list.items);
    return status;
}

void command_line_close(struct command_line *cl)
{
    for (int32_t i = 0; i < cl->n_tables; i++)
        settings_fini(&cl->tables[i]);
    setting_list_fini(&cl->arguments);
    mem_free(cl->given);
    mem_free(cl->config_text);
    *cl = (struct command_line){0};
}

bool command_line_given(const struct command_line *cl, const char *name)
{
    for (int32_t i = 0; i < cl->n_given; i++)
        if (strcmp(cl->given[i]->name, name) == 0)
            return true;
    return false;
}

int command_line_refuse(const struct command_line *cl, const char *format, ...)
{
    va_list args;

    if (env_rank() > 0)
        return EXIT_USAGE;
    fprintf(stderr, "shoal %s: ", cl->command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nsee shoal %s --help\n", cl->command->name);
    return EXIT_USAGE;
}

bool command_line_open(struct command_line *cl, const struct command *command,
                       const struct setting_table tables[], int32_t n_tables, int argc,
                       char *argv[], int *exit_code)
{
    struct shoal_error err;
    const enum shoal_status status =
        command_line_parse(cl, command, tables, n_tables, argc, argv, &err);

    if (status) {
        *exit_code = command_line_refuse(cl, "%s", err.text);
    } else if (cl->fields.help) {
        struct text help = {0};
        cl->fields.help = false; /* what is printed as defaults is what the fields hold */
        help_print(command, cl->tables, cl->n_tables, &help);
        if (help.bytes && env_rank() == 0)
            fputs(help.bytes, stdout);
        text_fini(&help);
        *exit_code = EXIT_SUCCESS;
    } else {
        log_set_level((enum log_level)log_level_parse(cl->fields.log_level));
        return true;
    }
    command_line_close(cl);
    return false;
}
