#!/usr/bin/env bash
# Every link of the documents to a file of the tree, and to a heading, leads somewhere.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# anchors PAGE: the names that its headings can be reached by.
anchors() {
    # shellcheck disable=SC1112 # Chinese quotes
    prose <"$1" | LC_ALL=C.UTF-8 awk -F '\t' '
        $2 ~ /^#+ / {
            name = $2
            sub(/^#+ +/, "", name)
            gsub(/`|\*/, "", name)
            name = tolower(name)
            gsub(/[].,:;?!()\/'"'"'"+&%=<>|{}@$^~[]/, "", name)
            gsub(/，|。|：|；|？|！|（|）|、|“|”|‘|’|《|》|【|】|…|·|—/, "", name)
            gsub(/ /, "-", name)
            print seen[name]++ ? name "-" seen[name] - 1 : name
        }'
}

# links PAGE: "LINE TAB TARGET" of each link and picture.
links() {
    prose <"$1" | awk -F '\t' '{
        rest = $2
        while (match(rest, /\]\([^)]*\)/)) {
            print $1 "\t" substr(rest, RSTART + 2, RLENGTH - 3)
            rest = substr(rest, RSTART + RLENGTH)
        }
    }'
}

n=0
while IFS= read -r page; do
    while IFS=$'\t' read -r line target; do
        case $target in
        http://* | https://* | mailto:*) continue ;;
        esac
        n=$((n + 1))
        file=${target%%#*}
        path=$page
        if [ -n "$file" ]; then
            path=$(dirname "$page")/$file
        fi
        if [ ! -e "$path" ]; then
            fail "$page:$line: there is no $target"
        elif [ "$file" != "$target" ] && ! anchors "$path" | grep -qxF -e "${target#*#}"; then
            fail "$page:$line: $target: the page has no such heading"
        fi
    done < <(links "$page")
done < <(pages)
[ "$n" -ge 20 ] || fail "there are only $n links"
printf '%d links\n' "$n"
finish
