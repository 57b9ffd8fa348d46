#!/bin/sh
# An interrupted run leaves whole lines of what was done, ends what runs with "abort", and no
# process. How long it took is printed; only far too long fails.
. "$(dirname "$0")/lib.sh"

for i in $(seq 400); do
    request "r$i" "\"prompt\":\"To be\",\"max_tokens\":$((20 + i)),\"ignore_eos\":true"
done >in

interrupted_by()
{
    rm -f results
    $LAUNCH "$SHOAL" run -t 1 --max-num-seqs 3 -i in -o "$work/results" >out 2>err </dev/null &
    pid=$!
    wait_for "a first result" test -s results
    start=$(date +%s%N)
    kill "-$1" $pid
    wait $pid
    code=$?
    end=$(date +%s%N)
    echo "$1: ended after $(((end - start) / 1000000)) ms"
    [ $(((end - start) / 1000000)) -lt 10000 ] || fail "it took too long"

    # mpirun has an exit code of its own
    if [ -z "$LAUNCH" ]; then
        expect_code 130
    else
        [ "$code" -ne 0 ] || fail "exit code 0"
    fi
    "$JSON_GET" results >n || fail "results are not whole lines"
    [ "$(grep -c '"finish_reason":"abort"' results)" -ge 1 ] || fail "nothing ended with abort"
    [ "$(grep -c '"finish_reason":"length"' results)" -ge 1 ] || fail "what was done is not there"
    # every request that was submitted is there once
    [ "$(sed 's/.*"custom_id":"\([^"]*\)".*/\1/' results | sort | uniq -d | wc -l)" -eq 0 ] ||
        fail "a request has two results"
    if pgrep -f "$work/results" >left; then
        sleep 2
        pgrep -f "$work/results" >left && fail "processes are left: $(cat left)"
    fi
    return 0
}

interrupted_by INT
interrupted_by TERM

# While it waits for input there is nothing to abort.
if [ -z "$LAUNCH" ]; then
    rm -f results
    mkfifo pipe
    "$SHOAL" run -t 1 -i pipe -o results >out 2>err &
    pid=$!
    exec 3>pipe
    request a '"prompt":"x","max_tokens":2' >&3
    wait_for "the result" test -s results
    kill -INT $pid
    wait $pid
    code=$?
    exec 3>&-
    expect_code 130
    expect_lines results 1
    expect_value results a error null
fi
echo ok
