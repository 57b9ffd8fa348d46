"""The figures of a comparison: kept by round, put together as medians, and written as Markdown."""

import json
import statistics
import time

import machine


class Record:
    """samples: {case: {engine: [tokens a second, a value a round]}}"""

    def __init__(self):
        self.samples = {}
        self.rounds = []
        self.failures = []
        self.date = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        self.machine = machine.describe()

    def add(self, case, engine, value):
        self.samples.setdefault(case, {}).setdefault(engine, []).append(value)

    def failed(self, engine, error):
        text = f"{engine} failed: {error}"
        if text not in self.failures:
            self.failures.append(text)

    def begin_round(self):
        self.rounds.append({"load": machine.load(), "cpu": machine.cpu_times(), "start": time.monotonic()})
        return self.rounds[-1]["load"]

    def add_way(self, ns):
        """How far the cores were from each other at some time in the round; a host may move them."""
        if ns is not None:
            self.rounds[-1].setdefault("core_to_core_ns", []).append(ns)

    def end_round(self):
        r = self.rounds[-1]
        r["steal_percent"] = machine.steal_percent(r.pop("cpu"), machine.cpu_times())
        r["seconds"] = round(time.monotonic() - r.pop("start"), 1)

    def values(self, case, engine):
        return self.samples.get(case, {}).get(engine, [])

    def median(self, case, engine):
        values = self.values(case, engine)
        return statistics.median(values) if values else None

    def cell(self, case, engine):
        values = self.values(case, engine)
        if not values:
            return ""
        form = "{:.0f}" if statistics.median(values) >= 100 else "{:.1f}"
        text = [form.format(x) for x in (statistics.median(values), min(values), max(values))]
        return f"{text[0]} ({text[1]} - {text[2]})"

    def best(self, case, engines):
        medians = [m for m in (self.median(case, e) for e in engines) if m]
        return max(medians) if medians else None

    def ratio(self, case, engine, others):
        mine, best = self.median(case, engine), self.best(case, others)
        return mine / best if mine and best else None

    def save(self, path, more):
        with open(path, "w") as f:
            json.dump({"date": self.date, "machine": self.machine, "rounds": self.rounds, "samples": self.samples,
                       "failures": self.failures, **more}, f, indent=1)
            f.write("\n")


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(x):
    return "" if x is None else f"{x:.2f}"


def circumstances(record, model, n_threads):
    lines = [f"{machine.sentence(record.machine)}; {n_threads} threads; {model}; {record.date}", ""]
    for i, r in enumerate(record.rounds):
        if "seconds" in r:
            ways = ", ".join(map(str, r.get("core_to_core_ns", [])))
            lines.append(f"- round {i + 1}: load {r['load']} before it, {r['steal_percent']} % of the CPU time stolen, "
                         + (f"{ways} ns from core to core between shoal's figures, " if ways else "")
                         + f"{r['seconds']} s")
    return "\n".join(lines)
