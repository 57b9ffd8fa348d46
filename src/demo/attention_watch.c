#include "demo/attention_watch.h"

#include "base/mem.h"
#include "base/status.h"

#include <math.h>

enum shoal_status attention_watch_init(struct attention_watch *w, int32_t n,
                                       struct shoal_error *err)
{
    const size_t n_cells = (size_t)n * (size_t)n;

    w->n = n;
    w->weights = mem_new(n_cells, sizeof *w->weights);
    if (!w->weights)
        return shoal_fail_memory(err, "attention weights", n_cells * sizeof *w->weights);
    for (size_t i = 0; i < n_cells; i++)
        w->weights[i] = NAN;
    return SHOAL_OK;
}

void attention_watch_fini(struct attention_watch *w)
{
    mem_free(w->weights);
    *w = (struct attention_watch){0};
}

static enum shoal_attention_want wants(void *state, uint64_t request, int32_t choice, int32_t layer,
                                       int32_t head)
{
    const struct attention_watch *w = state;

    (void)choice;
    return request == w->request && layer == w->layer && head == w->head ? SHOAL_ATTENTION_SEE
                                                                         : SHOAL_ATTENTION_LEAVE;
}

static enum shoal_status see(void *state, const struct shoal_attention_view *view,
                             struct shoal_error *err)
{
    struct attention_watch *w = state;

    (void)err;
    for (int32_t i = 0; i < view->n_tokens; i++) {
        const int32_t position = view->first_position + i;
        const size_t row = (size_t)i * (size_t)view->n_keys;
        for (int32_t k = 0; k < view->n_keys && k < w->n && position < w->n; k++)
            if (view->mask[row + (size_t)k])
                w->weights[(size_t)position * (size_t)w->n + (size_t)k] =
                    view->weights[row + (size_t)k];
    }
    return SHOAL_OK;
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    const struct attention_watch *w = user;

    (void)values;
    (void)n_values;
    if (!w)
        return shoal_fail(err, SHOAL_E_INVALID, "the plugin %s has nowhere to keep weights",
                          attention_watch_plugin.name);
    if (w->layer >= host->n_layer || w->head >= host->n_head)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "--layer %d, --head %d: the model has %d layer%s of %d head%s, counted "
                          "from 0",
                          w->layer, w->head, host->n_layer, host->n_layer == 1 ? "" : "s",
                          host->n_head, host->n_head == 1 ? "" : "s");
    *state = user;
    return SHOAL_OK;
}

static const struct shoal_attention_plugin attention = {.wants = wants, .see = see};

const struct shoal_plugin attention_watch_plugin = {.version = SHOAL_PLUGIN_VERSION,
                                                    .name = "demo-attention",
                                                    .about = "keeps the weights of one head",
                                                    .create = create,
                                                    .attention = &attention};
