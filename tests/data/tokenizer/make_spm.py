#!/usr/bin/env python3
"""Makes spm-*.gguf and spm-*.json in this folder.

    python3 make_spm.py TINYSHAKESPEARE_TXT

Trains two small SentencePiece vocabularies (BPE model type) with the sentencepiece package, writes
each as a GGUF without tensors, and writes what that package makes of a list of texts: the ids that
test_tokenizer_spm expects. spm-bytes has byte fall-back, spm-unknown has not; both have
user-defined tokens. The text is public domain; made with sentencepiece 0.2.3.
"""
import io
import json
import pathlib
import struct
import sys

import sentencepiece as spm

HERE = pathlib.Path(__file__).parent
USER_DEFINED = ["<tag>", "\n\n", "<tag2>"]
TEXTS = [
    "", " ", "  ", "   ", "a", " a", "a ", "  a  b   ", "Hello, world!", "hello world",
    "First Citizen:\nBefore we proceed any further, hear me speak.\n", "\n", "\n\n", "\n\n\n\n\n",
    "a\n\nb", " \n\n ", "\t", "\ttab\tand\r\nline", "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m", "e\u0301",
    "\u4f60\u597d\uff0c\u4e16\u754c", "\u65e5\u672c\u8a9e and English", "\U0001f600\U0001f680", "x\U0001f468\u200d\U0001f469\u200d\U0001f467y",
    "0123456789", "3.14159 and 1,000,000", "100 200  300", "<s>", "</s>", "<unk>", "<0x41>", "a<s>b</s>",
    "<tag>", "<tag>x", "x<tag>y", " <tag> ", "<tag2><tag><tag2>", "<tag", "the <tag> of the",
    "\u2581", "a\u2581b", "\u2581\u2581a", "\u00a0", "a\u00a0b", "\u3000", "\u0000", "a\u0000b", "\u200b", "\ufeff",
    "thethethethethe", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the " * 40, " " * 50,
    "What, ho! slave! Caliban! thou earth, thou! speak.", "don't you'll we've I'm he'd it's",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442", "\u0645\u0631\u062d\u0628\u0627", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\uff21\uff22\uff23", "\ufb01ne \u00bd \u2122", "trailing newline\n", "trailing blanks   ", "zzz qqq jjj xxx",
]


def train(text, vocab_size, byte_fallback):
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(text.split("\n")), model_writer=model, model_type="bpe",
        vocab_size=vocab_size, byte_fallback=byte_fallback, character_coverage=1.0,
        normalization_rule_name="identity", add_dummy_prefix=True,
        remove_extra_whitespaces=False, split_digits=True, user_defined_symbols=USER_DEFINED,
        num_threads=1, minloglevel=2)
    return spm.SentencePieceProcessor(model_proto=model.getvalue())


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def write_gguf(path, sp):
    n = sp.get_piece_size()
    pieces = [sp.id_to_piece(i) for i in range(n)]
    kinds = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i)
             else 4 if pieces[i] in USER_DEFINED else 1 for i in range(n)]
    values = [
        ("general.architecture", struct.pack("<I", 8) + string("llama")),
        ("tokenizer.ggml.model", struct.pack("<I", 8) + string("llama")),
        ("tokenizer.ggml.tokens", struct.pack("<IIQ", 9, 8, n) + b"".join(map(string, pieces))),
        ("tokenizer.ggml.scores", struct.pack("<IIQ", 9, 6, n)
         + struct.pack(f"<{n}f", *[sp.get_score(i) for i in range(n)])),
        ("tokenizer.ggml.token_type", struct.pack("<IIQ", 9, 5, n) + struct.pack(f"<{n}i", *kinds)),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(values))
    path.write_bytes(head + b"".join(string(k) + v for k, v in values))


def main():
    text = pathlib.Path(sys.argv[1]).read_text()[:200000]
    for name, vocab_size, byte_fallback in [("spm-bytes", 512, True), ("spm-unknown", 200, False)]:
        sp = train(text, vocab_size, byte_fallback)
        write_gguf(HERE / f"{name}.gguf", sp)
        cases = [{"text": t, "ids": sp.encode(t)} for t in TEXTS + [text[5000:9000]]]
        with open(HERE / f"{name}.json", "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


main()
