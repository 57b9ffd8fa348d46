/* teach/attend.h - attention of one query row, as kernels/attention.h defines it, on plain arrays
 *
 * Written out from the definition, float by float, so that it can be read beside it and checks the
 * kernels that the engine runs. */
#ifndef TEACH_ATTEND_H
#define TEACH_ATTEND_H

#include "shoal/teach.h"

enum { TEACH_MAX_HEAD_DIM = 1024 };

/* The keys of one head of one sequence, positions 0 .. n - 1, as one row sees them. */
struct attend_keys {
    int32_t n, head_dim;
    int64_t ld;         /* floats from key to key */
    const float *k, *v; /* key t: k + t * ld */
    const bool *mask;   /* (n) or NULL: all. At least one is true */
    bool is_q8_0;       /* as a pool of q8_0 gave them: multiplied in 8 bits, as there */
};

/* The maximum of a row's scores and the sum of exp(score - maximum): what softmax divides by. */
struct attend_sum {
    float max, sum;
};

/* scores (n): q . k_t / sqrt(head_dim) of every key that is seen. */
void attend_scores(const struct attend_keys *keys, const float *q, float *scores);
/* out (head_dim) from the scores. */
struct attend_sum attend_values(const struct attend_keys *keys, const float *scores, float *out);
/* weights (n): softmax of the scores, 0 where a key is not seen. */
void attend_weights(const struct attend_keys *keys, const float *scores, struct attend_sum sum,
                    float *weights);

/* attend_scores of keys in 8 bits. */
void attend_scores_q8_0(const struct attend_keys *keys, const float *q, float *scores);
/* acc (head_dim) of keys begin .. end - 1, at most KV_SPLIT_TOKENS, in 8 bits: e_t * v_t of those
 * that are seen. */
void attend_acc_q8_0(const struct attend_keys *keys, int32_t begin, int32_t end, const float *e,
                     float *acc);

/* Whether attention sees key t. */
static inline bool attend_sees(const struct attend_keys *keys, int32_t t)
{
    return !keys->mask || keys->mask[t];
}

/* SHOAL_E_INVALID for numbers of heads that do not go together. */
enum shoal_status teach_check_heads(const struct shoal_teach_heads *heads, struct shoal_error *err);

#endif
