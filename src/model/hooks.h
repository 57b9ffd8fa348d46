/* model/hooks.h - what plugins of attention and cache mean for whoever sets up a run
 *
 * The calls themselves are the forward pass's: model/attention_hooks.c and model/cache_hooks.c. */
#ifndef MODEL_HOOKS_H
#define MODEL_HOOKS_H

#include "kv/store.h"
#include "model/model.h"

struct plugins;

/* The store that a run of the model with these plugins (or NULL) takes: rows of a plugin that
 * stores them its own way, else tiles of dtype. Refuses heads that this plugin cannot store; that
 * dtype can hold them is kv_store_init's to check. */
enum shoal_status model_kv_options(const struct model *m, const struct plugins *plugins,
                                   enum kv_dtype dtype, int32_t block_size, int32_t n_blocks,
                                   struct kv_store_options *out, struct shoal_error *err);

/* The salt of a sequence for the prefix cache (sched_sequence.salt): the same for two that the
 * plugins treat alike, 0 where they leave all its numbers alone. Attention is replaced alike where
 * the same heads of the same layers are, unless several plugins could; K and V that a plugin may
 * change are the sequence's own. */
uint64_t model_salt(const struct plugins *plugins, const struct model_hparams *hp, uint64_t request,
                    int32_t choice);

#endif
