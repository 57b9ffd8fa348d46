#include "demo/demo.h"

#include "base/env_rank.h"
#include "base/subcommands.h"
#include "comm/comm.h"
#include "demo/demos.h"
#include "demo/session.h"
#include "engine/command.h"
#include "engine/options.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct demo *const demos[] = {
    &demo_ragged_mask,     &demo_prefill_only,  &demo_prefill_decode_mix, &demo_scheduler_timeline,
    &demo_paged_attention, &demo_visualization, &demo_interactive,
};

enum { N_DEMOS = sizeof demos / sizeof *demos };

/* More ranks than one, as far as can be known without beginning MPI. */
static bool has_ranks(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    int64_t n;

    return comm_under_mpirun() && !(size && parse_i64(size, 1, 1, &n));
}

static int run_demo(const struct command_line *cl, const struct demo *demo, struct demo_options *o)
{
    struct shoal_error err = {.text = ""};
    int code = engine_options_check(cl, &o->engine);

    if (code)
        return code;
    if (demo_options_check(o, &err))
        return command_line_refuse(cl, "%s", err.text);
    if (!demo->takes_ranks && has_ranks())
        return command_line_refuse(cl, "this demo shows one rank: start it without mpirun (shoal "
                                       "demo scheduler-timeline shows many)");
    const enum shoal_status status = demo->run(o, &err);
    return engine_command_code(cl, status, &err);
}

/* --config takes `name = value` lines; where it names a JSON file here, --session is meant. buffer
 * holds what then stands in argv. */
static void rename_config(int argc, char *argv[], struct text *buffer)
{
    static char session[] = "--session";

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc && session_is_file(argv[i + 1]))
            argv[i] = session;
        if (strncmp(argv[i], "--config=", 9) != 0 || !session_is_file(argv[i] + 9) || buffer->n)
            continue;
        text_printf(buffer, "%s=%s", session, argv[i] + 9);
        if (buffer->bytes)
            argv[i] = buffer->bytes;
    }
}

/* What the command line, read for the first time, says of a file of settings. */
static enum shoal_status load_session(const struct demo *demo, struct demo_options *o,
                                      struct setting own[], struct setting_table tables[],
                                      const struct command *command, int argc, char *argv[],
                                      struct shoal_error *err)
{
    struct command_line cl;
    struct text path = {0};
    enum shoal_status status = SHOAL_OK;

    /* what is wrong with it is said when it is read for good */
    if (!command_line_parse(&cl, command, tables, 3, argc, argv, NULL) && o->session)
        text_add_str(&path, o->session);
    command_line_close(&cl);
    o->session = NULL;
    o->non_interactive = false;
    demo_options_tables(o, &demo->defaults, own, tables);
    if (path.bytes)
        status = demo->load(o, path.bytes, err);
    text_fini(&path);
    return status;
}

/* argv[0] is the demo's name. */
static int parse_and_run(const struct demo *demo, const struct command *command, int argc,
                         char *argv[])
{
    struct demo_options o = {.kept = json_array()};
    struct setting own[DEMO_ENGINE_OPTIONS];
    struct setting_table tables[3];
    struct command_line cl;
    struct shoal_error err = {.text = ""};
    struct text buffer = {0};
    int code = EXIT_SUCCESS;

    demo_options_tables(&o, &demo->defaults, own, tables);
    if (demo->more)
        tables[2] = (struct setting_table){demo->more->settings, demo->more->n, &o};
    if (demo->load) {
        rename_config(argc, argv, &buffer);
        if (load_session(demo, &o, own, tables, command, argc, argv, &err)) {
            if (env_rank() == 0)
                fprintf(stderr, "shoal %s: %s\n", command->name, err.text);
            code = EXIT_USAGE;
        }
    }
    if (!code && command_line_open(&cl, command, tables, demo->more ? 3 : 2, argc, argv, &code)) {
        code = run_demo(&cl, demo, &o);
        command_line_close(&cl);
    }
    json_decref(o.kept);
    text_fini(&buffer);
    return code;
}

static int start(const struct demo *demo, int argc, char *argv[])
{
    char name[64];
    struct text about = {0};
    struct command command = {.name = name, .usage = "[options]", .examples = demo->examples};

    snprintf(name, sizeof name, "demo %s", demo->name);
    text_printf(&about, "Shows %s. %s", demo->about, demo->explains);
    command.about = about.bytes ? about.bytes : demo->about;
    const int code = parse_and_run(demo, &command, argc, argv);
    text_fini(&about);
    return code;
}

int demo_main(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "--help";
    struct subcommand items[N_DEMOS];
    const struct subcommands all = {
        .program = "shoal demo",
        .kind = "demo",
        .items = items,
        .n = N_DEMOS,
        .width = 20,
        .before = "usage: shoal demo NAME [options]\n"
                  "       shoal demo NAME --help\n\n"
                  "Shows continuous batching at work, on the real engine.\n\nDemos:\n",
        .then = "\nStart with: shoal demo ragged-mask\n",
    };

    for (size_t i = 0; i < N_DEMOS; i++)
        items[i] = (struct subcommand){.name = demos[i]->name, .about = demos[i]->about};
    if (subcommands_asks_help(name) || strcmp(name, "help") == 0) {
        if (env_rank() == 0)
            subcommands_print(&all, stdout);
        return EXIT_SUCCESS;
    }
    const struct subcommand *found = subcommands_find(&all, name);
    return found ? start(demos[found - items], argc - 1, argv + 1)
                 : subcommands_refuse(&all, name, "see shoal demo\n");
}
