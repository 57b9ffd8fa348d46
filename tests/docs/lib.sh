# What the tests of the documents share. Sourced; the top of the tree becomes the current folder.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../launch/lib.sh"

# pages: every document, the README too.
pages() {
    printf 'README.md\n'
    find docs -name '*.md' | sort
}

# blocks KINDS: the fenced blocks of a page (stdin) whose kinds are among KINDS, with their fences.
blocks() {
    awk -v kinds=" $1 " '
        /^```/ && !inside { inside = 1; on = index(kinds, " " substr($0, 4) " ") > 0; if (on) print; next }
        /^```$/ && inside { if (on) print; inside = on = 0; next }
        on'
}

# prose: a page (stdin) without its fenced blocks, each line after its number and a tab.
prose() {
    awk '/^```/ { inside = !inside; next } !inside { print NR "\t" $0 }'
}
