#include "observe/profiler.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char sample_label[] = "sample";

struct profiler {
    const struct buffers *buffers;
    int64_t start_ns;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t stop;
    struct memory_snapshot *snapshots; /* (n) in the order of time */
    int32_t n, capacity;
    struct memory_snapshot peak;
    bool has_peak, is_sampling;
    int64_t every_ns;
    pthread_t thread;
};

enum shoal_status profiler_create(struct profiler **out, const struct buffers *buffers,
                                  int32_t capacity, struct shoal_error *err)
{
    struct profiler *p = mem_new(1, sizeof *p);
    pthread_condattr_t attributes;

    *out = NULL;
    if (!p)
        return shoal_fail_memory(err, "the memory profiler", sizeof *p);
    *p = (struct profiler){
        .buffers = buffers, .start_ns = clock_ns(), .capacity = capacity < 8 ? 8 : capacity};
    p->snapshots = mem_new((size_t)p->capacity, sizeof *p->snapshots);
    if (!p->snapshots) {
        mem_free(p);
        return shoal_fail_memory(err, "the memory profiler",
                                 (size_t)capacity * sizeof *p->snapshots);
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = p;
    return SHOAL_OK;
}

void profiler_destroy(struct profiler *p)
{
    if (!p)
        return;
    profiler_stop_sampling(p);
    pthread_cond_destroy(&p->stop);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->snapshots);
    mem_free(p);
}

/* What of the process no buffer accounts for. The weights may be another process's pages that are
 * not counted as this one's: never less than nothing. */
static uint64_t other_of(uint64_t all, const uint64_t parts[MEMORY_PART_COUNT])
{
    uint64_t known = 0;

    for (int32_t i = 0; i < MEMORY_OTHER; i++)
        known += parts[i];
    return all > known ? all - known : 0;
}

static void look(const struct profiler *p, const char *label, bool asks,
                 struct memory_snapshot *out)
{
    struct buffer_sums sums;

    *out = (struct memory_snapshot){.ns = clock_ns() - p->start_ns};
    snprintf(out->label, sizeof out->label, "%s", label);
    if (asks)
        buffers_sum(p->buffers, &sums);
    else
        buffers_sum_fixed(p->buffers, &sums);
    memory_read(&out->process);
    memcpy(out->held, sums.held, sizeof out->held);
    memcpy(out->resident, sums.resident, sizeof out->resident);
    out->resident[MEMORY_OTHER] = other_of(out->process.resident, sums.resident);
}

void profiler_look(const struct profiler *p, const char *label, struct memory_snapshot *out)
{
    look(p, label, true, out);
}

static bool is_sample(const struct memory_snapshot *s)
{
    return strcmp(s->label, sample_label) == 0;
}

/* Drop every second sample; where there are too few of them, every second snapshot but the first.
 */
static void thin_out(struct profiler *p)
{
    int32_t n_samples = 0, n_kept = 0, n_seen = 0;

    for (int32_t i = 0; i < p->n; i++)
        n_samples += is_sample(&p->snapshots[i]);
    const bool drops_all = n_samples < 2;
    for (int32_t i = 0; i < p->n; i++) {
        const bool may_go = drops_all || is_sample(&p->snapshots[i]);
        if (may_go && n_seen++ % 2 == 1)
            continue;
        p->snapshots[n_kept++] = p->snapshots[i];
    }
    p->n = n_kept;
    p->every_ns *= 2;
}

static void keep(struct profiler *p, const struct memory_snapshot *s)
{
    pthread_mutex_lock(&p->lock);
    if (p->n == p->capacity)
        thin_out(p);
    p->snapshots[p->n++] = *s;
    if (!p->has_peak || s->process.resident > p->peak.process.resident)
        p->peak = *s;
    p->has_peak = true;
    pthread_mutex_unlock(&p->lock);
}

void profiler_mark(struct profiler *p, const char *label)
{
    struct memory_snapshot s;

    look(p, label, true, &s);
    keep(p, &s);
}

/* False when sampling has been stopped meanwhile. */
static bool wait_for_next(struct profiler *p)
{
    struct timespec until;
    bool goes_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    pthread_mutex_lock(&p->lock);
    const int64_t ns = until.tv_nsec + p->every_ns;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (p->is_sampling && pthread_cond_timedwait(&p->stop, &p->lock, &until) == 0)
        ;
    goes_on = p->is_sampling;
    pthread_mutex_unlock(&p->lock);
    return goes_on;
}

static void *sample(void *user)
{
    struct profiler *p = user;

    while (wait_for_next(p)) {
        struct memory_snapshot s;
        look(p, sample_label, false, &s);
        keep(p, &s);
    }
    return NULL;
}

enum shoal_status profiler_start_sampling(struct profiler *p, int64_t every_ns,
                                          struct shoal_error *err)
{
    profiler_stop_sampling(p);
    p->every_ns = every_ns > 1000000 ? every_ns : 1000000;
    p->is_sampling = true;
    if (pthread_create(&p->thread, NULL, sample, p) == 0)
        return SHOAL_OK;
    p->is_sampling = false;
    return shoal_fail(err, SHOAL_E_NO_MEMORY, "cannot start the thread that samples memory");
}

void profiler_stop_sampling(struct profiler *p)
{
    pthread_mutex_lock(&p->lock);
    const bool was_sampling = p->is_sampling;
    p->is_sampling = false;
    pthread_cond_broadcast(&p->stop);
    pthread_mutex_unlock(&p->lock);
    if (was_sampling)
        pthread_join(p->thread, NULL);
}

/* Readers change nothing but the lock. */
static void hold(const struct profiler *p)
{
    pthread_mutex_lock(&((struct profiler *)(uintptr_t)p)->lock);
}

static void release(const struct profiler *p)
{
    pthread_mutex_unlock(&((struct profiler *)(uintptr_t)p)->lock);
}

int32_t profiler_count(const struct profiler *p)
{
    hold(p);
    const int32_t n = p->n;
    release(p);
    return n;
}

bool profiler_get(const struct profiler *p, int32_t i, struct memory_snapshot *out)
{
    hold(p);
    const bool is_there = i >= 0 && i < p->n;
    if (is_there)
        *out = p->snapshots[i];
    release(p);
    return is_there;
}

bool profiler_peak(const struct profiler *p, struct memory_snapshot *out)
{
    hold(p);
    const bool is_there = p->has_peak;
    if (is_there)
        *out = p->peak;
    release(p);
    return is_there;
}

int64_t profiler_growth(const struct profiler *p)
{
    int64_t growth = 0;

    hold(p);
    if (p->n > 0)
        growth = (int64_t)p->snapshots[p->n - 1].process.resident -
                 (int64_t)p->snapshots[0].process.resident;
    release(p);
    return growth;
}
