/* model/ceiling.h - what this machine can do at most, measured with the threads of a run */
#ifndef MODEL_CEILING_H
#define MODEL_CEILING_H

#include "base/status.h"
#include "kernels/kernels.h"

struct ceilings {
    /* A second each: bytes read from memory, 8-bit operations, float32 operations (a multiply-add
     * is two). */
    double read_bytes, int8_ops, float_ops;
    /* How long a word takes from the first thread's core to another's, or back: to the nearest and
     * to the farthest; 0 where OpenMP gives one thread. Cores with a common cache are some 30 ns
     * apart, those of two chiplets or sockets several times as far, and then what threads hand on
     * costs as much more. A host may move virtual cores at any time. */
    double near_ns, far_ns;
};

/* The best of a few short rounds, about a second in all, with n_threads threads. Takes 128 MiB for
 * as long. */
enum shoal_status ceilings_measure(const struct kernels *kernels, int32_t n_threads,
                                   struct ceilings *out, struct shoal_error *err);

#endif
