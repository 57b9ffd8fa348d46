#!/usr/bin/env bash
# shellcheck disable=SC2016 # backticks of Markdown
# The tests of the documents see what they are there to see: each on a small tree of its own with
# one thing wrong.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

top=$PWD
# match EXPECTED TEXT: printf formats.
matches() {
    # shellcheck disable=SC2059 # they are formats
    printf "$1" >"$temp/expected" && printf "$2" >"$temp/text"
    awk -f tests/docs/match.awk "$temp/expected" "$temp/text" >"$temp/why"
}
while IFS='|' read -r expected text; do
    matches "$expected" "$text" || fail "match.awk: '$expected' is not '$text'"
done <<'END'
a\n|a\n
a  \n|a\n
a\n|a\n\n
...\n|a\nb\n
a\n...\nc\n|a\nb\nb\nc\n
a\n...\nb\n|a\nb\n
...\nb\n...\nb\n|b\nx\nb\nb\n
x ... ms\n|x 0.1 ms\n
x ... ms (... s), 2\n|x 0.1 ms (3 s), 2\n
END
while IFS='|' read -r expected text; do
    ! matches "$expected" "$text" || fail "match.awk: '$expected' is taken for '$text'"
done <<'END'
a\n|b\n
a\n|a\na\n
a\nb\n|a\n
a\n...\nc\n|a\nb\n
...\nb\n|b\nx\n
x ... ms\n|x 0.1 s\n
x...x\n|x\n
|a\n
END

# in_tree SCRIPT PAGE: a tree with nothing but the tests and docs/PAGE.md of stdin.
tree=$temp/tree
in_tree() {
    local script=$1 page=$2

    shift 2
    rm -rf "$tree"
    mkdir -p "$tree/tests" "$tree/docs/learning_materials" "$tree/include" "$tree/src" "$tree/launch"
    cp -r "$top/tests/docs" "$top/tests/launch" "$tree/tests"
    cp -r "$top/include/shoal" "$tree/include"
    touch "$tree/README.md" "$tree/CMakeLists.txt" "$tree/CMakePresets.json"
    mkdir "$tree/docs/examples"
    cat >"$tree/docs/$page.md"
    "$tree/tests/docs/$script.sh" "$@" >"$temp/said" 2>&1 || true
}
# says TEXT, says_not TEXT: what the last script said.
says() {
    grep -qF -e "$1" "$temp/said" || {
        fail "a document with a fault gets no: $1"
        sed 's/^/    /' "$temp/said"
    }
}
says_not() {
    ! grep -qF -e "$1" "$temp/said" || fail "a document without a fault gets: $1"
}

in_tree commands page "$tree" docs/page.md <<'END'
```sh
false
```

```sh
echo one; echo two
```

```text
one
three
```

```sh
echo kept >file
```

```sh
cat file; exit 0
```
```text
kept
```

```console
touch /no/such/place
```
END
says 'docs/page.md:1: the command ended with 1'
says 'docs/page.md:5: the output is not what the page shows'
says 'got:      two'
says '2 checks failed'

in_tree links page <<'END'
# A heading: `code`, and (more)

[a](page.md#a-heading-code-and-more) [b](no-such.md) [c](#nothing) [d](https://example.com/x)
![e](../docs) ![f](pictures/none.svg)
END
says 'docs/page.md:3: there is no no-such.md'
says 'docs/page.md:3: #nothing: the page has no such heading'
says 'docs/page.md:4: there is no pictures/none.svg'
says_not 'a-heading'
says_not 'example.com'

in_tree names page <<'END'
`include/shoal/{shoal,status}.h` `src/none.c` `shoal/status.h` `shoal_none()` `shoal_submit()`
`--wobble` `struct shoal_options` `n_nothing_of_this`

```
`src/not-looked-at.c`
```

```console
(gdb) break shoal_gone if x
(gdb) print x
#1  shoal_submit (x=) at y.c:3
```
END
says 'told of shoal_gone'
says 'there is no src/none.c'
says 'the name shoal_none()'
says 'has the option --wobble'
says 'the name n_nothing_of_this'
says_not 'shoal_submit'
says_not 'shoal_options'
says_not 'status.h'
says_not 'not-looked-at'

printf '# A\n\n## B\n\n```sh\necho a\n```\n' >"$temp/page"
in_tree twins development <"$temp/page"
says 'docs/development.md has no docs/development_zh.md'
cp "$temp/page" "$tree/docs/development_zh.md"
"$tree/tests/docs/twins.sh" >"$temp/said" 2>&1 || true
says '1 twins'
says_not 'development'
printf '# A\n\n### B\n\n```sh\necho b\n```\n' >"$tree/docs/development_zh.md"
"$tree/tests/docs/twins.sh" >"$temp/said" 2>&1 || true
says 'differ in their headings'
says 'differ in commands'

in_tree api api_reference <<'END'
`shoal/status.h`: `shoal_status_name`, `shoal_nothing`.

```c
SHOAL_API const char *shoal_status_name(enum shoal_status status);
```

```c
SHOAL_API int shoal_other(void);
```
END
says 'no header has: SHOAL_API int shoal_other(void);'
says 'does not show struct shoal_error of status.h'
says 'does not show function shoal_submit of shoal.h'
says 'does not show type shoal_event_func_t of shoal.h'
says 'names shoal_nothing, which is in no header'
says_not 'does not show function shoal_status_name'
finish
