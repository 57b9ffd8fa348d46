/* Registered, configured, listed, switched on and off, finished. */
#include "plugin/manager.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "plugin/check.h"
#include "plugin/shared_object.h"

#include <string.h>

static void log_line(void *engine, const char *level, const char *text)
{
    const struct plugin *plugin = engine;

    plugin->owner->host.log(plugin->owner->host.engine, level, text);
}

static int64_t now(void *engine)
{
    const struct plugin *plugin = engine;

    return plugin->owner->host.now(plugin->owner->host.engine);
}

static enum shoal_status compare(void *engine, const int32_t *tokens, int32_t n, double *max_error,
                                 double *rms_error, double *mean_kl, struct shoal_error *err)
{
    struct plugin *plugin = engine;
    const struct plugins *p = plugin->owner;
    struct plugins alone = {.host = p->host, .errors_are_fatal = true, .list = &plugin, .n = 1};

    if (!p->compare)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED, "this engine cannot compare");
    return p->compare(p->host.engine, &alone, tokens, n, max_error, rms_error, mean_kl, err);
}

static enum shoal_status metrics(void *engine, bool as_json, char **text, struct shoal_error *err)
{
    const struct shoal_plugin_host *host = &((struct plugin *)engine)->owner->host;

    if (!host->metrics)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED, "there are no metrics where no engine runs");
    return host->metrics(host->engine, as_json, text, err);
}

static void mark_memory(void *engine, const char *label)
{
    const struct shoal_plugin_host *host = &((struct plugin *)engine)->owner->host;

    if (host->mark_memory)
        host->mark_memory(host->engine, label);
}

enum shoal_status plugins_create(struct plugins **out, const struct shoal_plugin_host *host,
                                 bool errors_are_fatal, struct shoal_error *err)
{
    struct plugins *p = mem_new(1, sizeof *p);

    *out = NULL;
    if (!p)
        return shoal_fail_memory(err, "plugins", sizeof *p);
    p->host = *host;
    p->errors_are_fatal = errors_are_fatal;
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return SHOAL_OK;
}

void plugins_set_compare(struct plugins *p, plugins_compare_func_t function)
{
    p->compare = function;
}

void plugins_set_sizes(struct plugins *p, int32_t n_kv_blocks, int32_t max_model_len)
{
    p->host.n_kv_blocks = n_kv_blocks;
    p->host.max_model_len = max_model_len;
    for (int32_t i = 0; i < p->n; i++) {
        p->list[i]->host.n_kv_blocks = n_kv_blocks;
        p->list[i]->host.max_model_len = max_model_len;
    }
}

static void destroy(struct plugin *plugin)
{
    if (plugin->state && plugin->self->destroy)
        plugin->self->destroy(plugin->state);
    plugin_spec_fini(&plugin->spec);
    shared_object_close(plugin->library);
    mem_free(plugin);
}

void plugins_destroy(struct plugins *p)
{
    if (!p)
        return;
    for (int32_t i = p->n; i-- > 0;)
        destroy(p->list[i]);
    mem_free(p->list);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

static struct plugin *find(const struct plugins *p, const char *name)
{
    for (int32_t i = 0; i < p->n; i++)
        if (strcmp(p->list[i]->self->name, name) == 0)
            return p->list[i];
    return NULL;
}

/* Its self and spec are there: checks it, calls create, and puts it at the end of the list. */
static enum shoal_status start(struct plugins *p, struct plugin *plugin, void *user,
                               struct shoal_error *err)
{
    const struct shoal_plugin *self = plugin->self;
    struct shoal_error own_err = {0};
    enum shoal_status status;

    if ((status = plugin_check(self, plugin->spec.name, err)))
        return status;
    if (find(p, self->name))
        return shoal_fail(err, SHOAL_E_INVALID, "plugin %s is given twice; once will do",
                          self->name);
    if ((status = plugin_spec_match(&plugin->spec, self->options, self->n_options, err)) ||
        (status = plugin_check_beside(p, self, err)))
        return status;
    struct plugin **list = mem_resize(p->list, (size_t)p->n + 1, sizeof *list);
    if (!list)
        return shoal_fail_memory(err, "plugins", ((size_t)p->n + 1) * sizeof *list);
    p->list = list;
    plugin->owner = p;
    plugin->host = p->host;
    plugin->host.version = SHOAL_PLUGIN_VERSION;
    plugin->host.engine = plugin;
    plugin->host.log = log_line;
    plugin->host.now = now;
    plugin->host.compare = compare;
    plugin->host.metrics = metrics;
    plugin->host.mark_memory = mark_memory;
    status = self->create(&plugin->state, &plugin->host, plugin->spec.values, plugin->spec.n_values,
                          user, &own_err);
    if (status)
        return shoal_fail(err, status, "plugin %s: %s", self->name,
                          own_err.text[0] ? own_err.text : shoal_status_name(status));
    plugin->is_on = true;
    p->list[p->n++] = plugin;
    return SHOAL_OK;
}

static enum shoal_status find_built_in(struct plugin *plugin, struct shoal_error *err)
{
    const char *name = plugin->spec.name, *nearest;
    const char *names[64];
    size_t n = 0;

    for (; plugin_built_ins[n] && n < sizeof names / sizeof *names; n++) {
        names[n] = plugin_built_ins[n]->name;
        if (strcmp(names[n], name) == 0) {
            plugin->self = plugin_built_ins[n];
            return SHOAL_OK;
        }
    }
    nearest = nearest_name(name, names, n);
    return shoal_fail(
        err, SHOAL_E_INVALID,
        "there is no plugin %.80s%s%s; `shoal plugins` lists them, and a file of your "
        "own is named with a '/': ./%.80s",
        name, nearest ? "; the nearest is " : "", nearest ? nearest : "", name);
}

enum shoal_status plugins_add(struct plugins *p, const char *spec, struct shoal_error *err)
{
    struct plugin *plugin = mem_new(1, sizeof *plugin);
    enum shoal_status status;

    if (!plugin)
        return shoal_fail_memory(err, "a plugin", sizeof *plugin);
    status = plugin_spec_read(&plugin->spec, spec, err);
    if (!status && strchr(plugin->spec.name, '/'))
        status = shared_object_open(&plugin->library, &plugin->self, plugin->spec.name, err);
    else if (!status)
        status = find_built_in(plugin, err);
    if (!status)
        status = start(p, plugin, NULL, err);
    if (status) {
        plugin->state = NULL; /* create failed or was not called */
        destroy(plugin);
    }
    return status;
}

enum shoal_status plugins_add_own(struct plugins *p, const struct shoal_plugin_use *use,
                                  struct shoal_error *err)
{
    struct plugin *plugin;
    enum shoal_status status;

    if (!use->plugin || !use->plugin->name)
        return shoal_fail(err, SHOAL_E_INVALID, "plugins_own: a plugin is NULL or has no name");
    plugin = mem_new(1, sizeof *plugin);
    if (!plugin)
        return shoal_fail_memory(err, "a plugin", sizeof *plugin);
    plugin->self = use->plugin;
    status = plugin_spec_make(&plugin->spec, use->plugin->name, use->settings, err);
    if (!status)
        status = start(p, plugin, use->user, err);
    if (status) {
        plugin->state = NULL;
        destroy(plugin);
    }
    return status;
}

bool plugin_is_fixed(const struct plugin *plugin)
{
    return plugin->self->changes_numbers;
}

bool plugins_enable(struct plugins *p, const char *name, bool is_on)
{
    struct plugin *plugin = find(p, name);

    if (!plugin || plugin_is_fixed(plugin))
        return false;
    plugin->is_on = is_on;
    plugin->has_failed = false;
    return true;
}

int32_t plugins_count(const struct plugins *p)
{
    return p->n;
}

const struct shoal_plugin *plugins_get(const struct plugins *p, int32_t i, bool *is_on)
{
    *is_on = p->list[i]->is_on;
    return p->list[i]->self;
}

/* One that a person switched off has its report too; one that failed has not. */
enum shoal_status plugins_finish(struct plugins *p, struct shoal_error *err)
{
    enum shoal_status first = SHOAL_OK;

    for (int32_t i = 0; i < p->n; i++) {
        struct plugin *plugin = p->list[i];
        struct shoal_error own_err = {0};
        if (!plugin->self->finish || plugin->has_failed)
            continue;
        const enum shoal_status status = plugin->self->finish(plugin->state, &own_err);
        if (!status)
            continue;
        const char *text = own_err.text[0] ? own_err.text : shoal_status_name(status);
        if (first)
            log_error("plugin %s: finish: %s", plugin->self->name, text);
        else
            first = shoal_fail(err, status, "plugin %s: finish: %s", plugin->self->name, text);
    }
    return first;
}

const char *user_begin(const struct plugin *plugin)
{
    const char *phase = mem_step_phase();

    mem_step_end();
    pthread_mutex_lock(&plugin->owner->lock);
    return phase;
}

void user_end(const struct plugin *plugin, const char *phase)
{
    pthread_mutex_unlock(&plugin->owner->lock);
    if (phase)
        mem_step_begin(phase);
}

enum shoal_status plugin_settle(struct plugin *plugin, const char *function,
                                enum shoal_status status, const struct shoal_error *own_err,
                                struct shoal_error *err)
{
    const char *name = plugin->self->name;
    const char *text = own_err->text[0] ? own_err->text : shoal_status_name(status);

    if (status == SHOAL_OK)
        return SHOAL_OK;
    if (plugin_is_fixed(plugin))
        return shoal_fail(err, status,
                          "plugin %s: %s: %s; it changes numbers, so the run cannot go on without "
                          "it",
                          name, function, text);
    if (plugin->owner->errors_are_fatal)
        return shoal_fail(err, status, "plugin %s: %s: %s", name, function, text);
    plugin->is_on = false;
    plugin->has_failed = true;
    log_error("plugin %s: %s: %s; it is switched off (--plugin-errors fatal ends the run instead)",
              name, function, text);
    return SHOAL_OK;
}
