#include "plugin/adaptive_rule.h"

/* Between this share of the target and the target nothing changes: a step's time is never the same
 * twice, and a chunk that follows every jitter would not settle. */
static const double grow_below = 0.85;

static int64_t by_ratio(const struct adaptive_rule *rule, const struct adaptive_step *step)
{
    const double share = (double)step->n_decode_tokens / (double)step->n_tokens;

    return share > rule->high  ? step->chunk / 2
           : share < rule->low ? (int64_t)step->chunk * 2
                               : step->chunk;
}

static int64_t by_itl(const struct adaptive_rule *rule, const struct adaptive_step *step)
{
    const double used = (double)step->step_ns / (double)rule->target_ns;

    if (used > 2)
        return step->chunk / 2;
    if (used > 1)
        return (int64_t)((double)step->chunk / used);
    if (used < grow_below && step->is_held_back)
        return (int64_t)step->chunk + (step->chunk + 7) / 8;
    return step->chunk;
}

int32_t adaptive_next_chunk(const struct adaptive_rule *rule, const struct adaptive_step *step)
{
    int64_t chunk = step->chunk;

    if (step->n_decode_tokens == 0)
        chunk *= 2;
    else
        chunk = rule->mode == ADAPTIVE_RATIO ? by_ratio(rule, step) : by_itl(rule, step);
    chunk = chunk < rule->min_chunk ? rule->min_chunk : chunk;
    return (int32_t)(chunk > rule->max_chunk ? rule->max_chunk : chunk);
}
