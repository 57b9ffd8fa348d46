#!/bin/sh
# Pictures: whole, the same again, without outside resources; and timelines of step logs.
. "$HERE/../cli/lib.sh"

# well_formed FILE: by xmllint, or where that is missing as far as counting goes.
well_formed()
{
    if command -v xmllint >/dev/null; then
        xmllint --noout "$1" 2>err || fail "$1 is not well formed"
    fi
    [ "$(grep -o '<svg ' "$1" | wc -l)" -eq "$(grep -o '</svg>' "$1" | wc -l)" ] ||
        fail "$1: not every svg is closed"
    [ "$(grep -o '<text ' "$1" | wc -l)" -eq "$(grep -o '</text>' "$1" | wc -l)" ] ||
        fail "$1: not every text is closed"
}

for options in "" "--model embedded --layer 2 --head 1" "--kv-layout dense --num-kv-blocks 20" \
    "--requests 1 --prompt-len 1 --max-tokens 1"; do
    rm -rf a b
    # shellcheck disable=SC2086 # several words
    shoal demo visualization --out a $options
    expect_code 0
    # shellcheck disable=SC2086
    shoal demo visualization --out b $options
    diff -r a b >differences || fail "$options: the pictures differ the second time"
    [ "$(ls a | tr '\n' ' ')" = "attention.svg index.html kv-layout.svg step-tokens.svg timeline.svg token-table.svg " ] ||
        fail "other files than these: $(ls a)"
    for file in a/*.svg; do
        well_formed "$file"
        ! grep -q 'nan\|inf"' "$file" || fail "$file has numbers that are none"
        grep -q 'prefers-color-scheme:dark' "$file" || fail "$file knows no dark theme"
    done
    [ "$(grep -o '<svg ' a/index.html | wc -l)" -eq 5 ] || fail "not five pictures in the page"
    ! sed 's|xmlns="http://www.w3.org/2000/svg"||g' a/index.html |
        grep -q 'http\|src=\|href=\|@import\|<script' || fail "the page needs something outside"
done

# Of 5 positions each attends to itself and those before.
shoal demo visualization --out a --requests 1 --prompt-len 5 --max-tokens 1
[ "$(grep -c '<title>[0-4], [0-4]: [01][0-9.]*<' a/attention.svg)" -eq 15 ] || fail "not 15 weights"
grep -q '<title>0, 0: 1<' a/attention.svg || fail "position 0 has more than itself to attend to"

shoal demo visualization --out a
grep -q 'D, waits, preempted' a/timeline.svg || fail "no preempted request in the timeline"
for file in a/*.svg; do
    grep -v '^$' "$file" >piece
    first=$(sed -n 3p piece)
    grep -qF -- "$first" a/index.html || fail "the page does not hold $file"
done

shoal demo visualization --out no/such/folder
expect_code 1
expect_error "cannot make no/such/folder"
: >file
shoal demo visualization --out file
expect_code 1

# A step log: waiting after a preemption is not the same as waiting for the first time.
i=0
while [ $i -lt 6 ]; do
    request r$i '"prompt":[65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,'$((80 + i))'],"max_tokens":20,"temperature":0,"ignore_eos":true'
    i=$((i + 1))
done >requests
for blocks in 14 64; do
    shoal run -m tiny -t 1 --input requests --output results --block-size 8 --num-kv-blocks $blocks \
        --no-enable-prefix-caching --step-log log --summary=off
    expect_code 0
    shoal replay log --timeline log-$blocks.svg
    expect_code 0
    well_formed log-$blocks.svg
    grep -q 'step 0: r0, prefill chunk of 16 tokens' log-$blocks.svg || fail "no first chunk"
done
grep -q ', waits, preempted' log-14.svg || fail "no preemption in the picture"
! grep -q ', waits, preempted' log-64.svg || fail "a preemption with blocks enough"
# whoever was preempted runs again later, and nobody waits after their end
for name in r0 r1 r2 r3 r4 r5; do
    last=$(grep -o "step [0-9]*: $name, [a-z]*" log-14.svg | sort -n -k2 | tail -1)
    case $last in *decode) ;; *) fail "$name ends with: $last" ;; esac
done
echo ok
