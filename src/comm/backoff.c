#include "comm/ranks.h"

#include "base/clock.h"

#include <sched.h>

enum {
    SPIN_NS = 20000,
    YIELD_NS = 100000,
    MIN_SLEEP_NS = 20000,
    MAX_SLEEP_NS = 10000000, /* a sleep costs some 20 us: every 10 ms that is 0.2 % of a core */
    /* A pause takes some 10 to 150 cycles, so that a call of this many is about a microsecond. */
    PAUSES_A_CALL = 32
};

struct comm_backoff comm_backoff_begin(const struct comm *c)
{
    return (struct comm_backoff){.never_spin = c->is_oversubscribed};
}

static void pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void comm_backoff_wait(struct comm_backoff *state)
{
    const int64_t now = clock_ns(), spin_ns = state->never_spin ? 0 : SPIN_NS;

    if (state->sleep_ns == 0) {
        if (state->started_ns == 0)
            state->started_ns = now;
        const int64_t waited_ns = now - state->started_ns;

        if (waited_ns < spin_ns) {
            for (int i = 0; i < PAUSES_A_CALL; i++)
                pause_core();
            return;
        }
        if (waited_ns < spin_ns + YIELD_NS) {
            sched_yield();
            return;
        }
    }
    /* By an eighth each time: a sleep is then never longer than about an eighth of what has been
     * waited already, so that sleeping makes no wait much longer than it had to be. */
    state->sleep_ns += state->sleep_ns / 8;
    if (state->sleep_ns < MIN_SLEEP_NS)
        state->sleep_ns = MIN_SLEEP_NS;
    if (state->sleep_ns > MAX_SLEEP_NS)
        state->sleep_ns = MAX_SLEEP_NS;
    clock_sleep_ns(state->sleep_ns);
}
