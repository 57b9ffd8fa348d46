/* engine/local_model.h - a model for one process alone: opened, packed, ready to run
 *
 * What a replay and a measurement need of an engine: no ranks, no scheduler, memory of its own. */
#ifndef ENGINE_LOCAL_MODEL_H
#define ENGINE_LOCAL_MODEL_H

#include "kv/store.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

struct local_model {
    struct model *model;
    struct tokenizer *tokenizer; /* NULL unless asked for */
    uint8_t *image;              /* what model's fields point into */
    size_t n_image;
};

struct local_model_options {
    const char *name; /* as --model takes it */
    enum model_weights weights;
    int32_t max_positions; /* longest sequence; 0 or more than the context: that */
    int32_t n_threads;     /* to pack with */
    bool wants_tokenizer;
};

/* On failure *m is empty. */
enum shoal_status local_model_open(struct local_model *m, const struct local_model_options *options,
                                   struct shoal_error *err);
void local_model_close(struct local_model *m); /* zeroed is fine */

/* Threads to compute with where --threads is `asked`: 0 means the cores this process may use. */
int32_t local_threads(int32_t asked);

/* The names that the options take, as checked by engine_settings_check. */
enum model_weights engine_parse_weights(const char *name);
enum kv_dtype engine_parse_kv_dtype(const char *name);

#endif
