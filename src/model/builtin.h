/* model/builtin.h - the built-in models: `tiny` is made here, `embedded` is linked in */
#ifndef MODEL_BUILTIN_H
#define MODEL_BUILTIN_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* The seed project's TinyLLM as a GGUF in memory: one layer, one head of 32, context 512, byte
 * tokens, random projections and embedding (tied to the output) from a fixed seed. The caller frees
 * *bytes with mem_free. */
enum shoal_status model_tiny(void **bytes, size_t *n, struct shoal_error *err);

/* The small trained model that is linked into the program (model/embedded/README.md). */
const void *model_embedded(size_t *n);

#endif
