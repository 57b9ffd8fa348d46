#!/bin/sh
# Bad lines are answered one by one with their number; the others run, and come out as ever.
. "$(dirname "$0")/lib.sh"

good()
{
    request one '"prompt":"To be","max_tokens":8,"temperature":0'
    request two '"prompt":"ROMEO:","max_tokens":6,"seed":5'
    request three '"prompt":[40,41,42],"max_tokens":5,"temperature":0'
    request none '"prompt":"x","max_tokens":0'
}
{
    echo 'nonsense'
    good | sed -n 1p
    echo '{"custom_id":"cut","body":{"prompt":"x"'
    request dup '"prompt":"x","max_tokens":1'
    request dup '"prompt":"again"'
    good | sed -n 2p
    request unknown '"prompt":"x","temprature":1'
    request type '"prompt":"x","max_tokens":"many"'
    request range '"prompt":"x","top_p":2'
    request empty '"prompt":""'
    good | sed -n 3p
    request vocabulary '"prompt":[99999]'
    request long "\"prompt\":[$(seq -s, 1 600)]"
    echo '{"custom_id":"url","url":"/v1/embeddings","body":{"prompt":"x"}}'
    good | sed -n 4p
    printf '{"body":{"prompt":"last","max_tokens":1}}' # no end of line
} >in

good >good
shoal run -t 1 -i good -o expected
expect_code 0
expect_lines expected 4

shoal run -t 1 -i in -o results
expect_code 1
expect_error "of 16 requests failed"
expect_lines results 16

for id in one two three none; do
    for path in response.body.choices response.body.usage error; do
        expect_value results $id $path "$("$JSON_GET" expected $id $path)"
    done
done
expect_value results none response.body.choices.0.finish_reason length
expect_value results prompt-16 response.body.usage.completion_tokens 1
expect_value results prompt-16 error null

refused()
{
    expect_value results "$1" response.status_code 400
    expect_value results "$1" response.body null
    expect_value results "$1" error.line "$2"
    expect_value results "$1" error.code "$3"
    "$JSON_GET" results "$1" error.message | grep -qF "$4" ||
        fail "$1: $("$JSON_GET" results "$1" error.message)"
}
refused prompt-1 1 invalid_json "not JSON"
refused prompt-3 3 invalid_json "not JSON"
refused unknown 7 invalid_request 'unknown field "temprature" in body; the nearest is "temperature"'
refused type 8 invalid_request 'max_tokens: "many" is not a whole number'
refused range 9 invalid_request "top_p: 2 is not a number above 0, at most 1"
refused empty 10 invalid_request "prompt: it is empty"
refused vocabulary 12 invalid_request 99999
refused url 14 invalid_request '"/v1/embeddings" is not /v1/completions or /v1/chat/completions'
refused long 13 limit_exceeded 600
[ "$(grep -c '"custom_id":"dup"' results)" -eq 2 ] || fail "dup is not there twice"
grep '"line":5}' results | grep -q 'was used by an earlier line' || fail "no word of the repeated id"
echo ok
