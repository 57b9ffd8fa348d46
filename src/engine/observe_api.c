/* include/shoal/observe.h */
#include "shoal/observe.h"

#include "engine/observe_state.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)SHOAL_MEMORY_WEIGHTS == MEMORY_WEIGHTS &&
                  (int)SHOAL_MEMORY_KV_POOL == MEMORY_KV_POOL &&
                  (int)SHOAL_MEMORY_STEP == MEMORY_STEP && (int)SHOAL_MEMORY_PLAN == MEMORY_PLAN &&
                  (int)SHOAL_MEMORY_TOKENIZER == MEMORY_TOKENIZER &&
                  (int)SHOAL_MEMORY_REQUESTS == MEMORY_REQUESTS &&
                  (int)SHOAL_MEMORY_OTHER == MEMORY_OTHER &&
                  (int)SHOAL_MEMORY_PART_COUNT == MEMORY_PART_COUNT,
              "the same parts");

const char *shoal_memory_part_name(enum shoal_memory_part part)
{
    return part >= 0 && part < SHOAL_MEMORY_PART_COUNT ? memory_part_name((enum memory_part)part)
                                                       : "unknown";
}

/* The bytes of a text become the caller's, who frees them with free as those of malloc. */
static enum shoal_status give(struct text *text, char **out, size_t *n, struct shoal_error *err)
{
    if (text->failed || !text_reserve(text, text->n)) {
        text_fini(text);
        return shoal_fail_memory(err, "a text", text->capacity);
    }
    *out = text->bytes;
    if (n)
        *n = text->n;
    return SHOAL_OK;
}

void observe_set_gauges(struct shoal_engine *e)
{
    int32_t waiting[SCHED_WAIT_COUNT] = {0};
    struct memory_snapshot s;
    struct sched_view view;
    int64_t cursor = 0;

    while (sched_next_waiting(e->sched, &cursor, &view))
        waiting[view.wait]++;
    metrics_set_waiting(e->observe->metrics, waiting, sched_n_waiting(e->sched));
    profiler_look(e->observe->profiler, "metrics", &s);
    for (int32_t i = 0; i < MEMORY_PART_COUNT; i++)
        metrics_set_memory(e->observe->metrics, 0, i, s.resident[i]);
}

void engine_observe_poll(struct shoal_engine *e)
{
    struct metrics_file *file = e->observe->file;

    if (!file)
        return;
    const int64_t now_ns = clock_ns();
    if (!metrics_file_is_due(file, now_ns))
        return;
    observe_set_gauges(e);
    metrics_file_write(file, now_ns);
}

void shoal_metrics_poll(struct shoal_engine *e)
{
    engine_observe_poll(e);
}

enum shoal_status shoal_metrics_text(struct shoal_engine *e, enum shoal_metrics_format format,
                                     char **out, size_t *n, struct shoal_error *err)
{
    struct text text = {0};

    if (!e->observe->metrics)
        return shoal_fail(err, SHOAL_E_INVALID, "only rank 0 has metrics");
    observe_set_gauges(e);
    if (format == SHOAL_METRICS_JSON)
        metrics_print_json(e->observe->metrics, &text);
    else
        metrics_print_prometheus(e->observe->metrics, &text);
    return give(&text, out, n, err);
}

void shoal_memory_now(struct shoal_engine *e, struct shoal_memory *out)
{
    const struct memory_snapshot *baseline = &e->observe->mine.baseline;
    struct memory_snapshot s;

    profiler_look(e->observe->profiler, "now", &s);
    *out = (struct shoal_memory){
        .resident = s.process.resident, .huge = s.process.huge, .heap = s.process.heap};
    for (int32_t i = 0; i < MEMORY_PART_COUNT; i++) {
        out->part_held[i] = s.held[i];
        out->part_resident[i] = s.resident[i];
        out->part_growth[i] = (int64_t)(s.resident[i] - baseline->resident[i]);
    }
}

void shoal_memory_mark(struct shoal_engine *e, const char *label)
{
    profiler_mark(e->observe->profiler, label);
}

enum shoal_status shoal_memory_timeline(struct shoal_engine *e, bool as_json, char **out,
                                        struct shoal_error *err)
{
    struct text text = {0};

    if (as_json)
        profiler_print_json(e->observe->profiler, &text);
    else
        profiler_print_csv(e->observe->profiler, &text);
    return give(&text, out, NULL, err);
}

enum shoal_status shoal_memory_text(struct shoal_engine *e, char **out, struct shoal_error *err)
{
    struct rank_memory now = e->observe->mine;
    struct text text = {0};

    profiler_look(e->observe->profiler, "now", &now.last);
    if (!profiler_peak(e->observe->profiler, &now.peak) ||
        now.last.process.resident > now.peak.process.resident)
        now.peak = now.last;
    observe_print_memory(&now, 1, &text);
    return give(&text, out, NULL, err);
}

enum shoal_status shoal_buffer_add(struct shoal_engine *e, const struct shoal_buffer *buffer,
                                   int32_t *id, struct shoal_error *err)
{
    struct buffer b = {.part = MEMORY_OTHER,
                       .n_bytes = buffer->n_bytes,
                       .size = buffer->size,
                       .user = buffer->user};

    if (!buffer->name || !buffer->owner)
        return shoal_fail(err, SHOAL_E_INVALID, "a buffer needs a name and an owner");
    strncpy(b.name, buffer->name, sizeof b.name - 1);
    strncpy(b.owner, buffer->owner, sizeof b.owner - 1);
    return buffers_add(e->observe->buffers, &b, id, err);
}

void shoal_buffer_remove(struct shoal_engine *e, int32_t id)
{
    buffers_remove(e->observe->buffers, id);
}

enum shoal_status shoal_buffers_text(struct shoal_engine *e, char **out, struct shoal_error *err)
{
    struct text text = {0};

    buffers_print(e->observe->buffers, &text);
    return give(&text, out, NULL, err);
}

void shoal_leak_begin(struct shoal_engine *e, uint64_t threshold)
{
    struct leak_measure now;

    leak_measure_now(e->observe->buffers, &now);
    leak_begin(&e->observe->leak, &now, threshold);
    e->observe->is_leak_rebased = true; /* the program's own baseline holds */
}

void shoal_leak_check(struct shoal_engine *e, struct shoal_leak *out)
{
    struct leak_measure now;
    struct text text = {0};

    leak_measure_now(e->observe->buffers, &now);
    const struct leak_verdict v = leak_check(&e->observe->leak, &now);
    *out = (struct shoal_leak){
        .leaks = v.leaks, .part = (enum shoal_memory_part)v.part, .growth = v.growth[v.part]};
    leak_print(&v, &text);
    if (!text.failed)
        strncpy(out->text, text.bytes, sizeof out->text - 1);
    text_fini(&text);
}
