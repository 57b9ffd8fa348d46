# What the script tests share. Sourced; the top of the tree becomes the current folder.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
n_failed=0

fail() {
    printf 'failed: %s\n' "$*"
    n_failed=$((n_failed + 1))
}

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

# finish: the end of every test.
finish() {
    if [ "$n_failed" -gt 0 ]; then
        printf '%d checks failed\n' "$n_failed"
        exit 1
    fi
    exit 0
}

# expect CODE TEXT COMMAND...: it ends with CODE and says TEXT, a fixed string, on stdout or stderr;
# these are kept in $temp/stdout and $temp/stderr.
expect() {
    local code=$1 text=$2 got=0

    shift 2
    "$@" >"$temp/stdout" 2>"$temp/stderr" </dev/null || got=$?
    if [ "$got" -ne "$code" ]; then
        fail "$* ended with $got, not $code"
        sed 's/^/    /' "$temp/stdout" "$temp/stderr"
    elif [ -n "$text" ] && ! grep -qF -e "$text" "$temp/stdout" "$temp/stderr"; then
        fail "$* does not say: $text"
        sed 's/^/    /' "$temp/stdout" "$temp/stderr"
    fi
}
