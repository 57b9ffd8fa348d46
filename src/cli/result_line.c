#include "cli/result_line.h"

#include "base/json_out.h"

#include <string.h>

static void put_ids(const struct job *j, const struct job_choice *c, struct text *out)
{
    if (!j->return_token_ids)
        return;
    text_add_str(out, ",\"prompt_token_ids\":");
    json_put_ids(out, j->prompt_ids, j->prompt_ids ? (size_t)j->n_prompt : 0);
    text_add_str(out, ",\"token_ids\":[");
    for (size_t i = 0; i < c->n_tokens; i++)
        text_printf(out, i ? ",%d" : "%d", c->tokens[i].id);
    text_add_str(out, "]");
}

static void put_choice(const struct result_context *context, const struct job *j, int32_t i,
                       struct text *out)
{
    const struct job_choice *c = &j->choices[i];
    const char *text = c->text.bytes ? c->text.bytes : "";

    text_printf(out, "{\"index\":%d,", i);
    if (j->is_chat) {
        text_add_str(out, "\"message\":{\"role\":\"assistant\",\"content\":");
        json_put_string(out, text, c->text.n);
        text_add_str(out, "}");
    } else {
        text_add_str(out, "\"text\":");
        json_put_string(out, text, c->text.n);
    }
    text_add_str(out, ",\"logprobs\":");
    if (!j->wants_logprobs)
        text_add_str(out, "null");
    else if (j->is_chat)
        result_chat_logprobs(context, c, out);
    else
        result_completion_logprobs(context, c, out);
    if (j->wants_prompt_logprobs && !j->is_chat) {
        text_add_str(out, ",\"prompt_logprobs\":");
        result_prompt_logprobs(context, j, out);
    }
    put_ids(j, c, out);
    text_printf(out, ",\"finish_reason\":\"%s\"}", shoal_finish_name(c->finish));
}

static void put_usage(const struct job *j, struct text *out)
{
    const int64_t n = job_n_generated(j);

    text_printf(out,
                "{\"prompt_tokens\":%d,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
                "\"prompt_tokens_details\":{\"cached_tokens\":%d}}",
                j->n_prompt, (long long)n, (long long)(j->n_prompt + n), j->n_cached);
}

static void put_body(const struct result_context *context, const struct job *j, struct text *out)
{
    text_printf(out, "{\"id\":\"%s-%lld\",\"object\":\"%s\",\"created\":%lld,\"model\":",
                j->is_chat ? "chatcmpl" : "cmpl", (long long)j->line,
                j->is_chat ? "chat.completion" : "text_completion", (long long)context->created);
    json_put_words(out, context->model);
    text_add_str(out, ",\"choices\":[");
    for (int32_t i = 0; i < j->n_choices; i++) {
        if (i > 0)
            text_add_str(out, ",");
        put_choice(context, j, i, out);
    }
    text_add_str(out, "],\"usage\":");
    put_usage(j, out);
    if (j->wants_prompt_logprobs && j->is_chat) {
        text_add_str(out, ",\"prompt_logprobs\":");
        result_prompt_logprobs(context, j, out);
    }
    text_add_str(out, "}");
}

static void put_head(const char *custom_id, int64_t line, int status_code, struct text *out)
{
    text_printf(out, "{\"id\":\"batch_req_%lld\",\"custom_id\":", (long long)line);
    if (custom_id)
        json_put_words(out, custom_id);
    else
        text_add_str(out, "null");
    text_printf(out, ",\"response\":{\"status_code\":%d,\"request_id\":\"req_%lld\",\"body\":",
                status_code, (long long)line);
}

static void put_error(const char *code, const char *message, int64_t line, struct text *out)
{
    text_printf(out, ",\"error\":{\"code\":\"%s\",\"message\":", code);
    json_put_words(out, message);
    text_printf(out, ",\"line\":%lld}}\n", (long long)line);
}

void result_line_print(const struct result_context *context, const struct job *j, struct text *out)
{
    const bool is_error = job_finish(j) == SHOAL_FINISH_ERROR;

    put_head(j->custom_id, j->line, is_error ? 500 : 200, out);
    put_body(context, j, out);
    text_add_str(out, "}");
    if (is_error)
        put_error("engine_error", j->error ? j->error : "the engine could not go on", j->line, out);
    else
        text_add_str(out, ",\"error\":null}\n");
}

static const char *error_code(enum shoal_status status)
{
    switch (status) {
    case SHOAL_E_FORMAT:
        return "invalid_json";
    case SHOAL_E_UNSUPPORTED:
        return "unsupported";
    case SHOAL_E_LIMIT:
        return "limit_exceeded";
    case SHOAL_E_IO:
        return "input_failed";
    case SHOAL_E_NO_MEMORY:
        return "out_of_memory";
    default:
        return "invalid_request";
    }
}

void result_line_refuse(const char *custom_id, int64_t line, const struct shoal_error *err,
                        struct text *out)
{
    put_head(custom_id, line, 400, out);
    text_add_str(out, "null}");
    put_error(error_code(err->status), err->text, line, out);
}
