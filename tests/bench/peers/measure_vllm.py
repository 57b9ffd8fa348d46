#!/usr/bin/env python3
"""Time vLLM's CPU backend with a model folder in Hugging Face format, in bfloat16.

    vt/bin/python measure_vllm.py FOLDER --prefill 512 --decode 8,128,64

The engine core runs in this process, so that its steps can be watched; nothing is turned into text.
"""

import os

import measure


def first_cores(n):
    cores = sorted(os.sched_getaffinity(0))[:n]
    if cores[-1] - cores[0] == len(cores) - 1:
        return f"{cores[0]}-{cores[-1]}"
    return ",".join(map(str, cores))


def open_engine(args):
    os.environ.update(
        VLLM_CPU_KVCACHE_SPACE=str(args.kv_gib),
        VLLM_CPU_OMP_THREADS_BIND=args.cores or first_cores(args.threads),
        VLLM_ENABLE_V1_MULTIPROCESSING="0",
        HF_HUB_OFFLINE="1",
    )
    import vllm  # reads the environment

    return vllm.LLM(
        args.model,
        dtype="bfloat16",
        max_model_len=args.max_model_len,
        max_num_batched_tokens=args.max_num_batched_tokens,
        max_num_seqs=args.max_num_seqs,
        enable_prefix_caching=False,
        disable_log_stats=True,
    ).llm_engine


def serve(engine, prompts, n_outputs):
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    watch = measure.Watch(len(prompts))
    for i, (ids, n) in enumerate(zip(prompts, n_outputs)):
        params = SamplingParams(max_tokens=n, ignore_eos=True, temperature=0, detokenize=False,
                                output_kind=RequestOutputKind.DELTA)
        engine.add_request(str(i), {"prompt_token_ids": ids}, params)
    while engine.has_unfinished_requests():
        for output in engine.step():
            watch.add(int(output.request_id), sum(len(o.token_ids) for o in output.outputs))
        watch.after_step()
    return watch, watch.seconds()


def main():
    p = measure.parser(__doc__)
    p.add_argument("--cores", help="VLLM_CPU_OMP_THREADS_BIND (default the first --threads cores)")
    p.add_argument("--max-num-batched-tokens", type=int, default=2048)
    p.add_argument("--max-model-len", type=int, default=8192)
    args = p.parse_args()
    engine = open_engine(args)
    measure.run_cases(args, lambda prompts, n_outputs: serve(engine, prompts, n_outputs))


if __name__ == "__main__":
    main()
