#!/bin/sh
# Outputs that cannot be written: said once, the exit code 1, nothing lost that need not be.
. "$(dirname "$0")/lib.sh"

for i in 1 2 3 4 5 6; do
    request "r$i" "\"prompt\":\"To be\",\"max_tokens\":$i"
done >in

if [ -e /dev/full ]; then
    shoal run -t 1 -i in -o /dev/full
    expect_code 1
    expect_error "cannot write /dev/full: No space left on device"
    expect_error "6 results could not be written to /dev/full"
    grep -q '^Successful requests: *6' err || fail "the run did not go on"

    if [ -z "$LAUNCH" ]; then
        "$SHOAL" run -t 1 -p "To be" >/dev/full 2>err
        code=$?
        expect_code 1
        expect_error "cannot write standard output: No space left on device"
        "$SHOAL" run --help >/dev/full 2>err
        code=$?
        expect_code 1
    fi
    shoal run -t 1 -i in -o results --summary-json /dev/full
    expect_code 1
    expect_lines results 6
fi

shoal run -t 1 -i in -o no-such-folder/results
expect_code 1
expect_error "cannot write no-such-folder/results: No such file or directory"
[ ! -s out ] || fail "something on standard output"

cp in copy
shoal run -t 1 -i in -o in
expect_code 2
expect_error "--output: in is the input"
cmp -s in copy || fail "the input was changed"

# A run that cannot start leaves the results of the one before.
cp results before
shoal run -t 1 -i in -o results -m no-such-model
expect_code 1
cmp -s results before || fail "results were emptied by a run that did not start"

# Results are whole and in a file even where nobody reads standard output.
if [ -z "$LAUNCH" ]; then
    for i in $(seq 500); do
        request "r$i" '"prompt":"To be","max_tokens":100'
    done >many
    code=0
    { "$SHOAL" run -t 1 --max-num-seqs 4 -i many 2>err || echo $? >code; } | head -n 1 >out
    expect_lines out 1
    [ "$(cat code)" -eq 1 ] || fail "exit code $(cat code) after a broken pipe"
    expect_error "cannot write standard output: Broken pipe"
fi

# The summary as JSON.
shoal run -t 1 -i in -o results --summary-json summary --summary=off
expect_code 0
[ ! -s err ] || fail "something on standard error"
expect_value summary - completed 6
expect_value summary - failed 0
expect_value summary - total_output_tokens 21
for name in ttft tpot itl e2el; do
    for what in mean median std p99; do
        "$JSON_GET" summary - ${what}_${name}_ms >/dev/null || fail "no ${what}_${name}_ms"
    done
done
for name in duration request_throughput output_throughput total_token_throughput \
    total_input_tokens ranks.0.steps ranks.0.kv_blocks_peak; do
    "$JSON_GET" summary - $name >/dev/null || fail "no $name"
done
echo ok
