/* The fields that a body may have, and those that are more than a number. */
#include "cli/batch_body.h"

#include "base/mem.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/json_in.h"

#include <stddef.h>
#include <stdio.h>

enum { MAX_CHOICES = 128, MAX_LOGPROBS = 20, MAX_STOPS = 64, MAX_BIAS = 1024 };

static enum shoal_status read_prompt(struct body_reading *r, const char *name, const json_t *value,
                                     struct shoal_error *err)
{
    struct batch_request *b = r->b;
    enum shoal_status status;

    if (json_is_string(value)) {
        status = json_read_text(name, value, &b->request.prompt, &b->request.n_prompt, err);
        if (!status && b->request.n_prompt == 0)
            return shoal_fail(err, SHOAL_E_INVALID, "prompt: it is empty");
        return status;
    }
    if (!json_is_array(value))
        return json_refuse(name, value, "a text or an array of token ids", err);
    if (json_array_size(value) == 0)
        return shoal_fail(err, SHOAL_E_INVALID, "prompt: it is empty");
    if (json_is_string(json_array_get(value, 0)) || json_is_array(json_array_get(value, 0)))
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "prompt: an array of prompts; write one line for each");
    status = json_read_ids(name, value, &b->prompt_ids, &b->request.n_prompt_ids, err);
    b->request.prompt_ids = b->prompt_ids;
    return status;
}

static enum shoal_status read_messages(struct body_reading *r, const char *name,
                                       const json_t *value, struct shoal_error *err)
{
    return batch_messages_read(r->b, name, value, err);
}

static enum shoal_status read_limit(struct body_reading *r, const char *name, const json_t *value,
                                    struct shoal_error *err)
{
    int64_t n = 0;
    const enum shoal_status status = json_read_int(name, value, 0, INT32_MAX, &n, err);

    if (status)
        return status;
    if (r->has_limit && n != r->b->request.max_tokens)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "max_tokens and max_completion_tokens differ: give one");
    r->has_limit = true;
    r->b->request.max_tokens = (int32_t)n;
    return SHOAL_OK;
}

static enum shoal_status read_top_k(struct body_reading *r, const char *name, const json_t *value,
                                    struct shoal_error *err)
{
    int64_t n = 0;
    const enum shoal_status status = json_read_int(name, value, -1, INT32_MAX, &n, err);

    if (!status)
        r->b->request.top_k = n < 0 ? 0 : (int32_t)n; /* -1 is vLLM's word for all */
    return status;
}

static enum shoal_status read_seed(struct body_reading *r, const char *name, const json_t *value,
                                   struct shoal_error *err)
{
    int64_t seed = 0;
    const enum shoal_status status = json_read_int(name, value, INT64_MIN, INT64_MAX, &seed, err);

    if (!status) {
        r->b->request.has_seed = true;
        r->b->request.seed = (uint64_t)seed;
    }
    return status;
}

static enum shoal_status read_stop(struct body_reading *r, const char *name, const json_t *value,
                                   struct shoal_error *err)
{
    struct batch_request *b = r->b;
    const size_t n = json_is_array(value) ? json_array_size(value) : 1;

    if (!json_is_array(value) && !json_is_string(value))
        return json_refuse(name, value, "a text or an array of texts", err);
    if (n > MAX_STOPS)
        return shoal_fail(err, SHOAL_E_INVALID, "stop: %zu texts; at most %d are taken", n,
                          MAX_STOPS);
    b->stop = mem_new(n, sizeof *b->stop);
    if (!b->stop)
        return shoal_fail_memory(err, name, n * sizeof *b->stop);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        const enum shoal_status status = json_read_word(name, item, &b->stop[i], err);
        if (status)
            return status;
        if (b->stop[i][0] == '\0')
            return shoal_fail(err, SHOAL_E_INVALID, "stop: an empty text would end at once");
    }
    b->request.stop = b->stop;
    b->request.n_stop = (int32_t)n;
    return SHOAL_OK;
}

static enum shoal_status read_stop_ids(struct body_reading *r, const char *name,
                                       const json_t *value, struct shoal_error *err)
{
    const enum shoal_status status =
        json_read_ids(name, value, &r->b->stop_token_ids, &r->b->request.n_stop_token_ids, err);

    r->b->request.stop_token_ids = r->b->stop_token_ids;
    return status;
}

/* {"id": bias, ...}: JSON keys are texts. */
static enum shoal_status read_bias(struct body_reading *r, const char *name, const json_t *value,
                                   struct shoal_error *err)
{
    struct batch_request *b = r->b;
    const size_t n = json_object_size(value);
    const char *key;
    json_t *item;
    int32_t i = 0;

    if (!json_is_object(value))
        return json_refuse(name, value, "an object of token ids and numbers", err);
    if (n > MAX_BIAS)
        return shoal_fail(err, SHOAL_E_INVALID, "logit_bias: %zu ids; at most %d are taken", n,
                          MAX_BIAS);
    b->bias_ids = mem_new(n, sizeof *b->bias_ids);
    b->bias_values = mem_new(n, sizeof *b->bias_values);
    if (!b->bias_ids || !b->bias_values)
        return shoal_fail_memory(err, name, n * sizeof *b->bias_ids);
    /* jansson only takes the pointer to const away; nothing is changed */
    void *iterator = json_object_iter((json_t *)(uintptr_t)value);
    while (iterator) {
        char label[96];
        int64_t id;
        double bias = 0;

        key = json_object_iter_key(iterator);
        item = json_object_iter_value(iterator);
        if (!parse_i64(key, 0, INT32_MAX, &id))
            return shoal_fail(err, SHOAL_E_INVALID, "logit_bias: \"%.40s\" is no token id", key);
        snprintf(label, sizeof label, "logit_bias[%lld]", (long long)id);
        const enum shoal_status status =
            json_read_number(label, item, -100, 100, false, &bias, err);
        if (status)
            return status;
        for (int32_t k = 0; k < i; k++)
            if (b->bias_ids[k] == (int32_t)id)
                return shoal_fail(err, SHOAL_E_INVALID, "logit_bias: %lld stands there twice",
                                  (long long)id);
        b->bias_ids[i] = (int32_t)id;
        b->bias_values[i++] = (float)bias;
        iterator = json_object_iter_next((json_t *)(uintptr_t)value, iterator);
    }
    b->request.bias_ids = b->bias_ids;
    b->request.bias_values = b->bias_values;
    b->request.n_bias = i;
    return SHOAL_OK;
}

/* Completions say how many; chat says whether, and top_logprobs how many. */
static enum shoal_status read_logprobs(struct body_reading *r, const char *name,
                                       const json_t *value, struct shoal_error *err)
{
    int64_t n = 0;
    enum shoal_status status;

    if (r->b->is_chat)
        return json_read_bool(name, value, &r->wants_logprobs, err);
    status = json_read_int(name, value, 0, MAX_LOGPROBS, &n, err);
    if (!status)
        r->b->request.logprobs = (int32_t)n;
    return status;
}

static enum shoal_status read_top_logprobs(struct body_reading *r, const char *name,
                                           const json_t *value, struct shoal_error *err)
{
    int64_t n = 0;
    const enum shoal_status status = json_read_int(name, value, 0, MAX_LOGPROBS, &n, err);

    if (!status && !r->b->is_chat)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "top_logprobs: a field of chat; completions have \"logprobs\": N");
    r->top_logprobs = (int32_t)n;
    return status;
}

static enum shoal_status read_arrival(struct body_reading *r, const char *name, const json_t *value,
                                      struct shoal_error *err)
{
    return json_read_number(name, value, 0, 1e9, false, &r->b->arrival, err);
}

static enum shoal_status read_best_of(struct body_reading *r, const char *name, const json_t *value,
                                      struct shoal_error *err)
{
    int64_t n = 0;
    const enum shoal_status status = json_read_int(name, value, 1, MAX_CHOICES, &n, err);

    r->best_of = (int32_t)n;
    return status;
}

#define OF_REQUEST(field) offsetof(struct shoal_request, field)

const struct body_field batch_fields[] = {
    {"prompt", BODY_READ, .read = read_prompt},
    {"messages", BODY_READ, .read = read_messages},
    {"max_tokens", BODY_READ, .read = read_limit},
    {"max_completion_tokens", BODY_READ, .read = read_limit},
    {"min_tokens", BODY_INT, OF_REQUEST(min_tokens), 0, INT32_MAX, NULL},
    {"temperature", BODY_NUMBER, OF_REQUEST(temperature), 0, 100, NULL},
    {"top_p", BODY_ABOVE, OF_REQUEST(top_p), 0, 1, NULL},
    {"top_k", BODY_READ, .read = read_top_k},
    {"min_p", BODY_NUMBER, OF_REQUEST(min_p), 0, 1, NULL},
    {"repetition_penalty", BODY_ABOVE, OF_REQUEST(repetition_penalty), 0, 100, NULL},
    {"presence_penalty", BODY_NUMBER, OF_REQUEST(presence_penalty), -2, 2, NULL},
    {"frequency_penalty", BODY_NUMBER, OF_REQUEST(frequency_penalty), -2, 2, NULL},
    {"logit_bias", BODY_READ, .read = read_bias},
    {"seed", BODY_READ, .read = read_seed},
    {"n", BODY_INT, OF_REQUEST(n), 1, MAX_CHOICES, NULL},
    {"stop", BODY_READ, .read = read_stop},
    {"stop_token_ids", BODY_READ, .read = read_stop_ids},
    {"ignore_eos", BODY_FLAG, offsetof(struct batch_request, request.ignore_eos), 0, 0, NULL},
    {"logprobs", BODY_READ, .read = read_logprobs},
    {"top_logprobs", BODY_READ, .read = read_top_logprobs},
    {"prompt_logprobs", BODY_INT, OF_REQUEST(prompt_logprobs), 0, MAX_LOGPROBS, NULL},
    {"priority", BODY_INT, OF_REQUEST(priority), INT32_MIN, INT32_MAX, NULL},
    {"return_token_ids", BODY_FLAG, offsetof(struct batch_request, return_token_ids), 0, 0, NULL},
    {"arrival", BODY_READ, .read = read_arrival},
    {"best_of", BODY_READ, .read = read_best_of},
    {"model", BODY_IGNORED, 0, 0, 0, NULL},
    {"user", BODY_IGNORED, 0, 0, 0, NULL},
    {"stream", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"stream_options", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"store", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"metadata", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"service_tier", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"parallel_tool_calls", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"safety_identifier", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"prompt_cache_key", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"prediction", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"reasoning_effort", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"verbosity", BODY_NO_EFFECT, 0, 0, 0, NULL},
    {"echo", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"suffix", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"tools", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"tool_choice", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"functions", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"function_call", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"response_format", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"modalities", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"audio", BODY_UNSUPPORTED, 0, 0, 0, NULL},
    {"web_search_options", BODY_UNSUPPORTED, 0, 0, 0, NULL},
};

const size_t batch_n_fields = sizeof batch_fields / sizeof *batch_fields;
