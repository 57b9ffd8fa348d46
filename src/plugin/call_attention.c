/* Calls of the attention kind, in order. */
#include "plugin/manager.h"

#include "base/status.h"

bool plugins_has_attention(const struct plugins *p)
{
    for (int32_t i = 0; i < p->n; i++)
        if (p->list[i]->is_on && p->list[i]->self->attention)
            return true;
    return false;
}

/* A want that it has no function for is none. */
static enum shoal_attention_want want_of(const struct plugin *plugin, uint64_t request,
                                         int32_t choice, int32_t layer, int32_t head)
{
    const struct shoal_attention_plugin *a = plugin->self->attention;
    enum shoal_attention_want want;

    if (!plugin->is_on || !a)
        return SHOAL_ATTENTION_LEAVE;
    const char *phase = user_begin(plugin);
    want = a->wants(plugin->state, request, choice, layer, head);
    user_end(plugin, phase);
    if (want == SHOAL_ATTENTION_REPLACE && a->replace)
        return SHOAL_ATTENTION_REPLACE;
    return want == SHOAL_ATTENTION_SEE && a->see ? SHOAL_ATTENTION_SEE : SHOAL_ATTENTION_LEAVE;
}

enum shoal_attention_want plugins_wants(const struct plugins *p, uint64_t request, int32_t choice,
                                        int32_t layer, int32_t head)
{
    enum shoal_attention_want all = SHOAL_ATTENTION_LEAVE;

    for (int32_t i = 0; i < p->n; i++) {
        const enum shoal_attention_want want = want_of(p->list[i], request, choice, layer, head);
        all = want > all ? want : all;
    }
    return all;
}

enum shoal_status plugins_replace_attention(struct plugins *p,
                                            const struct shoal_attention_view *view, float *out,
                                            struct shoal_error *err)
{
    struct plugin *one = NULL;

    for (int32_t i = 0; i < p->n; i++) {
        if (want_of(p->list[i], view->request, view->choice, view->layer, view->head) !=
            SHOAL_ATTENTION_REPLACE)
            continue;
        if (one)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "plugins %s and %s both replace head %d of layer %d of request %llu: "
                              "let each have heads of its own",
                              one->self->name, p->list[i]->self->name, view->head, view->layer,
                              (unsigned long long)view->request);
        one = p->list[i];
    }
    if (!one)
        return shoal_fail(err, SHOAL_E_INTERNAL, "no plugin replaces head %d of layer %d",
                          view->head, view->layer);
    struct shoal_error own_err = {0};
    const char *phase = user_begin(one);
    const enum shoal_status status = one->self->attention->replace(one->state, view, out, &own_err);
    user_end(one, phase);
    /* Nobody has computed these rows: going on without them is not possible. */
    if (status)
        return shoal_fail(err, status, "plugin %s: replace: %s", one->self->name,
                          own_err.text[0] ? own_err.text : shoal_status_name(status));
    return SHOAL_OK;
}

enum shoal_status plugins_see_attention(struct plugins *p, const struct shoal_attention_view *view,
                                        struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; !status && i < p->n; i++) {
        struct plugin *plugin = p->list[i];
        struct shoal_error own_err = {0};
        if (want_of(plugin, view->request, view->choice, view->layer, view->head) !=
            SHOAL_ATTENTION_SEE)
            continue;
        const char *phase = user_begin(plugin);
        status = plugin->self->attention->see(plugin->state, view, &own_err);
        user_end(plugin, phase);
        status = plugin_settle(plugin, "see", status, &own_err, err);
    }
    return status;
}
