#include "engine/events.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

void events_fini(struct events *e)
{
    mem_free(e->queue);
    mem_free(e->logprobs);
    text_fini(&e->text);
    *e = (struct events){0};
}

bool events_wait(const struct events *e)
{
    return e->first < e->n;
}

struct queued_event *events_add(struct events *e, struct request *request, int32_t choice)
{
    const struct choice *c = &request->choices[choice];

    if (e->n == e->capacity) {
        const size_t capacity = e->capacity ? 2 * e->capacity : 256;
        struct queued_event *queue = mem_resize(e->queue, capacity, sizeof *queue);
        if (!queue)
            return NULL;
        e->queue = queue;
        e->capacity = capacity;
    }
    struct queued_event *q = &e->queue[e->n++];
    *q = (struct queued_event){.request = request,
                               .text = e->text.n,
                               .error = SIZE_MAX,
                               .event = {.request = request->id,
                                         .user = request->user,
                                         .choice = choice,
                                         .prompt_ids = request->prompt,
                                         .n_prompt = request->n_prompt,
                                         .n_cached = c->n_cached,
                                         .n_generated = c->n_generated,
                                         .rank = c->rank,
                                         .now_ns = clock_ns(),
                                         .submitted_ns = request->submitted_ns,
                                         .first_token_ns = c->first_token_ns}};
    return q;
}

void events_end_text(struct events *e, struct queued_event *q)
{
    q->event.n_text = e->text.n - q->text;
    text_add(&e->text, "", 1);
}

void events_set_error(struct events *e, struct queued_event *q, const char *sentence)
{
    q->error = e->text.n;
    text_add(&e->text, sentence, strlen(sentence) + 1);
}

bool events_set_logprobs(struct events *e, struct queued_event *q,
                         const struct shoal_logprob *entries, int32_t n)
{
    if (e->n_logprobs + (size_t)n > e->max_logprobs) {
        const size_t capacity = 2 * (e->n_logprobs + (size_t)n);
        struct shoal_logprob *logprobs = mem_resize(e->logprobs, capacity, sizeof *logprobs);
        if (!logprobs)
            return false;
        e->logprobs = logprobs;
        e->max_logprobs = capacity;
    }
    q->logprobs = e->n_logprobs;
    q->event.n_logprobs = n;
    memcpy(e->logprobs + e->n_logprobs, entries, (size_t)n * sizeof *entries);
    e->n_logprobs += (size_t)n;
    return true;
}

/* Offsets to pointers, which are good until something is added. */
static struct shoal_event resolve(const struct events *e, const struct queued_event *q)
{
    struct shoal_event event = q->event;

    event.text = e->text.failed ? "" : e->text.bytes + q->text;
    event.logprobs = event.n_logprobs > 0 ? e->logprobs + q->logprobs : NULL;
    event.error = q->error == SIZE_MAX || e->text.failed ? NULL : e->text.bytes + q->error;
    return event;
}

static void forget_fetched(struct events *e, struct requests *requests)
{
    if (e->ended)
        requests_remove(requests, e->ended);
    e->ended = NULL;
    if (e->first == e->n) {
        e->first = e->n = 0;
        e->n_logprobs = 0;
        text_clear(&e->text);
    }
}

bool events_next(struct events *e, struct requests *requests, struct shoal_event *out)
{
    forget_fetched(e, requests);
    if (e->n == 0)
        return false;
    const struct queued_event *q = &e->queue[e->first++];
    *out = resolve(e, q);
    if (q->is_last)
        e->ended = q->request;
    return true;
}

void events_deliver(struct events *e, struct requests *requests)
{
    /* Out of the queue first: the callback may cancel or submit, which adds events behind it. */
    const struct queued_event q = e->queue[--e->n];
    const struct shoal_event event = resolve(e, &q);

    q.request->on_event(q.request->user, &event);
    if (q.is_last)
        requests_remove(requests, q.request);
    if (e->n == e->first)
        forget_fetched(e, requests);
}
