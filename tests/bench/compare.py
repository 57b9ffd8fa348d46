#!/usr/bin/env python3
"""Measure shoal and whichever peers are installed on the same work, in turn, and print one table.

    compare.py                                           what is installed for python3, three rounds
    compare.py --openvino ov/bin/python --llama lv/bin/python --vllm vt/bin/python --vllm-model hf-bf16
    compare.py --peers none --only prefill,b1 --rounds 1

One engine runs at a time. A cell is the median of the rounds and their range in tokens a second, the ratio is shoal's
median over that of the best peer. Measure on a machine with nothing else to do. Needs nothing but Python; how the
peers are timed is said in peers/measure.py.
"""

import argparse
import os
import shutil
import sys
import tempfile

import engines
import make_workload
import record as records

PREFILL, MIXED, LONG, SCALING = "prefill", "mixed", "long", "scaling"
BATCHES = {"b1": 1, "b8": 8, "b32": 32, "b64": 64}
AT_LEAST = {PREFILL: 1.2, "b1": 2.75, "b8": 2.5, "b32": 2.0, "b64": 2.0, MIXED: 2.0, LONG: 1.5, SCALING: 1.85}
CASES = [PREFILL, *BATCHES, MIXED, SCALING]

LONG_BATCH = 8
SCALING_BATCH = 32
LONG_KV = ["--kv-cache-dtype", "f16", "--kv-cache-memory", "2GiB"]
F16 = "openvino, f16 K and V"
# Peers that keep K and V in 8 bits by default are also set against shoal doing so.
EIGHT_BITS = "shoal, 8-bit K and V"


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    engines.add_options(p)
    p.add_argument("--model", default=engines.DEFAULT_MODEL, metavar="GGUF",
                   help="for shoal also `embedded` (default the one of launch/fetch-model)")
    p.add_argument("--vllm-model", default=os.environ.get("SHOAL_PEER_VLLM_MODEL"), metavar="FOLDER",
                   help="the model in Hugging Face format (default $SHOAL_PEER_VLLM_MODEL)")
    p.add_argument("--only", metavar="CASES", help=f"of {','.join(CASES)} and {LONG} (default all but {LONG})")
    p.add_argument("--long", action="store_true", help="decode with a long context too")
    p.add_argument("--workload", metavar="FILE", help="of the mixed case (default one of make_workload.py)")
    p.add_argument("--at-once", type=int, default=32, metavar="N", help="requests at once in it (default 32)")
    p.add_argument("--prefill-len", type=int, default=512, metavar="TOKENS")
    p.add_argument("--prompt-len", type=int, default=128, metavar="TOKENS", help="of decode (default 128)")
    p.add_argument("--output-len", type=int, default=64, metavar="TOKENS", help="of decode (default 64)")
    p.add_argument("--long-len", type=int, default=4096, metavar="TOKENS", help="of the long context (default 4096)")
    args = p.parse_args()
    engines.check_options(p, args)
    args.only = args.only.split(",") if args.only else CASES + [LONG] * args.long
    for case in args.only:
        if case not in AT_LEAST:
            p.error(f"there is no case {case}: {', '.join(AT_LEAST)}")
    if min(args.prefill_len, args.prompt_len, args.long_len, args.at_once) < 1 or args.output_len < 2:
        p.error("lengths must be at least 1, and --output-len 2")
    return args


def titles(args):
    out = {PREFILL: f"prefill, one prompt of {args.prefill_len}"}
    for case, batch in BATCHES.items():
        out[case] = f"decode, batch {batch} (prompt {args.prompt_len}, output {args.output_len})"
    n, n_prompt, n_output = args.totals
    out[MIXED] = f"mixed, {n} requests, {args.at_once} at once ({n_prompt} + {n_output} tokens), all tokens"
    out[LONG] = f"decode, batch {LONG_BATCH} with {args.long_len} tokens of context each"
    return out


class Comparison:
    def __init__(self, args):
        self.args = args
        self.record = records.Record()
        self.runner = engines.Runner()
        self.shoal = engines.Shoal(self.runner, args.shoal, args.model)
        self.place = engines.Place(1, args.threads)
        self.notes = []

    def wants(self, case):
        return case in self.args.only

    def batches(self):
        return [n for case, n in BATCHES.items() if self.wants(case)]

    def find_peers(self):
        models = {"openvino": self.args.model, "llama": self.args.model, "vllm": self.args.vllm_model}
        self.peers, self.notes = engines.find_peers(self.runner, self.args, models)
        if self.wants(SCALING):
            why = self.cannot_scale()
            if why:
                self.notes.append(f"scaling is left out: {why}")
                self.args.only = [case for case in self.args.only if case != SCALING]

    def cannot_scale(self):
        if self.args.threads < 2:
            return "it takes two threads"
        missing = [x for x in ("mpirun", "taskset") if not shutil.which(x)]
        return f"{' and '.join(missing)} cannot be found" if missing else None

    def keep(self, engine, got):
        """Keep what a driver measured: {its name of the case: tokens a second}."""
        names = {f"decode {n}": case for case, n in BATCHES.items()}
        for case, value in got.items():
            self.record.add(names.get(case, case), engine, value)

    def measure_way(self):
        self.record.add_way(self.shoal.core_to_core(self.args.threads))

    def run_shoal(self):
        a = self.args
        self.measure_way()
        if self.wants(PREFILL):
            self.record.add(PREFILL, "shoal", self.shoal.prefill(self.place, a.prefill_len))
            self.measure_way()
        for engine, kv in (("shoal", []), (EIGHT_BITS, ["--kv-cache-dtype", "q8_0"])):
            if self.batches():
                rows = self.shoal.grid(self.place, a.prompt_len, a.output_len, self.batches(), *kv)
                self.keep(engine, {f"decode {n}": row["speed_tg"] for n, row in rows.items()})
                self.measure_way()
            if self.wants(MIXED):
                self.record.add(MIXED, engine, self.shoal.mixed(self.place, a.workload, a.at_once, *kv))
                self.measure_way()
        if self.wants(LONG):
            rows = self.shoal.grid(self.place, a.long_len, a.output_len, [LONG_BATCH], *LONG_KV)
            self.record.add(LONG, "shoal", rows[LONG_BATCH]["speed_tg"])

    def run_peer(self, peer):
        a = self.args
        options = ["--prefill", a.prefill_len] if self.wants(PREFILL) else []
        for n in self.batches():
            options += ["--decode", f"{n},{a.prompt_len},{a.output_len}"]
        if options:
            self.keep(peer.key, peer.measure(options))
        if peer.key == "llama":
            return
        if self.wants(MIXED):
            self.keep(peer.key, peer.measure(["--mixed", a.workload, "--max-num-seqs", a.at_once]))
        if self.wants(LONG):
            self.run_long(peer)

    def run_long(self, peer):
        options = ["--decode", f"{LONG_BATCH},{self.args.long_len},{self.args.output_len}"]
        for engine, more in [(peer.key, [])] + ([(F16, ["--kv-type", "f16"])] if peer.key == "openvino" else []):
            self.record.add(LONG, engine, peer.measure(options + more)[f"decode {LONG_BATCH}"])

    def scaling_places(self):
        return [engines.Place(1, 1), engines.Place(self.args.threads, 1), self.place]

    def run_scaling(self):
        """One rank with one thread, ranks, threads: each case on all of them, one after the other, so
        that what came before is the same kind of work for each."""
        a = self.args
        cases = {
            "scaling prefill": lambda place: self.shoal.prefill(place, a.prefill_len),
            "scaling decode": lambda place: self.shoal.grid(place, a.prompt_len, a.output_len,
                                                            [SCALING_BATCH])[SCALING_BATCH]["speed_tg"],
            "scaling mixed": lambda place: self.shoal.mixed(place, a.workload, a.at_once),
        }
        for name, measure in cases.items():
            for place in self.scaling_places():
                if name != "scaling prefill" or place.n_ranks == 1:
                    self.record.add(name, place.name, measure(place))
            self.measure_way()

    def run_round(self, i):
        load = self.record.begin_round()
        engines.say(f"round {i + 1} of {self.args.rounds}, load {load}")
        self.run_shoal()
        for peer in self.peers:
            self.go_on(peer.title, lambda: self.run_peer(peer))
        if self.wants(SCALING):
            self.go_on("scaling", self.run_scaling)
        self.record.end_round()

    def go_on(self, name, measure):
        """What fails here leaves holes in the table, and a line below it."""
        try:
            measure()
        except engines.Failed as e:
            engines.say(f"    {e}")
            self.record.failed(name, e)


def peers_table(c):
    keys = {p.key: " ".join([p.title, p.version]).strip() for p in c.peers}
    if c.record.values(LONG, F16):
        keys[F16] = "OpenVINO GenAI, f16 K and V"
    rows = []
    for case, title in titles(c.args).items():
        for engine, more in (("shoal", ""), (EIGHT_BITS, ", shoal's K and V in 8 bits")):
            if c.wants(case) and (engine == "shoal" or c.record.values(case, engine)):
                cells = [c.record.cell(case, key) for key in [engine, *keys]]
                ratio = c.record.ratio(case, engine, keys)
                rows.append([title + more, *cells, records.number(ratio), records.number(AT_LEAST[case])])
    return records.markdown(["work", "shoal", *keys.values(), "ratio to the best", "at least"], rows) if rows else ""


def scaling_table(c):
    one, ranks, threads = (place.name for place in c.scaling_places())
    work = {"scaling prefill": titles(c.args)[PREFILL], "scaling decode": f"decode, batch {SCALING_BATCH}",
            "scaling mixed": "mixed, all tokens"}
    rows = []
    for case, title in work.items():
        cells = [c.record.cell(case, engine) for engine in (one, ranks, threads)]
        ratios = [records.number(c.record.ratio(case, engine, [one])) for engine in (ranks, threads)]
        rows.append([title, *cells, *ratios, records.number(AT_LEAST[SCALING])])
    return records.markdown(["shoal alone", one, ranks, threads, "ranks", "threads", "at least"], rows)


def print_all(c):
    print(records.circumstances(c.record, c.args.model, c.args.threads) + "\n")
    print("Tokens a second: median of the rounds (lowest - highest).\n")
    for table in [peers_table(c)] + ([scaling_table(c)] if c.wants(SCALING) else []):
        if table:
            print(table + "\n")
    for note in c.notes + c.record.failures:
        print(f"- {note}\n")
    print("Commands:\n")
    for command in c.runner.commands:
        print(f"    {command}")


def take_workload(args, folder):
    """Make the workload if none is given; remember what it holds."""
    if args.workload:
        with open(args.workload) as f:
            lines = [engines.json.loads(line) for line in f if line.strip()]
    else:
        lines = make_workload.requests(64)
        args.workload = os.path.join(folder, "mixed.jsonl")
        with open(args.workload, "w") as f:
            make_workload.write(f, lines)
    args.totals = make_workload.totals(lines)


def main():
    args = parse()
    c = Comparison(args)
    missing = c.shoal.missing()
    if missing:
        sys.exit(missing)
    with tempfile.TemporaryDirectory(prefix="shoal-compare-") as folder:
        try:
            take_workload(args, folder)
        except (OSError, ValueError, KeyError, TypeError) as e:
            sys.exit(f"{args.workload}: not lines of requests with token ids: {e}")
        c.find_peers()
        try:
            for i in range(args.rounds):
                c.run_round(i)
        except KeyboardInterrupt:
            engines.say("interrupted: the table has what was measured until now")
        except engines.Failed as e:
            sys.exit(f"shoal cannot be measured: {e}")
    print_all(c)
    if args.json:
        c.record.save(args.json, {"options": vars(args), "notes": c.notes, "commands": c.runner.commands,
                                  "peers": {p.key: p.version for p in c.peers}})


if __name__ == "__main__":
    main()
