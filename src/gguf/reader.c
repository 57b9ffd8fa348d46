/* The checks that stand between a file's bytes and everything that trusts them. Specification:
 * ggml, docs/gguf.md; what it leaves open is decided as ggml's own reader does. */
#include "gguf/file.h"

#include "base/mem.h"
#include "gguf/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    HEAD_BYTES = 24,
    VERSION_MIN = 2, /* on disk the same as 3 */
    VERSION_MAX = 3,
    /* the least that one entry takes: a name of one byte, one dimension, a value of one byte */
    MIN_KV_BYTES = 8 + 1 + 4 + 1,
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8,
    MAX_KEY_BYTES = 65535,
    MAX_ARRAY_ITEMS = 1 << 30,
    DEFAULT_ALIGNMENT = 32,
    MIN_ALIGNMENT = 8
};

#define MAX_ALIGNMENT ((int64_t)1 << 31)

static size_t align_up(size_t n, size_t alignment)
{
    return (n + alignment - 1) & ~(alignment - 1);
}

/* The number of things that follow, of which each takes at least min_bytes. */
static int64_t read_count(struct cursor *c, const char *things, size_t min_bytes)
{
    const size_t at = c->at;
    const uint64_t n = cursor_u64(c, things);

    if (n > INT64_MAX)
        cursor_fail(c, at, SHOAL_E_FORMAT, "the number of %s is negative: %" PRId64, things,
                    (int64_t)n);
    else if (n > c->n / min_bytes)
        cursor_fail(c, at, SHOAL_E_FORMAT,
                    "claims %" PRIu64 " %s, more than a file of %zu bytes can hold", n, things,
                    c->n);
    return c->status ? 0 : (int64_t)n;
}

static void read_head(struct cursor *c, struct gguf *g)
{
    const uint8_t *magic;
    uint32_t version;

    if (c->n < HEAD_BYTES) {
        cursor_fail(c, c->n, SHOAL_E_FORMAT,
                    "the file has %zu bytes, too few for the %d of a GGUF head", c->n, HEAD_BYTES);
        return;
    }
    magic = cursor_take(c, 4, "the magic number");
    if (memcmp(magic, "GGUF", 4) != 0) {
        cursor_fail(c, 0, SHOAL_E_FORMAT,
                    "not a GGUF file: it begins with %02x %02x %02x %02x, not with \"GGUF\"",
                    magic[0], magic[1], magic[2], magic[3]);
        return;
    }
    version = cursor_u32(c, "the version");
    if (version != 0 && (version & 0xffff) == 0)
        cursor_fail(c, 4, SHOAL_E_UNSUPPORTED,
                    "a big-endian GGUF file is not supported; convert it to little-endian");
    else if (version < VERSION_MIN || version > VERSION_MAX)
        cursor_fail(c, 4, SHOAL_E_UNSUPPORTED,
                    "GGUF version %" PRIu32 " is not supported; supported are %d and %d", version,
                    VERSION_MIN, VERSION_MAX);
    g->n_tensors = read_count(c, "tensors", MIN_TENSOR_BYTES);
    g->n_kv = read_count(c, "key-values", MIN_KV_BYTES);
}

static void check_bools(struct cursor *c, const uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (p[i] > 1) {
            cursor_fail(c, (size_t)(p + i - c->bytes), SHOAL_E_FORMAT, "a bool is 0 or 1, not %d",
                        p[i]);
            return;
        }
}

static void read_array(struct cursor *c, struct gguf_kv *kv)
{
    const size_t at = c->at;
    const uint32_t type = cursor_u32(c, "the element type");
    const uint64_t n = cursor_u64(c, "the number of elements");
    size_t size;

    if (type >= GGUF_VALUE_TYPE_COUNT) {
        cursor_fail(c, at, SHOAL_E_FORMAT, "element type %" PRIu32 " is not known", type);
        return;
    }
    if (type == GGUF_ARRAY) {
        cursor_fail(c, at, SHOAL_E_UNSUPPORTED, "an array of arrays is not supported");
        return;
    }
    if (n > MAX_ARRAY_ITEMS) {
        cursor_fail(c, at + 4, SHOAL_E_FORMAT, "has %" PRIu64 " elements; an array has at most %d",
                    n, MAX_ARRAY_ITEMS);
        return;
    }
    kv->element_type = (enum gguf_value_type)type;
    kv->n = n;
    size = type == GGUF_STRING ? sizeof(uint64_t) : gguf_value_bytes(kv->element_type);
    if (n > cursor_left(c) / size) {
        cursor_fail(c, at + 4, SHOAL_E_FORMAT,
                    "%" PRIu64 " elements of type %s need at least %" PRIu64
                    " bytes, but the file ends in %zu",
                    n, gguf_value_type_name(kv->element_type), n * size, cursor_left(c));
        return;
    }
    kv->value = c->bytes + c->at;
    if (type == GGUF_STRING) {
        for (uint64_t i = 0; i < n && !c->status; i++)
            cursor_string(c, "a string of the array");
        return;
    }
    cursor_take(c, n * size, "the array");
    if (type == GGUF_BOOL)
        check_bools(c, kv->value, n);
}

static void read_kv(struct cursor *c, struct gguf_kv *kv)
{
    size_t at = c->at;
    uint32_t type;

    c->kind = NULL;
    kv->key = cursor_string(c, "a key");
    if (kv->key.n == 0)
        cursor_fail(c, at, SHOAL_E_FORMAT, "a key is empty");
    if (kv->key.n > MAX_KEY_BYTES)
        cursor_fail(c, at, SHOAL_E_FORMAT, "a key has %zu bytes; the most is %d", kv->key.n,
                    MAX_KEY_BYTES);
    c->kind = "key";
    c->subject = kv->key;
    at = c->at;
    type = cursor_u32(c, "the value type");
    if (type >= GGUF_VALUE_TYPE_COUNT)
        cursor_fail(c, at, SHOAL_E_FORMAT, "value type %" PRIu32 " is not known", type);
    if (c->status)
        return;
    kv->type = kv->element_type = (enum gguf_value_type)type;
    kv->n = 1;
    kv->value = c->bytes + c->at;
    if (type == GGUF_ARRAY)
        read_array(c, kv);
    else if (type == GGUF_STRING)
        cursor_string(c, "the value");
    else if (cursor_take(c, gguf_value_bytes(kv->type), "the value") && type == GGUF_BOOL)
        check_bools(c, kv->value, 1);
}

static void index_names(struct cursor *c, struct name_entry entries[], int64_t n, const char *kind)
{
    int64_t i;

    c->kind = kind;
    names_sort(entries, n);
    i = names_duplicate(entries, n);
    for (int64_t k = 0; i >= 0 && k < n; k++)
        if (entries[k].i == i) {
            c->subject = entries[k].name;
            cursor_fail(c, (size_t)((const uint8_t *)c->subject.bytes - c->bytes), SHOAL_E_FORMAT,
                        "stands in the file twice");
        }
    c->kind = NULL;
}

static void read_kvs(struct cursor *c, struct gguf *g)
{
    g->kvs = mem_new((size_t)g->n_kv, sizeof *g->kvs);
    g->kv_names = mem_new((size_t)g->n_kv, sizeof *g->kv_names);
    if (!g->kvs || !g->kv_names) {
        c->status = shoal_fail_memory(c->err, "the index of keys",
                                      (size_t)g->n_kv * (sizeof *g->kvs + sizeof *g->kv_names));
        return;
    }
    for (int64_t i = 0; i < g->n_kv && !c->status; i++) {
        read_kv(c, &g->kvs[i]);
        g->kv_names[i] = (struct name_entry){.name = g->kvs[i].key, .i = i};
    }
    if (!c->status)
        index_names(c, g->kv_names, g->n_kv, "key");
}

/* A value that decides how the rest of the file is read. *at is where it stands. */
static int64_t read_setting(struct cursor *c, const struct gguf *g, const char *key,
                            int64_t fallback, size_t *at)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    int64_t value = fallback;

    *at = kv ? (size_t)(kv->value - c->bytes) : c->at;
    if (!c->status)
        c->status = gguf_get_i64(g, key, fallback, INT64_MIN, INT64_MAX, &value, c->err);
    c->kind = "key";
    c->subject = (struct gguf_string){.bytes = key, .n = strlen(key)};
    return value;
}

static void refuse_split(struct cursor *c, const struct gguf *g)
{
    size_t at;
    const int64_t n = read_setting(c, g, "split.count", 0, &at);

    if (n > 1)
        cursor_fail(c, at, SHOAL_E_UNSUPPORTED,
                    "the model is split over %" PRId64
                    " files, which is not supported; merge them into one",
                    n);
}

static size_t read_alignment(struct cursor *c, const struct gguf *g)
{
    size_t at;
    const int64_t n = read_setting(c, g, "general.alignment", DEFAULT_ALIGNMENT, &at);

    if (n < MIN_ALIGNMENT || n > MAX_ALIGNMENT || (n & (n - 1)) != 0) {
        cursor_fail(c, at, SHOAL_E_FORMAT,
                    "is %" PRId64 "; it must be a power of two from %d to %" PRId64, n,
                    MIN_ALIGNMENT, MAX_ALIGNMENT);
        return DEFAULT_ALIGNMENT;
    }
    return (size_t)n;
}

static const char *supported_types(char *out, size_t size)
{
    size_t n = 0;

    for (uint32_t type = 0; type < GGUF_TYPE_COUNT; type++) {
        const struct gguf_type_info *info = gguf_type_info(type);
        if (info->block_items && n < size)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", info->name);
    }
    return out;
}

/* Fails unless type is one that shoal computes with. */
static const struct gguf_type_info *check_type(struct cursor *c, size_t at, uint32_t type)
{
    const struct gguf_type_info *info = gguf_type_info(type);
    char supported[160];

    if (!info || !info->name)
        cursor_fail(c, at, SHOAL_E_UNSUPPORTED, "type %" PRIu32 " is not known; supported are %s",
                    type, supported_types(supported, sizeof supported));
    else if (!info->block_items)
        cursor_fail(c, at, SHOAL_E_UNSUPPORTED, "type %s is not supported; supported are %s",
                    info->name, supported_types(supported, sizeof supported));
    return info;
}

static struct gguf_string read_tensor_name(struct cursor *c, struct gguf_tensor *t)
{
    const size_t at = c->at;
    struct gguf_string name;

    c->kind = NULL;
    name = cursor_string(c, "a tensor's name");
    if (name.n == 0)
        cursor_fail(c, at, SHOAL_E_FORMAT, "a tensor's name is empty");
    c->kind = "tensor";
    c->subject = name;
    if (c->status)
        return name;
    if (name.n > GGUF_MAX_NAME)
        cursor_fail(c, at, SHOAL_E_FORMAT, "the name has %zu bytes; the most is %d", name.n,
                    GGUF_MAX_NAME);
    else if (memchr(name.bytes, 0, name.n))
        cursor_fail(c, at, SHOAL_E_FORMAT, "the name holds a zero byte");
    else
        memcpy(t->name, name.bytes, name.n);
    return name;
}

/* Returns the number of elements. */
static int64_t read_shape(struct cursor *c, struct gguf_tensor *t)
{
    size_t at = c->at;
    const uint32_t n_dims = cursor_u32(c, "the number of dimensions");
    int64_t n_items = 1;

    if (n_dims < 1 || n_dims > GGUF_MAX_DIMS) {
        cursor_fail(c, at, SHOAL_E_FORMAT, "has %" PRIu32 " dimensions; supported are 1 to %d",
                    n_dims, GGUF_MAX_DIMS);
        return 0;
    }
    t->n_dims = (int32_t)n_dims;
    for (uint32_t k = 0; k < GGUF_MAX_DIMS; k++) {
        at = c->at;
        t->ne[k] = k < n_dims ? (int64_t)cursor_u64(c, "a dimension") : 1;
        if (t->ne[k] <= 0)
            cursor_fail(c, at, SHOAL_E_FORMAT, "dimension %" PRIu32 " is %" PRId64, k, t->ne[k]);
        else if (__builtin_mul_overflow(n_items, t->ne[k], &n_items))
            cursor_fail(c, at, SHOAL_E_FORMAT, "the number of elements overflows");
    }
    return n_items;
}

/* Reads one descriptor. *end is where the data of the tensors before it end within the data
 * section, padded; it is moved on. */
static struct gguf_string read_tensor(struct cursor *c, struct gguf_tensor *t, size_t alignment,
                                      size_t *end)
{
    const struct gguf_string name = read_tensor_name(c, t);
    const int64_t n_items = read_shape(c, t);
    const size_t type_at = c->at;
    const uint32_t type = cursor_u32(c, "the type");
    const size_t offset_at = c->at;
    const uint64_t offset = cursor_u64(c, "the offset");
    const struct gguf_type_info *info = check_type(c, type_at, type);

    if (c->status)
        return name;
    t->type = (enum gguf_type)type;
    if (t->ne[0] % info->block_items != 0)
        cursor_fail(c, type_at, SHOAL_E_FORMAT,
                    "rows of %" PRId64 " elements do not divide into %s blocks of %" PRId32,
                    t->ne[0], info->name, info->block_items);
    else if (!mem_mul((size_t)(n_items / info->block_items), (size_t)info->block_bytes,
                      &t->n_bytes))
        cursor_fail(c, type_at, SHOAL_E_FORMAT, "the number of bytes overflows");
    else if (offset != *end)
        cursor_fail(c, offset_at, SHOAL_E_FORMAT,
                    "its data stand at offset %" PRIu64 " of the data section, not at %zu where "
                    "those of the tensor before it end",
                    offset, *end);
    else if (*end > c->n || t->n_bytes > c->n - *end)
        cursor_fail(c, offset_at, SHOAL_E_FORMAT,
                    "its %zu bytes of data do not fit in a file of %zu bytes; it may be cut short",
                    t->n_bytes, c->n);
    else
        *end = align_up(*end + t->n_bytes, alignment);
    return name;
}

/* Points every tensor at its data, once the end of the descriptors is known. */
static void place_tensors(struct cursor *c, struct gguf *g, size_t alignment)
{
    size_t at = align_up(c->at, alignment);

    c->kind = "tensor";
    for (int64_t i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        if (at > c->n || t->n_bytes > c->n - at) {
            c->subject = (struct gguf_string){.bytes = t->name, .n = strlen(t->name)};
            cursor_fail(c, c->n, SHOAL_E_FORMAT,
                        "its data take the bytes %zu to %zu, but the file ends before; it may be "
                        "cut short",
                        at, at + t->n_bytes);
            return;
        }
        t->data = c->bytes + at;
        at = align_up(at + t->n_bytes, alignment);
    }
}

static void read_tensors(struct cursor *c, struct gguf *g, size_t alignment)
{
    size_t end = 0;

    g->tensors = mem_new((size_t)g->n_tensors, sizeof *g->tensors);
    g->tensor_names = mem_new((size_t)g->n_tensors, sizeof *g->tensor_names);
    if (!g->tensors || !g->tensor_names) {
        c->status = shoal_fail_memory(c->err, "the index of tensors",
                                      (size_t)g->n_tensors *
                                          (sizeof *g->tensors + sizeof *g->tensor_names));
        return;
    }
    for (int64_t i = 0; i < g->n_tensors && !c->status; i++)
        g->tensor_names[i] = (struct name_entry){
            .name = read_tensor(c, &g->tensors[i], alignment, &end),
            .i = i,
        };
    if (!c->status)
        index_names(c, g->tensor_names, g->n_tensors, "tensor");
    if (!c->status)
        place_tensors(c, g, alignment);
}

enum shoal_status gguf_read(struct gguf *g, struct shoal_error *err)
{
    struct cursor c = {
        .bytes = g->bytes,
        .n = g->n,
        .file = gguf_shown_name(g),
        .err = err,
    };
    size_t alignment;

    read_head(&c, g);
    if (!c.status)
        read_kvs(&c, g);
    if (c.status)
        return c.status;
    refuse_split(&c, g);
    alignment = read_alignment(&c, g);
    if (!c.status)
        read_tensors(&c, g, alignment);
    return c.status;
}
