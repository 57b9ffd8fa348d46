/* demo/workload.h - the requests of a demo, made from a seed, and what came of them */
#ifndef DEMO_WORKLOAD_H
#define DEMO_WORKLOAD_H

#include "base/status.h"
#include "shoal/shoal.h"

enum { DEMO_NAME = 8 };

struct demo_request {
    char name[DEMO_NAME]; /* "A", "B", ... "Z", "AA", ... */
    uint64_t id;          /* the engine's; 0 until it is submitted */
    int32_t n_prompt, max_tokens;
    int32_t n_tokens; /* prompt and generated */
    int32_t *tokens;  /* (n_prompt + max_tokens) the first n_tokens are known */
    int32_t rank;     /* that computed it, -1: none yet */
    enum shoal_finish finish;
};

struct workload {
    struct demo_request *requests; /* (n) */
    int32_t n;
};

/* One more request, whose prompt of n_prompt tokens is a function of seed and its place. */
enum shoal_status workload_add(struct workload *w, uint64_t seed, int32_t n_prompt,
                               int32_t max_tokens, int32_t n_vocab, struct shoal_error *err);
/* n more, with lengths between low and high. */
enum shoal_status workload_fill(struct workload *w, uint64_t seed, int32_t n, int32_t low,
                                int32_t high, int32_t max_tokens, int32_t n_vocab,
                                struct shoal_error *err);
void workload_fini(struct workload *w);

/* The request of an id, or -1. */
int32_t workload_find(const struct workload *w, uint64_t id);
/* True when both have the same requests with the same tokens, generated ones too. */
bool workload_same_tokens(const struct workload *a, const struct workload *b);
/* What an event says of it. */
void workload_take(struct workload *w, const struct shoal_event *event);

#endif
