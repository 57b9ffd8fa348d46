/* Changes numbers: multiplies V before it is stored. */
#include <shoal/plugin.h>
#include <stdlib.h>

static const struct shoal_plugin_option options[] = {{"by", NULL, "the factor"}};

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    float *by = malloc(sizeof *by);

    (void)host, (void)n_values, (void)user, (void)err;
    if (!by)
        return SHOAL_E_NO_MEMORY;
    *by = strtof(values[0].text, NULL);
    *state = by;
    return SHOAL_OK;
}

static enum shoal_status before_append(void *state, struct shoal_cache_row *row,
                                       struct shoal_error *err)
{
    const float *by = state;

    (void)err;
    for (int32_t i = 0; i < row->head_dim; i++)
        row->v[i] *= *by;
    return SHOAL_OK;
}

static const struct shoal_cache_plugin cache = {.before_append = before_append};

static const struct shoal_plugin plugin = {.version = SHOAL_PLUGIN_VERSION,
                                           .name = "scale",
                                           .about = "multiplies V",
                                           .options = options,
                                           .n_options = 1,
                                           .changes_numbers = true,
                                           .create = create,
                                           .destroy = free,
                                           .cache = &cache};

const struct shoal_plugin *shoal_plugin_entry(void)
{
    return &plugin;
}
