/* "messages" of a chat request. */
#include "cli/batch_body.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/json_in.h"

#include <stdio.h>
#include <string.h>

/* A name for errors: "messages[3].content". */
struct place {
    char name[96];
};

static struct place place_of(const char *name, size_t i, const char *field)
{
    struct place p;

    snprintf(p.name, sizeof p.name, "%.60s[%zu]%s%s", name, i, *field ? "." : "", field);
    return p;
}

/* [{"type": "text", "text": ...}, ...] becomes one text, a line each. */
static enum shoal_status join_parts(struct batch_request *b, const char *name, const json_t *parts,
                                    struct shoal_message *out, struct shoal_error *err)
{
    struct text joined = {0};
    enum shoal_status status = SHOAL_OK;

    text_add_str(&joined, "");
    for (size_t i = 0; !status && i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *value = json_object_get(part, "text");
        const char *text;
        size_t n;

        if (!type || strcmp(type, "text") != 0 || !value) {
            status =
                shoal_fail(err, SHOAL_E_UNSUPPORTED,
                           "%s[%zu]: only {\"type\": \"text\", \"text\": ...} is taken", name, i);
            break;
        }
        status = json_read_text(place_of(name, i, "text").name, value, &text, &n, err);
        if (status)
            break;
        if (i > 0)
            text_add_str(&joined, "\n");
        text_add(&joined, text, n);
    }
    if (!status && joined.failed)
        status = shoal_fail_memory(err, name, joined.n);
    if (status) {
        text_fini(&joined);
        return status;
    }
    b->joined[b->n_joined++] = joined.bytes;
    out->content = joined.bytes;
    out->n_content = joined.n;
    return SHOAL_OK;
}

static enum shoal_status read_role(const char *name, const json_t *value, const char **role,
                                   struct shoal_error *err)
{
    const char *text;

    if (!value)
        return shoal_fail(err, SHOAL_E_INVALID, "%s: the field is missing", name);
    const enum shoal_status status = json_read_word(name, value, &text, err);
    if (status)
        return status;
    if (strcmp(text, "developer") == 0) /* OpenAI's newer word */
        text = "system";
    if (strcmp(text, "system") != 0 && strcmp(text, "user") != 0 && strcmp(text, "assistant") != 0)
        return json_refuse(name, value, "one of system, user, assistant", err);
    *role = text;
    return SHOAL_OK;
}

static enum shoal_status read_message(struct batch_request *b, const char *name, size_t i,
                                      const json_t *value, struct shoal_error *err)
{
    static const char *const names[] = {"role", "content", "name", "refusal"};
    struct shoal_message *message = &b->messages[i];
    const json_t *content = json_object_get(value, "content");
    const struct place place = place_of(name, i, "content");
    enum shoal_status status;

    if (!json_is_object(value))
        return json_refuse(place_of(name, i, "").name, value, "an object {role, content}", err);
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const char *key = json_object_iter_key(at);
        bool is_known = json_is_null(json_object_iter_value(at));
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            is_known = is_known || strcmp(key, names[k]) == 0;
        if (!is_known)
            return shoal_fail(err, SHOAL_E_INVALID, "unknown field \"%.80s\" in %s[%zu]", key, name,
                              i);
    }
    status = read_role(place_of(name, i, "role").name, json_object_get(value, "role"),
                       &message->role, err);
    if (status)
        return status;
    if (!content)
        return shoal_fail(err, SHOAL_E_INVALID, "%s: the field is missing", place.name);
    if (json_is_array(content))
        return join_parts(b, place.name, content, message, err);
    return json_read_text(place.name, content, &message->content, &message->n_content, err);
}

enum shoal_status batch_messages_read(struct batch_request *b, const char *name,
                                      const json_t *value, struct shoal_error *err)
{
    const size_t n = json_array_size(value);

    if (!json_is_array(value))
        return json_refuse(name, value, "an array of {role, content}", err);
    if (n == 0)
        return shoal_fail(err, SHOAL_E_INVALID, "%s: it is empty", name);
    if (n > INT32_MAX)
        return shoal_fail(err, SHOAL_E_LIMIT, "%s: %zu are too many", name, n);
    b->messages = mem_new(n, sizeof *b->messages);
    b->joined = mem_new(n, sizeof *b->joined);
    if (!b->messages || !b->joined)
        return shoal_fail_memory(err, name, n * sizeof *b->messages);
    for (size_t i = 0; i < n; i++) {
        const enum shoal_status status = read_message(b, name, i, json_array_get(value, i), err);
        if (status)
            return status;
    }
    b->request.messages = b->messages;
    b->request.n_messages = (int32_t)n;
    return SHOAL_OK;
}
