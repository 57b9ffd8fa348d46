#!/usr/bin/env python3
"""Write a mixed workload as OpenAI batch lines, so that every engine gets the same requests.

    make_workload.py > mixed.jsonl
    make_workload.py --lengths trace.csv --n 64 > mixed.jsonl

Prompts are random token ids, output lengths are forced (ignore_eos), and the seed fixes both. Lengths come from a CSV
file with the columns ContextTokens and GeneratedTokens, or without one from two log-normal distributions with the means
that are published for ShareGPT (161 prompt tokens, 338 output tokens; Kwon et al., PagedAttention, 2023) and spreads as
of such conversations (standard deviation of the logarithm 1.5 and 1.0). Both are then clipped to --min-tokens and
--max-prompt or --max-output.
"""

import argparse
import csv
import json
import math
import random
import sys

PROMPT_MEAN, PROMPT_SPREAD = 161.0, 1.5
OUTPUT_MEAN, OUTPUT_SPREAD = 338.0, 1.0


def log_normal(rng, mean, spread):
    return rng.lognormvariate(math.log(mean) - spread * spread / 2, spread)


def shaped_lengths(rng, n):
    shapes = ((PROMPT_MEAN, PROMPT_SPREAD), (OUTPUT_MEAN, OUTPUT_SPREAD))
    return [tuple(log_normal(rng, *shape) for shape in shapes) for _ in range(n)]


def sampled_lengths(rng, n, path):
    with open(path, newline="") as f:
        rows = [(float(r["ContextTokens"]), float(r["GeneratedTokens"])) for r in csv.DictReader(f)]
    if len(rows) < n:
        raise ValueError(f"{path} has {len(rows)} rows, fewer than {n}")
    return rng.sample(rows, n)


def clip(x, low, high):
    return min(max(round(x), low), high)


def requests(n, seed=0, lengths=None, max_prompt=1024, max_output=256, min_tokens=8, ids=(100, 32000)):
    """[OpenAI batch line as a dictionary]"""
    rng = random.Random(seed)
    pairs = sampled_lengths(rng, n, lengths) if lengths else shaped_lengths(rng, n)
    out = []
    for i, (n_prompt, n_output) in enumerate(pairs):
        body = {
            "prompt": [rng.randrange(*ids) for _ in range(clip(n_prompt, min_tokens, max_prompt))],
            "max_tokens": clip(n_output, min_tokens, max_output),
            "temperature": 0,
            "ignore_eos": True,
        }
        out.append({"custom_id": f"mixed-{i}", "method": "POST", "url": "/v1/completions", "body": body})
    return out


def write(f, lines):
    for line in lines:
        f.write(json.dumps(line) + "\n")


def totals(lines):
    """(requests, prompt tokens, output tokens)"""
    bodies = [line["body"] for line in lines]
    return len(bodies), sum(len(b["prompt"]) for b in bodies), sum(b["max_tokens"] for b in bodies)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--lengths", metavar="FILE", help="CSV with the columns ContextTokens and GeneratedTokens")
    p.add_argument("--n", type=int, default=64, help="requests (default 64)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--max-prompt", type=int, default=1024, help="tokens (default 1024)")
    p.add_argument("--max-output", type=int, default=256, help="tokens (default 256)")
    p.add_argument("--min-tokens", type=int, default=8, help="of prompt and of output (default 8)")
    p.add_argument("--ids", type=int, nargs=2, default=(100, 32000), metavar=("LOW", "HIGH"),
                   help="token ids from LOW to below HIGH (default 100 32000)")
    args = p.parse_args()
    if args.n < 1 or not 0 < args.min_tokens <= min(args.max_prompt, args.max_output) or args.ids[0] >= args.ids[1]:
        p.error("there must be a request, lengths from --min-tokens up, and token ids to choose from")
    try:
        lines = requests(args.n, args.seed, args.lengths, args.max_prompt, args.max_output, args.min_tokens, args.ids)
    except (OSError, ValueError, KeyError) as e:
        sys.exit(f"{args.lengths}: no lengths can be read: {e}")
    write(sys.stdout, lines)
    print("%d requests, %d prompt tokens, %d output tokens" % totals(lines), file=sys.stderr)


if __name__ == "__main__":
    main()
