/* observe/profiler.h - memory over time: snapshots with a label each
 *
 * Whoever passes a point of interest marks it; a thread may take samples between. A fixed number of
 * snapshots is kept: when there are too many, every second sample goes, and samples are taken half
 * as often. Marks come from one thread. */
#ifndef OBSERVE_PROFILER_H
#define OBSERVE_PROFILER_H

#include "observe/buffers.h"
#include "observe/memory.h"

enum { SNAPSHOT_LABEL_BYTES = 32 };

struct memory_snapshot {
    int64_t ns;                       /* since the profiler was made */
    char label[SNAPSHOT_LABEL_BYTES]; /* "sample" for those of the thread */
    struct memory_process process;
    /* Of the process's resident bytes; what no buffer accounts for is MEMORY_OTHER. */
    uint64_t resident[MEMORY_PART_COUNT];
    uint64_t held[MEMORY_PART_COUNT]; /* by the buffers, resident or not */
};

struct profiler;

/* capacity: snapshots, at least 8. buffers is borrowed. */
enum shoal_status profiler_create(struct profiler **out, const struct buffers *buffers,
                                  int32_t capacity, struct shoal_error *err);
/* Stops the thread. NULL is fine. */
void profiler_destroy(struct profiler *p);

/* Allocates nothing. A label that is too long is cut. */
void profiler_mark(struct profiler *p, const char *label);
/* What a mark would keep, without keeping it. */
void profiler_look(const struct profiler *p, const char *label, struct memory_snapshot *out);

enum shoal_status profiler_start_sampling(struct profiler *p, int64_t every_ns,
                                          struct shoal_error *err);
void profiler_stop_sampling(struct profiler *p);

int32_t profiler_count(const struct profiler *p);
bool profiler_get(const struct profiler *p, int32_t i, struct memory_snapshot *out);
/* The snapshot with the most resident bytes of all that were ever taken; false: there is none. */
bool profiler_peak(const struct profiler *p, struct memory_snapshot *out);
/* Resident bytes of the last snapshot less those of the first. */
int64_t profiler_growth(const struct profiler *p);

/* The timeline: a row or object a snapshot, and in JSON also baseline, peak and growth. */
void profiler_print_csv(const struct profiler *p, struct text *out);
void profiler_print_json(const struct profiler *p, struct text *out);

#endif
