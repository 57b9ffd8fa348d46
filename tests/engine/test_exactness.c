/* The exactness matrix: the same bits whatever the configuration (matrix.h). Ranks cannot join and
 * leave within a run, so the reference is written to a file by one run of this program and compared
 * with by others, under mpirun with 1 to 4 ranks and without:
 *
 *     test_engine_exactness --model embedded --write FILE
 *     mpirun -n 2 test_engine_exactness --model embedded --ranks 2 --check FILE
 *     test_engine_exactness --real --write FILE      a few rows of the model that SHOAL_TEST_MODEL
 * names test_engine_exactness --list */
#include "base/clock.h"
#include "base/text.h"
#include "base/env_rank.h"
#include "comm/comm.h"
#include "engine/matrix.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_SKIPPED = 77, REAL_REQUESTS = 8 };

struct arguments {
    struct matrix_target target;
    const char *write, *check;
    int32_t n_ranks;
    int32_t every;      /* only each so many-th row */
    const char *beside; /* a plugin that changes nothing: only where it is checked */
    bool lists, is_real, is_watched;
};

static bool parse(int argc, char **argv, struct arguments *a)
{
    int64_t n;

    *a = (struct arguments){.target = {.model = "embedded",
                                       .weights = "file",
                                       .kv_dtype = "f16",
                                       .n_requests = MATRIX_REQUESTS},
                            .every = 1};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--list") == 0) {
            a->lists = true;
            continue;
        }
        if (strcmp(name, "--watched") == 0) {
            a->is_watched = true;
            continue;
        }
        if (strcmp(name, "--real") == 0) {
            a->is_real = true;
            a->target.model = getenv("SHOAL_TEST_MODEL");
            a->target.n_requests = REAL_REQUESTS;
            continue;
        }
        i++;
        if (strcmp(name, "--model") == 0)
            a->target.model = value;
        else if (strcmp(name, "--weights") == 0)
            a->target.weights = value;
        else if (strcmp(name, "--kv") == 0)
            a->target.kv_dtype = value;
        else if (strcmp(name, "--plugin") == 0)
            a->target.plugin = value;
        else if (strcmp(name, "--beside") == 0)
            a->beside = value;
        else if (strcmp(name, "--write") == 0)
            a->write = value;
        else if (strcmp(name, "--check") == 0)
            a->check = value;
        else if (strcmp(name, "--requests") == 0 && parse_i64(value, 1, MATRIX_REQUESTS, &n))
            a->target.n_requests = (int32_t)n;
        else if (strcmp(name, "--ranks") == 0 && parse_i64(value, 0, 4, &n))
            a->n_ranks = (int32_t)n;
        else if (strcmp(name, "--every") == 0 && parse_i64(value, 1, 100, &n))
            a->every = (int32_t)n;
        else
            return false;
    }
    a->target.is_watched = a->check && a->is_watched;
    if (a->check && a->beside)
        a->target.plugin = a->beside;
    return a->lists || (a->write != NULL) != (a->check != NULL);
}

/* The covering rows, and a few with blocks that are no part of the pairs. */
static int32_t all_rows(struct matrix_config rows[MATRIX_MAX_ROWS])
{
    const enum cpu_isa best = cpu_isa_best();
    int32_t n = matrix_cover(best, rows);
    struct matrix_config large = {.batch = 7,
                                  .budget = 64,
                                  .block_size = 64,
                                  .threads = 2,
                                  .prefix = MATRIX_PREFIX_WARM,
                                  .isa = best};

    for (int32_t ranks = 0; ranks <= 2 && n + 2 <= MATRIX_MAX_ROWS; ranks += 2) {
        large.n_ranks = ranks;
        large.block_size = 64;
        rows[n++] = large;
        large.block_size = 128;
        rows[n++] = large;
    }
    return n;
}

/* A real model is too slow for more, and for portable code. */
static int32_t real_rows(struct matrix_config rows[MATRIX_MAX_ROWS])
{
    const enum cpu_isa best = cpu_isa_best();
    const enum cpu_isa middle = best < CPU_AVX2 ? best : CPU_AVX2;
    const struct matrix_config few[] = {
        {7, 64, 16, 8, 2, 0, MATRIX_PREFIX_COLD, best, false, true, false},
        {32, 512, 0, 16, 1, 0, MATRIX_PREFIX_OFF, middle, true, false, true},
        {2, 16, 0, 32, 2, 0, MATRIX_PREFIX_WARM, middle, false, true, false},
        {7, 64, 64, 16, 1, 2, MATRIX_PREFIX_WARM, best, false, true, true},
        {32, 512, 0, 32, 1, 2, MATRIX_PREFIX_OFF, middle, false, false, false},
    };

    memcpy(rows, few, sizeof few);
    return sizeof few / sizeof *few;
}

static void print_absent(void)
{
    for (int isa = CPU_PORTABLE; isa < CPU_ISA_COUNT; isa++)
        if (!cpu_isa_has((enum cpu_isa)isa))
            printf("skipped: this processor has no %s\n", cpu_isa_name((enum cpu_isa)isa));
}

static int list_rows(void)
{
    const enum cpu_isa best = cpu_isa_best();
    struct matrix_config rows[MATRIX_MAX_ROWS];
    char name[256];
    int32_t n_pairs;
    const int32_t n = all_rows(rows);
    const int32_t n_missing = matrix_missing(best, rows, n, &n_pairs);

    for (int32_t i = 0; i < n; i++)
        printf("%3d  %s\n", i, matrix_describe(&rows[i], name));
    print_absent();
    printf("%d rows cover %d of %d pairs\n", n, n_pairs - n_missing, n_pairs);
    /* The counter must be able to find one missing: without its first row the list has a gap. */
    return n_missing == 0 && matrix_missing(best, rows + 1, n - 1, &n_pairs) > 0 ? EXIT_SUCCESS
                                                                                 : EXIT_FAILURE;
}

static bool write_reference(const struct arguments *a)
{
    struct matrix_config config = matrix_reference();
    struct matrix_recording r = {0};

    if (a->is_real && cpu_isa_best() >= CPU_AVX2)
        config.isa = CPU_AVX2;
    bool is_good = matrix_recording_init(&r, &a->target) && matrix_run(&a->target, &config, &r) &&
                   matrix_write(a->write, &r);

    matrix_recording_fini(&r);
    return is_good;
}

/* One row: on rank 0, run and compared; on the others, served. */
static bool check_row(const struct arguments *a, const struct matrix_config *config,
                      const struct matrix_recording *expected, struct matrix_recording *seen)
{
    const int64_t start = clock_ns();
    char name[256];

    matrix_describe(config, name);
    if (!matrix_run(&a->target, config, seen))
        return false;
    if (env_rank() > 0)
        return true;
    const int32_t n = matrix_compare(expected, seen, name);
    printf("%-9s %5.1f s  %s\n", n == 0 ? "equal" : "DIFFERENT",
           (double)(clock_ns() - start) * 1e-9, name);
    fflush(stdout);
    return n == 0;
}

static bool check_rows(const struct arguments *a)
{
    struct matrix_recording expected = {0}, seen = {0};
    struct matrix_config rows[MATRIX_MAX_ROWS];
    const int32_t n = a->is_real ? real_rows(rows) : all_rows(rows);
    int32_t n_seen = 0, n_run = 0, n_bad = 0;
    const bool is_ready = matrix_recording_init(&expected, &a->target) &&
                          matrix_recording_init(&seen, &a->target) &&
                          matrix_read(a->check, &expected);

    /* A bad row ends nothing: the other ranks go on to the next. */
    for (int32_t i = 0; i < n && is_ready; i++) {
        if (rows[i].n_ranks != a->n_ranks || n_seen++ % a->every != 0)
            continue;
        n_run++;
        n_bad += !check_row(a, &rows[i], &expected, &seen);
    }
    matrix_recording_fini(&expected);
    matrix_recording_fini(&seen);
    if (env_rank() == 0) {
        print_absent();
        printf("%d configurations of %s, weights %s, KV %s: %s\n", n_run, a->target.model,
               a->target.weights, a->target.kv_dtype, n_bad ? "NOT all equal" : "all equal");
    }
    return n_bad == 0 && n_run > 0;
}

int main(int argc, char **argv)
{
    const bool has_mpi = comm_under_mpirun();
    struct arguments a;
    bool is_good;

    if (!parse(argc, argv, &a)) {
        fprintf(stderr,
                "usage: %s [--model M] [--weights W] [--kv T] [--requests N] [--ranks N] "
                "[--every N] [--plugin P] [--beside P] [--watched] --write FILE | --check FILE | "
                "--list\n",
                argv[0]);
        return 2;
    }
    if (a.lists)
        return list_rows();
    if (a.is_real && (!a.target.model || a.target.model[0] == '\0')) {
        printf("skipped: SHOAL_TEST_MODEL, the GGUF file of a real model, is not set\n");
        return EXIT_SKIPPED;
    }
    /* MPI begins and ends once in a process; here it must last over many engines. */
    if (has_mpi) {
        int provided;
        if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
            return EXIT_FAILURE;
    }
    is_good = a.write ? write_reference(&a) : check_rows(&a);
    if (has_mpi)
        MPI_Finalize();
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
