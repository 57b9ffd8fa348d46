/* gguf/writer.h - make a GGUF file in memory
 *
 * For the built-in `tiny` model, for `shoal inspect --extract`, and for tests that need a file of
 * their own. Key-values first, then tensors, then gguf_writer_finish. The first failure (memory)
 * sticks and finish reports it. */
#ifndef GGUF_WRITER_H
#define GGUF_WRITER_H

#include "gguf/gguf.h"

struct gguf_writer;

struct gguf_writer *gguf_writer_create(void); /* NULL when out of memory */
void gguf_writer_destroy(struct gguf_writer *w);

void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t value);
void gguf_write_f32(struct gguf_writer *w, const char *key, float value);
void gguf_write_bool(struct gguf_writer *w, const char *key, bool value);
void gguf_write_string(struct gguf_writer *w, const char *key, const char *value);
/* n strings; lengths (n), or NULL when they end in 0. */
void gguf_write_strings(struct gguf_writer *w, const char *key, const char *const values[],
                        const size_t lengths[], uint64_t n);
void gguf_write_f32s(struct gguf_writer *w, const char *key, const float values[], uint64_t n);
void gguf_write_i32s(struct gguf_writer *w, const char *key, const int32_t values[], uint64_t n);

/* data holds the tensor's bytes in that type (copied). */
void gguf_write_tensor(struct gguf_writer *w, const char *name, enum gguf_type type, int32_t n_dims,
                       const int64_t ne[], const void *data);
/* The same from floats: stored as F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 or Q5_1 by the rules of
 * the format. */
void gguf_write_tensor_f32(struct gguf_writer *w, const char *name, enum gguf_type type,
                           int32_t n_dims, const int64_t ne[], const float *values);

/* The whole file, aligned to 64 bytes; the caller frees it with mem_free. */
enum shoal_status gguf_writer_finish(struct gguf_writer *w, void **bytes, size_t *n,
                                     struct shoal_error *err);

#endif
