#include "study/launch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add(struct launch *l, const char *word)
{
    assert(l->n + 1 < LAUNCH_MAX_ARGUMENTS);
    l->argv[l->n++] = word;
    l->argv[l->n] = NULL;
}

static void add_made(struct launch *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_made(struct launch *l, const char *format, ...)
{
    const size_t room = sizeof l->words - l->n_words;
    char *word = l->words + l->n_words;
    va_list args;

    va_start(args, format);
    const int n = vsnprintf(word, room, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < room);
    l->n_words += (size_t)n + 1;
    add(l, word);
}

/* An option that is left out where the program's default holds. */
static void add_option(struct launch *l, const char *name, int32_t value)
{
    if (value == 0)
        return;
    add(l, name);
    add_made(l, "%d", value);
}

static void add_mpirun(struct launch *l, const struct launch_settings *s,
                       const struct study_point *p)
{
    add(l, "mpirun");
    add_option(l, "-n", p->ranks);
    if (p->is_oversubscribed || !s->machine->may_bind) {
        add(l, "--oversubscribe");
        add(l, "--bind-to");
        add(l, "none");
        return;
    }
    add(l, "--map-by");
    add_made(l, "slot:PE=%d", p->threads);
    add(l, "--bind-to");
    add(l, "core");
}

static void add_batch(struct launch *l, const struct launch_settings *s,
                      const struct study_point *p)
{
    /* All requests are to run at once, however the ranks share them; the scheduler's experiment
     * keeps the default, so that most of its requests wait. */
    const int32_t usual = 64;
    const bool is_queue = strcmp(p->experiment, "scheduler") == 0;

    add(l, "point");
    add(l, "-m");
    add(l, p->model ? p->model : s->model);
    add_option(l, "-t", p->threads);
    add_option(l, "--batch-size", p->batch);
    add_option(l, "--input-len", p->prompt);
    add_option(l, "--output-len", p->output);
    add_option(l, "--reserve-len", p->reserve);
    add_option(l, "--max-num-batched-tokens", p->budget);
    add_option(l, "--long-prefill-token-threshold", p->chunk);
    add_option(l, "--block-size", p->block_size);
    add_option(l, "--num-kv-blocks", p->kv_blocks);
    if (!is_queue && p->batch > usual)
        add_option(l, "--max-num-seqs", p->batch);
    if (p->layout) {
        add(l, "--kv-layout");
        add(l, p->layout);
    }
    if (s->seed) {
        add(l, "--seed");
        add_made(l, "%llu", (unsigned long long)s->seed);
    }
}

void launch_point(struct launch *l, const struct launch_settings *s, const struct study_point *p)
{
    *l = (struct launch){0};
    if (p->ranks > 1)
        add_mpirun(l, s, p);
    add(l, s->machine->program);
    add(l, "study");
    if (p->task == STUDY_ATTENTION) {
        add(l, "attention");
        add(l, "--path");
        add(l, p->path);
        add_option(l, "--context", p->context);
    } else {
        add_batch(l, s, p);
    }
    add(l, "--min-seconds");
    add_made(l, "%g", s->min_seconds);
}

void launch_print(const struct launch *l, const struct machine *m, struct text *out)
{
    for (int32_t i = 0; i < l->n; i++) {
        const char *word = l->argv[i] == m->program ? "shoal" : l->argv[i];
        const bool is_plain = word[strcspn(word, " '\"\\$`*?[]()<>|&;#~\t\n")] == '\0' && *word;
        text_add_str(out, i ? " " : "");
        if (is_plain) {
            text_add_str(out, word);
            continue;
        }
        text_add_str(out, "'");
        for (; *word; word++)
            text_printf(out, *word == '\'' ? "'\\%c'" : "%c", *word);
        text_add_str(out, "'");
    }
}

void launch_prepare(void)
{
    static const char *const defaults[][2] = {
        {"OMPI_MCA_pml", "ob1"},
        {"OMPI_MCA_btl", "self,vader"},
        {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
    };

    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        setenv(defaults[i][0], defaults[i][1], 0);
    if (getuid() == 0) {
        setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
        setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    }
}
