#include "engine/perplexity.h"

#include "base/mem.h"
#include "base/percentile.h"
#include "base/status.h"
#include "engine/local_model.h"
#include "engine/single_run.h"

#include <math.h>
#include <stdlib.h>

/* A model and its run of windows. */
struct scorer {
    struct local_model local;
    struct single_run single;
};

static void scorer_close(struct scorer *s)
{
    single_run_close(&s->single);
    local_model_close(&s->local);
}

/* Tokens that are run at once. */
static int32_t chunk_of(const struct perplexity_options *o)
{
    const int32_t budget = o->engine->max_num_batched_tokens;

    return o->n_ctx < budget ? o->n_ctx : budget;
}

/* On failure *s is still to be closed. */
static enum shoal_status scorer_open(struct scorer *s, const struct perplexity_options *o,
                                     enum model_weights weights, enum kv_dtype dtype,
                                     const struct kernels *kernels, int32_t n_threads,
                                     struct shoal_error *err)
{
    const struct local_model_options model_options = {.name = o->engine->model,
                                                      .weights = weights,
                                                      .max_positions = o->n_ctx,
                                                      .n_threads = n_threads,
                                                      .wants_tokenizer = true};
    enum shoal_status status = local_model_open(&s->local, &model_options, err);

    if (status != SHOAL_OK)
        return status;
    if (o->n_ctx > s->local.model->hp.n_ctx)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "windows of %d tokens are longer than the model's context of %d",
                          o->n_ctx, s->local.model->hp.n_ctx);
    return single_run_open(&s->single,
                           &(struct single_run_options){.model = s->local.model,
                                                        .kernels = kernels,
                                                        .kv_dtype = dtype,
                                                        .n_threads = n_threads,
                                                        .block_size = o->engine->block_size,
                                                        .n_ctx = o->n_ctx,
                                                        .chunk = chunk_of(o)},
                           err);
}

/* What is summed up over the scored positions. */
struct totals {
    int64_t n;
    double nll, nll_squares; /* of this model */
    double nll_f32;
    double kld;
    int64_t n_same_top;
    double *klds; /* (all scored positions) or NULL */
};

/* One scored position. */
struct score {
    double logprob, logprob_f32, kld;
    bool is_same_top;
};

static struct score score_row(const struct kernels *k, const float *mine, const float *f32,
                              int32_t n, int32_t target)
{
    struct score s = {0};
    float max, max_f32;
    const int32_t best = k->rows.argmax(mine, n, &max);
    const double lse = logits_log_sum_exp(mine, n, max);

    s.logprob = (double)mine[target] - lse;
    if (!f32)
        return s;

    const int32_t best_f32 = k->rows.argmax(f32, n, &max_f32);
    const double lse_f32 = logits_log_sum_exp(f32, n, max_f32);
    s.logprob_f32 = (double)f32[target] - lse_f32;
    s.kld = logits_divergence(f32, lse_f32, mine, lse, n);
    s.is_same_top = best == best_f32;
    return s;
}

struct measurement {
    const struct perplexity_options *options;
    struct kernels kernels;
    int32_t n_threads;
    struct scorer mine, f32;
    struct token_list tokens; /* of the whole text */
    int32_t *window;          /* (n_ctx) */
    int32_t n_windows;
    struct totals totals;
};

static void add_score(struct measurement *m, const struct score *s)
{
    struct totals *t = &m->totals;

    if (m->options->logprobs)
        m->options->logprobs[t->n] = s->logprob;
    if (t->klds)
        t->klds[t->n] = s->kld;
    t->nll -= s->logprob;
    t->nll_squares += s->logprob * s->logprob;
    t->nll_f32 -= s->logprob_f32;
    t->kld += s->kld;
    t->n_same_top += s->is_same_top;
    t->n++;
}

/* The scored positions among [first, first + n) of the window, which were just run. */
static void score_chunk(struct measurement *m, int32_t first, int32_t n)
{
    const int32_t n_ctx = m->options->n_ctx, n_vocab = m->mine.local.model->hp.n_vocab;
    const int32_t begin = first > n_ctx / 2 ? first : n_ctx / 2;
    const int32_t end = first + n < n_ctx - 1 ? first + n : n_ctx - 1;

    for (int32_t at = begin; at < end; at += MODEL_LOGIT_ROWS) {
        const int32_t n_rows = end - at < MODEL_LOGIT_ROWS ? end - at : MODEL_LOGIT_ROWS;
        struct score scores[MODEL_LOGIT_ROWS];
        int32_t rows[MODEL_LOGIT_ROWS];
        const float *mine, *f32 = NULL;
        int64_t ld, ld_f32 = 0;

        for (int32_t i = 0; i < n_rows; i++)
            rows[i] = at + i - first;
        model_logits(m->mine.single.run, rows, n_rows, &mine, &ld);
        if (m->options->compares)
            model_logits(m->f32.single.run, rows, n_rows, &f32, &ld_f32);
#pragma omp parallel for num_threads(m->n_threads) schedule(dynamic)
        for (int32_t i = 0; i < n_rows; i++)
            scores[i] = score_row(&m->kernels, mine + i * ld, f32 ? f32 + i * ld_f32 : NULL,
                                  n_vocab, m->window[at + i + 1]);
        for (int32_t i = 0; i < n_rows; i++)
            add_score(m, &scores[i]);
    }
}

static enum shoal_status run_window(struct measurement *m, int32_t window, struct shoal_error *err)
{
    const struct tokenizer_special *special = tokenizer_special(m->mine.local.tokenizer);
    const int32_t n_ctx = m->options->n_ctx, chunk = chunk_of(m->options);
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; i < n_ctx; i++)
        m->window[i] = m->tokens.ids[(int64_t)window * n_ctx + i];
    if (special->add_bos && special->bos >= 0)
        m->window[0] = special->bos;
    for (int32_t first = 0; first < n_ctx && status == SHOAL_OK; first += chunk) {
        const int32_t n = n_ctx - first < chunk ? n_ctx - first : chunk;
        status = single_run_forward(&m->mine.single, m->window, first, n, err);
        if (status == SHOAL_OK && m->options->compares)
            status = single_run_forward(&m->f32.single, m->window, first, n, err);
        if (status == SHOAL_OK)
            score_chunk(m, first, n);
    }
    return status;
}

/* The whole text at once, so that no window begins in the middle of a word that is cut. */
static enum shoal_status tokenize_text(struct measurement *m, struct shoal_error *err)
{
    const struct tokenizer *t = m->mine.local.tokenizer;
    const struct tokenizer_special *special = tokenizer_special(t);
    const struct perplexity_options *o = m->options;
    enum shoal_status status;

    if (special->add_bos && special->bos >= 0 && !token_list_add(&m->tokens, special->bos))
        return shoal_fail_memory(err, "the text's tokens", sizeof(int32_t));
    status = tokenizer_encode(t, o->text, o->n_text, 0, &m->tokens, err);
    if (status != SHOAL_OK)
        return status;
    if (m->tokens.n < (size_t)o->n_ctx)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the text has %zu tokens: too few for a window of %d; give more text or "
                          "a smaller --ctx",
                          m->tokens.n, o->n_ctx);
    if (m->tokens.n > INT32_MAX)
        return shoal_fail(err, SHOAL_E_LIMIT, "the text has more than %d tokens", INT32_MAX);
    m->n_windows = (int32_t)(m->tokens.n / (size_t)o->n_ctx);
    if (o->n_windows > 0 && o->n_windows < m->n_windows)
        m->n_windows = o->n_windows;
    return SHOAL_OK;
}

static enum shoal_status open_measurement(struct measurement *m, struct shoal_error *err)
{
    const struct perplexity_options *o = m->options;
    const size_t n_scored = (size_t)perplexity_scored(o->n_ctx);
    enum shoal_status status;

    if (o->n_ctx < PERPLEXITY_MIN_CTX)
        return shoal_fail(err, SHOAL_E_INVALID, "a window of %d tokens is too short: at least %d",
                          o->n_ctx, PERPLEXITY_MIN_CTX);
    kernels_init(&m->kernels, (enum cpu_isa)cpu_isa_parse(o->engine->isa));
    m->n_threads = local_threads(o->engine->threads);
    status = scorer_open(&m->mine, o, engine_parse_weights(o->engine->weights),
                         engine_parse_kv_dtype(o->engine->kv_cache_dtype), &m->kernels,
                         m->n_threads, err);
    if (status == SHOAL_OK)
        status = tokenize_text(m, err);
    if (status == SHOAL_OK && o->compares)
        status = scorer_open(&m->f32, o, MODEL_WEIGHTS_F32, KV_F32, &m->kernels, m->n_threads, err);
    if (status != SHOAL_OK)
        return status;
    m->window = mem_new((size_t)o->n_ctx, sizeof *m->window);
    if (o->compares)
        m->totals.klds = mem_new(n_scored * (size_t)m->n_windows, sizeof *m->totals.klds);
    if (!m->window || (o->compares && !m->totals.klds))
        return shoal_fail_memory(err, "scores", n_scored * (size_t)m->n_windows * sizeof(double));
    return SHOAL_OK;
}

static void close_measurement(struct measurement *m)
{
    scorer_close(&m->mine);
    scorer_close(&m->f32);
    token_list_fini(&m->tokens);
    mem_free(m->window);
    mem_free(m->totals.klds);
}

static void report(struct measurement *m, struct perplexity_result *r)
{
    const struct totals *t = &m->totals;
    const double n = (double)t->n, mean = t->nll / n;
    const double variance = t->nll_squares / n - mean * mean;

    *r = (struct perplexity_result){.n_text_tokens = (int32_t)m->tokens.n,
                                    .n_windows = m->n_windows,
                                    .n_scored = t->n,
                                    .perplexity = exp(mean)};
    if (t->n > 1 && variance > 0)
        r->perplexity_error = r->perplexity * sqrt(variance / (n - 1));
    if (!t->klds)
        return;
    sort_doubles(t->klds, (size_t)t->n);
    r->perplexity_f32 = exp(t->nll_f32 / n);
    r->mean_kld = t->kld / n;
    r->p999_kld = percentile_of(t->klds, (size_t)t->n, 0.999);
    r->max_kld = t->klds[t->n - 1];
    r->same_top = (double)t->n_same_top / n;
}

enum shoal_status engine_perplexity(const struct perplexity_options *options,
                                    struct perplexity_result *result, struct shoal_error *err)
{
    struct measurement m = {.options = options};
    enum shoal_status status = open_measurement(&m, err);

    for (int32_t i = 0; i < m.n_windows && status == SHOAL_OK; i++) {
        status = run_window(&m, i, err);
        if (status == SHOAL_OK && options->progress)
            options->progress(options->user, i + 1, m.n_windows,
                              exp(m.totals.nll / (double)m.totals.n));
    }
    if (status == SHOAL_OK)
        report(&m, result);
    close_measurement(&m);
    return status;
}
