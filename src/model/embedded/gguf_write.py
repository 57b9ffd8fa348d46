"""Writes a GGUF version 3 file: key-values, then tensors as F32, Q8_0 or Q4_1. Needs numpy alone.

The encoders follow the plain rules of the formats (scale from the extremes of 32 values), so the bytes
depend on the weights only.
"""

import struct

import numpy as np

ALIGNMENT = 32
F32, Q4_1, Q8_0 = 0, 3, 8  # ggml tensor type ids

_U32, _I32, _FLOAT, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9  # GGUF value type ids


def u32(x):
    return struct.pack("<II", _U32, x)


def f32(x):
    return struct.pack("<If", _FLOAT, x)


def boolean(x):
    return struct.pack("<IB", _BOOL, x)


def string(x):
    return struct.pack("<I", _STRING) + _text(x)


def string_array(xs):
    return struct.pack("<IIQ", _ARRAY, _STRING, len(xs)) + b"".join(_text(x) for x in xs)


def i32_array(xs):
    return struct.pack("<IIQ", _ARRAY, _I32, len(xs)) + np.asarray(xs, "<i4").tobytes()


def _text(x):
    data = x.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def _pad(n):
    return -n % ALIGNMENT


def _quantise_q8_0(x):
    blocks = x.reshape(-1, 32)
    d = np.abs(blocks).max(axis=1) / np.float32(127)
    inverse = np.divide(1, d, out=np.zeros_like(d), where=d > 0)
    scaled = blocks * inverse[:, None]
    # numpy rounds halves to even; the format's rule is away from zero.
    q = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int8)
    out = np.empty(len(blocks), dtype=[("d", "<f2"), ("q", "i1", 32)])
    out["d"], out["q"] = d, q
    return out.tobytes()


def _quantise_q4_1(x):
    blocks = x.reshape(-1, 32)
    m = blocks.min(axis=1)
    d = (blocks.max(axis=1) - m) / np.float32(15)
    inverse = np.divide(1, d, out=np.zeros_like(d), where=d > 0)
    n = np.minimum(15, np.trunc((blocks - m[:, None]) * inverse[:, None] + np.float32(0.5))).astype(np.uint8)
    out = np.empty(len(blocks), dtype=[("d", "<f2"), ("m", "<f2"), ("qs", "u1", 16)])
    out["d"], out["m"] = d, m
    out["qs"] = n[:, :16] | (n[:, 16:] << 4)  # first half of a block in the low nibbles
    return out.tobytes()


_ENCODERS = {F32: lambda x: x.astype("<f4").tobytes(), Q4_1: _quantise_q4_1, Q8_0: _quantise_q8_0}


def write(path, key_values, tensors):
    """key_values: [(key, packed value)]; tensors: [(name, float32 array of 1 or 2 dimensions, type)]."""
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(key_values))]
    for key, value in key_values:
        head.append(_text(key) + value)
    data, offset = [], 0
    for name, array, kind in tensors:
        if kind != F32 and array.shape[-1] % 32 != 0:
            raise ValueError(f"{name}: a row of {array.shape[-1]} values does not split into blocks of 32")
        dims = array.shape[::-1]  # GGUF lists the row length first
        head.append(_text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset))
        encoded = _ENCODERS[kind](np.ascontiguousarray(array, dtype=np.float32))
        data.append(encoded + bytes(_pad(len(encoded))))
        offset += len(data[-1])
    head = b"".join(head)
    with open(path, "wb") as f:
        f.write(head + bytes(_pad(len(head))) + b"".join(data))
