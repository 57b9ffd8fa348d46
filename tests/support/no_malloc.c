#include "support/no_malloc.h"

#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer) || !defined(__GLIBC__)

bool no_malloc_is_on(void)
{
    return false;
}

unsigned long no_malloc_count(void)
{
    return 0;
}

#else

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

/* The C library's own calls come here too, so the names must be visible to it. */
__attribute__((visibility("default"))) void *malloc(size_t n);
__attribute__((visibility("default"))) void *calloc(size_t n, size_t size);
__attribute__((visibility("default"))) void *realloc(void *p, size_t n);
__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t n);
__attribute__((visibility("default"))) void *memalign(size_t alignment, size_t n);
__attribute__((visibility("default"))) int posix_memalign(void **p, size_t alignment, size_t n);

static atomic_ulong n_calls;

static void say(const char *s)
{
    if (write(STDERR_FILENO, s, strlen(s)) < 0)
        return;
}

static void check(void)
{
    const char *phase = mem_step_phase();

    atomic_fetch_add_explicit(&n_calls, 1, memory_order_relaxed);
    if (!phase)
        return;
    mem_step_end(); /* abort may allocate */
    say("memory was allocated in a step (");
    say(phase);
    say(")\n");
    abort();
}

void *malloc(size_t n)
{
    check();
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    check();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    check();
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    check();
    return __libc_memalign(alignment, n);
}

void *memalign(size_t alignment, size_t n)
{
    check();
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
    check();
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    void *q = __libc_memalign(alignment, n);
    if (!q)
        return ENOMEM;
    *p = q;
    return 0;
}

bool no_malloc_is_on(void)
{
    return true;
}

unsigned long no_malloc_count(void)
{
    return atomic_load(&n_calls);
}

#endif

bool no_malloc_bites(void)
{
    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        mem_step_begin("a test that must abort");
        char *volatile copy = strdup("allocated in the C library");
        free(copy);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}
