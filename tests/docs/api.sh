#!/usr/bin/env bash
# docs/api_reference.md against include/shoal: every ```c block stands in a header as it is, and
# every function, struct and enum of the headers stands in a block.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

page=${1:-docs/api_reference.md}
headers=${2:-include/shoal}

# squeeze: a text (stdin) on one line, each run of blanks one blank.
squeeze() {
    tr -s ' \t\n' ' ' | sed 's/^ //; s/ $//'
}

# declared HEADER: what it declares: "function NAME", "struct NAME", "enum NAME", "type NAME".
declared() {
    awk '
        { line = $0; gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line) }
        line ~ /\/\*/ { sub(/\/\*.*/, "", line); comment = 1; text = text " " line; next }
        comment { if (line ~ /\*\//) { comment = 0; sub(/.*\*\//, "", line) } else next }
        line ~ /^#/ { next }
        { text = text " " line }
        END {
            gsub(/[ \t]+/, " ", text)
            rest = text
            while (match(rest, /SHOAL_API [^(;{]*\(/)) {
                n = split(substr(rest, RSTART, RLENGTH - 1), words, /[ *]+/)
                print "function " words[n]
                rest = substr(rest, RSTART + RLENGTH)
            }
            rest = text
            while (match(rest, /(struct|enum) [a-z_]+ \{/)) {
                print substr(rest, RSTART, RLENGTH - 2)
                rest = substr(rest, RSTART + RLENGTH)
            }
            rest = text
            while (match(rest, /typedef [^;]*;/)) {
                each = substr(rest, RSTART, RLENGTH)
                if (match(each, /\(\*[a-z_]+\)/))
                    print "type " substr(each, RSTART + 2, RLENGTH - 3)
                rest = substr(rest, index(rest, each) + length(each))
            }
        }' "$1"
}

blocks c <"$page" >"$temp/blocks"
[ -s "$temp/blocks" ] || fail "$page has no block of C"
for header in "$headers"/*.h; do
    squeeze <"$header"
    printf '\n'
done >"$temp/headers"
n_blocks=0
block=
while IFS= read -r line; do
    case $line in
    '```c') block= ;;
    '```')
        n_blocks=$((n_blocks + 1))
        part=$(squeeze <<<"$block")
        grep -qF -e "$part" "$temp/headers" || fail "no header has: ${part:0:100}"
        ;;
    *) block+=$line$'\n' ;;
    esac
done <"$temp/blocks"

n=0
grep -v '^```' "$temp/blocks" >"$temp/shown.h"
declared "$temp/shown.h" | sort -u >"$temp/shown"
for header in "$headers"/*.h; do
    while IFS= read -r what; do
        n=$((n + 1))
        grep -qxF -e "$what" "$temp/shown" || fail "$page does not show $what of $(basename "$header")"
    done < <(declared "$header" | sort -u)
    grep -qF -e "shoal/$(basename "$header")" "$page" || fail "$page does not name $(basename "$header")"
done
[ "$n" -ge 30 ] || fail "the headers declare only $n things"
# What the prose names with the API's prefix is in a header.
# shellcheck disable=SC2016 # backticks of Markdown
while IFS= read -r name; do
    grep -qrw -e "$name" "$headers" || fail "$page names $name, which is in no header"
done < <(prose <"$page" | grep -oE '`[^`]*`' | grep -oE '\b(shoal_[a-z_]+|SHOAL_[A-Z_]+)\b' | sort -u)
printf '%d blocks, %d declarations\n' "$n_blocks" "$n"
finish
