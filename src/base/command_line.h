/* base/command_line.h - what a command was told: arguments, SHOAL_* variables, --config file
 *
 * Driven by tables of settings. The command line wins over the environment, the environment over
 * the file, the file over what the fields held before. Under mpirun every rank reads the same
 * command line, so that all stop alike; only rank 0 prints. */
#ifndef BASE_COMMAND_LINE_H
#define BASE_COMMAND_LINE_H

#include "base/settings.h"

enum { COMMAND_MAX_TABLES = 6, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

struct command {
    const char *name;      /* "run" */
    const char *usage;     /* what follows "shoal run", a line each */
    const char *about;     /* what it does */
    const char *arguments; /* what stands without an option ("TEXT"); NULL: nothing may */
    const char *examples;  /* lines, or NULL */
    bool has_dash_names;   /* -npp 128 means --npp 128 */
};

struct command_fields {
    const char *config, *log_level;
    bool help;
};

struct command_line {
    const struct command *command;
    struct setting_table
        tables[COMMAND_MAX_TABLES]; /* (n_tables) the command's, then --help & co */
    int32_t n_tables;
    struct setting_list arguments; /* what stood without an option */
    const struct setting **given;  /* (n_given) set on the command line itself */
    int32_t n_given;
    struct command_fields fields;
    char *config_text; /* the file's, which settings point into */
};

/* Read argv (argv[0] is the command's name) into the fields of the tables. When help is asked for,
 * cl->fields.help is true and nothing else is set. In any case *cl must be closed. */
enum shoal_status command_line_parse(struct command_line *cl, const struct command *command,
                                     const struct setting_table tables[], int32_t n_tables,
                                     int argc, char *argv[], struct shoal_error *err);
/* The same, for a program: prints help and errors and sets the log's level. False: the command is
 * over, with *exit_code. */
bool command_line_open(struct command_line *cl, const struct command *command,
                       const struct setting_table tables[], int32_t n_tables, int argc,
                       char *argv[], int *exit_code);
void command_line_close(struct command_line *cl);

/* True when the command line itself, not a variable or a file, set it. */
bool command_line_given(const struct command_line *cl, const char *name);

/* Says what is wrong with the command line, and where to read more. Returns EXIT_USAGE. */
int command_line_refuse(const struct command_line *cl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
