#!/bin/sh
# What the ranks of a machine hold together while they serve, less their pools: proportional set
# sizes, which count shared pages once. The pool is a rank's largest mapping.
. "$(dirname "$0")/lib.sh"

if [ "${SANITIZE:-}" != "" ]; then
    echo "skipped: a sanitizer's shadow memory is counted as the program's"
    exit 77
fi
if [ ! -r /proc/self/smaps ]; then
    echo "skipped: this kernel has no /proc/PID/smaps"
    exit 77
fi
n_ranks=${LAUNCH##*-n }
n_ranks=${n_ranks:-1}

# pss_of NAME FILE_BYTES: serves eight requests and compares.
pss_of()
{
    mkfifo "$work/pipe"
    rm -f results
    $LAUNCH "$SHOAL" run -t 2 -m "$1" --kv-cache-memory 512MiB -i "$work/pipe" -o results \
        >out 2>err </dev/null &
    launched=$!
    exec 3>"$work/pipe"
    for i in 1 2 3 4 5 6 7 8; do
        request "r$i" '"prompt":"Once upon a time","max_tokens":48,"ignore_eos":true' >&3
    done
    wait_for "8 results" sh -c '[ "$(wc -l <results)" -eq 8 ]'
    pss=0
    n=0
    for pid in $(pgrep -f "^$SHOAL run .*$work/pipe"); do
        kb=$(awk '$1 == "Size:" { is_pool = $2 > pool_size; if (is_pool) pool_size = $2 }
                  $1 == "Pss:" { pss += $2; if (is_pool) pool = $2 }
                  END { if (pool_size > 500 * 1024) print pss - pool }' "/proc/$pid/smaps")
        [ -n "$kb" ] || fail "no mapping of $pid is large enough to be the pool"
        pss=$((pss + kb * 1024))
        n=$((n + 1))
    done
    exec 3>&-
    wait $launched
    code=$?
    expect_code 0
    [ $n -eq "$n_ranks" ] || fail "$n processes were found, not $n_ranks"
    bound=$(($2 * 13 / 10 + n_ranks * 64 * 1048576))
    echo "$n_ranks ranks of $1 hold $((pss >> 20)) MiB; the bound is $((bound >> 20)) MiB"
    [ "$pss" -le "$bound" ] || fail "the ranks hold $pss bytes, more than $bound"
    rm "$work/pipe"
}

"$SHOAL" inspect embedded --extract embedded.gguf >/dev/null || fail "the model is not extracted"
pss_of embedded "$(wc -c <embedded.gguf)"
if [ -n "${SHOAL_TEST_MODEL:-}" ]; then
    pss_of "$SHOAL_TEST_MODEL" "$(wc -c <"$SHOAL_TEST_MODEL")"
else
    echo "skipped: SHOAL_TEST_MODEL is not set: only the embedded model was measured"
fi
echo ok
