/* Calls of the cache kind, in order. */
#include "plugin/manager.h"

#include "base/hash.h"
#include "base/status.h"

static uint64_t row_hash(const struct shoal_cache_row *row)
{
    const size_t n = (size_t)row->head_dim * sizeof *row->k;

    return hash64(row->v, n, hash64(row->k, n, 0));
}

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
        const bool may_change = p->list[i]->self->changes_numbers;
        const uint64_t before = may_change ? 0 : row_hash(row);
        const char *phase = user_begin(p->list[i]);
        status = c->before_append(p->list[i]->state, row, &own_err);
        user_end(p->list[i], phase);
        /* Too late to undo: the run ends, whatever failing means. */
        if (!may_change && row_hash(row) != before)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "plugin %s changed k or v in before_append, but does not set "
                              "changes_numbers",
                              p->list[i]->self->name);
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
