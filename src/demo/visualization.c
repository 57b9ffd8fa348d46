/* shoal demo visualization: one run as pictures, and a page of HTML that holds them all */
#include "base/status.h"
#include "base/text_file.h"
#include "demo/demos.h"
#include "demo/pictures.h"
#include "demo/show.h"
#include "draw/html_page.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum picture { TOKEN_TABLE, ATTENTION, TIMELINE, STEP_TOKENS, KV_LAYOUT, N_PICTURES };

static const struct {
    const char *file, *heading, *words;
} about[N_PICTURES] = {
    {"token-table.svg", "One step's batch",
     "The tokens of all requests stand end to end: that is the token table. Beside it the mask: a "
     "row attends to the keys of its own request, up to itself. What earlier steps left in the KV "
     "cache is paler."},
    {"attention.svg", "Attention weights",
     "How much each position of one request attends to each position before it: the softmax of one "
     "head, as the engine computed it, chunk by chunk and token by token. A row sums to 1."},
    {"timeline.svg", "Scheduler timeline",
     "A lane a request, a column a step. Requests wait, fill their KV cache in chunks, and decode "
     "one token a step. One that was preempted gave its blocks to others and waits again."},
    {"step-tokens.svg", "Tokens a step",
     "Decode tokens come first; what they leave of the budget goes to prefill chunks. Steps at the "
     "end are nearly empty: too few requests are left to fill them."},
    {"kv-layout.svg", "Dense and paged KV cache",
     "The same requests in both layouts. Dense reserves prompt and all new tokens at admission; "
     "paged takes the blocks of the prompt, and one more whenever the last is full, so only the "
     "last block of each has room left over."},
};

static enum shoal_status write_file(const char *folder, const char *name, const struct text *text,
                                    struct shoal_error *err)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return shoal_fail(err, SHOAL_E_INVALID, "--out: the name is too long");
    if (!text_write_file(text, path))
        return shoal_fail(err, SHOAL_E_IO, "cannot write %.300s: %s", path, strerror(errno));
    return SHOAL_OK;
}

static enum shoal_status draw(const struct demo_run *r, const struct attention_watch *w,
                              const struct demo_options *o, struct text pictures[N_PICTURES],
                              struct shoal_error *err)
{
    enum shoal_status s;

    if ((s = picture_token_table(r, &pictures[TOKEN_TABLE], err)) ||
        (s = picture_attention(r, w, &pictures[ATTENTION], err)) ||
        (s = picture_timeline(r, &pictures[TIMELINE], err)) ||
        (s = picture_step_tokens(r, &pictures[STEP_TOKENS], err)))
        return s;
    return picture_kv_layout(r, o->engine.kv_layout, &pictures[KV_LAYOUT], err);
}

static void write_page(const struct demo_run *r, const struct demo_options *o,
                       const struct text pictures[N_PICTURES], struct text *page)
{
    struct text intro = {0};

    text_printf(&intro,
                "%d request%s on the model %s, budget %d tokens a step, seed %llu. Every picture "
                "shows the same run; hold the pointer over a cell to see what it is.",
                r->load.n, r->load.n == 1 ? "" : "s", r->info.model_name,
                o->engine.max_num_batched_tokens, (unsigned long long)o->engine.seed);
    html_page_begin(page, "Continuous batching in pictures", intro.bytes ? intro.bytes : "");
    for (int i = 0; i < N_PICTURES; i++)
        html_page_section(page, about[i].heading, about[i].words, &pictures[i]);
    html_page_end(page, "Drawn by shoal demo visualization.");
    text_fini(&intro);
}

static enum shoal_status write_all(const struct demo_run *r, const struct demo_options *o,
                                   const struct text pictures[N_PICTURES], struct shoal_error *err)
{
    struct text page = {0};
    enum shoal_status status = SHOAL_OK;

    if (mkdir(o->out, 0777) != 0 && errno != EEXIST)
        return shoal_fail(err, SHOAL_E_IO, "--out: cannot make %.300s: %s", o->out,
                          strerror(errno));
    for (int i = 0; !status && i < N_PICTURES; i++)
        status = write_file(o->out, about[i].file, &pictures[i], err);
    write_page(r, o, pictures, &page);
    if (!status && page.failed)
        status = shoal_fail_memory(err, "the page", page.n);
    if (!status)
        status = write_file(o->out, "index.html", &page, err);
    text_fini(&page);
    return status;
}

static void print_all(struct show *s, const struct demo_run *r, const struct demo_options *o)
{
    static const char *const next[][2] = {
        {"shoal demo visualization --out dense --kv-layout dense --num-kv-blocks 20",
         "the same run with a dense KV cache"},
        {"shoal run --prompt \"To be\" --step-log steps.log && shoal replay steps.log --timeline "
         "steps.svg",
         "the timeline of a run of your own"},
    };
    struct table t = show_new_table(s, "ll");

    show_heading(s, "Pictures of %d request%s in %d step%s", r->load.n, r->load.n == 1 ? "" : "s",
                 r->watch.n, r->watch.n == 1 ? "" : "s");
    show_setup(s, r, o);
    show_heading(s, "Written to %s", o->out);
    table_put(&t, PAINT_DIM, "file");
    table_put(&t, PAINT_DIM, "shows");
    for (int i = 0; i < N_PICTURES; i++) {
        table_put(&t, PAINT_PLAIN, "%s", about[i].file);
        table_put(&t, PAINT_PLAIN, "%s", about[i].heading);
    }
    table_put(&t, PAINT_BOLD, "index.html");
    table_put(&t, PAINT_PLAIN, "all of them, with explanations");
    show_table(s, &t);
    show_heading(s, "What to look at");
    show_words(s, "Open index.html in a browser. Find a step in the timeline in which prefill and "
                  "decode mix, and the same step in the bars; then the batch that it was in the "
                  "token table.");
    show_try_next(s, next, sizeof next / sizeof *next);
}

/* The longest request that fits a picture; if none does, the first, cut. */
static int32_t choose_request(const struct workload *load, int32_t *n_shown)
{
    enum { SHOWN = 48 };
    int32_t best = -1;

    for (int32_t i = 0; i < load->n; i++) {
        const struct demo_request *q = &load->requests[i];
        const int32_t n = q->n_prompt + q->max_tokens - 1; /* the last is never computed */
        if (n <= SHOWN && (best < 0 || n > *n_shown)) {
            best = i;
            *n_shown = n;
        }
    }
    if (best >= 0)
        return best;
    *n_shown = SHOWN;
    return 0;
}

static enum shoal_status run_and_draw(struct demo_run *r, struct attention_watch *w,
                                      const struct demo_options *o, struct shoal_error *err)
{
    struct text pictures[N_PICTURES] = {0};
    int32_t n_shown = 0;
    struct show s;
    enum shoal_status status = demo_run_fill(r, o, err);

    if (!status) {
        w->request = r->load.requests[choose_request(&r->load, &n_shown)].id;
        status = attention_watch_init(w, n_shown, err);
    }
    if (!status)
        status = demo_run_all(r, err);
    if (!status)
        status = draw(r, w, o, pictures, err);
    if (!status)
        status = write_all(r, o, pictures, err);
    show_begin(&s);
    if (!status) {
        print_all(&s, r, o);
        show_flush(&s);
    }
    show_end(&s);
    for (int i = 0; i < N_PICTURES; i++)
        text_fini(&pictures[i]);
    return status;
}

static enum shoal_status run(const struct demo_options *o, struct shoal_error *err)
{
    struct attention_watch w = {.layer = o->layer, .head = o->head};
    const struct shoal_plugin_use use = {.plugin = &attention_watch_plugin, .user = &w};
    struct demo_run r = {0};
    enum shoal_status status;

    if (!o->out || !*o->out)
        return shoal_fail(err, SHOAL_E_INVALID, "give a folder for the pictures: --out DIR");
    status = demo_run_open(&r, o, &use, err);
    if (!status)
        status = run_and_draw(&r, &w, o, err);
    demo_run_close(&r);
    attention_watch_fini(&w);
    return status;
}

static const struct setting settings[] = {
    {.name = "out",
     .letter = 'o',
     .kind = SETTING_STRING,
     .offset = offsetof(struct demo_options, out),
     .value = "DIR",
     .help = "folder for the pictures, made where it is missing",
     .text_default = "none: it has to be given",
     .group = "Pictures"},
    {.name = "layer",
     .kind = SETTING_INT,
     .offset = offsetof(struct demo_options, layer),
     .high = 1 << 16,
     .value = "N",
     .help = "layer of the attention weights, from 0"},
    {.name = "head",
     .kind = SETTING_INT,
     .offset = offsetof(struct demo_options, head),
     .high = 1 << 16,
     .value = "N",
     .help = "head of the attention weights, from 0"},
};

static const struct setting_table more = {settings, sizeof settings / sizeof *settings, NULL};

const struct demo demo_visualization = {
    .name = "visualization",
    .about = "a run as pictures: token table, mask, attention, timeline, KV layouts",
    .explains = "Writes an SVG file of each and one page of HTML that holds them all and needs "
                "nothing else.",
    .defaults = {.budget = 24,
                 .chunk = 12,
                 .block_size = 8,
                 .n_blocks = 14,
                 .max_seqs = 8,
                 .n_requests = 6,
                 .max_tokens = 14,
                 .prompt_len = "6-30"},
    .more = &more,
    .examples = "shoal demo visualization --out pictures\n"
                "shoal demo visualization --out pictures --model embedded --layer 2 --head 1",
    .run = run,
};
