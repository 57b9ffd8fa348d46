#include "gguf/file.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SHOWN_NAME = 160 };

const char *gguf_shown_name(const struct gguf *g)
{
    const size_t n = strlen(g->name);

    return g->name + (n > MAX_SHOWN_NAME ? n - MAX_SHOWN_NAME : 0);
}

/* Maps the file at g->name. */
static enum shoal_status map_file(struct gguf *g, struct shoal_error *err)
{
    const char *name = gguf_shown_name(g);
    enum shoal_status status = SHOAL_OK;
    struct stat st;
    void *p;
    /* O_NONBLOCK: a named pipe must not hang the program before fstat has told what it is */
    const int fd = open(g->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return shoal_fail(err, SHOAL_E_IO, "%s: cannot be opened: %s", name, strerror(errno));
    if (fstat(fd, &st) < 0)
        status = shoal_fail(err, SHOAL_E_IO, "%s: cannot be examined: %s", name, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        status = shoal_fail(err, SHOAL_E_IO, "%s: is a directory; name a GGUF file in it", name);
    else if (!S_ISREG(st.st_mode))
        status =
            shoal_fail(err, SHOAL_E_IO, "%s: is not a regular file, so it cannot be mapped", name);
    else if (st.st_size == 0)
        status = shoal_fail(err, SHOAL_E_FORMAT, "%s: is empty", name);
    if (status == SHOAL_OK) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            status = shoal_fail(err, SHOAL_E_IO, "%s: cannot be mapped: %s", name, strerror(errno));
        } else {
            g->bytes = p;
            g->n = (size_t)st.st_size;
            g->is_mapped = true;
        }
    }
    close(fd);
    return status;
}

/* bytes NULL: map the file called name. */
static enum shoal_status open_any(struct gguf **out, const void *bytes, size_t n, const char *name,
                                  struct shoal_error *err)
{
    struct gguf *g = mem_new(1, sizeof *g);
    enum shoal_status status = SHOAL_OK;

    *out = NULL;
    if (g)
        g->name = mem_strdup(name);
    if (!g || !g->name) {
        gguf_close(g);
        return shoal_fail_memory(err, "the model file's index", sizeof *g + strlen(name) + 1);
    }
    if (bytes) {
        g->bytes = bytes;
        g->n = n;
    } else {
        status = map_file(g, err);
    }
    if (status == SHOAL_OK)
        status = gguf_read(g, err);
    if (status != SHOAL_OK) {
        gguf_close(g);
        return status;
    }
    *out = g;
    return SHOAL_OK;
}

enum shoal_status gguf_open(struct gguf **out, const char *path, struct shoal_error *err)
{
    return open_any(out, NULL, 0, path, err);
}

enum shoal_status gguf_open_memory(struct gguf **out, const void *bytes, size_t n, const char *name,
                                   struct shoal_error *err)
{
    *out = NULL;
    if (!bytes || (uintptr_t)bytes % MEM_ALIGN != 0)
        return shoal_fail(err, SHOAL_E_INVALID, "%s: the bytes of a file must be aligned to %d",
                          name, MEM_ALIGN);
    return open_any(out, bytes, n, name, err);
}

void gguf_close(struct gguf *g)
{
    if (!g)
        return;
    if (g->is_mapped)
        munmap((void *)(uintptr_t)g->bytes, g->n);
    mem_free(g->kvs);
    mem_free(g->kv_names);
    mem_free(g->tensors);
    mem_free(g->tensor_names);
    mem_free(g->name);
    mem_free(g);
}

const char *gguf_name(const struct gguf *g)
{
    return g->name;
}

const void *gguf_bytes(const struct gguf *g, size_t *n)
{
    *n = g->n;
    return g->bytes;
}

void gguf_forget_pages(const struct gguf *g)
{
    /* only ever on the mapping: borrowed memory would come back as zeros */
    if (g->is_mapped)
        madvise((void *)(uintptr_t)g->bytes, g->n, MADV_DONTNEED);
}

int64_t gguf_n_tensors(const struct gguf *g)
{
    return g->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, int64_t i)
{
    assert(i >= 0 && i < g->n_tensors);
    return &g->tensors[i];
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name)
{
    const struct gguf_string s = {.bytes = name, .n = strlen(name)};
    const int64_t i = names_find(g->tensor_names, g->n_tensors, s);

    return i < 0 ? NULL : &g->tensors[i];
}
