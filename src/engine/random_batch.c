#include "engine/random_batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"

/* A batch under way. */
struct running {
    struct shoal_engine *engine;
    const struct random_batch *shape;
    struct random_batch_watch watch;
    int32_t *ids;     /* (n_requests * n_prompt) */
    int64_t *last_ns; /* (n_requests) of its last token; 0: none yet */
    int64_t start_ns, first_ns, end_ns;
    int64_t n_tokens, n_tokens_first; /* in all; until each request had its first */
    int32_t n_first, n_ended;
};

/* Real texts hold few of the rarest ids, and few of the first, which are marks and bytes. */
static void random_ids(const struct shoal_engine *engine, struct rng *rng, int32_t ids[], size_t n)
{
    struct shoal_info info;

    shoal_engine_info(engine, &info);
    const int32_t high = info.n_vocab < 40000 ? info.n_vocab : 40000;
    const int32_t low = high > 200 ? 100 : 0;
    for (size_t i = 0; i < n; i++)
        ids[i] = low + (int32_t)rng_below(rng, (uint32_t)(high - low));
}

static enum shoal_status submit_all(struct running *b, struct shoal_error *err)
{
    const struct random_batch *s = b->shape;
    struct shoal_request q;
    uint64_t id;
    enum shoal_status status = SHOAL_OK;

    shoal_request_default(&q);
    q.n_prompt_ids = s->n_prompt;
    q.max_tokens = s->n_reserve > s->n_output ? s->n_reserve : s->n_output;
    q.temperature = 0;
    q.ignore_eos = true;
    q.no_text = true;
    for (int32_t i = 0; i < s->n_requests && !status; i++) {
        q.prompt_ids = b->ids + (size_t)i * (size_t)s->n_prompt;
        q.user = &b->last_ns[i];
        status = shoal_submit(b->engine, &q, &id, err);
    }
    return status;
}

static void take_token(struct running *b, const struct shoal_event *event)
{
    int64_t *last_ns = event->user;
    const bool is_first = *last_ns == 0;

    b->n_tokens++;
    b->n_first += is_first;
    if (b->watch.on_token)
        b->watch.on_token(b->watch.user, event->now_ns - (is_first ? b->start_ns : *last_ns),
                          is_first);
    *last_ns = event->now_ns;
    if (event->n_generated >= b->shape->n_output && event->finish == SHOAL_RUNNING)
        shoal_cancel(b->engine, event->request);
}

static enum shoal_status take_events(struct running *b, struct shoal_error *err)
{
    const int32_t n_before = b->n_ended;
    struct shoal_event event;

    while (shoal_next_event(b->engine, &event)) {
        if (event.finish == SHOAL_FINISH_ERROR)
            return shoal_fail(err, SHOAL_E_INTERNAL, "a request failed: %s", event.error);
        b->n_ended += event.finish != SHOAL_RUNNING;
        b->end_ns = event.now_ns;
        if (event.has_token && event.n_generated <= b->shape->n_output)
            take_token(b, &event);
    }
    /* Together with all else that its step gave. */
    if (!b->first_ns && b->n_first == b->shape->n_requests) {
        b->first_ns = b->end_ns;
        b->n_tokens_first = b->n_tokens;
    }
    if (b->watch.on_ended)
        b->watch.on_ended(b->watch.user, b->n_ended - n_before);
    return SHOAL_OK;
}

static enum shoal_status run(struct running *b, struct random_batch_times *times,
                             struct shoal_error *err)
{
    enum shoal_status status;

    b->start_ns = clock_ns();
    status = submit_all(b, err);
    while (!status && b->n_ended < b->shape->n_requests) {
        status = shoal_run(b->engine, -1, err);
        if (!status)
            status = take_events(b, err);
    }
    *times = (struct random_batch_times){.first = (double)(b->first_ns - b->start_ns) * 1e-9,
                                         .rest = (double)(b->end_ns - b->first_ns) * 1e-9,
                                         .n_tokens = b->n_tokens,
                                         .n_rest = b->n_tokens - b->n_tokens_first};
    return status;
}

enum shoal_status random_batch_run(struct shoal_engine *engine, const struct random_batch *shape,
                                   struct rng *rng, const struct random_batch_watch *watch,
                                   struct random_batch_times *times, struct shoal_error *err)
{
    const size_t n_requests = (size_t)shape->n_requests;
    const size_t n_ids = n_requests * (size_t)shape->n_prompt;
    struct running b = {.engine = engine, .shape = shape};
    enum shoal_status status;

    if (watch)
        b.watch = *watch;
    b.ids = mem_new(n_ids, sizeof *b.ids);
    b.last_ns = mem_new(n_requests, sizeof *b.last_ns);
    if (b.ids && b.last_ns) {
        random_ids(engine, rng, b.ids, n_ids);
        status = run(&b, times, err);
    } else {
        status = shoal_fail_memory(err, "random prompts",
                                   n_ids * sizeof *b.ids + n_requests * sizeof *b.last_ns);
    }
    mem_free(b.ids);
    mem_free(b.last_ns);
    return status;
}
