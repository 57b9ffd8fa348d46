/* gguf/gguf.h - a GGUF version 3 file, mapped and checked
 *
 * Follows the format's specification (ggml, docs/gguf.md). Every length is checked before it is
 * used; after gguf_open the key-values and tensors can be read without another check. The file
 * stays mapped read-only until gguf_close; all pointers given out are views into it (strings do not
 * end in 0). One thread opens; any thread reads. */
#ifndef GGUF_GGUF_H
#define GGUF_GGUF_H

#include "base/status.h"
#include "gguf/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GGUF_MAX_DIMS = 4, GGUF_MAX_NAME = 63 };

/* Value types, numbered as in the file. */
enum gguf_value_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_VALUE_TYPE_COUNT
};

/* "u8", "string"; type must be in range. */
const char *gguf_value_type_name(enum gguf_value_type type);

/* Bytes in the file; not terminated. */
struct gguf_string {
    const char *bytes;
    size_t n;
};

struct gguf_tensor {
    char name[GGUF_MAX_NAME + 1];
    enum gguf_type type;
    int32_t n_dims;
    int64_t ne[GGUF_MAX_DIMS]; /* fastest first; ne[0] is the row length; 1 beyond n_dims */
    size_t n_bytes;            /* of the data, checked to lie in the file */
    const uint8_t *data;       /* into the mapping, aligned as the file says (at least 8) */
};

struct gguf;

/* Map and check the file at path. On failure *out is NULL and *err says what is wrong and at which
 * byte. The file must not be cut short while it is open: its pages are read when they are used. */
enum shoal_status gguf_open(struct gguf **out, const char *path, struct shoal_error *err);

/* The same for n bytes in memory, borrowed until gguf_close; bytes must be aligned to 64 (GGUF
 * offsets are). name stands for the path in messages. */
enum shoal_status gguf_open_memory(struct gguf **out, const void *bytes, size_t n, const char *name,
                                   struct shoal_error *err);
void gguf_close(struct gguf *g); /* NULL is fine */

const char *gguf_name(const struct gguf *g); /* the path, or the name given */
/* All bytes of the file. */
const void *gguf_bytes(const struct gguf *g, size_t *n);
/* Tell the kernel that the mapped pages are not needed for now (they come back when touched). Does
 * nothing for a file in memory. */
void gguf_forget_pages(const struct gguf *g);

int64_t gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, int64_t i);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name); /* or NULL */

/* One key-value. For an array, element type and count of its elements. */
struct gguf_kv {
    struct gguf_string key;
    enum gguf_value_type type;
    enum gguf_value_type element_type; /* of an array; otherwise the same as type */
    uint64_t n;                        /* elements of an array; 1 otherwise */
    const uint8_t *value;              /* into the file; elements back to back, a string as its u64
                                        * length and its bytes */
};

int64_t gguf_n_kv(const struct gguf *g);
const struct gguf_kv *gguf_kv_at(const struct gguf *g, int64_t i);
const struct gguf_kv *gguf_find(const struct gguf *g, const char *key); /* NULL when absent */

/* Typed reads. Each returns SHOAL_OK and sets *out; when the key is absent they return SHOAL_OK and
 * set *out to fallback, so that only a value of the wrong type or out of range is an error.
 * Integers of any width and sign are taken where the value fits; a float also where the file has
 * f64. */
enum shoal_status gguf_get_i64(const struct gguf *g, const char *key, int64_t fallback, int64_t low,
                               int64_t high, int64_t *out, struct shoal_error *err);
enum shoal_status gguf_get_float(const struct gguf *g, const char *key, float fallback, float *out,
                                 struct shoal_error *err);
enum shoal_status gguf_get_bool(const struct gguf *g, const char *key, bool fallback, bool *out,
                                struct shoal_error *err);
/* Absent: {NULL, 0}. */
enum shoal_status gguf_get_string(const struct gguf *g, const char *key, struct gguf_string *out,
                                  struct shoal_error *err);

/* Arrays are read element by element; i < kv->n. The element type must have been checked. A scalar
 * reads as an array of one. A u64 beyond INT64_MAX reads as INT64_MAX. */
int64_t gguf_array_i64(const struct gguf_kv *kv, uint64_t i); /* any integer or bool element type */
float gguf_array_float(const struct gguf_kv *kv, uint64_t i); /* GGUF_F32 or GGUF_F64 */

/* An array of strings is walked with a cursor that starts at {kv->value}: each call gives the next
 * string. Call at most kv->n times. */
struct gguf_string gguf_next_string(const uint8_t **cursor);

#endif
