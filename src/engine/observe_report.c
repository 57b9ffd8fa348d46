/* The end: what the ranks gathered, as tables, files and verdicts. */
#include "engine/observe_state.h"

#include "base/log.h"
#include "base/mem.h"
#include "observe/whole_file.h"

#include <stdio.h>
#include <stdlib.h>

static void print_row(const char *name, const char *held, uint64_t baseline, uint64_t last,
                      struct text *out)
{
    const int64_t growth = (int64_t)(last - baseline);
    char at_start[32], at_end[32], grown[33] = "+";

    format_bytes(growth < 0 ? (uint64_t)-growth : (uint64_t)growth, grown + 1);
    grown[0] = growth < 0 ? '-' : '+';
    text_printf(out, "%-12s %12s %12s %12s %12s\n", name, held, format_bytes(baseline, at_start),
                format_bytes(last, at_end), grown);
}

static void print_rank(const struct rank_memory *m, int32_t rank, struct text *out)
{
    char held[32], peak[32], huge[32], shared[32], title[32] = "Memory";

    if (rank >= 0)
        snprintf(title, sizeof title, "Rank %d", rank);
    text_printf(out, "%-12s %12s %12s %12s %12s\n", title, "held", "at start", "at end", "growth");
    for (int32_t i = 0; i < MEMORY_PART_COUNT; i++)
        print_row(memory_part_name((enum memory_part)i),
                  i == MEMORY_OTHER ? "" : format_bytes(m->last.held[i], held),
                  m->baseline.resident[i], m->last.resident[i], out);
    print_row("resident", "", m->baseline.process.resident, m->last.process.resident, out);
    text_printf(out, "peak %s (%s), huge pages %s, proportional %s\n",
                format_bytes(m->peak.process.resident, peak), m->peak.label,
                format_bytes(m->last.process.huge, huge),
                format_bytes(m->last.process.proportional, shared));
}

void observe_print_memory(const struct rank_memory ranks[], int32_t n_ranks, struct text *out)
{
    for (int32_t r = 0; r < n_ranks; r++)
        print_rank(&ranks[r], n_ranks > 1 ? r : -1, out);
}

static void print_text(struct text *text)
{
    if (text->failed)
        log_error("out of memory: a report is lost");
    else if (text->n > 0)
        fputs(text->bytes, stderr);
    text_clear(text);
}

void observe_report_buffers(struct shoal_engine *e)
{
    struct text text = {0};

    buffers_print(e->observe->buffers, &text);
    print_text(&text);
    text_fini(&text);
}

static enum shoal_status write_timeline(const struct shoal_engine *e, struct shoal_error *err)
{
    const char *path = e->options.memory_timeline;
    struct text text = {0};
    enum shoal_status status;

    if (has_suffix(path, ".json"))
        profiler_print_json(e->observe->profiler, &text);
    else
        profiler_print_csv(e->observe->profiler, &text);
    status = whole_file_write(path, "memory timeline", &text, err);
    text_fini(&text);
    return status;
}

/* The leaks of all ranks; the first is the error. */
static enum shoal_status judge(const struct rank_memory ranks[], int32_t n_ranks,
                               struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t r = 0; r < n_ranks; r++) {
        struct text text = {0};
        if (n_ranks > 1)
            text_printf(&text, "rank %d: ", r);
        if (ranks[r].has_leak_verdict)
            leak_print(&ranks[r].leak, &text);
        else
            text_add_str(&text, "no verdict on leaks: requests were still under way");
        if (ranks[r].has_leak_verdict && ranks[r].leak.leaks) {
            if (!status)
                status = shoal_fail(err, SHOAL_E_INTERNAL, "%s", text.failed ? "" : text.bytes);
            log_error("%s", text.failed ? "a memory leak" : text.bytes);
        } else if (!text.failed) {
            fprintf(stderr, "%s\n", text.bytes);
        }
        text_fini(&text);
    }
    return status;
}

/* Rank 0, with what n_ranks said. The first failure; each has been logged. */
static enum shoal_status report(struct shoal_engine *e, const struct rank_memory ranks[],
                                int32_t n_ranks)
{
    struct engine_observe *o = e->observe;
    enum shoal_status status, first;
    struct shoal_error err;
    struct text text = {0};

    for (int32_t r = 0; r < n_ranks; r++)
        for (int32_t i = 0; i < MEMORY_PART_COUNT; i++)
            metrics_set_memory(o->metrics, r, i, ranks[r].last.resident[i]);
    first = metrics_file_close(o->file, &err); /* has logged it */
    o->file = NULL;
    if (e->options.memory_timeline && (status = write_timeline(e, &err))) {
        log_error("%s", err.text);
        first = first ? first : status;
    }
    if (e->options.memory_report) {
        observe_print_memory(ranks, n_ranks, &text);
        print_text(&text);
    }
    if (e->options.leak_check) {
        status = judge(ranks, n_ranks, &err);
        first = first ? first : status;
    }
    text_fini(&text);
    return first;
}

static enum shoal_status gather_and_report(struct shoal_engine *e, bool all_ranks)
{
    const int32_t n = all_ranks ? comm_size(e->comm) : 1;
    const bool is_leader = comm_rank(e->comm) == 0;
    struct rank_memory *ranks = is_leader ? mem_new((size_t)n, sizeof *ranks) : NULL;
    struct shoal_error err;
    enum shoal_status status = SHOAL_OK;

    if (n > 1) {
        if (is_leader && !ranks)
            status = shoal_fail_memory(&err, "memory reports", (size_t)n * sizeof *ranks);
        if (!(status = comm_agree(e->comm, status, &err)))
            status = comm_gather(e->comm, &e->observe->mine, sizeof e->observe->mine, ranks, &err);
        if (status && is_leader)
            log_error("%s", err.text);
    } else if (ranks) {
        ranks[0] = e->observe->mine;
    }
    if (is_leader) {
        const enum shoal_status reported =
            ranks && !status ? report(e, ranks, n) : report(e, &e->observe->mine, 1);
        status = status ? status : reported;
    }
    mem_free(ranks);
    return status;
}

enum shoal_status engine_observe_close(struct shoal_engine *e, bool all_ranks)
{
    struct engine_observe *o = e->observe;
    enum shoal_status status = SHOAL_OK;

    if (!o)
        return SHOAL_OK;
    if (o->is_stopped)
        status = gather_and_report(e, all_ranks);
    metrics_file_close(o->file, NULL);
    metrics_destroy(o->metrics);
    profiler_destroy(o->profiler);
    buffers_destroy(o->buffers);
    mem_free(o->lanes);
    if (o->has_signal)
        metrics_signal_end();
    mem_free(o);
    e->observe = NULL;
    return status;
}
