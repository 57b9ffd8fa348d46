#!/usr/bin/env python3
"""Time OpenVINO GenAI's continuous batching on the CPU with a GGUF file.

    python3 -m venv ov && ov/bin/pip install openvino-genai
    ov/bin/python measure_openvino.py MODEL.gguf --prefill 512 --decode 8,128,64

K and V are kept as u8, its default on CPUs; --kv-type f16 compares like with like.
"""

import measure

import numpy as np
import openvino
import openvino_genai as genai


def open_pipeline(args):
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = args.kv_gib
    scheduler.max_num_batched_tokens = args.max_num_batched_tokens
    scheduler.max_num_seqs = args.max_num_seqs
    scheduler.dynamic_split_fuse = True
    scheduler.enable_prefix_caching = False
    properties = {"INFERENCE_NUM_THREADS": args.threads}
    if args.kv_type:
        properties["KV_CACHE_PRECISION"] = args.kv_type
    return genai.ContinuousBatchingPipeline(args.model, scheduler, "CPU", properties)


def settings_of(n_output):
    g = genai.GenerationConfig()
    g.max_new_tokens, g.ignore_eos, g.do_sample = n_output, True, False
    return g


def serve(pipeline, prompts, n_outputs):
    watch = measure.Watch(len(prompts))
    handles = [
        pipeline.add_request(i, openvino.Tensor(np.array([ids], dtype=np.int64)), settings_of(n))
        for i, (ids, n) in enumerate(zip(prompts, n_outputs))
    ]
    while pipeline.has_non_finished_requests():
        pipeline.step()
        for i, handle in enumerate(handles):
            while handle.can_read():
                watch.add(i, sum(len(o.generated_ids) for o in handle.read().values()))
        watch.after_step()
    return watch, watch.seconds()


def main():
    p = measure.parser(__doc__)
    p.add_argument("--kv-type", help="u8, f16 or bf16 (default u8, as OpenVINO's)")
    p.add_argument("--max-num-batched-tokens", type=int, default=512)
    args = p.parse_args()
    pipeline = open_pipeline(args)
    measure.run_cases(args, lambda prompts, n_outputs: serve(pipeline, prompts, n_outputs))


if __name__ == "__main__":
    main()
