/* engine/trace.h - --trace-steps: each step as a table for people, on stderr */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H

#include "sched/sched.h"

enum trace_mode { TRACE_OFF, TRACE_TABLE, TRACE_MASK, TRACE_MODE_COUNT };

/* What people call a sequence: "chat-7", or "chat-7 #2" for its third choice; into buffer. */
typedef const char *(*trace_name_func_t)(const void *user, uint64_t sequence,
                                         char buffer[static 64]);

struct trace {
    enum trace_mode mode;
    const struct sched *sched;
    trace_name_func_t name; /* of a sequence, or NULL: its number */
    const void *user;
};

/* A plan that was just built: who runs which tokens, who waits and why, the pool. */
void trace_plan(const struct trace *t, const struct step_plan *plan);
/* Its result: how long it took, what it gave. */
void trace_result(const struct step_plan *plan, const struct step_result *result, int64_t total_ns);

#endif
