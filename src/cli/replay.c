/* shoal replay - run a recorded step log again */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/env_rank.h"
#include "base/option_subset.h"
#include "base/text_file.h"
#include "engine/options.h"
#include "engine/replay.h"
#include "engine/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct replay_fields {
    const char *timeline;
};

static const struct setting settings[] = {
    {.name = "timeline",
     .kind = SETTING_STRING,
     .offset = offsetof(struct replay_fields, timeline),
     .value = "FILE",
     .help = "draw the recorded steps as a picture (SVG) into this file, instead of running them",
     .group = "Seeing"},
};

static const char *const engine_names[] = {"model", "threads", "isa"};
enum { N_ENGINE_NAMES = sizeof engine_names / sizeof *engine_names };

static const struct command command = {
    .name = "replay",
    .usage = "[options] LOG",
    .about = "Runs the plans that `shoal run --step-log LOG` recorded, however many ranks made "
             "them, in one process, and compares every step with what is in the log: tokens, "
             "hashes of logits, log-probabilities. It fails at the first step that differs. "
             "Threads and instruction set may be others than those of the run; the model must be "
             "the same.",
    .arguments = "LOG",
    .examples = "shoal run --prompt \"To be\" --step-log steps.log\n"
                "shoal replay steps.log -t 1 --isa portable\n"
                "shoal replay steps.log --timeline steps.svg",
};

/* A line on stderr that says how far the replay is. */
struct replay_progress {
    int64_t drawn_ns;
    uint64_t n_bytes; /* of the log */
};

static void show_progress(void *user, const struct replay_counts *c)
{
    enum { EVERY_NS = 200000000 };
    struct replay_progress *p = user;
    const int64_t now = clock_ns();

    if (now - p->drawn_ns < EVERY_NS)
        return;
    p->drawn_ns = now;
    fprintf(stderr, "\r\033[Kstep %" PRIu64 " | %.0f %% of the log", c->n_steps,
            p->n_bytes ? 100.0 * (double)c->n_bytes / (double)p->n_bytes : 0);
    fflush(stderr);
}

static int draw(const struct command_line *cl, const char *log, const char *path)
{
    struct text picture = {0};
    struct shoal_error err;
    enum shoal_status status = engine_timeline(log, &picture, &err);

    if (status == SHOAL_OK && !text_write_file(&picture, path))
        status = shoal_fail(&err, SHOAL_E_IO, "--timeline: cannot write %.200s: %s", path,
                            strerror(errno));
    text_fini(&picture);
    return status == SHOAL_OK ? EXIT_SUCCESS : engine_options_failed(cl, &err);
}

static int replay(const struct command_line *cl, const char *path,
                  const struct shoal_options *engine)
{
    const bool has_terminal = isatty(STDERR_FILENO);
    struct replay_progress progress = {.drawn_ns = clock_ns()};
    const struct replay_options options = {.path = path,
                                           .model = engine->model,
                                           .isa = engine->isa,
                                           .threads = engine->threads,
                                           .progress = has_terminal ? show_progress : NULL,
                                           .user = &progress};
    struct replay_counts counts;
    struct shoal_error err;
    struct stat file;

    if (stat(path, &file) == 0 && file.st_size > 0)
        progress.n_bytes = (uint64_t)file.st_size;
    const enum shoal_status status = engine_replay(&options, &counts, &err);
    if (has_terminal)
        fputs("\r\033[K", stderr);
    if (status)
        return engine_options_failed(cl, &err);
    printf("%" PRIu64 " steps of %d shard group%s are the same, with %" PRIu64
           " sampled tokens%s\n",
           counts.n_steps, counts.n_groups, counts.n_groups == 1 ? "" : "s", counts.n_tokens,
           counts.is_cut ? "; the log was cut short there" : "");
    return EXIT_SUCCESS;
}

int cli_replay(int argc, char *argv[])
{
    struct shoal_options engine;
    struct setting own[N_ENGINE_NAMES];
    const struct setting_table all = engine_options_table(&engine);
    struct replay_fields fields = {0};
    const struct setting_table tables[] = {
        option_subset(&all, engine_names, N_ENGINE_NAMES, "Options", own),
        {settings, sizeof settings / sizeof *settings, &fields},
    };
    struct command_line cl;
    int code;

    engine.model = NULL;
    own[0].text_default = "the one that the log names";
    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    if (cl.arguments.n != 1)
        code = command_line_refuse(&cl, cl.arguments.n == 0 ? "no step log: give LOG"
                                                            : "give one LOG at a time");
    /* One process does it all; other ranks of an mpirun have nothing to do. */
    else if (env_rank() == 0)
        code = fields.timeline ? draw(&cl, cl.arguments.items[0], fields.timeline)
                               : replay(&cl, cl.arguments.items[0], &engine);
    else
        code = EXIT_SUCCESS;
    command_line_close(&cl);
    return code;
}
