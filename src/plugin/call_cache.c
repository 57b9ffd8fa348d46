/* Calls of the cache kind, in order. */
#include "plugin/manager.h"

bool plugins_has_append(const struct plugins *p)
{
    for (int32_t i = 0; i < p->n; i++) {
        const struct shoal_cache_plugin *c = p->list[i]->self->cache;
        if (p->list[i]->is_on && c && (c->before_append || c->after_append))
            return true;
    }
    return false;
}

enum shoal_status plugins_before_append(struct plugins *p, struct shoal_cache_row *row,
                                        struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; !status && i < p->n; i++) {
        const struct shoal_cache_plugin *c = p->list[i]->self->cache;
        struct shoal_error own_err = {0};
        if (!p->list[i]->is_on || !c || !c->before_append)
            continue;
        const char *phase = user_begin(p->list[i]);
        status = c->before_append(p->list[i]->state, row, &own_err);
        user_end(p->list[i], phase);
        status = plugin_settle(p->list[i], "before_append", status, &own_err, err);
    }
    return status;
}

enum shoal_status plugins_after_append(struct plugins *p, const struct shoal_cache_row *row,
                                       struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; !status && i < p->n; i++) {
        const struct shoal_cache_plugin *c = p->list[i]->self->cache;
        struct shoal_error own_err = {0};
        if (!p->list[i]->is_on || !c || !c->after_append)
            continue;
        const char *phase = user_begin(p->list[i]);
        status = c->after_append(p->list[i]->state, row, &own_err);
        user_end(p->list[i], phase);
        status = plugin_settle(p->list[i], "after_append", status, &own_err, err);
    }
    return status;
}

const struct shoal_cache_plugin *plugins_codec(const struct plugins *p, void **state)
{
    for (int32_t i = 0; i < p->n; i++) {
        const struct shoal_cache_plugin *c = p->list[i]->self->cache;
        if (!c || !c->row_bytes)
            continue;
        *state = p->list[i]->state;
        return c;
    }
    return NULL;
}
