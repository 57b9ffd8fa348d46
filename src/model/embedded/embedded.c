#include "model/builtin.h"

extern const uint8_t shoal_embedded_gguf[];
extern const uint64_t shoal_embedded_gguf_bytes;

const void *model_embedded(size_t *n)
{
    *n = shoal_embedded_gguf_bytes;
    return shoal_embedded_gguf;
}
