/* Times the kernels over sizes, types, numbers of rows and instruction sets:
 *
 *     bench_kernels --bench [linear|attention|rows] [--isa avx512] [--type Q4_1] [--dtype f16]
 *                   [--rows 8] [--threads 2] [--json]
 *
 * Each line says what share of the machine's ceiling it is, as a loop measures it in the same
 * program. Without --bench it only checks a few small sizes, for the tests. */
#include "bench_kernels.h"

#include "kernels/linear_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_ROWS = 512, MAX_THREADS = 4096 };

static int usage(void)
{
    fprintf(stderr, "usage: bench_kernels [--bench [linear|attention|rows]] [--isa NAME] "
                    "[--type NAME]\n"
                    "                     [--dtype NAME] [--rows N] [--threads N] [--json]\n");
    return EXIT_FAILURE;
}

static int find(const char *name, const char *(*name_of)(int), int n)
{
    for (int i = 0; i < n; i++)
        if (strcasecmp(name, name_of(i)) == 0)
            return i;
    fprintf(stderr, "bench_kernels: %s is not one of", name);
    for (int i = 0; i < n; i++)
        fprintf(stderr, " %s", name_of(i));
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static const char *type_name(int i)
{
    return weight_names[i];
}

static const char *isa_name(int i)
{
    return cpu_isa_name((enum cpu_isa)i);
}

static const char *dtype_name(int i)
{
    return kv_dtype_name((enum kv_dtype)i);
}

static int32_t count(const char *text, int32_t high)
{
    const int n = atoi(text);

    if (n < 1 || n > high) {
        fprintf(stderr, "bench_kernels: %s is not from 1 to %d\n", text, high);
        exit(EXIT_FAILURE);
    }
    return n;
}

static bool read_value(struct bench_run *run, const char *name, const char *value)
{
    if (strcmp(name, "--isa") == 0)
        run->isa = find(value, isa_name, CPU_ISA_COUNT);
    else if (strcmp(name, "--type") == 0)
        run->type = find(value, type_name, WEIGHT_TYPE_COUNT);
    else if (strcmp(name, "--dtype") == 0)
        run->dtype = find(value, dtype_name, KV_DTYPE_COUNT);
    else if (strcmp(name, "--rows") == 0)
        run->n_rows = count(value, MAX_ROWS);
    else if (strcmp(name, "--threads") == 0)
        run->n_threads = count(value, MAX_THREADS);
    else
        return false;
    return true;
}

/* The ceilings of each instruction set that is measured. */
static void measure_ceilings(struct bench_run *run)
{
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        struct shoal_error err;
        struct kernels k;
        if (!bench_isa(run, (enum cpu_isa)isa, &k))
            continue;
        if (ceilings_measure(&k, 1, &run->one[isa], &err) ||
            (run->n_threads > 1 && ceilings_measure(&k, run->n_threads, &run->all[isa], &err))) {
            fprintf(stderr, "bench_kernels: %s\n", err.text);
            exit(EXIT_FAILURE);
        }
        const struct ceilings *c = (run->n_threads > 1 ? run->all : run->one) + isa;
        fprintf(stderr, "%s, %d threads: read %.1f GB/s, int8 %.0f Gop/s, float %.0f Gop/s\n",
                cpu_isa_name((enum cpu_isa)isa), run->n_threads, c->read_bytes * 1e-9,
                c->int8_ops * 1e-9, c->float_ops * 1e-9);
    }
}

static const struct {
    const char *name;
    bool (*smoke)(void);
    void (*sweep)(const struct bench_run *run);
} parts[] = {
    {"linear", linear_smoke, linear_sweep},
    {"attention", attention_smoke, attention_sweep},
    {"rows", rows_smoke, rows_sweep},
};
enum { N_PARTS = sizeof parts / sizeof *parts };

static int smoke(void)
{
    bool is_good = true;

    for (int i = 0; i < N_PARTS; i++) {
        const bool good = parts[i].smoke();
        printf("%s: %s\n", parts[i].name, good ? "as the portable kernels" : "wrong");
        is_good = is_good && good;
    }
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int find_part(const char *name)
{
    for (int i = 0; i < N_PARTS; i++)
        if (strcmp(name, parts[i].name) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    struct bench_run run = {.isa = -1, .type = -1, .dtype = -1, .n_threads = 1};
    int only = -1;

    if (argc == 1)
        return smoke();
    if (strcmp(argv[1], "--bench") != 0)
        return usage();
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            run.is_json = true;
        else if (i == 2 && find_part(argv[i]) >= 0)
            only = find_part(argv[i]);
        else if (i + 1 == argc || !read_value(&run, argv[i], argv[i + 1]))
            return usage();
        else
            i++;
    }
    measure_ceilings(&run);
    for (int i = 0; i < N_PARTS; i++)
        if (only < 0 || only == i)
            parts[i].sweep(&run);
    return EXIT_SUCCESS;
}
