#!/usr/bin/env bash
# install.sh BUILD - cmake --install gives a program, a library with the public names and no others, its
# headers, a pkg-config file that a C program builds with, and a man page.
build=$(cd "$1" && pwd)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prefix=$temp/prefix
cmake --install "$build" --prefix "$prefix" >"$temp/log" 2>&1 || {
    cat "$temp/log"
    fail 'cmake --install'
    finish
}
expect 0 'shoal ' "$prefix/bin/shoal" --version

library=$(find "$prefix" -name libshoal.so)
[ -n "$library" ] || fail 'libshoal.so is not installed'
nm -D --defined-only "$library" | awk '{print $3}' | sort >"$temp/exported"
cat "$prefix"/include/shoal/*.h | tr '\n' ' ' | grep -oE 'SHOAL_API [^(;]*\(' |
    grep -oE 'shoal_[a-z0-9_]+\(' | tr -d '(' |
    grep -vx shoal_plugin_entry | sort >"$temp/declared" # that one is what plugins define
[ "$(wc -l <"$temp/declared")" -ge 15 ] || fail 'the public headers declare too few functions'
diff "$temp/declared" "$temp/exported" || fail 'libshoal.so does not export exactly what is declared'

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name shoal.pc)")
export PKG_CONFIG_PATH
expect 0 '' pkg-config --exists --print-errors shoal
LD_LIBRARY_PATH=$(dirname "$library")
export LD_LIBRARY_PATH

n=0
for source in docs/examples/*.c; do
    case $source in */plugin_*) continue ;; esac
    program=$temp/$(basename "$source" .c)
    # shellcheck disable=SC2046 # flags
    if ! cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror "$source" -o "$program" \
        $(pkg-config --cflags --libs shoal) 2>"$temp/errors"; then
        cat "$temp/errors"
        fail "$source does not compile"
        continue
    fi
    [ "$(wc -l <"$source")" -le 60 ] || fail "$source has more than 60 lines"
    expect 0 '' timeout 60 "$program"
    [ -s "$temp/stdout" ] || fail "$source prints nothing"
    expect 1 'no-such-file.gguf' timeout 60 "$program" "$temp/no-such-file.gguf"
    n=$((n + 1))
done
[ "$n" -ge 1 ] || fail 'there is no example'

# A plugin needs the headers and nothing else.
n=0
for source in docs/examples/plugin_*.c; do
    plugin=$temp/$(basename "$source" .c).so
    if ! cc -std=c17 -Wall -Wextra -Werror -shared -fPIC -I"$prefix/include" "$source" \
        -o "$plugin" 2>"$temp/errors"; then
        cat "$temp/errors"
        fail "$source does not compile"
        continue
    fi
    [ "$(wc -l <"$source")" -le 75 ] || fail "$source has more than 75 lines"
    expect 0 'calm: ' timeout 60 "$prefix/bin/shoal" run --plugin "$plugin" --prompt 'To be' --max-tokens 4
    expect 2 'give at least 1' timeout 60 "$prefix/bin/shoal" run --plugin "$plugin,chunk=0" --prompt 'To be'
    n=$((n + 1))
done
[ "$n" -ge 1 ] || fail 'there is no example of a plugin'

page=$(find "$prefix" -name shoal.1)
[ -s "$page" ] || fail 'the man page is not installed'
# The page knows every command and every option that the program's help tells of.
# list HEADING COMMAND...: the first words of the lines under the heading.
list() {
    local heading=$1

    shift
    "$build/shoal" "$@" --help |
        awk -v heading="$heading" '$0 == heading { on = 1; next } NF == 0 { on = 0 } on { print $1 }'
}
list Commands: >"$temp/commands"
list Benchmarks: bench | sed 's/^/bench /' >>"$temp/commands"
list Studies: study | sed 's/^/study /' >>"$temp/commands"
list Demos: demo | sed 's/^/demo /' >>"$temp/commands"
[ "$(wc -l <"$temp/commands")" -ge 6 ] || fail 'shoal --help lists too few commands'
sed 's/\\f.//g; s/\\//g' "$page" >"$temp/page"
while IFS= read -r command; do
    grep -qF "shoal $command" "$temp/page" || fail "docs/shoal.1 does not tell of shoal $command"
    # shellcheck disable=SC2086 # a benchmark is two words
    "$build/shoal" $command --help |
        sed -nE 's/^ {2}(-[a-zA-Z], | {4})--?(\[no-\])?([a-z][a-z0-9-]*).*/\3/p' >"$temp/options"
    [[ $command =~ ^(bench|study|demo)$ ]] || [ "$(wc -l <"$temp/options")" -ge 3 ] ||
        fail "shoal $command --help lists too few options"
    while IFS= read -r option; do
        grep -qE -e "-$option([^-a-z]|\$)" "$temp/page" ||
            fail "docs/shoal.1 does not tell of --$option (shoal $command)"
    done <"$temp/options"
done <"$temp/commands"
finish
