#include "study/plan.h"

#include "base/mem.h"
#include "base/status.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct study_point, name)

/* Values that an experiment tries: the quick ones, then all. Each ends with 0. */
struct ladder {
    int32_t quick[6], full[10];
};

static const struct ladder requests = {{1, 4, 16, 64}, {1, 2, 4, 8, 16, 32, 64}};
static const struct ladder queue = {{1, 16, 64, 256}, {1, 4, 16, 64, 256, 1024}};
static const struct ladder layout_requests = {{8, 32}, {4, 8, 16, 32, 64}};
static const struct ladder contexts = {{64, 256, 1024}, {64, 128, 256, 512, 1024, 2048, 4096}};
static const struct ladder prompts = {{32, 128, 448}, {16, 32, 64, 128, 256, 448, 960, 1984, 3968}};
static const struct ladder budgets = {{32, 128, 512}, {16, 32, 64, 128, 256, 512}};
static const struct ladder chunks = {{16, 64, 192}, {16, 32, 64, 96, 192}};
static const struct ladder blocks = {{8, 32, 128}, {8, 16, 32, 64, 128}};
static const int32_t strong_batches[] = {1, 8, 32};
enum { N_STRONG = sizeof strong_batches / sizeof *strong_batches, WEAK_BATCH = 8 };

static enum shoal_status add(struct study_plan *plan, const struct study_point *p,
                             struct shoal_error *err)
{
    if (plan->n == plan->capacity) {
        const int32_t capacity = plan->capacity ? 2 * plan->capacity : 64;
        struct study_point *points = mem_resize(plan->points, (size_t)capacity, sizeof *points);
        if (!points)
            return shoal_fail_memory(err, "the plan", (size_t)capacity * sizeof *points);
        plan->points = points;
        plan->capacity = capacity;
    }
    plan->points[plan->n++] = *p;
    return SHOAL_OK;
}

/* Leaves the point out when it has more workers than cores and that is not wanted. */
static enum shoal_status add_workers(struct study_plan *plan, struct study_point p,
                                     struct shoal_error *err)
{
    p.is_oversubscribed = (int64_t)p.ranks * p.threads > plan->settings.n_cores;
    if (p.is_oversubscribed && !plan->settings.oversubscribe) {
        plan->n_left_out++;
        return SHOAL_OK;
    }
    return add(plan, &p, err);
}

/* A copy of the point for each value of the ladder, which goes into x and into the field (int32_t)
 * at this offset; values that would make requests longer than the model takes are left out. */
static enum shoal_status add_ladder(struct study_plan *plan, const struct ladder *ladder,
                                    const struct study_point *base, size_t field,
                                    struct shoal_error *err)
{
    const int32_t *values = plan->settings.is_quick ? ladder->quick : ladder->full;
    enum shoal_status status = SHOAL_OK;

    for (; *values && !status; values++) {
        struct study_point p = *base;
        p.x = *values;
        memcpy((char *)&p + field, values, sizeof *values);
        if (p.task == STUDY_ATTENTION || p.prompt + p.output <= plan->settings.n_ctx)
            status = add(plan, &p, err);
    }
    return status;
}

static void name_series(struct study_point *p, const char *format, int32_t n)
{
    snprintf(p->series, sizeof p->series, format, n);
}

/* One rank with all the threads that there are cores for. */
static struct study_point base_point(const struct study_plan *plan, const char *experiment)
{
    const struct plan_settings *s = &plan->settings;
    int32_t threads = 1;

    for (int32_t i = 0; i < s->n_threads; i++)
        if (s->threads[i] <= s->n_cores)
            threads = s->threads[i];
    return (struct study_point){.experiment = experiment,
                                .task = STUDY_BATCH,
                                .ranks = 1,
                                .threads = threads,
                                .prompt = 64,
                                .output = 32};
}

static enum shoal_status add_scheduler(struct study_plan *plan, struct shoal_error *err)
{
    struct study_point p = base_point(plan, "scheduler");

    p.model = "tiny";
    p.threads = 1;
    p.prompt = 16;
    p.output = 8;
    name_series(&p, "64 running at most", 0);
    return add_ladder(plan, &queue, &p, FIELD(batch), err);
}

static enum shoal_status add_layout(struct study_plan *plan, struct shoal_error *err)
{
    static const char *const layouts[] = {"paged", "dense"};
    enum shoal_status status = SHOAL_OK;

    for (int i = 0; i < 2 && !status; i++) {
        struct study_point p = base_point(plan, "layout");
        p.layout = layouts[i];
        p.prompt = p.output = 32;
        p.reserve = 224;
        p.block_size = 16;
        p.kv_blocks = 64;
        snprintf(p.series, sizeof p.series, "%s", layouts[i]);
        status = add_ladder(plan, &layout_requests, &p, FIELD(batch), err);
    }
    return status;
}

static enum shoal_status add_attention(struct study_plan *plan, struct shoal_error *err)
{
    static const char *const paths[] = {"dense", "paged", "ragged"};
    enum shoal_status status = SHOAL_OK;

    for (int i = 0; i < 3 && !status; i++) {
        struct study_point p = {
            .experiment = "attention", .task = STUDY_ATTENTION, .ranks = 1, .threads = 1};
        p.path = paths[i];
        snprintf(p.series, sizeof p.series, "%s", paths[i]);
        status = add_ladder(plan, &contexts, &p, FIELD(context), err);
    }
    return status;
}

static enum shoal_status add_load(struct study_plan *plan, struct shoal_error *err)
{
    struct study_point p = base_point(plan, "concurrency");
    enum shoal_status status;

    name_series(&p, "requests at once", 0);
    if ((status = add_ladder(plan, &requests, &p, FIELD(batch), err)))
        return status;
    p = base_point(plan, "prompt");
    p.batch = 4;
    p.output = 16;
    name_series(&p, "4 requests", 0);
    return add_ladder(plan, &prompts, &p, FIELD(prompt), err);
}

static enum shoal_status add_settings(struct study_plan *plan, struct shoal_error *err)
{
    struct study_point p = base_point(plan, "budget");
    enum shoal_status status;

    p.batch = 16;
    p.prompt = 192;
    name_series(&p, "16 requests", 0);
    if ((status = add_ladder(plan, &budgets, &p, FIELD(budget), err)))
        return status;
    p.experiment = "chunk";
    p.budget = 256;
    if ((status = add_ladder(plan, &chunks, &p, FIELD(chunk), err)))
        return status;
    p = base_point(plan, "block");
    p.batch = 16;
    p.prompt = 40;
    p.output = 24;
    name_series(&p, "16 requests", 0);
    return add_ladder(plan, &blocks, &p, FIELD(block_size), err);
}

/* The number that is tried after n: 1, 2, 4, ... and the most; 0: none. */
static int32_t next_power(int32_t n, int32_t most)
{
    return n >= most ? 0 : 2 * n < most ? 2 * n : most;
}

static enum shoal_status add_threads(struct study_plan *plan, struct shoal_error *err)
{
    const struct plan_settings *s = &plan->settings;
    enum shoal_status status = SHOAL_OK;

    for (int32_t r = 1; r && !status; r = next_power(r, s->max_ranks))
        for (int32_t i = 0; i < s->n_threads && !status; i++) {
            struct study_point p = base_point(plan, "threads");
            p.batch = 16;
            p.ranks = r;
            p.threads = s->threads[i];
            p.x = s->threads[i];
            name_series(&p, r == 1 ? "%d rank" : "%d ranks", r);
            status = add_workers(plan, p, err);
        }
    return status;
}

/* One worker, then more of them: as threads of one rank, and as ranks of one thread. */
static enum shoal_status add_ways(struct study_plan *plan, struct study_point p, bool is_weak,
                                  struct shoal_error *err)
{
    const struct plan_settings *s = &plan->settings;
    const int32_t batch = p.batch;
    enum shoal_status status;

    p.x = p.ranks = p.threads = 1;
    status = add_workers(plan, p, err);
    for (int32_t i = 0; i < s->n_threads && !status; i++) {
        if (s->threads[i] == 1)
            continue;
        p.x = p.threads = s->threads[i];
        p.batch = is_weak ? batch * p.threads : batch;
        status = add_workers(plan, p, err);
    }
    p.threads = 1;
    for (int32_t r = next_power(1, s->max_ranks); r && !status; r = next_power(r, s->max_ranks)) {
        p.x = p.ranks = r;
        p.batch = is_weak ? batch * r : batch;
        status = add_workers(plan, p, err);
    }
    return status;
}

static enum shoal_status add_scaling(struct study_plan *plan, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;
    struct study_point p;

    for (int i = 0; i < N_STRONG && !status; i++) {
        p = base_point(plan, "strong");
        p.batch = strong_batches[i];
        p.output = 64;
        name_series(&p, "batch %d", p.batch);
        status = add_ways(plan, p, false, err);
    }
    if (status)
        return status;
    p = base_point(plan, "weak");
    p.batch = WEAK_BATCH;
    p.output = 64;
    name_series(&p, "%d requests a worker", WEAK_BATCH);
    return add_ways(plan, p, true, err);
}

static void choose_workers(struct plan_settings *s)
{
    if (s->max_ranks == 0)
        s->max_ranks = s->oversubscribe ? 2 * s->n_cores : s->n_cores;
    if (s->max_ranks > STUDY_MAX_RANKS)
        s->max_ranks = STUDY_MAX_RANKS;
    if (s->n_threads > 0)
        return;
    for (int32_t t = 1; t && s->n_threads < STUDY_MAX_LIST; t = next_power(t, s->n_cores))
        s->threads[s->n_threads++] = t;
}

enum shoal_status study_plan_create(struct study_plan *plan, const struct plan_settings *settings,
                                    struct shoal_error *err)
{
    const double quick_seconds = 0.15, full_seconds = 1;
    enum shoal_status status;

    *plan = (struct study_plan){.settings = *settings,
                                .min_seconds = settings->is_quick ? quick_seconds : full_seconds};
    choose_workers(&plan->settings);
    if ((status = add_scheduler(plan, err)) || (status = add_layout(plan, err)) ||
        (status = add_attention(plan, err)) || (status = add_load(plan, err)) ||
        (status = add_settings(plan, err)) || (status = add_threads(plan, err)) ||
        (status = add_scaling(plan, err)))
        study_plan_destroy(plan);
    return status;
}

double study_plan_seconds(const struct study_plan *plan, const struct study_point *p)
{
    /* What a core of today does: bytes of weights read, and used, in a second. */
    const double read_rate = 1e10, use_rate = 5e10, load_rate = 5e8;
    const double start = p->ranks > 1 ? 1.0 : 0.1, tiny_bytes = 1e5;
    const double bytes = p->model ? tiny_bytes : (double)plan->settings.model_bytes;

    if (p->task == STUDY_ATTENTION)
        return start + plan->min_seconds;
    const double in_use = p->batch * bytes / use_rate;
    const double step = in_use > bytes / read_rate ? in_use : bytes / read_rate;
    const double batch = p->prompt * in_use + p->output * step;
    return start + bytes / load_rate + batch +
           (batch > plan->min_seconds ? batch : plan->min_seconds);
}

void study_plan_destroy(struct study_plan *plan)
{
    mem_free(plan->points);
    *plan = (struct study_plan){0};
}
