/* support/failing_calloc.h - make one allocation fail; link the test with -Wl,--wrap=calloc */
#ifndef SUPPORT_FAILING_CALLOC_H
#define SUPPORT_FAILING_CALLOC_H

#include <stddef.h>

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static int callocs_until_failure = -1; /* 0: the next one fails; -1: none does */

void *__wrap_calloc(size_t n, size_t size)
{
    if (callocs_until_failure >= 0 && callocs_until_failure-- == 0)
        return NULL;
    return __real_calloc(n, size);
}

#endif
