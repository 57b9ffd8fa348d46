#!/usr/bin/env bash
# The include check: this tree passes, and each way to break the rule is seen.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check=$PWD/tests/support/floors.sh
expect 0 '' "$check"
sed 's/^/    /' "$temp/stdout"

tree=$temp/tree
# seen FILE LINE [TEXT]: a tree whose FILE holds LINE is refused, with TEXT; accepted without TEXT.
seen() {
    rm -rf "$tree"
    mkdir -p "$tree/$(dirname "$1")"
    printf '#include "base/mem.h"\n%s\n' "$2" >"$tree/$1"
    if [ $# -eq 2 ]; then
        expect 0 '' "$check" "$tree"
    else
        expect 1 "$1:2: $3" "$check" "$tree"
    fi
}

seen src/kv/a.c '#include "step/plan.h"'
seen src/kv/a.c '#include "kv/a.h" /* own */'
seen src/base/a.h '#include "shoal/status.h"'
seen src/engine/a.c '#include "shoal/shoal.h"'
seen src/comm/a.c '#include <mpi.h>'
seen src/cli/main.c '#include "demo/demo.h"'
seen src/kernels/avx2/a.c '#include "kernels/ref/math.h"'
seen src/kv/a.c '#include "sched/sched.h"' '"sched/sched.h": sched (floor 4) is not below kv (floor 3)'
seen src/kv/a.c '# include  "tokenizer/vocab.h" // neighbour' '"tokenizer/vocab.h": tokenizer (floor 3)'
seen src/step/deep/a.h '#include "comm/comm.h"' '"comm/comm.h": comm (floor 1)'
seen src/cli/run.c '#include "demo/demo.h"' '"demo/demo.h": demo (floor 6)'
seen src/sched/a.c '#include "shoal/shoal.h"' '"shoal/shoal.h" is for programs outside'
seen src/engine/a.c '#include <shoal/shoal.h>' '<shoal/shoal.h> is ours'
seen src/engine/a.c '#include <mpi.h>' '<mpi.h> is for src/comm only'
seen src/engine/a.c '#include "other.h"' '"other.h": write the path from src on'
seen src/engine/a.c '#include "../kv/kv.h"' '"../kv/kv.h": write the path from src on'
seen src/engine/a.c '#include "extra/a.h"' '"extra/a.h": there is no floor with a folder extra'
seen src/engine/a.c '#include NAME' 'include a file by its name'
rm -rf "$tree"
mkdir -p "$tree/src/extra"
echo >"$tree/src/extra/a.c"
expect 1 'the folder extra stands on no floor' "$check" "$tree"
expect 1 'there are no sources' "$check" "$temp"
finish
