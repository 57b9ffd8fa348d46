#include "step/plan.h"

#include "base/status.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { RUNS = 1, ENDS = 2, IS_NEW = 4 };

static enum shoal_status refuse(const struct step_plan *p, struct shoal_error *err,
                                const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum shoal_status refuse(const struct step_plan *p, struct shoal_error *err,
                                const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return shoal_fail(err, SHOAL_E_FORMAT, "plan of step %llu, group %d: %s",
                      (unsigned long long)p->step, p->group, what);
}

static enum shoal_status check_counts(const struct step_plan *p, struct shoal_error *err)
{
    const struct {
        const char *name;
        int32_t n, high;
    } table[] = {
        {"n_seqs", p->n_seqs, p->limits.max_seqs},
        {"n_tokens", p->n_tokens, p->limits.max_tokens},
        {"n_ended", p->n_ended, p->limits.max_seqs},
        {"n_new", p->n_new, p->limits.max_seqs},
        {"n_new_tokens", p->n_new_tokens, p->max_new_tokens},
        {"n_new_bias", p->n_new_bias, p->max_new_bias},
        {"n_new_stop", p->n_new_stop, p->max_new_stop},
        {"n_sets", p->n_sets, p->max_sets},
        {"n_copies", p->n_copies, p->max_copies},
        {"n_fetches", p->n_fetches, p->max_fetches},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].n < 0 || table[i].n > table[i].high)
            return refuse(p, err, "%s is %d; it must be 0 to %d", table[i].name, table[i].n,
                          table[i].high);
        if (p->is_stop && table[i].n > 0)
            return refuse(p, err, "%s is %d in the message that stops the workers", table[i].name,
                          table[i].n);
    }
    if (p->group < 0)
        return refuse(p, err, "the group is negative");
    return SHOAL_OK;
}

/* Marks a list's slots; each at most once. */
static enum shoal_status mark_slot(const struct step_plan *p, int32_t slot, uint8_t mark,
                                   const char *list, struct shoal_error *err)
{
    if (slot < 0 || slot >= p->limits.max_seqs)
        return refuse(p, err, "%s: slot %d; there are %d", list, slot, p->limits.max_seqs);
    if (p->marks[slot] & mark)
        return refuse(p, err, "%s: slot %d stands there twice", list, slot);
    p->marks[slot] |= mark;
    return SHOAL_OK;
}

static bool is_gone(const struct step_plan *p, int32_t slot)
{
    return (p->marks[slot] & (ENDS | IS_NEW)) == ENDS;
}

static enum shoal_status check_ids(const struct step_plan *p, const int32_t *ids, int32_t n,
                                   const char *name, struct shoal_error *err)
{
    for (int32_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= p->limits.n_vocab)
            return refuse(p, err, "%s %d is %d; the vocabulary has %d", name, i, ids[i],
                          p->limits.n_vocab);
    return SHOAL_OK;
}

static enum shoal_status check_sampling(const struct step_plan *p, const struct step_new_slot *f,
                                        struct shoal_error *err)
{
    const struct step_sampling *s = &f->sampling;
    const struct {
        const char *name;
        float value, low, high;
    } floats[] = {
        {"temperature", s->temperature, 0, HUGE_VALF},
        {"top_p", s->top_p, 0, 1},
        {"min_p", s->min_p, 0, 1},
        {"repetition_penalty", s->repetition_penalty, 0, HUGE_VALF},
        {"presence_penalty", s->presence_penalty, -2, 2},
        {"frequency_penalty", s->frequency_penalty, -2, 2},
    };
    const struct {
        const char *name;
        int32_t value, low, high;
    } ints[] = {
        {"top_k", s->top_k, 0, INT32_MAX},
        {"min_tokens", s->min_tokens, 0, p->limits.max_model_len},
        {"n_logprobs", s->n_logprobs, -1, STEP_MAX_LOGPROBS},
        {"n_prompt_logprobs", s->n_prompt_logprobs, -1, STEP_MAX_LOGPROBS},
        {"choice", s->choice, 0, INT32_MAX},
    };

    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        /* A NaN fails every comparison. */
        if (!(floats[i].value >= floats[i].low && floats[i].value <= floats[i].high &&
              isfinite(floats[i].value)))
            return refuse(p, err, "slot %d: %s is %g", f->slot, floats[i].name,
                          (double)floats[i].value);
    if (s->repetition_penalty == 0) /* logits are divided by it */
        return refuse(p, err, "slot %d: repetition_penalty is 0", f->slot);
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        if (ints[i].value < ints[i].low || ints[i].value > ints[i].high)
            return refuse(p, err, "slot %d: %s is %d; it must be %d to %d", f->slot, ints[i].name,
                          ints[i].value, ints[i].low, ints[i].high);
    return SHOAL_OK;
}

/* A new slot's part [begin, begin + n) of an array of n_all. */
struct part {
    const char *name;
    int32_t begin, n, low, high, n_all;
};

/* The part begins where the last one ended, is low to high long and inside the array. Moves *next
 * behind it. */
static enum shoal_status check_part(const struct step_plan *p, int32_t slot, struct part part,
                                    int32_t *next, struct shoal_error *err)
{
    if (part.n < part.low || part.n > part.high)
        return refuse(p, err, "slot %d: %d %s; it must be %d to %d", slot, part.n, part.name,
                      part.low, part.high);
    if (part.begin != *next || part.n > part.n_all - part.begin)
        return refuse(p, err, "slot %d: its %s are %d from %d of %d; the next ones begin at %d",
                      slot, part.name, part.n, part.begin, part.n_all, *next);
    *next += part.n;
    return SHOAL_OK;
}

static enum shoal_status check_new(const struct step_plan *p, struct shoal_error *err)
{
    int32_t tokens = 0, bias = 0, stop = 0;
    enum shoal_status status;

    for (int32_t i = 0; i < p->n_new; i++) {
        const struct step_new_slot *f = &p->fresh[i];
        const struct part its_tokens = {"tokens", f->token_begin,          f->n_tokens,
                                        1,        p->limits.max_model_len, p->n_new_tokens};
        const struct part its_biases = {"biases", f->bias_begin, f->n_bias,
                                        0,        STEP_MAX_BIAS, p->n_new_bias};
        const struct part its_stops = {"stop ids", f->stop_begin,     f->n_stop,
                                       0,          STEP_MAX_STOP_IDS, p->n_new_stop};

        if ((status = mark_slot(p, f->slot, IS_NEW, "new slots", err)) ||
            (status = check_part(p, f->slot, its_tokens, &tokens, err)) ||
            (status = check_part(p, f->slot, its_biases, &bias, err)) ||
            (status = check_part(p, f->slot, its_stops, &stop, err)) ||
            (status = check_sampling(p, f, err)))
            return status;
        if (f->n_prompt < 1 || f->n_prompt > f->n_tokens)
            return refuse(p, err, "slot %d: %d of its %d tokens are prompt", f->slot, f->n_prompt,
                          f->n_tokens);
    }
    if (tokens != p->n_new_tokens || bias != p->n_new_bias || stop != p->n_new_stop)
        return refuse(p, err, "new slots use %d tokens, %d biases and %d stop ids of %d, %d and %d",
                      tokens, bias, stop, p->n_new_tokens, p->n_new_bias, p->n_new_stop);
    if ((status = check_ids(p, p->tokens, p->n_new_tokens, "token", err)) ||
        (status = check_ids(p, p->bias_ids, p->n_new_bias, "bias id", err)) ||
        (status = check_ids(p, p->stop_ids, p->n_new_stop, "stop id", err)))
        return status;
    for (int32_t i = 0; i < p->n_new_bias; i++)
        if (!isfinite(p->bias_values[i]))
            return refuse(p, err, "bias %d is %g", i, (double)p->bias_values[i]);
    return SHOAL_OK;
}

static enum shoal_status check_batch(const struct step_plan *p, struct shoal_error *err)
{
    int64_t n_tokens = 0;

    for (int32_t i = 0; i < p->n_seqs; i++) {
        const enum shoal_status status = mark_slot(p, p->slots[i], RUNS, "sequences", err);
        if (status)
            return status;
        if (is_gone(p, p->slots[i]))
            return refuse(p, err, "slot %d both ends and runs", p->slots[i]);
        if (p->n_scheduled[i] < 1 || p->n_scheduled[i] > p->limits.max_model_len ||
            p->n_computed[i] < 0 || p->n_computed[i] > p->limits.max_model_len - p->n_scheduled[i])
            return refuse(p, err, "slot %d: %d tokens after %d computed; a request has at most %d",
                          p->slots[i], p->n_scheduled[i], p->n_computed[i],
                          p->limits.max_model_len);
        n_tokens += p->n_scheduled[i];
    }
    if (n_tokens != p->n_tokens)
        return refuse(p, err, "n_tokens is %d, but the sequences run %lld", p->n_tokens,
                      (long long)n_tokens);
    return SHOAL_OK;
}

static enum shoal_status check_blocks(const struct step_plan *p, struct shoal_error *err)
{
    const int32_t n_table = step_blocks_of(&p->limits, p->limits.max_model_len);
    const int32_t n_blocks = p->limits.n_blocks;

    for (int32_t i = 0; i < p->n_sets; i++) {
        const struct step_block_set *s = &p->sets[i];
        if (s->slot < 0 || s->slot >= p->limits.max_seqs)
            return refuse(p, err, "block tables: slot %d; there are %d", s->slot,
                          p->limits.max_seqs);
        if (is_gone(p, s->slot))
            return refuse(p, err, "slot %d both ends and gets a block", s->slot);
        if (s->index < 0 || s->index >= n_table)
            return refuse(p, err, "slot %d: entry %d of a block table of %d", s->slot, s->index,
                          n_table);
        if (s->block < 0 || s->block >= n_blocks)
            return refuse(p, err, "slot %d: block %d of a pool of %d", s->slot, s->block, n_blocks);
    }
    for (int32_t i = 0; i < p->n_copies; i++) {
        const struct step_block_copy *c = &p->copies[i];
        if (c->from < 0 || c->from >= n_blocks || c->to < 0 || c->to >= n_blocks ||
            c->from == c->to)
            return refuse(p, err, "copy of block %d to block %d in a pool of %d", c->from, c->to,
                          n_blocks);
    }
    for (int32_t i = 0; i < p->n_fetches; i++) {
        const struct step_block_fetch *f = &p->fetches[i];
        if (f->group < 0 || f->group == p->group)
            return refuse(p, err, "fetch of a block of group %d", f->group);
        if (f->from < 0 || f->from >= n_blocks || f->to < 0 || f->to >= n_blocks)
            return refuse(p, err, "fetch of block %d of group %d to block %d in pools of %d",
                          f->from, f->group, f->to, n_blocks);
    }
    return SHOAL_OK;
}

enum shoal_status step_plan_check(const struct step_plan *p, struct shoal_error *err)
{
    enum shoal_status status = check_counts(p, err);

    if (status)
        return status;
    memset(p->marks, 0, (size_t)p->limits.max_seqs);
    for (int32_t i = 0; i < p->n_ended; i++)
        if ((status = mark_slot(p, p->ended[i], ENDS, "ended slots", err)))
            return status;
    if ((status = check_new(p, err)) || (status = check_batch(p, err)))
        return status;
    return check_blocks(p, err);
}
