"""Reads the finished GGUF file, measures it on held-out text and writes reference.jsonl.

    python reference.py TEXT [--model embedded.gguf] [--out reference.jsonl]

TEXT is the same input.txt that train.py got. train.py runs this as its last step; alone it takes about a minute.
It shares no code with the training model: weights come from the file, dequantised to float32, and the forward
pass is written for the file's conventions (interleaved RoPE, tied output). So a wrong row order, block layout or
merge list shows here as a bad loss.
"""

import argparse
import json
import math
import pathlib
import struct

import numpy as np
import tokenizers
import torch

HERE = pathlib.Path(__file__).resolve().parent
HELD_OUT_BYTES = 100_000  # the end of the text: never used for the vocabulary or for training

PROMPT_LENGTHS = (8, 60, 300)  # tokens, and up to three more
N_GREEDY = 48
# Two correct engines may part where the two best tokens nearly tie, so prompts without such ties are taken.
SAFE_GAP = 0.05
MAX_CANDIDATES = 60  # then the one with the widest gap, so that the search ends

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_Q4_1 = np.dtype([("d", "<f2"), ("m", "<f2"), ("qs", "u1", 16)])
_Q8_0 = np.dtype([("d", "<f2"), ("q", "i1", 32)])
TYPE_NAMES = {0: "F32", 3: "Q4_1", 8: "Q8_0"}


class Gguf:
    """meta: key -> value. tensors: name -> float32 torch tensor, rows first. types: name -> type name."""

    def __init__(self, path):
        self._data = pathlib.Path(path).read_bytes()
        self._pos = 0
        magic, version, n_tensors, n_keys = self._take("<4sIQQ")
        if magic != b"GGUF" or version != 3:
            raise ValueError(f"{path} is not a GGUF version 3 file")
        self.meta = {}
        for _ in range(n_keys):
            key = self._string()
            self.meta[key] = self._value(self._take("<I")[0])
        descriptors = [self._descriptor() for _ in range(n_tensors)]
        alignment = self.meta.get("general.alignment", 32)
        start = self._pos + -self._pos % alignment
        self.tensors, self.types = {}, {}
        for name, dims, kind, offset in descriptors:
            values = _dequantise(kind, self._data, start + offset, math.prod(dims))
            self.tensors[name] = torch.from_numpy(values.reshape(dims[::-1]).astype(np.float32))
            self.types[name] = TYPE_NAMES[kind]

    def _take(self, layout):
        values = struct.unpack_from(layout, self._data, self._pos)
        self._pos += struct.calcsize(layout)
        return values

    def _string(self):
        (n,) = self._take("<Q")
        self._pos += n
        return self._data[self._pos - n : self._pos].decode("utf-8")

    def _value(self, kind):
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            element, n = self._take("<IQ")
            return [self._value(element) for _ in range(n)]
        return self._take(_SCALARS[kind])[0]

    def _descriptor(self):
        name = self._string()
        (n_dims,) = self._take("<I")
        dims = self._take(f"<{n_dims}Q")
        kind, offset = self._take("<IQ")
        return name, dims, kind, offset


def _dequantise(kind, data, start, n):
    if kind == 0:
        return np.frombuffer(data, "<f4", n, start)
    if kind == 3:
        b = np.frombuffer(data, _Q4_1, n // 32, start)
        nibbles = np.concatenate([b["qs"] & 15, b["qs"] >> 4], axis=1).astype(np.float32)
        return b["d"].astype(np.float32)[:, None] * nibbles + b["m"].astype(np.float32)[:, None]
    if kind == 8:
        b = np.frombuffer(data, _Q8_0, n // 32, start)
        return b["d"].astype(np.float32)[:, None] * b["q"].astype(np.float32)
    raise ValueError(f"tensor type {kind} is not used in this file")


def tokenizer_of(meta):
    """The tokenizer that the file describes: byte-level BPE with the gpt-2 pre-tokenizer."""
    if meta["tokenizer.ggml.model"] != "gpt2" or meta["tokenizer.ggml.pre"] != "gpt-2":
        raise ValueError("unexpected tokenizer in the model file")
    tokens = meta["tokenizer.ggml.tokens"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    merges = [tuple(m.split(" ")) for m in meta["tokenizer.ggml.merges"]]
    t = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    t.decoder = tokenizers.decoders.ByteLevel()
    return t


class Model:
    """A llama forward pass in float32, straight from the tensors of the file."""

    def __init__(self, gguf):
        m = gguf.meta
        if m["general.architecture"] != "llama":
            raise ValueError("unexpected architecture in the model file")
        self.w = gguf.tensors
        self.n_layers = m["llama.block_count"]
        self.n_heads = m["llama.attention.head_count"]
        self.n_kv = m["llama.attention.head_count_kv"]
        self.eps = m["llama.attention.layer_norm_rms_epsilon"]
        self.n_ctx = m["llama.context_length"]
        hd = m["llama.rope.dimension_count"]
        if hd * self.n_heads != m["llama.embedding_length"]:
            raise ValueError("head size and embedding length disagree")
        frequency = m["llama.rope.freq_base"] ** (-torch.arange(0, hd, 2, dtype=torch.float64) / hd)
        angle = torch.outer(torch.arange(self.n_ctx, dtype=torch.float64), frequency)
        self.cos, self.sin = angle.cos().float(), angle.sin().float()  # (n_ctx, hd / 2)

    def _norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.w[name]

    def _rope(self, x):
        """x: (batch, heads, n, head_dim). The pair of angle i is elements 2i and 2i + 1."""
        n = x.shape[-2]
        even, odd = x[..., 0::2], x[..., 1::2]
        cos, sin = self.cos[:n], self.sin[:n]
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)

    @torch.no_grad()
    def __call__(self, ids):
        """ids: (batch, n) -> logits: (batch, n, vocabulary)."""
        batch, n = ids.shape
        hidden = torch.full((n, n), -torch.inf).triu(1)  # a token sees itself and what came before
        h = self.w["token_embd.weight"][ids]
        for layer in range(self.n_layers):
            p = f"blk.{layer}."
            x = self._norm(h, p + "attn_norm.weight")
            q = self._rope(self._heads(x, p + "attn_q.weight", self.n_heads))
            k = self._rope(self._heads(x, p + "attn_k.weight", self.n_kv))
            v = self._heads(x, p + "attn_v.weight", self.n_kv)
            group = self.n_heads // self.n_kv
            k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
            score = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + hidden
            mixed = (score.softmax(-1) @ v).transpose(1, 2).reshape(batch, n, -1)
            h = h + mixed @ self.w[p + "attn_output.weight"].T
            x = self._norm(h, p + "ffn_norm.weight")
            gate = x @ self.w[p + "ffn_gate.weight"].T
            up = x @ self.w[p + "ffn_up.weight"].T
            h = h + (gate * torch.sigmoid(gate) * up) @ self.w[p + "ffn_down.weight"].T
        return self._norm(h, "output_norm.weight") @ self.w["token_embd.weight"].T

    def _heads(self, x, name, n):
        batch, tokens, _ = x.shape
        return (x @ self.w[name].T).view(batch, tokens, n, -1).transpose(1, 2)


@torch.no_grad()
def token_losses(logits_of, ids, window, stride, batch=8):
    """The loss in nats of ids[1:], each predicted once, from windows of `window` tokens that start every `stride`.

    Overlapping windows score only what the window before did not.
    """
    losses = torch.zeros(len(ids) - 1, dtype=torch.float64)
    starts = list(range(0, max(1, len(ids) - 1 - (window - stride)), stride))
    full = [s for s in starts if s + window < len(ids)]
    groups = [full[i : i + batch] for i in range(0, len(full), batch)] + [[s] for s in starts if s not in full]
    for group in groups:
        rows = torch.stack([ids[s : s + window + 1] for s in group])
        logits = logits_of(rows[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none")
        for s, row in zip(group, loss):
            skip = 0 if s == 0 else window - stride
            losses[s + skip : s + len(row)] = row[skip:]
    return losses


def bits_per_byte(losses, n_bytes, n_vocabulary):
    """The first token has no context: it is charged as a uniform guess, so that every byte is paid for."""
    return (losses.sum().item() / math.log(2) + math.log2(n_vocabulary)) / n_bytes


def measure(logits_of, ids, n_bytes, n_vocabulary, label):
    """Prints and returns bits a byte with sliding and with separate windows of 512 tokens."""
    sliding = bits_per_byte(token_losses(logits_of, ids, 512, 256), n_bytes, n_vocabulary)
    losses = token_losses(logits_of, ids, 512, 512)
    separate = bits_per_byte(losses, n_bytes, n_vocabulary)
    print(f"{label}: {sliding:.4f} bits a byte (windows of 512, stride 256), {separate:.4f} (separate windows of 512)")
    by_position = losses[: len(losses) // 512 * 512].view(-1, 8, 64).mean((0, 2))
    print(f"{label}: nats a token by position, in runs of 64:", " ".join(f"{x:.3f}" for x in by_position))
    return sliding, separate


def continue_greedily(model, prompt_ids):
    """One record of reference.jsonl, without its text fields."""
    ids = list(prompt_ids)
    top5, gaps = [], []
    while len(ids) < len(prompt_ids) + N_GREEDY:
        logprobs = model(torch.tensor([ids]))[0].log_softmax(-1)
        if len(ids) == len(prompt_ids):
            prompt_logprobs = [logprobs[j, ids[j + 1]].item() for j in range(len(ids) - 1)]
        best = logprobs[-1].topk(5)
        top5.append([[i, round(p, 5)] for i, p in zip(best.indices.tolist(), best.values.tolist())])
        gaps.append((best.values[0] - best.values[1]).item())
        ids.append(top5[-1][0][0])
    return {
        "prompt_token_ids": list(prompt_ids),
        "greedy_token_ids": ids[len(prompt_ids) :],
        "min_top2_gap": round(min(gaps), 5),
        "first_step_with_gap_below_0.05": next((i for i, g in enumerate(gaps) if g < 0.05), None),
        "top5_logprobs": top5,
        "prompt_logprobs": [round(p, 5) for p in prompt_logprobs],
    }


def prompts_of(text, tokenizer, n_tokens):
    """Texts that begin with a speech and are the shortest run of whole words with n_tokens tokens or a few more."""
    at = text.find("\n\n")
    while at >= 0:
        words = text[at + 2 : at + 2 + 8 * n_tokens].split(" ")
        for n_words in range(1, len(words)):
            prompt = " ".join(words[:n_words])
            ids = tokenizer.encode(prompt).ids
            if len(ids) >= n_tokens:
                if len(ids) <= n_tokens + 3:
                    yield prompt, ids
                break
        at = text.find("\n\n", at + 2)


def write_reference(model, tokenizer, text, path):
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        for n_tokens in PROMPT_LENGTHS:
            best = None
            for tried, (prompt, ids) in enumerate(prompts_of(text, tokenizer, n_tokens), 1):
                result = continue_greedily(model, ids)
                if best is None or result["min_top2_gap"] > best["min_top2_gap"]:
                    best = {"id": f"held-out-{n_tokens}", "chat": False, "prompt": prompt}
                    best |= {"text": tokenizer.decode(result["greedy_token_ids"])} | result
                if best["min_top2_gap"] >= SAFE_GAP or tried == MAX_CANDIDATES:
                    break
            order = ("id", "chat", "prompt", "prompt_token_ids", "greedy_token_ids", "text", "min_top2_gap",
                     "first_step_with_gap_below_0.05", "top5_logprobs", "prompt_logprobs")
            f.write(json.dumps({key: best[key] for key in order}) + "\n")
            print(f"reference: {len(best['prompt_token_ids'])} prompt tokens, candidate {tried}, "
                  f"smallest gap {best['min_top2_gap']:.3f} nats: {best['text']!r}")


def run(text_path, model_path, out_path):
    torch.set_num_threads(2)
    gguf = Gguf(model_path)
    held_out = pathlib.Path(text_path).read_bytes()[-HELD_OUT_BYTES:]
    text = held_out.decode("utf-8")
    tokenizer = tokenizer_of(gguf.meta)
    ids = torch.tensor(tokenizer.encode(text).ids)
    n_weights = sum(t.numel() for t in gguf.tensors.values())
    print(f"file: {pathlib.Path(model_path).stat().st_size} bytes, {len(gguf.tensors)} tensors, {n_weights} weights")
    model = Model(gguf)
    measure(model, ids, len(held_out), len(gguf.meta["tokenizer.ggml.tokens"]), "quantised")
    write_reference(model, tokenizer, text, out_path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", help="tiny Shakespeare, input.txt")
    parser.add_argument("--model", default=HERE / "embedded.gguf")
    parser.add_argument("--out", default=HERE / "reference.jsonl")
    args = parser.parse_args()
    run(args.text, args.model, args.out)
