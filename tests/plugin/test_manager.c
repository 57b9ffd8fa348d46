/* The manager: what it takes and refuses, the order of calls, what becomes of one that fails. */
#include "support/no_malloc.h"
#include "support/suite.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/settings.h"
#include "plugin/plugins.h"

#include <stdio.h>
#include <string.h>

/* What a test plugin does is told by its user pointer; what it is called with goes to a text. */
struct script {
    const char *fails_in; /* name of the function that fails, or NULL */
    struct text *calls;
    int32_t chunk;  /* that it sets; 0: it leaves it */
    bool is_silent; /* fails without a word */
};

static enum shoal_status called(void *state, const char *function, struct shoal_error *err)
{
    const struct script *script = state;
    void *allocated = mem_new(100, 1); /* the guard is lifted */

    ck_assert_ptr_nonnull(allocated);
    mem_free(allocated);
    text_printf(script->calls, "%s ", function);
    if (!script->fails_in || strcmp(script->fails_in, function) != 0)
        return SHOAL_OK;
    if (!script->is_silent && err)
        snprintf(err->text, sizeof err->text, "it was told to fail");
    return SHOAL_E_IO;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    struct script *script = user;

    ck_assert_uint_eq(host->version, SHOAL_PLUGIN_VERSION);
    for (int32_t i = 0; i < n_values; i++)
        text_printf(script->calls, "%s=%s ", values[i].name, values[i].text);
    *state = script;
    return called(script, "create", err);
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    return called(state, "finish", err);
}

static void destroy(void *state)
{
    called(state, "destroy", NULL);
}

static enum shoal_status before_step(void *state, const struct shoal_plugin_step *step,
                                     struct shoal_plugin_control *next, struct shoal_error *err)
{
    const struct script *script = state;

    (void)step;
    if (script->chunk)
        next->chunk = script->chunk;
    return called(state, "before_step", err);
}

static enum shoal_status after_step(void *state, const struct shoal_plugin_step *step,
                                    struct shoal_plugin_control *next, struct shoal_error *err)
{
    (void)step, (void)next;
    return called(state, "after_step", err);
}

static enum shoal_status added(void *state, const struct shoal_plugin_request *request,
                               struct shoal_error *err)
{
    (void)request;
    return called(state, "added", err);
}

static enum shoal_status finished(void *state, const struct shoal_plugin_request *request,
                                  struct shoal_error *err)
{
    (void)request;
    return called(state, "finished", err);
}

static enum shoal_attention_want wants(void *state, uint64_t request, int32_t choice, int32_t layer,
                                       int32_t head)
{
    (void)state, (void)choice, (void)layer, (void)head;
    return request == 1   ? SHOAL_ATTENTION_SEE
           : request == 2 ? SHOAL_ATTENTION_REPLACE
                          : SHOAL_ATTENTION_LEAVE;
}

static enum shoal_status see(void *state, const struct shoal_attention_view *view,
                             struct shoal_error *err)
{
    (void)view;
    return called(state, "see", err);
}

static enum shoal_status replace(void *state, const struct shoal_attention_view *view, float *out,
                                 struct shoal_error *err)
{
    (void)view;
    out[0] = 1;
    return called(state, "replace", err);
}

static enum shoal_status before_append(void *state, struct shoal_cache_row *row,
                                       struct shoal_error *err)
{
    (void)row;
    return called(state, "before_append", err);
}

static enum shoal_status after_append(void *state, const struct shoal_cache_row *row,
                                      struct shoal_error *err)
{
    (void)row;
    return called(state, "after_append", err);
}

static size_t row_bytes(void *state, int32_t head_dim)
{
    (void)state;
    return (size_t)head_dim;
}

static void encode(void *state, const float *row, int32_t head_dim, uint8_t *bytes)
{
    (void)state, (void)row;
    memset(bytes, 0, (size_t)head_dim);
}

static void decode(void *state, const uint8_t *bytes, int32_t head_dim, float *row)
{
    (void)state, (void)bytes;
    memset(row, 0, (size_t)head_dim * sizeof *row);
}

static const struct shoal_scheduler_plugin scheduler = {.before_step = before_step,
                                                        .after_step = after_step,
                                                        .on_request_added = added,
                                                        .on_request_finished = finished};
static const struct shoal_attention_plugin seer = {.wants = wants, .see = see};
static const struct shoal_attention_plugin replacer = {.wants = wants, .replace = replace};
static const struct shoal_cache_plugin appender = {.before_append = before_append,
                                                   .after_append = after_append};
static const struct shoal_cache_plugin codec = {
    .row_bytes = row_bytes, .encode = encode, .decode = decode};
static const struct shoal_cache_plugin half_codec = {.row_bytes = row_bytes, .encode = encode};
static const struct shoal_attention_plugin wantless = {.see = see};
static const struct shoal_attention_plugin idle = {.wants = wants};

static const struct shoal_plugin_option options[] = {
    {"size", "4", "how large"}, {"colour", "red", "which colour"}, {"place", NULL, "where it is"}};
static const struct shoal_plugin_option twins[] = {{"size", "4", ""}, {"size", "5", ""}};
static const struct shoal_plugin_option nameless[] = {{"si ze", "4", ""}};

#define PLUGIN(NAME, ...)                                                                          \
    {                                                                                              \
        .version = SHOAL_PLUGIN_VERSION, .name = NAME, .create = create, .finish = finish,         \
        .destroy = destroy, __VA_ARGS__                                                            \
    }

static const struct shoal_plugin first = PLUGIN("first", .scheduler = &scheduler);
static const struct shoal_plugin second = PLUGIN("second", .scheduler = &scheduler);
static const struct shoal_plugin chosen =
    PLUGIN("chosen", .options = options, .n_options = 3, .scheduler = &scheduler);
static const struct shoal_plugin seeing = PLUGIN("seeing", .attention = &seer);
static const struct shoal_plugin replacing =
    PLUGIN("replacing", .attention = &replacer, .changes_numbers = true);
static const struct shoal_plugin replacing_too =
    PLUGIN("replacing-too", .attention = &replacer, .changes_numbers = true);
static const struct shoal_plugin appending =
    PLUGIN("appending", .cache = &appender, .changes_numbers = true);
static const struct shoal_plugin looking = PLUGIN("looking", .cache = &appender);
static const struct shoal_plugin storing =
    PLUGIN("storing", .cache = &codec, .changes_numbers = true);

static void say(void *engine, const char *level, const char *text)
{
    (void)engine, (void)level, (void)text;
}

static int64_t now(void *engine)
{
    (void)engine;
    return 1;
}

static struct plugins *make(bool errors_are_fatal)
{
    const struct shoal_plugin_host host = {.n_ranks = 1, .log = say, .now = now};
    struct plugins *p;

    ck_assert_int_eq(plugins_create(&p, &host, errors_are_fatal, NULL), SHOAL_OK);
    return p;
}

static void add(struct plugins *p, const struct shoal_plugin *plugin, struct script *script)
{
    struct shoal_error err;
    const struct shoal_plugin_use use = {plugin, NULL, script};

    ck_assert_msg(!plugins_add_own(p, &use, &err), "%s", err.text);
}

/* ---- Adding ---- */

static const struct {
    const char *spec;
    const char *text;
} bad_specs[] = {
    {"", "names no plugin"},
    {",file=x", "names no plugin"},
    {"loging", "there is no plugin loging; the nearest is logging"},
    {"nothing-like-it", "there is no plugin nothing-like-it; `shoal plugins`"},
    {"logging.so", "a file of your own is named with a '/': ./logging.so"},
    {"logging,file", "'file' is not key=value"},
    {"logging,", "'' is not key=value"},
    {"logging,=x", "'=x' is not key=value"},
    {"logging,flie=x", "has no option 'flie'; the nearest is file"},
    {"logging,zzzzzzzz=x", "has no option 'zzzzzzzz'; `shoal plugins`"},
    {"logging,format=json,format=text", "option format is given twice"},
    {"logging,format=yaml", "plugin logging: format: 'yaml' is not one of text, json"},
    {"logging,file=", "plugin logging: file: no file is named"},
    {"logging,file=/no/such/folder/x", "plugin logging: cannot write /no/such/folder/x"},
    {"metrics,file=x.txt", "x.txt"},
    {"metrics,interval=-1", "interval: '-1' is not a number from 0"},
    {"adaptive-scheduling,mode=best", "mode: 'best' is not one of ratio, itl"},
    {"adaptive-scheduling,target_itl_ms=0", "target_itl_ms: '0' is not a number"},
    {"adaptive-scheduling,min_chunk=1.5", "min_chunk: '1.5' is not a whole number"},
    {"adaptive-scheduling,low=0.8", "low 0.8 is not below high 0.7"},
};

START_TEST(refuses_specs)
{
    struct plugins *p = make(false);

    for (size_t i = 0; i < sizeof bad_specs / sizeof *bad_specs; i++) {
        struct shoal_error err = {.text = ""};

        ck_assert_msg(plugins_add(p, bad_specs[i].spec, &err) == err.status && err.status,
                      "'%s' is taken", bad_specs[i].spec);
        ck_assert_msg(strstr(err.text, bad_specs[i].text), "'%s': %s", bad_specs[i].spec, err.text);
        ck_assert_int_eq(plugins_count(p), 0);
    }
    plugins_destroy(p);
}
END_TEST

static const struct {
    struct shoal_plugin plugin;
    const char *text;
} bad_plugins[] = {
    {{.version = 0, .name = "x", .create = create}, "has version 0"},
    {{.version = SHOAL_PLUGIN_VERSION + 1, .name = "x", .create = create}, "has version 2"},
    {{.version = SHOAL_PLUGIN_VERSION, .name = "", .create = create}, "no name"},
    {{.version = SHOAL_PLUGIN_VERSION, .name = "a,b", .create = create}, "no name"},
    {{.version = SHOAL_PLUGIN_VERSION, .name = "x"}, "x has no function create"},
    {PLUGIN("x", .n_options = 1), "n_options is 1, and options is NULL"},
    {PLUGIN("x", .options = options, .n_options = -1), "n_options is -1"},
    {PLUGIN("x", .options = twins, .n_options = 2), "two options size"},
    {PLUGIN("x", .options = nameless, .n_options = 1), "option 0 has no name"},
    {PLUGIN("x", .attention = &wantless), "no function wants"},
    {PLUGIN("x", .attention = &idle), "neither see nor replace"},
    {PLUGIN("x", .cache = &half_codec), "all are needed, or none"},
    {PLUGIN("first", .scheduler = &scheduler), "first is given twice"},
    {PLUGIN("x", .attention = &replacer), "x replaces attention, so it has to set"},
    {PLUGIN("x", .cache = &codec), "x stores rows of K and V its own way, so it has to set"},
    {PLUGIN("x", .cache = &codec, .changes_numbers = true), "plugins storing and x both store"},
    {PLUGIN("x", .options = options, .n_options = 3), "option place has to be given (where it is)"},
};

START_TEST(refuses_plugins)
{
    struct text calls = {0};
    struct script script = {.calls = &calls};
    struct plugins *p = make(false);

    add(p, &first, &script);
    add(p, &storing, &script);
    text_clear(&calls);
    for (size_t i = 0; i < sizeof bad_plugins / sizeof *bad_plugins; i++) {
        const struct shoal_plugin_use use = {&bad_plugins[i].plugin, NULL, &script};
        struct shoal_error err = {.text = ""};

        ck_assert_msg(plugins_add_own(p, &use, &err), "not refused: %s", bad_plugins[i].text);
        ck_assert_msg(strstr(err.text, bad_plugins[i].text), "%s: %s", bad_plugins[i].text,
                      err.text);
        ck_assert_int_eq(plugins_count(p), 2);
    }
    ck_assert_uint_eq(calls.n, 0); /* nothing of them was called */
    ck_assert(plugins_add_own(p, &(struct shoal_plugin_use){0}, NULL));
    plugins_destroy(p);
    text_fini(&calls);
}
END_TEST

START_TEST(configures)
{
    struct text calls = {0}, numbers = {0};
    struct script script = {.calls = &calls}, failing = {.calls = &calls, .fails_in = "create"};
    const struct shoal_plugin_use use = {&chosen, "place=here,size= a=b#\"c", &script};
    const struct shoal_plugin_use bad = {&first, NULL, &failing};
    struct plugins *p = make(false);
    struct shoal_error err;

    ck_assert_msg(!plugins_add_own(p, &use, &err), "%s", err.text);
    ck_assert_str_eq(calls.bytes, "size= a=b#\"c colour=red place=here create ");
    ck_assert_int_eq(plugins_add_own(p, &bad, &err), SHOAL_E_IO);
    ck_assert_str_eq(err.text, "plugin first: it was told to fail");
    failing.is_silent = true;
    ck_assert_int_eq(plugins_add_own(p, &bad, &err), SHOAL_E_IO);
    ck_assert_msg(strstr(err.text, shoal_status_name(SHOAL_E_IO)), "%s", err.text);
    ck_assert_int_eq(plugins_count(p), 1); /* and no state of a failed one is destroyed */
    text_clear(&calls);
    plugins_destroy(p);
    ck_assert_str_eq(calls.bytes, "destroy ");
    text_fini(&calls);
    text_fini(&numbers);
}
END_TEST

/* ---- Calling ---- */

START_TEST(order)
{
    struct text calls = {0};
    struct script one = {.calls = &calls, .chunk = 7}, two = {.calls = &calls};
    struct plugins *p = make(false);
    struct shoal_plugin_control next = {64, 32};
    const struct shoal_plugin_step step = {0};
    bool is_on;

    ck_assert(!plugins_has_scheduler(p));
    add(p, &second, &two);
    add(p, &first, &one);
    ck_assert(plugins_has_scheduler(p) && !plugins_has_attention(p) && !plugins_has_append(p));
    ck_assert_str_eq(plugins_get(p, 0, &is_on)->name, "second");
    ck_assert_str_eq(plugins_get(p, 1, &is_on)->name, "first");

    text_clear(&calls);
    mem_step_begin("a step");
    const enum shoal_status status = plugins_before_step(p, &step, &next, NULL);
    const char *phase = mem_step_phase();
    mem_step_end();
    ck_assert_int_eq(status, SHOAL_OK);
    ck_assert_ptr_nonnull(phase); /* the guard is back */
    ck_assert_str_eq(phase, "a step");
    ck_assert_str_eq(calls.bytes, "before_step before_step ");
    ck_assert_int_eq(next.chunk, 7);
    ck_assert_int_eq(next.budget, 64);
    two.chunk = 9; /* it comes first: the last one holds */
    ck_assert_int_eq(plugins_before_step(p, &step, &next, NULL), SHOAL_OK);
    ck_assert_int_eq(next.chunk, 7);

    text_clear(&calls);
    ck_assert(plugins_enable(p, "second", false));
    plugins_get(p, 0, &is_on);
    ck_assert(!is_on);
    ck_assert_int_eq(plugins_after_step(p, &step, &next, NULL), SHOAL_OK);
    ck_assert_str_eq(calls.bytes, "after_step ");
    ck_assert(plugins_enable(p, "first", false) && !plugins_has_scheduler(p));
    ck_assert(plugins_enable(p, "second", true) && plugins_has_scheduler(p));
    ck_assert(!plugins_enable(p, "third", true));

    text_clear(&calls); /* one that a person switched off reports too */
    ck_assert_int_eq(plugins_finish(p, NULL), SHOAL_OK);
    ck_assert_str_eq(calls.bytes, "finish finish ");
    plugins_destroy(p);
    text_fini(&calls);
}
END_TEST

/* Calls one function of every plugin. */
static enum shoal_status call(struct plugins *p, const char *function, struct shoal_error *err)
{
    const struct shoal_plugin_step step = {0};
    const struct shoal_plugin_request request = {.rank = -1};
    const struct shoal_attention_view view = {.request = strcmp(function, "see") == 0 ? 1 : 2};
    struct shoal_plugin_control next = {1, 1};
    struct shoal_cache_row row = {.request = 1};
    float out[1];

    return strcmp(function, "before_step") == 0  ? plugins_before_step(p, &step, &next, err)
           : strcmp(function, "after_step") == 0 ? plugins_after_step(p, &step, &next, err)
           : strcmp(function, "added") == 0 ? plugins_on_request(p, PLUGIN_ADDED, &request, err)
           : strcmp(function, "finished") == 0
               ? plugins_on_request(p, PLUGIN_FINISHED, &request, err)
           : strcmp(function, "see") == 0           ? plugins_see_attention(p, &view, err)
           : strcmp(function, "replace") == 0       ? plugins_replace_attention(p, &view, out, err)
           : strcmp(function, "before_append") == 0 ? plugins_before_append(p, &row, err)
                                                    : plugins_after_append(p, &row, err);
}

static const struct {
    const struct shoal_plugin *plugin;
    const char *function;
    bool is_fatal; /* --plugin-errors fatal */
    bool ends;     /* the run */
} failures[] = {
    {&first, "before_step", false, false},
    {&first, "before_step", true, true},
    {&first, "after_step", false, false},
    {&first, "after_step", true, true},
    {&first, "added", false, false},
    {&first, "finished", true, true},
    {&seeing, "see", false, false},
    {&seeing, "see", true, true},
    {&looking, "after_append", false, false},
    {&looking, "after_append", true, true},
    {&looking, "before_append", false, false},
    {&appending, "before_append", false, true}, /* changes numbers */
    {&appending, "after_append", false, true},
    {&replacing, "replace", false, true},
};

START_TEST(failing)
{
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct text calls = {0};
        struct script script = {.calls = &calls, .fails_in = failures[i].function};
        struct plugins *p = make(failures[i].is_fatal);
        struct shoal_error err = {.text = ""};
        bool is_on;

        add(p, failures[i].plugin, &script);
        text_clear(&calls);
        const enum shoal_status status = call(p, failures[i].function, &err);
        plugins_get(p, 0, &is_on);
        ck_assert_msg((status == SHOAL_E_IO) == failures[i].ends, "case %zu: %d", i, status);
        if (failures[i].ends) {
            ck_assert_msg(strstr(err.text, failures[i].plugin->name) &&
                              strstr(err.text, failures[i].function) &&
                              strstr(err.text, "it was told to fail"),
                          "case %zu: %s", i, err.text);
        } else {
            ck_assert_msg(!is_on, "case %zu", i);
            /* Switched off: neither this nor its report comes any more. */
            ck_assert_int_eq(call(p, failures[i].function, &err), SHOAL_OK);
            ck_assert_int_eq(plugins_finish(p, &err), SHOAL_OK);
            text_add_str(&calls, "");
            ck_assert_uint_eq(calls.n, strlen(failures[i].function) + 1);
        }
        plugins_destroy(p);
        text_fini(&calls);
    }
}
END_TEST

/* What a plugin that fails did to the control does not count; the others go on. */
START_TEST(failing_beside)
{
    struct text calls = {0};
    struct script bad = {.calls = &calls, .chunk = 3, .fails_in = "before_step"};
    struct script good = {.calls = &calls};
    struct plugins *p = make(false);
    struct shoal_plugin_control next = {64, 32};
    const struct shoal_plugin_step step = {0};
    struct shoal_error err;

    log_set_level(LOG_ERROR);
    add(p, &first, &bad);
    add(p, &second, &good);
    text_clear(&calls);
    ck_assert_int_eq(plugins_before_step(p, &step, &next, &err), SHOAL_OK);
    ck_assert_int_eq(next.chunk, 32);
    ck_assert_int_eq(plugins_before_step(p, &step, &next, &err), SHOAL_OK);
    ck_assert_str_eq(calls.bytes, "before_step before_step before_step ");

    good.fails_in = "finish";
    ck_assert(plugins_enable(p, "first", true));
    bad.fails_in = "finish";
    bad.is_silent = true;
    text_clear(&calls);
    ck_assert_int_eq(plugins_finish(p, &err), SHOAL_E_IO); /* the first; all are asked */
    ck_assert_msg(strstr(err.text, "plugin first: finish: "), "%s", err.text);
    ck_assert_str_eq(calls.bytes, "finish finish ");
    plugins_destroy(p);
    text_fini(&calls);
}
END_TEST

START_TEST(attention)
{
    struct text calls = {0};
    struct script script = {.calls = &calls};
    const struct shoal_attention_view view = {.request = 2, .layer = 3, .head = 4};
    struct plugins *p = make(false);
    struct shoal_error err;
    float out[1] = {0};

    add(p, &seeing, &script);
    ck_assert_int_eq(plugins_wants(p, 0, 0, 0, 0), SHOAL_ATTENTION_LEAVE);
    ck_assert_int_eq(plugins_wants(p, 1, 0, 0, 0), SHOAL_ATTENTION_SEE);
    /* A want that it has no function for is none. */
    ck_assert_int_eq(plugins_wants(p, 2, 0, 0, 0), SHOAL_ATTENTION_LEAVE);
    add(p, &replacing, &script);
    ck_assert_int_eq(plugins_wants(p, 1, 0, 0, 0), SHOAL_ATTENTION_SEE);
    ck_assert_int_eq(plugins_wants(p, 2, 0, 0, 0), SHOAL_ATTENTION_REPLACE);
    ck_assert_int_eq(plugins_replace_attention(p, &view, out, &err), SHOAL_OK);
    ck_assert(out[0] == 1);
    add(p, &replacing_too, &script);
    ck_assert_int_eq(plugins_replace_attention(p, &view, out, &err), SHOAL_E_INVALID);
    ck_assert_msg(strstr(err.text, "plugins replacing and replacing-too both replace head 4 of "
                                   "layer 3 of request 2"),
                  "%s", err.text);
    plugins_destroy(p);
    text_fini(&calls);
}
END_TEST

static enum shoal_status halve(void *state, struct shoal_cache_row *row, struct shoal_error *err)
{
    (void)state, (void)err;
    row->v[1] /= 2;
    return SHOAL_OK;
}

START_TEST(a_change_that_is_not_owned_up_to)
{
    static const struct shoal_cache_plugin halver = {.before_append = halve};
    const struct shoal_plugin secret = PLUGIN("secret", .cache = &halver),
                              open = PLUGIN("open", .cache = &halver, .changes_numbers = true);
    struct text calls = {0};
    struct script script = {.calls = &calls};
    struct shoal_error err;
    float k[2] = {1, 2}, v[2] = {3, 4};
    struct shoal_cache_row row = {.request = 1, .head_dim = 2, .k = k, .v = v};
    struct plugins *p = make(false);

    add(p, &open, &script);
    ck_assert_int_eq(plugins_before_append(p, &row, &err), SHOAL_OK);
    ck_assert(v[1] == 2);
    add(p, &secret, &script);
    ck_assert_int_eq(plugins_before_append(p, &row, &err), SHOAL_E_INVALID);
    ck_assert_msg(strstr(err.text, "secret changed k or v"), "%s", err.text);
    plugins_destroy(p);
    text_fini(&calls);
}
END_TEST

START_TEST(numbers)
{
    struct text calls = {0}, lines = {0}, others = {0};
    struct script script = {.calls = &calls};
    const struct shoal_plugin weighing = PLUGIN("weighing", .options = options, .n_options = 3,
                                                .cache = &appender, .changes_numbers = true);
    const struct shoal_plugin_use use = {&weighing, "place= \"a\" #b", &script};
    struct plugins *p = make(false);
    void *state = NULL;

    add(p, &first, &script);
    ck_assert_uint_eq(plugins_numbers_hash(p), 0);
    ck_assert_ptr_null(plugins_codec(p, &state));
    ck_assert_int_eq(plugins_add_own(p, &use, NULL), SHOAL_OK);
    const uint64_t one = plugins_numbers_hash(p);
    ck_assert_uint_ne(one, 0);
    add(p, &replacing, &script);
    ck_assert_uint_ne(plugins_numbers_hash(p), one);
    /* One that changes numbers cannot be switched. */
    add(p, &storing, &script);
    ck_assert(!plugins_enable(p, "weighing", false));
    ck_assert(!plugins_enable(p, "storing", false));
    ck_assert_ptr_eq(plugins_codec(p, &state), &codec);
    ck_assert_ptr_eq(state, &script);

    /* The lines are read back as settings. */
    struct {
        struct setting_list plugin;
    } read = {0};
    const struct setting setting = {.name = "plugin", .kind = SETTING_LIST};
    const struct setting_table table = {&setting, 1, &read};
    struct shoal_error err;
    plugins_print_numbers(p, &lines);
    plugins_print_others(p, &lines);
    ck_assert(strstr(lines.bytes, "# plugin = first\n"));
    ck_assert(!strstr(lines.bytes, "# plugin = replacing\n"));
    ck_assert_msg(!settings_read(&table, 1, lines.bytes, "lines", &err), "%s", err.text);
    ck_assert_int_eq(read.plugin.n, 3);
    ck_assert_str_eq(read.plugin.items[0], "weighing,size=4,colour=red,place= \"a\" #b");
    ck_assert_str_eq(read.plugin.items[1], "replacing");
    ck_assert_str_eq(read.plugin.items[2], "storing");
    settings_fini(&table);
    plugins_destroy(p);
    text_fini(&lines);
    text_fini(&others);
    text_fini(&calls);
}
END_TEST

SUITE("plugin/manager", refuses_specs, refuses_plugins, configures, order, failing, failing_beside,
      attention, a_change_that_is_not_owned_up_to, numbers)
