#include "plugin/spec.h"

#include "base/mem.h"
#include "base/status.h"

#include <string.h>

void plugin_spec_fini(struct plugin_spec *s)
{
    mem_free(s->name);
    mem_free(s->settings);
    mem_free(s->values);
    *s = (struct plugin_spec){0};
}

enum shoal_status plugin_spec_make(struct plugin_spec *s, const char *name, const char *settings,
                                   struct shoal_error *err)
{
    *s = (struct plugin_spec){.name = mem_strdup(name),
                              .settings = settings ? mem_strdup(settings) : NULL};
    if (s->name && (s->settings || !settings))
        return SHOAL_OK;
    plugin_spec_fini(s);
    return shoal_fail_memory(err, "a plugin's settings", strlen(name));
}

enum shoal_status plugin_spec_read(struct plugin_spec *s, const char *text, struct shoal_error *err)
{
    const char *comma = strchr(text, ',');
    enum shoal_status status = plugin_spec_make(s, text, comma ? comma + 1 : NULL, err);

    if (status)
        return status;
    s->name[strcspn(s->name, ",")] = '\0';
    if (s->name[0] != '\0')
        return SHOAL_OK;
    plugin_spec_fini(s);
    return shoal_fail(
        err, SHOAL_E_INVALID,
        "--plugin '%s' names no plugin: write NAME or NAME,key=value (`shoal plugins` "
        "lists them), or the path of a shared object, ./mine.so",
        text);
}

static enum shoal_status refuse_key(const struct plugin_spec *s, const char *key,
                                    const struct shoal_plugin_option *options, int32_t n_options,
                                    struct shoal_error *err)
{
    const char **names = mem_new((size_t)n_options, sizeof *names);
    const char *nearest;

    if (!names)
        return shoal_fail_memory(err, "names of options", (size_t)n_options * sizeof *names);
    for (int32_t i = 0; i < n_options; i++)
        names[i] = options[i].name;
    nearest = nearest_name(key, names, (size_t)n_options);
    mem_free(names);
    if (n_options == 0)
        return shoal_fail(err, SHOAL_E_INVALID, "plugin %s has no option '%s': it takes none",
                          s->name, key);
    if (nearest)
        return shoal_fail(err, SHOAL_E_INVALID, "plugin %s has no option '%s'; the nearest is %s",
                          s->name, key, nearest);
    return shoal_fail(err, SHOAL_E_INVALID,
                      "plugin %s has no option '%s'; `shoal plugins` lists those that it has",
                      s->name, key);
}

static enum shoal_status set_value(struct plugin_spec *s, char *pair,
                                   const struct shoal_plugin_option *options, int32_t n_options,
                                   struct shoal_error *err)
{
    char *equals = strchr(pair, '=');
    int32_t i = 0;

    if (!equals || equals == pair)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "plugin %s: '%s' is not key=value; settings stand after the name, "
                          "separated by commas",
                          s->name, pair);
    *equals = '\0';
    while (i < n_options && strcmp(options[i].name, pair) != 0)
        i++;
    if (i == n_options)
        return refuse_key(s, pair, options, n_options, err);
    if (s->values[i].text)
        return shoal_fail(err, SHOAL_E_INVALID, "plugin %s: option %s is given twice; once will do",
                          s->name, pair);
    s->values[i].text = equals + 1;
    return SHOAL_OK;
}

enum shoal_status plugin_spec_match(struct plugin_spec *s,
                                    const struct shoal_plugin_option *options, int32_t n_options,
                                    struct shoal_error *err)
{
    s->values = mem_new((size_t)n_options, sizeof *s->values);
    if (!s->values)
        return shoal_fail_memory(err, "a plugin's options", (size_t)n_options * sizeof *s->values);
    s->n_values = n_options;
    for (int32_t i = 0; i < n_options; i++)
        s->values[i].name = options[i].name;
    for (char *pair = s->settings; pair;) {
        char *comma = strchr(pair, ',');
        if (comma)
            *comma = '\0';
        const enum shoal_status status = set_value(s, pair, options, n_options, err);
        if (status)
            return status;
        pair = comma ? comma + 1 : NULL;
    }
    for (int32_t i = 0; i < n_options; i++) {
        if (s->values[i].text)
            continue;
        if (!options[i].value)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "plugin %s: option %s has to be given (%s): --plugin %s,%s=...",
                              s->name, options[i].name, options[i].help ? options[i].help : "",
                              s->name, options[i].name);
        s->values[i].text = options[i].value;
    }
    return SHOAL_OK;
}

void plugin_spec_print(const struct plugin_spec *s, struct text *out)
{
    text_add_str(out, s->name);
    for (int32_t i = 0; i < s->n_values; i++)
        text_printf(out, ",%s=%s", s->values[i].name, s->values[i].text);
}
