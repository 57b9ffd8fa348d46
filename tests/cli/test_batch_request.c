#include "cli/batch_request.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

/* Reads a line; *err tells why it failed. */
static enum shoal_status read_line(struct batch_request *b, const char *line,
                                   struct shoal_error *err)
{
    struct batch_warnings warnings = {0};

    err->text[0] = '\0';
    return batch_request_read(b, line, strlen(line), 7, &warnings, err);
}

START_TEST(lines_that_are_taken)
{
    static const char *const bodies[] = {
        "\"prompt\":\"x\"",
        "\"prompt\":\"\\u0000\"",
        "\"prompt\":[0]",
        "\"prompt\":[1,2,3.0]",
        "\"prompt\":\"x\",\"max_tokens\":0",
        "\"prompt\":\"x\",\"max_tokens\":2147483647",
        "\"prompt\":\"x\",\"max_tokens\":16.0",
        "\"prompt\":\"x\",\"max_tokens\":null,\"stop\":null,\"logit_bias\":null,\"echo\":null",
        "\"prompt\":\"x\",\"max_tokens\":5,\"max_completion_tokens\":5",
        "\"prompt\":\"x\",\"min_tokens\":16",
        "\"prompt\":\"x\",\"temperature\":0",
        "\"prompt\":\"x\",\"temperature\":2.5",
        "\"prompt\":\"x\",\"top_p\":1",
        "\"prompt\":\"x\",\"top_p\":1e-5",
        "\"prompt\":\"x\",\"top_k\":-1",
        "\"prompt\":\"x\",\"min_p\":1",
        "\"prompt\":\"x\",\"repetition_penalty\":1.2",
        "\"prompt\":\"x\",\"presence_penalty\":-2,\"frequency_penalty\":2",
        "\"prompt\":\"x\",\"logit_bias\":{\"5\":-100,\"6\":1.5}",
        "\"prompt\":\"x\",\"logit_bias\":{}",
        "\"prompt\":\"x\",\"seed\":-9223372036854775808",
        "\"prompt\":\"x\",\"n\":128",
        "\"prompt\":\"x\",\"stop\":\"a\"",
        "\"prompt\":\"x\",\"stop\":[]",
        "\"prompt\":\"x\",\"stop\":[\"a\",\"b\"]",
        "\"prompt\":\"x\",\"stop_token_ids\":[1,2]",
        "\"prompt\":\"x\",\"ignore_eos\":true",
        "\"prompt\":\"x\",\"logprobs\":20,\"prompt_logprobs\":0",
        "\"prompt\":\"x\",\"priority\":-5",
        "\"prompt\":\"x\",\"arrival\":1.25",
        "\"prompt\":\"x\",\"user\":\"me\",\"model\":\"m\",\"return_token_ids\":true",
        "\"prompt\":\"x\",\"best_of\":2,\"n\":2",
        "\"prompt\":\"x\",\"echo\":false,\"suffix\":\"\",\"tools\":[],\"tool_choice\":\"none\"",
        "\"prompt\":\"x\",\"response_format\":{\"type\":\"text\"},\"modalities\":[\"text\"]",
        "\"prompt\":\"x\",\"stream\":true,\"metadata\":{\"a\":1}",
        "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]",
        "\"messages\":[{\"role\":\"developer\",\"content\":\"\"},{\"role\":\"user\",\"content\":"
        "\"\"}]",
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]",
        "\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":\"b\",\"tool_calls\":null}],"
        "\"logprobs\":true,\"top_logprobs\":20",
        "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"logprobs\":false",
    };

    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char line[512];
        struct batch_request b;
        struct shoal_error err;

        snprintf(line, sizeof line, "{\"custom_id\":\"a\",\"body\":{%s}}", bodies[i]);
        ck_assert_msg(read_line(&b, line, &err) == SHOAL_OK, "%s: %s", bodies[i], err.text);
        ck_assert_str_eq(b.custom_id, "a");
        batch_request_fini(&b);
    }
}
END_TEST

/* Each field with a wrong type and outside of its range. */
START_TEST(bodies_that_are_refused)
{
    static const struct {
        const char *body, *error;
    } table[] = {
        {"", "prompt: the field is missing"},
        {"\"prompt\":null", "prompt: the field is missing"},
        {"\"prompt\":\"\"", "prompt: it is empty"},
        {"\"prompt\":[]", "prompt: it is empty"},
        {"\"prompt\":5", "prompt: 5 is not a text or an array of token ids"},
        {"\"prompt\":{\"a\":1}", "prompt: an object is not a text or an array of token ids"},
        {"\"prompt\":[-1]", "prompt[0]: -1 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":[1,2.5]", "prompt[1]: 2.5 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":[1,\"a\"]", "prompt[1]: \"a\" is not a whole number from 0 to 2147483647"},
        {"\"prompt\":[2147483648]",
         "prompt[0]: 2147483648 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":[\"a\",\"b\"]", "prompt: an array of prompts; write one line for each"},
        {"\"prompt\":[[1],[2]]", "prompt: an array of prompts; write one line for each"},
        {"\"prompt\":\"x\",\"max_tokens\":-1",
         "max_tokens: -1 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"max_tokens\":\"5\"",
         "max_tokens: \"5\" is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"max_tokens\":1.5",
         "max_tokens: 1.5 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"max_tokens\":1e300",
         "max_tokens: 1e300 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"max_tokens\":true",
         "max_tokens: true is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"max_completion_tokens\":2147483648",
         "max_completion_tokens: 2147483648 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"max_tokens\":5,\"max_completion_tokens\":6",
         "max_tokens and max_completion_tokens differ: give one"},
        {"\"prompt\":\"x\",\"min_tokens\":-1",
         "min_tokens: -1 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"min_tokens\":17", "min_tokens: 17 is more than max_tokens, 16"},
        {"\"prompt\":\"x\",\"temperature\":-0.1",
         "temperature: -0.1 is not a number from 0 to 100"},
        {"\"prompt\":\"x\",\"temperature\":101", "temperature: 101 is not a number from 0 to 100"},
        {"\"prompt\":\"x\",\"temperature\":\"hot\"",
         "temperature: \"hot\" is not a number from 0 to 100"},
        {"\"prompt\":\"x\",\"top_p\":0", "top_p: 0 is not a number above 0, at most 1"},
        {"\"prompt\":\"x\",\"top_p\":1.5", "top_p: 1.5 is not a number above 0, at most 1"},
        {"\"prompt\":\"x\",\"top_p\":[]", "top_p: an array is not a number above 0, at most 1"},
        {"\"prompt\":\"x\",\"top_k\":-2", "top_k: -2 is not a whole number from -1 to 2147483647"},
        {"\"prompt\":\"x\",\"min_p\":1.1", "min_p: 1.1 is not a number from 0 to 1"},
        {"\"prompt\":\"x\",\"repetition_penalty\":0",
         "repetition_penalty: 0 is not a number above 0, at most 100"},
        {"\"prompt\":\"x\",\"presence_penalty\":2.1",
         "presence_penalty: 2.1 is not a number from -2 to 2"},
        {"\"prompt\":\"x\",\"frequency_penalty\":-3",
         "frequency_penalty: -3 is not a number from -2 to 2"},
        {"\"prompt\":\"x\",\"logit_bias\":[1]",
         "logit_bias: an array is not an object of token ids and numbers"},
        {"\"prompt\":\"x\",\"logit_bias\":{\"a\":1}", "logit_bias: \"a\" is no token id"},
        {"\"prompt\":\"x\",\"logit_bias\":{\"-1\":1}", "logit_bias: \"-1\" is no token id"},
        {"\"prompt\":\"x\",\"logit_bias\":{\"1\":101}",
         "logit_bias[1]: 101 is not a number from -100 to 100"},
        {"\"prompt\":\"x\",\"logit_bias\":{\"1\":1,\"01\":2}", "logit_bias: 1 stands there twice"},
        {"\"prompt\":\"x\",\"seed\":\"a\"",
         "seed: \"a\" is not a whole number from -9223372036854775808 to 9223372036854775807"},
        {"\"prompt\":\"x\",\"n\":0", "n: 0 is not a whole number from 1 to 128"},
        {"\"prompt\":\"x\",\"n\":129", "n: 129 is not a whole number from 1 to 128"},
        {"\"prompt\":\"x\",\"stop\":5", "stop: 5 is not a text or an array of texts"},
        {"\"prompt\":\"x\",\"stop\":[\"a\",5]", "stop: 5 is not a text"},
        {"\"prompt\":\"x\",\"stop\":\"\"", "stop: an empty text would end at once"},
        {"\"prompt\":\"x\",\"stop\":\"a\\u0000b\"", "stop: the text may not hold a zero byte"},
        {"\"prompt\":\"x\",\"stop_token_ids\":5", "stop_token_ids: 5 is not an array of token ids"},
        {"\"prompt\":\"x\",\"stop_token_ids\":[-5]",
         "stop_token_ids[0]: -5 is not a whole number from 0 to 2147483647"},
        {"\"prompt\":\"x\",\"ignore_eos\":1", "ignore_eos: 1 is not true or false"},
        {"\"prompt\":\"x\",\"return_token_ids\":\"yes\"",
         "return_token_ids: \"yes\" is not true or false"},
        {"\"prompt\":\"x\",\"logprobs\":21", "logprobs: 21 is not a whole number from 0 to 20"},
        {"\"prompt\":\"x\",\"logprobs\":true", "logprobs: true is not a whole number from 0 to 20"},
        {"\"prompt\":\"x\",\"top_logprobs\":5",
         "top_logprobs: a field of chat; completions have \"logprobs\": N"},
        {"\"prompt\":\"x\",\"prompt_logprobs\":-1",
         "prompt_logprobs: -1 is not a whole number from 0 to 20"},
        {"\"prompt\":\"x\",\"priority\":2147483648",
         "priority: 2147483648 is not a whole number from -2147483648 to 2147483647"},
        {"\"prompt\":\"x\",\"arrival\":-1", "arrival: -1 is not a number from 0 to 1e+09"},
        {"\"prompt\":\"x\",\"best_of\":2",
         "best_of: 2 choices of which 1 are kept; shoal keeps all, so it must equal n"},
        {"\"prompt\":\"x\",\"echo\":true", "echo: shoal does not have it"},
        {"\"prompt\":\"x\",\"tools\":[{}]", "tools: shoal does not have it"},
        {"\"prompt\":\"x\",\"response_format\":{\"type\":\"json_object\"}",
         "response_format: shoal does not have it"},
        {"\"prompt\":\"x\",\"temprature\":1",
         "unknown field \"temprature\" in body; the nearest is \"temperature\""},
        {"\"prompt\":\"x\",\"zzzzzzzzzzz\":1", "unknown field \"zzzzzzzzzzz\" in body"},
        {"\"messages\":5", "messages: 5 is not an array of {role, content}"},
        {"\"messages\":[]", "messages: it is empty"},
        {"\"messages\":[5]", "messages[0]: 5 is not an object {role, content}"},
        {"\"messages\":[{\"content\":\"a\"}]", "messages[0].role: the field is missing"},
        {"\"messages\":[{\"role\":\"user\"}]", "messages[0].content: the field is missing"},
        {"\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]",
         "messages[0].role: \"tool\" is not one of system, user, assistant"},
        {"\"messages\":[{\"role\":\"user\",\"content\":5}]",
         "messages[0].content: 5 is not a text"},
        {"\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"x\":1}]",
         "unknown field \"x\" in messages[0]"},
        {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]",
         "messages[0].content[0]: only {\"type\": \"text\", \"text\": ...} is taken"},
        {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":5}]}]",
         "messages[0].content[0].text: 5 is not a text"},
        {"\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"prompt\":\"x\"",
         "prompt: chat takes messages"},
        {"\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"logprobs\":5",
         "logprobs: 5 is not true or false"},
        {"\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"top_logprobs\":5",
         "top_logprobs: it needs \"logprobs\": true"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char line[512];
        struct batch_request b;
        struct shoal_error err;

        snprintf(line, sizeof line, "{\"custom_id\":\"a\",\"body\":{%s}}", table[i].body);
        ck_assert_msg(read_line(&b, line, &err) != SHOAL_OK, "%s", table[i].body);
        ck_assert_msg(strcmp(err.text, table[i].error) == 0, "%s: \"%s\", not \"%s\"",
                      table[i].body, err.text, table[i].error);
        ck_assert_str_eq(b.custom_id, "a");
        ck_assert_int_eq(b.line, 7);
        batch_request_fini(&b);
    }
}
END_TEST

START_TEST(lines_that_are_refused)
{
    static const struct {
        const char *line, *error, *id;
    } table[] = {
        {"", "not JSON: ", "prompt-7"},
        {"nonsense", "not JSON: ", "prompt-7"},
        {"{\"body\":", "not JSON: ", "prompt-7"},
        {"{\"custom_id\":\"a\"} x", "not JSON: ", "prompt-7"},
        {"{\"custom_id\":\"a\",\"custom_id\":\"b\"}", "not JSON: duplicate object key", "prompt-7"},
        {"{\"body\":{\"prompt\":\"x\",\"n\":1,\"n\":1}}", "not JSON: duplicate object key",
         "prompt-7"},
        {"{\"body\":{\"prompt\":\"\xff\"}}", "not JSON: ", "prompt-7"},
        {"{\"body\":{\"prompt\":\"x\",\"seed\":99999999999999999999}}", "not JSON: too big integer",
         "prompt-7"},
        {"{\"body\":{\"prompt\":\"x\",\"top_p\":1e999}}", "not JSON: real number overflow",
         "prompt-7"},
        {"{\"body\":{\"prompt\":\"x\",\"top_p\":NaN}}", "not JSON: ", "prompt-7"},
        {"[1]", "not a request: the line is no JSON object", "prompt-7"},
        {"{}", "body: the field is missing", "prompt-7"},
        {"{\"custom_id\":\"a\",\"body\":5}", "body: 5 is not an object", "a"},
        {"{\"custom_id\":5,\"body\":{}}", "custom_id: 5 is not a text", "prompt-7"},
        {"{\"custom_id\":\"\",\"body\":{}}", "custom_id: it must have 1 to 512 bytes, not 0",
         "prompt-7"},
        {"{\"custom_id\":\"a\\u0000\",\"body\":{}}", "custom_id: the text may not hold a zero byte",
         "prompt-7"},
        {"{\"custom_id\":null,\"body\":{\"prompt\":\"\"}}", "prompt: it is empty", "prompt-7"},
        {"{\"custom_id\":\"a\",\"method\":\"GET\",\"body\":{\"prompt\":\"x\"}}",
         "method: \"GET\" is not \"POST\"", "a"},
        {"{\"custom_id\":\"a\",\"url\":\"/v1/embeddings\",\"body\":{\"prompt\":\"x\"}}",
         "url: \"/v1/embeddings\" is not /v1/completions or /v1/chat/completions", "a"},
        {"{\"custom_id\":\"a\",\"url\":\"/v1/chat/completions\",\"body\":{\"prompt\":\"x\"}}",
         "prompt: chat takes messages", "a"},
        {"{\"custom_id\":\"a\",\"url\":\"/v1/completions\",\"body\":{\"messages\":[{\"role\":"
         "\"user\",\"content\":\"x\"}]}}",
         "prompt: the field is missing", "a"},
        {"{\"custom_id\":\"a\",\"prompt\":\"x\"}",
         "unknown field \"prompt\": a line has custom_id, method, url and body", "a"},
        {"{\"custom_id\":\"a\",\"body\":{\"prompt\":\"x\"},\"priority\":1}",
         "unknown field \"priority\" beside custom_id", "a"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct batch_request b;
        struct shoal_error err;

        ck_assert_msg(read_line(&b, table[i].line, &err) != SHOAL_OK, "%s", table[i].line);
        ck_assert_msg(strncmp(err.text, table[i].error, strlen(table[i].error)) == 0,
                      "%s: \"%s\", not \"%s\"", table[i].line, err.text, table[i].error);
        ck_assert_str_eq(b.custom_id, table[i].id);
        batch_request_fini(&b);
    }
}
END_TEST

START_TEST(values_arrive)
{
    static const char line[] =
        "{\"custom_id\":\"id\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":{"
        "\"prompt\":[4,5],\"max_tokens\":9,\"min_tokens\":2,\"temperature\":0.5,\"top_p\":0.25,"
        "\"top_k\":3,\"min_p\":0.125,\"repetition_penalty\":1.5,\"presence_penalty\":-1,"
        "\"frequency_penalty\":2,\"logit_bias\":{\"7\":-3},\"seed\":-1,\"n\":4,"
        "\"stop\":[\"a\",\"bc\"],\"stop_token_ids\":[8],\"ignore_eos\":true,\"logprobs\":6,"
        "\"prompt_logprobs\":1,\"priority\":-2,\"arrival\":1.5,\"return_token_ids\":true}}";
    struct batch_request b;
    const struct shoal_request *q = &b.request;
    struct shoal_error err;

    ck_assert_msg(read_line(&b, line, &err) == SHOAL_OK, "%s", err.text);
    ck_assert(!b.is_chat && b.return_token_ids && b.arrival == 1.5);
    ck_assert(q->n_prompt_ids == 2 && q->prompt_ids[1] == 5 && !q->prompt && !q->messages);
    ck_assert(q->max_tokens == 9 && q->min_tokens == 2 && q->temperature == 0.5f);
    ck_assert(q->top_p == 0.25f && q->top_k == 3 && q->min_p == 0.125f);
    ck_assert(q->repetition_penalty == 1.5f && q->presence_penalty == -1.0f);
    ck_assert(q->frequency_penalty == 2.0f && q->n_bias == 1 && q->bias_ids[0] == 7);
    ck_assert(q->bias_values[0] == -3.0f && q->has_seed && q->seed == UINT64_MAX && q->n == 4);
    ck_assert(q->n_stop == 2 && strcmp(q->stop[1], "bc") == 0);
    ck_assert(q->n_stop_token_ids == 1 && q->stop_token_ids[0] == 8 && q->ignore_eos);
    ck_assert(q->logprobs == 6 && q->prompt_logprobs == 1 && q->priority == -2);
    ck_assert_str_eq(q->id, "id");
    batch_request_fini(&b);

    ck_assert_msg(
        read_line(&b,
                  "{\"body\":{\"messages\":[{\"role\":\"developer\",\"content\":\"s\"},{\"role\":"
                  "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
                  "\"text\":\"b\\u0000c\"}]}],\"logprobs\":true,\"top_logprobs\":2,\"top_k\":-1}}",
                  &err) == SHOAL_OK,
        "%s", err.text);
    ck_assert(b.is_chat && q->n_messages == 2 && q->logprobs == 2 && !q->prompt);
    ck_assert_int_eq(q->top_k, 0);
    ck_assert_str_eq(q->messages[0].role, "system");
    ck_assert_uint_eq(q->messages[1].n_content, 5);
    ck_assert_mem_eq(q->messages[1].content, "a\nb\0c", 5);
    ck_assert_str_eq(q->id, "prompt-7");
    batch_request_fini(&b);
}
END_TEST

START_TEST(deep_and_large_lines)
{
    struct text line = {0};
    struct batch_request b;
    struct shoal_error err;

    /* deeper than the parser goes, and as deep as an array of prompts may look */
    text_add_str(&line, "{\"body\":{\"prompt\":");
    for (int i = 0; i < 100000; i++)
        text_add_str(&line, "[");
    ck_assert_int_eq(read_line(&b, line.bytes, &err), SHOAL_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "depth"));
    batch_request_fini(&b);

    text_clear(&line);
    text_add_str(&line, "{\"body\":{\"prompt\":\"");
    for (int i = 0; i < 100000; i++)
        text_add_str(&line, "0123456789");
    text_add_str(&line, "\",\"logit_bias\":{");
    for (int i = 0; i < 1025; i++)
        text_printf(&line, "%s\"%d\":1", i ? "," : "", i);
    text_add_str(&line, "}}}");
    ck_assert_int_eq(read_line(&b, line.bytes, &err), SHOAL_E_INVALID);
    ck_assert_str_eq(err.text, "logit_bias: 1025 ids; at most 1024 are taken");
    ck_assert_uint_eq(b.request.n_prompt, 1000000);
    batch_request_fini(&b);
    text_fini(&line);
}
END_TEST

START_TEST(plain_text)
{
    const char *stop[] = {"x"};
    struct shoal_request defaults;
    struct batch_request b;
    struct shoal_error err;

    shoal_request_default(&defaults);
    defaults.max_tokens = 3;
    defaults.stop = stop;
    defaults.n_stop = 1;
    ck_assert_int_eq(batch_request_from_text(&b, "a\0b", 3, 2, &defaults, false, &err), SHOAL_OK);
    ck_assert_mem_eq(b.request.prompt, "a\0b", 4);
    ck_assert(b.request.n_prompt == 3 && b.request.max_tokens == 3 && b.request.n_stop == 1);
    ck_assert_str_eq(b.custom_id, "prompt-2");
    batch_request_fini(&b);

    ck_assert_int_eq(batch_request_from_text(&b, "hi", 2, 2, &defaults, true, &err), SHOAL_OK);
    ck_assert(b.is_chat && b.request.n_messages == 1 && !b.request.prompt);
    ck_assert_str_eq(b.request.messages[0].content, "hi");
    batch_request_fini(&b);

    ck_assert_int_eq(batch_request_from_text(&b, "", 0, 2, &defaults, false, &err),
                     SHOAL_E_INVALID);
    batch_request_fini(&b);
    ck_assert_int_eq(batch_request_from_text(&b, "\xff", 1, 2, &defaults, false, &err),
                     SHOAL_E_FORMAT);
    batch_request_fini(&b);
}
END_TEST

SUITE("batch_request", lines_that_are_taken, bodies_that_are_refused, lines_that_are_refused,
      values_arrive, deep_and_large_lines, plain_text)
