/* shoal study - finds the study and calls it */
#include "study/study.h"

#include "base/subcommands.h"

static const struct subcommand studies[] = {
    {"scaling", study_scaling, "how speed depends on load, settings, threads and ranks; a report"},
    {"point", study_point, "measure one batch and print JSON: what scaling starts"},
    {"attention", study_attention, "time the attention kernel and print JSON: the same"},
};

static const struct subcommands all = {
    .program = "shoal study",
    .kind = "study",
    .items = studies,
    .n = sizeof studies / sizeof *studies,
    .width = 12,
    .before = "usage: shoal study NAME [options]\n"
              "       shoal study NAME --help\n\n"
              "Runs experiments with this program and writes down what they gave.\n\n"
              "Studies:\n",
    .then = "\nExamples:\n"
            "  shoal study scaling --quick --out study\n"
            "  shoal study scaling -m model.gguf --out study --only strong\n"
            "  mpirun -n 2 --map-by slot:PE=1 shoal study point --batch-size 8\n",
};

int study_command(int argc, char *argv[])
{
    return subcommands_call(&all, argc, argv);
}
