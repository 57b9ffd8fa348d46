/* linear_problem.h - weights and activations for the linear kernels, and what every kernel must
 * make of them: the bits of the portable definition */
#ifndef TESTS_KERNELS_LINEAR_PROBLEM_H
#define TESTS_KERNELS_LINEAR_PROBLEM_H

#include "linear_data.h"

enum { MAX_ROWS = 64, MAX_PANELS = 7 };

/* Weights of MAX_PANELS panels and activations of n_rows rows, in memory that ends at a guard. */
struct problem {
    enum weight_type type;
    int32_t k, n_rows, n_panels;
    uint8_t *rows; /* as in a file, (n_panels * 16) */
    struct guarded panels, x, xf;
    struct linear_args args; /* without out */
};

struct problem problem_new(enum weight_type type, int32_t k, int32_t n_panels, int32_t n_rows,
                           enum fill fill, struct rng *rng);
void problem_free(struct problem *p);

/* The kernels of one instruction set, by its name. */
struct linear_set {
    const char *name;
    linear_func_t table[WEIGHT_TYPE_COUNT];
};

/* Every type from first_type on, many depths and extreme values, numbers of rows and of panels:
 * each set against one run of the portable kernels over the whole. */
void check_linear_sets(const struct linear_set sets[], int n_sets, enum weight_type first_type);
/* A scale that is not finite makes its output NaN in each set, and no other. */
void check_scales_not_finite(const struct linear_set sets[], int n_sets);

#endif
