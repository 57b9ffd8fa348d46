/* A scheduler plugin: small prefill chunks while requests decode, large ones while none does.
 *     cc -shared -fPIC plugin_calm.c $(pkg-config --cflags shoal) -o calm.so
 *     shoal run --plugin ./calm.so,chunk=32 --input requests.jsonl --output results.jsonl */
#include <shoal/plugin.h>
#include <stdio.h>
#include <stdlib.h>

struct calm {
    const struct shoal_plugin_host *host;
    int32_t chunk; /* while requests decode */
    long n_calm;   /* steps in which some did */
};

static const struct shoal_plugin_option options[] = {
    {"chunk", "64", "prompt tokens of a request a step, while others decode"}};

/* Called on every rank. values has one entry for each option, in their order. */
static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    struct calm *calm = calloc(1, sizeof *calm);

    (void)n_values, (void)user;
    if (!calm)
        return SHOAL_E_NO_MEMORY;
    calm->host = host;
    calm->chunk = atoi(values[0].text);
    if (calm->chunk < 1) {
        snprintf(err->text, sizeof err->text, "chunk=%s: give at least 1", values[0].text);
        free(calm);
        return SHOAL_E_INVALID;
    }
    *state = calm;
    return SHOAL_OK;
}

/* Called on rank 0 when a step is done; what is too much is clipped. */
static enum shoal_status after_step(void *state, const struct shoal_plugin_step *step,
                                    struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct calm *calm = state;

    (void)err;
    calm->n_calm += step->n_decode_tokens > 0;
    next->chunk = step->n_decode_tokens > 0 ? calm->chunk : calm->host->max_num_batched_tokens;
    return SHOAL_OK;
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    const struct calm *calm = state;

    (void)err;
    if (calm->host->rank == 0)
        fprintf(stderr, "calm: %ld calm steps\n", calm->n_calm);
    return SHOAL_OK;
}

static const struct shoal_scheduler_plugin scheduler = {.after_step = after_step};

static const struct shoal_plugin plugin = {.version = SHOAL_PLUGIN_VERSION,
                                           .name = "calm",
                                           .about = "small prefill chunks while requests decode",
                                           .options = options,
                                           .n_options = 1,
                                           .create = create,
                                           .finish = finish,
                                           .destroy = free,
                                           .scheduler = &scheduler};

const struct shoal_plugin *shoal_plugin_entry(void)
{
    return &plugin;
}
