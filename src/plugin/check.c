#include "plugin/check.h"

#include "base/status.h"

#include <string.h>

static bool is_name(const char *s)
{
    return s && s[0] != '\0' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               strlen(s);
}

static enum shoal_status check_options(const struct shoal_plugin *plugin, struct shoal_error *err)
{
    if (plugin->n_options < 0 || (plugin->n_options > 0 && !plugin->options))
        return shoal_fail(err, SHOAL_E_INVALID, "plugin %s: n_options is %d, and options is %s",
                          plugin->name, plugin->n_options, plugin->options ? "there" : "NULL");
    for (int32_t i = 0; i < plugin->n_options; i++) {
        if (!is_name(plugin->options[i].name))
            return shoal_fail(err, SHOAL_E_INVALID,
                              "plugin %s: option %d has no name of letters, digits, '_' and '-'",
                              plugin->name, i);
        for (int32_t k = 0; k < i; k++)
            if (strcmp(plugin->options[i].name, plugin->options[k].name) == 0)
                return shoal_fail(err, SHOAL_E_INVALID, "plugin %s has two options %s",
                                  plugin->name, plugin->options[i].name);
    }
    return SHOAL_OK;
}

static enum shoal_status check_kinds(const struct shoal_plugin *plugin, struct shoal_error *err)
{
    const struct shoal_attention_plugin *a = plugin->attention;
    const struct shoal_cache_plugin *c = plugin->cache;

    if (a && !a->wants)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "plugin %s: its attention has no function wants, which says for which "
                          "requests, layers and heads it is",
                          plugin->name);
    if (a && !a->see && !a->replace)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "plugin %s: its attention has neither see nor replace", plugin->name);
    if (c && (!c->row_bytes != !c->encode || !c->row_bytes != !c->decode))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "plugin %s: of row_bytes, encode and decode all are needed, or none",
                          plugin->name);
    if (!plugin->changes_numbers && ((a && a->replace) || (c && c->row_bytes)))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "plugin %s %s, so it has to set changes_numbers: the step log and the "
                          "prefix cache go by it",
                          plugin->name,
                          a && a->replace ? "replaces attention"
                                          : "stores rows of K and V its own way");
    return SHOAL_OK;
}

enum shoal_status plugin_check(const struct shoal_plugin *plugin, const char *given,
                               struct shoal_error *err)
{
    enum shoal_status status;

    if (plugin->version < 1 || plugin->version > SHOAL_PLUGIN_VERSION)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "plugin %s has version %u of shoal/plugin.h; this engine takes 1 to %d: "
                          "set version to SHOAL_PLUGIN_VERSION, and build it with this engine's "
                          "header",
                          given, plugin->version, SHOAL_PLUGIN_VERSION);
    if (!is_name(plugin->name))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "plugin %s has no name of letters, digits, '_' and '-'", given);
    if (!plugin->create)
        return shoal_fail(err, SHOAL_E_INVALID, "plugin %s has no function create", plugin->name);
    if ((status = check_options(plugin, err)))
        return status;
    return check_kinds(plugin, err);
}

enum shoal_status plugin_check_beside(const struct plugins *p, const struct shoal_plugin *plugin,
                                      struct shoal_error *err)
{
    if (!plugin->cache || !plugin->cache->row_bytes)
        return SHOAL_OK;
    for (int32_t i = 0; i < p->n; i++) {
        const struct shoal_plugin *other = p->list[i]->self;
        if (other->cache && other->cache->row_bytes)
            return shoal_fail(
                err, SHOAL_E_INVALID,
                "plugins %s and %s both store rows of K and V their own way: only one "
                "can",
                other->name, plugin->name);
    }
    return SHOAL_OK;
}
