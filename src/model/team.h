/* model/team.h - the OpenMP threads of a rank, and the barrier between the stages of a forward pass
 *
 * A step passes some ten barriers a layer, each a few microseconds after the last, so the usual
 * wait is a short spin. When the machine has other work the thread that is waited for may not be
 * running: then spinning would take the very core that it needs, so a waiter soon yields, and at
 * last sleeps. For the same reason the threads are kept together over many steps (team_open):
 * entering and leaving an OpenMP region for each would let its own barriers spin for milliseconds.
 */
#ifndef MODEL_TEAM_H
#define MODEL_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A stage of work: called once by each thread t of n_threads. */
typedef void (*team_func_t)(void *user, int32_t t, int32_t n_threads);

struct team {
    int32_t n_threads; /* fewer than asked for where OpenMP gives fewer */
    bool is_open;      /* the threads wait for work inside of a region */
    team_func_t func;  /* what they do next; NULL: leave */
    void *user;
    _Atomic int32_t n_arrived;
    _Atomic uint32_t round; /* sleepers wait for it to change */
    _Atomic int32_t n_asleep;
};

void team_init(struct team *t, int32_t n_threads);

/* Run func on all threads; the caller is thread 0. Returns when all are done. */
void team_run(struct team *t, team_func_t func, void *user);

/* Call body in this thread with the others at hand, so that each team_run inside costs two barriers
 * instead of a region. Not nested. */
void team_open(struct team *t, void (*body)(void *user), void *user);

/* Inside func: returns when all threads have called it; what was written before is seen after. */
void team_barrier(struct team *t);

#endif
