/* From a request as a program gives it to sequences for the scheduler: checked, tokenized, seeded.
 */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/observe.h"
#include "engine/plugin_views.h"
#include "model/hooks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void shoal_request_default(struct shoal_request *r)
{
    *r = (struct shoal_request){.max_tokens = 16,
                                .temperature = 1,
                                .top_p = 1,
                                .repetition_penalty = 1,
                                .n = 1,
                                .logprobs = -1,
                                .prompt_logprobs = -1};
}

/* A field's range as vLLM has it. */
static enum shoal_status check_range(const char *name, double value, double low, double high,
                                     struct shoal_error *err)
{
    if (value >= low && value <= high)
        return SHOAL_OK;
    if (isinf(high))
        return shoal_fail(err, SHOAL_E_INVALID, "%s %g is not %g or more", name, value, low);
    return shoal_fail(err, SHOAL_E_INVALID, "%s %g is not between %g and %g", name, value, low,
                      high);
}

static enum shoal_status check_ids(const char *name, const int32_t ids[], int32_t n,
                                   int32_t n_vocab, struct shoal_error *err)
{
    for (int32_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= n_vocab)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "%s: token id %d is not in the vocabulary of %d", name, ids[i],
                              n_vocab);
    return SHOAL_OK;
}

static enum shoal_status check_fields(const struct shoal_engine *e, const struct shoal_request *r,
                                      struct shoal_error *err)
{
    const int32_t n_vocab = e->model->hp.n_vocab;
    const int n_given = (r->prompt != NULL) + (r->prompt_ids != NULL) + (r->messages != NULL);
    const struct {
        const char *name;
        double value, low, high;
    } ranges[] = {
        {"max_tokens", r->max_tokens, 0, INT32_MAX},
        {"min_tokens", r->min_tokens, 0, r->max_tokens},
        {"temperature", (double)r->temperature, 0, 100},
        {"top_p", (double)r->top_p, 1e-6, 1},
        {"min_p", (double)r->min_p, 0, 1},
        {"top_k", r->top_k, 0, INT32_MAX},
        {"repetition_penalty", (double)r->repetition_penalty, 1e-3, 1000},
        {"presence_penalty", (double)r->presence_penalty, -2, 2},
        {"frequency_penalty", (double)r->frequency_penalty, -2, 2},
        {"n", r->n, 1, MAX_CHOICES},
        {"logprobs", r->logprobs, -1, STEP_MAX_LOGPROBS},
        {"prompt_logprobs", r->prompt_logprobs, -1, STEP_MAX_LOGPROBS},
        {"the number of logit_bias entries", r->n_bias, 0, STEP_MAX_BIAS},
        {"the number of stop_token_ids", r->n_stop_token_ids, 0, STEP_MAX_STOP_IDS / 2},
        {"the number of stop texts", r->n_stop, 0, 64},
    };
    enum shoal_status status;

    if (n_given != 1)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "a request needs one of prompt, prompt ids and messages; this one has %s",
                          n_given == 0 ? "none" : "several");
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if ((status =
                 check_range(ranges[i].name, ranges[i].value, ranges[i].low, ranges[i].high, err)))
            return status;
    for (int32_t i = 0; i < r->n_bias; i++)
        if ((status = check_range("logit_bias", (double)r->bias_values[i], -100, 100, err)))
            return status;
    for (int32_t i = 0; i < r->n_stop; i++)
        if (r->stop[i][0] == '\0')
            return shoal_fail(err, SHOAL_E_INVALID, "stop text %d is empty", i);
    if (r->prompt_ids &&
        (status = check_ids("prompt", r->prompt_ids, r->n_prompt_ids, n_vocab, err)))
        return status;
    if ((status = check_ids("logit_bias", r->bias_ids, r->n_bias, n_vocab, err)))
        return status;
    return check_ids("stop_token_ids", r->stop_token_ids, r->n_stop_token_ids, n_vocab, err);
}

static enum shoal_status encode_prompt(const struct shoal_engine *e, const struct shoal_request *r,
                                       struct token_list *ids, struct shoal_error *err)
{
    if (r->prompt)
        return tokenizer_encode(e->tokenizer, r->prompt, r->n_prompt, TOKENIZE_ADD_BOS_EOS, ids,
                                err);
    if (r->messages) {
        struct chat_message *messages = mem_new((size_t)r->n_messages, sizeof *messages);
        if (!messages)
            return shoal_fail_memory(err, "messages", (size_t)r->n_messages * sizeof *messages);
        for (int32_t i = 0; i < r->n_messages; i++)
            messages[i] = (struct chat_message){r->messages[i].role, r->messages[i].content,
                                                r->messages[i].n_content};
        const enum shoal_status status =
            chat_encode(e->chat, e->tokenizer, messages, r->n_messages, ids, err);
        mem_free(messages);
        return status;
    }
    for (int32_t i = 0; i < r->n_prompt_ids; i++)
        if (!token_list_add(ids, r->prompt_ids[i]))
            return shoal_fail_memory(err, "a prompt", (size_t)r->n_prompt_ids * sizeof *ids->ids);
    return SHOAL_OK;
}

static enum shoal_status check_length(const struct shoal_engine *e, size_t n_prompt,
                                      struct shoal_error *err)
{
    const int32_t most = e->limits.max_model_len;

    if (n_prompt == 0)
        return shoal_fail(err, SHOAL_E_INVALID, "the prompt is empty");
    if (n_prompt < (size_t)most)
        return SHOAL_OK;
    return shoal_fail(
        err, SHOAL_E_LIMIT,
        "the prompt has %zu tokens, which leaves no room for output: prompt and output "
        "together have at most %d (%s)",
        n_prompt, most,
        most < e->model->hp.n_ctx ? "--max-model-len, or what the KV pool holds: --kv-cache-memory"
                                  : "the model's context");
}

static bool copy_stops(struct stop_texts *out, const struct shoal_request *r)
{
    out->texts = mem_new((size_t)r->n_stop, sizeof *out->texts);
    out->lengths = mem_new((size_t)r->n_stop, sizeof *out->lengths);
    if (!out->texts || !out->lengths)
        return false;
    for (; out->n < r->n_stop; out->n++) {
        out->texts[out->n] = mem_strdup(r->stop[out->n]);
        if (!out->texts[out->n])
            return false;
        out->lengths[out->n] = strlen(r->stop[out->n]);
    }
    return true;
}

/* Everything of the request that outlives the call. Takes the ids. */
static enum shoal_status create_request(struct shoal_engine *e, const struct shoal_request *r,
                                        struct token_list *ids, struct request **out,
                                        struct shoal_error *err)
{
    struct request *request = mem_new(1, sizeof *request);
    char name[32];

    *out = NULL;
    if (!request)
        goto no_memory;
    request->id = e->n_submitted + 1;
    snprintf(name, sizeof name, "request-%llu", (unsigned long long)request->id);
    request->name = mem_strdup(r->id ? r->id : name);
    request->n_prompt = (int32_t)ids->n;
    request->prompt = ids->ids;
    *ids = (struct token_list){0};
    request->min_tokens = r->min_tokens;
    request->no_text = r->no_text && r->n_stop == 0;
    request->submitted_ns = clock_ns();
    request->on_event = r->on_event;
    request->user = r->user;
    request->n_choices = request->n_left = r->n;
    request->choices = mem_new((size_t)r->n, sizeof *request->choices);
    if (!request->name || !request->choices || !copy_stops(&request->stops, r))
        goto no_memory;
    for (int32_t i = 0; i < r->n; i++)
        output_init(&request->choices[i].output, e->tokenizer, &request->stops);
    if (r->prompt_logprobs >= 0 && request->n_prompt > 1) {
        request->prompt_logprobs_width = 1 + r->prompt_logprobs;
        request->prompt_logprobs =
            mem_new((size_t)(request->n_prompt - 1) * (size_t)request->prompt_logprobs_width,
                    sizeof *request->prompt_logprobs);
        if (!request->prompt_logprobs)
            goto no_memory;
    }
    *out = request;
    return SHOAL_OK;
no_memory:
    request_destroy(request);
    return shoal_fail_memory(err, "a request", sizeof *request);
}

/* The ids that end it: those of the request, and the model's unless they are to be ignored. */
static int32_t collect_stop_ids(const struct shoal_engine *e, const struct shoal_request *r,
                                int32_t ids[STEP_MAX_STOP_IDS])
{
    int32_t n = 0, n_ends;
    const int32_t *ends = tokenizer_ends(e->tokenizer, &n_ends);

    for (int32_t i = 0; i < r->n_stop_token_ids; i++)
        ids[n++] = r->stop_token_ids[i];
    for (int32_t i = 0; !r->ignore_eos && i < n_ends && n < STEP_MAX_STOP_IDS; i++)
        ids[n++] = ends[i];
    return n;
}

static enum shoal_status add_sequences(struct shoal_engine *e, const struct shoal_request *r,
                                       const struct request *request, struct shoal_error *err)
{
    const int32_t room = e->limits.max_model_len - request->n_prompt;
    int32_t stop_ids[STEP_MAX_STOP_IDS];
    struct sched_sequence seq = {
        .first_choice = sequence_id(request->id, 0),
        .prompt = request->prompt,
        .n_prompt = request->n_prompt,
        .max_tokens = r->max_tokens < room ? r->max_tokens : room,
        .priority = r->priority,
        .sampling = {.temperature = r->temperature,
                     .top_p = r->top_p,
                     .min_p = r->min_p,
                     .repetition_penalty = r->repetition_penalty,
                     .presence_penalty = r->presence_penalty,
                     .frequency_penalty = r->frequency_penalty,
                     .top_k = r->top_k,
                     .min_tokens = r->min_tokens,
                     .n_logprobs = r->logprobs,
                     .seed = r->has_seed
                                 ? r->seed
                                 : hash64(request->name, strlen(request->name), e->options.seed)},
        .bias_ids = r->bias_ids,
        .bias_values = r->bias_values,
        .n_bias = r->n_bias,
        .stop_ids = stop_ids,
        .n_stop = collect_stop_ids(e, r, stop_ids),
    };

    if (plugin_views_are_on(e) && plugin_views_reserve(e->views, r->n, err) != SHOAL_OK)
        return SHOAL_E_NO_MEMORY;
    for (int32_t c = 0; c < r->n; c++) {
        seq.id = sequence_id(request->id, c);
        seq.salt = model_salt(e->plugins, &e->model->hp, request->id, c);
        seq.sampling.choice = c;
        seq.sampling.n_prompt_logprobs = c == 0 ? r->prompt_logprobs : -1;
        seq.skips_prefix_cache = c == 0 && r->prompt_logprobs >= 0;
        if (plugins_are_on(e->plugins))
            seq.salt = model_salt(e->plugins, &e->model->hp, request->id, c);
        const enum shoal_status status = sched_add(e->sched, &seq, err);
        if (status == SHOAL_OK)
            continue;
        while (c-- > 0)
            sched_end(e->sched, sequence_id(request->id, c), SCHED_ABORT);
        return status;
    }
    return SHOAL_OK;
}

/* Nothing to generate: the request finishes at once. */
static void finish_empty(struct shoal_engine *e, struct request *request)
{
    const int32_t n = request->n_choices;

    for (int32_t c = 0; c < n; c++)
        engine_end_choice(e, request, c, SHOAL_FINISH_LENGTH, NULL);
}

enum shoal_status shoal_submit(struct shoal_engine *e, const struct shoal_request *r, uint64_t *id,
                               struct shoal_error *err)
{
    struct token_list ids = {0};
    struct request *request = NULL;
    enum shoal_status status;

    if (!e->sched)
        return shoal_fail(err, SHOAL_E_INVALID, "only rank 0 takes requests");
    if (e->is_failed)
        return shoal_fail(err, SHOAL_E_INTERNAL,
                          "the engine has failed and takes no more requests");
    engine_observe_submit(e);
    if ((status = check_fields(e, r, err)) || (status = encode_prompt(e, r, &ids, err)) ||
        (status = check_length(e, ids.n, err)) ||
        (status = create_request(e, r, &ids, &request, err)) ||
        (r->max_tokens > 0 && (status = add_sequences(e, r, request, err)))) {
        token_list_fini(&ids);
        request_destroy(request);
        return status;
    }
    status = requests_add(&e->requests, request, err);
    if (status != SHOAL_OK) {
        for (int32_t c = 0; c < r->n; c++)
            sched_end(e->sched, sequence_id(request->id, c), SCHED_ABORT);
        request_destroy(request);
        return status;
    }
    e->n_submitted++;
    e->counts.prompt_tokens += request->n_prompt;
    *id = request->id;
    if (e->log)
        for (int32_t c = 0; c < r->n && r->max_tokens > 0; c++)
            step_log_writer_request(
                e->log, &(struct step_log_request){.request = sequence_id(request->id, c),
                                                   .custom_id = request->name,
                                                   .n_prompt = request->n_prompt,
                                                   .prompt = request->prompt});
    if (plugin_views_are_on(e))
        plugin_views_added(e->views, request);
    if (r->max_tokens == 0)
        finish_empty(e, request);
    return SHOAL_OK;
}

enum shoal_status shoal_tokenize(const struct shoal_engine *e, const char *text, size_t n_text,
                                 bool parse_special, int32_t **ids, int32_t *n_ids,
                                 struct shoal_error *err)
{
    struct token_list list = {0};
    const unsigned flags = TOKENIZE_ADD_BOS_EOS | (parse_special ? TOKENIZE_SPECIAL : 0u);
    const enum shoal_status status =
        tokenizer_encode(e->tokenizer, text, n_text, flags, &list, err);

    if (status != SHOAL_OK) {
        token_list_fini(&list);
        return status;
    }
    *ids = list.ids;
    *n_ids = (int32_t)list.n;
    return SHOAL_OK;
}

size_t shoal_token_piece(const struct shoal_engine *e, int32_t token, char *piece, size_t capacity)
{
    struct text text = {0};
    size_t n;

    tokenizer_piece(e->tokenizer, token, true, &text);
    n = text.n;
    if (n > 0 && capacity > 0)
        memcpy(piece, text.bytes, n < capacity ? n : capacity);
    text_fini(&text);
    return n;
}
