/* teach/forward.h - the engine's own forward pass over the tiny model, to compare with */
#ifndef TEACH_FORWARD_H
#define TEACH_FORWARD_H

#include "kv/store.h"
#include "model/forward.h"
#include "shoal/teach.h"

enum { FORWARD_SEQS = 8, FORWARD_BLOCKS = 40 }; /* sequences, and blocks of each */

struct forward {
    struct model *model;
    uint8_t *image;
    size_t n_image;
    struct kernels kernels;
    struct kv_store kv;
    struct model_run *run;
    struct step_slot slots[FORWARD_SEQS];
    int32_t tables[FORWARD_SEQS][FORWARD_BLOCKS];
};

/* Sequence i's blocks are i, FORWARD_SEQS + i, 2 * FORWARD_SEQS + i, ... */
void forward_open(struct forward *f, const char *dtype, int32_t block_size, int32_t n_threads);
void forward_close(struct forward *f);

/* One step; chunk i is of sequence sequences[i]. */
void forward_step(struct forward *f, const struct shoal_teach_chunk *chunks,
                  const int32_t *sequences, int32_t n);
/* Of the last step. */
const float *forward_hidden(const struct forward *f, int32_t row);
void forward_logits(struct forward *f, int32_t row, float *out);

#endif
