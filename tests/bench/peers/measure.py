"""What the drivers of the peers share: options, prompts, and one line of JSON a case on standard output.

A case is timed as `shoal bench` times it. prefill N: one prompt of N tokens until its first token. decode B,P,O: B
prompts of P tokens at once, O tokens each; from the moment when every request has its first token to the end, the
tokens generated in that time. mixed: all requests of a file at once, prompt and output tokens together.
Each driver loads the model, warms up, and measures its cases in the order of prefill, decode, mixed.
"""

import argparse
import json
import random
import sys
import time

WARM_UP = (128, 8)  # prompt and output tokens


def sizes(text):
    batch, prompt, output = (int(x) for x in text.split(","))
    return batch, prompt, output


def parser(about):
    p = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--prefill", type=int, metavar="TOKENS", help="time one prompt of so many tokens")
    p.add_argument("--decode", type=sizes, action="append", default=[], metavar="B,P,O",
                   help="time a batch of B prompts of P tokens, O tokens each; may be repeated")
    p.add_argument("--mixed", metavar="FILE", help="time a file of OpenAI batch lines with prompts of token ids")
    p.add_argument("--max-num-seqs", type=int, default=64, help="requests at once")
    p.add_argument("--kv-gib", type=int, default=2, help="size of the KV cache")
    p.add_argument("--token-ids", type=int, nargs=2, default=(100, 32000), metavar=("LOW", "HIGH"))
    return p


class Prompts:
    def __init__(self, args):
        self.rng = random.Random(1)
        self.low, self.high = args.token_ids

    def take(self, n, length):
        return [[self.rng.randrange(self.low, self.high) for _ in range(length)] for _ in range(n)]


def read_requests(path):
    """[(prompt ids, output tokens)]"""
    with open(path) as f:
        bodies = [json.loads(line)["body"] for line in f if line.strip()]
    return [(b["prompt"], b["max_tokens"]) for b in bodies]


def report(case, tokens, seconds):
    figures = {"tokens": tokens, "seconds": round(seconds, 6), "tok_s": round(tokens / seconds, 2)}
    print(json.dumps({"case": case, **figures}), flush=True)


class Watch:
    """Counts tokens as they come, and remembers when each request had its first."""

    def __init__(self, n):
        self.got = [0] * n
        self.n_waiting = n
        self.start = time.perf_counter()
        self.first = None  # seconds until every request had a token
        self.n_first = 0   # tokens by then

    def add(self, i, n):
        if n and not self.got[i]:
            self.n_waiting -= 1
        self.got[i] += n

    def after_step(self):
        if self.first is None and self.n_waiting == 0:
            self.first, self.n_first = self.seconds(), self.n_tokens()

    def seconds(self):
        return time.perf_counter() - self.start

    def n_tokens(self):
        return sum(self.got)


def run_cases(args, serve):
    """serve(prompts, output lengths) answers all and returns the Watch after the last token, and the seconds."""
    prompts = Prompts(args)
    serve(prompts.take(1, WARM_UP[0]), [WARM_UP[1]])
    if args.prefill:
        watch, _ = serve(prompts.take(1, args.prefill), [2])
        report("prefill", args.prefill, watch.first)
    for batch, n_prompt, n_output in args.decode:
        watch, seconds = serve(prompts.take(batch, n_prompt), [n_output] * batch)
        check_length(watch, batch * n_output)
        report(f"decode {batch}", watch.n_tokens() - watch.n_first, seconds - watch.first)
    if args.mixed:
        requests = read_requests(args.mixed)
        watch, seconds = serve([p for p, _ in requests], [n for _, n in requests])
        check_length(watch, sum(n for _, n in requests))
        report("mixed", sum(len(p) for p, _ in requests) + watch.n_tokens(), seconds)


def check_length(watch, wanted):
    """Forced lengths are the comparison: an engine that stops early would look fast."""
    if watch.n_tokens() != wanted:
        sys.exit(f"{watch.n_tokens()} tokens were generated, not {wanted}")
