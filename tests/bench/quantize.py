#!/usr/bin/env python3
"""Write a GGUF file in other weight types, with llama.cpp's quantiser (needs llama-cpp-python).

    quantize.py MODEL.F16.gguf OUT_FOLDER Q8_0 Q4_0 Q5_0 Q4_1 Q4_K Q6_K

Every weight matrix gets the type where its rows allow it (K types need rows that divide by 256; llama.cpp takes a
near type for others, which `shoal inspect` shows). --mix leaves the mixture of types to llama.cpp: Q4_K is then
Q4_K_M. A file that is quantised already can be the source, at some loss of quality.
"""

import argparse
import os
import sys

try:
    import llama_cpp
except ImportError:
    sys.exit("quantize.py needs llama-cpp-python: python3 -m pip install llama-cpp-python")

NAMES = {"F32": "ALL_F32", "F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16", "Q4_K": "MOSTLY_Q4_K_M", "Q5_K": "MOSTLY_Q5_K_M"}


def file_type(name):
    value = getattr(llama_cpp, "LLAMA_FTYPE_" + NAMES.get(name, "MOSTLY_" + name), None)
    if value is None:
        sys.exit(f"llama.cpp knows no type {name}")
    return value


def base_name(path, types):
    name = os.path.basename(path)
    name = name[: -len(".gguf")] if name.endswith(".gguf") else name
    stem, _, last = name.rpartition(".")
    return stem if stem and last in types else name


def quantize(source, target, name, is_pure, n_threads):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type(name)
    params.nthread = n_threads
    params.allow_requantize = True
    params.pure = is_pure
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), params) != 0:
        sys.exit(f"llama.cpp failed to make {target}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("source", help="GGUF file, best F16 or F32")
    p.add_argument("folder", help="where NAME.TYPE.gguf are written")
    p.add_argument("types", nargs="+", help="F16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K ... Q6_K")
    p.add_argument("--mix", action="store_true", help="llama.cpp's own mixture instead of one type")
    p.add_argument("--threads", type=int, default=0, help="default all cores")
    args = p.parse_args()

    known = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
    for name in args.types:
        target = os.path.join(args.folder, f"{base_name(args.source, known)}.{name}.gguf")
        if os.path.exists(target) and os.path.samefile(target, args.source):
            sys.exit(f"{target} is the source itself")
        quantize(args.source, target, name, not args.mix, args.threads)
        print(f"{target}: {os.path.getsize(target) / 2**20:.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
