#include "engine/requests.h"

#include "base/mem.h"

enum { FIRST_BUCKETS = 256 };

enum shoal_status requests_init(struct requests *r, struct shoal_error *err)
{
    r->buckets = mem_new(FIRST_BUCKETS, sizeof *r->buckets);
    if (!r->buckets)
        return shoal_fail_memory(err, "requests", FIRST_BUCKETS * sizeof *r->buckets);
    r->n_buckets = FIRST_BUCKETS;
    return SHOAL_OK;
}

void requests_fini(struct requests *r)
{
    for (size_t i = 0; i < r->n_buckets; i++)
        while (r->buckets[i]) {
            struct request *request = r->buckets[i];
            r->buckets[i] = request->next;
            request_destroy(request);
        }
    mem_free(r->buckets);
    *r = (struct requests){0};
}

/* Ids count up from 1, so they spread over the buckets by themselves. */
static struct request **bucket_of(const struct requests *r, uint64_t id)
{
    return &r->buckets[id % r->n_buckets];
}

struct request *requests_find(const struct requests *r, uint64_t id)
{
    struct request *request = r->n_buckets ? *bucket_of(r, id) : NULL;

    while (request && request->id != id)
        request = request->next;
    return request;
}

static enum shoal_status widen(struct requests *r, struct shoal_error *err)
{
    struct requests wider = {.n_buckets = 2 * r->n_buckets, .n = r->n};

    wider.buckets = mem_new(wider.n_buckets, sizeof *wider.buckets);
    if (!wider.buckets)
        return shoal_fail_memory(err, "requests", wider.n_buckets * sizeof *wider.buckets);
    for (size_t i = 0; i < r->n_buckets; i++)
        while (r->buckets[i]) {
            struct request *request = r->buckets[i];
            struct request **bucket = bucket_of(&wider, request->id);
            r->buckets[i] = request->next;
            request->next = *bucket;
            *bucket = request;
        }
    mem_free(r->buckets);
    *r = wider;
    return SHOAL_OK;
}

enum shoal_status requests_add(struct requests *r, struct request *request, struct shoal_error *err)
{
    if (r->n == r->n_buckets) {
        const enum shoal_status status = widen(r, err);
        if (status != SHOAL_OK)
            return status;
    }
    struct request **bucket = bucket_of(r, request->id);
    request->next = *bucket;
    *bucket = request;
    r->n++;
    return SHOAL_OK;
}

void requests_remove(struct requests *r, struct request *request)
{
    struct request **link = bucket_of(r, request->id);

    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    r->n--;
    request_destroy(request);
}

void request_destroy(struct request *request)
{
    if (!request)
        return;
    for (int32_t i = 0; request->choices && i < request->n_choices; i++)
        output_fini(&request->choices[i].output);
    mem_free(request->choices);
    for (int32_t i = 0; request->stops.texts && i < request->stops.n; i++)
        mem_free(request->stops.texts[i]);
    mem_free(request->stops.texts);
    mem_free(request->stops.lengths);
    mem_free(request->prompt_logprobs);
    mem_free(request->prompt);
    mem_free(request->name);
    mem_free(request);
}
