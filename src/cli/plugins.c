/* shoal plugins - the plugins that are built in, with their options */
#include "cli/commands.h"

#include "base/command_line.h"
#include "base/env_rank.h"
#include "base/json_out.h"
#include "base/log.h"
#include "plugin/plugins.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plugins_options {
    bool json;
};

static const struct setting settings[] = {
    {.name = "json",
     .kind = SETTING_FLAG,
     .offset = offsetof(struct plugins_options, json),
     .help = "print JSON",
     .group = "Output"},
};

static const struct command command = {
    .name = "plugins",
    .usage = "[options]",
    .about = "Lists the plugins that are built in: what each does, and its options with their "
             "defaults. `--plugin NAME,option=value` of run and bench uses one; a shared "
             "object of your own is named by its path, ./mine.so.",
    .examples = "shoal plugins\n"
                "shoal run --plugin logging,format=json,file=steps.jsonl --prompt \"To be\"",
};

static void print_option(const struct shoal_plugin_option *option, int width, struct text *out)
{
    struct text pair = {0};

    text_printf(&pair, "%s=%s", option->name, option->value ? option->value : "...");
    out->failed |= pair.failed;
    text_printf(out, "    %-*s  %s%s\n", width, pair.failed ? "" : pair.bytes, option->help,
                option->value ? "" : " (has to be given)");
    text_fini(&pair);
}

static void print_kinds(const struct shoal_plugin *p, const char *between, const char *quote,
                        struct text *out)
{
    const struct {
        const char *name;
        bool is_of;
    } kinds[] = {{"scheduler", p->scheduler}, {"attention", p->attention}, {"cache", p->cache}};
    const char *before = "";

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].is_of)
            continue;
        text_printf(out, "%s%s%s%s", before, quote, kinds[i].name, quote);
        before = between;
    }
}

/* Columns as wide as the widest option of all. */
static void print_text(struct text *out)
{
    int width = 0;

    for (int32_t i = 0; plugin_built_ins[i]; i++)
        for (int32_t k = 0; k < plugin_built_ins[i]->n_options; k++) {
            const struct shoal_plugin_option *o = &plugin_built_ins[i]->options[k];
            const int n = (int)(strlen(o->name) + 1 + strlen(o->value ? o->value : "..."));
            width = n > width ? n : width;
        }
    for (int32_t i = 0; plugin_built_ins[i]; i++) {
        const struct shoal_plugin *p = plugin_built_ins[i];
        text_printf(out, "%s%s (", i > 0 ? "\n" : "", p->name);
        print_kinds(p, ", ", "", out);
        text_printf(out, "%s): %s\n", p->changes_numbers ? "; changes numbers" : "", p->about);
        for (int32_t k = 0; k < p->n_options; k++)
            print_option(&p->options[k], width, out);
    }
}

static void print_json(struct text *out)
{
    text_add_str(out, "[");
    for (int32_t i = 0; plugin_built_ins[i]; i++) {
        const struct shoal_plugin *p = plugin_built_ins[i];
        text_printf(out, "%s\n  {\"name\": ", i > 0 ? "," : "");
        json_put_words(out, p->name);
        text_add_str(out, ", \"about\": ");
        json_put_words(out, p->about);
        text_add_str(out, ", \"kinds\": [");
        print_kinds(p, ", ", "\"", out);
        text_printf(out, "], \"changes_numbers\": %s, \"options\": [",
                    p->changes_numbers ? "true" : "false");
        for (int32_t k = 0; k < p->n_options; k++) {
            text_printf(out, "%s\n    {\"name\": ", k > 0 ? "," : "");
            json_put_words(out, p->options[k].name);
            text_add_str(out, ", \"default\": ");
            if (p->options[k].value)
                json_put_words(out, p->options[k].value);
            else
                text_add_str(out, "null");
            text_add_str(out, ", \"help\": ");
            json_put_words(out, p->options[k].help);
            text_add_str(out, "}");
        }
        text_add_str(out, "]}");
    }
    text_add_str(out, "\n]\n");
}

int cli_plugins(int argc, char *argv[])
{
    struct plugins_options o = {0};
    const struct setting_table table = {settings, sizeof settings / sizeof *settings, &o};
    struct command_line cl;
    struct text out = {0};
    int code;

    if (!command_line_open(&cl, &command, &table, 1, argc, argv, &code))
        return code;
    if (o.json)
        print_json(&out);
    else
        print_text(&out);
    code = out.failed ? EXIT_FAILURE : EXIT_SUCCESS;
    if (out.failed)
        log_error("out of memory");
    else if (env_rank() == 0)
        fwrite(out.bytes, 1, out.n, stdout);
    text_fini(&out);
    command_line_close(&cl);
    return code;
}
