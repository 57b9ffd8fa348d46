/* model/trial.h - a few sequences through the forward pass, however cut, with plugins of the test
 */
#ifndef MODEL_TRIAL_H
#define MODEL_TRIAL_H

#include "kernels/kernels.h"
#include "model/forward.h"
#include "plugin/plugins.h"

enum {
    TRIAL_SEQS = 3,
    TRIAL_LONGEST = 300, /* more than one split */
    TRIAL_PLUGINS = 3
};

/* Tokens of each sequence; sequence i is choice 0 of request 1 + i. */
extern const int32_t trial_lengths[TRIAL_SEQS];
int32_t trial_first_row(int32_t seq); /* of its rows in the logits of all, end to end */
int32_t trial_rows(void);

struct trial {
    const char *model; /* "embedded" or "tiny" */
    enum cpu_isa isa;
    int32_t threads, block_size;
    int32_t chunk;   /* tokens of a sequence a step */
    bool is_alone;   /* each sequence in steps of its own */
    bool wants_last; /* of each sequence only its last row; the others' logits are left 0 */
    enum kv_dtype kv_dtype;
    const struct shoal_plugin *plugins[TRIAL_PLUGINS]; /* up to the first NULL */
    void *user;                                        /* of their create */
    bool errors_are_fatal;
};

/* The machine's best instruction set, one thread, blocks of 16, one chunk, f16, embedded. */
struct trial trial_plain(void);

/* What came out: logits of every row, of a row that had a value that is not finite its layer
 * (else -1), and how many multiplications and additions the linear layers made of it. */
struct outcome {
    int32_t n_vocab;
    float *logits; /* (trial_rows, n_vocab) */
    int32_t *bad;  /* (trial_rows) */
    double linear_ops;
    int32_t n_layer, n_head, n_head_kv, head_dim;
};

/* On failure *out is empty. */
enum shoal_status trial_run(const struct trial *t, struct outcome *out, struct shoal_error *err);
/* The same where nothing may fail. */
struct outcome trial_good(const struct trial *t);
void outcome_fini(struct outcome *o);

/* The sequences whose logits are not the same bits, as a mask. */
unsigned outcome_differs(const struct outcome *a, const struct outcome *b);
/* The largest difference of a logit of a sequence. */
double outcome_distance(const struct outcome *a, const struct outcome *b, int32_t seq);

/* A few ways to cut the same work, every one of which must give the same bits. */
enum { TRIAL_WAYS = 7 };
struct trial trial_way(struct trial t, int32_t way);
/* The outcome of a way: the first is kept in *first, the others are to be the same and are freed.
 */
void trial_same_in_all_ways(struct outcome *first, struct outcome *o, int32_t way);

#endif
