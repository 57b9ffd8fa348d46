#!/bin/sh
# bench grid --profile: every part of a step is there, and the parts make the whole.
. "$(dirname "$0")/lib.sh"

shoal bench grid -t 2 -npp 8 -ntg 8 -npl 1,4 --profile
expect_code 0
most='GB/s read, .* Gop/s in 8 bits, .* Gop/s in float32'
grep -qE "^at most, with 2 threads: .* $most; [1-9][0-9]* ns from core to core\$" out ||
    fail "what the machine can do is not said"
[ "$(grep -c ' steps of .* tokens, .* ms each$' out)" -eq 2 ] || fail "not a profile for each line"
for part in rows "KV store" "linear layers" attention "output matrix" sampling barriers \
    "scheduler, plan" "rest of leader" other; do
    [ "$(grep -c "^  $part  " out)" -eq 2 ] || fail "no $part"
done
awk '/ ms each$/ { if (n && (sum < 99 || sum > 101)) bad = 1; n++; sum = 0 }
     / %/ && $0 ~ /^  / { for (i = 2; i <= NF; i++) if ($i == "%") { sum += $(i - 1); break } }
     END { exit bad || n != 2 || sum < 99 || sum > 101 }' out || fail "the shares are not 100 %"
grep -q '^  linear layers .* % of the ' out || fail "no share of a ceiling"

shoal bench grid -t 1 -npp 1 -ntg 1 -npl 1 --profile
expect_code 0
grep -q "^at most, with 1 thread: .* $most\$" out || fail "one core has a way to another"

OMP_THREAD_LIMIT=1 shoal bench grid -t 2 -npp 1 -ntg 1 -npl 1 --profile
expect_code 0
grep -q "^at most, with .* $most\$" out || fail "a thread that OpenMP does not give has a core"

shoal bench grid -t 3 -npp 1 -ntg 1 -npl 1 --profile
expect_code 0
grep -qE "^at most, with 3 threads: .* $most; [1-9][0-9]* to [1-9][0-9]* ns from core to core\$" out ||
    fail "the ways to two other cores are not said"

shoal bench grid -npp 8 -ntg 8 -npl 1 --profile --json
expect_code 2
expect_error "--profile is a table"
echo ok
