#!/usr/bin/env python3
"""Write a GGUF file of llama's architecture with random weights, to measure sizes for which there is no file.

    make_model.py --preset 1b --type Q4_1 --vocab-from SOME.gguf 1b.Q4_1.gguf
    make_model.py --preset k --type F16 --vocab-from SOME.gguf k.F16.gguf     # then quantize.py

The vocabulary is copied from another file (any GGUF that the engines load), and its size follows. Weights are normal
with the usual scales, so that activations stay finite; the text that such a model writes means nothing. Presets:

    1b    22 layers, 2048 wide, 32 heads, 4 for K and V, 5632 feed-forward: as TinyLlama, about 1.1 billion weights
    k     12 layers, 1024 wide, 16 heads, 4 for K and V, 2816 feed-forward: rows that divide by 256, for the K types
    tiny  2 layers, 256 wide, 4 heads, 2 for K and V, 512 feed-forward: for tests

Needs numpy.
"""

import argparse
import struct
import sys

try:
    import numpy as np
except ImportError:
    sys.exit("make_model.py needs numpy: python3 -m pip install numpy")

import gguf_file

ALIGNMENT = 32
SHAPES = ("layers", "embd", "heads", "heads_kv", "ff")
PRESETS = {
    "1b": dict(zip(SHAPES, (22, 2048, 32, 4, 5632))),
    "k": dict(zip(SHAPES, (12, 1024, 16, 4, 2816))),
    "tiny": dict(zip(SHAPES, (2, 256, 4, 2, 512))),
}
TYPE_IDS = {"F32": 0, "F16": 1, "Q4_1": 3, "Q8_0": 8}
FILE_TYPES = {"F16": 1, "Q4_1": 3, "Q8_0": 7}
CHUNK_ITEMS = 1 << 22  # values made at a time


def packed_text(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def u32(x):
    return struct.pack("<II", 4, x)


def f32(x):
    return struct.pack("<If", 6, x)


def string(x):
    return struct.pack("<I", gguf_file.STRING) + packed_text(x)


def encode_q8_0(x):
    blocks = x.reshape(-1, 32)
    d = (np.abs(blocks).max(axis=1) / 127).astype(np.float16)
    scale = d.astype(np.float32)
    q = np.rint(blocks / np.where(scale > 0, scale, 1)[:, None])
    out = np.empty(len(blocks), dtype=[("d", "<f2"), ("q", "i1", 32)])
    out["d"], out["q"] = d, np.clip(q, -127, 127).astype(np.int8)
    return out.tobytes()


def encode_q4_1(x):
    blocks = x.reshape(-1, 32)
    low = blocks.min(axis=1).astype(np.float16)
    d = ((blocks.max(axis=1) - low.astype(np.float32)) / 15).astype(np.float16)
    scale = d.astype(np.float32)
    q = np.rint((blocks - low.astype(np.float32)[:, None]) / np.where(scale > 0, scale, 1)[:, None])
    q = np.clip(q, 0, 15).astype(np.uint8)
    out = np.empty(len(blocks), dtype=[("d", "<f2"), ("m", "<f2"), ("q", "u1", 16)])
    # Items 0 to 15 of a block are the low nibbles, 16 to 31 the high ones.
    out["d"], out["m"], out["q"] = d, low, q[:, :16] | (q[:, 16:] << 4)
    return out.tobytes()


ENCODERS = {
    "F32": lambda x: x.astype("<f4").tobytes(),
    "F16": lambda x: x.astype("<f2").tobytes(),
    "Q8_0": encode_q8_0,
    "Q4_1": encode_q4_1,
}


def tensors_of(s, n_vocab, kind, tied):
    """[(name, row length, rows, type, standard deviation)]; a deviation of 0 means a norm: ones, in F32."""
    kv = s["embd"] // s["heads"] * s["heads_kv"]
    into = s["embd"] ** -0.5
    # What is added to the residual stream gets less, the more layers add to it.
    calm = (2 * s["layers"]) ** -0.5
    out = [("token_embd.weight", s["embd"], n_vocab, kind, into)]
    for i in range(s["layers"]):
        layer = [
            ("attn_norm", s["embd"], 1, "F32", 0),
            ("attn_q", s["embd"], s["embd"], kind, into),
            ("attn_k", s["embd"], kv, kind, into),
            ("attn_v", s["embd"], kv, kind, into),
            ("attn_output", s["embd"], s["embd"], kind, into * calm),
            ("ffn_norm", s["embd"], 1, "F32", 0),
            ("ffn_gate", s["embd"], s["ff"], kind, into),
            ("ffn_up", s["embd"], s["ff"], kind, into),
            ("ffn_down", s["ff"], s["embd"], kind, s["ff"] ** -0.5 * calm),
        ]
        out += [(f"blk.{i}.{name}.weight", *rest) for name, *rest in layer]
    out.append(("output_norm.weight", s["embd"], 1, "F32", 0))
    if not tied:
        out.append(("output.weight", s["embd"], n_vocab, kind, into))
    return out


def n_bytes(row, n_rows, kind):
    _, block_items, block_bytes = gguf_file.TYPES[TYPE_IDS[kind]]
    return row * n_rows // block_items * block_bytes


def write_tensor(f, row, n_rows, kind, deviation, rng):
    step = max(1, CHUNK_ITEMS // row)
    for first in range(0, n_rows, step):
        shape = (min(step, n_rows - first), row)
        x = rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation) if deviation else np.ones(shape, "f4")
        f.write(ENCODERS[kind](x))


def key_values(args, s, n_vocab, vocabulary):
    values = {
        "general.architecture": string("llama"),
        "general.name": string(f"random {args.preset}"),
        "general.alignment": u32(ALIGNMENT),
        "general.file_type": u32(FILE_TYPES[args.type]),
        "general.quantization_version": u32(2),
        "llama.block_count": u32(s["layers"]),
        "llama.context_length": u32(args.context),
        "llama.embedding_length": u32(s["embd"]),
        "llama.feed_forward_length": u32(s["ff"]),
        "llama.attention.head_count": u32(s["heads"]),
        "llama.attention.head_count_kv": u32(s["heads_kv"]),
        "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
        "llama.rope.dimension_count": u32(s["embd"] // s["heads"]),
        "llama.rope.freq_base": f32(10000),
        "llama.vocab_size": u32(n_vocab),
    }
    values.update(vocabulary)
    return values


def write(path, values, tensors, rng):
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values))]
    head += [packed_text(key) + value for key, value in values.items()]
    offset = 0
    for name, row, n_rows, kind, deviation in tensors:
        dims = (row, n_rows) if deviation else (row,)
        head.append(packed_text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, TYPE_IDS[kind], offset))
        size = n_bytes(row, n_rows, kind)
        offset += size + -size % ALIGNMENT
    head = b"".join(head)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % ALIGNMENT))
        for _, row, n_rows, kind, deviation in tensors:
            write_tensor(f, row, n_rows, kind, deviation, rng)
            f.write(bytes(-n_bytes(row, n_rows, kind) % ALIGNMENT))


def check_shape(s, kind):
    if min(s.values()) < 1:
        return "every size must be at least 1"
    if s["embd"] % s["heads"] or s["heads"] % s["heads_kv"]:
        return "--embd must divide by --heads, and --heads by --heads-kv"
    if kind != "F16" and (s["embd"] % 32 or s["ff"] % 32):
        return f"--embd and --ff must divide by 32 for {kind}"
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", help="the file to write")
    p.add_argument("--vocab-from", required=True, metavar="GGUF", help="whose tokenizer.* values are copied")
    p.add_argument("--preset", choices=PRESETS, default="1b", help="sizes; the options below change single ones")
    for name in SHAPES:
        p.add_argument("--" + name.replace("_", "-"), type=int, metavar="N")
    p.add_argument("--type", choices=("F16", "Q8_0", "Q4_1"), default="Q4_1", help="of the weights (default Q4_1)")
    p.add_argument("--tied", action="store_true", help="no output matrix: the embedding is used")
    p.add_argument("--context", type=int, default=8192, help="longest context (default 8192)")
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args()

    s = {name: getattr(args, name) or PRESETS[args.preset][name] for name in SHAPES}
    wrong = check_shape(s, args.type)
    if wrong:
        p.error(wrong)
    try:
        source, _ = gguf_file.read(args.vocab_from)
        vocabulary = {k: v for k, v in source.items() if k.startswith("tokenizer.")}
        n_vocab = gguf_file.array_length(vocabulary["tokenizer.ggml.tokens"])
    except (OSError, ValueError, KeyError) as e:
        sys.exit(f"{args.vocab_from}: no vocabulary can be read: {e}")
    tensors = tensors_of(s, n_vocab, args.type, args.tied)
    write(args.out, key_values(args, s, n_vocab, vocabulary), tensors, np.random.default_rng(args.seed))
    n = sum(row * n_rows for _, row, n_rows, _, _ in tensors)
    print(f"{args.out}: {n / 1e6:.1f} million weights, vocabulary of {n_vocab}")


if __name__ == "__main__":
    main()
