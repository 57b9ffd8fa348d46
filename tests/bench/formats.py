#!/usr/bin/env python3
"""Measure files of one model in several weight types: shoal, and OpenVINO GenAI and llama.cpp where installed.

    formats.py --openvino ov/bin/python --llama lv/bin/python MODEL.*.gguf OTHER.*.gguf

Prefill of one prompt of 512 and decode at batch 1. A file is held against the Q4_1 file that has as many weights, if
there is one: time a byte of weights read, and prefill. quantize.py and make_model.py make such files. vLLM is left
out: it would read none of them as they are.
"""

import argparse
import os
import sys

import engines
import gguf_file
import record as records

REFERENCE = "Q4_1"
MOST_TIME_A_BYTE = 1.3  # of Q4_1's
LEAST_PREFILL = 0.6     # of Q4_1's; for quantised types
FLOAT_TYPES = ("F32", "F16", "BF16")
PROMPT_LEN = 128


class File:
    def __init__(self, path):
        _, tensors = gguf_file.read(path)
        self.path = path
        self.name = os.path.basename(path)
        self.type = gguf_file.main_type(tensors)
        self.n_bytes = gguf_file.bytes_a_token(tensors)
        self.n_weights = sum(t.n_items for t in tensors if len(t.dims) > 1)
        self.reference = None

    def case(self, what):
        return f"{self.name} {what}"


def find_references(files):
    for f in files:
        f.reference = next((g for g in files if g.type == REFERENCE and g.n_weights == f.n_weights), None)


class Formats:
    def __init__(self, args, files):
        self.args, self.files = args, files
        self.record = records.Record()
        self.runner = engines.Runner()
        self.place = engines.Place(1, args.threads)
        self.peers, self.notes = engines.find_peers(self.runner, args, {key: None for key in engines.PEERS})
        self.refused = set()  # (peer, file)

    def measure_shoal(self, f):
        shoal = engines.Shoal(self.runner, self.args.shoal, f.path)
        prefill = shoal.prefill(self.place, self.args.prefill_len)
        self.record.add_way(shoal.core_to_core(self.args.threads))
        decode = shoal.grid(self.place, PROMPT_LEN, self.args.output_len, [1])[1]["speed_tg"]
        return {"prefill": prefill, "decode 1": decode}

    def measure_peer(self, peer, f):
        peer.model = f.path
        return peer.measure(["--prefill", self.args.prefill_len, "--decode", f"1,{PROMPT_LEN},{self.args.output_len}"])

    def measure_file(self, f):
        jobs = [("shoal", self.measure_shoal)] + [
            (p.key, lambda f, peer=p: self.measure_peer(peer, f)) for p in self.peers]
        for engine, measure in jobs:
            if (engine, f.name) in self.refused:
                continue
            try:
                for what, value in measure(f).items():
                    self.record.add(f.case(what), engine, value)
            except engines.Failed as e:
                engines.say(f"    {e}")
                self.refused.add((engine, f.name))
                self.record.failed(f"{engine} with {f.name}", e)

    def run(self):
        for i in range(self.args.rounds):
            load = self.record.begin_round()
            engines.say(f"round {i + 1} of {self.args.rounds}, load {load}")
            for f in self.files:
                self.measure_file(f)
            self.record.end_round()


def time_a_byte(c, f):
    """Of shoal's decode, relative to the reference's."""
    mine, other = (c.record.median(g.case("decode 1"), "shoal") for g in (f, f.reference))
    return other * f.reference.n_bytes / (mine * f.n_bytes) if mine and other else None


def shoal_table(c):
    rows = []
    for f in c.files:
        prefill = c.record.median(f.case("prefill"), "shoal")
        relative = slower = None
        if f.reference:
            slower = time_a_byte(c, f)
            other = c.record.median(f.reference.case("prefill"), "shoal")
            relative = prefill / other if prefill and other else None
        rows.append([f.name, f.type, f"{f.n_bytes / 2**20:.1f}", c.record.cell(f.case("prefill"), "shoal"),
                     c.record.cell(f.case("decode 1"), "shoal"), verdict(slower, slower and slower > MOST_TIME_A_BYTE),
                     verdict(relative, relative and relative < LEAST_PREFILL and f.type not in FLOAT_TYPES)])
    return records.markdown(
        ["file", "type", "MiB read a token", "prefill", "decode, batch 1",
         f"time a byte / {REFERENCE}'s (at most {MOST_TIME_A_BYTE})",
         f"prefill / {REFERENCE}'s (quantised: at least {LEAST_PREFILL})"], rows)


def verdict(x, is_bad):
    return records.number(x) + (" (missed)" if is_bad else "")


def peers_table(c):
    head, rows = ["file"], []
    for p in c.peers:
        for what in ("prefill", "decode"):
            head += [f"{p.title} {p.version}, {what}", "shoal / it"]
    for f in c.files:
        row = [f.name]
        for p in c.peers:
            for what in ("prefill", "decode 1"):
                ratio = c.record.ratio(f.case(what), "shoal", [p.key])
                row += [c.record.cell(f.case(what), p.key), records.number(ratio)]
        rows.append(row)
    return records.markdown(head, rows)


def print_all(c):
    print(records.circumstances(c.record, f"{len(c.files)} files", c.args.threads) + "\n")
    print(f"Tokens a second: median of the rounds (lowest - highest); one prompt of {c.args.prefill_len}, and decode "
          f"at batch 1 (prompt {PROMPT_LEN}, output {c.args.output_len}).\n")
    print(shoal_table(c) + "\n")
    if c.peers:
        print(peers_table(c) + "\n")
    for note in c.notes + c.record.failures:
        print(f"- {note}\n")
    print("Commands:\n")
    for command in c.runner.commands:
        print(f"    {command}")


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    engines.add_options(p)
    p.add_argument("files", nargs="+", metavar="GGUF")
    p.add_argument("--prefill-len", type=int, default=512, metavar="TOKENS")
    p.add_argument("--output-len", type=int, default=64, metavar="TOKENS", help="of decode (default 64)")
    args = p.parse_args()
    engines.check_options(p, args)
    if args.prefill_len < 1 or args.output_len < 2:
        p.error("--prefill-len must be at least 1, and --output-len 2")
    args.peers = [key for key in args.peers if key != "vllm"]
    return args


def main():
    args = parse()
    try:
        files = [File(path) for path in args.files]
    except (OSError, ValueError) as e:
        sys.exit(str(e))
    find_references(files)
    missing = engines.Shoal(None, args.shoal, args.files[0]).missing()
    if missing:
        sys.exit(missing)
    c = Formats(args, files)
    try:
        c.run()
    except KeyboardInterrupt:
        engines.say("interrupted: the tables have what was measured until now")
    print_all(c)
    if args.json:
        facts = {f.name: {"type": f.type, "bytes_a_token": f.n_bytes, "weights": f.n_weights} for f in files}
        c.record.save(args.json, {"options": vars(args), "files": facts, "notes": c.notes,
                                  "commands": c.runner.commands, "peers": {p.key: p.version for p in c.peers}})


if __name__ == "__main__":
    main()
