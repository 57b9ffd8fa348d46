/* base/help.h - the text of `shoal COMMAND --help` */
#ifndef BASE_HELP_H
#define BASE_HELP_H

#include "base/command_line.h"

/* The fields of the tables must still hold the defaults. */
void help_print(const struct command *command, const struct setting_table tables[],
                int32_t n_tables, struct text *out);

#endif
