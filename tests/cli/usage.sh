#!/bin/sh
# Command lines that cannot be right: exit code 2, one sentence, said by one rank; and the help.
. "$(dirname "$0")/lib.sh"

refused()
{
    sentence=$1
    shift
    shoal "$@"
    expect_code 2
    expect_error "$sentence"
    [ ! -s out ] || fail "something on standard output"
}

n_ranks=$(echo "$LAUNCH" | sed -n 's/.*-n \([0-9]*\).*/\1/p')
n_ranks=${n_ranks:-1}

refused "there is no command rum; the nearest is run" rum
refused "there is no command frobnicate" frobnicate
refused "--block-size: 7 is not one of 8, 16, 32, 64, 128" run --block-size 7 -p x
refused "--dp 7 on $n_ranks rank" run --dp 7 -p x
refused "requests of 513 tokens (--max-model-len) are longer than the model's context" run -p x --max-model-len 513

# mpirun takes a second to end ranks that fail: the others are tried with one process only
if [ -z "$LAUNCH" ]; then
    refused "shoal run: nothing to do: give --prompt TEXT or --input FILE" run
    refused "there is no option --max-num-seq; the nearest is --max-num-seqs" run --max-num-seq 3 -p x
    refused "--max-num-batched-tokens: 0 is not a whole number" run --max-num-batched-tokens 0 -p x
    refused "--max-num-seqs: 0 is not a whole number" run --max-num-seqs 0 -p x
    refused "--kv-cache-memory: much is not a size in bytes" run --kv-cache-memory much -p x
    refused "--kv-cache-dtype: f64 is not one of f32, f16, bf16, q8_0" run --kv-cache-dtype f64 -p x
    refused "--tp 2: a layer shared by ranks will come later" run --tp 2 -p x
    refused "--cp 2: a context shared by ranks will come later" run --cp 2 -p x
    refused "--pp 2: layers on different ranks will come later" run --pp 2 -p x
    refused "both give the size of the pool" run --kv-cache-memory 1MiB --num-kv-blocks 5 -p x
    refused "--kv-layout dense has no prefix cache" run --kv-layout dense --enable-prefix-caching -p x
    refused "--prompt and --input: give one of them" run -p x -i y
    refused "--format is about --input" run -p x --format text
    refused "--max-tokens has no effect on batch lines" run -i y --max-tokens 5
    refused "--stop: the text is empty" run -p x --stop ""
    refused "\"x\" stands there without an option" run x
    refused "--output needs a value" run -p x --output
    refused "nothing to do: give a text" tokenize
    refused "--extract writes built-in models" inspect --extract x y.gguf
fi

SHOAL_MAX_NUM_SEQS=-3
export SHOAL_MAX_NUM_SEQS
refused "environment variable SHOAL_MAX_NUM_SEQS: --max-num-seqs: -3 is not" run -p x
unset SHOAL_MAX_NUM_SEQS
echo "max-num-seqs = none" >config
refused "config, line 1: --max-num-seqs: none is not a whole number" run -p x --config config

for command in run inspect tokenize; do
    shoal $command --help
    expect_code 0
    [ "$(grep -c '^usage: shoal' out)" -eq 1 ] || fail "no usage in the help of $command"
    [ ! -s err ] || fail "something on standard error"
done
shoal --help
expect_code 0
grep -q '^  tokenize ' out || fail "--help does not list the commands"
shoal --version
expect_code 0
for word in shoal commit compiler MPI BLAS kernels; do
    [ "$(grep -c "^$word " out)" -eq 1 ] || fail "--version does not say $word"
done

# Things that fail, rather than being wrong.
shoal run -p x -m no-such-file
expect_code 1
expect_error "no-such-file"
shoal run -p x -m "$0"
expect_code 1
shoal run -i no-such-input
expect_code 1
expect_error "cannot open no-such-input: No such file or directory"
echo ok
