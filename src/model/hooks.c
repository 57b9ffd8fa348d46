#include "model/hooks.h"

#include "base/hash.h"
#include "base/status.h"
#include "plugin/plugins.h"
#include "step/sequence_id.h"

enum shoal_status model_kv_options(const struct model *m, const struct plugins *plugins,
                                   enum kv_dtype dtype, int32_t block_size, int32_t n_blocks,
                                   struct kv_store_options *out, struct shoal_error *err)
{
    const struct model_hparams *hp = &m->hp;
    const struct shoal_cache_plugin *codec = NULL;
    void *state = NULL;
    struct kv_store_options options = {.dtype = dtype,
                                       .n_layer = hp->n_layer,
                                       .n_blocks = n_blocks,
                                       .block_size = block_size,
                                       .n_head_kv = hp->n_head_kv,
                                       .head_dim = hp->head_dim};

    if (plugins_are_on(plugins))
        codec = plugins_codec(plugins, &state);
    if (codec) {
        options.row_bytes = codec->row_bytes(state, hp->head_dim);
        if (options.row_bytes == 0)
            return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                              "the plugin that stores K and V cannot hold heads of %d elements: "
                              "leave it out, or give it another setting",
                              hp->head_dim);
    }
    *out = options;
    return SHOAL_OK;
}

/* Which plugins could change numbers of single requests. */
struct changers {
    bool appends;        /* K and V before they are stored */
    int32_t n_replacers; /* of attention */
};

static struct changers find_changers(const struct plugins *plugins)
{
    struct changers c = {0};

    for (int32_t i = 0; i < plugins_count(plugins); i++) {
        bool is_on;
        const struct shoal_plugin *p = plugins_get(plugins, i, &is_on);

        if (!is_on)
            continue;
        c.appends = c.appends || (p->changes_numbers && p->cache && p->cache->before_append);
        c.n_replacers += p->attention && p->attention->replace;
    }
    return c;
}

/* Salts of two kinds, which this bit tells apart. */
static const uint64_t own_bit = (uint64_t)1 << 62;

/* A hash of the heads that are replaced, 0 when none is. */
static uint64_t hash_replaced(const struct plugins *plugins, const struct model_hparams *hp,
                              uint64_t request, int32_t choice)
{
    uint64_t hash = 0;

    for (int32_t il = 0; il < hp->n_layer; il++)
        for (int32_t head = 0; head < hp->n_head; head++) {
            const int32_t place[] = {il, head};
            if (plugins_wants(plugins, request, choice, il, head) == SHOAL_ATTENTION_REPLACE)
                hash = hash64(place, sizeof place, hash) | 1;
        }
    return hash & (own_bit - 1);
}

uint64_t model_salt(const struct plugins *plugins, const struct model_hparams *hp, uint64_t request,
                    int32_t choice)
{
    const uint64_t own = own_bit | sequence_id(request, choice);
    uint64_t replaced = 0;

    if (!plugins_are_on(plugins))
        return 0;
    const struct changers c = find_changers(plugins);
    if (c.appends)
        return own;
    if (c.n_replacers > 0)
        replaced = hash_replaced(plugins, hp, request, choice);
    return replaced != 0 && c.n_replacers > 1 ? own : replaced;
}
