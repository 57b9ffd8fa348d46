/* Calls of the scheduler kind, in order. */
#include "plugin/manager.h"

bool plugins_has_scheduler(const struct plugins *p)
{
    for (int32_t i = 0; i < p->n; i++)
        if (p->list[i]->is_on && p->list[i]->self->scheduler)
            return true;
    return false;
}

typedef enum shoal_status (*step_func_t)(void *state, const struct shoal_plugin_step *step,
                                         struct shoal_plugin_control *next,
                                         struct shoal_error *err);

/* What a plugin that fails has done to *next does not count. */
static enum shoal_status call_step(struct plugin *plugin, step_func_t function, const char *name,
                                   const struct shoal_plugin_step *step,
                                   struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct shoal_plugin_control changed = *next;
    struct shoal_error own_err = {0};
    const char *phase = user_begin(plugin);
    const enum shoal_status status = function(plugin->state, step, &changed, &own_err);

    user_end(plugin, phase);
    if (status == SHOAL_OK)
        *next = changed;
    return plugin_settle(plugin, name, status, &own_err, err);
}

enum shoal_status plugins_before_step(struct plugins *p, const struct shoal_plugin_step *step,
                                      struct shoal_plugin_control *next, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; !status && i < p->n; i++) {
        const struct shoal_scheduler_plugin *s = p->list[i]->self->scheduler;
        if (p->list[i]->is_on && s && s->before_step)
            status = call_step(p->list[i], s->before_step, "before_step", step, next, err);
    }
    return status;
}

enum shoal_status plugins_after_step(struct plugins *p, const struct shoal_plugin_step *step,
                                     struct shoal_plugin_control *next, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; !status && i < p->n; i++) {
        const struct shoal_scheduler_plugin *s = p->list[i]->self->scheduler;
        if (p->list[i]->is_on && s && s->after_step)
            status = call_step(p->list[i], s->after_step, "after_step", step, next, err);
    }
    return status;
}

typedef enum shoal_status (*request_func_t)(void *state, const struct shoal_plugin_request *request,
                                            struct shoal_error *err);

static request_func_t function_of(const struct shoal_scheduler_plugin *s,
                                  enum plugin_request_event what)
{
    return what == PLUGIN_ADDED      ? s->on_request_added
           : what == PLUGIN_FINISHED ? s->on_request_finished
                                     : s->on_preempt;
}

enum shoal_status plugins_on_request(struct plugins *p, enum plugin_request_event what,
                                     const struct shoal_plugin_request *request,
                                     struct shoal_error *err)
{
    static const char *const names[] = {[PLUGIN_ADDED] = "on_request_added",
                                        [PLUGIN_FINISHED] = "on_request_finished",
                                        [PLUGIN_PREEMPTED] = "on_preempt"};
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; !status && i < p->n; i++) {
        const struct shoal_scheduler_plugin *s = p->list[i]->self->scheduler;
        const request_func_t function = s && p->list[i]->is_on ? function_of(s, what) : NULL;
        struct shoal_error own_err = {0};
        if (!function)
            continue;
        const char *phase = user_begin(p->list[i]);
        status = function(p->list[i]->state, request, &own_err);
        user_end(p->list[i], phase);
        status = plugin_settle(p->list[i], names[what], status, &own_err, err);
    }
    return status;
}
