#!/bin/sh
# Metrics, memory, buffers and leaks from the command line, and shoal bench compare.
. "$(dirname "$0")/lib.sh"

n_ranks=${LAUNCH##*-n }
n_ranks=${n_ranks:-1}

for i in 1 2 3 4 5 6 7 8; do
    request "r$i" '"prompt":"Once upon a time","max_tokens":12,"ignore_eos":true'
done >in
common="run -t 1 --num-kv-blocks 64 -i in -o results"

# sample FILE SAMPLE VALUE
sample()
{
    value=$("$CHECK_EXPOSITION" "$1" "$2" 2>why) || fail "$1 is not Prometheus text, or lacks $2"
    [ "$value" = "$3" ] || fail "$2 is $value, not $3"
}

# shellcheck disable=SC2086 # words
shoal $common --metrics-file m.prom --memory-report --buffer-report --leak-check --memory-timeline t.csv
expect_code 0
of='{model_name="shoal-embedded",engine="0"'
sample m.prom "vllm:generation_tokens_total$of}" 96
sample m.prom "vllm:request_success_total$of,finished_reason=\"length\"}" 8
sample m.prom "vllm:num_requests_running$of}" 0
sample m.prom "vllm:e2e_request_latency_seconds_count$of}" 8
rank=0
while [ $rank -lt "$n_ranks" ]; do # the last write knows the memory of every rank
    value=$("$CHECK_EXPOSITION" m.prom "shoal:rss_bytes{rank=\"$rank\",part=\"weights\"}") ||
        fail "no memory of rank $rank"
    [ "$value" != 0 ] || fail "rank $rank holds no weights"
    rank=$((rank + 1))
done
[ "$(grep -c '^weights  ' err)" -ge "$n_ranks" ] || fail "no table of memory a rank"
[ "$(grep -c '^kv_pool .* KV pool \|^kv_pool  *KV pool' err)" -eq 1 ] || fail "no table of buffers"
[ "$(grep -c 'no memory leak' err)" -eq "$n_ranks" ] || fail "no verdict on leaks a rank"
[ "$(head -1 t.csv | cut -d, -f1-3)" = seconds,label,resident ] || fail "t.csv has no head"
[ "$(grep -c '"ready"\|"end"' t.csv)" -eq 2 ] || fail "t.csv lacks a mark"

# present FILE: the tables of memory in it whose pool was all in memory at the start.
present()
{
    awk '$1 == "kv_pool" && $2 " " $3 == $4 " " $5' "$1" | wc -l
}
# shellcheck disable=SC2086
shoal $common --memory-report
expect_code 0
[ "$(present err)" -eq 0 ] || fail "a pool was in memory before its use"
cp results lazy
# shellcheck disable=SC2086
shoal $common --memory-report --populate-kv-cache
expect_code 0
[ "$(present err)" -eq "$n_ranks" ] || fail "not every rank's pool was in memory at the start"
answers()
{
    sed 's/.*"custom_id"/"custom_id"/; s/"created": *[0-9]*//' "$1" | sort
}
answers lazy >lazy.answers
answers results >taken.answers
cmp -s lazy.answers taken.answers || fail "a pool taken at the start gives other answers"

# shellcheck disable=SC2086
shoal $common --metrics-file m.csv --memory-timeline t.json
expect_code 0
n_columns=$(head -1 m.csv | tr ',' '\n' | wc -l)
awk -F, -v n="$n_columns" 'NF != n { exit 1 }' m.csv || fail "rows of m.csv have other columns than its head"
tokens=$(awk -F, 'NR > 1 { n += $8 } END { print n }' m.csv) # decode_tokens
[ "$tokens" -eq $((8 * 11)) ] || fail "m.csv has $tokens decode tokens"
ranks=$(awk -F, 'NR > 1 { print $3 }' m.csv | sort -u | wc -l)
[ "$ranks" -eq "$n_ranks" ] || fail "m.csv has steps of $ranks ranks"
expect_json()
{
    { tr -d '\n' <"$1"; echo; } >one-line
    expect_lines one-line 1
}
expect_json t.json

# shellcheck disable=SC2086
shoal $common --metrics-file m.json
expect_code 0
expect_json m.json

shoal run -p x --metrics-file m.txt
expect_code 2
expect_error "--metrics-file m.txt: the name has to end in .prom, .json or .csv"
# mpirun takes a second to end ranks that fail: the others are tried with one process only
if [ -n "$LAUNCH" ]; then
    echo ok
    exit 0
fi

shoal run -p x --metrics-interval 3
expect_code 2
expect_error "--metrics-interval 3 is about --metrics-file"
shoal run -p x --memory-timeline t
expect_code 2
expect_error "--memory-timeline t: the name has to end in .csv or .json"
shoal run -p x --metrics-file none/m.prom
expect_code 1
expect_error "cannot write the metrics to none/m.prom: No such file or directory"
if [ -w /dev/full ]; then
    ln -s /dev/full full.prom
    shoal run -p x --max-tokens 2 --metrics-file full.prom
    expect_code 1
    expect_error "cannot write the metrics to full.prom: No space left on device"
fi

# While it waits for requests a signal asks for the metrics, and does not end it.
mkfifo pipe
rm -f results # of the runs before: r1 stands there already
"$SHOAL" run -t 1 --num-kv-blocks 64 -i pipe -o results --metrics-file asked.prom >out 2>err &
pid=$!
exec 3>pipe
head -1 in >&3
wait_for "a result" grep -q r1 results
wait_for "the metrics" sh -c "kill -USR1 $pid && [ -s asked.prom ]"
sample asked.prom "vllm:generation_tokens_total$of}" 12
head -2 in | tail -1 >&3
exec 3>&-
wait $pid || fail "it was ended by SIGUSR1"
sample asked.prom "vllm:generation_tokens_total$of}" 24

# An interval, without a signal.
mkfifo pipe2
"$SHOAL" run -t 1 --num-kv-blocks 64 -i pipe2 -o results --metrics-file timed.json --metrics-interval 0.001 \
    >out 2>err &
pid=$!
exec 3>pipe2
head -1 in >&3
wait_for "the metrics" test -s timed.json
exec 3>&-
wait $pid || fail "the run with an interval failed"

# A benchmark has its pool in memory before it measures, unless it is told otherwise.
for bench in "grid -npp 8 -ntg 4 -npl 1" "latency --num-iters 1 --output-len 4" \
    "compare --num-iters 4 --output-len 4 --variant a: --variant b:"; do
    case $bench in compare*) n=2 ;; *) n=1 ;; esac
    # shellcheck disable=SC2086
    shoal bench $bench -m tiny -t 1 --num-kv-blocks 64 --memory-report
    expect_code 0
    [ "$(present err)" -eq $n ] || fail "bench $bench measures with a pool that is not in memory"
    # shellcheck disable=SC2086
    shoal bench $bench -m tiny -t 1 --num-kv-blocks 64 --memory-report --no-populate-kv-cache
    expect_code 0
    [ "$(present err)" -eq 0 ] || fail "bench $bench does not heed --no-populate-kv-cache"
done

# Sets of options against each other.
shoal bench compare -m tiny -t 1 --num-kv-blocks 64 --input-len 8 --output-len 4 --batch-size 2 --num-iters 4 \
    --variant "paged:" --variant "dense: --kv-layout dense" --variant "no cache: --no-enable-prefix-caching" --json
expect_code 0
{ tr -d '\n' <out; echo; } >compared
[ "$("$JSON_GET" compared)" -eq 1 ] || fail "no JSON"
[ "$(grep -o '"name": "[a-z ]*"' compared | tr '\n' ' ')" = \
    '"name": "paged" "name": "dense" "name": "no cache" ' ] || fail "the variants are not there"
[ "$(grep -o '"latencies"' compared | wc -l)" -eq 3 ] || fail "no measurements"
shoal bench compare -m tiny -t 1 --num-kv-blocks 64 --input-len 8 --output-len 4 --num-iters 4 \
    --variant "a:" --variant="--block-size=32"
expect_code 0
grep -q '^--block-size=32 ' out || fail "no row of the second variant"
grep -q 'Mann-Whitney' out || fail "the test is not named"
refused()
{
    sentence=$1
    shift
    shoal bench compare -m tiny "$@"
    expect_code 2
    expect_error "$sentence"
}
refused "1 variant to compare: give --variant from 2 to 16 times" --variant "a:"
refused "there is no engine option --kv-layuot; the nearest is --kv-layout" --variant "a:" --variant "b: --kv-layuot dense"
refused "--block-size: 7 is not one of" --variant "a:" --variant "b: --block-size 7"
refused "\"dense\" is no option" --variant "a:" --variant "b: dense"
refused "--isa needs a value" --variant "a:" --variant "b: --isa"
refused "--num-iters: 3 is not" --variant "a:" --variant "b:" --num-iters 3
echo ok
