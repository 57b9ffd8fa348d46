#!/usr/bin/env bash
# floors.sh [TOP] - the folders of src stand on floors, and includes go down only
#
# A file includes its own folder, a lower floor, or the public header; never a neighbour. <mpi.h> is for
# comm alone. Prints what breaks this, one line each, and exits 1. See docs/architecture.md.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

floors='
0 base
1 step comm gguf kernels draw
2 observe
3 kv tokenizer sample plugin
4 sched model
5 engine sim teach
6 cli demo server study
'

files=$(find src -name '*.[chS]' 2>/dev/null | sort || true)
if [ -z "$files" ]; then
    echo "there are no sources under $PWD/src"
    exit 1
fi
# shellcheck disable=SC2086 # no name has a blank
awk -v floors="$floors" '
    function refuse(what) {
        printf "%s:%d: %s\n", FILENAME, FNR, what
        n_refused++
    }
    BEGIN {
        n = split(floors, lines, "\n")
        for (i = 1; i <= n; i++) {
            k = split(lines[i], words, " ")
            for (j = 2; j <= k; j++)
                floor[words[j]] = words[1]
        }
    }
    FNR == 1 {
        split(FILENAME, path, "/")
        own = path[2]
        if (!(own in floor))
            refuse("the folder " own " stands on no floor; give it one in tests/support/floors.sh")
    }
    /^[ \t]*#[ \t]*include/ {
        name = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
        sub(/[ \t]*(\/[*\/].*)?$/, "", name)
        if (name ~ /^<.*>$/) {
            if (name ~ /^<mpi.*\.h>$/ && own != "comm")
                refuse(name " is for src/comm only")
            if (name ~ /^<shoal\//)
                refuse(name " is ours: write it in double quotes")
            next
        }
        if (name !~ /^"[^"]+"$/) {
            refuse("include a file by its name, not " name)
            next
        }
        name = substr(name, 2, length(name) - 2)
        split(name, parts, "/")
        other = parts[1]
        if (name ~ /\.\./ || name !~ /\//)
            refuse("\"" name "\": write the path from src on, like \"" own "/" name "\"")
        else if (other == "shoal") {
            least = name == "shoal/status.h" ? 0 : name == "shoal/plugin.h" ? 3 : 5
            if (floor[own] < least)
                refuse("\"" name "\" is for programs outside and for the floors from " least " on")
        } else if (!(other in floor))
            refuse("\"" name "\": there is no floor with a folder " other)
        else if (other != own && floor[other] >= floor[own] && FILENAME != "src/cli/main.c")
            refuse("\"" name "\": " other " (floor " floor[other] ") is not below " own " (floor " floor[own] ")")
    }
    END { exit n_refused > 0 }
' $files
