#include "engine/step_times.h"

#include <assert.h>

static int32_t size_of(int32_t n_tokens)
{
    assert(n_tokens >= 1);
    return 31 - __builtin_clz((unsigned)n_tokens);
}

void step_times_note(struct step_times *times, int32_t n_tokens, int64_t ns)
{
    const int32_t size = size_of(n_tokens);
    const int64_t before = times->last[size].ns;

    /* One that something held up says little of the next, which must not be looked at late. */
    if (times->last[size].n_tokens == n_tokens && ns > before + before / 32)
        ns = before + before / 32;
    times->last[size].n_tokens = n_tokens;
    times->last[size].ns = ns;
}

int64_t step_times_wake(const struct step_times *times, int32_t n_tokens, int64_t began)
{
    int32_t size = size_of(n_tokens);

    while (size > 0 && times->last[size].n_tokens == 0)
        size--;
    const int32_t last = times->last[size].n_tokens;
    int64_t ns = times->last[size].ns;

    if (n_tokens < last)
        ns = ns / last * n_tokens;
    /* Steps alike differ by a few hundredths. To look somewhat early costs a look or two, to look
     * late costs the rank its time. */
    return began + ns - ns / 64;
}

int64_t step_times_wait(int64_t wake, int64_t now, int64_t min_ns, int64_t max_ns)
{
    const int64_t wait = now < wake ? wake - now : (now - wake) / 8;

    return wait < min_ns ? min_ns : wait > max_ns ? max_ns : wait;
}
