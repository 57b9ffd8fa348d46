/* observe/memory.h - how much memory this process holds, as the kernel and the allocator say
 *
 * There is no GPU memory here: shoal runs on CPUs, and what it holds is what these numbers hold. */
#ifndef OBSERVE_MEMORY_H
#define OBSERVE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes; 0 where the kernel does not say. */
struct memory_process {
    uint64_t resident;
    uint64_t proportional; /* what is shared with other processes counted by its share */
    uint64_t anonymous;    /* of resident: no file's and not shared */
    uint64_t huge;         /* of resident: in huge pages */
    uint64_t swapped;
    uint64_t heap; /* that malloc has given out and not got back */
};

/* From /proc/self/smaps_rollup, else /proc/self/statm. False when the kernel says nothing; heap is
 * filled in any case. Allocates nothing; any thread. */
bool memory_read(struct memory_process *out);

/* Bytes that malloc has given out and not got back. */
uint64_t memory_heap(void);

/* Of the n bytes at p, those on pages that are in memory (of a shared mapping: anybody's). All of
 * them where the kernel does not say. */
uint64_t memory_resident(const void *p, uint64_t n);

#endif
