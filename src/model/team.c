#include "model/team.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#define cpu_relax() _mm_pause()
#else
#define cpu_relax() ((void)0)
#endif

enum { SPINS = 4000 };

void team_init(struct team *t, int32_t n_threads, struct team_share *shares)
{
    *t = (struct team){.n_threads = n_threads, .shares = shares};
}

#ifdef _OPENMP
/* Inside of a region: OpenMP may have given fewer threads than were asked for (OMP_THREAD_LIMIT).
 * All see the same number, so all or none meet at the single. */
static void meet(struct team *t)
{
    const int32_t n = omp_get_num_threads();

    if (n == t->n_threads)
        return;
#pragma omp barrier
#pragma omp single
    t->n_threads = n;
}

static void wait_for_work(struct team *t, int32_t index)
{
    for (;;) {
        team_barrier(t, index);
        if (!t->func)
            return;
        t->func(t->user, index, t->n_threads);
        team_barrier(t, index);
    }
}

void team_open(struct team *t, void (*body)(void *user), void *user)
{
    if (t->n_threads == 1) {
        body(user);
        return;
    }
#pragma omp parallel num_threads(t->n_threads)
    {
        meet(t);
        if (omp_get_thread_num() > 0) {
            wait_for_work(t, omp_get_thread_num());
        } else {
            t->is_open = true;
            body(user);
            t->is_open = false;
            t->func = NULL;
            team_barrier(t, 0);
        }
    }
}

void team_run(struct team *t, team_func_t func, void *user)
{
    if (t->n_threads == 1) {
        func(user, 0, 1);
        team_barrier(t, 0);
        return;
    }
    if (t->is_open) {
        t->func = func;
        t->user = user;
        team_barrier(t, 0);
        func(user, 0, t->n_threads);
        team_barrier(t, 0);
        return;
    }
#pragma omp parallel num_threads(t->n_threads)
    {
        meet(t);
        func(user, omp_get_thread_num(), t->n_threads);
        team_barrier(t, omp_get_thread_num()); /* OpenMP's own, at the region's end, only spins */
    }
}
#else
void team_open(struct team *t, void (*body)(void *user), void *user)
{
    (void)t;
    body(user);
}

void team_run(struct team *t, team_func_t func, void *user)
{
    func(user, 0, 1);
    team_barrier(t, 0);
}
#endif

static void wait_for_change(struct team *t, uint32_t round)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&t->round, memory_order_acquire) != round)
            return;
        cpu_relax();
    }
    atomic_fetch_add(&t->n_asleep, 1);
    while (atomic_load(&t->round) == round)
        syscall(SYS_futex, &t->round, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
    atomic_fetch_sub(&t->n_asleep, 1);
}

void team_barrier(struct team *team, int32_t t)
{
    const uint32_t round = atomic_load_explicit(&team->round, memory_order_relaxed);

    /* Nobody takes from this share before the next stage: the last that did was before this one. */
    atomic_store_explicit(&team->shares[t].n_taken[(round + 1) & 1], 0, memory_order_relaxed);
    if (team->n_threads == 1) {
        atomic_store_explicit(&team->round, round + 1, memory_order_relaxed);
        return;
    }
    if (atomic_fetch_add(&team->n_arrived, 1) + 1 < team->n_threads) {
        wait_for_change(team, round);
        return;
    }
    atomic_store(&team->n_arrived, 0);
    atomic_fetch_add(&team->round, 1);
    if (atomic_load(&team->n_asleep) > 0)
        syscall(SYS_futex, &team->round, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}
