#!/bin/sh
# shoal inspect and shoal tokenize on the built-in models, on a file, and on a vocabulary alone.
. "$(dirname "$0")/lib.sh"

for model in embedded tiny; do
    shoal inspect $model --extract $model.gguf
    expect_code 0
    shoal inspect --json --tensors $model.gguf
    expect_code 0
    cp out json
    expect_lines json 1
    expect_value json - file $model.gguf
    shoal inspect --json --tensors -m $model
    sed "s/\"$model\"/\"$model.gguf\"/" out >from-name
    cmp -s json from-name || fail "the file of $model is not what the name means"
    [ "$("$JSON_GET" json - "tensors.#")" -eq "$("$JSON_GET" json - n_tensors)" ] ||
        fail "not every tensor is listed"
    for path in memory.weights memory.step memory.kv_bytes_per_token.f16 model.n_ctx \
        tokenizer.model types; do
        "$JSON_GET" json - $path >/dev/null || fail "$model: no $path"
    done
    shoal inspect $model
    expect_code 0
    for word in model tokenizer tensors memory; do
        grep -q "^$word" out || fail "$model: nothing of its $word"
    done
    printf 'To be, or\n not  \303\266 \377' >text
    "$SHOAL" tokenize -m $model --no-special - <text >ids 2>err || fail "$model: tokenize"
    [ "$(wc -l <ids)" -eq 1 ] || fail "the ids are not one line"
    "$SHOAL" tokenize -m $model --decode - <ids >back 2>err || fail "$model: decode"
    # what is not UTF-8 comes back as the replacement character
    printf 'To be, or\n not  \303\266 \357\277\275' >expected
    cmp -s back expected || fail "$model: the text comes back changed"
    [ "$("$SHOAL" tokenize -m $model --pieces 'To be' | wc -l)" -eq \
        "$("$SHOAL" tokenize -m $model 'To be' | wc -w)" ] || fail "$model: pieces and ids differ"
done
shoal run -t 1 -m embedded.gguf -p "To be" --max-tokens 10
expect_code 0
mv out from-file
shoal run -t 1 -p "To be" --max-tokens 10
cmp -s out from-file || fail "the extracted model answers otherwise"

shoal tokenize --decode 5 99999
expect_code 1
expect_error "99999 is no token id from 0 to 1023"
shoal tokenize -m no-such-file x
expect_code 1
expect_error "no-such-file"
shoal inspect "$0"
expect_code 1
[ ! -s out ] || fail "something on standard output"
shoal inspect tiny --extract no-such-folder/x
expect_code 1

for vocabulary in "$SHOAL_TEST_DATA"/tokenizer/spm-bytes.gguf "${SHARED:-}"/data/gguf-vocab/*.gguf; do
    [ -f "$vocabulary" ] || continue
    shoal inspect "$vocabulary"
    expect_code 0
    grep -q '^tokenizer' out || fail "nothing of the tokenizer"
    "$SHOAL" tokenize -m "$vocabulary" --no-special "Hello, world" >ids 2>err || fail "tokenize"
    [ "$("$SHOAL" tokenize -m "$vocabulary" --decode - <ids)" = "Hello, world" ] ||
        fail "the text comes back changed"
    shoal run -t 1 -m "$vocabulary" -p x
    expect_code 1
done
echo ok
