#include "base/subcommands.h"

#include "base/command_line.h"
#include "base/env_rank.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool subcommands_asks_help(const char *name)
{
    return strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
}

void subcommands_print(const struct subcommands *s, FILE *out)
{
    fputs(s->before, out);
    for (size_t i = 0; i < s->n; i++)
        fprintf(out, "  %-*s %s\n", s->width, s->items[i].name, s->items[i].about);
    fputs(s->then, out);
}

const struct subcommand *subcommands_find(const struct subcommands *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(name, s->items[i].name) == 0)
            return &s->items[i];
    return NULL;
}

int subcommands_refuse(const struct subcommands *s, const char *name, const char *more)
{
    const char *names[SUBCOMMANDS_MAX], *nearest;

    if (env_rank() > 0)
        return EXIT_USAGE;
    assert(s->n <= SUBCOMMANDS_MAX);
    for (size_t i = 0; i < s->n; i++)
        names[i] = s->items[i].name;
    nearest = nearest_name(name, names, s->n);
    fprintf(stderr, "%s: there is no %s %.80s%s%s\n%s", s->program, s->kind, name,
            nearest ? "; the nearest is " : "", nearest ? nearest : "", more);
    return EXIT_USAGE;
}

int subcommands_call(const struct subcommands *s, int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct subcommand *found = subcommands_find(s, name);
    const bool is_help = subcommands_asks_help(name);

    if (found)
        return found->run(argc - 1, argv + 1);
    if (!is_help && argc > 1)
        subcommands_refuse(s, name, "\n");
    if (env_rank() == 0)
        subcommands_print(s, is_help ? stdout : stderr);
    return is_help ? EXIT_SUCCESS : EXIT_USAGE;
}
