#!/usr/bin/env bash
# commands.sh BUILD PAGE... - runs the ```sh blocks of the pages with the program of BUILD in PATH,
# those of a page in order and in one folder, and compares what they print with the ```text block
# that follows, if one does (match.awk says how). A reader's shell is imitated: no shoal variables,
# no terminal.
build=$(realpath "$1")
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

shift
top=$PWD
while IFS= read -r name; do
    unset "$name"
done < <(compgen -e SHOAL_ || true)
export PATH=$build:$PATH LC_ALL=C.UTF-8
# A program of the reader's is built against what is installed; here that is the tree.
export C_INCLUDE_PATH=$top/include LIBRARY_PATH=$build LD_LIBRARY_PATH=$build
# Tests run beside others: one thread does not wait for another that has no core.
export SHOAL_THREADS=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

# cut PAGE FOLDER: FOLDER/LINE.sh for each ```sh block, LINE.text for the output shown after it.
cut_blocks() {
    awk -v folder="$2" '
        function file(kind) { return sprintf("%s/%05d.%s", folder, line, kind) }
        /^```/ && !inside {
            kind = substr($0, 4)
            inside = 1
            if (kind == "sh") {
                line = NR
                printf "" > file("sh")
            }
            if (kind == "text" && !follows)
                kind = "other"
            if (kind == "text")
                printf "" > file("text")
            next
        }
        /^```$/ && inside {
            inside = 0
            follows = kind == "sh"
            next
        }
        inside && (kind == "sh" || kind == "text") { print > file(kind) }
        !inside && NF > 0 { follows = 0 }' "$1"
}

n=0
for page in "$@"; do
    work=$(mktemp -d "$temp/work.XXXX")
    cut=$(mktemp -d "$temp/cut.XXXX")
    cut_blocks "$page" "$cut"
    for block in "$cut"/*.sh; do
        [ -e "$block" ] || break
        line=$(basename "$block" .sh)
        status=0
        (cd "$work" && timeout 120 bash -euo pipefail "$block") >"$temp/out" 2>&1 </dev/null || status=$?
        n=$((n + 1))
        where=$page:$((10#$line))
        if [ "$status" -ne 0 ]; then
            fail "$where: the command ended with $status"
            sed 's/^/    /' "$temp/out" | tail -n 30
        elif [ -e "${block%.sh}.text" ] &&
            ! awk -f "$top/tests/docs/match.awk" "${block%.sh}.text" "$temp/out" >"$temp/why"; then
            fail "$where: the output is not what the page shows"
            sed 's/^/    /' "$temp/why"
        fi
    done
done
printf '%d blocks of commands\n' "$n"
finish
