/* plugin/adaptive_rule.h - the next prefill chunk, from what the last step was
 *
 * A pure function. Two rules:
 *
 *     ratio  the share of decode tokens in a step: above `high` the chunk is halved, so that those
 *            who decode wait less for the prompts of others; below `low` it is doubled
 *     itl    the time of a step, which is the inter-token time of who decodes in it: above the
 *            target the chunk shrinks in proportion, by half at most; below GROW of the target it
 *            grows by an eighth, where the chunk was what held prefill back
 *
 * A step without decode tokens keeps nobody waiting, and doubles the chunk under either rule. */
#ifndef PLUGIN_ADAPTIVE_RULE_H
#define PLUGIN_ADAPTIVE_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum adaptive_mode { ADAPTIVE_RATIO, ADAPTIVE_ITL, ADAPTIVE_MODE_COUNT };

struct adaptive_rule {
    enum adaptive_mode mode;
    double low, high;             /* ratio: shares, low < high */
    int64_t target_ns;            /* itl */
    int32_t min_chunk, max_chunk; /* tokens, 1 <= min_chunk <= max_chunk */
};

struct adaptive_step {
    int32_t chunk; /* that it was planned with */
    int32_t n_tokens, n_decode_tokens;
    bool is_held_back; /* more prompt tokens would have run with a larger chunk */
    int64_t step_ns;
};

int32_t adaptive_next_chunk(const struct adaptive_rule *rule, const struct adaptive_step *step);

#endif
