/* support/present.h - which pages of a mapping are in memory, and what they hold */
#ifndef SUPPORT_PRESENT_H
#define SUPPORT_PRESENT_H

#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static inline size_t pages_of(size_t n_bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (n_bytes + page - 1) / page;
}

/* p begins a page. */
static inline size_t pages_present(void *p, size_t n_bytes)
{
    const size_t n_pages = pages_of(n_bytes);
    unsigned char *pages = calloc(n_pages, 1);
    size_t n = 0;

    ck_assert_ptr_nonnull(pages);
    ck_assert_int_eq(mincore(p, n_bytes, pages), 0);
    for (size_t i = 0; i < n_pages; i++)
        n += pages[i] & 1;
    free(pages);
    return n;
}

static inline size_t bytes_not_zero(const unsigned char *p, size_t n_bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < n_bytes; i++)
        n += p[i] != 0;
    return n;
}

#endif
