#!/bin/sh
# Standard input is read as it comes: a result is there before the next line is.
. "$(dirname "$0")/lib.sh"

mkfifo pipe
"$SHOAL" run -t 1 -i - -o results <pipe >out 2>err &
pid=$!
exec 3>pipe
request a '"prompt":"To be","max_tokens":3,"temperature":0' >&3
wait_for "the first result" grep -q '"custom_id":"a"' results
printf '{"custom_id":"b","body":{"prompt":' >&3
sleep 0.1
printf '"To be","max_tokens":3,"temperature":0}}\n' >&3
wait_for "the second result" grep -q '"custom_id":"b"' results
exec 3>&-
wait $pid
code=$?
expect_code 0
expect_lines results 2
expect_value results b response.body.choices.0.text \
    "$("$JSON_GET" results a response.body.choices.0.text)"

# Text: a prompt a line, blank lines skipped, other ends of lines, a byte order mark.
printf '\357\273\277To be\r\n\r\n\nTo be' |
    "$SHOAL" run -t 1 -i - --format text --max-tokens 4 >out 2>err
code=$?
expect_code 0
expect_lines out 2
for id in prompt-1 prompt-4; do
    expect_value out $id response.body.usage.completion_tokens 4
    expect_value out $id response.body.choices.0.text \
        "$("$JSON_GET" out prompt-1 response.body.choices.0.text)"
done
printf 'ok\n\377\n' | "$SHOAL" run -t 1 -i - --format text --max-tokens 1 >out 2>err
code=$?
expect_code 1
expect_value out prompt-2 error.message "prompt: it is not UTF-8"

# Nothing at all is fine.
"$SHOAL" run -t 1 -i - </dev/null >out 2>err
code=$?
expect_code 0
[ ! -s out ] || fail "results of nothing"

# Requests wait for their arrival, whatever their order in the file.
{
    request late '"prompt":"x","max_tokens":1,"arrival":0.4'
    request soon '"prompt":"x","max_tokens":1,"arrival":0.2'
    request now '"prompt":"x","max_tokens":1'
} >in
"$SHOAL" run -t 1 -i in >out 2>err
code=$?
expect_code 0
[ "$(sed 's/.*"custom_id":"\([^"]*\)".*/\1/' out | tr '\n' ' ')" = "now soon late " ] ||
    fail "they came in another order"
echo ok
