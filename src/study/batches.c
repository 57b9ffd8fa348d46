#include "study/batches.h"

static void put_token(void *user, int64_t since_ns, bool is_first)
{
    struct batch_times *t = user;

    samples_put(is_first ? &t->ttft : &t->itl, (double)since_ns * 1e-6);
}

static void put_batch(struct batch_times *t, const struct random_batch *shape,
                      const struct random_batch_times *batch)
{
    const double seconds = batch->first + batch->rest;
    const double n_prompt = (double)shape->n_requests * shape->n_prompt;

    samples_put(&t->seconds, seconds);
    samples_put(&t->output_rate, (double)batch->n_tokens / seconds);
    samples_put(&t->total_rate, (n_prompt + (double)batch->n_tokens) / seconds);
    samples_put(&t->prefill_rate, n_prompt / batch->first);
    if (batch->rest > 0 && batch->n_rest > 0)
        samples_put(&t->decode_rate, (double)batch->n_rest / batch->rest);
}

enum shoal_status batch_run(struct shoal_engine *engine, const struct random_batch *shape,
                            struct rng *rng, struct batch_times *times, struct shoal_error *err)
{
    const struct random_batch_watch watch = {.on_token = put_token, .user = times};
    struct random_batch_times batch;
    const enum shoal_status status =
        random_batch_run(engine, shape, rng, times ? &watch : NULL, &batch, err);

    if (!status && times)
        put_batch(times, shape, &batch);
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
