/* Plugins from files of their own. */
#include "plugin/plugins.h"

#include "support/suite.h"

#include <stdio.h>
#include <string.h>

static void say(void *engine, const char *level, const char *text)
{
    (void)engine, (void)level, (void)text;
}

static int64_t now(void *engine)
{
    (void)engine;
    return 1;
}

static struct plugins *make(void)
{
    const struct shoal_plugin_host host = {
        .n_ranks = 1, .max_num_batched_tokens = 64, .log = say, .now = now};
    struct plugins *p;

    ck_assert_int_eq(plugins_create(&p, &host, false, NULL), SHOAL_OK);
    return p;
}

static const struct {
    const char *object, *settings, *name;
    bool changes_numbers;
} good[] = {
    {"calm", "", "calm", false},
    {"calm", ",chunk=3", "calm", false},
    {"scale", ",by=2", "scale", true},
};

START_TEST(loads)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct plugins *p = make();
        struct shoal_error err;
        struct text numbers = {0};
        char spec[512], line[600];
        bool is_on;

        snprintf(spec, sizeof spec, PLUGIN_OBJECTS "/%s.so%s", good[i].object, good[i].settings);
        ck_assert_msg(!plugins_add(p, spec, &err), "%s", err.text);
        ck_assert_int_eq(plugins_count(p), 1);
        ck_assert_str_eq(plugins_get(p, 0, &is_on)->name, good[i].name);
        ck_assert(is_on);
        /* The path is what a replay needs to load it again. */
        plugins_print_numbers(p, &numbers);
        snprintf(line, sizeof line, "plugin = %s\n", spec);
        ck_assert_str_eq(numbers.n ? numbers.bytes : "", good[i].changes_numbers ? line : "");
        ck_assert_int_eq(plugins_numbers_hash(p) != 0, good[i].changes_numbers);
        text_fini(&numbers);
        plugins_destroy(p);
    }
}
END_TEST

static const struct {
    const char *path;
    enum shoal_status status;
    const char *text;
} bad[] = {
    {"/missing.so", SHOAL_E_IO, "cannot be opened: No such file"},
    {"/../CMakeFiles", SHOAL_E_FORMAT, "is not a shared object"},
    {"/../CTestTestfile.cmake", SHOAL_E_FORMAT, "is not a shared object"},
    {"/no_entry.so", SHOAL_E_FORMAT, "has no function shoal_plugin_entry"},
    {"/null_entry.so", SHOAL_E_INVALID, "its shoal_plugin_entry gives NULL"},
    {"/newer.so", SHOAL_E_UNSUPPORTED, "has version 2 of shoal/plugin.h; this engine takes 1 to 1"},
    {"/unresolved.so", SHOAL_E_FORMAT, "nobody_has_this_function"},
    {"/calm.so,chunk=0", SHOAL_E_INVALID, "plugin calm: chunk=0: give at least 1"},
    {"/calm.so,chnk=1", SHOAL_E_INVALID, "has no option 'chnk'; the nearest is chunk"},
    {"/scale.so", SHOAL_E_INVALID, "option by has to be given (the factor)"},
};

START_TEST(refuses)
{
    struct plugins *p = make();

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct shoal_error err = {.text = ""};
        char spec[512];

        snprintf(spec, sizeof spec, PLUGIN_OBJECTS "%s", bad[i].path);
        ck_assert_msg(plugins_add(p, spec, &err) == bad[i].status, "%s: status %d, %s", bad[i].path,
                      err.status, err.text);
        ck_assert_msg(strstr(err.text, bad[i].text), "%s: %s", bad[i].path, err.text);
        ck_assert_int_eq(plugins_count(p), 0);
    }
    plugins_destroy(p);
}
END_TEST

SUITE("plugin/objects", loads, refuses)
