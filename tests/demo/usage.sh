#!/bin/sh
# Command lines that cannot be right, the list, and the help.
. "$HERE/../cli/lib.sh"

refused()
{
    sentence=$1
    shift
    shoal demo "$@"
    expect_code 2
    expect_error "$sentence"
    [ ! -s out ] || fail "something on standard output"
}

refused "there is no demo raged-mask; the nearest is ragged-mask" raged-mask
refused "there is no demo frobnicate" frobnicate
refused "--prompt-len: 9-4 is not a range" ragged-mask --prompt-len 9-4

shoal demo
expect_code 0
for demo in ragged-mask prefill-only prefill-decode-mix scheduler-timeline paged-attention \
    visualization interactive; do
    [ "$(grep -c "^  $demo " out)" -eq 1 ] || fail "the list lacks $demo"
done

if [ -n "$LAUNCH" ]; then
    for demo in ragged-mask interactive; do
        refused "this demo shows one rank: start it without mpirun" $demo
    done
    echo ok
    exit 0
fi

for demo in ragged-mask prefill-only prefill-decode-mix scheduler-timeline paged-attention \
    visualization interactive; do
    shoal demo $demo --help
    expect_code 0
    for option in model max-num-batched-tokens long-prefill-token-threshold block-size kv-layout \
        requests prompt-len max-tokens seed; do
        grep -q -- "--$option" out || fail "$demo does not take --$option"
    done
    [ "$(grep -c '^usage: shoal demo' out)" -eq 1 ] || fail "no usage in the help of $demo"
    refused "there is no option --request; the nearest is --requests" $demo --request 3
    refused "--requests: 0 is not a whole number" $demo --requests 0
    refused "--requests: 257 is not a whole number" $demo --requests 257
    refused "--max-tokens: 0 is not a whole number" $demo --max-tokens 0
    refused "--max-num-batched-tokens: 0 is not" $demo --max-num-batched-tokens 0
    refused "--block-size: 7 is not one of" $demo --block-size 7
    refused "--kv-layout: round is not one of paged, dense" $demo --kv-layout round
done
for range in 0 0-4 4- -4 4-5-6 x 4-x 99999999999 ""; do
    refused "is not a range of token counts" ragged-mask "--prompt-len=$range"
done
refused "give a folder for the pictures: --out DIR" visualization
refused "--layer 1, --head 0: the model has 1 layer of 1 head" visualization --out x --layer 1
[ ! -e x ] || fail "a folder was made"

# What fails, rather than being wrong.
shoal demo prefill-only --prompt-len 600
expect_code 1
expect_error "together more than the 512 tokens that a request may have here"
shoal demo ragged-mask --model no-such-file
expect_code 1
expect_error "no-such-file"
shoal demo paged-attention --num-kv-blocks 2
expect_code 1
expect_error "blocks"
shoal demo ragged-mask --prompt-len 200 --requests 1 --max-tokens 1 --max-num-batched-tokens 200 \
    --long-prefill-token-threshold 200
expect_code 1
expect_error "no step is as small as the 64 tokens over 160 keys"
shoal demo ragged-mask --prompt-len 200
expect_code 0
"$SHOAL" demo ragged-mask >/dev/full 2>err && fail "a full disk is not noticed"
echo ok
