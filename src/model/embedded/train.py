"""Makes the model that is linked into shoal: vocabulary, training, quantisation, GGUF file, reference outputs.

    python -m pip install -r requirements.txt
    python train.py path/to/tinyshakespeare/input.txt

Writes embedded.gguf and reference.jsonl beside this file (or into --out DIR) and prints the losses.
Everything is seeded and the schedule is fixed in advance: the loss on the held-out text (the last 100,000
bytes) is printed and decides nothing. The same machine and library versions give the same file; other ones
give one about as good.
"""

import argparse
import json
import math
import pathlib
import time

import numpy as np
import tokenizers
import torch
from torch import nn
from torch.nn import functional as F

import gguf_write as gguf
import reference

SEED = 1234
END_OF_TEXT = "<|endoftext|>"

N_VOCAB = 1024
N_LAYERS = 4
N_EMBD = 192
N_HEADS = 6
N_KV = 2
HEAD_DIM = N_EMBD // N_HEADS
N_FF = 512
N_CTX = 512
RMS_EPS = 1e-5
ROPE_BASE = 10000.0

# (share of the steps, windows a batch, tokens a window): the short windows are cheaper; the last part teaches the
# positions up to the full context.
STAGES = ((0.65, 24, 256), (0.35, 12, 512))
STEPS = 1000
WARMUP = 60
PEAK_LR = 2.5e-3
WEIGHT_DECAY = 0.1
DROPOUT = 0.15


def train_vocabulary(text):
    """Byte-level BPE with gpt-2's splitting rule; id 0 is the control token, ids 1 to 256 are the byte symbols."""
    t = tokenizers.Tokenizer(tokenizers.models.BPE())
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=N_VOCAB,
        special_tokens=[END_OF_TEXT],
        # All 256, also those that the text does not hold, so that any input has tokens.
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    t.train_from_iterator([text], trainer)
    return t


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(N_EMBD))

    def forward(self, x):
        return F.rms_norm(x, (N_EMBD,), self.weight, RMS_EPS)


def rope_tables():
    frequency = ROPE_BASE ** (-torch.arange(0, HEAD_DIM, 2, dtype=torch.float64) / HEAD_DIM)
    angle = torch.outer(torch.arange(N_CTX, dtype=torch.float64), frequency)
    return angle.cos().float(), angle.sin().float()


def rope(x, cos, sin):
    """x: (batch, heads, n, head_dim). Pairs are (i, i + head_dim / 2) here; the file's rows are re-ordered."""
    n = x.shape[-2]
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos[:n] - b * sin[:n], a * sin[:n] + b * cos[:n]], dim=-1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm, self.ffn_norm = Norm(), Norm()
        self.attn_q = nn.Linear(N_EMBD, N_HEADS * HEAD_DIM, bias=False)
        self.attn_k = nn.Linear(N_EMBD, N_KV * HEAD_DIM, bias=False)
        self.attn_v = nn.Linear(N_EMBD, N_KV * HEAD_DIM, bias=False)
        self.attn_output = nn.Linear(N_HEADS * HEAD_DIM, N_EMBD, bias=False)
        self.ffn_gate = nn.Linear(N_EMBD, N_FF, bias=False)
        self.ffn_up = nn.Linear(N_EMBD, N_FF, bias=False)
        self.ffn_down = nn.Linear(N_FF, N_EMBD, bias=False)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, h, cos, sin):
        batch, n, _ = h.shape
        x = self.attn_norm(h)
        q = rope(self.attn_q(x).view(batch, n, N_HEADS, HEAD_DIM).transpose(1, 2), cos, sin)
        k = rope(self.attn_k(x).view(batch, n, N_KV, HEAD_DIM).transpose(1, 2), cos, sin)
        v = self.attn_v(x).view(batch, n, N_KV, HEAD_DIM).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        h = h + self.drop(self.attn_output(mixed.transpose(1, 2).reshape(batch, n, -1)))
        x = self.ffn_norm(h)
        return h + self.drop(self.ffn_down(F.silu(self.ffn_gate(x)) * self.ffn_up(x)))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(N_VOCAB, N_EMBD)
        self.blk = nn.ModuleList(Block() for _ in range(N_LAYERS))
        self.output_norm = Norm()
        self.drop = nn.Dropout(DROPOUT)
        cos, sin = rope_tables()
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                # The branches that add to the residual start smaller, so that depth does not raise its variance.
                adds = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * N_LAYERS) if adds else 0.02)

    def forward(self, ids):
        h = self.drop(self.token_embd(ids))
        for block in self.blk:
            h = block(h, self.cos, self.sin)
        return F.linear(self.output_norm(h), self.token_embd.weight)


def learning_rate(step, steps):
    if step < WARMUP:
        return PEAK_LR * (step + 1) / WARMUP
    return PEAK_LR * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP)))


def train(ids, held_out_ids, n_held_out_bytes, steps):
    model = Llama()
    # Norm weights are left out of the decay: pulling them to zero would fight the scale of the stream.
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}],
        lr=PEAK_LR,
        betas=(0.9, 0.95),
    )
    draw = torch.Generator().manual_seed(SEED)
    shapes = [shape for share, *shape in STAGES for _ in range(round(share * steps))]
    begin, mean = time.time(), 0.0
    for step, (batch, window) in enumerate(shapes):
        starts = torch.randint(len(ids) - window, (batch,), generator=draw).tolist()
        rows = torch.stack([ids[s : s + window + 1] for s in starts])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, len(shapes))
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean += loss.item()
        if (step + 1) % 50 == 0:
            note = ""
            if (step + 1) % 200 == 0:
                model.eval()
                losses = reference.token_losses(model, held_out_ids, 256, 256)
                note = f", held out {reference.bits_per_byte(losses, n_held_out_bytes, N_VOCAB):.3f} bits a byte"
                model.train()
            print(f"step {step + 1}: {mean / 50:.3f} nats a token{note}, {time.time() - begin:.0f} s", flush=True)
            mean = 0.0
    return model.eval()


def interleave(weight, n_heads):
    """Rows of Q or K in the order that the llama architecture has in GGUF: RoPE pairs side by side in each head."""
    halves = weight.reshape(n_heads, 2, HEAD_DIM // 2, -1)
    return halves.transpose(0, 2, 1, 3).reshape(weight.shape)


def write_model(model, tokenizer, path):
    described = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(described["vocab"], key=described["vocab"].get)
    if len(tokens) != N_VOCAB or tokens[0] != END_OF_TEXT:
        raise ValueError("the vocabulary is not the one expected")
    key_values = [
        ("general.architecture", gguf.string("llama")),
        ("general.name", gguf.string("shoal-embedded")),
        ("general.description", gguf.string("a small model of plays, for tests and first steps")),
        ("general.license", gguf.string("MIT")),
        ("general.file_type", gguf.u32(3)),  # "mostly Q4_1"; each tensor says its own type
        ("general.quantization_version", gguf.u32(2)),
        ("general.alignment", gguf.u32(gguf.ALIGNMENT)),
        ("llama.vocab_size", gguf.u32(N_VOCAB)),
        ("llama.context_length", gguf.u32(N_CTX)),
        ("llama.embedding_length", gguf.u32(N_EMBD)),
        ("llama.block_count", gguf.u32(N_LAYERS)),
        ("llama.feed_forward_length", gguf.u32(N_FF)),
        ("llama.attention.head_count", gguf.u32(N_HEADS)),
        ("llama.attention.head_count_kv", gguf.u32(N_KV)),
        ("llama.attention.layer_norm_rms_epsilon", gguf.f32(RMS_EPS)),
        ("llama.rope.dimension_count", gguf.u32(HEAD_DIM)),
        ("llama.rope.freq_base", gguf.f32(ROPE_BASE)),
        ("tokenizer.ggml.model", gguf.string("gpt2")),
        ("tokenizer.ggml.pre", gguf.string("gpt-2")),
        ("tokenizer.ggml.tokens", gguf.string_array(tokens)),
        ("tokenizer.ggml.token_type", gguf.i32_array([3] + [1] * (N_VOCAB - 1))),  # 3 control, 1 normal
        ("tokenizer.ggml.merges", gguf.string_array([" ".join(pair) for pair in described["merges"]])),
        ("tokenizer.ggml.bos_token_id", gguf.u32(0)),
        ("tokenizer.ggml.eos_token_id", gguf.u32(0)),
        ("tokenizer.ggml.add_bos_token", gguf.boolean(False)),
    ]
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    tensors = [("token_embd.weight", w["token_embd.weight"], gguf.Q8_0)]
    for i in range(N_LAYERS):
        p = f"blk.{i}."
        tensors += [
            (p + "attn_norm.weight", w[p + "attn_norm.weight"], gguf.F32),
            (p + "attn_q.weight", interleave(w[p + "attn_q.weight"], N_HEADS), gguf.Q4_1),
            (p + "attn_k.weight", interleave(w[p + "attn_k.weight"], N_KV), gguf.Q4_1),
            (p + "attn_v.weight", w[p + "attn_v.weight"], gguf.Q8_0),
            (p + "attn_output.weight", w[p + "attn_output.weight"], gguf.Q8_0),
            (p + "ffn_norm.weight", w[p + "ffn_norm.weight"], gguf.F32),
            (p + "ffn_gate.weight", w[p + "ffn_gate.weight"], gguf.Q4_1),
            (p + "ffn_up.weight", w[p + "ffn_up.weight"], gguf.Q4_1),
            (p + "ffn_down.weight", w[p + "ffn_down.weight"], gguf.Q8_0),
        ]
    tensors.append(("output_norm.weight", w["output_norm.weight"], gguf.F32))
    gguf.write(path, key_values, tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", help="tiny Shakespeare, input.txt")
    parser.add_argument("--out", default=reference.HERE, type=pathlib.Path, help="where to write (default: here)")
    parser.add_argument("--steps", default=STEPS, type=int, help="training steps; for a quick trial, with --out")
    args = parser.parse_args()

    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)

    data = pathlib.Path(args.text).read_bytes()
    held_out = data[-reference.HELD_OUT_BYTES :]
    training_text = data[: -reference.HELD_OUT_BYTES].decode("utf-8")
    tokenizer = train_vocabulary(training_text)
    ids = torch.tensor(tokenizer.encode(training_text).ids)
    held_out_ids = torch.tensor(tokenizer.encode(held_out.decode("utf-8")).ids)
    print(f"training part {len(ids)} tokens, held out {len(held_out_ids)} tokens in {len(held_out)} bytes")

    begin = time.time()
    model = train(ids, held_out_ids, len(held_out), args.steps)
    print(f"trained {sum(p.numel() for p in model.parameters())} parameters in {time.time() - begin:.0f} s")
    reference.measure(model, held_out_ids, len(held_out), N_VOCAB, "float")

    write_model(model, tokenizer, args.out / "embedded.gguf")
    reference.run(args.text, args.out / "embedded.gguf", args.out / "reference.jsonl")


if __name__ == "__main__":
    main()
