# What the end-to-end tests share. CMakeLists.txt sets SHOAL (the program), JSON_GET
# (support/json_get.c) and LAUNCH (mpirun and its arguments, or nothing).

set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/shoal-cli-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset SHOAL_SHARED

fail()
{
    echo "FAILED: $*" >&2
    echo "--- standard output" >&2
    head -c 4000 out >&2
    echo "--- standard error" >&2
    head -c 4000 err >&2
    exit 1
}

# shoal ARGUMENTS: sets code, leaves what it printed in out and err.
shoal()
{
    code=0
    if [ -z "$LAUNCH" ]; then
        "$SHOAL" "$@" >out 2>err || code=$?
        return 0
    fi
    # Open MPI's mpirun, ending the ranks because one has failed, at times kills itself: a rank that
    # it has only just begun is in its own process group still. Then once more.
    for attempt in 1 2 3 4 5; do
        code=0
        # mpirun would take the test's standard input for itself
        $LAUNCH "$SHOAL" "$@" >out 2>err </dev/null || code=$?
        [ "$code" -eq 137 ] || return 0
        echo "mpirun was killed, attempt $attempt"
    done
}

expect_code()
{
    [ "$code" -eq "$1" ] || fail "exit code $code, not $1"
}

# expect_error TEXT: stderr has it in exactly one line, however many ranks there are.
expect_error()
{
    n=$(grep -cF -- "$1" err)
    [ "$n" -eq 1 ] || fail "$n lines of standard error have: $1"
}

# expect_value FILE ID PATH VALUE
expect_value()
{
    value=$("$JSON_GET" "$1" "$2" "$3") || fail "$1: $2: $3 cannot be read"
    [ "$value" = "$4" ] || fail "$1: $2: $3 is $value, not $4"
}

# expect_lines FILE N: so many whole lines of JSON.
expect_lines()
{
    n=$("$JSON_GET" "$1") || fail "$1 is not lines of JSON"
    [ "$n" -eq "$2" ] || fail "$1 has $n lines, not $2"
}

# request ID BODY: a batch line.
request()
{
    printf '{"custom_id":"%s","method":"POST","url":"/v1/completions","body":{%s}}\n' "$1" "$2"
}

# wait_for WHAT COMMAND...: until it succeeds; half a minute at most.
wait_for()
{
    what=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "$what did not come"
        sleep 0.05
    done
}
