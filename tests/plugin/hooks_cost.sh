#!/usr/bin/env bash
# hooks_cost.sh SHOAL BUILD - what the hooks of plugins cost a run that has none
#
# Counts instructions of decode steps with valgrind, in the program SHOAL and in one that is built in
# BUILD with -DSHOAL_HOOKS=OFF: the difference is at most 0.1 %. Two lengths of the same run are taken
# from each other, so that starting up is not part of the count.
set -euo pipefail
program=$1
build=$2
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if ! command -v valgrind >/dev/null; then
    echo 'skipped: valgrind is missing'
    exit 77
fi
if ! "$program" --version | grep -q avx2 || ! grep -qw avx2 /proc/cpuinfo; then
    echo 'skipped: this processor has no avx2'
    exit 77
fi
generator=(-G 'Unix Makefiles')
command -v ninja >/dev/null && generator=(-G Ninja)
if ! { cmake -S "$top" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DSHOAL_HOOKS=OFF \
    -DBUILD_TESTING=OFF && cmake --build "$build" --target shoal -j 2; } >"$build.log" 2>&1; then
    tail -n 30 "$build.log"
    echo 'failed: the program does not build with -DSHOAL_HOOKS=OFF'
    exit 1
fi

# count PROGRAM TOKENS: instructions of a run that decodes so many.
count() {
    env OMP_NUM_THREADS=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" run -m embedded \
        -t 1 --isa avx2 --prompt 'ROMEO:' --max-tokens "$2" --temperature 0 --ignore-eos 2>&1 |
        awk '/Collected *:/ { print $NF }'
}

# decode PROGRAM: of 32 steps that decode.
decode() {
    local few many

    few=$(count "$1" 8)
    many=$(count "$1" 40)
    echo $((many - few))
}

with=$(decode "$program")
without=$(decode "$build/shoal")
awk -v with="$with" -v without="$without" 'BEGIN {
    share = 100 * (with - without) / without
    printf "instructions of 32 decode steps: %d with hooks, %d without: %+.4f %%\n", with, without, share
    exit !(without > 1000000 && share <= 0.1)
}'
