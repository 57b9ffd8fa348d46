#include "study/batches.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"

/* A batch under way. */
struct batch {
    struct shoal_engine *engine;
    const struct batch_shape *shape;
    struct batch_times *times;
    int64_t *last_ns; /* (n_requests) of its last token; 0: none yet */
    int64_t start_ns, first_ns, end_ns;
    int64_t n_tokens, n_tokens_first; /* in all; until each request had its first */
    int32_t n_first, n_ended;
};

/* Real texts hold few of the rarest ids, and few of the first, which are marks
 * and bytes. */
static void random_ids(const struct shoal_engine *engine, struct rng *rng, int32_t ids[], int32_t n)
{
    struct shoal_info info;

    shoal_engine_info(engine, &info);
    const int32_t high = info.n_vocab < 40000 ? info.n_vocab : 40000;
    const int32_t low = high > 200 ? 100 : 0;
    for (int32_t i = 0; i < n; i++)
        ids[i] = low + (int32_t)rng_below(rng, (uint32_t)(high - low));
}

static enum shoal_status submit_all(struct batch *b, struct rng *rng, struct shoal_error *err)
{
    const struct batch_shape *s = b->shape;
    int32_t *ids = mem_new((size_t)s->n_prompt, sizeof *ids);
    struct shoal_request q;
    uint64_t id;
    enum shoal_status status = SHOAL_OK;

    if (!ids)
        return shoal_fail_memory(err, "a prompt", (size_t)s->n_prompt * sizeof *ids);
    shoal_request_default(&q);
    q.prompt_ids = ids;
    q.n_prompt_ids = s->n_prompt;
    q.max_tokens = s->n_reserve > s->n_output ? s->n_reserve : s->n_output;
    q.temperature = 0;
    q.ignore_eos = true;
    q.no_text = true;
    for (int32_t i = 0; i < s->n_requests && !status; i++) {
        random_ids(b->engine, rng, ids, s->n_prompt);
        q.user = &b->last_ns[i];
        status = shoal_submit(b->engine, &q, &id, err);
    }
    mem_free(ids);
    return status;
}

static void take_token(struct batch *b, const struct shoal_event *event)
{
    int64_t *last_ns = event->user;

    b->n_tokens++;
    if (*last_ns == 0) {
        b->n_first++;
        if (b->times)
            samples_put(&b->times->ttft, (double)(event->now_ns - b->start_ns) * 1e-6);
    } else if (b->times) {
        samples_put(&b->times->itl, (double)(event->now_ns - *last_ns) * 1e-6);
    }
    *last_ns = event->now_ns;
    if (event->n_generated >= b->shape->n_output && event->finish == SHOAL_RUNNING)
        shoal_cancel(b->engine, event->request);
}

static enum shoal_status take_events(struct batch *b, struct shoal_error *err)
{
    struct shoal_event event;

    while (shoal_next_event(b->engine, &event)) {
        if (event.finish == SHOAL_FINISH_ERROR)
            return shoal_fail(err, SHOAL_E_INTERNAL, "a request failed: %s", event.error);
        b->n_ended += event.finish != SHOAL_RUNNING;
        b->end_ns = event.now_ns;
        if (event.has_token && event.n_generated <= b->shape->n_output)
            take_token(b, &event);
        if (!b->first_ns && b->n_first == b->shape->n_requests) {
            b->first_ns = event.now_ns;
            b->n_tokens_first = b->n_tokens;
        }
    }
    return SHOAL_OK;
}

static void put_times(const struct batch *b)
{
    const double seconds = (double)(b->end_ns - b->start_ns) * 1e-9;
    const double first = (double)(b->first_ns - b->start_ns) * 1e-9, rest = seconds - first;
    const double n_prompt = (double)b->shape->n_requests * b->shape->n_prompt;
    struct batch_times *t = b->times;

    samples_put(&t->seconds, seconds);
    samples_put(&t->output_rate, (double)b->n_tokens / seconds);
    samples_put(&t->total_rate, (n_prompt + (double)b->n_tokens) / seconds);
    samples_put(&t->prefill_rate, n_prompt / first);
    if (rest > 0 && b->n_tokens > b->n_tokens_first)
        samples_put(&t->decode_rate, (double)(b->n_tokens - b->n_tokens_first) / rest);
}

enum shoal_status batch_run(struct shoal_engine *engine, const struct batch_shape *shape,
                            struct rng *rng, struct batch_times *times, struct shoal_error *err)
{
    struct batch b = {.engine = engine, .shape = shape, .times = times};
    enum shoal_status status;

    b.last_ns = mem_new((size_t)shape->n_requests, sizeof *b.last_ns);
    if (!b.last_ns)
        return shoal_fail_memory(err, "requests", (size_t)shape->n_requests * sizeof *b.last_ns);
    b.start_ns = clock_ns();
    status = submit_all(&b, rng, err);
    while (!status && b.n_ended < shape->n_requests) {
        status = shoal_run(engine, -1, err);
        if (!status)
            status = take_events(&b, err);
    }
    if (!status && times)
        put_times(&b);
    mem_free(b.last_ns);
    return status;
}

bool batch_times_failed(const struct batch_times *t)
{
    return t->seconds.failed || t->output_rate.failed || t->total_rate.failed ||
           t->prefill_rate.failed || t->decode_rate.failed || t->ttft.failed || t->itl.failed;
}

void batch_times_fini(struct batch_times *t)
{
    samples_free(&t->seconds);
    samples_free(&t->output_rate);
    samples_free(&t->total_rate);
    samples_free(&t->prefill_rate);
    samples_free(&t->decode_rate);
    samples_free(&t->ttft);
    samples_free(&t->itl);
}
