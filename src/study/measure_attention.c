/* shoal study attention - times the attention kernel over one KV head and
 * prints a line of JSON
 *
 * `dense` and `paged`: one row of queries, as in decode, over blocks that lie
 * in order or anywhere. `ragged`: a tile of rows, as in a prefill chunk, over
 * blocks that lie anywhere. Context, rows and blocks are the same bytes in all
 * three. */
#include "study/study.h"

#include "base/clock.h"
#include "base/command_line.h"
#include "base/env_rank.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "study/point.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 16, N_GROUP = 3, TILE_TOKENS = 8, POOL_TOKENS = 1 << 17 };

struct attention_fields {
    const char *path, *isa;
    int32_t context, head_dim;
    double min_seconds;
};

#define FIELD(name) offsetof(struct attention_fields, name)

static const struct setting settings[] = {
    {.name = "path",
     .kind = SETTING_CHOICE,
     .offset = FIELD(path),
     .choices = "dense|paged|ragged",
     .value = "NAME",
     .help = "`dense`: a decode token, blocks in order; `paged`: blocks "
             "anywhere; `ragged`: the "
             "last 8 tokens of a prefill chunk, blocks anywhere",
     .group = "Attention"},
    {.name = "context",
     .kind = SETTING_INT,
     .offset = FIELD(context),
     .low = TILE_TOKENS,
     .high = POOL_TOKENS,
     .value = "TOKENS",
     .help = "keys of the last row"},
    {.name = "head-dim",
     .kind = SETTING_INT,
     .offset = FIELD(head_dim),
     .choices = "32|64|96|128",
     .value = "N",
     .help = "elements of a head"},
    {.name = "isa",
     .kind = SETTING_CHOICE,
     .offset = FIELD(isa),
     .choices = "best|portable|avx2|avxvnni|avx512|amx",
     .value = "NAME",
     .help = "use no instruction set above this one: portable, avx2, avxvnni, avx512, amx"},
    {.name = "min-seconds",
     .kind = SETTING_DOUBLE,
     .offset = FIELD(min_seconds),
     .high = 86400,
     .value = "S",
     .help = "measure again until so much time is over"},
};

static const struct command command = {
    .name = "study attention",
    .usage = "[options] --path paged --context 512",
    .about = "Times attention of one KV head that three query heads share, "
             "from a pool of f16 of "
             "131072 tokens, on one thread. Prints a line of "
             "JSON: nanoseconds a row "
             "and key.",
    .examples = "shoal study attention --path dense --context 1024\n"
                "shoal study attention --path ragged --context 1024 --isa avx2",
};

struct work {
    struct kernels kernels;
    struct attention_args args;
    int32_t n_blocks; /* of the pool */
    uint8_t *pool;
    int32_t *table; /* (n_blocks) */
    float *q, *part, *merged, *out, *scratch;
};

static void work_fini(struct work *w)
{
    mem_free(w->pool);
    mem_free(w->table);
    mem_free(w->q);
    mem_free(w->part);
    mem_free(w->merged);
    mem_free(w->out);
    mem_free(w->scratch);
}

static bool work_take(struct work *w)
{
    const size_t d = (size_t)w->args.head_dim;
    const size_t n_part = (size_t)(ATTENTION_MAX_ROWS * attention_part_floats(w->args.head_dim));

    w->n_blocks = POOL_TOKENS / BLOCK_SIZE;
    w->pool = mem_new_aligned((size_t)w->n_blocks, w->args.block_stride);
    w->table = mem_new((size_t)w->n_blocks, sizeof *w->table);
    w->q = mem_new_aligned((size_t)(TILE_TOKENS * N_GROUP) * d, sizeof *w->q);
    w->part = mem_new_aligned(n_part, sizeof *w->part);
    w->merged = mem_new_aligned(n_part, sizeof *w->merged);
    w->out = mem_new_aligned(d, sizeof *w->out);
    w->scratch = mem_new_aligned(ATTENTION_SCRATCH_FLOATS, sizeof *w->scratch);
    return w->pool && w->table && w->q && w->part && w->merged && w->out && w->scratch;
}

static void fill(struct work *w, bool is_scattered)
{
    const int32_t d = w->args.head_dim;
    struct rng rng = {1};
    float kv[128];

    for (int32_t i = 0; i < w->n_blocks; i++) {
        w->table[i] = i;
        for (int32_t slot = 0; slot < BLOCK_SIZE; slot++) {
            for (int32_t k = 0; k < d; k++)
                kv[k] = rng_unit(rng_next(&rng)) - 0.5f;
            w->kernels.attention.store(w->pool + (size_t)i * w->args.block_stride, w->args.dtype,
                                       BLOCK_SIZE, d, slot, kv, kv);
        }
    }
    for (int32_t i = w->n_blocks - 1; is_scattered && i > 0; i--) {
        const int32_t k = (int32_t)rng_below(&rng, (uint32_t)i + 1), other = w->table[k];
        w->table[k] = w->table[i];
        w->table[i] = other;
    }
    for (int32_t i = 0; i < TILE_TOKENS * N_GROUP * d; i++)
        w->q[i] = rng_unit(rng_next(&rng)) - 0.5f;
}

/* One sequence: its splits in order, merged, and each row's output. */
static void attend(struct work *w)
{
    const struct attention_kernels *k = &w->kernels.attention;
    const int32_t d = w->args.head_dim, n_rows = w->args.n_tokens * w->args.n_group;
    const int32_t last = w->args.first_position + w->args.n_tokens - 1;

    k->split(&w->args, 0, w->merged, w->scratch);
    for (int32_t split = 1; split <= last / KV_SPLIT_TOKENS; split++) {
        k->split(&w->args, split, w->part, w->scratch);
        k->merge(w->merged, w->part, n_rows, d);
    }
    for (int32_t r = 0; r < n_rows; r++)
        k->finish(w->merged + (size_t)r * (size_t)attention_part_floats(d), d, w->out);
}

/* Nanoseconds a row and key, over all sequences that the pool holds, again and
 * again. */
static double time_it(struct work *w, const struct attention_fields *f)
{
    const int32_t blocks_each = (f->context + BLOCK_SIZE - 1) / BLOCK_SIZE;
    const int32_t n_sequences = w->n_blocks / blocks_each;
    const double keys = (double)f->context - (w->args.n_tokens - 1) / 2.0;
    const double rows = w->args.n_tokens * w->args.n_group;
    const int64_t start = clock_ns();
    double n_done = 0;
    int64_t end;

    do {
        for (int32_t s = 0; s < n_sequences; s++) {
            w->args.block_table = w->table + (size_t)s * (size_t)blocks_each;
            attend(w);
        }
        n_done += n_sequences;
        end = clock_ns();
    } while ((double)(end - start) * 1e-9 < f->min_seconds);
    return (double)(end - start) / (n_done * keys * rows);
}

static enum shoal_status measure(const struct attention_fields *f, struct shoal_error *err)
{
    const int32_t n_tokens = strcmp(f->path, "ragged") == 0 ? TILE_TOKENS : 1;
    struct work w = {.args = {.block_stride = kv_head_bytes(KV_F16, BLOCK_SIZE, f->head_dim),
                              .block_size = BLOCK_SIZE,
                              .head_dim = f->head_dim,
                              .dtype = KV_F16,
                              .scale = 1 / sqrtf((float)f->head_dim),
                              .ld_q = (int64_t)N_GROUP * f->head_dim,
                              .n_tokens = n_tokens,
                              .n_group = N_GROUP,
                              .first_position = f->context - n_tokens}};
    struct attention_fields once = *f;

    if (!work_take(&w)) {
        work_fini(&w);
        return shoal_fail_memory(err, "a KV pool",
                                 (size_t)(POOL_TOKENS / BLOCK_SIZE) * w.args.block_stride);
    }
    w.args.q = w.q;
    w.args.layer = w.pool;
    kernels_init(&w.kernels, (enum cpu_isa)cpu_isa_parse(f->isa));
    fill(&w, strcmp(f->path, "dense") != 0);
    once.min_seconds = 0;
    time_it(&w, &once);
    printf("{\"isa\": \"%s\", \"%s\": %.9g}\n", cpu_isa_name(w.kernels.isa),
           metric_name(METRIC_NS_A_KEY), time_it(&w, f));
    work_fini(&w);
    return SHOAL_OK;
}

int study_attention(int argc, char *argv[])
{
    struct attention_fields f = {
        .path = "paged", .isa = "best", .context = 512, .head_dim = 64, .min_seconds = 0.2};
    const struct setting_table tables[] = {{settings, sizeof settings / sizeof *settings, &f}};
    struct command_line cl;
    struct shoal_error err;
    int code = EXIT_SUCCESS;

    if (!command_line_open(&cl, &command, tables, 1, argc, argv, &code))
        return code;
    if (env_rank() == 0 && measure(&f, &err)) {
        log_error("%s", err.text);
        code = EXIT_FAILURE;
    }
    command_line_close(&cl);
    return code;
}
