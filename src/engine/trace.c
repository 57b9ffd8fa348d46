#include "engine/trace.h"

#include <stdio.h>

enum { SHOWN_WAITING = 8, SHOWN_MASK_ROWS = 64 };

static const char *label(const struct trace *t, uint64_t sequence, char buffer[static 64])
{
    if (t->name)
        return t->name(t->user, sequence, buffer);
    snprintf(buffer, 64, "%llu", (unsigned long long)sequence);
    return buffer;
}

static const char *label_at(const struct trace *t, const struct step_plan *p, int32_t i,
                            struct sched_view *view, char buffer[static 64])
{
    if (!sched_at_slot(t->sched, p->group, p->slots[i], view))
        return "ended";
    return label(t, view->id, buffer);
}

static void print_batch(const struct trace *t, const struct step_plan *p)
{
    for (int32_t i = 0; i < p->n_seqs; i++) {
        const int32_t first = p->n_computed[i], last = first + p->n_scheduled[i] - 1;
        struct sched_view view = {0};
        char buffer[64];
        const char *name = label_at(t, p, i, &view, buffer);

        if (sched_view_decodes(&view))
            fprintf(stderr, "  decode   %-24s slot %-3d token %d\n", name, p->slots[i], first);
        else
            fprintf(stderr, "  prefill  %-24s slot %-3d tokens %d-%d of %d%s\n", name, p->slots[i],
                    first, last, view.n_tokens,
                    view.n_cached > 0 && first == view.n_cached ? " (the ones before were cached)"
                                                                : "");
    }
}

static void print_waiting(const struct trace *t)
{
    const int32_t n = sched_n_waiting(t->sched);
    struct sched_view view;
    int64_t cursor = 0;
    char buffer[64];

    for (int32_t i = 0; i < SHOWN_WAITING && sched_next_waiting(t->sched, &cursor, &view); i++)
        fprintf(stderr, "  waits    %-24s %s\n", label(t, view.id, buffer),
                sched_wait_name(view.wait));
    if (n > SHOWN_WAITING)
        fprintf(stderr, "  waits    ... and %d more\n", n - SHOWN_WAITING);
}

/* A row of the batch sees keys 0 .. position of its own sequence; '#' computed before, '*' in this
 * step, '.' not seen. */
static void print_mask(const struct trace *t, const struct step_plan *p)
{
    int32_t row = 0;

    fprintf(stderr, "  %5s  %-24s %8s  %8s  mask (# in the pool, * in this step)\n", "row",
            "request", "position", "token");
    for (int32_t i = 0; i < p->n_seqs; i++)
        for (int32_t k = 0; k < p->n_scheduled[i]; k++, row++) {
            const int32_t position = p->n_computed[i] + k;
            struct sched_view view = {0};
            char buffer[64];
            const char *name = label_at(t, p, i, &view, buffer);

            if (row == SHOWN_MASK_ROWS) {
                fprintf(stderr, "  ... %d rows more\n", p->n_tokens - row);
                return;
            }
            fprintf(stderr, "  %5d  %-24s %8d  %8d  ", row, name, position,
                    position < view.n_tokens ? view.tokens[position] : -1);
            const int32_t last = p->n_computed[i] + p->n_scheduled[i];
            const int32_t from = last > 64 ? last - 64 : 0; /* the end of a long one */
            if (from > 0)
                fprintf(stderr, "(%d #) ", from);
            for (int32_t key = from; key < last; key++)
                fputc(key > position ? '.' : key < p->n_computed[i] ? '#' : '*', stderr);
            fputc('\n', stderr);
        }
}

void trace_plan(const struct trace *t, const struct step_plan *p)
{
    const struct sched_group_counts counts = sched_count(t->sched, p->group);
    int32_t n_decode = 0, n_prefill = 0;

    for (int32_t i = 0; i < p->n_seqs; i++) {
        struct sched_view view;
        if (sched_at_slot(t->sched, p->group, p->slots[i], &view) && sched_view_decodes(&view))
            n_decode += p->n_scheduled[i];
        else
            n_prefill += p->n_scheduled[i];
    }
    fprintf(
        stderr,
        "step %llu, rank %d: %d of %d tokens (%d decode, %d prefill); blocks %d free, %d cached, "
        "%d held; %d run, %d wait\n",
        (unsigned long long)p->step, p->group, p->n_tokens, p->limits.max_tokens, n_decode,
        n_prefill, counts.blocks.n_free, counts.blocks.n_cached, counts.blocks.n_held,
        counts.n_running, sched_n_waiting(t->sched));
    print_batch(t, p);
    for (int32_t i = 0; i < p->n_copies; i++)
        fprintf(stderr, "  copy     block %d to %d, which is about to be written\n",
                p->copies[i].from, p->copies[i].to);
    if (p->n_fetches > 0)
        fprintf(stderr, "  fetch    %d block%s of sequences that moved here from other ranks\n",
                p->n_fetches, p->n_fetches == 1 ? "" : "s");
    print_waiting(t);
    if (t->mode == TRACE_MASK)
        print_mask(t, p);
}

void trace_result(const struct step_plan *p, const struct step_result *r, int64_t total_ns)
{
    int32_t n_tokens = 0;

    for (int32_t i = 0; i < r->n_seqs; i++)
        n_tokens += r->outcomes[i] == STEP_TOKEN;
    fprintf(stderr, "  done     step %llu, rank %d: %.3f ms (%.3f computing), %d new token%s\n",
            (unsigned long long)p->step, p->group, (double)total_ns * 1e-6,
            (double)r->compute_ns * 1e-6, n_tokens, n_tokens == 1 ? "" : "s");
}
