#include "model/ceiling.h"

#include "base/clock.h"
#include "base/mem.h"
#include "model/team.h"

#include <stdatomic.h>
#include <string.h>

/* Far larger than any cache, or the cache would be measured. */
enum { READ_BYTES = 128 << 20, ROUNDS = 5 };
/* Rounds go on for so long: at first the system may have put two threads on one core. */
enum { LEAST_NS = 100000000 };
/* The longest that a word is passed to and fro in a round. */
enum { PASS_NS = 1000000, MAX_PASSES = 2000 };

struct ceiling_work {
    const struct kernels *kernels;
    uint8_t *bytes;
    int64_t n_int8, n_float; /* rounds of the loops */
    _Atomic uint64_t sink;
    _Atomic int64_t n_ops;
    int32_t partner; /* who passes the word with thread 0 */
    double pass_ns;  /* what a pass took */
    struct {
        _Alignas(64) _Atomic int64_t n_passes; /* odd: the partner's turn; negative: no more */
    } word;
};

static void part_of(int32_t t, int32_t n_threads, size_t *begin, size_t *end)
{
    const size_t n_units = READ_BYTES / 4096;

    *begin = n_units * (size_t)t / (size_t)n_threads * 4096;
    *end = n_units * (size_t)(t + 1) / (size_t)n_threads * 4096;
}

static void touch(void *user, int32_t t, int32_t n_threads)
{
    const struct ceiling_work *w = user;
    size_t begin, end;

    part_of(t, n_threads, &begin, &end);
    memset(w->bytes + begin, t + 1, end - begin);
}

static void read_part(void *user, int32_t t, int32_t n_threads)
{
    struct ceiling_work *w = user;
    size_t begin, end;

    part_of(t, n_threads, &begin, &end);
    atomic_fetch_xor(&w->sink, w->kernels->ceiling.read(w->bytes + begin, end - begin));
}

static void int8_part(void *user, int32_t t, int32_t n_threads)
{
    struct ceiling_work *w = user;

    (void)t, (void)n_threads;
    atomic_fetch_add(&w->n_ops, (int64_t)w->kernels->ceiling.int8(w->n_int8));
}

static void float_part(void *user, int32_t t, int32_t n_threads)
{
    struct ceiling_work *w = user;

    (void)t, (void)n_threads;
    atomic_fetch_add(&w->n_ops, (int64_t)w->kernels->ceiling.fma(w->n_float));
}

/* The most, in ROUNDS rounds or more, of what func does in a second; n: how much it does, 0: what
 * it adds to n_ops.
 */
static double best_of(struct team *team, struct ceiling_work *w, team_func_t func, double n)
{
    const int64_t began = clock_ns();
    double best = 0;

    for (int i = 0; i < ROUNDS || clock_ns() - began < LEAST_NS; i++) {
        const int64_t start = clock_ns();
        atomic_store(&w->n_ops, 0);
        team_run(team, func, w);
        const double seconds = (double)(clock_ns() - start) * 1e-9;
        const double rate = (n > 0 ? n : (double)atomic_load(&w->n_ops)) / seconds;
        best = rate > best ? rate : best;
    }
    return best;
}

static void pass_word(void *user, int32_t t, int32_t n_threads)
{
    struct ceiling_work *w = user;
    const int64_t start = clock_ns();
    int64_t n = 0, seen, ns = 0;

    if (w->partner >= n_threads)
        return; /* OpenMP has given fewer threads: nobody would pass the word back */
    if (t == w->partner)
        while ((seen = atomic_load(&w->word.n_passes)) >= 0) {
            if (seen % 2 == 1)
                atomic_store(&w->word.n_passes, seen + 1);
        }
    if (t != 0)
        return;
    /* By time too: a partner without a core of its own takes its turn only now and then. The clock
     * is slow beside a pass, so it is asked seldom: after 2, 6, 14 passes and so on. */
    while (n < MAX_PASSES && ns < PASS_NS) {
        for (const int64_t until = 2 * n + 2; n < until; n += 2) {
            atomic_store(&w->word.n_passes, n + 1);
            while (atomic_load(&w->word.n_passes) != n + 2)
                ;
        }
        ns = clock_ns() - start;
    }
    atomic_store(&w->word.n_passes, -1);
    w->pass_ns = (double)ns / (double)n;
}

static void measure_ways(struct team *team, struct ceiling_work *w, struct ceilings *out)
{
    out->near_ns = out->far_ns = 0;
    for (w->partner = 1; w->partner < team->n_threads; w->partner++) {
        double best = 0;
        for (int i = 0; i < ROUNDS; i++) {
            atomic_store(&w->word.n_passes, 0);
            w->pass_ns = 0;
            team_run(team, pass_word, w);
            best = i == 0 || w->pass_ns < best ? w->pass_ns : best;
        }
        if (w->partner == 1 || best < out->near_ns)
            out->near_ns = best;
        if (best > out->far_ns)
            out->far_ns = best;
    }
}

/* So many rounds of a loop as take about ten milliseconds. */
static int64_t rounds_of(double (*loop)(int64_t))
{
    const int64_t wanted = 10000000;
    int64_t n = 1 << 10;

    for (;;) {
        const int64_t start = clock_ns();
        loop(n);
        const int64_t ns = clock_ns() - start;
        if (ns > wanted / 4)
            return n * wanted / ns + 1;
        n *= 4;
    }
}

enum shoal_status ceilings_measure(const struct kernels *kernels, int32_t n_threads,
                                   struct ceilings *out, struct shoal_error *err)
{
    struct ceiling_work w = {.kernels = kernels, .bytes = mem_map(READ_BYTES)};
    struct team_share *shares = mem_new_aligned((size_t)n_threads, sizeof *shares);
    struct team team;

    if (!w.bytes || !shares) {
        mem_unmap(w.bytes, READ_BYTES);
        mem_free(shares);
        return shoal_fail_memory(err, "measuring the memory", READ_BYTES);
    }
    team_init(&team, n_threads, shares);
    w.n_int8 = rounds_of(kernels->ceiling.int8);
    w.n_float = rounds_of(kernels->ceiling.fma);
    team_run(&team, touch, &w);
    out->read_bytes = best_of(&team, &w, read_part, READ_BYTES);
    out->int8_ops = best_of(&team, &w, int8_part, 0);
    out->float_ops = best_of(&team, &w, float_part, 0);
    measure_ways(&team, &w, out);
    mem_unmap(w.bytes, READ_BYTES);
    mem_free(shares);
    return SHOAL_OK;
}
