#!/usr/bin/env bash
# Every header compiles alone: the public ones as C17 and C++, the others as C17.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cc=${CC:-cc}
strict=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror -fsyntax-only)

# compiles HEADER COMMAND...: as the only include of a file.
compiles() {
    local header=$1

    shift
    if ! printf '#include "%s"\n' "$header" | "$@" - 2>"$temp/errors"; then
        fail "$header does not compile alone ($*)"
        sed 's/^/    /' "$temp/errors"
    fi
}

n=0
while IFS= read -r header; do
    compiles "$header" "$cc" -std=c17 "${strict[@]}" -Wstrict-prototypes -Iinclude -x c
    if command -v c++ >/dev/null; then
        compiles "$header" c++ -std=c++11 "${strict[@]}" -Iinclude -x c++
    fi
    n=$((n + 1))
done < <(cd include && find shoal -name '*.h')
[ "$n" -ge 2 ] || fail "there are only $n public headers"

libraries=$(pkg-config --cflags jansson libpcre2-8 libxxhash openblas ompi-c)
while IFS= read -r header; do
    isa=()
    case $header in
    kernels/avx2/*) isa=(-mavx2 -mfma -mf16c) ;;
    kernels/avxvnni/*) isa=(-mavx2 -mfma -mf16c -mavxvnni) ;;
    kernels/amx/*) isa=(-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c -mamx-tile -mamx-int8) ;;
    kernels/avx512/*) isa=(-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c) ;;
    esac
    # shellcheck disable=SC2086 # flags
    compiles "$header" "$cc" -std=c17 -D_GNU_SOURCE "${strict[@]}" -Wno-unused-function "${isa[@]}" \
        $libraries -Isrc -Iinclude -x c
    n=$((n + 1))
done < <(cd src && find . -name '*.h' | sed 's|^\./||' | sort)
echo "$n headers"

if ! command -v c++ >/dev/null; then
    echo 'skipped: the public headers as C++, there is no C++ compiler'
fi
finish
