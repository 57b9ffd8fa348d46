/* demo/caches.h - the tiny model on two KV caches at once: paged, and dense beside it
 *
 * Every pass runs on both; they must give the same bits. */
#ifndef DEMO_CACHES_H
#define DEMO_CACHES_H

#include "demo/options.h"
#include "demo/workload.h"
#include "shoal/teach.h"

enum cache_side { CACHE_PAGED, CACHE_DENSE, CACHE_SIDES };

struct caches {
    struct shoal_teach_tiny *tiny;
    struct shoal_teach_pool *pools[CACHE_SIDES];
    struct shoal_teach_cache **of[CACHE_SIDES]; /* (load.n) */
    struct workload load;
    int32_t *n_cached; /* (load.n) tokens of each request in its caches */
    int32_t n_passes;
    bool is_same; /* attention of both sides, so far, bit for bit */
};

/* Zero *c. In any case *c must be closed. */
enum shoal_status caches_open(struct caches *c, const struct demo_options *o,
                              struct shoal_error *err);
void caches_close(struct caches *c);

/* One pass of chunks of at most `chunk` prompt tokens of each request that has some left, and at
 * most `budget` in all; *n_tokens 0: nothing was left. */
enum shoal_status caches_prefill(struct caches *c, int32_t budget, int32_t chunk, int32_t *n_tokens,
                                 struct shoal_error *err);
/* One decode pass of all requests: each has another token. */
enum shoal_status caches_decode(struct caches *c, struct shoal_error *err);
/* Whether flattening both caches of request i gives the same bits. */
enum shoal_status caches_compare(const struct caches *c, int32_t i, bool *is_same,
                                 struct shoal_error *err);

#endif
