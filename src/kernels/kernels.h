/* kernels/kernels.h - the hot loops, one table an instruction set
 *
 * kernels/ref/ holds the portable definition of every entry: what it computes, in which order, with
 * which roundings. The other folders, one an instruction set, hold faster ones that give the same
 * bits (docs/numerics.md). Kernels are pure: pointers, sizes and strides in; no allocation, no
 * status, no log, no thread. They work on a range that the caller chose, and any range gives the
 * same bits, because each output number has one fixed order of summation. */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include "base/cpu.h"
#include "kernels/attention.h"
#include "kernels/ceiling.h"
#include "kernels/linear.h"
#include "kernels/rows.h"

struct kernels {
    enum cpu_isa isa;
    linear_func_t linear[WEIGHT_TYPE_COUNT];
    struct row_kernels rows;
    struct attention_kernels attention;
    struct ceiling_kernels ceiling; /* no part of the forward pass: for measurements */
};

/* The table for the best instruction set of this machine that is not above cap. */
void kernels_init(struct kernels *k, enum cpu_isa cap);

/* Fill every entry with the portable definitions. */
void kernels_init_ref(struct kernels *k);
/* Replace the entries that the instruction set has something faster for. Only on a processor that
 * has it. */
void kernels_init_avx2(struct kernels *k);
void kernels_init_avxvnni(struct kernels *k);
void kernels_init_avx512(struct kernels *k);
void kernels_init_amx(struct kernels *k);

#endif
