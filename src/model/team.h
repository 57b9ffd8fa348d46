/* model/team.h - the barrier between the stages of a forward pass
 *
 * A step passes some ten barriers a layer, each a few microseconds after the last, so the usual
 * wait is a short spin. When the machine has other work the thread that is waited for may not be
 * running: then spinning would take the very core that it needs, so a waiter soon yields, and at
 * last sleeps. */
#ifndef MODEL_TEAM_H
#define MODEL_TEAM_H

#include <stdatomic.h>
#include <stdint.h>

struct team {
    int32_t n_threads;
    _Atomic int32_t n_arrived;
    _Atomic uint32_t round; /* sleepers wait for it to change */
    _Atomic int32_t n_asleep;
};

void team_init(struct team *t, int32_t n_threads);
/* Returns when all n_threads have called it; what was written before is seen after. */
void team_barrier(struct team *t);

#endif
