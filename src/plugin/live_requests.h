/* plugin/live_requests.h - times of the sequences that run or wait, for a plugin that needs them
 *
 * Sequences come in the order of their numbers (request, then choice), so that the array is sorted
 * as it grows. */
#ifndef PLUGIN_LIVE_REQUESTS_H
#define PLUGIN_LIVE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live_request {
    uint64_t request;
    int32_t choice;
    bool has_ended;
    int64_t submitted_ns;
    int64_t admitted_ns;   /* 0: not yet */
    int64_t last_token_ns; /* 0: none yet */
};

struct live_requests {
    struct live_request *items; /* (n) */
    size_t n, capacity, n_ended;
};

/* False: out of memory, or not after all others. Zero the struct to begin. */
bool live_requests_add(struct live_requests *l, uint64_t request, int32_t choice,
                       int64_t submitted_ns);
/* Valid until the next add or end; NULL: none of that number. */
struct live_request *live_requests_find(const struct live_requests *l, uint64_t request,
                                        int32_t choice);
void live_requests_end(struct live_requests *l, struct live_request *item);
void live_requests_fini(struct live_requests *l);

#endif
