#!/usr/bin/env bash
# make_model.sh SHOAL - files of make_model.py load, and their weight types say the same
set -euo pipefail
shoal=$1
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${SHOAL_PYTHON:-python3}

if ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "skipped: $python has no numpy (SHOAL_PYTHON names another interpreter)"
    exit 77
fi

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
cd "$temp"

fail() {
    echo "FAILED: $*"
    exit 1
}

make() {
    "$python" "$bench/make_model.py" --preset tiny --vocab-from embedded.gguf "$@" || fail "make_model.py $*"
}

"$shoal" inspect embedded --extract embedded.gguf >/dev/null
"$python" >one.jsonl - <<'END'
import json
body = {"prompt": list(range(40, 800, 11)), "max_tokens": 1, "temperature": 0, "ignore_eos": True, "prompt_logprobs": 0}
print(json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": body}))
END
for type in F16 Q8_0 Q4_1; do
    make --type "$type" --seed 3 "$type.gguf"
    "$shoal" inspect "$type.gguf" >inspected || fail "shoal does not load $type.gguf"
    grep -qE "^  $type +16 " inspected || fail "$type.gguf has not 16 tensors of its type: $(cat inspected)"
    "$shoal" run -t 1 -m "$type.gguf" --prompt x --max-tokens 2 >out 2>err || fail "$type.gguf does not run: $(cat err)"
    "$shoal" run -t 1 -m "$type.gguf" --weights f32 --input one.jsonl --output "$type.jsonl" 2>err ||
        fail "$type.gguf does not run with float32 weights: $(cat err)"
done
make --type Q4_1 --tied --layers 1 tied.gguf
"$shoal" inspect tied.gguf | grep -q 'output matrix *the embedding' || fail "tied.gguf has an output matrix"

# Log-probabilities of a prompt, with weights as float32: what encoders got wrong would make them unlike.
"$python" - <<'END' || fail "the types do not hold the same weights"
import json
import numpy
def read(kind):
    choice = json.loads(open(kind + ".jsonl").readline())["response"]["body"]["choices"][0]
    return [value["logprob"] for entry in choice["prompt_logprobs"][1:] for value in entry.values()]
for kind, least in (("Q8_0", 0.998), ("Q4_1", 0.8)):
    alike = numpy.corrcoef(read("F16"), read(kind))[0, 1]
    print(f"{kind}: correlation {alike:.4f} with F16")
    assert alike > least
END

# refuse CODE SENTENCE ARGUMENTS
refuse() {
    local code=0 wanted=$1 sentence=$2
    shift 2
    "$python" "$bench/make_model.py" "$@" x.gguf 2>err || code=$?
    [ "$code" -eq "$wanted" ] || fail "make_model.py $* ended with $code, not $wanted"
    grep -q "$sentence" err || fail "make_model.py $* did not say: $sentence"
}
refuse 1 'one.jsonl: no vocabulary can be read' --vocab-from one.jsonl
refuse 2 'must divide by --heads' --vocab-from embedded.gguf --heads 7
echo "make_model.py is as it should be"
