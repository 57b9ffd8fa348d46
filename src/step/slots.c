#include "step/slots.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum shoal_status step_slots_init(struct step_slots *s, const struct step_limits *limits,
                                  struct shoal_error *err)
{
    enum shoal_status status;
    size_t n_bytes;

    memset(s, 0, sizeof *s);
    status = step_limits_check(limits, err);
    if (status)
        return status;
    s->limits = *limits;

    const size_t n_slots = (size_t)limits->max_seqs;
    const size_t n_tokens = (size_t)limits->max_model_len;
    const size_t n_table = (size_t)step_blocks_of(limits, limits->max_model_len);
    /* At most 2^16 slots of less than 2^25 numbers: no overflow. */
    const size_t stride = 4 * (n_tokens + n_table + 2 * STEP_MAX_BIAS + STEP_MAX_STOP_IDS);

    n_bytes = n_slots * (stride + sizeof *s->slots);
    s->slots = mem_new(n_slots, sizeof *s->slots);
    s->arena = mem_new(n_slots, stride);
    if (!s->slots || !s->arena) {
        step_slots_fini(s);
        return shoal_fail_memory(err, "the slots' tokens and block tables", n_bytes);
    }
    for (size_t i = 0; i < n_slots; i++) {
        struct step_slot *slot = &s->slots[i];
        char *at = (char *)s->arena + i * stride;

        slot->tokens = (int32_t *)(void *)at;
        slot->block_table = slot->tokens + n_tokens;
        slot->bias_ids = slot->block_table + n_table;
        slot->stop_ids = slot->bias_ids + STEP_MAX_BIAS;
        slot->bias_values = (float *)(void *)(slot->stop_ids + STEP_MAX_STOP_IDS);
    }
    return SHOAL_OK;
}

void step_slots_fini(struct step_slots *s)
{
    mem_free(s->slots);
    mem_free(s->arena);
    memset(s, 0, sizeof *s);
}

static enum shoal_status drifted(const struct step_plan *p, struct shoal_error *err,
                                 const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum shoal_status drifted(const struct step_plan *p, struct shoal_error *err,
                                 const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return shoal_fail(err, SHOAL_E_MISMATCH, "step %llu, group %d: plan and slots differ: %s",
                      (unsigned long long)p->step, p->group, what);
}

static void fill_slot(struct step_slot *slot, const struct step_plan *p,
                      const struct step_new_slot *f)
{
    slot->is_used = true;
    slot->request = f->request;
    slot->n_prompt = f->n_prompt;
    slot->n_tokens = f->n_tokens;
    slot->n_blocks = 0;
    slot->sampling = f->sampling;
    slot->n_bias = f->n_bias;
    slot->n_stop = f->n_stop;
    memcpy(slot->tokens, p->tokens + f->token_begin, (size_t)f->n_tokens * 4);
    memcpy(slot->bias_ids, p->bias_ids + f->bias_begin, (size_t)f->n_bias * 4);
    memcpy(slot->bias_values, p->bias_values + f->bias_begin, (size_t)f->n_bias * 4);
    memcpy(slot->stop_ids, p->stop_ids + f->stop_begin, (size_t)f->n_stop * 4);
}

static enum shoal_status apply_deltas(struct step_slots *s, const struct step_plan *p,
                                      struct shoal_error *err)
{
    for (int32_t i = 0; i < p->n_ended; i++) {
        struct step_slot *slot = &s->slots[p->ended[i]];
        if (!slot->is_used)
            return drifted(p, err, "slot %d ends, but is free", p->ended[i]);
        slot->is_used = false;
    }
    for (int32_t i = 0; i < p->n_new; i++) {
        struct step_slot *slot = &s->slots[p->fresh[i].slot];
        if (slot->is_used)
            return drifted(p, err, "slot %d is to take sequence %llu, but holds sequence %llu",
                           p->fresh[i].slot, (unsigned long long)p->fresh[i].request,
                           (unsigned long long)slot->request);
        fill_slot(slot, p, &p->fresh[i]);
    }
    for (int32_t i = 0; i < p->n_sets; i++) {
        const struct step_block_set *set = &p->sets[i];
        struct step_slot *slot = &s->slots[set->slot];
        if (!slot->is_used)
            return drifted(p, err, "slot %d gets a block, but is free", set->slot);
        if (set->index > slot->n_blocks)
            return drifted(p, err, "slot %d gets block %d of its table, but has %d", set->slot,
                           set->index, slot->n_blocks);
        slot->block_table[set->index] = set->block;
        if (set->index == slot->n_blocks)
            slot->n_blocks++;
    }
    return SHOAL_OK;
}

/* Every sequence of the batch has its tokens and its blocks. */
static enum shoal_status check_batch(const struct step_slots *s, const struct step_plan *p,
                                     struct shoal_error *err)
{
    for (int32_t i = 0; i < p->n_seqs; i++) {
        const struct step_slot *slot = &s->slots[p->slots[i]];
        const int32_t end = p->n_computed[i] + p->n_scheduled[i];

        if (!slot->is_used)
            return drifted(p, err, "slot %d runs, but is free", p->slots[i]);
        if (end > slot->n_tokens)
            return drifted(p, err, "slot %d runs up to token %d, but knows %d", p->slots[i], end,
                           slot->n_tokens);
        if (step_blocks_of(&s->limits, end) > slot->n_blocks)
            return drifted(p, err, "slot %d runs up to token %d, but has %d blocks of %d",
                           p->slots[i], end, slot->n_blocks, s->limits.block_size);
    }
    return SHOAL_OK;
}

static enum shoal_status apply(struct step_slots *s, const struct step_plan *p,
                               struct shoal_error *err)
{
    enum shoal_status status;

    if (memcmp(&s->limits, &p->limits, sizeof s->limits) != 0)
        return drifted(p, err, "they were made with different limits");
    status = apply_deltas(s, p, err);
    return status ? status : check_batch(s, p, err);
}

enum shoal_status step_slots_apply(struct step_slots *s, const struct step_plan *p,
                                   struct shoal_error *err)
{
    const enum shoal_status status = apply(s, p, err);

    if (status)
        return status;
    const uint64_t hash = step_slots_hash(s, p);
    if (hash != p->state_hash)
        return drifted(p, err, "state hash %016llx here, %016llx in the plan",
                       (unsigned long long)hash, (unsigned long long)p->state_hash);
    return SHOAL_OK;
}

enum shoal_status step_slots_seal(struct step_slots *s, struct step_plan *p,
                                  struct shoal_error *err)
{
    const enum shoal_status status = apply(s, p, err);

    if (!status)
        p->state_hash = step_slots_hash(s, p);
    return status;
}

void step_slots_append(struct step_slots *s, const struct step_plan *p, const struct step_result *r)
{
    assert(r->n_seqs == p->n_seqs);
    for (int32_t i = 0; i < p->n_seqs; i++) {
        struct step_slot *slot = &s->slots[p->slots[i]];

        if (r->outcomes[i] == STEP_TOKEN && slot->n_tokens < s->limits.max_model_len)
            slot->tokens[slot->n_tokens++] = r->tokens[i];
    }
}

uint64_t step_hash_run(uint64_t hash, const struct step_run *run)
{
    const int32_t counts[] = {(int32_t)(uint32_t)run->request,
                              (int32_t)(uint32_t)(run->request >> 32),
                              run->slot,
                              run->n_tokens,
                              run->n_computed,
                              run->n_scheduled,
                              run->n_blocks,
                              run->last_token,
                              run->last_block};

    return hash64(counts, sizeof counts, hash);
}

uint64_t step_slots_hash(const struct step_slots *s, const struct step_plan *p)
{
    uint64_t hash = p->step;

    for (int32_t i = 0; i < p->n_seqs; i++) {
        const struct step_slot *slot = &s->slots[p->slots[i]];
        const struct step_run run = {
            .request = slot->request,
            .slot = p->slots[i],
            .n_tokens = slot->n_tokens,
            .n_computed = p->n_computed[i],
            .n_scheduled = p->n_scheduled[i],
            .n_blocks = slot->n_blocks,
            .last_token = slot->tokens[slot->n_tokens - 1],
            .last_block = slot->n_blocks ? slot->block_table[slot->n_blocks - 1] : -1,
        };
        hash = step_hash_run(hash, &run);
    }
    return hash;
}
