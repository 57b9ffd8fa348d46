#include "cli/batch_request.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/batch_body.h"
#include "cli/json_in.h"

#include <stdio.h>
#include <string.h>

static enum shoal_status set_id(struct batch_request *b, const char *id, struct shoal_error *err)
{
    char *copy = mem_strdup(id);

    if (!copy)
        return shoal_fail_memory(err, "a request's id", strlen(id) + 1);
    mem_free(b->custom_id);
    b->custom_id = copy;
    b->request.id = copy;
    return SHOAL_OK;
}

static enum shoal_status begin(struct batch_request *out, int64_t line,
                               const struct shoal_request *defaults, struct shoal_error *err)
{
    char id[32];

    *out = (struct batch_request){.line = line};
    if (defaults)
        out->request = *defaults;
    else
        shoal_request_default(&out->request);
    snprintf(id, sizeof id, "prompt-%lld", (long long)line);
    return set_id(out, id, err);
}

static enum shoal_status read_id(struct batch_request *b, const json_t *value,
                                 struct shoal_error *err)
{
    enum { MAX_ID = 512 };
    const char *id;
    enum shoal_status status = json_read_word("custom_id", value, &id, err);

    if (status)
        return status;
    if (id[0] == '\0' || strlen(id) > MAX_ID)
        return shoal_fail(err, SHOAL_E_INVALID, "custom_id: it must have 1 to %d bytes, not %zu",
                          MAX_ID, strlen(id));
    return set_id(b, id, err);
}

/* What the line asks for, by its url or else by what its body holds. */
static enum shoal_status read_url(struct batch_request *b, const json_t *url, const json_t *body,
                                  struct shoal_error *err)
{
    const char *text;
    enum shoal_status status;

    b->is_chat = json_object_get(body, "messages") != NULL;
    if (!url)
        return SHOAL_OK;
    status = json_read_word("url", url, &text, err);
    if (status)
        return status;
    if (strcmp(text, "/v1/completions") != 0 && strcmp(text, "/v1/chat/completions") != 0)
        return json_refuse("url", url, "/v1/completions or /v1/chat/completions", err);
    b->is_chat = strcmp(text, "/v1/chat/completions") == 0;
    return SHOAL_OK;
}

static bool is_field(const char *name, const char *const names[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static enum shoal_status read_object(struct batch_request *b, struct batch_warnings *warnings,
                                     struct shoal_error *err)
{
    static const char *const names[] = {"custom_id", "method", "url", "body"};
    json_t *body = json_object_get(b->root, "body");
    const json_t *method = json_object_get(b->root, "method");
    const json_t *id = json_object_get(b->root, "custom_id");
    const char *name;
    json_t *value;
    enum shoal_status status = SHOAL_OK;

    /* First the id, so that whatever else is wrong is told under it. */
    if (id && !json_is_null(id))
        status = read_id(b, id, err);
    if (status)
        return status;
    json_object_foreach(b->root, name, value)
    {
        if (is_field(name, names, sizeof names / sizeof *names))
            continue;
        if (!body)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "unknown field \"%.80s\": a line has custom_id, method, url and "
                              "body, and the request stands in body",
                              name);
        return shoal_fail(err, SHOAL_E_INVALID,
                          "unknown field \"%.80s\" beside custom_id, method, url and body", name);
    }
    if (!body)
        return shoal_fail(err, SHOAL_E_INVALID, "body: the field is missing");
    if (!json_is_object(body))
        return json_refuse("body", body, "an object", err);
    if (method && (!json_is_string(method) || strcmp(json_string_value(method), "POST") != 0))
        return json_refuse("method", method, "\"POST\"", err);
    status = read_url(b, json_object_get(b->root, "url"), body, err);
    return status ? status : batch_body_read(b, body, warnings, err);
}

enum shoal_status batch_request_read(struct batch_request *out, const char *bytes, size_t n,
                                     int64_t line, struct batch_warnings *warnings,
                                     struct shoal_error *err)
{
    json_error_t where;
    enum shoal_status status = begin(out, line, NULL, err);

    if (status)
        return status;
    out->root = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (!out->root) {
        if (json_error_code(&where) == json_error_out_of_memory)
            return shoal_fail_memory(err, "a line of input", n);
        return shoal_fail(err, SHOAL_E_FORMAT, "not JSON: %s (column %d)", where.text,
                          where.column);
    }
    if (!json_is_object(out->root))
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "not a request: the line is no JSON object {\"body\": ...}");
    return read_object(out, warnings, err);
}

enum shoal_status batch_request_from_text(struct batch_request *out, const char *bytes, size_t n,
                                          int64_t line, const struct shoal_request *defaults,
                                          bool is_chat, struct shoal_error *err)
{
    enum shoal_status status = begin(out, line, defaults, err);

    if (status)
        return status;
    if (n == 0)
        return shoal_fail(err, SHOAL_E_INVALID, "prompt: it is empty");
    if (!utf8_valid(bytes, n))
        return shoal_fail(err, SHOAL_E_FORMAT, "prompt: it is not UTF-8");
    out->is_chat = is_chat;
    out->text = mem_new(n + 1, 1);
    out->messages = mem_new(1, sizeof *out->messages);
    if (!out->text || !out->messages)
        return shoal_fail_memory(err, "a prompt", n);
    memcpy(out->text, bytes, n);
    if (is_chat) {
        out->messages[0] = (struct shoal_message){"user", out->text, n};
        out->request.messages = out->messages;
        out->request.n_messages = 1;
    } else {
        out->request.prompt = out->text;
        out->request.n_prompt = n;
    }
    return SHOAL_OK;
}

void batch_request_fini(struct batch_request *b)
{
    mem_free(b->custom_id);
    mem_free(b->text);
    mem_free(b->prompt_ids);
    mem_free(b->stop_token_ids);
    mem_free(b->bias_ids);
    mem_free(b->bias_values);
    mem_free(b->stop);
    mem_free(b->messages);
    for (int32_t i = 0; i < b->n_joined; i++)
        mem_free(b->joined[i]);
    mem_free(b->joined);
    json_decref(b->root);
    *b = (struct batch_request){0};
}
