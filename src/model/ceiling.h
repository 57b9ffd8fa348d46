/* model/ceiling.h - what this machine can do at most, measured with the threads of a run */
#ifndef MODEL_CEILING_H
#define MODEL_CEILING_H

#include "base/status.h"
#include "kernels/kernels.h"

/* A second each: bytes read from memory, 8-bit operations, float32 operations (a multiply-add is
 * two). */
struct ceilings {
    double read_bytes, int8_ops, float_ops;
};

/* The best of a few short rounds, under a second in all, with n_threads threads. Takes 128 MiB for
 * as long. */
enum shoal_status ceilings_measure(const struct kernels *kernels, int32_t n_threads,
                                   struct ceilings *out, struct shoal_error *err);

#endif
