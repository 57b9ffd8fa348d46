/* gguf/file.h - an open file: what the reader fills and the accessors read */
#ifndef GGUF_FILE_H
#define GGUF_FILE_H

#include "gguf/names.h"

struct gguf {
    char *name;           /* the path, or what gguf_open_memory was given; owned */
    const uint8_t *bytes; /* (n) mapped, or borrowed */
    size_t n;
    bool is_mapped;
    int64_t n_kv, n_tensors;
    struct gguf_kv *kvs;                        /* (n_kv) in the file's order */
    struct gguf_tensor *tensors;                /* (n_tensors) in the file's order */
    struct name_entry *kv_names, *tensor_names; /* sorted */
};

/* Fills kvs, tensors and their indexes from bytes; what was taken before a failure stays in g for
 * gguf_close. */
enum shoal_status gguf_read(struct gguf *g, struct shoal_error *err);

/* The name for messages: the end of a path that is too long for them. */
const char *gguf_shown_name(const struct gguf *g);

/* Bytes of one scalar value; 0 for strings and arrays. */
size_t gguf_value_bytes(enum gguf_value_type type);

#endif
