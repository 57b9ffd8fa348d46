#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14; an older one refuses it */
#endif

enum { LEAST_PAGE = 4096 };

static _Thread_local const char *step_phase;
static atomic_size_t n_mapped;

void mem_step_begin(const char *phase)
{
    step_phase = phase;
}

void mem_step_end(void)
{
    step_phase = NULL;
}

const char *mem_step_phase(void)
{
    return step_phase;
}

static void check_guard(void)
{
    if (step_phase) {
        fprintf(stderr, "shoal: bug: memory was allocated in a step (%s)\n", step_phase);
        abort();
    }
}

bool mem_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *mem_new(size_t n, size_t size)
{
    check_guard();
    return calloc(n ? n : 1, size ? size : 1);
}

void *mem_resize(void *p, size_t n, size_t size)
{
    size_t n_bytes;

    check_guard();
    if (!mem_mul(n, size, &n_bytes))
        return NULL;
    return realloc(p, n_bytes ? n_bytes : 1);
}

char *mem_strdup(const char *s)
{
    const size_t n = strlen(s) + 1;
    char *copy = mem_new(n, 1);

    if (copy)
        memcpy(copy, s, n);
    return copy;
}

void mem_free(void *p)
{
    free(p);
}

void *mem_new_aligned(size_t n, size_t size)
{
    size_t n_bytes;
    void *p;

    check_guard();
    if (!mem_mul(n, size, &n_bytes) || n_bytes > SIZE_MAX - MEM_ALIGN)
        return NULL;
    n_bytes = (n_bytes / MEM_ALIGN + 1) * MEM_ALIGN;
    p = aligned_alloc(MEM_ALIGN, n_bytes);
    if (p)
        memset(p, 0, n_bytes);
    return p;
}

void *mem_map(size_t n_bytes)
{
    void *p;

    check_guard();
    p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
             0);
    if (p == MAP_FAILED)
        return NULL;
    atomic_fetch_add(&n_mapped, n_bytes);
    madvise(p, n_bytes, MADV_HUGEPAGE); /* a wish: a kernel without huge pages says no */
    return p;
}

bool mem_populate(void *p, size_t n_bytes)
{
    volatile char *bytes = p;

    check_guard();
    if (madvise(p, n_bytes, MADV_POPULATE_WRITE) == 0)
        return true;
    if (errno != EINVAL)
        return false; /* touching what the system has not would end the process */
    for (size_t i = 0; i < n_bytes; i += LEAST_PAGE)
        bytes[i] = 0;
    return true;
}

void mem_unmap(void *p, size_t n_bytes)
{
    if (!p)
        return;
    munmap(p, n_bytes);
    atomic_fetch_sub(&n_mapped, n_bytes);
}

size_t mem_mapped(void)
{
    return atomic_load(&n_mapped);
}
