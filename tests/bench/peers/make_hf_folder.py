#!/usr/bin/env python3
"""Write the weights of a GGUF file of llama's architecture as the folder that vLLM loads, in bfloat16.

    vt/bin/python make_hf_folder.py MODEL.gguf FOLDER

Needs torch, transformers and gguf, which come with vLLM.
"""

import argparse
import pathlib

import torch
import transformers

# What describes the file, not the model.
NOT_SHAPE = {"quantization_config", "transformers_version", "model_type", "architectures", "torch_dtype", "dtype"}


def plain_model(folder, name):
    """A model that can be saved: one that came out of a GGUF file counts as quantised, and cannot."""
    loaded = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    shape = {key: value for key, value in loaded.config.to_dict().items() if key not in NOT_SHAPE}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
    missing, unknown = model.load_state_dict(loaded.state_dict(), strict=False)
    if unknown or any(key != "lm_head.weight" for key in missing):
        raise SystemExit(f"{name}: weights do not fit: {[*missing, *unknown][:3]}")
    model.tie_weights()
    return model.to(torch.bfloat16)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("gguf", type=pathlib.Path)
    p.add_argument("folder")
    args = p.parse_args()
    where = str(args.gguf.resolve().parent)
    plain_model(where, args.gguf.name).save_pretrained(args.folder)
    transformers.AutoTokenizer.from_pretrained(where, gguf_file=args.gguf.name).save_pretrained(args.folder)


if __name__ == "__main__":
    main()
