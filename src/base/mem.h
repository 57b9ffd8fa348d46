/* base/mem.h - memory: checked sizes, alignment, large mappings, and the guard around a step
 *
 * Nothing is allocated in a step: between mem_step_begin and mem_step_end every function here that
 * takes memory on that thread ends the program and names the phase. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

enum { MEM_ALIGN = 64 };

/* n items of size bytes, zeroed; NULL when that overflows or cannot be had. n = 0 gives a pointer
 * that may be freed. Free with mem_free. */
void *mem_new(size_t n, size_t size);
/* Grow or shrink an array from mem_new to n items; what is new is not zeroed. On failure NULL, and
 * the old array stays. */
void *mem_resize(void *p, size_t n, size_t size);
char *mem_strdup(const char *s); /* copy of s; NULL when out of memory */
void mem_free(void *p);          /* NULL is fine */

/* As mem_new, aligned to MEM_ALIGN bytes; free with mem_free. */
void *mem_new_aligned(size_t n, size_t size);

/* Anonymous pages, zeroed at first touch, with transparent huge pages asked for. NULL on failure.
 */
void *mem_map(size_t n_bytes);
/* Take the memory of pages from mem_map now, not at first touch; on a machine of several NUMA
 * nodes, from this thread's. p is what mem_map gave, and nobody has written there yet: it is zero
 * after. False: the system has not so much; pages still come at first touch. */
bool mem_populate(void *p, size_t n_bytes);
void mem_unmap(void *p, size_t n_bytes); /* NULL is fine */
size_t mem_mapped(void);                 /* bytes of all that is mapped by mem_map now */

/* False when a * b overflows; else *out = a * b. */
bool mem_mul(size_t a, size_t b, size_t *out);

void mem_step_begin(const char *phase); /* the text must outlive the step */
void mem_step_end(void);
/* The phase of the step this thread is in, or NULL. */
const char *mem_step_phase(void);

#endif
