#include "step/limits.h"

#include "base/status.h"

static enum shoal_status check_range(const char *name, int32_t value, int32_t high,
                                     struct shoal_error *err)
{
    if (value >= 1 && value <= high)
        return SHOAL_OK;
    return shoal_fail(err, SHOAL_E_INVALID, "limits: %s is %d; it must be 1 to %d", name, value,
                      high);
}

enum shoal_status step_limits_check(const struct step_limits *limits, struct shoal_error *err)
{
    const struct {
        const char *name;
        int32_t value, high;
    } table[] = {
        {"max_seqs", limits->max_seqs, 1 << 16},
        {"max_tokens", limits->max_tokens, 1 << 20},
        {"max_model_len", limits->max_model_len, 1 << 24},
        {"n_blocks", limits->n_blocks, 1 << 28},
        {"n_vocab", limits->n_vocab, 1 << 24},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const enum shoal_status status =
            check_range(table[i].name, table[i].value, table[i].high, err);
        if (status)
            return status;
    }
    switch (limits->block_size) {
    case 8:
    case 16:
    case 32:
    case 64:
    case 128:
        return SHOAL_OK;
    }
    return shoal_fail(err, SHOAL_E_INVALID,
                      "limits: block_size is %d; it must be 8, 16, 32, 64 or 128",
                      limits->block_size);
}

int32_t step_blocks_of(const struct step_limits *limits, int32_t n_tokens)
{
    return n_tokens / limits->block_size + (n_tokens % limits->block_size != 0);
}

void step_capacities(const struct step_limits *limits, struct step_capacities *out)
{
    const int64_t every_block =
        (int64_t)limits->max_seqs * step_blocks_of(limits, limits->max_model_len);
    int64_t sets;

    /* One whole request always fits; beyond that, sixteen steps' worth of prompts. */
    out->max_new_tokens = limits->max_model_len + 16 * limits->max_tokens;
    out->max_new_bias = 4 * STEP_MAX_BIAS;
    out->max_new_stop = limits->max_seqs * 8 + STEP_MAX_STOP_IDS;
    out->max_copies = limits->max_seqs;
    out->max_fetches = step_blocks_of(limits, limits->max_model_len); /* one request always fits */

    /* A new slot's blocks cover its known tokens; a running one gets blocks for the tokens of the
     * step, may have as many exchanged for equal ones of the prefix cache, and one that is copied.
     * Each of these may begin a block in each slot. */
    sets = (int64_t)step_blocks_of(limits, out->max_new_tokens) +
           2 * (int64_t)step_blocks_of(limits, limits->max_tokens) + 4 * (int64_t)limits->max_seqs;
    out->max_sets = (int32_t)(sets < every_block ? sets : every_block);

    /* Each token of the budget may be one of a prompt that wants log-probabilities. */
    out->max_logprobs = (limits->max_tokens + limits->max_seqs) * (1 + STEP_MAX_LOGPROBS);
}
