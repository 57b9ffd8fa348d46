#!/bin/sh
# --prompt: one is printed as it comes, several each under its prompt and in their order.
. "$(dirname "$0")/lib.sh"

shoal run -t 1 -p "To be" --max-tokens 10
expect_code 0
[ ! -s err ] || fail "something on standard error"
mv out one
[ "$(tail -c 1 one)" = "" ] || fail "the text does not end with an end of line"

shoal run -t 1 -p "ROMEO:" --prompt "To be" -p "ROMEO:" --max-tokens 10
expect_code 0
grep -q '^Successful requests: *3' err || fail "no summary"
{
    echo "> To be"
    cat one
    echo
} >expected
sed -n '/^> To be/,/^> ROMEO/p' out | sed '$d' >middle
cmp -s expected middle || fail "To be is answered otherwise beside others"
[ "$(grep -n '^> ' out | cut -d: -f2- | tr '\n' '|')" = "> ROMEO:|> To be|> ROMEO:|" ] ||
    fail "the prompts are not in their order"

# Options that set what they get.
shoal run -t 1 -p "To be" --max-tokens 10 --temperature 1 --seed 1
mv out seed1
shoal run -t 1 -p "To be" --max-tokens 10 --temperature 1 --seed 2
cmp -s out seed1 && fail "two seeds give one text"
shoal run -t 1 -p "To be" --max-tokens 0
expect_code 0
[ "$(cat out)" = "" ] || fail "text of no tokens"

# A prompt that cannot run is said, the others run; its result is a line of --output.
shoal run -t 1 -p "" -p "To be" --max-tokens 10 -o results
expect_code 1
expect_error "prompt 1: prompt: it is empty"
[ "$(sed -n 1p out)" = "> To be" ] || fail "the other did not run"
expect_lines results 2
expect_value results prompt-1 response.status_code 400
expect_value results prompt-2 error null

# From a file of options.
echo 'max-tokens = 10' >config
shoal run -t 1 -p "To be" --config config
cmp -s out one || fail "--config is not read"
echo ok
