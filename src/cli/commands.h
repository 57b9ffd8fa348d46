/* cli/commands.h - the commands of the program; argv[0] is the command's name
 *
 * Each returns the exit code: 0 all well, 1 something failed and was said, 2 usage, 130
 * interrupted. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cli_run(int argc, char *argv[]);
int cli_bench(int argc, char *argv[]);
int cli_replay(int argc, char *argv[]);
int cli_inspect(int argc, char *argv[]);
int cli_tokenize(int argc, char *argv[]);
int cli_perplexity(int argc, char *argv[]);
int cli_plugins(int argc, char *argv[]);

/* Prints what `shoal --version` says. */
void cli_print_version(void);

#endif
