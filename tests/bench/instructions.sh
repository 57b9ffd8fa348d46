#!/usr/bin/env bash
# instructions.sh SHOAL [--record] - a guard against slower code that does not depend on the machine
#
# Counts the instructions of a fixed decode and a fixed prefill with valgrind (the embedded model, AVX2
# kernels, one thread) and holds them to instructions.recorded within 3 %; --record writes that file.
# Two lengths of a run are taken from each other, so that starting up is not counted. Opt-in, since the
# compiler has a say: set SHOAL_COUNT_INSTRUCTIONS=1 to run it as a test.
set -euo pipefail
program=$1
recorded=$(dirname "${BASH_SOURCE[0]}")/instructions.recorded

if [ -z "${SHOAL_COUNT_INSTRUCTIONS:-}" ] && [ "${2:-}" != --record ]; then
    echo 'skipped: SHOAL_COUNT_INSTRUCTIONS is not set (counts depend on the compiler)'
    exit 77
fi
if ! command -v valgrind >/dev/null; then
    echo 'skipped: valgrind is missing'
    exit 77
fi
if ! grep -qw avx2 /proc/cpuinfo; then
    echo 'skipped: this processor has no avx2'
    exit 77
fi

# count PROMPT TOKENS: instructions of a run.
count() {
    env OMP_NUM_THREADS=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" run \
        -m embedded -t 1 --isa avx2 --prompt "$1" --max-tokens "$2" --temperature 0 --ignore-eos 2>&1 |
        awk '/Collected *:/ { print $NF }'
}

line='Now is the winter of our discontent made glorious summer by this sun of York; '
start=$(count "$line" 1)
decode=$(($(count "$line" 33) - start))
prefill=$(($(count "$line$line$line$line$line$line" 1) - start))

if [ "${2:-}" = --record ]; then
    printf 'decode %d\nprefill %d\n' "$decode" "$prefill" >"$recorded"
fi
while read -r name before; do
    [ "$name" = decode ] && now=$decode || now=$prefill
    awk -v name="$name" -v now="$now" -v before="$before" 'BEGIN {
        change = 100 * (now - before) / before
        printf "%s: %d instructions, %d recorded: %+.2f %%\n", name, now, before, change
        exit change > 3 || change < -3
    }' || { echo "failed: $name is not within 3 % of what is recorded; if that is meant, record anew"; failed=1; }
done <"$recorded"
exit "${failed:-0}"
