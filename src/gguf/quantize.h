/* gguf/quantize.h - floats -> the blocks of a tensor, by the rules that ggml's own files follow */
#ifndef GGUF_QUANTIZE_H
#define GGUF_QUANTIZE_H

#include "gguf/types.h"

/* Stores n values, a multiple of the block's items, in blocks (gguf_row_bytes). NULL, or what is
 * wrong: a type that this does not write, or a value or a scale that the type cannot hold. */
const char *gguf_quantize(enum gguf_type type, const float *values, int64_t n, void *blocks);

#endif
