/* model/team.h - the OpenMP threads of a rank, and the barrier between the stages of a forward pass
 *
 * A step passes some seven barriers a layer, each a few microseconds after the last, so the usual
 * wait is a short spin. When the machine has other work the thread that is waited for may not be
 * running: then spinning would take the very core that it needs, so a waiter soon sleeps. (It does
 * not yield: that gives the core away for a whole slice of the scheduler's, some milliseconds.) For
 * the same reason the threads are kept together over many steps (team_open): entering and leaving
 * an OpenMP region for each would let its own barriers spin for milliseconds.
 */
#ifndef MODEL_TEAM_H
#define MODEL_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Pieces of a thread's share of a stage. The last and smallest, TEAM_OWN_PIECES at most, others
 * leave to it where they are few things together (TEAM_FEW, if the stage does not say how many): to
 * fetch what these read from the other core's cache, and to leave there what they write, costs more
 * than the wait. */
enum { TEAM_PIECES = 8, TEAM_OWN_PIECES = 2, TEAM_FEW = 8 };

/* What thread t of a team has taken of its share of the stage's pieces, for even and odd stages; a
 * cache line of its own. */
struct team_share {
    _Alignas(64) _Atomic int32_t n_taken[2];
};

/* A stage of work: called once by each thread t of n_threads. */
typedef void (*team_func_t)(void *user, int32_t t, int32_t n_threads);

struct team {
    int32_t n_threads; /* fewer than asked for where OpenMP gives fewer */
    bool is_open;      /* the threads wait for work inside of a region */
    team_func_t func;  /* what they do next; NULL: leave */
    void *user;
    struct team_share *shares; /* (threads asked for) */
    /* Lines apart: all write the first as they come to a barrier, and those who have come or still
     * work read the second. */
    char apart[64];
    _Atomic int32_t n_arrived;
    char far_apart[64];
    _Atomic uint32_t round; /* sleepers wait for it to change */
    _Atomic int32_t n_asleep;
};

/* shares: one a thread, zero; borrowed, outlives the team. */
void team_init(struct team *t, int32_t n_threads, struct team_share *shares);

/* Run func on all threads; the caller is thread 0. Returns when all are done. */
void team_run(struct team *t, team_func_t func, void *user);

/* Call body in this thread with the others at hand, so that each team_run inside costs two barriers
 * instead of a region. Not nested. */
void team_open(struct team *t, void (*body)(void *user), void *user);

/* Inside func, by thread t: returns when all threads have called it; what was written before is
 * seen after. */
void team_barrier(struct team *team, int32_t t);

/* How many pieces of thread t's share were taken in this stage (from barrier to barrier) before
 * this one: the caller does that piece, if the share has so many. */
static inline int32_t team_take(struct team *team, int32_t t)
{
    const uint32_t round = atomic_load_explicit(&team->round, memory_order_relaxed);

    return atomic_fetch_add_explicit(&team->shares[t].n_taken[round & 1], 1, memory_order_relaxed);
}

/* Pieces of thread t's share taken so far, seen without writing its line. */
static inline int32_t team_taken(const struct team *team, int32_t t)
{
    const uint32_t round = atomic_load_explicit(&team->round, memory_order_relaxed);

    return atomic_load_explicit(&team->shares[t].n_taken[round & 1], memory_order_relaxed);
}

/* The like things 0 .. n - 1 of a stage, shared out evenly: a thread takes those of its own share
 * in order, then what others have not begun (but for their last pieces), so that one that lost its
 * core for a while is not waited for. Pieces get smaller towards a share's end: few takes, and
 * threads that end at nearly the same time. A stage has one such loop at most. */
struct team_pieces {
    struct team *team;
    int64_t n;
    int64_t few;         /* others leave a share's last pieces to it while they are fewer things */
    int32_t of, n_tried; /* takes from the share of thread `of` */
};

static inline struct team_pieces team_pieces(struct team *team, int32_t t, int64_t n)
{
    return (struct team_pieces){.team = team, .n = n, .few = TEAM_FEW, .of = t};
}

/* Where piece i of a share of n begins. */
static inline int64_t team_piece_begin(int64_t n, int32_t i)
{
    const int64_t left = TEAM_PIECES - i;

    return n - n * left * left / (TEAM_PIECES * TEAM_PIECES);
}

/* Pieces of a share of n that other threads may take. */
static inline int32_t team_pieces_for_others(int64_t n, int64_t few)
{
    int32_t i = TEAM_PIECES;

    while (i > TEAM_PIECES - TEAM_OWN_PIECES && n - team_piece_begin(n, i - 1) < few)
        i--;
    return i;
}

/* The next piece, [begin, end), not empty. False: there are none left. */
static inline bool team_next(struct team_pieces *p, int64_t *begin, int64_t *end)
{
    const int32_t n_threads = p->team->n_threads;

    for (; p->n_tried < n_threads; p->n_tried++, p->of = (p->of + 1) % n_threads) {
        const int64_t first = p->n * p->of / n_threads;
        const int64_t n = p->n * (p->of + 1) / n_threads - first;
        const int32_t most = p->n_tried > 0 ? team_pieces_for_others(n, p->few) : TEAM_PIECES;
        while (n > 0 && team_taken(p->team, p->of) < most) {
            const int32_t i = team_take(p->team, p->of);
            if (i >= TEAM_PIECES)
                break;
            *begin = first + team_piece_begin(n, i);
            *end = first + team_piece_begin(n, i + 1);
            if (*begin < *end)
                return true;
        }
    }
    return false;
}

#endif
