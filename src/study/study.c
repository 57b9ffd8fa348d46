/* shoal study - finds the study and calls it */
#include "study/study.h"

#include "base/command_line.h"
#include "base/env_rank.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name;
    int (*run)(int argc, char *argv[]);
    const char *about;
};

static const struct entry studies[] = {
    {"scaling", study_scaling, "how speed depends on load, settings, threads and ranks; a report"},
    {"point", study_point, "measure one batch and print JSON: what scaling starts"},
    {"attention", study_attention, "time the attention kernel and print JSON: the same"},
};

enum { N_STUDIES = sizeof studies / sizeof *studies };

static void print_help(FILE *out)
{
    fputs("usage: shoal study NAME [options]\n"
          "       shoal study NAME --help\n\n"
          "Runs experiments with this program and writes down what they gave.\n\n"
          "Studies:\n",
          out);
    for (size_t i = 0; i < N_STUDIES; i++)
        fprintf(out, "  %-12s %s\n", studies[i].name, studies[i].about);
    fputs("\nExamples:\n"
          "  shoal study scaling --quick --out study\n"
          "  shoal study scaling -m model.gguf --out study --only strong\n"
          "  mpirun -n 2 --map-by slot:PE=1 shoal study point --batch-size 8\n",
          out);
}

int study_command(int argc, char *argv[])
{
    const char *names[N_STUDIES], *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < N_STUDIES; i++) {
        names[i] = studies[i].name;
        if (strcmp(name, names[i]) == 0)
            return studies[i].run(argc - 1, argv + 1);
    }
    const bool is_help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (env_rank() == 0) {
        const char *nearest = nearest_name(name, names, N_STUDIES);
        if (!is_help && argc > 1)
            fprintf(stderr, "shoal study: there is no study %.80s%s%s\n\n", name,
                    nearest ? "; the nearest is " : "", nearest ? nearest : "");
        print_help(is_help ? stdout : stderr);
    }
    return is_help ? EXIT_SUCCESS : EXIT_USAGE;
}
