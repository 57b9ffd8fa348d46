/* cli/held_requests.h - requests that were read and wait for their arrival, the next one first */
#ifndef CLI_HELD_REQUESTS_H
#define CLI_HELD_REQUESTS_H

#include "cli/batch_request.h"

/* A heap by (arrival, line). Zero it to begin. */
struct held_requests {
    struct batch_request *items; /* (n) */
    size_t n, capacity;
};

/* Takes what b holds. False: out of memory, b stays the caller's. */
bool held_requests_add(struct held_requests *h, const struct batch_request *b);
/* The one that arrives next, or NULL. */
const struct batch_request *held_requests_next(const struct held_requests *h);
/* Takes it out; there must be one. */
struct batch_request held_requests_take(struct held_requests *h);
void held_requests_fini(struct held_requests *h);

#endif
