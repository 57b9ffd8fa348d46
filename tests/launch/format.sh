#!/usr/bin/env bash
# The sources are as clang-format 14 writes them (.clang-format); other versions write differently.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tool=
for name in clang-format-14 clang-format; do
    if command -v "$name" >/dev/null && "$name" --version | grep -q 'version 14\.'; then
        tool=$name
        break
    fi
done
[ -n "$tool" ] || skip 'there is no clang-format 14'

find src tests include docs -name '*.[ch]' -not -path 'tests/data/*' | sort >"$temp/files"
if ! xargs "$tool" --style=file --dry-run --Werror <"$temp/files" 2>"$temp/errors"; then
    grep -o '^[^ :]*:[0-9]*' "$temp/errors" | sort -u -t: -k1,1 | while IFS= read -r place; do
        printf 'not formatted: %s\n' "$place"
    done
    fail "run $tool -i on these files"
fi
printf '%d files\n' "$(wc -l <"$temp/files")"

# It is seen when a file is not formatted.
printf 'int   x ;\n' >"$temp/bad.c"
if "$tool" --style=file:"$PWD/.clang-format" --dry-run --Werror "$temp/bad.c" 2>/dev/null; then
    fail "$tool accepts anything"
fi
finish
