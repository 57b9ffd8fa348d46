#!/usr/bin/env python3
"""Time llama.cpp through llama-cpp-python's bindings with a GGUF file.

    python3 -m venv lv && lv/bin/pip install llama-cpp-python      # builds llama.cpp for this processor
    lv/bin/python measure_llama_cpp.py MODEL.gguf --prefill 512 --decode 1,128,64

As llama-batched-bench does: prompts first, then a step with one token of each sequence at a time. The tokens are
given, none is sampled, which is in its favour. It has no scheduler of requests here, so there is no mixed case.
"""

import sys
import time

import llama_cpp as llama

import measure

N_BATCH = 512
KV_TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q8_0": 8}


class Context:
    def __init__(self, args):
        llama.llama_backend_init()
        self.silence = llama.llama_log_callback(lambda level, text, user: None)
        llama.llama_log_set(self.silence, None)
        self.model = llama.llama_model_load_from_file(args.model.encode(), llama.llama_model_default_params())
        if not self.model:
            sys.exit(f"llama.cpp cannot load {args.model}")
        self.n_seqs = max([1] + [b for b, _, _ in args.decode])
        longest = max([args.prefill or 0, sum(measure.WARM_UP)] + [p + o for _, p, o in args.decode])
        p = llama.llama_context_default_params()
        p.n_ctx = self.n_seqs * longest
        p.n_seq_max = self.n_seqs
        p.n_batch = p.n_ubatch = N_BATCH
        p.n_threads = p.n_threads_batch = args.threads
        p.type_k = p.type_v = KV_TYPES[args.kv_type]
        self.context = llama.llama_init_from_model(self.model, p)
        if not self.context:
            sys.exit("llama.cpp cannot make a context")
        self.batch = llama.llama_batch_init(max(N_BATCH, self.n_seqs), 0, 1)

    def decode(self, tokens):
        """tokens: [(id, position, sequence, whether logits are wanted)]"""
        b = self.batch
        for i, (token, position, sequence, wanted) in enumerate(tokens):
            b.token[i], b.pos[i], b.n_seq_id[i], b.logits[i] = token, position, 1, wanted
            b.seq_id[i][0] = sequence
        b.n_tokens = len(tokens)
        if llama.llama_decode(self.context, b) != 0:
            sys.exit("llama_decode failed")
        llama.llama_synchronize(self.context)

    def read(self, prompts):
        tokens = [
            (token, position, sequence, position + 1 == len(ids))
            for sequence, ids in enumerate(prompts)
            for position, token in enumerate(ids)
        ]
        for first in range(0, len(tokens), N_BATCH):
            self.decode(tokens[first : first + N_BATCH])

    def clear(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)


def time_batch(context, prompts, n_output):
    """(seconds of the prompts, seconds of the n_output - 1 steps after their first tokens)"""
    context.clear()
    start = time.perf_counter()
    context.read(prompts)
    first = time.perf_counter()
    for i in range(n_output - 1):
        context.decode([(ids[i % len(ids)], len(ids) + i, sequence, True) for sequence, ids in enumerate(prompts)])
    return first - start, time.perf_counter() - first


def main():
    p = measure.parser(__doc__)
    p.add_argument("--kv-type", choices=KV_TYPES, default="f16")
    args = p.parse_args()
    if args.mixed:
        sys.exit("llama.cpp has no mixed case here")
    context = Context(args)
    prompts = measure.Prompts(args)
    time_batch(context, prompts.take(1, measure.WARM_UP[0]), measure.WARM_UP[1])
    if args.prefill:
        seconds, _ = time_batch(context, prompts.take(1, args.prefill), 1)
        measure.report("prefill", args.prefill, seconds)
    for batch, n_prompt, n_output in args.decode:
        _, seconds = time_batch(context, prompts.take(batch, n_prompt), n_output)
        measure.report(f"decode {batch}", batch * (n_output - 1), seconds)


if __name__ == "__main__":
    main()
