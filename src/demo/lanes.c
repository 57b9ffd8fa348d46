#include "demo/lanes.h"

#include "base/mem.h"

#include <string.h>

enum { COLUMNS = 80 };

static size_t add_cells(const struct demo_run *r, const struct watched_step *step,
                        struct timeline_cell out[])
{
    size_t n = 0;

    for (int32_t k = 0; k < step->n_running; k++) {
        const struct watched_sequence *q = &step->running[k];
        const int32_t lane = workload_find(&r->load, q->id);
        if (lane >= 0)
            out[n++] = (struct timeline_cell){.rank = step->rank,
                                              .step = (int32_t)step->step,
                                              .lane = lane,
                                              .kind = watched_is_decode(q) ? TIMELINE_DECODE
                                                                           : TIMELINE_PREFILL,
                                              .n_tokens = q->n_scheduled};
    }
    for (int32_t k = 0; k < step->n_waiting; k++) {
        const struct watched_sequence *q = &step->waiting[k];
        const int32_t lane = workload_find(&r->load, q->id);
        if (lane >= 0 && r->load.requests[lane].rank == step->rank)
            out[n++] = (struct timeline_cell){.rank = step->rank,
                                              .step = (int32_t)step->step,
                                              .lane = lane,
                                              .kind = q->n_preempted > 0 ? TIMELINE_PREEMPTED
                                                                         : TIMELINE_WAIT};
    }
    return n;
}

bool lanes_cells(const struct demo_run *r, struct timeline_cell **cells, size_t *n)
{
    size_t most = 0;

    *n = 0;
    for (int32_t i = 0; i < r->watch.n; i++)
        most += (size_t)r->watch.steps[i].n_running + (size_t)r->watch.steps[i].n_waiting;
    *cells = mem_new(most, sizeof **cells);
    for (int32_t i = 0; *cells && i < r->watch.n; i++)
        *n += add_cells(r, &r->watch.steps[i], *cells + *n);
    return *cells != NULL;
}

static enum paint paint_of(char letter)
{
    return letter == 'd'                    ? PAINT_DECODE
           : letter == 'P' || letter == 'p' ? PAINT_PREFILL
           : letter == '!'                  ? PAINT_PREEMPTED
                                            : PAINT_DIM;
}

static char letter_of(const struct timeline_cell *c, int32_t budget)
{
    switch (c->kind) {
    case TIMELINE_DECODE:
        return 'd';
    case TIMELINE_PREFILL:
        return 2 * c->n_tokens >= budget ? 'P' : 'p';
    case TIMELINE_PREEMPTED:
        return '!';
    default:
        return '.';
    }
}

static void put_letters(struct show *s, const char *letters, int32_t n)
{
    enum paint last = PAINT_PLAIN;

    while (n > 0 && letters[n - 1] == ' ')
        n--;
    for (int32_t i = 0; i < n; i++) {
        const enum paint paint = letters[i] == ' ' ? PAINT_PLAIN : paint_of(letters[i]);
        if (paint != last) {
            if (last != PAINT_PLAIN)
                text_add_str(&s->out, paint_code(s->has_colour, PAINT_PLAIN));
            if (paint != PAINT_PLAIN)
                text_add_str(&s->out, paint_code(s->has_colour, paint));
        }
        last = paint;
        text_add(&s->out, &letters[i], 1);
    }
    if (last != PAINT_PLAIN)
        text_add_str(&s->out, paint_code(s->has_colour, PAINT_PLAIN));
    text_add_str(&s->out, "\n");
}

/* Steps first .. first + n - 1 of a rank. letters: (lanes + 1, n_steps), the last row how full. */
static void show_part(struct show *s, const struct demo_run *r, const char *letters,
                      const bool has_lane[], int32_t n_steps, int32_t first, int32_t n)
{
    text_printf(&s->out, "  %-8s  ", "step");
    for (int32_t i = first; i < first + n; i += 10)
        text_printf(&s->out, i + 10 < first + n ? "%-10d" : "%d", i);
    text_add_str(&s->out, "\n");
    for (int32_t lane = 0; lane <= r->load.n; lane++) {
        if (lane < r->load.n && !has_lane[lane])
            continue;
        text_printf(&s->out, "  %-8s  ", lane < r->load.n ? r->load.requests[lane].name : "tenths");
        put_letters(s, letters + (size_t)lane * (size_t)n_steps + first, n);
    }
}

static void fill(const struct demo_run *r, int32_t rank, const struct timeline_cell cells[],
                 size_t n_cells, int32_t budget, int32_t n_steps, char *letters, bool has_lane[])
{
    memset(letters, ' ', ((size_t)r->load.n + 1) * (size_t)n_steps);
    memset(has_lane, 0, (size_t)r->load.n * sizeof *has_lane);
    for (size_t i = 0; i < n_cells; i++) {
        const struct timeline_cell *c = &cells[i];
        if (c->rank != rank)
            continue;
        letters[(size_t)c->lane * (size_t)n_steps + (size_t)c->step] = letter_of(c, budget);
        has_lane[c->lane] = true;
    }
    for (int32_t i = 0; i < r->watch.n; i++) {
        const struct watched_step *step = &r->watch.steps[i];
        const int32_t tenths = step->budget > 0 ? 10 * step->n_tokens / step->budget : 0;
        if (step->rank == rank)
            letters[(size_t)r->load.n * (size_t)n_steps + (size_t)step->step] =
                tenths >= 10 ? '#' : (char)('0' + tenths);
    }
}

static bool show_rank(struct show *s, const struct demo_run *r, int32_t rank,
                      const struct timeline_cell cells[], size_t n_cells)
{
    int32_t n_steps = 0, budget = 1;

    for (int32_t i = 0; i < r->watch.n; i++)
        if (r->watch.steps[i].rank == rank) {
            n_steps = (int32_t)r->watch.steps[i].step + 1;
            budget = r->watch.steps[i].budget;
        }
    if (r->info.n_ranks > 1)
        text_printf(&s->out, "\n  rank %d: %d steps\n", rank, n_steps);
    char *letters = mem_new(((size_t)r->load.n + 1) * (size_t)n_steps, 1);
    bool *has_lane = mem_new((size_t)r->load.n, sizeof *has_lane);
    if (letters && has_lane && n_steps > 0) {
        fill(r, rank, cells, n_cells, budget, n_steps, letters, has_lane);
        for (int32_t first = 0; first < n_steps; first += COLUMNS)
            show_part(s, r, letters, has_lane, n_steps, first,
                      n_steps - first < COLUMNS ? n_steps - first : COLUMNS);
    }
    mem_free(letters);
    mem_free(has_lane);
    return letters && has_lane;
}

bool lanes_show(struct show *s, const struct demo_run *r)
{
    struct timeline_cell *cells;
    size_t n;
    bool is_good = lanes_cells(r, &cells, &n);

    text_printf(&s->out,
                "  legend: P prefill, at least half of the budget  p prefill, less  d decode  "
                ". waits  ! preempted, waits again\n"
                "  tenths: how full the step was, # = the whole budget\n");
    for (int32_t rank = 0; is_good && rank < r->info.n_ranks; rank++)
        is_good = show_rank(s, r, rank, cells, n);
    mem_free(cells);
    return is_good;
}
