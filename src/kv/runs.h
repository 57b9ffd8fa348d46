/* kv/runs.h - free runs of a dense pool: contiguous blocks, first fit
 *
 * The free runs in ascending order, never touching each other. There is at most one more of them
 * than there are held runs, so the list is short and is simply walked. */
#ifndef KV_RUNS_H
#define KV_RUNS_H

#include <stdbool.h>
#include <stdint.h>

struct kv_run {
    int32_t begin, n;
};

struct kv_runs {
    int32_t n_blocks, n_free;
    int32_t n_runs;
    struct kv_run *runs; /* (n_blocks / 2 + 1) */
};

/* One run of all blocks. False: out of memory. */
bool kv_runs_init(struct kv_runs *r, int32_t n_blocks);
void kv_runs_fini(struct kv_runs *r); /* zeroed is fine */

bool kv_runs_fits(const struct kv_runs *r, int32_t n);
/* The first n blocks of the first run that has them; -1: none has. n > 0. */
int32_t kv_runs_take(struct kv_runs *r, int32_t n);
void kv_runs_give(struct kv_runs *r, int32_t begin, int32_t n);

bool kv_runs_check(const struct kv_runs *r);

#endif
