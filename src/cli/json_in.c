#include "cli/json_in.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value as it stands in the line, cut to a few words. */
static const char *show(const json_t *value, char out[static 64])
{
    char *text;

    if (json_is_object(value))
        return "an object";
    if (json_is_array(value))
        return "an array";
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (!text)
        return "the value";
    if (strlen(text) > 48) {
        /* not in the middle of a character */
        snprintf(out, 64, "%.*s...", (int)utf8_whole(text, 48), text);
    } else {
        snprintf(out, 64, "%s", text);
    }
    free(text);
    return out;
}

enum shoal_status json_refuse(const char *name, const json_t *value, const char *what,
                              struct shoal_error *err)
{
    char shown[64];

    return shoal_fail(err, SHOAL_E_INVALID, "%s: %s is not %s", name, show(value, shown), what);
}

enum shoal_status json_read_int(const char *name, const json_t *value, int64_t low, int64_t high,
                                int64_t *out, struct shoal_error *err)
{
    char what[96];
    bool is_whole = json_is_integer(value);
    int64_t i = is_whole ? json_integer_value(value) : 0;

    if (json_is_real(value)) {
        const double d = json_real_value(value);
        is_whole = d >= -0x1p53 && d <= 0x1p53 && d == (double)(int64_t)d;
        i = is_whole ? (int64_t)d : 0;
    }
    if (is_whole && i >= low && i <= high) {
        *out = i;
        return SHOAL_OK;
    }
    snprintf(what, sizeof what, "a whole number from %lld to %lld", (long long)low,
             (long long)high);
    return json_refuse(name, value, what, err);
}

enum shoal_status json_read_number(const char *name, const json_t *value, double low, double high,
                                   bool above_low, double *out, struct shoal_error *err)
{
    char what[96];

    if (json_is_number(value)) {
        const double d = json_number_value(value);
        if ((above_low ? d > low : d >= low) && d <= high) {
            *out = d;
            return SHOAL_OK;
        }
    }
    snprintf(what, sizeof what,
             above_low ? "a number above %g, at most %g" : "a number from %g to %g", low, high);
    return json_refuse(name, value, what, err);
}

enum shoal_status json_read_bool(const char *name, const json_t *value, bool *out,
                                 struct shoal_error *err)
{
    if (!json_is_boolean(value))
        return json_refuse(name, value, "true or false", err);
    *out = json_is_true(value);
    return SHOAL_OK;
}

enum shoal_status json_read_text(const char *name, const json_t *value, const char **out, size_t *n,
                                 struct shoal_error *err)
{
    if (!json_is_string(value))
        return json_refuse(name, value, "a text", err);
    *out = json_string_value(value);
    *n = json_string_length(value);
    return SHOAL_OK;
}

enum shoal_status json_read_word(const char *name, const json_t *value, const char **out,
                                 struct shoal_error *err)
{
    const char *text = NULL;
    size_t n = 0;
    const enum shoal_status status = json_read_text(name, value, &text, &n, err);

    if (status)
        return status;
    if (strlen(text) != n)
        return shoal_fail(err, SHOAL_E_INVALID, "%s: the text may not hold a zero byte", name);
    *out = text;
    return SHOAL_OK;
}

enum shoal_status json_read_ids(const char *name, const json_t *value, int32_t **out, int32_t *n,
                                struct shoal_error *err)
{
    const size_t n_items = json_array_size(value);
    int32_t *ids;

    if (!json_is_array(value))
        return json_refuse(name, value, "an array of token ids", err);
    if (n_items > INT32_MAX)
        return shoal_fail(err, SHOAL_E_LIMIT, "%s: %zu token ids are too many", name, n_items);
    ids = mem_new(n_items, sizeof *ids);
    if (!ids)
        return shoal_fail_memory(err, name, n_items * sizeof *ids);
    for (size_t i = 0; i < n_items; i++) {
        char item[96];
        int64_t id = 0;

        snprintf(item, sizeof item, "%s[%zu]", name, i);
        const enum shoal_status status =
            json_read_int(item, json_array_get(value, i), 0, INT32_MAX, &id, err);
        if (status) {
            mem_free(ids);
            return status;
        }
        ids[i] = (int32_t)id;
    }
    *out = ids;
    *n = (int32_t)n_items;
    return SHOAL_OK;
}
