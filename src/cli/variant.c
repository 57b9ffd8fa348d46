#include "cli/variant.h"

#include "base/mem.h"
#include "engine/settings.h"

#include <string.h>

/* The next word at *at, without its quotes, in place; NULL: there is none. */
static char *next_word(char **at)
{
    char *p = *at + strspn(*at, " \t\n"), *word = p, *end = p;
    char quote = '\0';

    if (!*p)
        return NULL;
    for (; *p && (quote || !strchr(" \t\n", *p)); p++) {
        if (quote ? *p == quote : *p == '"' || *p == '\'')
            quote = quote ? '\0' : *p;
        else
            *end++ = *p;
    }
    *at = *p ? p + 1 : p;
    *end = '\0';
    return word;
}

static enum shoal_status set_option(const struct setting_table *t, char *word, char **at,
                                    struct shoal_error *err)
{
    const struct setting *s;
    const char *value;
    char *equals;

    if (strncmp(word, "--", 2) != 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "\"%.80s\" is no option: write --name value, as on the command line",
                          word);
    equals = strchr(word, '=');
    if (equals)
        *equals = '\0';
    value = equals ? equals + 1 : NULL;
    s = setting_find(t, word + 2);
    if (!s && !value && strncmp(word, "--no-", 5) == 0) {
        s = setting_find(t, word + 5);
        if (s && s->kind != SETTING_FLAG)
            s = NULL;
        value = "off";
    }
    if (!s) {
        const char *nearest = settings_nearest(t, 1, word + 2);
        return shoal_fail(err, SHOAL_E_INVALID, "there is no engine option %.80s%s%s", word,
                          nearest ? "; the nearest is --" : "", nearest ? nearest : "");
    }
    if (s->kind == SETTING_LIST)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "--%s may be given several times and cannot be part of a variant",
                          s->name);
    if (!value)
        value = s->kind == SETTING_FLAG ? "on" : s->implied ? s->implied : next_word(at);
    if (!value)
        return shoal_fail(err, SHOAL_E_INVALID, "--%s needs a value", s->name);
    return setting_set(t, s, value, err);
}

enum shoal_status variant_init(struct variant *v, const char *spec,
                               const struct shoal_options *base, struct shoal_error *err)
{
    const char *colon = strchr(spec, ':'), *dashes = strstr(spec, "--");
    const bool is_named = colon && (!dashes || colon < dashes);
    const struct setting_table t = engine_settings(&v->options);
    enum shoal_status status = SHOAL_OK;
    char *at, *word;

    *v = (struct variant){.text = mem_strdup(spec), .options = *base};
    v->given = mem_strdup(is_named ? colon + 1 : spec);
    if (!v->text || !v->given)
        return shoal_fail_memory(err, "a variant", strlen(spec));
    at = v->text;
    v->name = v->given;
    if (is_named) {
        at = v->text + (colon - spec) + 1;
        at[-1] = '\0';
        v->name = v->text;
    }
    while (!status && (word = next_word(&at)))
        status = set_option(&t, word, &at, err);
    if (status)
        shoal_error_prefix(err, "variant %s", v->name);
    return status;
}

void variant_fini(struct variant *v)
{
    mem_free(v->text);
    mem_free(v->given);
    *v = (struct variant){0};
}
