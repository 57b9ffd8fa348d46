/* Any bytes as a batch line: refused with a sentence, or a request whose every field is in range.
 * The answer to a refused one is JSON whatever its id and the sentence hold. */
#include "fuzz/fuzz.h"

#include "base/log.h"
#include "base/status.h"
#include "cli/batch_request.h"
#include "cli/result_line.h"

#include <stdlib.h>
#include <string.h>

static void check(int holds)
{
    if (!holds)
        abort();
}

static uint64_t sum_bytes(const char *bytes, size_t n)
{
    uint64_t sum = n;

    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)bytes[i];
    return sum;
}

/* Reads everything that shoal_submit would read. */
static uint64_t walk(const struct batch_request *b)
{
    const struct shoal_request *q = &b->request;
    uint64_t sum = strlen(q->id);

    check((q->prompt != NULL) + (q->n_prompt_ids > 0) + (q->n_messages > 0) == 1);
    check(b->is_chat == (q->n_messages > 0));
    if (q->prompt)
        sum += sum_bytes(q->prompt, q->n_prompt);
    for (int32_t i = 0; i < q->n_prompt_ids; i++)
        check(q->prompt_ids[i] >= 0);
    for (int32_t i = 0; i < q->n_messages; i++)
        sum += sum_bytes(q->messages[i].content, q->messages[i].n_content) +
               strlen(q->messages[i].role);
    for (int32_t i = 0; i < q->n_stop; i++)
        check(q->stop[i][0] != '\0');
    for (int32_t i = 0; i < q->n_stop_token_ids; i++)
        check(q->stop_token_ids[i] >= 0);
    for (int32_t i = 0; i < q->n_bias; i++)
        check(q->bias_ids[i] >= 0 && q->bias_values[i] >= -100 && q->bias_values[i] <= 100);
    check(q->max_tokens >= 0 && q->min_tokens >= 0 && q->min_tokens <= q->max_tokens);
    check(q->temperature >= 0 && q->temperature <= 100 && q->top_p >= 0 && q->top_p <= 1);
    check(q->min_p >= 0 && q->min_p <= 1 && q->top_k >= 0 && q->n >= 1 && q->n <= 128);
    check(q->logprobs >= -1 && q->logprobs <= 20);
    check(q->prompt_logprobs >= -1 && q->prompt_logprobs <= 20);
    check(b->arrival >= 0 && b->arrival <= 1e9);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct batch_warnings warnings = {UINT32_MAX}; /* nothing is said */
    struct shoal_error err = {.text = ""};
    struct batch_request b;
    uint64_t sum = 0;

    if (batch_request_read(&b, (const char *)bytes, n, 1, &warnings, &err) == SHOAL_OK) {
        sum = walk(&b);
    } else {
        struct text line = {0};
        json_t *root;

        check(err.text[0] != '\0' && b.custom_id);
        result_line_refuse(b.custom_id, 1, &err, &line);
        root = json_loads(line.bytes, 0, NULL);
        check(root != NULL);
        json_decref(root);
        text_fini(&line);
    }
    batch_request_fini(&b);
    /* the sum is asked for, so that the reads behind it are made */
    return sum == 0 && n == SIZE_MAX;
}
