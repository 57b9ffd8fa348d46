#include "sched/state.h"

#include "base/mem.h"

#include <string.h>

static enum shoal_status check_ids(const struct sched_sequence *q, const char *what,
                                   const int32_t ids[], int32_t n, int32_t n_vocab,
                                   struct shoal_error *err)
{
    for (int32_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= n_vocab)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "sequence %llu: %s %d is %d; the vocabulary has %d",
                              (unsigned long long)q->id, what, i, ids[i], n_vocab);
    return SHOAL_OK;
}

static enum shoal_status check_fit(const struct step_limits *limits, const struct sched_sequence *q,
                                   struct shoal_error *err)
{
    const unsigned long long id = q->id;
    const int64_t n_tokens = (int64_t)q->n_prompt + q->max_tokens;

    if (q->n_prompt < 1 || q->max_tokens < 1)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "sequence %llu: %d prompt tokens and %d to generate; it needs at least "
                          "one of each",
                          id, q->n_prompt, q->max_tokens);
    if (n_tokens > limits->max_model_len)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "sequence %llu: %d prompt tokens and %d to generate are more than the "
                          "model length of %d",
                          id, q->n_prompt, q->max_tokens, limits->max_model_len);
    if (step_blocks_of(limits, (int32_t)n_tokens) > limits->n_blocks)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "sequence %llu: %d prompt tokens and %d to generate need %d KV blocks; "
                          "the whole pool has %d",
                          id, q->n_prompt, q->max_tokens, step_blocks_of(limits, (int32_t)n_tokens),
                          limits->n_blocks);
    if (q->n_bias < 0 || q->n_bias > STEP_MAX_BIAS || q->n_stop < 0 ||
        q->n_stop > STEP_MAX_STOP_IDS)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "sequence %llu: %d biases and %d stop ids; at most %d and %d are taken",
                          id, q->n_bias, q->n_stop, STEP_MAX_BIAS, STEP_MAX_STOP_IDS);
    return SHOAL_OK;
}

/* The sequence whose prompt blocks this one shares; *first is NULL when it stands alone, or is not
 * treated like the first choice. */
static enum shoal_status find_first(const struct sched *s, const struct sched_sequence *q,
                                    struct sequence **first, struct shoal_error *err)
{
    *first = NULL;
    if (q->first_choice == q->id || s->options.layout == KV_DENSE)
        return SHOAL_OK;
    *first = ids_find(&s->ids, q->first_choice);
    if (*first &&
        ((*first)->n_prompt != q->n_prompt ||
         memcmp((*first)->tokens, q->prompt, (size_t)q->n_prompt * sizeof *q->prompt) != 0))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "sequence %llu: its first choice, %llu, has another prompt",
                          (unsigned long long)q->id, (unsigned long long)q->first_choice);
    if (*first && (*first)->salt != q->salt)
        *first = NULL;
    return SHOAL_OK;
}

static enum shoal_status check_sequence(const struct sched *s, const struct sched_sequence *q,
                                        struct shoal_error *err)
{
    const int32_t n_vocab = s->options.limits.n_vocab;
    enum shoal_status status;

    if (ids_find(&s->ids, q->id))
        return shoal_fail(err, SHOAL_E_INVALID, "sequence %llu: the id is in use",
                          (unsigned long long)q->id);
    if ((status = check_fit(&s->options.limits, q, err)) ||
        (status = check_ids(q, "prompt token", q->prompt, q->n_prompt, n_vocab, err)) ||
        (status = check_ids(q, "bias id", q->bias_ids, q->n_bias, n_vocab, err)))
        return status;
    return check_ids(q, "stop id", q->stop_ids, q->n_stop, n_vocab, err);
}

static void *copy_ints(int32_t *to, const void *from, int32_t n)
{
    if (n > 0)
        memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

/* The struct and its arrays, all of four-byte elements, in one piece. NULL: out of memory. */
static struct sequence *new_sequence(const struct sched *s, const struct sched_sequence *q)
{
    const int32_t n_tokens = q->n_prompt + q->max_tokens;
    const int32_t n_table = step_blocks_of(&s->options.limits, n_tokens);
    const int32_t n_old = s->options.can_move ? n_table : 0;
    const size_t n = (size_t)n_tokens + (size_t)n_table + (size_t)n_old + 2 * (size_t)q->n_bias +
                     (size_t)q->n_stop;
    struct sequence *seq = mem_new(1, sizeof *seq + n * sizeof(int32_t));
    int32_t *at;

    if (!seq)
        return NULL;
    at = (int32_t *)(void *)(seq + 1);
    seq->tokens = copy_ints(at, q->prompt, q->n_prompt);
    seq->block_table = at += n_tokens;
    seq->old_blocks = at += n_table;
    seq->bias_ids = copy_ints(at += n_old, q->bias_ids, q->n_bias);
    seq->bias_values = copy_ints(at += q->n_bias, q->bias_values, q->n_bias);
    seq->stop_ids = copy_ints(at += q->n_bias, q->stop_ids, q->n_stop);

    seq->id = q->id;
    seq->n_prompt = seq->n_tokens = q->n_prompt;
    seq->max_tokens = q->max_tokens;
    seq->priority = q->priority;
    seq->skips_prefix_cache = q->skips_prefix_cache;
    seq->salt = q->salt;
    seq->sampling = q->sampling;
    seq->n_bias = q->n_bias;
    seq->n_stop = q->n_stop;
    seq->group = seq->slot = -1;
    seq->n_blocks_told = seq->copy_from = seq->old_group = -1;
    return seq;
}

enum shoal_status sched_add(struct sched *s, const struct sched_sequence *sequence,
                            struct shoal_error *err)
{
    enum shoal_status status;
    struct sequence *seq, *first;

    if ((status = check_sequence(s, sequence, err)) ||
        (status = find_first(s, sequence, &first, err)))
        return status;
    seq = new_sequence(s, sequence);
    if (!seq || !ids_reserve(&s->ids)) {
        mem_free(seq);
        return shoal_fail_memory(err, "a sequence's tokens",
                                 ((size_t)sequence->n_prompt + (size_t)sequence->max_tokens) * 4);
    }

    seq->node.arrival = s->n_arrivals++;
    seq->node.rank = s->options.policy == SCHED_PRIORITY ? seq->priority : 0;
    ids_insert(&s->ids, seq);
    if (first)
        follow(seq, first);
    wait_in_line(s, seq);
    return SHOAL_OK;
}
