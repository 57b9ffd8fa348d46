/* teach/support.h - what the tests of the pieces share: refusals, printed text, random floats */
#ifndef TEACH_SUPPORT_H
#define TEACH_SUPPORT_H

#include "base/rng.h"
#include "shoal/teach.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The status is `want`, and the sentence contains `says`. */
static inline void expect_error(enum shoal_status status, const struct shoal_error *err,
                                enum shoal_status want, const char *says)
{
    ck_assert_int_eq(status, want);
    ck_assert_int_eq(err->status, want);
    ck_assert_msg(strstr(err->text, says), "\"%s\" does not say \"%s\"", err->text, says);
}

static inline void expect_invalid(enum shoal_status status, const struct shoal_error *err,
                                  const char *says)
{
    expect_error(status, err, SHOAL_E_INVALID, says);
}

/* A stream into memory, and the text that was printed to it. */
struct printed {
    FILE *out;
    char *text;
    size_t n;
};

static inline void print_begin(struct printed *p)
{
    p->out = open_memstream(&p->text, &p->n);
    ck_assert_ptr_nonnull(p->out);
}

static inline void print_expect(struct printed *p, const char *want)
{
    fclose(p->out);
    ck_assert_str_eq(p->text, want);
    free(p->text);
}

/* n floats in [-1, 1) from a seed; free them. */
static inline float *random_floats(uint64_t seed, size_t n)
{
    float *x = malloc(n * sizeof *x);

    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < n; i++)
        x[i] = 2 * rng_unit(rng_at(seed, 0, i)) - 1;
    return x;
}

static inline void fill_tokens(uint64_t seed, int32_t *tokens, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        tokens[i] = (int32_t)(rng_at(seed, 1, (uint64_t)i) % 256);
}

#endif
