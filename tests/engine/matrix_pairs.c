/* Which configurations are run: every pair of values of any two axes, in few rows. */
#include "engine/matrix.h"

#include "base/rng.h"

#include <stdio.h>
#include <string.h>

enum { N_AXES = 11, MAX_VALUES = 5, TRIES = 400 };

struct axis {
    int32_t n, values[MAX_VALUES];
};

enum { BATCH, BUDGET, CHUNK, BLOCK, LAYOUT, THREADS, RANKS, PREFIX, POOL, ISA, POLICY };

static const struct axis axes[N_AXES] = {
    [BATCH] = {4, {1, 2, 7, 32}},
    [BUDGET] = {3, {16, 64, 512}},
    [CHUNK] = {4, {1, 16, 64, 0}},
    [BLOCK] = {3, {8, 16, 32}},
    [LAYOUT] = {2, {0, 1}},
    [THREADS] = {3, {1, 2, 3}},
    [RANKS] = {5, {0, 1, 2, 3, 4}},
    [PREFIX] = {3, {MATRIX_PREFIX_OFF, MATRIX_PREFIX_COLD, MATRIX_PREFIX_WARM}},
    [POOL] = {2, {0, 1}},
    [ISA] = {CPU_ISA_COUNT, {CPU_PORTABLE, CPU_AVX2, CPU_AVXVNNI, CPU_AVX512, CPU_AMX}},
    [POLICY] = {2, {0, 1}},
};

/* The instruction sets of this machine, asked for once. */
struct isa_set {
    bool has[CPU_ISA_COUNT];
};

static struct isa_set isas_up_to(enum cpu_isa best)
{
    struct isa_set isas = {0};

    for (int isa = CPU_PORTABLE; isa <= (int)best; isa++)
        isas.has[isa] = cpu_isa_has((enum cpu_isa)isa);
    return isas;
}

/* A row as the number of a value on each axis. */
struct row {
    int32_t at[N_AXES];
};

static struct matrix_config config_of(const struct row *r)
{
    int32_t v[N_AXES];

    for (int32_t a = 0; a < N_AXES; a++)
        v[a] = axes[a].values[r->at[a]];
    return (struct matrix_config){
        .batch = v[BATCH],
        .budget = v[BUDGET],
        .chunk = v[CHUNK],
        .block_size = v[BLOCK],
        .is_dense = v[LAYOUT] == 1,
        .threads = v[THREADS],
        .n_ranks = v[RANKS],
        .prefix = (enum matrix_prefix)v[PREFIX],
        .is_small = v[POOL] == 1,
        .isa = (enum cpu_isa)v[ISA],
        .is_priority = v[POLICY] == 1,
    };
}

/* The dense layout has no prefix cache and no preemption; to be preempted, two requests must meet
 * on one rank. */
static bool makes_sense(const struct matrix_config *c, const struct isa_set *isas)
{
    if (!isas->has[c->isa])
        return false;
    if (c->is_dense && (c->prefix != MATRIX_PREFIX_OFF || c->is_small))
        return false;
    return !c->is_small || c->batch >= 2 * (c->n_ranks > 0 ? c->n_ranks : 1);
}

/* Pairs are numbered by (axis, value, axis, value), the lower axis first. */
struct pairs {
    bool is_open[N_AXES][MAX_VALUES][N_AXES][MAX_VALUES];
    int32_t n_open;
};

static int32_t count_open(const struct pairs *p, const struct row *r)
{
    int32_t n = 0;

    for (int32_t a = 0; a < N_AXES; a++)
        for (int32_t b = a + 1; b < N_AXES; b++)
            n += p->is_open[a][r->at[a]][b][r->at[b]];
    return n;
}

static void close_pairs(struct pairs *p, const struct row *r)
{
    for (int32_t a = 0; a < N_AXES; a++)
        for (int32_t b = a + 1; b < N_AXES; b++) {
            bool *is_open = &p->is_open[a][r->at[a]][b][r->at[b]];
            p->n_open -= *is_open;
            *is_open = false;
        }
}

static bool next_row(struct row *r)
{
    for (int32_t a = 0; a < N_AXES; a++) {
        if (++r->at[a] < axes[a].n)
            return true;
        r->at[a] = 0;
    }
    return false;
}

/* Opens every pair that stands in some row that makes sense, by going through all rows. */
static void open_pairs(struct pairs *p, const struct isa_set *isas)
{
    struct row r = {0};

    memset(p, 0, sizeof *p);
    do {
        const struct matrix_config c = config_of(&r);
        if (!makes_sense(&c, isas))
            continue;
        for (int32_t a = 0; a < N_AXES; a++)
            for (int32_t b = a + 1; b < N_AXES; b++) {
                bool *is_open = &p->is_open[a][r.at[a]][b][r.at[b]];
                p->n_open += !*is_open;
                *is_open = true;
            }
    } while (next_row(&r));
}

static bool first_open(const struct pairs *p, int32_t out[4])
{
    for (out[0] = 0; out[0] < N_AXES; out[0]++)
        for (out[1] = 0; out[1] < axes[out[0]].n; out[1]++)
            for (out[2] = out[0] + 1; out[2] < N_AXES; out[2]++)
                for (out[3] = 0; out[3] < axes[out[2]].n; out[3]++)
                    if (p->is_open[out[0]][out[1]][out[2]][out[3]])
                        return true;
    return false;
}

/* Of many rows with the pair that is open first, the one that closes the most pairs; of equals the
 * fastest instruction set. */
static struct row best_row(const struct pairs *p, const int32_t pair[4], const struct isa_set *isas,
                           struct rng *rng)
{
    struct row chosen = {0};
    int32_t most = -1;

    for (int32_t n = 0; n < TRIES;) {
        struct row r;
        for (int32_t a = 0; a < N_AXES; a++)
            r.at[a] = (int32_t)rng_below(rng, (uint32_t)axes[a].n);
        r.at[pair[0]] = pair[1];
        r.at[pair[2]] = pair[3];
        const struct matrix_config c = config_of(&r);
        if (!makes_sense(&c, isas))
            continue;
        n++;
        const int32_t score = count_open(p, &r) * CPU_ISA_COUNT + (int32_t)c.isa;
        if (score > most) {
            most = score;
            chosen = r;
        }
    }
    return chosen;
}

int32_t matrix_cover(enum cpu_isa best, struct matrix_config rows[MATRIX_MAX_ROWS])
{
    const struct isa_set isas = isas_up_to(best);
    struct pairs pairs;
    struct rng rng = {.state = 20};
    int32_t pair[4], n = 0;

    open_pairs(&pairs, &isas);
    while (n < MATRIX_MAX_ROWS && first_open(&pairs, pair)) {
        const struct row row = best_row(&pairs, pair, &isas, &rng);
        close_pairs(&pairs, &row);
        rows[n++] = config_of(&row);
    }
    return n;
}

static bool value_of(const struct matrix_config *c, int32_t axis, int32_t value)
{
    const int32_t have[N_AXES] = {
        [BATCH] = c->batch,      [BUDGET] = c->budget,          [CHUNK] = c->chunk,
        [BLOCK] = c->block_size, [LAYOUT] = c->is_dense,        [THREADS] = c->threads,
        [RANKS] = c->n_ranks,    [PREFIX] = (int32_t)c->prefix, [POOL] = c->is_small,
        [ISA] = (int32_t)c->isa, [POLICY] = c->is_priority,
    };

    return have[axis] == axes[axis].values[value];
}

int32_t matrix_missing(enum cpu_isa best, const struct matrix_config rows[], int32_t n_rows,
                       int32_t *n_pairs)
{
    const struct isa_set isas = isas_up_to(best);
    struct pairs pairs;
    int32_t n_missing = 0;

    open_pairs(&pairs, &isas);
    *n_pairs = pairs.n_open;
    for (int32_t a = 0; a < N_AXES; a++)
        for (int32_t x = 0; x < axes[a].n; x++)
            for (int32_t b = a + 1; b < N_AXES; b++)
                for (int32_t y = 0; y < axes[b].n; y++) {
                    bool is_there = !pairs.is_open[a][x][b][y];
                    for (int32_t i = 0; i < n_rows && !is_there; i++)
                        is_there = value_of(&rows[i], a, x) && value_of(&rows[i], b, y);
                    n_missing += !is_there;
                }
    return n_missing;
}

struct matrix_config matrix_reference(void)
{
    return (struct matrix_config){.batch = 1,
                                  .budget = 512,
                                  .block_size = 16,
                                  .threads = 1,
                                  .prefix = MATRIX_PREFIX_OFF,
                                  .isa = CPU_PORTABLE};
}

const char *matrix_describe(const struct matrix_config *c, char buffer[static 256])
{
    static const char *const prefixes[] = {"off", "cold", "warm"};
    char chunk[16] = "unlimited", ranks[24] = "no mpirun";

    if (c->chunk > 0)
        snprintf(chunk, sizeof chunk, "%d", c->chunk);
    if (c->n_ranks > 0)
        snprintf(ranks, sizeof ranks, "%d rank%s", c->n_ranks, c->n_ranks == 1 ? "" : "s");
    snprintf(buffer, 256,
             "batch %d, budget %d, chunk %s, block %d, %s, %d thread%s, %s, prefix cache %s, %s "
             "pool, %s, %s",
             c->batch, c->budget, chunk, c->block_size, c->is_dense ? "dense" : "paged", c->threads,
             c->threads == 1 ? "" : "s", ranks, prefixes[c->prefix],
             c->is_small ? "small" : "large", cpu_isa_name(c->isa),
             c->is_priority ? "priority" : "fcfs");
    return buffer;
}
