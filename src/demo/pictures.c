#include "demo/pictures.h"

#include "base/mem.h"
#include "base/status.h"
#include "demo/batch_of.h"
#include "demo/lanes.h"
#include "draw/heatmap.h"
#include "draw/kv_layout.h"
#include "draw/step_bars.h"
#include "draw/timeline.h"
#include "draw/token_table.h"

#include <stdio.h>

enum { MAX_ROWS = 40, MAX_KEYS = 240 };

static const char **names_of(const struct demo_run *r)
{
    const char **names = mem_new((size_t)r->load.n, sizeof *names);

    for (int32_t i = 0; names && i < r->load.n; i++)
        names[i] = r->load.requests[i].name;
    return names;
}

static enum shoal_status check(const struct text *out, const char *what, struct shoal_error *err)
{
    return out->failed ? shoal_fail_memory(err, what, out->n) : SHOAL_OK;
}

static enum shoal_status draw_batch(const struct demo_run *r, const struct shoal_teach_batch *b,
                                    const char *title, struct text *out, struct shoal_error *err)
{
    struct token_table_row *rows = mem_new((size_t)b->n_rows, sizeof *rows);
    struct token_table_key *keys = mem_new((size_t)b->n_keys, sizeof *keys);
    const char **names = names_of(r);

    for (int32_t i = 0; rows && i < b->n_rows; i++)
        rows[i] = (struct token_table_row){.request = (int32_t)b->rows[i].request,
                                           .position = b->rows[i].position,
                                           .token = b->rows[i].token};
    for (int32_t k = 0; keys && k < b->n_keys; k++)
        keys[k] = (struct token_table_key){.request = (int32_t)b->keys[k].request,
                                           .position = b->keys[k].position,
                                           .is_cached = b->keys[k].row < 0};
    out->failed |= !rows || !keys || !names;
    if (!out->failed)
        token_table_draw(&(struct token_table){.title = title,
                                               .request_names = names,
                                               .rows = rows,
                                               .keys = keys,
                                               .mask = b->mask,
                                               .n_rows = b->n_rows,
                                               .n_keys = b->n_keys},
                         out);
    mem_free(rows);
    mem_free(keys);
    mem_free(names);
    return check(out, "the token table", err);
}

enum shoal_status picture_token_table(const struct demo_run *r, struct text *out,
                                      struct shoal_error *err)
{
    const int32_t chosen = batch_choose(&r->watch, MAX_ROWS, MAX_KEYS);
    struct shoal_teach_batch *b = NULL;
    char title[96];

    if (chosen < 0)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "no step is as small as the %d tokens over %d keys that a picture can "
                          "show: give a smaller --max-num-batched-tokens",
                          MAX_ROWS, MAX_KEYS);
    enum shoal_status status = batch_of_step(&b, r, &r->watch.steps[chosen], err);
    if (status)
        return status;
    snprintf(title, sizeof title, "The batch of step %d: token table and ragged mask",
             (int)r->watch.steps[chosen].step);
    status = draw_batch(r, b, title, out, err);
    shoal_teach_batch_destroy(b);
    return status;
}

enum shoal_status picture_attention(const struct demo_run *r, const struct attention_watch *w,
                                    struct text *out, struct shoal_error *err)
{
    char title[96];

    snprintf(title, sizeof title, "Attention of %s: layer %d, head %d",
             demo_run_name(r, w->request), w->layer, w->head);
    heatmap_draw(&(struct heatmap){.title = title,
                                   .row_name = "query",
                                   .column_name = "key",
                                   .n_rows = w->n,
                                   .n_columns = w->n,
                                   .cells = w->weights,
                                   .per_cell = 1},
                 out);
    return check(out, "the heat map", err);
}

enum shoal_status picture_timeline(const struct demo_run *r, struct text *out,
                                   struct shoal_error *err)
{
    const char **names = names_of(r);
    struct timeline_cell *cells = NULL;
    size_t n = 0;

    out->failed |= !names || !lanes_cells(r, &cells, &n);
    if (!out->failed)
        timeline_draw(&(struct timeline){.lane_names = names,
                                         .n_lanes = r->load.n,
                                         .n_ranks = r->info.n_ranks,
                                         .budget = r->watch.n > 0 ? r->watch.steps[0].budget : 1,
                                         .cells = cells,
                                         .n_cells = n},
                      out);
    mem_free(names);
    mem_free(cells);
    return check(out, "the timeline", err);
}

enum shoal_status picture_step_tokens(const struct demo_run *r, struct text *out,
                                      struct shoal_error *err)
{
    struct step_bar *bars = mem_new((size_t)r->watch.n, sizeof *bars);

    for (int32_t i = 0; bars && i < r->watch.n; i++) {
        const struct watched_step *step = &r->watch.steps[i];
        bars[i] = (struct step_bar){.n_decode = step->n_decode,
                                    .n_prefill = step->n_tokens - step->n_decode,
                                    .budget = step->budget};
    }
    out->failed |= !bars;
    if (bars)
        step_bars_draw(&(struct step_bars){.title = "Tokens of each step against the budget",
                                           .bars = bars,
                                           .n_steps = r->watch.n},
                       out);
    mem_free(bars);
    return check(out, "the bars", err);
}

static int64_t n_in_cache(const struct watched_step *step)
{
    int64_t n = 0;

    for (int32_t i = 0; i < step->n_running; i++)
        n += step->running[i].n_computed + step->running[i].n_scheduled;
    return n;
}

/* The step after which the cache holds most tokens. */
static const struct watched_step *fullest(const struct watch *w)
{
    const struct watched_step *best = &w->steps[0];

    for (int32_t i = 1; i < w->n; i++)
        if (n_in_cache(&w->steps[i]) > n_in_cache(best))
            best = &w->steps[i];
    return best;
}

enum shoal_status picture_kv_layout(const struct demo_run *r, const char *layout, struct text *out,
                                    struct shoal_error *err)
{
    const struct watched_step *step = fullest(&r->watch);
    struct kv_layout_request *requests = mem_new((size_t)step->n_running, sizeof *requests);
    char title[96];

    for (int32_t i = 0; requests && i < step->n_running; i++) {
        const struct watched_sequence *q = &step->running[i];
        requests[i] = (struct kv_layout_request){.name = demo_run_name(r, q->id),
                                                 .n_tokens = q->n_computed + q->n_scheduled,
                                                 .n_most = q->n_prompt + q->max_tokens,
                                                 .block_table = q->block_table,
                                                 .n_blocks = q->n_blocks};
    }
    snprintf(title, sizeof title, "KV cache after step %d: %d requests in %d blocks",
             (int)step->step, step->n_running, r->info.n_kv_blocks);
    out->failed |= !requests;
    if (requests)
        kv_layout_draw(&(struct kv_layout_picture){.title = title,
                                                   .layout = layout,
                                                   .requests = requests,
                                                   .n_requests = step->n_running,
                                                   .block_size = r->info.block_size,
                                                   .n_pool_blocks = r->info.n_kv_blocks},
                       out);
    mem_free(requests);
    return check(out, "the picture of the KV cache", err);
}
