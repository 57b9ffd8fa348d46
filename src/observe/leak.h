/* observe/leak.h - does memory grow that should not?
 *
 * A baseline is taken where nothing is under way and everything that is taken once has been taken;
 * later measures at such moments are compared with it, part by part. What a part gained beyond the
 * threshold is a leak of that part. Parts are given by the buffers; what the allocator and the
 * mappings gained beyond them is "other". */
#ifndef OBSERVE_LEAK_H
#define OBSERVE_LEAK_H

#include "observe/buffers.h"

/* Bytes that are held, resident or not: what resides says little of what was given back. */
struct leak_measure {
    uint64_t held[MEMORY_OTHER]; /* by the buffers of each part */
    uint64_t taken;              /* from malloc and by mem_map, by anybody */
};
void leak_measure_now(const struct buffers *b, struct leak_measure *out);

struct leak_detector {
    uint64_t threshold; /* bytes that a part may gain */
    struct leak_measure baseline;
    int32_t n_checks;
    int32_t n_rises[MEMORY_PART_COUNT]; /* checks that found the part larger than the one before */
    int64_t before[MEMORY_PART_COUNT];  /* growth at the check before */
};
void leak_begin(struct leak_detector *d, const struct leak_measure *baseline, uint64_t threshold);

struct leak_verdict {
    bool leaks;
    enum memory_part part; /* the one that grew most */
    int64_t growth[MEMORY_PART_COUNT];
    int32_t n_checks, n_rises; /* of that part */
    uint64_t threshold;
};
struct leak_verdict leak_check(struct leak_detector *d, const struct leak_measure *now);

/* One sentence: what grew by how much, or that nothing did. */
void leak_print(const struct leak_verdict *v, struct text *out);

#endif
