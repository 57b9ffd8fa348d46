#include "model/team.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define cpu_relax() _mm_pause()
#else
#define cpu_relax() ((void)0)
#endif

enum { SPINS = 2000, YIELDS = 50 };

void team_init(struct team *t, int32_t n_threads)
{
    t->n_threads = n_threads;
    atomic_init(&t->n_arrived, 0);
    atomic_init(&t->round, 0);
    atomic_init(&t->n_asleep, 0);
}

static void wait_for_change(struct team *t, uint32_t round)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&t->round, memory_order_acquire) != round)
            return;
        cpu_relax();
    }
    for (int i = 0; i < YIELDS; i++) {
        if (atomic_load_explicit(&t->round, memory_order_acquire) != round)
            return;
        sched_yield();
    }
    atomic_fetch_add(&t->n_asleep, 1);
    while (atomic_load(&t->round) == round)
        syscall(SYS_futex, &t->round, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
    atomic_fetch_sub(&t->n_asleep, 1);
}

void team_barrier(struct team *t)
{
    if (t->n_threads == 1)
        return;
    const uint32_t round = atomic_load(&t->round);
    if (atomic_fetch_add(&t->n_arrived, 1) + 1 < t->n_threads) {
        wait_for_change(t, round);
        return;
    }
    atomic_store(&t->n_arrived, 0);
    atomic_fetch_add(&t->round, 1);
    if (atomic_load(&t->n_asleep) > 0)
        syscall(SYS_futex, &t->round, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}
