/* kv/pool_model.h - what a paged pool with prefix caching should do, by brute force
 *
 * Lists that are searched from end to end; whole prefixes are compared, token by token. */
#ifndef KV_POOL_MODEL_H
#define KV_POOL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_BLOCKS = 24, MODEL_BLOCK_SIZE = 2, MODEL_LENGTH = 16, MODEL_PREFIXES = 1 << 14 };

/* A prefix that was made known once. It is lost when its block is taken, and so is all that was
 * published behind it. */
struct model_prefix {
    int32_t n;                    /* tokens */
    int32_t tokens[MODEL_LENGTH]; /* from the sequence's start */
    int32_t behind;               /* index of the prefix it continues; -1: none */
    int32_t block;                /* that holds its last tokens; -1: taken */
};

struct pool_model {
    int32_t refs[MODEL_BLOCKS];
    int32_t content[MODEL_BLOCKS]; /* index of the prefix it holds; -1: unknown */
    int32_t n_free, n_cached;
    int32_t free[MODEL_BLOCKS];   /* the last is taken first */
    int32_t cached[MODEL_BLOCKS]; /* the first is taken first */
    int32_t n_prefixes;
    struct model_prefix prefixes[MODEL_PREFIXES];
};

void model_init(struct pool_model *m);
bool model_take(struct pool_model *m, int32_t n, int32_t ids[]);
void model_ref(struct pool_model *m, int32_t id);
void model_release(struct pool_model *m, const int32_t ids[], int32_t n);
int32_t model_match(const struct pool_model *m, const int32_t tokens[], int32_t n, int32_t ids[]);
void model_publish(struct pool_model *m, const int32_t ids[], int32_t i, const int32_t tokens[]);
void model_forget(struct pool_model *m);

#endif
