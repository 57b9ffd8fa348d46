/* engine/small_model.h - a llama of a few thousand random weights, whole or with one value broken
 */
#ifndef ENGINE_SMALL_MODEL_H
#define ENGINE_SMALL_MODEL_H

#include "gguf/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SMALL_LAYERS = 3,
    SMALL_EMBD = 64,
    SMALL_FF = 96,
    SMALL_VOCAB = 256, /* bytes are tokens */
    SMALL_CTX = 128
};

/* A value of a tensor that is not finite. */
struct breakage {
    const char *tensor; /* NULL: nothing is broken */
    int64_t row;
    float value; /* NaN or an infinity: the first element of the row, or the scale of its first
                  * block where the tensor is Q8_0 */
};

/* Writes the model to a new file (linear layers of that type, F32 or Q8_0; embedding and norms F32)
 * and its name to path. The caller unlinks it. */
void small_model_write(char path[static 256], enum gguf_type linear, const struct breakage *broken);

#endif
