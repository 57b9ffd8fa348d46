/* ref/attention_q8_0.h - the portable definition of attention over K and V in 8 bits */
#ifndef KERNELS_REF_ATTENTION_Q8_0_H
#define KERNELS_REF_ATTENTION_Q8_0_H

#include "kernels/attention.h"

/* quantize_kv_t of kv_q8_0.h */
uint16_t quantize_kv_ref(const float x[32], int8_t q[32]);

/* kv_head_load */
void q8_0_load(const uint8_t *head, int32_t block_size, int32_t head_dim, int32_t slot, float *k,
               float *v);

/* One row over the keys at begin .. last, none if that is less. */
void split_row_q8_0(const struct attention_args *a, const float *q, int32_t begin, int32_t last,
                    float *part, float *scratch);

#endif
