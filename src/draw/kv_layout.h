/* draw/kv_layout.h - a dense KV cache beside a paged one, as an SVG picture
 *
 * Above: one run a request as long as its prompt and all it may generate. Below: a pool's blocks
 * in the order of memory, each with its owner, and the requests' block tables. What is taken and
 * holds no token is hatched. */
#ifndef DRAW_KV_LAYOUT_H
#define DRAW_KV_LAYOUT_H

#include "base/text.h"

struct kv_layout_request {
    const char *name;
    int32_t n_tokens;           /* in the cache */
    int32_t n_most;             /* prompt + most new tokens: what a dense cache reserves */
    const int32_t *block_table; /* (n_blocks) of the paged cache */
    int32_t n_blocks;
};

struct kv_layout_picture {
    const char *title;
    const char *layout;                       /* of the pool that is drawn: "paged" */
    const struct kv_layout_request *requests; /* (n_requests) */
    int32_t n_requests;
    int32_t block_size, n_pool_blocks; /* tokens a block; blocks of the paged pool */
};

/* Append the picture to out (out->failed where memory runs out). */
void kv_layout_draw(const struct kv_layout_picture *p, struct text *out);

#endif
