#include "engine/matrix_watcher.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    (void)host;
    (void)values;
    (void)n_values;
    (void)err;
    memset(user, 0, sizeof(struct matrix_watcher));
    *state = user;
    return SHOAL_OK;
}

static enum shoal_attention_want wants(void *state, uint64_t request, int32_t choice, int32_t layer,
                                       int32_t head)
{
    (void)state;
    (void)request;
    (void)choice;
    (void)layer;
    (void)head;
    return SHOAL_ATTENTION_SEE;
}

static enum shoal_status see(void *state, const struct shoal_attention_view *view,
                             struct shoal_error *err)
{
    struct matrix_watcher *w = state;
    void *memory = malloc(64); /* a plugin may, even in a step */

    (void)err;
    if (!memory)
        return SHOAL_E_NO_MEMORY;
    memset(memory, view->n_tokens, 64);
    free(memory);
    for (int32_t i = 0; i < view->n_tokens; i++) {
        double sum = 0;
        for (int32_t key = 0; key < view->n_keys; key++)
            sum += (double)view->weights[(int64_t)i * view->n_keys + key];
        w->n_bad += !(fabs(sum - 1) < 1e-5);
    }
    w->n_seen += view->n_tokens;
    return SHOAL_OK;
}

static enum shoal_status after_append(void *state, const struct shoal_cache_row *row,
                                      struct shoal_error *err)
{
    struct matrix_watcher *w = state;

    (void)row;
    (void)err;
    w->n_appended++;
    return SHOAL_OK;
}

static const struct shoal_attention_plugin attention = {.wants = wants, .see = see};
static const struct shoal_cache_plugin cache = {.after_append = after_append};

const struct shoal_plugin matrix_watcher_plugin = {.version = SHOAL_PLUGIN_VERSION,
                                                   .name = "watcher",
                                                   .about = "sees everything",
                                                   .create = create,
                                                   .attention = &attention,
                                                   .cache = &cache};
