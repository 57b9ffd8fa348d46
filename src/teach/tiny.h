/* teach/tiny.h - the tiny model inside of the folder: weights, and the buffers of one pass */
#ifndef TEACH_TINY_H
#define TEACH_TINY_H

#include "shoal/teach.h"

#include "kernels/kernels.h"
#include "model/model.h"

/* The rows of a pass. Widths are n_embd, which is a whole number of panels, as is n_vocab. */
struct tiny_pass {
    int32_t n_rows, n_chunks;
    float *x; /* (n_rows, n_embd) embeddings, then the hidden states */
    float *q, *k, *v;
    float *attended; /* (n_rows, n_embd) */
    float *branch;   /* (n_rows, n_embd) what goes back into x */
    float *last;     /* (n_chunks, n_embd) hidden states that give logits */
    float *logits;   /* (n_chunks, n_vocab) */
    int32_t *next;   /* (n_chunks) */
    void *memory;    /* all of the above */
};

struct shoal_teach_tiny {
    struct kernels kernels;
    struct model *model;
    uint8_t *image; /* what model's fields point into */
    size_t n_image;
    struct tiny_pass pass; /* the last one that succeeded: what outputs point into */
};

struct shoal_teach_heads tiny_heads(const struct shoal_teach_tiny *tiny);

/* The arguments of the three passes. */
enum shoal_status tiny_check_dense(const struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                   int32_t n_tokens, const struct shoal_teach_cache *cache,
                                   struct shoal_error *err);
enum shoal_status tiny_check_ragged(const struct shoal_teach_tiny *tiny,
                                    const struct shoal_teach_batch *batch,
                                    struct shoal_teach_cache *const caches[], int32_t n_caches,
                                    struct shoal_error *err);
enum shoal_status tiny_check_decode(const struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                    struct shoal_teach_cache *const caches[], int32_t n,
                                    struct shoal_error *err);

enum shoal_status tiny_pass_create(const struct shoal_teach_tiny *tiny, int32_t n_rows,
                                   int32_t n_chunks, struct tiny_pass *out,
                                   struct shoal_error *err);
void tiny_pass_destroy(struct tiny_pass *pass); /* zeroed is fine */

/* x = embedding[token]; q, k, v from it. */
void tiny_project(const struct shoal_teach_tiny *tiny, struct tiny_pass *pass,
                  const int32_t *tokens);
/* From attended to x, and from the rows that end chunks (n_chunks) to logits and next. */
void tiny_finish(const struct shoal_teach_tiny *tiny, struct tiny_pass *pass,
                 const int32_t *last_rows);
/* The pass becomes the model's, in place of the one before. */
void tiny_keep(struct shoal_teach_tiny *tiny, struct tiny_pass *pass,
               struct shoal_teach_output *out);

#endif
