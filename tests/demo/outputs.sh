#!/bin/sh
# What the demos print: as expected, the same again, and the same numbers whatever the scheduling.
. "$HERE/../cli/lib.sh"
unset SHOAL_SHARED

for demo in ragged-mask prefill-only prefill-decode-mix scheduler-timeline paged-attention; do
    shoal demo $demo
    expect_code 0
    [ ! -s err ] || fail "$demo: something on standard error"
    cmp -s out "$HERE/expected/$demo.txt" || {
        diff "$HERE/expected/$demo.txt" out
        fail "$demo does not print what it should"
    }
    ! grep -q ' $' out || fail "$demo: blanks at the end of a line"
    NO_COLOR=1 TERM=xterm "$SHOAL" demo $demo >again 2>err || fail "$demo fails the second time"
    cmp -s out again || fail "$demo prints something else the second time"
    mv out $demo
    shoal demo $demo --isa portable
    expect_code 2 # what a demo does not need it does not take
    SHOAL_ISA=portable "$SHOAL" demo $demo >again 2>err || fail "$demo fails with portable kernels"
    cmp -s $demo again || fail "$demo depends on the instruction set"
    shoal demo $demo --seed 5
    expect_code 0
    ! cmp -s out $demo || fail "$demo: the seed changes nothing"
done

# new_tokens FILE: of each request its name and its new tokens.
new_tokens()
{
    sed -n '/^What came of each request/,/^$/p' "$1" | sed 1,2d | awk '{ $2 = $3 = $4 = $5 = $6 = ""; print }'
}

new_tokens scheduler-timeline >expected
[ "$(grep -c ' (14)$' expected)" -eq 6 ] || fail "not every request has its 14 tokens"
for options in "--num-kv-blocks 64" "--kv-layout dense --num-kv-blocks 40" \
    "--max-num-batched-tokens 7" "--long-prefill-token-threshold 3" "--block-size 16"; do
    # shellcheck disable=SC2086 # two words
    shoal demo scheduler-timeline $options
    expect_code 0
    new_tokens out >tokens
    cmp -s tokens expected || fail "$options changes tokens"
done
grep -q '!' scheduler-timeline || fail "nobody was preempted"
shoal demo scheduler-timeline --num-kv-blocks 64
[ "$(sed -n '/^  step /,/^$/p' out | grep -c '!')" -eq 0 ] || fail "preempted with blocks enough"

# Decode first, never over the budget.
shoal demo prefill-decode-mix --requests 12 --max-num-batched-tokens 10 --seed 3
expect_code 0
grep -o '\[[DP.]*\]' out >strips
[ "$(wc -l <strips)" -ge 10 ] || fail "no strips"
! grep -vq '^\[D*P*\.*\]$' strips || fail "a strip is out of order"
! grep -vq '^\[[DP.]\{10\}\]$' strips || fail "a strip is not as wide as the budget"

# Another model.
shoal demo ragged-mask --model embedded --requests 2
expect_code 0
! grep -q 'alone' out || fail "the embedded model was taken apart"
grep -q '##' out || fail "no mask"
shoal demo paged-attention --model embedded
expect_code 0
cmp -s out "$HERE/expected/paged-attention-embedded.txt" || {
    diff "$HERE/expected/paged-attention-embedded.txt" out
    fail "paged-attention does not print what it should of the embedded model"
}
shoal demo paged-attention --model embedded --requests 6 --num-kv-blocks 12 --max-tokens 30
expect_code 0
[ "$(grep -o '\[A\]' out | wc -l)" -eq 11 ] || fail "4 paged and 7 dense blocks of A"
echo ok
