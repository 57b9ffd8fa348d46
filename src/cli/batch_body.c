#include "cli/batch_body.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/json_in.h"

#include <string.h>

enum { MAX_FIELDS = 128 };

static const struct body_field *find_field(const char *name)
{
    for (size_t i = 0; i < batch_n_fields; i++)
        if (strcmp(batch_fields[i].name, name) == 0)
            return &batch_fields[i];
    return NULL;
}

static enum shoal_status refuse_field(const char *name, struct shoal_error *err)
{
    const char *names[MAX_FIELDS], *nearest;
    size_t n = 0;

    for (; n < batch_n_fields && n < MAX_FIELDS; n++)
        names[n] = batch_fields[n].name;
    nearest = nearest_name(name, names, n);
    if (nearest)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "unknown field \"%.80s\" in body; the nearest is \"%s\"", name, nearest);
    return shoal_fail(err, SHOAL_E_INVALID, "unknown field \"%.80s\" in body", name);
}

/* The bits of the fields that have been warned about, in the order of the table. */
static void warn_once(struct batch_warnings *warnings, const struct body_field *f, int64_t line)
{
    uint32_t bit = 1;

    for (const struct body_field *i = batch_fields; i < f; i++)
        if (i->kind == BODY_NO_EFFECT)
            bit <<= 1;
    if (warnings->said & bit)
        return;
    warnings->said |= bit;
    log_warn("line %lld: \"%s\" has no effect (said once)", (long long)line, f->name);
}

/* A value that asks for nothing: what clients send by default. */
static bool is_neutral(const json_t *value)
{
    const char *text = json_string_value(value);
    const json_t *only = json_array_get(value, 0);

    if (json_is_false(value))
        return true;
    if (text)
        return text[0] == '\0' || strcmp(text, "none") == 0 || strcmp(text, "auto") == 0;
    if (json_is_array(value) && json_array_size(value) == 1)
        return json_is_string(only) && strcmp(json_string_value(only), "text") == 0;
    if (json_is_object(value)) {
        const char *type = json_string_value(json_object_get(value, "type"));
        return json_object_size(value) == 1 && type && strcmp(type, "text") == 0;
    }
    return json_is_array(value) && json_array_size(value) == 0;
}

static enum shoal_status read_number(struct body_reading *r, const struct body_field *f,
                                     const json_t *value, struct shoal_error *err)
{
    char *out = (char *)&r->b->request + f->offset;
    enum shoal_status status;
    double d;
    int64_t i;

    if (f->kind == BODY_INT) {
        status = json_read_int(f->name, value, (int64_t)f->low, (int64_t)f->high, &i, err);
        if (!status)
            *(int32_t *)out = (int32_t)i;
        return status;
    }
    status = json_read_number(f->name, value, f->low, f->high, f->kind == BODY_ABOVE, &d, err);
    if (!status)
        *(float *)out = (float)d;
    return status;
}

static enum shoal_status read_field(struct body_reading *r, const char *name, const json_t *value,
                                    struct batch_warnings *warnings, struct shoal_error *err)
{
    const struct body_field *f = find_field(name);

    if (!f)
        return refuse_field(name, err);
    if (json_is_null(value)) /* the same as leaving it out */
        return SHOAL_OK;
    switch (f->kind) {
    case BODY_INT:
    case BODY_NUMBER:
    case BODY_ABOVE:
        return read_number(r, f, value, err);
    case BODY_FLAG:
        return json_read_bool(name, value, (bool *)((char *)r->b + f->offset), err);
    case BODY_READ:
        return f->read(r, name, value, err);
    case BODY_IGNORED:
        break;
    case BODY_NO_EFFECT:
        warn_once(warnings, f, r->b->line);
        break;
    case BODY_UNSUPPORTED:
        if (!is_neutral(value))
            return shoal_fail(err, SHOAL_E_UNSUPPORTED, "%s: shoal does not have it", name);
        break;
    }
    return SHOAL_OK;
}

/* What only shows when all fields have been read. */
static enum shoal_status check_together(struct body_reading *r, struct shoal_error *err)
{
    struct shoal_request *q = &r->b->request;
    const bool has_prompt = q->prompt || q->n_prompt_ids > 0;

    if (r->b->is_chat && (has_prompt || q->n_messages == 0))
        return shoal_fail(err, SHOAL_E_INVALID,
                          has_prompt ? "prompt: chat takes messages"
                                     : "messages: the field is missing");
    if (!r->b->is_chat && (!has_prompt || q->n_messages > 0))
        return shoal_fail(err, SHOAL_E_INVALID,
                          has_prompt ? "messages: completions take a prompt"
                                     : "prompt: the field is missing");
    if (r->b->is_chat && r->wants_logprobs)
        q->logprobs = r->top_logprobs;
    if (r->top_logprobs > 0 && !r->wants_logprobs)
        return shoal_fail(err, SHOAL_E_INVALID, "top_logprobs: it needs \"logprobs\": true");
    if (r->best_of && r->best_of != q->n)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "best_of: %d choices of which %d are kept; shoal keeps all, so it must "
                          "equal n",
                          r->best_of, q->n);
    if (q->min_tokens > q->max_tokens)
        return shoal_fail(err, SHOAL_E_INVALID, "min_tokens: %d is more than max_tokens, %d",
                          q->min_tokens, q->max_tokens);
    return SHOAL_OK;
}

enum shoal_status batch_body_read(struct batch_request *b, json_t *body,
                                  struct batch_warnings *warnings, struct shoal_error *err)
{
    struct body_reading r = {.b = b};
    const char *name;
    json_t *value;

    json_object_foreach(body, name, value)
    {
        const enum shoal_status status = read_field(&r, name, value, warnings, err);
        if (status)
            return status;
    }
    return check_together(&r, err);
}
