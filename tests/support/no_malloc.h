/* support/no_malloc.h - nothing allocates in a step, by anyone
 *
 * base/mem.h guards its own functions. A test program that links no_malloc.c also ends, with a
 * message that names the phase, when anything else (the C library, a dependency) allocates between
 * mem_step_begin and mem_step_end on the same thread. Not under sanitizers, which have an allocator
 * of their own. */
#ifndef SUPPORT_NO_MALLOC_H
#define SUPPORT_NO_MALLOC_H

#include <stdbool.h>

/* False under a sanitizer. */
bool no_malloc_is_on(void);
/* How many allocations the program made so far, to see that the guard is in the way. */
unsigned long no_malloc_count(void);
/* True when a child process that allocates in a step ends by SIGABRT. */
bool no_malloc_bites(void);

#endif
