#include "model/trial.h"

#include "base/mem.h"
#include "base/rng.h"
#include "model/builtin.h"
#include "model/hooks.h"
#include "model/profile.h"
#include "step/sequence_id.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { MAX_CTX = 512 };

const int32_t trial_lengths[TRIAL_SEQS] = {40, TRIAL_LONGEST, 7};

int32_t trial_first_row(int32_t seq)
{
    int32_t n = 0;

    for (int32_t i = 0; i < seq; i++)
        n += trial_lengths[i];
    return n;
}

int32_t trial_rows(void)
{
    return trial_first_row(TRIAL_SEQS);
}

struct trial trial_plain(void)
{
    return (struct trial){.model = "embedded",
                          .isa = cpu_isa_best(),
                          .threads = 1,
                          .block_size = 16,
                          .chunk = TRIAL_LONGEST,
                          .kv_dtype = KV_F16};
}

struct trial trial_way(struct trial t, int32_t way)
{
    static const struct {
        enum cpu_isa isa;
        int32_t threads, block_size, chunk;
        bool is_alone;
    } ways[TRIAL_WAYS] = {
        {CPU_ISA_COUNT - 1, 1, 16, 33, false},  {CPU_AVX2, 2, 8, 300, false},
        {CPU_ISA_COUNT - 1, 2, 128, 31, false}, {CPU_ISA_COUNT - 1, 1, 64, 300, true},
        {CPU_AVX2, 1, 32, 100, true},           {CPU_PORTABLE, 2, 16, 64, false},
        {CPU_ISA_COUNT - 1, 1, 16, 1, false},
    };

    t.isa = ways[way].isa < cpu_isa_best() ? ways[way].isa : cpu_isa_best();
    t.threads = ways[way].threads;
    t.block_size = ways[way].block_size;
    t.chunk = ways[way].chunk;
    t.is_alone = ways[way].is_alone;
    return t;
}

/* Everything that a run needs. */
struct world {
    const struct trial *trial;
    struct gguf *gguf;
    void *built_in;
    struct model *model;
    uint8_t *image;
    size_t n_image;
    struct kernels kernels;
    struct plugins *plugins;
    struct kv_store kv;
    struct model_run *run;
    struct step_limits limits;
    struct step_batch batch;
    struct step_slot slots[TRIAL_SEQS];
    int32_t n_computed[TRIAL_SEQS], n_left[TRIAL_SEQS];
    int32_t in_batch[TRIAL_SEQS], batch_computed[TRIAL_SEQS];
    struct outcome *out;
    enum shoal_status status;
    struct shoal_error *err;
};

static void open_model(struct world *w)
{
    const struct model_options options = {.weights = MODEL_WEIGHTS_FILE, .max_positions = MAX_CTX};
    const void *bytes;
    size_t n;

    if (strcmp(w->trial->model, "tiny") == 0) {
        ck_assert(model_tiny(&w->built_in, &n, NULL) == SHOAL_OK);
        bytes = w->built_in;
    } else {
        bytes = model_embedded(&n);
    }
    ck_assert(gguf_open_memory(&w->gguf, bytes, n, w->trial->model, NULL) == SHOAL_OK);
    ck_assert(model_open(&w->model, w->gguf, &options, NULL) == SHOAL_OK);
    w->n_image = model_image_bytes(w->model);
    w->image = mem_map(w->n_image);
    ck_assert(w->image);
    ck_assert(model_fill(w->model, w->image, 1, NULL) == SHOAL_OK);
    ck_assert(model_attach(w->model, w->image, NULL) == SHOAL_OK);
    kernels_init(&w->kernels, w->trial->isa);
}

static void log_line(void *engine, const char *level, const char *text)
{
    (void)engine;
    (void)level;
    (void)text;
}

static enum shoal_status add_plugins(struct world *w, struct shoal_error *err)
{
    const struct model_hparams *hp = &w->model->hp;
    const struct shoal_plugin_host host = {.version = SHOAL_PLUGIN_VERSION,
                                           .model = w->model->name,
                                           .n_ranks = 1,
                                           .n_layer = hp->n_layer,
                                           .n_head = hp->n_head,
                                           .n_head_kv = hp->n_head_kv,
                                           .head_dim = hp->head_dim,
                                           .n_vocab = hp->n_vocab,
                                           .block_size = w->trial->block_size,
                                           .max_model_len = MAX_CTX,
                                           .log = log_line};
    enum shoal_status status = SHOAL_OK;

    if (!w->trial->plugins[0])
        return SHOAL_OK;
    ck_assert(plugins_create(&w->plugins, &host, w->trial->errors_are_fatal, err) == SHOAL_OK);
    for (int32_t i = 0; i < TRIAL_PLUGINS && w->trial->plugins[i] && status == SHOAL_OK; i++)
        status = plugins_add_own(
            w->plugins,
            &(struct shoal_plugin_use){.plugin = w->trial->plugins[i], .user = w->trial->user},
            err);
    return status;
}

/* Blocks of a sequence lie apart and not in order. */
static void make_slot(struct world *w, int32_t seq, int32_t n_blocks)
{
    struct step_slot *slot = &w->slots[seq];

    slot->request = sequence_id((uint64_t)seq + 1, 0);
    slot->sampling.n_prompt_logprobs = w->trial->wants_last ? -1 : 0;
    slot->tokens = mem_new((size_t)trial_lengths[seq], sizeof *slot->tokens);
    slot->block_table = mem_new((size_t)n_blocks, sizeof *slot->block_table);
    ck_assert(slot->tokens && slot->block_table);
    for (int32_t i = 0; i < trial_lengths[seq]; i++)
        slot->tokens[i] =
            (int32_t)(rng_at(7, (uint64_t)seq, (uint64_t)i) % (uint64_t)w->model->hp.n_vocab);
    for (int32_t i = 0; i < n_blocks; i++)
        slot->block_table[i] = (n_blocks - 1 - i) * TRIAL_SEQS + seq;
    w->n_left[seq] = trial_lengths[seq];
}

static enum shoal_status open_world(struct world *w, struct shoal_error *err)
{
    const struct trial *t = w->trial;
    const int32_t n_blocks = (TRIAL_LONGEST + t->block_size - 1) / t->block_size;
    struct kv_store_options kv_options;
    enum shoal_status status;

    open_model(w);
    if ((status = add_plugins(w, err)))
        return status;
    w->limits = (struct step_limits){.max_seqs = TRIAL_SEQS,
                                     .max_tokens = trial_rows(),
                                     .max_model_len = MAX_CTX,
                                     .block_size = t->block_size,
                                     .n_blocks = TRIAL_SEQS * n_blocks,
                                     .n_vocab = w->model->hp.n_vocab};
    const struct model_run_options run_options = {.model = w->model,
                                                  .kernels = &w->kernels,
                                                  .n_threads = t->threads,
                                                  .limits = w->limits,
                                                  .plugins = w->plugins};
    if ((status = model_kv_options(w->model, w->plugins, t->kv_dtype, t->block_size,
                                   w->limits.n_blocks, &kv_options, err)) ||
        (status = kv_store_init(&w->kv, &kv_options, err)))
        return status;
    memset(w->kv.bytes, 0xff, w->kv.n_bytes); /* what was there before is NaN */
    ck_assert(model_run_create(&w->run, &run_options, err) == SHOAL_OK);
    ck_assert(model_profile_begin(w->run));
    ck_assert(step_batch_init(&w->batch, &w->limits, err) == SHOAL_OK);
    for (int32_t i = 0; i < TRIAL_SEQS; i++)
        make_slot(w, i, n_blocks);
    return SHOAL_OK;
}

static void close_world(struct world *w)
{
    for (int32_t i = 0; i < TRIAL_SEQS; i++) {
        mem_free(w->slots[i].tokens);
        mem_free(w->slots[i].block_table);
    }
    step_batch_fini(&w->batch);
    model_run_destroy(w->run);
    kv_store_fini(&w->kv);
    plugins_destroy(w->plugins);
    model_close(w->model);
    mem_unmap(w->image, w->n_image);
    gguf_close(w->gguf);
    mem_free(w->built_in);
}

/* The next chunk of every sequence, or of the first that has any. False: none has. */
static bool make_batch(struct world *w)
{
    struct step_batch *b = &w->batch;

    b->n_seqs = b->n_tokens = 0;
    b->n_computed = w->batch_computed;
    for (int32_t i = 0; i < TRIAL_SEQS && !(w->trial->is_alone && b->n_seqs > 0); i++) {
        const int32_t n = w->n_left[i] < w->trial->chunk ? w->n_left[i] : w->trial->chunk;
        if (n == 0)
            continue;
        b->q_indptr[b->n_seqs] = b->n_tokens;
        b->slots[b->n_seqs] = &w->slots[i];
        w->batch_computed[b->n_seqs] = w->n_computed[i];
        w->in_batch[b->n_seqs++] = i;
        memcpy(b->token_ids + b->n_tokens, w->slots[i].tokens + w->n_computed[i],
               (size_t)n * sizeof *b->token_ids);
        b->n_tokens += n;
        w->n_computed[i] += n;
        w->n_left[i] -= n;
        b->wants_logits[b->n_seqs - 1] = w->n_left[i] == 0;
    }
    b->q_indptr[b->n_seqs] = b->n_tokens;
    return b->n_seqs > 0;
}

/* Rows of the batch to where they belong among those of all: n from `row` on, of one sequence. */
static void keep_rows(struct world *w, int32_t row, int32_t n, int32_t at)
{
    const size_t n_vocab = (size_t)w->limits.n_vocab;
    int32_t rows[MODEL_LOGIT_ROWS] = {0};
    const float *logits;
    int64_t ld;

    for (int32_t i = 0; i < n; i++)
        rows[i] = row + i;
    model_logits(w->run, rows, n, &logits, &ld);
    for (int32_t i = 0; i < n; i++) {
        memcpy(w->out->logits + (size_t)(at + i) * n_vocab, logits + i * ld,
               n_vocab * sizeof *logits);
        w->out->bad[at + i] = model_bad_layer(w->run, row + i);
    }
}

static void keep_batch(struct world *w)
{
    const struct step_batch *b = &w->batch;

    for (int32_t i = 0; i < b->n_seqs; i++) {
        const int32_t end = b->q_indptr[i + 1];
        const int32_t begin = !w->trial->wants_last ? b->q_indptr[i] : end - b->wants_logits[i];
        for (int32_t row = begin; row < end; row += MODEL_LOGIT_ROWS) {
            const int32_t left = end - row;
            keep_rows(w, row, left < MODEL_LOGIT_ROWS ? left : MODEL_LOGIT_ROWS,
                      trial_first_row(w->in_batch[i]) + b->n_computed[i] + row - b->q_indptr[i]);
        }
    }
}

static void run_steps(void *user)
{
    struct world *w = user;

    while (w->status == SHOAL_OK && make_batch(w)) {
        mem_step_begin("trial");
        w->status = model_forward(w->run, &w->batch, &w->kv, w->err);
        mem_step_end();
        if (w->status == SHOAL_OK)
            keep_batch(w);
    }
}

static void make_outcome(struct world *w)
{
    const struct model_hparams *hp = &w->model->hp;

    *w->out = (struct outcome){
        .n_vocab = hp->n_vocab,
        .logits = mem_new((size_t)trial_rows() * (size_t)hp->n_vocab, sizeof(float)),
        .bad = mem_new((size_t)trial_rows(), sizeof(int32_t)),
        .n_layer = hp->n_layer,
        .n_head = hp->n_head,
        .n_head_kv = hp->n_head_kv,
        .head_dim = hp->head_dim};
    ck_assert(w->out->logits && w->out->bad);
}

enum shoal_status trial_run(const struct trial *t, struct outcome *out, struct shoal_error *err)
{
    struct world w = {.trial = t, .out = out};
    enum shoal_status status = open_world(&w, err);

    *out = (struct outcome){0};
    if (status == SHOAL_OK) {
        make_outcome(&w);
        w.err = err;
        struct profile sum;
        team_open(model_team(w.run), run_steps, &w); /* without, OpenMP spins between steps */
        model_profile_sum(w.run, &sum);
        out->linear_ops = sum.ops[PROFILE_LINEAR];
        status = w.status;
    }
    close_world(&w);
    if (status != SHOAL_OK)
        outcome_fini(out);
    return status;
}

struct outcome trial_good(const struct trial *t)
{
    struct shoal_error err = {0};
    struct outcome out;

    ck_assert_msg(trial_run(t, &out, &err) == SHOAL_OK, "%s", err.text);
    return out;
}

void outcome_fini(struct outcome *o)
{
    mem_free(o->logits);
    mem_free(o->bad);
    *o = (struct outcome){0};
}

static const float *rows_of(const struct outcome *o, int32_t seq)
{
    return o->logits + (size_t)trial_first_row(seq) * (size_t)o->n_vocab;
}

unsigned outcome_differs(const struct outcome *a, const struct outcome *b)
{
    unsigned mask = 0;

    for (int32_t i = 0; i < TRIAL_SEQS; i++) {
        const size_t n = (size_t)trial_lengths[i] * (size_t)a->n_vocab;
        if (memcmp(rows_of(a, i), rows_of(b, i), n * sizeof(float)) != 0)
            mask |= 1u << i;
    }
    return mask;
}

double outcome_distance(const struct outcome *a, const struct outcome *b, int32_t seq)
{
    const size_t n = (size_t)trial_lengths[seq] * (size_t)a->n_vocab;
    double most = 0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)rows_of(a, seq)[i] - (double)rows_of(b, seq)[i]));
    return most;
}

void trial_same_in_all_ways(struct outcome *first, struct outcome *o, int32_t way)
{
    if (way == 0) {
        *first = *o;
        return;
    }
    ck_assert_msg(outcome_differs(first, o) == 0, "way %d", way);
    outcome_fini(o);
}
