/* engine/step_times.h - how long a shard group's steps take, by the number of their tokens
 *
 * For the leader that computes on the core it waits on: each look whether a rank is through costs
 * its own rank some 25 us, so it looks when the rank should be. */
#ifndef ENGINE_STEP_TIMES_H
#define ENGINE_STEP_TIMES_H

#include <stdint.h>

enum { STEP_TIMES_SIZES = 31 };

/* The last step of each size: [i] of 2^i to 2^(i + 1) - 1 tokens. Zeroed: none was seen. */
struct step_times {
    struct {
        int32_t n_tokens;
        int64_t ns;
    } last[STEP_TIMES_SIZES];
};

/* A step of n_tokens (at least 1) took so long. Longer than the last of as many tokens it counts
 * for a thirty-second more at most. */
void step_times_note(struct step_times *times, int32_t n_tokens, int64_t ns);

/* When a step that began at `began` and has n_tokens (at least 1) should be looked at first: not
 * after its end, if it is like the last of its size, or takes as long as the last smaller one; at
 * `began` when none was seen. */
int64_t step_times_wake(const struct step_times *times, int32_t n_tokens, int64_t began);

/* How long to wait from now to the next look, when the first is due at wake: until then, and after
 * it longer with each look, so that a step that was thought much shorter is not looked at all the
 * time. At least min_ns, at most max_ns. */
int64_t step_times_wait(int64_t wake, int64_t now, int64_t min_ns, int64_t max_ns);

#endif
