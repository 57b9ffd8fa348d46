#include "kv/runs.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

bool kv_runs_init(struct kv_runs *r, int32_t n_blocks)
{
    r->n_blocks = r->n_free = n_blocks;
    r->runs = mem_new((size_t)n_blocks / 2 + 1, sizeof *r->runs);
    if (!r->runs)
        return false;
    r->runs[0] = (struct kv_run){.begin = 0, .n = n_blocks};
    r->n_runs = 1;
    return true;
}

void kv_runs_fini(struct kv_runs *r)
{
    mem_free(r->runs);
    *r = (struct kv_runs){0};
}

static void remove_run(struct kv_runs *r, int32_t i)
{
    memmove(&r->runs[i], &r->runs[i + 1], (size_t)(r->n_runs - i - 1) * sizeof *r->runs);
    r->n_runs--;
}

static void insert_run(struct kv_runs *r, int32_t i, struct kv_run run)
{
    memmove(&r->runs[i + 1], &r->runs[i], (size_t)(r->n_runs - i) * sizeof *r->runs);
    r->runs[i] = run;
    r->n_runs++;
}

/* Index of the first run of n blocks or more; n_runs: none. */
static int32_t first_fit(const struct kv_runs *r, int32_t n)
{
    int32_t i = 0;

    while (i < r->n_runs && r->runs[i].n < n)
        i++;
    return i;
}

bool kv_runs_fits(const struct kv_runs *r, int32_t n)
{
    return first_fit(r, n) < r->n_runs;
}

int32_t kv_runs_take(struct kv_runs *r, int32_t n)
{
    const int32_t i = first_fit(r, n);

    if (i == r->n_runs)
        return -1;

    const int32_t begin = r->runs[i].begin;
    r->runs[i].begin += n;
    r->runs[i].n -= n;
    if (r->runs[i].n == 0)
        remove_run(r, i);
    r->n_free -= n;
    return begin;
}

void kv_runs_give(struct kv_runs *r, int32_t begin, int32_t n)
{
    int32_t i = 0; /* the first run behind the one that comes back */

    while (i < r->n_runs && r->runs[i].begin < begin)
        i++;
    assert(i == r->n_runs || begin + n <= r->runs[i].begin);
    assert(i == 0 || r->runs[i - 1].begin + r->runs[i - 1].n <= begin);

    const bool joins_left = i > 0 && r->runs[i - 1].begin + r->runs[i - 1].n == begin;
    const bool joins_right = i < r->n_runs && begin + n == r->runs[i].begin;
    if (joins_left && joins_right) {
        r->runs[i - 1].n += n + r->runs[i].n;
        remove_run(r, i);
    } else if (joins_left) {
        r->runs[i - 1].n += n;
    } else if (joins_right) {
        r->runs[i].begin = begin;
        r->runs[i].n += n;
    } else {
        insert_run(r, i, (struct kv_run){.begin = begin, .n = n});
    }
    r->n_free += n;
}

bool kv_runs_check(const struct kv_runs *r)
{
    int32_t n_free = 0;

    for (int32_t i = 0; i < r->n_runs; i++) {
        const struct kv_run run = r->runs[i];

        if (run.n < 1 || run.begin < 0 || run.n > r->n_blocks - run.begin)
            return false;
        if (i > 0 && r->runs[i - 1].begin + r->runs[i - 1].n >= run.begin)
            return false;
        n_free += run.n;
    }
    return n_free == r->n_free;
}
