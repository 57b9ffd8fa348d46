#include "engine/compare_plugin.h"

#include "base/status.h"
#include "engine/single_run.h"

#include <math.h>

/* The two runs, and what is summed up over their logits. */
struct comparison {
    const struct compare_plugin_options *options;
    struct single_run with, without;
    double max_error, squares, kl;
};

static void add_row(struct comparison *c, const float *with, const float *without)
{
    const struct kernels *k = c->options->kernels;
    const int32_t n_vocab = c->options->model->hp.n_vocab;
    float max_with, max_without;

    for (int32_t i = 0; i < n_vocab; i++) {
        const double error = fabs((double)with[i] - (double)without[i]);
        c->max_error = error > c->max_error ? error : c->max_error;
        c->squares += error * error;
    }
    k->rows.argmax(with, n_vocab, &max_with);
    k->rows.argmax(without, n_vocab, &max_without);
    c->kl += logits_divergence(without, logits_log_sum_exp(without, n_vocab, max_without), with,
                               logits_log_sum_exp(with, n_vocab, max_with), n_vocab);
}

/* The logits of the n rows that were run last. */
static void add_chunk(struct comparison *c, int32_t n)
{
    for (int32_t first = 0; first < n; first += MODEL_LOGIT_ROWS) {
        const int32_t n_rows = n - first < MODEL_LOGIT_ROWS ? n - first : MODEL_LOGIT_ROWS;
        const float *with, *without;
        int32_t rows[MODEL_LOGIT_ROWS];
        int64_t ld, ld_without;

        for (int32_t i = 0; i < n_rows; i++)
            rows[i] = first + i;
        model_logits(c->with.run, rows, n_rows, &with, &ld);
        model_logits(c->without.run, rows, n_rows, &without, &ld_without);
        for (int32_t i = 0; i < n_rows; i++)
            add_row(c, with + i * ld, without + i * ld_without);
    }
}

static enum shoal_status check_tokens(const struct model *m, const int32_t tokens[], int32_t n,
                                      struct shoal_error *err)
{
    if (n < 1 || n > m->max_positions)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "a sequence of %d tokens cannot be compared: at least 1, at most %d", n,
                          m->max_positions);
    for (int32_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= m->hp.n_vocab)
            return shoal_fail(err, SHOAL_E_INVALID, "token %d is %d; the vocabulary has %d", i,
                              tokens[i], m->hp.n_vocab);
    return SHOAL_OK;
}

static enum shoal_status run_both(struct comparison *c, const int32_t tokens[], int32_t n,
                                  struct shoal_error *err)
{
    const struct compare_plugin_options *o = c->options;
    struct single_run_options single = {.model = o->model,
                                        .kernels = o->kernels,
                                        .kv_dtype = o->kv_dtype,
                                        .n_threads = o->n_threads,
                                        .block_size = o->block_size,
                                        .n_ctx = n,
                                        .chunk = o->chunk < n ? o->chunk : n};
    enum shoal_status status = single_run_open(&c->without, &single, err);

    single.plugins = o->plugins;
    if (status == SHOAL_OK)
        status = single_run_open(&c->with, &single, err);
    for (int32_t first = 0; first < n && status == SHOAL_OK; first += single.chunk) {
        const int32_t n_run = n - first < single.chunk ? n - first : single.chunk;
        if ((status = single_run_forward(&c->with, tokens, first, n_run, err)) ||
            (status = single_run_forward(&c->without, tokens, first, n_run, err)))
            break;
        add_chunk(c, n_run);
    }
    return status;
}

enum shoal_status engine_compare_plugin(const struct compare_plugin_options *options,
                                        const int32_t tokens[], int32_t n,
                                        struct compare_plugin_result *result,
                                        struct shoal_error *err)
{
    struct comparison c = {.options = options};
    enum shoal_status status = check_tokens(options->model, tokens, n, err);

    if (status != SHOAL_OK)
        return status;
    status = run_both(&c, tokens, n, err);
    single_run_close(&c.with);
    single_run_close(&c.without);
    if (status != SHOAL_OK)
        return status;
    const double n_logits = (double)n * options->model->hp.n_vocab;
    *result = (struct compare_plugin_result){
        .max_error = c.max_error, .rms_error = sqrt(c.squares / n_logits), .mean_kl = c.kl / n};
    return SHOAL_OK;
}
