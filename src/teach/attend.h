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

/* SHOAL_E_INVALID for numbers of heads that do not go together. */
enum shoal_status teach_check_heads(const struct shoal_teach_heads *heads, struct shoal_error *err);

#endif
