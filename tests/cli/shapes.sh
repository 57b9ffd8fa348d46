#!/bin/sh
# The parts of a result: choices, stop texts, log-probabilities, ids.
. "$(dirname "$0")/lib.sh"

common='"prompt":"To be, or not","temperature":0,"max_tokens":12'
{
    request plain "$common"
    request ids "$common,\"return_token_ids\":true"
    request two "$common,\"n\":3"
    request sampled '"prompt":"To be","max_tokens":12,"n":3,"seed":3'
    request log "$common,\"logprobs\":2,\"prompt_logprobs\":1,\"return_token_ids\":true"
    request log0 "$common,\"logprobs\":0"
    request min "$common,\"min_tokens\":12,\"ignore_eos\":true"
} >in
shoal run -t 1 -i in -o results
expect_code 0
expect_lines results 7

body=response.body
text=$("$JSON_GET" results plain $body.choices.0.text)
expect_value results plain $body.object text_completion
expect_value results plain $body.model shoal-embedded
expect_value results plain $body.choices.0.logprobs null
expect_value results plain $body.usage.completion_tokens 12
expect_value results plain $body.choices.0.finish_reason length
n_prompt=$("$JSON_GET" results plain $body.usage.prompt_tokens)
expect_value results plain $body.usage.total_tokens $((n_prompt + 12))
"$JSON_GET" results plain $body.usage.prompt_tokens_details.cached_tokens >/dev/null ||
    fail "no cached_tokens"

expect_value results ids $body.choices.0.text "$text"
expect_value results ids "$body.choices.0.token_ids.#" 12
expect_value results ids "$body.choices.0.prompt_token_ids.#" "$n_prompt"
# the ids say the same as the text
ids=$("$JSON_GET" results ids $body.choices.0.token_ids | tr -d '[]' | tr ',' ' ')
# shellcheck disable=SC2086
decoded=$("$SHOAL" tokenize --decode $ids)
[ "$decoded" = "$text" ] || fail "the ids say \"$decoded\", the text is \"$text\""

expect_value results two "$body.choices.#" 3
expect_value results two $body.usage.completion_tokens 36
for i in 0 1 2; do
    expect_value results two $body.choices.$i.index $i
    expect_value results two $body.choices.$i.text "$text"
done
[ "$("$JSON_GET" results sampled $body.choices.0.text)" != \
    "$("$JSON_GET" results sampled $body.choices.1.text)" ] || fail "sampled choices are the same"

log=$body.choices.0.logprobs
for path in text_offset token_logprobs tokens top_logprobs; do
    expect_value results log "$log.$path.#" 12
done
expect_value results log $log.text_offset.0 0
expect_value results log "$log.top_logprobs.0.#" 2
expect_value results log0 "$log.top_logprobs.0.#" 1
# greedy: the first token is the most likely one
first=$("$JSON_GET" results log $log.tokens.0)
expect_value results log "$log.top_logprobs.0.$first" \
    "$("$JSON_GET" results log $log.token_logprobs.0)"
expect_value results log $body.choices.0.text "$text"
prompt=$body.choices.0.prompt_logprobs
expect_value results log "$prompt.#" "$n_prompt"
expect_value results log $prompt.0 null
id=$("$JSON_GET" results log $body.choices.0.prompt_token_ids.1)
for name in logprob rank decoded_token; do
    "$JSON_GET" results log "$prompt.1.$id.$name" >/dev/null || fail "no $name of token $id"
done

# A stop text ends the output before itself, also when it is split over tokens: every piece of two
# characters of the text is tried, and one that is not there.
i=2
while [ $i -lt 9 ]; do
    stop=$(printf '%s' "$text" | cut -c $i-$((i + 1)) | head -n 1)
    i=$((i + 1))
    case $stop in
    ?? ) ;;
    *) continue ;;
    esac
    request "$i" "$common,\"stop\":[\"@@\",\"$stop\"]"
done >in
shoal run -t 1 -i in -o results
expect_code 0
i=2
while [ $i -lt 9 ]; do
    stop=$(printf '%s' "$text" | cut -c $i-$((i + 1)) | head -n 1)
    i=$((i + 1))
    case $stop in
    ?? ) ;;
    *) continue ;;
    esac
    expect_value results "$i" $body.choices.0.finish_reason stop
    expect_value results "$i" $body.choices.0.text "${text%%"$stop"*}"
done
echo ok
