/* engine/observe_state.h - what engine/observe*.c share */
#ifndef ENGINE_OBSERVE_STATE_H
#define ENGINE_OBSERVE_STATE_H

#include "engine/engine.h"
#include "engine/observe.h"
#include "observe/leak.h"
#include "observe/metrics.h"
#include "observe/metrics_file.h"
#include "observe/profiler.h"

/* Of the step under way of one shard group, and what was counted before it. */
struct observed_lane {
    int32_t n_decode;
    int64_t scheduler_ns, bytes_out, bytes_in;
};

/* What each rank says at the end; travels as bytes between ranks of one program. */
struct rank_memory {
    struct memory_snapshot baseline, last, peak;
    struct leak_verdict leak;
    bool has_leak_verdict;
};

struct engine_observe {
    struct buffers *buffers;
    struct profiler *profiler;
    uint64_t taken; /* at the last engine_observe_take */
    bool has_signal;

    struct metrics *metrics;   /* rank 0 */
    struct metrics_file *file; /* or NULL */
    struct observed_lane *lanes;
    int64_t scheduler_ns; /* that has been given to a step */

    struct leak_detector leak;
    bool is_leak_rebased; /* the baseline is after the first requests */
    bool is_ready, is_stopped;
    struct rank_memory mine;
};

/* observe_api.c: the gauges that are looked up only when somebody looks. */
void observe_set_gauges(struct shoal_engine *e);

/* observe_report.c: print the buffers while they are there; the texts of what the ranks said. */
void observe_report_buffers(struct shoal_engine *e);
void observe_print_memory(const struct rank_memory ranks[], int32_t n_ranks, struct text *out);

#endif
