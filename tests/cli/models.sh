#!/bin/sh
# Models, pools and threads that cannot be, or not everywhere.
. "$(dirname "$0")/lib.sh"

cannot_run()
{
    sentence=$1
    shift
    shoal run -t 1 -p x "$@"
    expect_code 1
    expect_error "$sentence"
    [ ! -s out ] || fail "something on standard output"
}

"$SHOAL" inspect embedded --extract good.gguf >/dev/null || fail "the model is not extracted"
head -c 1000000 good.gguf >cut.gguf
echo "once upon a time" >text.gguf
mkdir folder
cannot_run "no-such.gguf: cannot be opened: No such file or directory" -m no-such.gguf
cannot_run "cut.gguf: " -m cut.gguf
cannot_run "text.gguf: " -m text.gguf
cannot_run "folder: " -m folder
cannot_run "a KV pool of 100 B holds no block" --kv-cache-memory 100

shoal run -t 5000 -p x --max-tokens 1
expect_code 2
shoal run -t 3 -p x --max-tokens 1
if [ "$(nproc)" -lt 3 ] || [ -n "$LAUNCH" ]; then
    expect_code 0
    grep -q -- "warning: --threads 3 on .* affinity mask" err || fail "no warning of too many threads"
fi

# The same name is another file where rank 1 stands.
if [ -n "$LAUNCH" ]; then
    launcher=${LAUNCH% -n *}
    mkdir elsewhere
    differs()
    {
        $launcher -n 1 "$SHOAL" run -t 1 -p x --max-tokens 1 -m good.gguf : \
            -n 2 -wdir "$work/elsewhere" "$SHOAL" run -t 1 -p x -m good.gguf </dev/null >out 2>err
        code=$?
        expect_code "$2"
        [ "$2" -eq 0 ] || [ ! -s out ] || fail "something on standard output"
        [ "$2" -eq 0 ] || expect_error "$1"
    }
    differs "rank 1: good.gguf: cannot be opened" 1
    cp good.gguf elsewhere
    differs "" 0
    "$SHOAL" inspect tiny --extract elsewhere/good.gguf >/dev/null
    differs "rank 1 opened a different file as good.gguf than rank 0" 1
    cp cut.gguf elsewhere/good.gguf
    differs "rank 1: good.gguf: " 1
    # One byte of a weight: it matters only where ranks pack for themselves.
    cp good.gguf elsewhere
    n=$(wc -c <good.gguf)
    printf '\125' | dd of=elsewhere/good.gguf bs=1 seek=$((n - 4321)) conv=notrunc 2>/dev/null
    cmp -s good.gguf elsewhere/good.gguf && fail "the byte is the same"
    differs "" 0
    SHOAL_NO_SHARED=1
    export SHOAL_NO_SHARED
    differs "rank 1 opened a different file as good.gguf than rank 0" 1
fi
echo ok
