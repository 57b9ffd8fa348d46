#include "base/command_line.h"

#include "base/status.h"
#include "base/help.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fields {
    int32_t threads, npp;
    const char *output, *trace;
    bool cache, eos;
    struct setting_list prompts;
};

static const struct setting settings[] = {
    {.name = "threads",
     .letter = 't',
     .kind = SETTING_INT,
     .offset = offsetof(struct fields, threads),
     .high = 64,
     .help = "how many",
     .group = "Numbers"},
    {.name = "npp", .kind = SETTING_INT, .offset = offsetof(struct fields, npp)},
    {.name = "output",
     .letter = 'o',
     .kind = SETTING_STRING,
     .offset = offsetof(struct fields, output),
     .value = "FILE"},
    {.name = "trace",
     .kind = SETTING_CHOICE,
     .offset = offsetof(struct fields, trace),
     .choices = "off|table|mask",
     .implied = "table"},
    {.name = "cache", .kind = SETTING_FLAG, .offset = offsetof(struct fields, cache)},
    {.name = "ignore-eos",
     .letter = 'e',
     .kind = SETTING_FLAG,
     .offset = offsetof(struct fields, eos)},
    {.name = "prompt",
     .letter = 'p',
     .kind = SETTING_LIST,
     .offset = offsetof(struct fields, prompts),
     .help = "a prompt"},
};

static const struct command strict = {.name = "test", .usage = "[options]", .about = "Tests."};
static const struct command open_to_all = {.name = "test",
                                           .usage = "[options] TEXT",
                                           .about = "Tests.",
                                           .arguments = "TEXT",
                                           .has_dash_names = true};

enum { MAX_ARGS = 8 };

/* What the fields hold, in a line. */
static void print_fields(const struct fields *f, const struct command_line *cl, struct text *out)
{
    text_printf(out, "t%d n%d o%s %s%s%s", f->threads, f->npp, f->output ? f->output : "-",
                f->trace, f->cache ? " cache" : "", f->eos ? " eos" : "");
    for (int32_t i = 0; i < f->prompts.n; i++)
        text_printf(out, " p(%s)", f->prompts.items[i]);
    for (int32_t i = 0; i < cl->arguments.n; i++)
        text_printf(out, " [%s]", cl->arguments.items[i]);
}

/* Parses the NULL-ended arguments; *out is what came of it: the fields, or the error. */
static void parse(const struct command *command, const char *const args[], struct text *out)
{
    struct fields f = {.threads = 1, .trace = "off", .cache = true};
    const struct setting_table table = {settings, sizeof settings / sizeof *settings, &f};
    char copies[MAX_ARGS + 1][64], *argv[MAX_ARGS + 2];
    struct shoal_error err = {.text = ""};
    struct command_line cl;
    int argc = 1;

    strcpy(copies[0], "test");
    argv[0] = copies[0];
    for (; args[argc - 1]; argc++) {
        strcpy(copies[argc], args[argc - 1]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    if (command_line_parse(&cl, command, &table, 1, argc, argv, &err) == SHOAL_OK)
        print_fields(&f, &cl, out);
    else
        text_printf(out, "error: %s", err.text);
    if (cl.fields.help)
        text_add_str(out, " help");
    command_line_close(&cl);
    ck_assert_int_eq(f.prompts.n, 0);
}

struct row {
    const char *args[MAX_ARGS + 1];
    const char *out;
};

static void check_rows(const struct command *command, const struct row rows[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct text out = {0};
        parse(command, rows[i].args, &out);
        ck_assert_msg(strcmp(out.bytes, rows[i].out) == 0, "row %zu: \"%s\", not \"%s\"", i,
                      out.bytes, rows[i].out);
        text_fini(&out);
    }
}

START_TEST(well_formed)
{
    static const struct row rows[] = {
        {{NULL}, "t1 n0 o- off cache"},
        {{"--threads", "4"}, "t4 n0 o- off cache"},
        {{"--threads=4"}, "t4 n0 o- off cache"},
        {{"-t", "4"}, "t4 n0 o- off cache"},
        {{"-t4"}, "t4 n0 o- off cache"},
        {{"-t=4"}, "t4 n0 o- off cache"},
        {{"-t", "4", "-t", "5"}, "t5 n0 o- off cache"},
        {{"--no-cache"}, "t1 n0 o- off"},
        {{"--no-cache", "--cache"}, "t1 n0 o- off cache"},
        {{"--cache=off"}, "t1 n0 o- off"},
        {{"-e"}, "t1 n0 o- off cache eos"},
        {{"--trace"}, "t1 n0 o- table cache"},
        {{"--trace=mask"}, "t1 n0 o- mask cache"},
        {{"--output", "-"}, "t1 n0 o- off cache"},
        {{"--output="}, "t1 n0 o off cache"},
        {{"--output", "-x"}, "t1 n0 o-x off cache"},
        {{"--output=--threads"}, "t1 n0 o--threads off cache"},
        {{"-p", "a", "--prompt", "b=c", "--prompt=d e"}, "t1 n0 o- off cache p(a) p(b=c) p(d e)"},
        {{"--prompt", "--what"}, "t1 n0 o- off cache p(--what)"},
        {{"--"}, "t1 n0 o- off cache"},
        {{"-h", "--threads", "2"}, "t1 n0 o- off cache help"},
        {{"--help"}, "t1 n0 o- off cache help"},
        {{"--log-level", "debug"}, "t1 n0 o- off cache"},
    };
    static const struct row open_rows[] = {
        {{"-npp", "128", "x"}, "t1 n128 o- off cache [x]"},
        {{"-npp=128"}, "t1 n128 o- off cache"},
        {{"--npp", "128"}, "t1 n128 o- off cache"},
        {{"-t", "2", "-", "a b"}, "t2 n0 o- off cache [-] [a b]"},
        {{"x", "--", "-t", "--help"}, "t1 n0 o- off cache [x] [-t] [--help]"},
        {{"-threads", "3"}, "t3 n0 o- off cache"},
    };

    check_rows(&strict, rows, sizeof rows / sizeof *rows);
    check_rows(&open_to_all, open_rows, sizeof open_rows / sizeof *open_rows);
}
END_TEST

START_TEST(refused)
{
    static const struct row rows[] = {
        {{"--thread", "4"}, "error: there is no option --thread; the nearest is --threads"},
        {{"--thread=4"}, "error: there is no option --thread; the nearest is --threads"},
        {{"--zzzzzzzzzzz"}, "error: there is no option --zzzzzzzzzzz"},
        {{"-x"}, "error: there is no option -x"},
        {{"--no-threads"}, "error: there is no option --no-threads; the nearest is --threads"},
        {{"--no-cache=off"}, "error: --no-cache takes no value"},
        {{"--threads"}, "error: --threads needs a value: --threads VALUE"},
        {{"-t"}, "error: --threads needs a value: --threads VALUE"},
        {{"--output", "--threads", "4"}, "error: --output needs a value: --output FILE"},
        {{"--output", "--threads=4"}, "error: --output needs a value: --output FILE"},
        {{"--threads", "65"}, "error: --threads: 65 is not a whole number from 0 to 64"},
        {{"-t", "-1"}, "error: --threads: -1 is not a whole number from 0 to 64"},
        {{"-tx"}, "error: --threads: x is not a whole number from 0 to 64"},
        {{"--trace", "mask"}, "error: \"mask\" stands there without an option"},
        {{"text"}, "error: \"text\" stands there without an option"},
        {{"--", "text"}, "error: \"text\" stands there without an option"},
        {{"--cache=perhaps"}, "error: --cache: perhaps is not on or off"},
        {{"--log-level", "loud"},
         "error: --log-level: loud is not one of error, warn, info, debug"},
        {{"--config", "/no/such/file"},
         "error: --config: cannot open /no/such/file: No such file or directory"},
        {{"-npp", "128"}, "error: there is no option -npp; the nearest is --npp"},
        {{"---threads", "1"}, "error: there is no option ---threads; the nearest is --threads"},
    };

    check_rows(&strict, rows, sizeof rows / sizeof *rows);
}
END_TEST

/* A file of its own for each test. */
static void write_file(char path[static 64], const char *content)
{
    int fd;

    strcpy(path, "/tmp/shoal-test-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

START_TEST(precedence)
{
    char path[64];
    const char *const from_file[] = {"--config", path, NULL};
    const char *const from_line[] = {"--config", path, "-t", "4", "-p", "line", NULL};
    struct text out = {0};

    write_file(path, "threads = 2\nprompt = file\nprompt = too\noutput = x # comment\n");
    parse(&strict, from_file, &out);
    ck_assert_str_eq(out.bytes, "t2 n0 ox off cache p(file) p(too)");

    text_clear(&out);
    setenv("SHOAL_THREADS", "3", 1);
    setenv("SHOAL_PROMPT", "variable", 1);
    setenv("SHOAL_IGNORE_EOS", "1", 1);
    parse(&strict, from_file, &out);
    ck_assert_str_eq(out.bytes, "t3 n0 ox off cache eos p(variable)");

    text_clear(&out);
    parse(&strict, from_line, &out);
    ck_assert_str_eq(out.bytes, "t4 n0 ox off cache eos p(line)");

    text_clear(&out);
    setenv("SHOAL_CONFIG", path, 1);
    parse(&strict, from_file + 2, &out);
    ck_assert_str_eq(out.bytes, "t3 n0 ox off cache eos p(variable)");

    text_clear(&out);
    setenv("SHOAL_THREADS", "many", 1);
    parse(&strict, from_line, &out);
    ck_assert_str_eq(out.bytes, "error: environment variable SHOAL_THREADS: --threads: many is not "
                                "a whole number from 0 to 64");
    unsetenv("SHOAL_THREADS");
    unsetenv("SHOAL_PROMPT");
    unsetenv("SHOAL_IGNORE_EOS");
    unsetenv("SHOAL_CONFIG");
    remove(path);

    text_clear(&out);
    write_file(path, "threads = 2\n\nthread = 3\n");
    parse(&strict, from_file, &out);
    ck_assert_ptr_nonnull(strstr(out.bytes, ", line 3: there is no option \"thread\"; the nearest "
                                            "is \"threads\""));
    remove(path);
    text_fini(&out);
}
END_TEST

START_TEST(what_was_given)
{
    struct fields f = {.trace = "off"};
    const struct setting_table table = {settings, sizeof settings / sizeof *settings, &f};
    char name[] = "test", threads[] = "-t2", trace[] = "--trace";
    char *argv[] = {name, threads, trace, NULL};
    struct command_line cl;

    setenv("SHOAL_OUTPUT", "x", 1);
    ck_assert_int_eq(command_line_parse(&cl, &strict, &table, 1, 3, argv, NULL), SHOAL_OK);
    ck_assert(command_line_given(&cl, "threads") && command_line_given(&cl, "trace"));
    ck_assert(!command_line_given(&cl, "output") && !command_line_given(&cl, "cache"));
    ck_assert_str_eq(f.output, "x");
    unsetenv("SHOAL_OUTPUT");
    command_line_close(&cl);
}
END_TEST

START_TEST(help_shows_defaults_and_fits)
{
    struct fields f = {.threads = 7, .trace = "off", .cache = true};
    const struct setting_table table = {settings, sizeof settings / sizeof *settings, &f};
    struct text out = {0};

    help_print(&strict, &table, 1, &out);
    ck_assert_ptr_nonnull(strstr(out.bytes, "usage: shoal test [options]\n"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "\nNumbers:\n  -t, --threads VALUE "));
    ck_assert_ptr_nonnull(strstr(out.bytes, "how many (default 7)\n"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "--[no-]cache "));
    ck_assert_ptr_nonnull(strstr(out.bytes, "--trace[=VALUE] "));
    ck_assert_ptr_nonnull(strstr(out.bytes, "a prompt; may be given several times\n"));
    for (const char *line = out.bytes; *line; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 100);
    text_fini(&out);
}
END_TEST

SUITE("command_line", well_formed, refused, precedence, what_was_given,
      help_shows_defaults_and_fits)
