#!/usr/bin/env bash
# What the scripts beside it share. Sourced, with the top of the tree as the current folder.

say() {
    printf '%s\n' "$*" >&2
}

# One sentence, then the end.
die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The last LINES lines of a log, indented, for a sentence that follows.
show_end() {
    tail -n "$2" "$1" | sed 's/^/    /' >&2
}

# Follows ninja on stdin: says WHAT at the first step and, where stderr is a terminal, counts them.
count_steps() {
    local line first=1

    while IFS= read -r line; do
        [[ $line =~ ^\[([1-9][0-9]*/[0-9]+)\] ]] || continue
        if [ -t 2 ]; then
            printf '\r%s: %s ' "$1" "${BASH_REMATCH[1]}" >&2
        elif [ $first = 1 ]; then
            say "$1"
        fi
        first=0
    done
    if [ -t 2 ]; then
        printf '\r\033[K' >&2
    fi
}

# configure PRESET: starts build/PRESET.log, which gets the whole output.
configure() {
    local preset=$1 folder=build/$1 log=build/$1.log

    if ! mkdir -p "$folder" 2>/dev/null || ! : 2>/dev/null >"$log"; then
        die "cannot write to $PWD/build: build in a checkout that you own"
    fi
    # A tree that was copied or moved brings the old place along.
    if [ -f "$folder/CMakeCache.txt" ] &&
        ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt"; then
        rm -rf "$folder"
    fi
    [ -f "$folder/build.ninja" ] || say "configuring $folder"
    if ! cmake --preset "$preset" >>"$log" 2>&1; then
        show_end "$log" 20
        die "configuring $folder failed; all of its output is in $log"
    fi
}

# build PRESET TARGET...: configures and compiles what changed; says so when there is something.
build() {
    local folder=build/$1 log=build/$1.log began=$SECONDS

    configure "$1"
    shift
    if ! cmake --build "$folder" --target "${@:-all}" 2>&1 | tee -a "$log" |
        count_steps "building $folder"; then
        show_end "$log" 30
        die "building $folder failed; all of its output is in $log"
    fi
    if grep -q '^\[[1-9]' "$log"; then
        say "built $folder in $((SECONDS - began)) s"
    fi
}
