#!/usr/bin/env bash
# readme.sh TOP - runs the commands of the README's ```sh blocks as they stand there, from the top of
# the tree, and fails with the first that fails. ./tests/run is left out: it is what runs this.
set -euo pipefail
cd "$1"

blocks=$(awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md)
made=()
clean() {
    rm -rf "${made[@]}"
}
trap clean EXIT
for name in results.jsonl steps.log steps.svg metrics.prom pictures study; do
    if [ -e "$name" ]; then
        echo "skipped: $name exists at the top of the tree, and the README's commands would write it"
        exit 77
    fi
    made+=("$name")
done
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
n=0
while IFS= read -r command; do
    [ "$command" = ./tests/run ] && continue
    echo "+ $command"
    if ! bash -euo pipefail -c "$command" </dev/null; then
        echo "failed: $command"
        exit 1
    fi
    n=$((n + 1))
done <<<"$blocks"
[ "$n" -ge 8 ] || {
    echo "failed: only $n commands were found in the README"
    exit 1
}
[ -s results.jsonl ] && [ -s steps.svg ] || {
    echo "failed: the README's commands wrote no results or no picture"
    exit 1
}
echo "$n commands of the README ran"
