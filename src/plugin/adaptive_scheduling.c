/* adaptive-scheduling - a prefill chunk that follows what the steps are like */
#include "plugin/adaptive_rule.h"
#include "plugin/built_ins.h"
#include "plugin/values.h"

#include "base/mem.h"
#include "base/status.h"

#include <stdio.h>

enum { MODE, TARGET, HIGH, LOW, MIN_CHUNK, N_OPTIONS };

static const struct shoal_plugin_option options[N_OPTIONS] = {
    [MODE] = {"mode", "ratio",
              "ratio: by the share of decode tokens in a step; itl: by the time of a step"},
    [TARGET] = {"target_itl_ms", "50", "itl: inter-token time to hold, in milliseconds"},
    [HIGH] = {"high", "0.7", "ratio: share of decode tokens above which the chunk is halved"},
    [LOW] = {"low", "0.3", "ratio: share of decode tokens below which the chunk is doubled"},
    [MIN_CHUNK] = {"min_chunk", "16", "the smallest chunk, in tokens"},
};

struct adaptive {
    const struct shoal_plugin_host *host;
    struct adaptive_rule rule; /* max_chunk 0: no step yet */
    int32_t smallest, largest; /* chunks that were set */
    int64_t n_changes;
};

static enum shoal_status read_values(struct adaptive_rule *rule,
                                     const struct shoal_plugin_value values[],
                                     struct shoal_error *err)
{
    static const char *const modes[ADAPTIVE_MODE_COUNT] = {"ratio", "itl"};
    enum shoal_status status;
    double target_ms;
    int mode;

    if ((status = plugin_value_choice(&values[MODE], modes, ADAPTIVE_MODE_COUNT, &mode, err)) ||
        (status = plugin_value_double(&values[TARGET], 0.001, 1e6, &target_ms, err)) ||
        (status = plugin_value_double(&values[HIGH], 0, 1, &rule->high, err)) ||
        (status = plugin_value_double(&values[LOW], 0, 1, &rule->low, err)) ||
        (status = plugin_value_int(&values[MIN_CHUNK], 1, 1 << 20, &rule->min_chunk, err)))
        return status;
    if (rule->low >= rule->high)
        return shoal_fail(err, SHOAL_E_INVALID, "low %g is not below high %g", rule->low,
                          rule->high);
    rule->mode = (enum adaptive_mode)mode;
    rule->target_ns = (int64_t)(target_ms * 1e6);
    return SHOAL_OK;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    struct adaptive_rule rule = {0};
    const enum shoal_status status = read_values(&rule, values, err);
    struct adaptive *a;

    (void)n_values;
    (void)user;
    if (status)
        return status;
    a = mem_new(1, sizeof *a);
    if (!a)
        return shoal_fail_memory(err, "adaptive-scheduling", sizeof *a);
    a->host = host;
    a->rule = rule;
    *state = a;
    return SHOAL_OK;
}

/* Does a sequence have more of its prompt to run than its chunk let it? */
static bool is_held_back(const struct shoal_plugin_step *step)
{
    for (int32_t i = 0; i < step->n_running; i++) {
        const struct shoal_plugin_sequence *seq = &step->running[i];
        if (seq->n_computed + seq->n_scheduled < seq->n_prompt)
            return true;
    }
    return false;
}

static enum shoal_status after_step(void *state, const struct shoal_plugin_step *step,
                                    struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct adaptive *a = state;
    const struct adaptive_step last = {.chunk = step->chunk,
                                       .n_tokens = step->n_tokens,
                                       .n_decode_tokens = step->n_decode_tokens,
                                       .is_held_back = is_held_back(step),
                                       .step_ns = step->step_ns};

    (void)err;
    if (a->rule.max_chunk == 0) { /* what the run began with */
        a->rule.max_chunk = a->smallest = a->largest = step->chunk;
        if (a->rule.min_chunk > step->chunk)
            a->rule.min_chunk = step->chunk;
    }
    next->chunk = adaptive_next_chunk(&a->rule, &last);
    /* Several prompts at once have a chunk each: the budget is for their sum. */
    if (a->rule.mode == ADAPTIVE_ITL)
        next->budget = step->n_decode_tokens + next->chunk;
    a->n_changes += next->chunk != step->chunk;
    a->smallest = next->chunk < a->smallest ? next->chunk : a->smallest;
    a->largest = next->chunk > a->largest ? next->chunk : a->largest;
    return SHOAL_OK;
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    const struct adaptive *a = state;
    char line[160];

    (void)err;
    if (a->rule.max_chunk > 0) {
        snprintf(line, sizeof line,
                 "adaptive-scheduling: chunks of %d to %d tokens, changed %lld times", a->smallest,
                 a->largest, (long long)a->n_changes);
        a->host->log(a->host->engine, "info", line);
    }
    return SHOAL_OK;
}

static const struct shoal_scheduler_plugin scheduler = {.after_step = after_step};

const struct shoal_plugin plugin_adaptive_scheduling = {
    .version = SHOAL_PLUGIN_VERSION,
    .name = "adaptive-scheduling",
    .about = "shrinks and grows the prefill chunk, by the share of decode tokens or to hold an "
             "inter-token time",
    .options = options,
    .n_options = N_OPTIONS,
    .create = create,
    .finish = finish,
    .destroy = mem_free,
    .scheduler = &scheduler,
};
