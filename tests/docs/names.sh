#!/usr/bin/env bash
# What the documents name in `backticks` is there: files and folders of the tree, C names (those
# with an underscore), options of programs. So are the functions that a debugger stops at or calls
# in a console block.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# codes PAGE: "LINE TAB CODE" of each piece in backticks.
codes() {
    prose <"$1" | awk -F '\t' '{
        n = split($0, parts, "`")
        for (i = 2; i <= n; i += 2)
            print $1 "\t" parts[i]
    }'
}

# debugged PAGE: functions in the debugger's transcripts.
debugged() {
    blocks console <"$1" |
        sed -nE 's/^\(gdb\) (t?break|call) ([a-z_]+).*/\2/p; s/^#[0-9]+ +([a-z_]+) \(.*/\1/p' | sort -u
}

# All words of the sources, once.
sources=(src include tests docs/examples CMakeLists.txt CMakePresets.json launch)
find "${sources[@]}" -type f -not -path 'tests/docs/*' \( -name '*.[chS]' -o -name '*.sh' -o -name '*.txt' -o -name '*.cmake' \
    -o -name '*.py' -o -name '*.json' -o -perm -u+x -o -path 'launch/*' \) -print0 |
    xargs -0 cat | tr -c 'A-Za-z0-9_-' '\n' | sort -u >"$temp/with-dashes"
tr -- '-' '\n' <"$temp/with-dashes" | sort -u >"$temp/words"

# is_file NAME: in the tree, or below src/, include/ or tests/; a{b,c} is two files.
is_file() {
    local name each

    for each in $(eval "printf '%s\n' $1"); do
        for name in "$each" "src/$each" "include/$each" "tests/$each"; do
            [ ! -e "$name" ] || continue 2
        done
        return 1
    done
}

n=0
while IFS= read -r page; do
    while IFS=$'\t' read -r line code; do
        [[ $code != *NAME* ]] || continue # to be filled in by the reader
        name=${code%()}
        if [[ $code =~ ^(src|include|tests|docs|launch|\.ci)/[A-Za-z0-9_./{},-]*$ ]] ||
            [[ $code =~ ^[a-z]+/[a-z0-9_{},/]+\.[{ch,}]+$ ]] || [[ $code =~ ^[a-z0-9]+/$ ]]; then
            is_file "$code" || fail "$page:$line: there is no $code"
        elif [[ $name =~ ^(struct\ |enum\ )?[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)+$ ]]; then
            grep -qxF -e "${name##* }" "$temp/words" || fail "$page:$line: no source has the name $code"
        elif [[ $code =~ ^--([a-z][a-z0-9-]+) ]]; then
            grep -qxF -e "${BASH_REMATCH[1]}" -e "--${BASH_REMATCH[1]}" "$temp/with-dashes" ||
                fail "$page:$line: no program here has the option $code"
        else
            continue
        fi
        n=$((n + 1))
    done < <(codes "$page")
    while IFS= read -r name; do
        grep -qxF -e "$name" "$temp/words" || fail "$page: a debugger is told of $name, which no source has"
        n=$((n + 1))
    done < <(debugged "$page")
done < <(pages)
[ "$n" -ge 100 ] || fail "there are only $n names"
printf '%d names\n' "$n"
finish
