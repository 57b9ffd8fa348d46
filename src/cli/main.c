/* shoal - the program: finds the command and calls it */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/command_line.h"
#include "base/env_rank.h"
#include "base/text.h"
#include "demo/demo.h"
#include "study/study.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name;
    int (*run)(int argc, char *argv[]);
    const char *about;
};

static const struct entry commands[] = {
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

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *out)
{
    fputs("usage: shoal COMMAND [options]\n"
          "       shoal COMMAND --help\n"
          "       shoal --version\n\n"
          "shoal runs language models with continuous batching, as one process or as many MPI "
          "ranks.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].about);
    fputs("\nExamples:\n"
          "  shoal run --prompt \"To be, or not to be\"\n"
          "  shoal run -m model.gguf --chat --prompt \"Why is the sky blue?\"\n"
          "  mpirun -n 2 --map-by slot:PE=1 shoal run --input requests.jsonl --output "
          "results.jsonl\n",
          out);
}

static int refuse_command(const char *name)
{
    const char *names[N_COMMANDS], *nearest;

    if (env_rank() > 0)
        return EXIT_USAGE;
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    nearest = nearest_name(name, names, N_COMMANDS);
    if (nearest)
        fprintf(stderr, "shoal: there is no command %.80s; the nearest is %s\nsee shoal --help\n",
                name, nearest);
    else
        fprintf(stderr, "shoal: there is no command %.80s\nsee shoal --help\n", name);
    return EXIT_USAGE;
}

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

    if (argc < 2) {
        if (env_rank() == 0)
            print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        if (env_rank() == 0)
            print_help(stdout);
        return finish(EXIT_SUCCESS);
    }
    if (strcmp(name, "--version") == 0) {
        if (env_rank() == 0)
            cli_print_version();
        return finish(EXIT_SUCCESS);
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return finish(commands[i].run(argc - 1, argv + 1));
    return refuse_command(name);
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
