#!/bin/sh
# The study from end to end with the tiny model: its files, how it goes on, what it refuses, and what
# it does without gnuplot, without mpirun, with failing runs and when it is stopped.
. "$(dirname "$0")/../cli/lib.sh"

# The whole of a JSON file as one line, for json_get.
one_line()
{
    tr -d '\n' <"$1" >line.json && echo >>line.json
}

study()
{
    shoal study scaling -m tiny --quick --only weak --repeat 1 "$@"
}

refused()
{
    sentence=$1
    shift
    shoal study "$@"
    expect_code 2
    expect_error "$sentence"
}

refused "there is no study scalin; the nearest is scaling" scalin
refused "nowhere to write to: give --out DIR" scaling
refused "--threads: 2,1 is not a list" scaling --out x --threads 2,1
refused "--only: there is no experiment stron; the nearest is strong" scaling --out x --only stron
refused "--max-ranks: 65 is not" scaling --out x --max-ranks 65
refused "11 tokens of prompt and output are more than a request may have: 10" point -m tiny \
    --max-model-len 10 --input-len 8 --output-len 3
OMPI_COMM_WORLD_SIZE=2 "$SHOAL" study scaling --out x >out 2>err
[ $? -eq 2 ] || fail "it runs under mpirun"

# What it would do; nothing is written.
study --out dry --dry-run
expect_code 0
grep -q '^weak  *8 requests a worker  *1  *1  *1 ' out || fail "the dry run does not list the points"
grep -q ' points, 1 runs each: about ' out || fail "the dry run tells no time"
[ ! -e dry ] || fail "the dry run writes"

# Two ranks of a thread each on however many cores there are: marked when they share one.
taskset -c "$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)" true ||
    { echo "skipped: no taskset" && exit 77; }
on_one_core()
{
    code=0
    taskset -c "$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)" \
        "$SHOAL" study scaling -m tiny --quick --only weak --repeat 1 --max-ranks 2 "$@" \
        >out 2>err </dev/null || code=$?
}

on_one_core --out one
expect_code 0
[ "$(grep -vc '^#\|^key,' one/raw.csv)" -eq 1 ] || fail "more workers than cores are not left out"
on_one_core --oversubscribe --out two
expect_code 0
grep -q 'report.html$' out || fail "it does not say where the report is"
[ "$(grep -c '^weak/8 requests a worker/x=2/2x1/.*,yes,16,' two/raw.csv)" -eq 1 ] ||
    fail "two ranks on a core are not marked"
grep -q '| 8 requests a worker | 2 x 1, oversubscribed | 16 | .* | - | - |' two/report.md ||
    fail "what is oversubscribed has an efficiency"
one_line two/results.json
for value in points.1.ranks=2 points.1.oversubscribed=true points.1.efficiency=null \
    points.1.karp_flatt=null points.0.metrics.total_token_throughput.n=1; do
    expect_value line.json - "${value%=*}" "${value#*=}"
done
# What rank 0 sends, rank 1 receives, and the other way round.
for pair in 0.bytes_sent:1.bytes_received 1.bytes_sent:0.bytes_received; do
    sent=$("$JSON_GET" line.json - "points.1.per_rank.${pair%:*}.median")
    received=$("$JSON_GET" line.json - "points.1.per_rank.${pair#*:}.median")
    [ "$sent" = "$received" ] || fail "$pair: $sent and $received bytes"
    [ "${sent%%.*}" -gt 100 ] || fail "$pair: $sent bytes"
done

# It goes on: nothing is measured twice, more repetitions are added, other settings are refused.
cp two/raw.csv before
on_one_core --oversubscribe --out two
expect_code 0
cmp -s before two/raw.csv || fail "what was there is measured again"
sed '$d' before >two/raw.csv
printf 'weak/8 requ' >>two/raw.csv
on_one_core --oversubscribe --out two
expect_code 0
expect_error "raw.csv ends in the middle of a line"
[ "$(wc -l <two/raw.csv)" -eq "$(wc -l <before)" ] || fail "what was missing is not measured"
on_one_core --oversubscribe --out two --seed 5
expect_code 1
expect_error "two/raw.csv was measured with seed=0, and this is seed=5"

# Without gnuplot: data, scripts and a sentence; without mpirun: one rank.
mkdir bin
for tool in gnuplot mpirun; do
    command -v $tool >/dev/null && echo "$tool is here"
done
PATH_BEFORE=$PATH
PATH=$work/bin
study_path()
{
    code=0
    "$SHOAL" study scaling -m tiny --quick --only weak --repeat 1 --threads 1 --max-ranks 2 \
        --oversubscribe --out "$1" >out 2>err || code=$?
}
study_path bare
PATH=$PATH_BEFORE
expect_code 0
expect_error "there is no gnuplot"
expect_error "there is no mpirun"
[ -s bare/plots/weak.gp ] && [ -s bare/plots/weak.dat ] || fail "no script and data"
[ ! -e bare/plots/weak.svg ] || fail "a plot without gnuplot"
grep -q 'There was no `gnuplot`' bare/report.md || fail "the report does not tell of gnuplot"
[ "$(grep -vc '^#\|^key,' bare/raw.csv)" -eq 1 ] || fail "ranks without mpirun"
if command -v gnuplot >/dev/null; then
    grep -q '<svg' two/plots/weak.svg || fail "no plot"
    [ "$(grep -c 'data:image/svg+xml;base64,' two/report.html)" -ge 1 ] || fail "no plot in the page"
    grep -q '](plots/weak.svg)' two/report.md || fail "no plot in the report"
    (cd bare/plots && gnuplot weak.gp) >out 2>err || fail "the script that is kept does not run"
    [ ! -s err ] || fail "gnuplot complains"
    # A gnuplot that fails costs the picture only.
    printf '#!/bin/sh\necho "no terminal svg" >&2\nexit 1\n' >bin/gnuplot
    chmod +x bin/gnuplot
    PATH=$work/bin:$PATH
    study --threads 1 --max-ranks 1 --out broken
    PATH=$PATH_BEFORE
    expect_code 0
    expect_error "gnuplot cannot draw broken/plots/weak.gp: no terminal svg"
fi

# Ranks that cannot start: each is said, counted, and left to the next time.
printf '#!/bin/sh\necho "no slots" >&2\nexit 7\n' >bin/mpirun
rm -f bin/gnuplot
chmod +x bin/mpirun
PATH=$work/bin:$PATH
study --threads 1 --max-ranks 2 --oversubscribe --out failing
PATH=$PATH_BEFORE
expect_code 1
expect_error "a run of weak, 8 requests a worker, 2 with 2 x 1 failed: exit code 7: no slots"
grep -q 'Runs that failed: 1, the last one with: exit code 7: no slots' failing/report.md ||
    fail "the report does not tell of the failure"
study --threads 1 --max-ranks 2 --oversubscribe --out failing
expect_code 0
[ "$(grep -vc '^#\|^key,' failing/raw.csv)" -eq 2 ] || fail "what failed is not measured again"

# Folders that cannot be written, models that are not there.
: >file
study --out file
expect_code 1
expect_error "cannot write file/raw.csv: Not a directory"
study --out no/such/folder
expect_code 1
expect_error "cannot make the folder no/such/folder"
shoal study scaling --out x -m no-such-model
expect_code 1
expect_error "no-such-model"
[ ! -e x ] || fail "something is written for a model that is not there"

# Stopped in the middle: whole lines, exit code 130, no process left; then it goes on.
"$SHOAL" study scaling -m tiny --quick --only scheduler --repeat 3 --seed $$ --out stopped >out 2>err &
pid=$!
wait_for "a first run" sh -c '[ "$(wc -l <stopped/raw.csv)" -ge 3 ]'
kill -INT $pid
wait $pid
code=$?
expect_code 130
expect_error "the same command goes on with them"
n=$(wc -l <stopped/raw.csv)
[ "$n" -lt 14 ] || fail "it was not stopped"
[ "$(tail -c 1 stopped/raw.csv | od -An -c | tr -d ' ')" = '\n' ] || fail "a line is not whole"
[ ! -e stopped/report.md ] || fail "a report of a study that was stopped"
if pgrep -f "study point -m tiny.*--seed $$ " >left; then
    sleep 1
    pgrep -f "study point -m tiny.*--seed $$ " >left && fail "a run is left: $(cat left)"
fi
head -n "$n" stopped/raw.csv >before
shoal study scaling -m tiny --quick --only scheduler --repeat 3 --seed $$ --out stopped
expect_code 0
head -n "$n" stopped/raw.csv | cmp -s - before || fail "what was there has changed"
[ "$(wc -l <stopped/raw.csv)" -eq 14 ] || fail "it does not go on to the end"
echo ok
