#!/bin/sh
# Plugins on the command line: listed, used, refused in the right words, and what a replay needs.
. "$(dirname "$0")/lib.sh"

# The list says what can be given; the JSON says the same.
listed()
{
    shoal plugins
    expect_code 0
    for name in logging metrics adaptive-scheduling cache-compression attention-visualization; do
        grep -q "^$name (" out || fail "$name is not listed"
    done
    grep -q '^    target_itl_ms=50  *itl: ' out || fail "no option target_itl_ms"
    shoal plugins --json
    expect_code 0
    { printf '{"plugins":' && tr -d '\n' <out && echo '}'; } >list
    expect_value list - plugins.0.name logging
    expect_value list - plugins.0.options.1.name format
    expect_value list - plugins.0.options.1.default text
    expect_value list - plugins.0.kinds.0 scheduler
    expect_value list - plugins.0.changes_numbers false
    shoal plugins logging
    expect_code 2
    shoal plugins --jsn
    expect_code 2
    expect_error 'the nearest is --json'
}
[ -n "$LAUNCH" ] || listed

{
    request one '"prompt":"To be, or not","temperature":0,"max_tokens":12'
    request two '"prompt":"Romeo","temperature":0.8,"seed":3,"max_tokens":12'
    request three '"prompt":"To be, or not to","max_tokens":9,"seed":4'
} >in
shoal run -t 1 -i in -o plain
expect_code 0

# What changes no numbers changes no text. Several at once, in their order.
shoal run -t 1 -i in -o results --plugin logging,format=json,file=lines \
    --plugin adaptive-scheduling,mode=itl,target_itl_ms=0.01,min_chunk=1 \
    --plugin metrics,file=metrics.prom --step-log steps --plugin-errors fatal
expect_code 0
for id in one two three; do
    expect_value results $id response.body.choices.0.text \
        "$("$JSON_GET" plain $id response.body.choices.0.text)"
done
for event in added step finished summary; do
    grep -q "^{\"event\":\"$event\"" lines || fail "logging wrote no $event"
done
[ "$(grep -c '"event":"finished"' lines)" -eq 3 ] || fail "not three lines of requests that ended"
"$JSON_GET" lines >/dev/null || fail "logging wrote no JSON"
grep -q '"event":"finished","id":"two",.*"generated_tokens":12,' lines || fail "not 12 tokens of two"
grep -q '^vllm:generation_tokens_total{.*} 33$' metrics.prom || fail "not 33 tokens in the metrics"
[ -n "$LAUNCH" ] || {
    shoal replay steps
    expect_code 0
}

# What changes numbers is in the step log, and a replay makes it again.
shoal run -t 1 -i in -o packed --plugin cache-compression,type=q4_0,compare=0 --step-log steps
expect_code 0
grep -aq '^plugin = cache-compression,type=q4_0,compare=0' steps || fail "the log does not name it"
[ -n "$LAUNCH" ] || {
    shoal replay steps
    expect_code 0
}

# From a file.
if [ -z "$LAUNCH" ]; then
    printf 'plugin = logging,file=a\nplugin = metrics,file=b.json\n' >config
    shoal run -t 1 --config config -i in -o results
    expect_code 0
    { [ -s a ] && [ -s b.json ]; } || fail "the plugins of the file did not run"
    grep -q '^logging: two added: [0-9]* prompt tokens, at most 12 to generate$' a ||
        fail "logging says nothing of a request that comes"
    grep -q '^logging: two ended (length): .* 12 generated, preempted 0 times; first token' a ||
        fail "logging says nothing of a request that ends"
    grep -q '^logging: step 0, rank 0: 3 sequences, ' a || fail "logging says nothing of a step"
    tail -n 1 a | grep -q '^logging: 3 sequences added, 3 ended (0 stop, 3 length, ' ||
        fail "logging has no summary"
fi

# refused CODE TEXT SPEC ...
refused()
{
    code_wanted=$1
    text=$2
    shift 2
    shoal run -t 1 -i in -o results --plugin "$@"
    expect_code "$code_wanted"
    expect_error "$text"
}
refused 2 'there is no plugin loging; the nearest is logging' loging
refused 1 'plugin ./none.so cannot be opened' ./none.so
if [ -z "$LAUNCH" ]; then
    refused 2 "has no option 'flie'; the nearest is file" logging,flie=x
    refused 2 "'file' is not key=value" logging,file
    refused 2 "format: 'yaml' is not one of text, json" logging,format=yaml
    echo 'not a plugin' >text.so
    refused 1 'plugin ./text.so is not a shared object' ./text.so
    refused 1 'cannot write none/lines' logging,file=none/lines
    refused 2 '--kv-cache-dtype q8_0 beside a plugin that stores rows' cache-compression \
        --kv-cache-dtype q8_0
    refused 2 '--plugin-errors: of is not one of off, fatal' logging --plugin-errors of
fi

# One that fails in the run is switched off, or ends it.
[ -e /dev/full ] || exit 0
shoal run -t 1 -i in -o results --plugin logging,file=/dev/full
expect_code 0
expect_error 'plugin logging: on_request_added: cannot write /dev/full'
expect_lines results 3
shoal run -t 1 -i in -o results --plugin logging,file=/dev/full --plugin-errors fatal
expect_code 1
grep -q 'plugin logging: on_request_added: cannot write /dev/full' err || fail "it is not said"
