/* Opening, buffers, and the end; what is fed while the engine runs is in observe_feed.c. */
#include "engine/observe_state.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/worker.h"
#include "observe/whole_file.h"
#include "shoal/observe.h"

#include <stdio.h>
#include <string.h>

enum { SNAPSHOTS = 64, SNAPSHOTS_OF_TIMELINE = 4096 };
static const int64_t sample_every_ns = 100 * 1000000LL;
/* Message pools and buffers that grow to the size of the load stay below this. */
static const uint64_t leak_threshold = 1 << 20;

static enum shoal_status check_timeline(const char *path, struct shoal_error *err)
{
    if (has_suffix(path, ".csv") || has_suffix(path, ".json"))
        return SHOAL_OK;
    return shoal_fail(err, SHOAL_E_INVALID,
                      "--memory-timeline %.200s: the name has to end in .csv or .json, which says "
                      "what is written",
                      path);
}

enum shoal_status engine_observe_check(const struct shoal_options *o, struct shoal_error *err)
{
    enum shoal_status status;

    if (o->memory_timeline && (status = check_timeline(o->memory_timeline, err)))
        return status;
    if (o->metrics_file)
        return metrics_file_check(o->metrics_file, err);
    if (o->metrics_interval > 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "--metrics-interval %g is about --metrics-file, and there is none",
                          o->metrics_interval);
    return SHOAL_OK;
}

enum shoal_status engine_observe_open(struct shoal_engine *e, struct shoal_error *err)
{
    const char *timeline = e->options.memory_timeline;
    struct engine_observe *o = mem_new(1, sizeof *o);
    enum shoal_status status;

    if (!o)
        return shoal_fail_memory(err, "observers", sizeof *o);
    e->observe = o;
    if ((status = buffers_create(&o->buffers, err)) ||
        (status = profiler_create(&o->profiler, o->buffers,
                                  timeline ? SNAPSHOTS_OF_TIMELINE : SNAPSHOTS, err)))
        return status;
    if (timeline && comm_rank(e->comm) == 0 &&
        ((status = whole_file_check(timeline, "memory timeline", err)) ||
         (status = profiler_start_sampling(o->profiler, sample_every_ns, err))))
        return status;
    if (e->options.metrics_file) {
        metrics_signal_begin();
        o->has_signal = true;
    }
    engine_observe_skip(e, "start");
    return SHOAL_OK;
}

static void add_buffer(struct shoal_engine *e, const struct buffer *buffer)
{
    struct shoal_error err;
    int32_t id;

    if (buffer->n_bytes > 0 && buffers_add(e->observe->buffers, buffer, &id, &err))
        log_warn("%s: %s is not in the list of buffers", err.text, buffer->name);
}

static struct buffer name_buffer(const char *name, const char *owner, enum memory_part part)
{
    struct buffer b = {.part = part};

    snprintf(b.name, sizeof b.name, "%s", name);
    snprintf(b.owner, sizeof b.owner, "%s", owner);
    return b;
}

void engine_observe_skip(struct shoal_engine *e, const char *label)
{
    profiler_mark(e->observe->profiler, label);
    e->observe->taken = memory_heap() + mem_mapped();
}

void engine_observe_take(struct shoal_engine *e, const char *name, const char *owner,
                         enum memory_part part)
{
    struct buffer b = name_buffer(name, owner, part);
    const uint64_t now = memory_heap() + mem_mapped();

    b.n_bytes = now > e->observe->taken ? now - e->observe->taken : 0;
    add_buffer(e, &b);
    e->observe->taken = memory_heap() + mem_mapped();
}

void engine_observe_worker(struct shoal_engine *e)
{
    const uint64_t before = e->observe->taken, now = memory_heap() + mem_mapped();
    const uint64_t all = now > before ? now - before : 0;
    const struct kv_store *kv = worker_kv(e->worker);
    struct buffer pool = name_buffer("KV pool", "kv", MEMORY_KV_POOL);
    struct buffer run = name_buffer("activations and logits", "model", MEMORY_STEP);
    struct buffer rest = name_buffer("slots, batch, results", "worker", MEMORY_STEP);
    struct buffer weights = name_buffer("weights image", "model", MEMORY_WEIGHTS);
    size_t n_run;

    pool.address = kv->bytes;
    pool.n_bytes = kv->n_bytes;
    run.address = worker_step_memory(e->worker, &n_run);
    run.n_bytes = n_run;
    rest.n_bytes = all > kv->n_bytes + n_run ? all - kv->n_bytes - n_run : 0;
    weights.address = e->image.bytes;
    weights.n_bytes = e->image.n;
    add_buffer(e, &weights);
    add_buffer(e, &pool);
    add_buffer(e, &run);
    add_buffer(e, &rest);
    engine_observe_skip(e, "worker");
}

static uint64_t requests_bytes(void *user)
{
    const struct requests *r = user;
    uint64_t n = r->n_buckets * sizeof *r->buckets;

    for (size_t i = 0; i < r->n_buckets; i++)
        for (const struct request *q = r->buckets[i]; q; q = q->next)
            n += sizeof *q + (uint64_t)q->n_prompt * sizeof *q->prompt +
                 (uint64_t)q->n_choices * sizeof *q->choices;
    return n;
}

static uint64_t events_bytes(void *user)
{
    const struct events *v = user;

    return v->capacity * sizeof *v->queue + v->text.capacity +
           v->max_logprobs * sizeof *v->logprobs;
}

static enum shoal_status begin_metrics(struct shoal_engine *e, struct shoal_error *err)
{
    static const char *const reasons[SCHED_WAIT_COUNT] = {
        [SCHED_WAIT_NEW] = "new",
        [SCHED_WAIT_QUEUE] = "queue",
        [SCHED_WAIT_BUDGET] = "budget",
        [SCHED_WAIT_SEQS] = "max_num_seqs",
        [SCHED_WAIT_BLOCKS] = "kv_blocks",
        [SCHED_WAIT_PREEMPTED] = "preemption",
        [SCHED_WAIT_CHOICE] = "first_choice",
        [SCHED_WAIT_PLAN] = "plan",
    };
    const struct shoal_options *o = &e->options;
    const bool is_paged = strcmp(o->kv_layout, "paged") == 0;
    const struct metrics_options options = {
        .model = e->model->name,
        .n_ranks = e->n_groups,
        .max_model_len = e->limits.max_model_len,
        .block_size = e->limits.block_size,
        .n_blocks = e->limits.n_blocks,
        .cache_dtype = o->kv_cache_dtype,
        .layout = o->kv_layout,
        .prefix_caching = o->enable_prefix_caching && is_paged,
        .wait_reasons = reasons,
        .n_wait_reasons = SCHED_WAIT_COUNT,
        .memory_parts = memory_part_names(),
        .n_memory_parts = MEMORY_PART_COUNT,
    };
    struct engine_observe *observe = e->observe;
    enum shoal_status status = metrics_create(&observe->metrics, &options, err);

    if (status)
        return status;
    observe->lanes = mem_new((size_t)e->n_groups, sizeof *observe->lanes);
    if (!observe->lanes)
        return shoal_fail_memory(err, "observers", (size_t)e->n_groups * sizeof *observe->lanes);
    if (!o->metrics_file)
        return SHOAL_OK;
    return metrics_file_open(&observe->file, o->metrics_file, o->metrics_interval, observe->metrics,
                             clock_ns(), err);
}

enum shoal_status engine_observe_begin(struct shoal_engine *e, struct shoal_error *err)
{
    struct buffer requests = name_buffer("requests", "engine", MEMORY_REQUESTS);
    struct buffer events = name_buffer("events", "engine", MEMORY_REQUESTS);

    if (comm_rank(e->comm) != 0)
        return SHOAL_OK;
    requests.size = requests_bytes;
    requests.user = &e->requests;
    requests.n_bytes = 1;
    events.size = events_bytes;
    events.user = &e->events;
    events.n_bytes = 1;
    add_buffer(e, &requests);
    add_buffer(e, &events);
    const enum shoal_status status = begin_metrics(e, err);
    engine_observe_take(e, "metrics", "observe", MEMORY_OTHER);
    return status;
}

void engine_observe_ready(struct shoal_engine *e)
{
    struct engine_observe *o = e->observe;

    if (comm_rank(e->comm) == 0)
        engine_observe_take(e, "plans, results, messages", "engine", MEMORY_PLAN);
    engine_observe_skip(e, "ready");
    profiler_look(o->profiler, "ready", &o->mine.baseline);
    shoal_leak_begin(e, leak_threshold);
    o->is_leak_rebased = false;
    o->is_ready = true;
}

/* Nothing is under way, so that what is held is held for good. */
static bool is_quiet(const struct shoal_engine *e)
{
    return !e->sched || (e->requests.n == 0 && !events_wait(&e->events));
}

void engine_observe_submit(struct shoal_engine *e)
{
    struct engine_observe *o = e->observe;
    struct leak_measure now;

    if (!e->options.leak_check || !is_quiet(e) || e->counts.n_finished == 0)
        return;
    leak_measure_now(o->buffers, &now);
    if (o->is_leak_rebased) {
        leak_check(&o->leak, &now);
        return;
    }
    leak_begin(&o->leak, &now, o->leak.threshold);
    o->is_leak_rebased = true;
}

void engine_observe_stop(struct shoal_engine *e)
{
    struct engine_observe *o = e->observe;
    struct leak_measure now;

    if (!o || !o->is_ready)
        return;
    o->is_stopped = true;
    profiler_stop_sampling(o->profiler);
    profiler_mark(o->profiler, "end");
    profiler_look(o->profiler, "end", &o->mine.last);
    profiler_peak(o->profiler, &o->mine.peak);
    if (o->metrics)
        observe_set_gauges(e);
    if (e->options.buffer_report && comm_rank(e->comm) == 0)
        observe_report_buffers(e);
    if (!e->options.leak_check || !is_quiet(e))
        return;
    leak_measure_now(o->buffers, &now);
    o->mine.leak = leak_check(&o->leak, &now);
    o->mine.has_leak_verdict = true;
}
