/* base/subcommands.h - what stands behind `shoal`, `shoal bench`, ...: a name, its help, a slip of
 * the fingers
 *
 * Under mpirun every rank finds the same; only rank 0 prints. */
#ifndef BASE_SUBCOMMANDS_H
#define BASE_SUBCOMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { SUBCOMMANDS_MAX = 32 };

struct subcommand {
    const char *name;
    int (*run)(int argc, char *argv[]); /* argv[0] is the name; returns the exit code */
    const char *about;                  /* a line */
};

struct subcommands {
    const char *program;            /* "shoal bench" */
    const char *kind;               /* what the names are of: "benchmark" */
    const struct subcommand *items; /* (n), at most SUBCOMMANDS_MAX */
    size_t n;
    int width;                 /* of the names in the list */
    const char *before, *then; /* lines of the help before the list, and after it */
};

bool subcommands_asks_help(const char *name); /* --help, -h */
void subcommands_print(const struct subcommands *s, FILE *out);
/* NULL: there is none of that name. */
const struct subcommand *subcommands_find(const struct subcommands *s, const char *name);
/* On stderr, on rank 0: there is none of that name; the nearest is... and the lines of more.
 * Returns EXIT_USAGE. */
int subcommands_refuse(const struct subcommands *s, const char *name, const char *more);

/* All of it for a command whose argv[1] is the name: runs it, or prints the help. */
int subcommands_call(const struct subcommands *s, int argc, char *argv[]);

#endif
