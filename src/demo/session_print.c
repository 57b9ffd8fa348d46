#include "demo/session.h"

#include <stdio.h>
#include <string.h>

static void print_tokens(struct session *s, const struct watched_step *step)
{
    int32_t n = 0;

    for (int32_t i = 0; i < step->n_running; i++) {
        const struct watched_sequence *q = &step->running[i];
        if (q->new_token < 0)
            continue;
        text_printf(&s->show.out, "%s%s %d",
                    n++ > 0 ? "  " : "    new tokens: ", demo_run_name(s->run, q->id),
                    q->new_token);
    }
    if (n > 0)
        text_add_str(&s->show.out, "\n");
    text_printf(&s->show.out, "    blocks: %d free, %d cached, %d held\n", step->blocks_free,
                step->blocks_cached, step->blocks_held);
}

void session_print_step(struct session *s, const struct watched_step *step)
{
    struct text *out = &s->show.out;

    text_printf(out, "  step %-3d ", (int)step->step);
    show_strip(&s->show, step, out);
    text_printf(out, " %d of %d: %d decode, %d prefill\n    runs: ", step->n_tokens, step->budget,
                step->n_decode, step->n_tokens - step->n_decode);
    show_batch(s->run, step, out);
    text_add_str(out, "\n");
    if (step->n_waiting > 0) {
        text_add_str(out, "    waits: ");
        show_waiting(s->run, step, out);
        text_add_str(out, "\n");
    }
    if (s->options.verbose)
        print_tokens(s, step);
    if (s->options.metrics)
        session_print_metrics(s);
}

/* Where a request was in the last step. */
static const char *state_of(const struct session *s, const struct demo_request *q)
{
    const struct watch *w = &s->run->watch;

    if (q->finish != SHOAL_RUNNING)
        return shoal_finish_name(q->finish);
    if (w->n == 0)
        return "waiting";
    const struct watched_step *step = &w->steps[w->n - 1];
    for (int32_t i = 0; i < step->n_running; i++)
        if (step->running[i].id == q->id)
            return q->n_tokens > q->n_prompt ? "decode" : "prefill";
    for (int32_t i = 0; i < step->n_waiting; i++)
        if (step->waiting[i].id == q->id)
            return step->waiting[i].n_preempted > 0 ? "preempted" : "waiting";
    return q->n_tokens > q->n_prompt ? "decode" : "waiting";
}

void session_print_requests(struct session *s)
{
    struct table t = show_new_table(&s->show, "llrr");

    table_put(&t, PAINT_DIM, "request");
    table_put(&t, PAINT_DIM, "state");
    table_put(&t, PAINT_DIM, "prompt tokens");
    table_put(&t, PAINT_DIM, "new tokens");
    for (int32_t i = 0; i < s->run->load.n; i++) {
        const struct demo_request *q = &s->run->load.requests[i];
        table_put(&t, PAINT_BOLD, "%s", q->name);
        table_put(&t, PAINT_PLAIN, "%s", state_of(s, q));
        table_put(&t, PAINT_PLAIN, "%d", q->n_prompt);
        table_put(&t, PAINT_PLAIN, "%d of %d", q->n_tokens - q->n_prompt, q->max_tokens);
    }
    show_table(&s->show, &t);
}

void session_print_metrics(struct session *s)
{
    const struct watch *w = &s->run->watch;
    struct shoal_counts counts;
    int64_t n_tokens = 0, n_room = 0;

    shoal_engine_counts(s->run->engine, &counts);
    for (int32_t i = 0; i < w->n; i++) {
        n_tokens += w->steps[i].n_tokens;
        n_room += w->steps[i].budget;
    }
    text_printf(&s->show.out,
                "    metrics: %d waiting, %d running, %lld finished, %lld preemptions; %lld tokens "
                "in %d step%s, %.0f %% of the budget; KV %.0f %% held\n",
                counts.n_waiting, counts.n_running, (long long)counts.n_finished,
                (long long)counts.n_preemptions, (long long)n_tokens, w->n, w->n == 1 ? "" : "s",
                n_room > 0 ? 100.0 * (double)n_tokens / (double)n_room : 0, 100 * counts.kv_usage);
}

static void print_setting(struct session *s, const char *name)
{
    struct setting_table now, then;
    const struct setting *setting = demo_options_find(&s->options, name, &now);
    struct text a = {0}, b = {0};

    demo_options_find(&s->started, name, &then);
    setting_print(&now, setting, &a);
    setting_print(&then, setting, &b);
    text_printf(&s->show.out, "  %-30s %s", name, a.bytes ? a.bytes : "");
    if (a.bytes && b.bytes && strcmp(a.bytes, b.bytes) != 0 && !session_is_live(name))
        text_printf(&s->show.out, "  (now %s; from new on)", b.bytes);
    text_add_str(&s->show.out, "\n");
    text_fini(&a);
    text_fini(&b);
}

void session_print_settings(struct session *s)
{
    for (size_t i = 0; i < SESSION_NAMES_SHOWN; i++)
        print_setting(s, session_names[i]);
    text_printf(&s->show.out, "  %-30s %s\n  %-30s %s\n", "verbose",
                s->options.verbose ? "on" : "off", "metrics", s->options.metrics ? "on" : "off");
}
