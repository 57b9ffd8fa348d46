#include "demo/show.h"

#include "comm/comm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 96 };

void show_begin(struct show *s)
{
    /* mpirun shows its ranks a terminal of its own, also where the output goes to a file */
    *s = (struct show){.has_colour = !comm_under_mpirun() && paint_wanted(STDOUT_FILENO)};
}

bool show_flush(struct show *s)
{
    const bool is_whole = !s->out.failed;

    if (s->out.n > 0)
        fwrite(s->out.bytes, 1, s->out.n, stdout);
    text_clear(&s->out);
    return fflush(stdout) == 0 && is_whole;
}

void show_end(struct show *s)
{
    text_fini(&s->out);
}

void show_heading(struct show *s, const char *format, ...)
{
    char words[256];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    text_printf(&s->out, "%s%s%s%s\n", s->out.n > 0 ? "\n" : "",
                paint_code(s->has_colour, PAINT_BOLD), words,
                paint_code(s->has_colour, PAINT_PLAIN));
}

void show_words(struct show *s, const char *format, ...)
{
    char words[2048];
    size_t column = 0;
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    for (const char *word = words; *word;) {
        const size_t n = strcspn(word, " ");
        if (column > 0 && column + 1 + n > WIDTH) {
            text_add_str(&s->out, "\n");
            column = 0;
        }
        if (column > 0)
            text_add_str(&s->out, " ");
        text_add(&s->out, word, n);
        column += n + (column > 0);
        word += n;
        word += strspn(word, " ");
    }
    text_add_str(&s->out, "\n");
}

struct table show_new_table(const struct show *s, const char *right)
{
    struct table t = {.n_columns = (int32_t)strlen(right), .has_colour = s->has_colour};

    for (int32_t i = 0; i < t.n_columns; i++)
        t.is_right[i] = right[i] == 'r';
    return t;
}

void show_table(struct show *s, struct table *t)
{
    table_print(t, 2, &s->out);
    table_fini(t);
}

void show_setup(struct show *s, const struct demo_run *r, const struct demo_options *o)
{
    const int32_t chunk = o->engine.long_prefill_token_threshold;
    char limit[48] = "the budget";

    if (chunk > 0 && chunk < o->engine.max_num_batched_tokens)
        snprintf(limit, sizeof limit, "%d tokens of a prompt", chunk);
    show_words(s,
               "Model %s (%s). A step has a budget of %d tokens; a chunk is at most %s. KV cache: "
               "%s, %d blocks of %d tokens%s.",
               r->info.model_name, r->info.arch, o->engine.max_num_batched_tokens, limit,
               o->engine.kv_layout, r->info.n_kv_blocks, r->info.block_size,
               r->info.n_ranks > 1 ? " a rank" : "");
}

void show_requests(struct show *s, const struct workload *w)
{
    struct table t = show_new_table(s, "lrr");

    table_put(&t, PAINT_DIM, "request");
    table_put(&t, PAINT_DIM, "prompt tokens");
    table_put(&t, PAINT_DIM, "new tokens");
    for (int32_t i = 0; i < w->n; i++) {
        table_put(&t, PAINT_BOLD, "%s", w->requests[i].name);
        table_put(&t, PAINT_PLAIN, "%d", w->requests[i].n_prompt);
        table_put(&t, PAINT_PLAIN, "%d", w->requests[i].max_tokens);
    }
    show_table(s, &t);
}

/* Of one request, over all steps. */
struct progress {
    int32_t n_chunks, first_step, first_token, last_step, n_preempted;
};

static struct progress progress_of(const struct watch *w, uint64_t id)
{
    struct progress p = {.first_step = -1, .first_token = -1, .last_step = -1};

    for (int32_t i = 0; i < w->n; i++)
        for (int32_t k = 0; k < w->steps[i].n_running; k++) {
            const struct watched_sequence *q = &w->steps[i].running[k];
            const int32_t step = (int32_t)w->steps[i].step;
            if (q->id != id)
                continue;
            p.n_chunks += !watched_is_decode(q);
            p.first_step = p.first_step < 0 ? step : p.first_step;
            p.first_token = p.first_token < 0 && q->new_token >= 0 ? step : p.first_token;
            p.last_step = step;
            p.n_preempted = q->n_preempted;
        }
    return p;
}

static void add_generated(const struct demo_request *q, struct text *out)
{
    enum { SHOWN = 10 };

    for (int32_t i = q->n_prompt; i < q->n_tokens && i < q->n_prompt + SHOWN; i++)
        text_printf(out, "%s%d", i > q->n_prompt ? " " : "", q->tokens[i]);
    if (q->n_tokens - q->n_prompt > SHOWN)
        text_printf(out, " ... (%d)", q->n_tokens - q->n_prompt);
}

void show_results(struct show *s, const struct demo_run *r)
{
    static const char *const heads[] = {"request",   "chunks",    "first step", "first token",
                                        "last step", "preempted", "new tokens"};
    struct table t = show_new_table(s, "lrrrrrl");

    for (size_t i = 0; i < 7; i++)
        table_put(&t, PAINT_DIM, "%s", heads[i]);
    for (int32_t i = 0; i < r->load.n; i++) {
        const struct demo_request *q = &r->load.requests[i];
        const struct progress p = progress_of(&r->watch, q->id);
        const int32_t numbers[] = {p.n_chunks, p.first_step, p.first_token, p.last_step,
                                   p.n_preempted};
        struct text generated = {0};
        table_put(&t, PAINT_BOLD, "%s", q->name);
        for (size_t k = 0; k < 5; k++)
            table_put(&t, PAINT_PLAIN, "%d", numbers[k]);
        add_generated(q, &generated);
        table_put(&t, PAINT_PLAIN, "%s", generated.bytes ? generated.bytes : "");
        text_fini(&generated);
    }
    show_table(s, &t);
}

void show_strip(struct show *s, const struct watched_step *step, struct text *out)
{
    enum { MOST = 48 };
    const int32_t budget = step->budget > 0 ? step->budget : 1;
    const int32_t width = budget < MOST ? budget : MOST;
    /* each letter stands for budget / width tokens; what is there is never rounded to nothing */
    const int32_t n_decode = (int32_t)(((int64_t)step->n_decode * width + budget - 1) / budget);
    int32_t n_all = (int32_t)(((int64_t)step->n_tokens * width + budget - 1) / budget);

    if (n_all == n_decode && step->n_tokens > step->n_decode && n_all < width)
        n_all++;
    text_printf(out, "[%s", paint_code(s->has_colour, PAINT_DECODE));
    for (int32_t i = 0; i < width; i++) {
        if (i == n_decode)
            text_add_str(out, paint_code(s->has_colour, PAINT_PREFILL));
        if (i == n_all)
            text_add_str(out, paint_code(s->has_colour, PAINT_DIM));
        text_add_str(out, i < n_decode ? "D" : i < n_all ? "P" : ".");
    }
    text_printf(out, "%s]", paint_code(s->has_colour, PAINT_PLAIN));
}

void show_strip_legend(struct show *s)
{
    text_printf(&s->out,
                "  legend: %sD%s decode token  %sP%s prefill token  %s.%s budget that is left;  "
                "A 7 = position 7 of A,  A 0-7 = a chunk\n",
                paint_code(s->has_colour, PAINT_DECODE), paint_code(s->has_colour, PAINT_PLAIN),
                paint_code(s->has_colour, PAINT_PREFILL), paint_code(s->has_colour, PAINT_PLAIN),
                paint_code(s->has_colour, PAINT_DIM), paint_code(s->has_colour, PAINT_PLAIN));
}

void show_batch(const struct demo_run *r, const struct watched_step *step, struct text *out)
{
    enum { SHOWN = 8 };

    for (int32_t i = 0; i < step->n_running && i < SHOWN; i++) {
        const struct watched_sequence *q = &step->running[i];
        text_printf(out, "%s%s %d", i > 0 ? "  " : "", demo_run_name(r, q->id), q->n_computed);
        if (q->n_scheduled > 1)
            text_printf(out, "-%d", q->n_computed + q->n_scheduled - 1);
    }
    if (step->n_running > SHOWN)
        text_printf(out, "  and %d more", step->n_running - SHOWN);
}

static bool waits_alike(const struct watched_sequence *a, const struct watched_sequence *b)
{
    return strcmp(a->waits_for, b->waits_for) == 0 && !a->n_preempted == !b->n_preempted;
}

void show_waiting(const struct demo_run *r, const struct watched_step *step, struct text *out)
{
    enum { SHOWN = 8 };

    for (int32_t i = 0; i < step->n_waiting && i < SHOWN; i++) {
        const struct watched_sequence *q = &step->waiting[i];
        const bool is_last = i + 1 == step->n_waiting || i + 1 == SHOWN;
        text_add_str(out, demo_run_name(r, q->id));
        if (!is_last && waits_alike(q, q + 1))
            text_add_str(out, " ");
        else
            text_printf(out, ": %s%s%s", q->n_preempted > 0 ? "preempted, " : "", q->waits_for,
                        is_last ? "" : "; ");
    }
    if (step->n_waiting > SHOWN)
        text_printf(out, "; and %d more", step->n_waiting - SHOWN);
}

void show_try_next(struct show *s, const char *const lines[][2], size_t n)
{
    show_heading(s, "Try next");
    for (size_t i = 0; i < n; i++)
        text_printf(&s->out, "  %s\n      %s\n", lines[i][0], lines[i][1]);
}
