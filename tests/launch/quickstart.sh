#!/usr/bin/env bash
# What a newcomer's first command does in a fresh copy of the tree, and that it can be interrupted.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir "$temp/tree"
tar -cf - CMakeLists.txt CMakePresets.json docs include launch src tests/CMakeLists.txt |
    tar -C "$temp/tree" -xf -
cd "$temp/tree"
if ! timeout 900 ./launch/quickstart >"$temp/stdout" 2>"$temp/stderr" <&-; then
    fail 'launch/quickstart'
    cat "$temp/stdout" "$temp/stderr"
    finish
fi
[ "$(grep -c '^> ' "$temp/stdout")" = "$(wc -l <launch/prompts.txt)" ] ||
    fail 'not every prompt is shown'
[ "$(grep -c '[a-z]' "$temp/stdout")" -ge 24 ] || fail 'too little text was generated'
grep -qE '^Successful requests: +12 *$' "$temp/stderr" || fail 'the summary does not count 12 requests'
grep -qE '^ +1 +[1-9]' "$temp/stderr" || fail 'rank 1 did nothing'
grep -q '^Next:' "$temp/stderr" || fail 'it does not say what to try next'

# A second run goes straight to the job.
./launch/quickstart >"$temp/stdout" 2>"$temp/stderr" </dev/null || fail 'the second run'
head -n 1 "$temp/stderr" | grep -q '^running: ' || fail 'the second run does more than the job'

# The commands that it says come next, but for the model that needs a network and the tests.
sed -n '/^Next:/,$p' "$temp/stderr" | grep -E '^  (build|launch)/' >"$temp/commands"
[ -s "$temp/commands" ] || fail 'it proposes nothing'
while IFS= read -r command; do
    bash -c "$command" >"$temp/out" 2>&1 </dev/null || {
        fail "$command"
        cat "$temp/out"
    }
done <"$temp/commands"

# Interrupted while it waits for a request that comes later: ends soon, by itself, and no rank is left.
printf '{"custom_id":"late","body":{"prompt":"a","arrival":600}}\n' >late.jsonl
sed -i 's|^job=.*|job=(launch/local -n 2 -t 1 run --input late.jsonl)|; s|prompts+=(.*|:|' \
    launch/quickstart
# A process group of its own: otherwise the shell makes it ignore SIGINT.
set -m
for signal in INT TERM; do
    ./launch/quickstart >"$temp/stdout" 2>"$temp/stderr" </dev/null &
    id=$!
    until pgrep -f "^$temp/tree/build/release/shoal" >/dev/null; do
        sleep 0.1
    done
    sleep 0.5
    began=$SECONDS
    kill -$signal $id
    code=0
    wait $id || code=$?
    [ $code = 130 ] || fail "SIG$signal: it ended with $code, not 130"
    [ $((SECONDS - began)) -lt 10 ] || fail "SIG$signal: it took $((SECONDS - began)) s to end"
    grep -q '^interrupted' "$temp/stderr" || fail "SIG$signal: it does not say that it was interrupted"
    if pgrep -f "^$temp/tree/build/release/shoal"; then
        fail "SIG$signal: these ranks are left"
    fi
done
finish
