#!/usr/bin/env bash
# A page and its Chinese twin (PAGE_zh.md) have the same headings by number and depth, the same
# commands, and show the same output.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# depths: "# ", "## " ... of each heading of a page (stdin).
depths() {
    prose | sed -nE 's/^[0-9]+\t(#+) .*/\1/p'
}

n=0
for page in docs/{get_started,architecture,continuous_batching,principle_recipes,learning_plan}.md \
    docs/{interview_questions,api_reference,development}.md docs/learning_materials/phase[0-8]_*.md; do
    [[ $page != *_zh.md ]] || continue
    twin=${page%.md}_zh.md
    if [ ! -e "$twin" ]; then
        fail "$page has no $twin"
        continue
    fi
    n=$((n + 1))
    if ! diff <(depths <"$page") <(depths <"$twin") >"$temp/diff"; then
        fail "$page and $twin differ in their headings ($(depths <"$page" | wc -l) and $(depths <"$twin" | wc -l))"
    fi
    if ! diff <(blocks 'sh console text c' <"$page") <(blocks 'sh console text c' <"$twin") >"$temp/diff"; then
        fail "$page and $twin differ in commands or output"
        sed 's/^/    /' "$temp/diff" | head -n 10
    fi
done
for twin in docs/*_zh.md docs/learning_materials/*_zh.md; do
    [ ! -e "$twin" ] || [ -e "${twin%_zh.md}.md" ] || fail "$twin is the twin of nothing"
done
printf '%d twins\n' "$n"
finish
