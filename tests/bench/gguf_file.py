"""What the benchmarks read of a GGUF file: its raw key-values and its tensors. Standard library only."""

import collections
import struct

Tensor = collections.namedtuple("Tensor", "name dims type n_items n_bytes")

# ggml type id: name, items a block, bytes a block
TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2),
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
}

STRING, ARRAY = 8, 9
VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class Cursor:
    def __init__(self, f):
        self.f = f

    def take(self, n):
        data = self.f.read(n)
        if len(data) != n:
            raise ValueError("the file ends too early")
        return data

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def text(self):
        n = self.number("Q")
        return struct.pack("<Q", n) + self.take(n)

    def value(self, kind):
        """The packed bytes of a value, its type left out."""
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            item, n = self.number("I"), self.number("Q")
            head = struct.pack("<IQ", item, n)
            if item in VALUE_BYTES:
                return head + self.take(n * VALUE_BYTES[item])
            return head + b"".join(self.value(item) for _ in range(n))
        if kind not in VALUE_BYTES:
            raise ValueError(f"there is no value type {kind}")
        return self.take(VALUE_BYTES[kind])


def read(path):
    """({key: type and value as packed in the file}, [Tensor])."""
    with open(path, "rb") as f:
        c = Cursor(f)
        if c.take(4) != b"GGUF" or c.number("I") not in (2, 3):
            raise ValueError(f"{path} is no GGUF file of version 2 or 3")
        n_tensors, n_values = c.number("Q"), c.number("Q")
        values, tensors = {}, []
        for _ in range(n_values):
            key = c.text()[8:].decode()
            kind = c.number("I")
            values[key] = struct.pack("<I", kind) + c.value(kind)
        for _ in range(n_tensors):
            tensors.append(read_tensor(c, path))
    return values, tensors


def read_tensor(c, path):
    name = c.text()[8:].decode()
    dims = [c.number("Q") for _ in range(c.number("I"))]
    kind = c.number("I")
    c.number("Q")  # where it lies
    if kind not in TYPES:
        raise ValueError(f"{path}: tensor {name} has type {kind}, which is not known here")
    type_name, block_items, block_bytes = TYPES[kind]
    n = 1
    for d in dims:
        n *= d
    return Tensor(name, dims, type_name, n, n // block_items * block_bytes)


def array_length(value):
    """Items of an array as read() gives it."""
    kind, _, n = struct.unpack_from("<IIQ", value)
    if kind != ARRAY:
        raise ValueError("the value is no array")
    return n


def bytes_a_token(tensors):
    """Weights that a decode step reads: all, but of an embedding that is not the output matrix too only a row."""
    has_output = any(t.name == "output.weight" for t in tensors)
    return sum(t.n_bytes for t in tensors if not (has_output and t.name == "token_embd.weight"))


def main_type(tensors):
    """The type that most weights of the layers have."""
    items = collections.Counter()
    for t in tensors:
        if t.name.startswith("blk.") and len(t.dims) > 1:
            items[t.type] += t.n_items
    return items.most_common(1)[0][0] if items else "none"
