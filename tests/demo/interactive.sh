#!/bin/sh
# The interactive demo from a pipe: a session as expected, errors, files, ends.
. "$HERE/../cli/lib.sh"

# talk OPTIONS...: the commands of standard input.
talk()
{
    code=0
    "$SHOAL" demo interactive "$@" >out 2>err || code=$?
}

# tell COMMANDS OPTIONS...: the same, with commands for printf. (A pipe would keep the exit code.)
tell()
{
    # shellcheck disable=SC2059 # a format
    printf "$1" >told
    shift
    talk "$@" <told
}

talk <"$HERE/session.commands"
expect_code 0
[ ! -s err ] || fail "something on standard error"
cmp -s out "$HERE/expected/session.txt" || {
    diff "$HERE/expected/session.txt" out
    fail "the session is not as it should be"
}
mv out first
talk --non-interactive <"$HERE/session.commands"
cmp -s out first || fail "--non-interactive changes what a pipe gets"

# A budget, a chunk and a request hold from the next step on.
tell 'set budget 5\nstep\nset budget 40\nset chunk 3\nstep\nadd\nstep\n' --requests 2 --prompt-len 20
expect_code 0
grep -q '^  step 0 .* 5 of 5: 0 decode, 5 prefill' out || fail "the budget of step 0"
grep -q '^  step 1 .* 6 of 40: 0 decode, 6 prefill' out || fail "budget and chunk of step 1"
grep -q '^  step 2 .* 9 of 40: 0 decode, 9 prefill' out || fail "the request that was added"
# The cache holds from new on.
tell 'set block-size 32\nset layout dense\nverbose on\nstep\nsettings\nnew\nstep\nsettings\n' --requests 1 --prompt-len 20 --num-kv-blocks 8
expect_code 0
[ "$(grep -c 'from new on$' out)" -eq 2 ] || fail "what holds from new on is not said"
[ "$(grep -c 'block-size .*32  (now 8; from new on)' out)" -eq 1 ] || fail "settings before new"
grep -q 'blocks: 5 free, 0 cached, 3 held' out || fail "blocks before new"
grep -q 'blocks: 7 free, 0 cached, 1 held' out || fail "blocks after new"

# Every error names itself; the rest goes on; the exit code says so.
cat >commands <<'END'
# a comment, and an empty line

stp
step 0
step x
step 1 2
set
set budget
set budget none
set nothing 3
set block-size 7
set prompt-len 9-4
add 0
add 300
add 1 600
verbose maybe
save
save /no/such/folder/x
load no-such-file
load broken.json
load list.json
load unknown.json
load wrong.json
run fast and far away
step
quit
step
END
echo '{"requests": ' >broken.json
echo '[1]' >list.json
echo '{"requests": 2, "colour": 1}' >unknown.json
echo '{"requests": 2, "block_size": 9}' >wrong.json
talk <commands
expect_code 1
while IFS= read -r sentence; do
    expect_error "$sentence"
done <<'END'
there is no command stp, the nearest is step
step: 0 is not a whole number
step: x is not a whole number
step: write it as step [N]
--max-num-batched-tokens: none is not a whole number
there is no setting nothing
--block-size: 7 is not one of
--prompt-len: 9-4 is not a range
how many: 0 is not a whole number
3 requests and 300 more: at most 256
a prompt of 600 tokens and 8 new ones are more than the 256
verbose: maybe is not on or off
save: write it as save FILE
cannot write /no/such/folder/x
cannot read no-such-file
broken.json, line 
list.json: it is not a JSON object
unknown.json: there is no setting "colour"
wrong.json: --block-size: 9 is not one of
run: write it as run
22 commands failed
END
[ "$(grep -cF 'set: write it as set NAME VALUE' err)" -eq 2 ] || fail "set with too few words"
[ "$(grep -c '^error: ' err)" -eq 22 ] || fail "$(grep -c '^error: ' err) errors, not 22"
[ "$(grep -c '^  step ' out)" -eq 1 ] || fail "the step after the errors, and none after quit"
[ "$(grep -c '^  [A-C]  .*waiting' out)" -eq 3 ] || fail "an error changed the settings"

# Files.
tell 'set budget 24\nset layout dense\nset seed 9\nmetrics on\nsave x.json\n'
expect_code 0
for option in --session=x.json --config=x.json "--session x.json" "--config x.json"; do
    # shellcheck disable=SC2086 # two words
    tell 'settings\n' $option
    expect_code 0
    grep -q 'max-num-batched-tokens  *24$' out || fail "$option: the budget"
    grep -q 'kv-layout  *dense$' out || fail "$option: the layout"
    grep -q 'seed  *9$' out || fail "$option: the seed"
    grep -q 'metrics  *on$' out || fail "$option: metrics"
done
tell 'settings\n' --config x.json --max-num-batched-tokens 12
grep -q 'max-num-batched-tokens  *12$' out || fail "the command line does not win over the file"
grep -q 'kv-layout  *dense$' out || fail "and the rest of the file is gone"
tell 'load x.json\nsave y.json\n'
cmp -s x.json y.json || fail "what was loaded is not saved again"
echo 'block-size = 16' >plain
tell 'settings\n' --config plain
grep -q 'block-size  *16$' out || fail "lines of --config"
for file in broken.json unknown.json wrong.json; do
    tell 'step\n' --session $file
    expect_code 2
    expect_error "$file"
    [ ! -s out ] || fail "it goes on after $file"
done

# On a terminal: line editing, colours unless NO_COLOR is set, and the end by Ctrl-D.
if command -v script >/dev/null; then
    escape=$(printf '\033')
    for no_color in "" 1; do
        rm -f keys out ended
        mkfifo keys
        exec 4<>keys
        {
            ended=0
            TERM=xterm NO_COLOR=$no_color \
                script -qec "$SHOAL demo interactive" /dev/null <keys >out 2>err || ended=$?
            echo $ended >ended
        } &
        wait_for "the prompt" grep -q 'shoal> ' out
        printf 'steo\bp\n' >&4
        wait_for "a step" grep -q 'step 0 ' out
        # What is typed while the terminal changes its mode between two lines may be lost.
        ctrl_d() { printf '\004' >&4 && sleep 0.1 && test -s ended; }
        wait_for "the end" ctrl_d
        wait $!
        exec 4>&-
        code=$(cat ended)
        expect_code 0
        grep -q 'step 0 ' out || fail "no step on a terminal"
        n=$(grep -c "${escape}\[3[34]m" out)
        if [ -z "$no_color" ]; then
            [ "$n" -gt 0 ] || fail "no colours on a terminal"
        else
            [ "$n" -eq 0 ] || fail "colours in spite of NO_COLOR"
        fi
    done
fi

# Ends: nothing, no line end, a signal at the prompt and in a run.
talk </dev/null
expect_code 0
tell 'step'
expect_code 0
grep -q '^  step 0 ' out || fail "a last line without an end is lost"
mkfifo pipe
for commands in 'step\n' 'run\n'; do
    "$SHOAL" demo interactive --max-tokens 480 --requests 200 --num-kv-blocks 64 --max-num-seqs 1 <pipe >out 2>err &
    pid=$!
    exec 3>pipe
    # shellcheck disable=SC2059 # a format
    printf "$commands" >&3
    wait_for "a step" grep -q '^  step 0 ' out
    kill -INT $pid
    code=0
    wait $pid || code=$?
    exec 3>&-
    expect_code 130
    [ ! -s err ] || fail "an interrupt complains"
done
echo ok
