#include "demo/watch.h"

#include "base/mem.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

static bool copy_sequence(struct watched_sequence *out, const struct shoal_plugin_sequence *s)
{
    *out = (struct watched_sequence){.id = s->request,
                                     .n_prompt = s->n_prompt,
                                     .n_tokens = s->n_tokens,
                                     .n_computed = s->n_computed,
                                     .n_scheduled = s->n_scheduled,
                                     .n_cached = s->n_cached,
                                     .max_tokens = s->max_tokens,
                                     .n_preempted = s->n_preempted,
                                     .new_token = -1,
                                     .n_blocks = s->n_blocks};
    snprintf(out->waits_for, sizeof out->waits_for, "%s", s->waits_for ? s->waits_for : "");
    out->block_table = mem_new((size_t)s->n_blocks, sizeof *out->block_table);
    if (!out->block_table) {
        out->n_blocks = 0;
        return false;
    }
    if (s->n_blocks > 0)
        memcpy(out->block_table, s->block_table, (size_t)s->n_blocks * sizeof *s->block_table);
    return true;
}

static bool copy_sequences(struct watched_sequence **out, int32_t *n_out,
                           const struct shoal_plugin_sequence *s, int32_t n)
{
    *n_out = 0;
    *out = mem_new((size_t)n, sizeof **out);
    while (*out && *n_out < n && copy_sequence(&(*out)[*n_out], &s[*n_out]))
        ++*n_out;
    return *n_out == n;
}

static void free_sequences(struct watched_sequence *s, int32_t n)
{
    for (int32_t i = 0; s && i < n; i++)
        mem_free(s[i].block_table);
    mem_free(s);
}

static bool add_step(struct watch *w, const struct shoal_plugin_step *p)
{
    if (w->n == w->capacity) {
        const int32_t capacity = w->capacity ? 2 * w->capacity : 64;
        struct watched_step *steps = mem_resize(w->steps, (size_t)capacity, sizeof *steps);
        if (!steps)
            return false;
        w->steps = steps;
        w->capacity = capacity;
    }
    struct watched_step *s = &w->steps[w->n++];
    *s = (struct watched_step){.step = p->step,
                               .rank = p->rank,
                               .budget = p->budget,
                               .chunk = p->chunk,
                               .n_tokens = p->n_tokens,
                               .n_decode = p->n_decode_tokens,
                               .blocks_free = p->blocks_free,
                               .blocks_cached = p->blocks_cached,
                               .blocks_held = p->blocks_held};
    return copy_sequences(&s->running, &s->n_running, p->running, p->n_running) &&
           copy_sequences(&s->waiting, &s->n_waiting, p->waiting, p->n_waiting);
}

static void set_next(const struct watch *w, struct shoal_plugin_control *next)
{
    if (w->budget > 0)
        next->budget = w->budget;
    if (w->chunk > 0)
        next->chunk = w->chunk;
}

static enum shoal_status before_step(void *state, const struct shoal_plugin_step *step,
                                     struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct watch *w = state;

    set_next(w, next);
    if (!add_step(w, step)) {
        w->failed = true;
        return shoal_fail_memory(err, "a watched step", sizeof *w->steps);
    }
    return SHOAL_OK;
}

static enum shoal_status after_step(void *state, const struct shoal_plugin_step *step,
                                    struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct watch *w = state;

    (void)err;
    set_next(w, next);
    for (int32_t i = w->n - 1; i >= 0; i--) {
        struct watched_step *s = &w->steps[i];
        if (s->rank != step->rank || s->step != step->step)
            continue;
        s->is_done = true;
        s->step_ns = step->step_ns;
        for (int32_t k = 0; k < s->n_running && k < step->n_running; k++)
            s->running[k].new_token = step->new_tokens ? step->new_tokens[k] : -1;
        break;
    }
    return SHOAL_OK;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    (void)host;
    (void)values;
    (void)n_values;
    if (!user)
        return shoal_fail(err, SHOAL_E_INVALID, "the plugin %s has nowhere to keep steps",
                          watch_plugin.name);
    *state = user;
    return SHOAL_OK;
}

static const struct shoal_scheduler_plugin scheduler = {.before_step = before_step,
                                                        .after_step = after_step};

const struct shoal_plugin watch_plugin = {.version = SHOAL_PLUGIN_VERSION,
                                          .name = "demo-watch",
                                          .about = "keeps what every step did",
                                          .create = create,
                                          .scheduler = &scheduler};

void watch_fini(struct watch *w)
{
    for (int32_t i = 0; i < w->n; i++) {
        free_sequences(w->steps[i].running, w->steps[i].n_running);
        free_sequences(w->steps[i].waiting, w->steps[i].n_waiting);
    }
    mem_free(w->steps);
    *w = (struct watch){0};
}
