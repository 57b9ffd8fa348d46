/* shoal - the program: finds the command and calls it */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/command_line.h"
#include "base/env_rank.h"
#include "base/subcommands.h"
#include "demo/demo.h"
#include "study/study.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct subcommand commands[] = {
    {"run", cli_run, "answer requests: from --prompt, a text file or an OpenAI batch file"},
    {"bench", cli_bench, "grid, throughput, latency"},
    {"replay", cli_replay, "run a recorded step log again and compare every step"},
    {"inspect", cli_inspect, "what a model file holds, and the memory it will need"},
    {"tokenize", cli_tokenize, "text to token ids and back"},
    {"perplexity", cli_perplexity, "quality: perplexity, and divergence from float32"},
    {"plugins", cli_plugins, "the plugins that are built in, with their options"},
    {"demo", demo_main, "continuous batching shown step by step, on the real engine"},
    {"study", study_command, "scaling experiments with plots and a report"},
};

static const struct subcommands all = {
    .program = "shoal",
    .kind = "command",
    .items = commands,
    .n = sizeof commands / sizeof *commands,
    .width = 12,
    .before = "usage: shoal COMMAND [options]\n"
              "       shoal COMMAND --help\n"
              "       shoal --version\n\n"
              "shoal runs language models with continuous batching, as one process or as many MPI "
              "ranks.\n\n"
              "Commands:\n",
    .then = "\nExamples:\n"
            "  shoal run --prompt \"To be, or not to be\"\n"
            "  shoal run -m model.gguf --chat --prompt \"Why is the sky blue?\"\n"
            "  mpirun -n 2 --map-by slot:PE=1 shoal run --input requests.jsonl --output "
            "results.jsonl\n",
};

/* What was printed must have arrived: `shoal --help > /dev/full` is a failure. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (env_rank() == 0)
        perror("shoal: error: standard output");
    return code == EXIT_SUCCESS ? EXIT_FAILURE : code;
}

static int run_command(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct subcommand *found;

    if (argc < 2) {
        if (env_rank() == 0)
            subcommands_print(&all, stderr);
        return EXIT_USAGE;
    }
    if (subcommands_asks_help(name) || strcmp(name, "help") == 0) {
        if (env_rank() == 0)
            subcommands_print(&all, stdout);
        return finish(EXIT_SUCCESS);
    }
    if (strcmp(name, "--version") == 0) {
        if (env_rank() == 0)
            cli_print_version();
        return finish(EXIT_SUCCESS);
    }
    found = subcommands_find(&all, name);
    return found ? finish(found->run(argc - 1, argv + 1))
                 : subcommands_refuse(&all, name, "see shoal --help\n");
}

int main(int argc, char *argv[])
{
    const int64_t one_second = 1000000000;
    int code;

    /* A reader that goes away is a failed write, which is said, not a silent death. */
    signal(SIGPIPE, SIG_IGN);
    code = run_command(argc, argv);
    /* mpirun kills all ranks when one ends in failure: let rank 0 say first what is wrong. */
    if (code != EXIT_SUCCESS && env_rank() > 0)
        clock_sleep_ns(one_second);
    return code;
}
