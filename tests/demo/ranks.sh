#!/bin/sh
# The timeline on several ranks: a part a rank, and the tokens of one rank.
. "$HERE/../cli/lib.sh"

new_tokens()
{
    sed -n '/^What came of each request/,/^$/p' "$1" | tr -d '\r' | sed 1,2d |
        awk '{ $2 = $3 = $4 = $5 = $6 = ""; print }'
}

shoal demo scheduler-timeline --requests 9 --num-kv-blocks 10
expect_code 0
for rank in 0 1 2; do
    [ "$(grep -c "^  rank $rank: [0-9]* steps" out)" -eq 1 ] || fail "no part of rank $rank"
done
[ "$(grep -c '^  tenths  ' out)" -eq 3 ] || fail "not three parts"
# whoever waits stands on the rank that ran it in the end
! sed -n '/^  rank 0/,/^Why/p' out | grep -q '^  [A-I]         *[.! ]*$' || fail "a lane that never ran"
! grep -q "$(printf '\033')" out || fail "colours, which no terminal sees"
new_tokens out >many
[ "$(grep -c ' (14)$' many)" -eq 9 ] || fail "not every request has its tokens"
"$SHOAL" demo scheduler-timeline --requests 9 --num-kv-blocks 10 >one 2>err || fail "one rank"
new_tokens one >expected
cmp -s many expected || fail "three ranks give other tokens than one"
echo ok
