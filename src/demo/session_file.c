#include "demo/session.h"

#include "base/status.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

const char *const session_names[SESSION_NAMES] = {
    "model",
    "max-num-batched-tokens",
    "long-prefill-token-threshold",
    "max-num-seqs",
    "scheduling-policy",
    "block-size",
    "num-kv-blocks",
    "kv-layout",
    "kv-cache-dtype",
    "enable-prefix-caching",
    "requests",
    "prompt-len",
    "max-tokens",
    "seed",
    "threads",
};

enum { LONGEST_NAME = 64 };

/* A key of JSON has underscores, an option dashes. */
static void swap(const char *name, char from, char to, char out[static LONGEST_NAME])
{
    snprintf(out, LONGEST_NAME, "%s", name);
    for (char *c = out; *c; c++)
        if (*c == from)
            *c = to;
}

static json_t *value_of(const struct setting *setting, const char *words)
{
    int64_t number;

    if (setting->kind == SETTING_FLAG)
        return json_boolean(strcmp(words, "on") == 0 || strcmp(words, "true") == 0);
    if ((setting->kind == SETTING_INT || setting->kind == SETTING_U64) &&
        parse_i64(words, INT64_MIN, INT64_MAX, &number))
        return json_integer(number);
    return json_string(words);
}

static json_t *to_json(const struct demo_options *given)
{
    struct demo_options o = *given;
    json_t *root = json_object();

    for (size_t i = 0; root && i < SESSION_NAMES; i++) {
        struct setting_table table;
        const struct setting *setting = demo_options_find(&o, session_names[i], &table);
        struct text words = {0};
        char key[LONGEST_NAME];
        setting_print(&table, setting, &words);
        swap(session_names[i], '-', '_', key);
        if (words.failed ||
            (words.bytes && json_object_set_new(root, key, value_of(setting, words.bytes)) != 0)) {
            json_decref(root);
            root = NULL;
        }
        text_fini(&words);
    }
    if (root && (json_object_set_new(root, "verbose", json_boolean(o.verbose)) != 0 ||
                 json_object_set_new(root, "metrics", json_boolean(o.metrics)) != 0)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

enum shoal_status session_save(const struct demo_options *o, const char *path,
                               struct shoal_error *err)
{
    json_t *root = to_json(o);
    enum shoal_status status = SHOAL_OK;
    FILE *f;

    if (!root)
        return shoal_fail_memory(err, "the settings as JSON", 0);
    f = fopen(path, "we");
    const bool is_written = f && json_dumpf(root, f, JSON_INDENT(2)) == 0 && fputc('\n', f) != EOF;
    if ((f && fclose(f) != 0) || !is_written)
        status = shoal_fail(err, SHOAL_E_IO, "cannot write %.200s: %s", path, strerror(errno));
    json_decref(root);
    return status;
}

/* The text that setting_set reads, kept by `kept`; NULL: a kind of value that no option takes. */
static const char *words_of(const json_t *value, json_t *kept)
{
    char number[32];
    json_t *words;

    if (json_is_string(value))
        words = json_string(json_string_value(value));
    else if (json_is_boolean(value))
        words = json_string(json_is_true(value) ? "on" : "off");
    else if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        words = json_string(number);
    } else
        return NULL;
    return words && json_array_append_new(kept, words) == 0 ? json_string_value(words) : NULL;
}

static enum shoal_status read_one(struct demo_options *next, const char *key, const json_t *value,
                                  struct shoal_error *err)
{
    struct setting_table table;
    char name[LONGEST_NAME];
    const struct setting *setting;
    const char *words;

    if (strcmp(key, "verbose") == 0 || strcmp(key, "metrics") == 0) {
        if (!json_is_boolean(value))
            return shoal_fail(err, SHOAL_E_FORMAT, "\"%s\" is not true or false", key);
        *(strcmp(key, "verbose") == 0 ? &next->verbose : &next->metrics) = json_is_true(value);
        return SHOAL_OK;
    }
    swap(key, '_', '-', name);
    setting = demo_options_find(next, name, &table);
    if (!setting || strlen(key) >= LONGEST_NAME)
        return shoal_fail(err, SHOAL_E_FORMAT, "there is no setting \"%.60s\"", key);
    words = words_of(value, next->kept);
    if (!words)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "\"%.60s\" is not a string, a whole number, true or false", key);
    return setting_set(&table, setting, words, err);
}

enum shoal_status session_load(struct demo_options *o, const char *path, struct shoal_error *err)
{
    struct demo_options next = *o;
    enum shoal_status status = SHOAL_OK;
    json_error_t where;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    const char *key;
    json_t *value;

    if (!root && where.line < 1)
        return shoal_fail(err, SHOAL_E_IO, "cannot read %.200s: %s", path, strerror(errno));
    if (!root)
        return shoal_fail(err, SHOAL_E_FORMAT, "%.200s, line %d: %s", path, where.line, where.text);
    if (!json_is_object(root))
        status = shoal_fail(err, SHOAL_E_FORMAT, "it is not a JSON object");
    json_object_foreach(root, key, value) if (!status) status = read_one(&next, key, value, err);
    if (!status)
        status = demo_options_check(&next, err);
    json_decref(root);
    if (status)
        return shoal_error_prefix(err, "%.200s", path);
    *o = next;
    return SHOAL_OK;
}

bool session_is_file(const char *path)
{
    FILE *f = fopen(path, "re");
    int c = EOF;

    while (f && (c = fgetc(f)) != EOF && strchr(" \t\r\n", c))
        ;
    if (f)
        fclose(f);
    return c == '{';
}
