#include "demo/commands.h"

#include "base/status.h"
#include "engine/interrupt.h"

#include <string.h>

enum { MOST_WORDS = 4, MOST_STEPS = 100000 };

struct words {
    const char *w[MOST_WORDS];
    int32_t n;
};

struct verb {
    const char *name, *arguments, *about;
    int32_t least, most; /* words after it */
    enum shoal_status (*run)(struct session *s, const struct words *words, struct shoal_error *err);
};

static enum shoal_status read_number(const char *word, const char *what, int64_t high, int32_t *out,
                                     struct shoal_error *err)
{
    int64_t n;

    if (!parse_i64(word, 1, high, &n))
        return shoal_fail(err, SHOAL_E_INVALID, "%s: %.40s is not a whole number from 1 to %lld",
                          what, word, (long long)high);
    *out = (int32_t)n;
    return SHOAL_OK;
}

/* Run up to n steps and print them. */
static enum shoal_status go(struct session *s, int32_t n, struct shoal_error *err)
{
    bool ran = true;
    int32_t i = 0;

    for (; i < n && ran; i++) {
        const enum shoal_status status = session_step(s, &ran, err);
        if (status)
            return status;
        if (interrupt_came())
            return shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
        if (ran)
            session_print_step(s, &s->run->watch.steps[s->run->watch.n - 1]);
        show_flush(&s->show);
    }
    if (!ran)
        text_printf(&s->show.out, "  %s: add makes requests, new begins again\n",
                    i == 1 ? "nothing is left to run" : "all requests have ended");
    return SHOAL_OK;
}

static enum shoal_status run_step(struct session *s, const struct words *words,
                                  struct shoal_error *err)
{
    int32_t n = 1;

    if (words->n > 1) {
        const enum shoal_status status = read_number(words->w[1], "step", MOST_STEPS, &n, err);
        if (status)
            return status;
    }
    return go(s, n, err);
}

static enum shoal_status run_run(struct session *s, const struct words *words,
                                 struct shoal_error *err)
{
    (void)words;
    return go(s, INT32_MAX, err);
}

static enum shoal_status run_new(struct session *s, const struct words *words,
                                 struct shoal_error *err)
{
    const enum shoal_status status = session_new(s, err);

    (void)words;
    if (!status)
        session_print_requests(s);
    return status;
}

static enum shoal_status run_add(struct session *s, const struct words *words,
                                 struct shoal_error *err)
{
    static const char *const what[] = {"", "how many", "prompt tokens", "new tokens"};
    int32_t numbers[MOST_WORDS] = {0, 1, 0, 0};
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 1; !status && i < words->n; i++)
        status = read_number(words->w[i], what[i], 1 << 20, &numbers[i], err);
    if (!status)
        status = session_add(s, numbers[1], numbers[2], numbers[3], err);
    if (!status)
        text_printf(&s->show.out, "  %d request%s now\n", s->run->load.n,
                    s->run->load.n == 1 ? "" : "s");
    return status;
}

static enum shoal_status run_set(struct session *s, const struct words *words,
                                 struct shoal_error *err)
{
    bool at_new;
    const enum shoal_status status = session_set(s, words->w[1], words->w[2], &at_new, err);

    if (!status)
        text_printf(&s->show.out, "  %s is %s, %s\n", words->w[1], words->w[2],
                    at_new ? "from new on" : "from now on");
    return status;
}

static enum shoal_status run_switch(struct session *s, const struct words *words,
                                    struct shoal_error *err)
{
    bool *flag = strcmp(words->w[0], "verbose") == 0 ? &s->options.verbose : &s->options.metrics;

    if (words->n > 1 && strcmp(words->w[1], "on") != 0 && strcmp(words->w[1], "off") != 0)
        return shoal_fail(err, SHOAL_E_INVALID, "%s: %.40s is not on or off", words->w[0],
                          words->w[1]);
    *flag = words->n > 1 ? strcmp(words->w[1], "on") == 0 : !*flag;
    text_printf(&s->show.out, "  %s is %s\n", words->w[0], *flag ? "on" : "off");
    if (*flag && flag == &s->options.metrics)
        session_print_metrics(s);
    return SHOAL_OK;
}

static enum shoal_status run_requests(struct session *s, const struct words *words,
                                      struct shoal_error *err)
{
    (void)words;
    (void)err;
    session_print_requests(s);
    return SHOAL_OK;
}

static enum shoal_status run_settings(struct session *s, const struct words *words,
                                      struct shoal_error *err)
{
    (void)words;
    (void)err;
    session_print_settings(s);
    return SHOAL_OK;
}

static enum shoal_status run_save(struct session *s, const struct words *words,
                                  struct shoal_error *err)
{
    const enum shoal_status status = session_save(&s->options, words->w[1], err);

    if (!status)
        text_printf(&s->show.out, "  settings are in %s\n", words->w[1]);
    return status;
}

static enum shoal_status run_load(struct session *s, const struct words *words,
                                  struct shoal_error *err)
{
    enum shoal_status status = session_load(&s->options, words->w[1], err);

    if (!status)
        status = session_new(s, err);
    if (!status)
        session_print_requests(s);
    return status;
}

static enum shoal_status run_help(struct session *s, const struct words *words,
                                  struct shoal_error *err);

static const struct verb verbs[] = {
    {"step", "[N]", "run one step, or N", 0, 1, run_step},
    {"run", "", "run until all requests have ended", 0, 0, run_run},
    {"new", "", "begin again: a new engine and new requests, with the settings", 0, 0, run_new},
    {"add", "[N [PROMPT [NEW]]]", "add a request, or N, of so many prompt and new tokens", 0, 3,
     run_add},
    {"set", "NAME VALUE", "budget, chunk: from the next step; layout, block-size, ...: from new", 2,
     2, run_set},
    {"settings", "", "what can be set, and how it is", 0, 0, run_settings},
    {"requests", "", "all requests and how far they are", 0, 0, run_requests},
    {"verbose", "[on|off]", "new tokens and blocks of every step", 0, 1, run_switch},
    {"metrics", "[on|off]", "sums after every step", 0, 1, run_switch},
    {"save", "FILE", "write the settings as JSON", 1, 1, run_save},
    {"load", "FILE", "read them, and begin again", 1, 1, run_load},
    {"help", "", "print this", 0, 0, run_help},
    {"quit", "", "leave; so does the end of the input", 0, 0, NULL},
};

enum { N_VERBS = sizeof verbs / sizeof *verbs };

static enum shoal_status run_help(struct session *s, const struct words *words,
                                  struct shoal_error *err)
{
    struct table t = show_new_table(&s->show, "ll");

    (void)words;
    (void)err;
    for (size_t i = 0; i < N_VERBS; i++) {
        table_put(&t, PAINT_BOLD, "%s %s", verbs[i].name, verbs[i].arguments);
        table_put(&t, PAINT_PLAIN, "%s", verbs[i].about);
    }
    show_table(&s->show, &t);
    return SHOAL_OK;
}

static enum shoal_status refuse_verb(const char *name, struct shoal_error *err)
{
    const char *names[N_VERBS], *nearest;

    for (size_t i = 0; i < N_VERBS; i++)
        names[i] = verbs[i].name;
    nearest = nearest_name(name, names, N_VERBS);
    return shoal_fail(err, SHOAL_E_INVALID, "there is no command %.40s%s%s; help lists them", name,
                      nearest ? ", the nearest is " : "", nearest ? nearest : "");
}

enum shoal_status commands_run(struct session *s, char *line, bool *is_over,
                               struct shoal_error *err)
{
    struct words words = {0};
    char *rest = NULL;
    bool is_long = false;

    for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
        is_long = words.n == MOST_WORDS;
        if (!is_long)
            words.w[words.n++] = word;
    }
    if (words.n == 0 || words.w[0][0] == '#')
        return SHOAL_OK;
    for (size_t i = 0; i < N_VERBS; i++) {
        const struct verb *v = &verbs[i];
        if (strcmp(words.w[0], v->name) != 0)
            continue;
        if (words.n - 1 < v->least || words.n - 1 > v->most || is_long)
            return shoal_fail(err, SHOAL_E_INVALID, "%s: write it as %s%s%s", v->name, v->name,
                              v->arguments[0] ? " " : "", v->arguments);
        *is_over = v->run == NULL;
        return v->run ? v->run(s, &words, err) : SHOAL_OK;
    }
    return refuse_verb(words.w[0], err);
}
