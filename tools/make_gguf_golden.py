#!/usr/bin/env python3
"""Makes tests/data/gguf/ with the `gguf` Python package, which the C++ code is held to.

  python3 -m pip install gguf numpy && python3 tools/make_gguf_golden.py

blocks.bin     for each type: stored blocks and the floats that gguf makes of them. A record is an
               8-byte name, a little-endian uint64 count of elements, the blocks, float32 * elements.
quantized.bin  for each type: floats and the blocks that gguf makes of them: name, count, floats, blocks.
tiny_llama.gguf  a whole file as gguf's own writer makes it: metadata of every type, a few tensors.
The output depends on the seed alone.
"""

import pathlib
import struct

import gguf
import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "gguf"
Type = gguf.GGMLQuantizationType
SIMPLE = [Type.F16, Type.BF16]
BLOCKS_32 = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0]
BLOCKS_256 = [Type.Q4_K, Type.Q5_K, Type.Q6_K]
# Drawn from a generator of their own, after the others.
LATER_32 = [Type.IQ4_NL, Type.MXFP4]
LATER_256 = [Type.Q2_K, Type.Q3_K, Type.IQ4_XS]
# Where the half-precision scales lie in a block.
SCALE_OFFSETS = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.IQ4_NL: [0], Type.IQ4_XS: [0], Type.MXFP4: [],
}
# Zeros, the smallest and greatest subnormals, the smallest and greatest normals, one, infinities.
HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00, 0x7C00, 0xFC00]


def random_blocks(rng, kind, count):
    size = gguf.GGML_QUANT_SIZES[kind][1]
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for row in range(count):
        for place, offset in enumerate(SCALE_OFFSETS[kind]):
            if row < len(HALVES):
                half = HALVES[(row + 3 * place) % len(HALVES)]
            else:
                half = int(np.float16(rng.normal() * 0.02).view(np.uint16))
            blocks[row, offset : offset + 2] = [half & 0xFF, half >> 8]
    return blocks


def set_exponents(blocks):
    """MXFP4's scales: both subnormals, the ends, ordinary ones."""
    special = [0, 1, 2, 3, 127, 253, 254, 255]
    blocks[:, 0] = special + [120 + i % 12 for i in range(len(blocks) - len(special))]


def record(kind, elements, *parts):
    data = kind.name.encode().ljust(8, b"\0") + struct.pack("<Q", elements)
    return data + b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def make_blocks(rng):
    out = b""
    for kind in SIMPLE:
        special = np.array(HALVES + [0x7E00, 0x7F80, 0xFF80, 0x3F80, 0x0080], dtype=np.uint16)
        raw = np.concatenate([special, rng.integers(0, 65536, 496, dtype=np.uint16)])
        floats = gguf.dequantize(raw.view(np.uint8).reshape(1, -1), kind)
        out += record(kind, raw.size, raw, floats.astype(np.float32))
    later = np.random.default_rng(21)
    for kind in BLOCKS_32 + BLOCKS_256 + LATER_32 + LATER_256:
        of_32 = kind in BLOCKS_32 + LATER_32
        generator = later if kind in LATER_32 + LATER_256 else rng
        blocks = random_blocks(generator, kind, 40 if of_32 else 14)
        if kind == Type.MXFP4:
            set_exponents(blocks)
        with np.errstate(all="ignore"):
            floats = gguf.dequantize(blocks, kind).astype(np.float32)
        out += record(kind, floats.size, blocks, floats)
    return out


def quantizable_rows(rng):
    rows = [
        np.zeros(32), np.full(32, 0.75), np.full(32, -3.0), np.linspace(-1, 1, 32),
        np.linspace(0, 1e-7, 32), np.linspace(-1e4, 6e4, 32), np.eye(1, 32, 5)[0],
        np.where(np.arange(32) % 2 == 0, 2.0, -2.0),
    ]
    rows += [rng.normal(size=32) * scale for scale in (1e-6, 1e-3, 0.02, 0.02, 1.0, 30.0)]
    rows += [rng.uniform(0.5, 1.0, 32), -rng.uniform(0.5, 1.0, 32)]
    return np.array(rows, dtype=np.float32)


def make_quantized(rng):
    out = b""
    rows = quantizable_rows(rng)
    for kind in SIMPLE + BLOCKS_32:
        with np.errstate(all="ignore"):
            blocks = gguf.quantize(rows, kind)
        out += record(kind, rows.size, rows, blocks)
    return out


def write_tiny_llama(rng, path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(5e5)
    writer.add_rope_dimension_count(16)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(4.0)
    writer.add_rope_scaling_orig_ctx_len(16)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    tokens = [bytes([c]).decode() for c in range(ord("a"), ord("a") + 26)] + ["ab", "abc", "<|im_end|>"]
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 28 + [3])
    writer.add_token_merges(["a b", "ab c"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(27)
    writer.add_add_bos_token(True)
    writer.add_chat_template([{"name": "default", "template": "{{ messages }}"},
                              {"name": "tool_use", "template": "{{ tools }}"}])
    writer.add_uint8("test.uint8", 200)
    writer.add_int8("test.int8", -100)
    writer.add_uint16("test.uint16", 60000)
    writer.add_int16("test.int16", -30000)
    writer.add_uint32("test.uint32", 4000000000)
    writer.add_int32("test.int32", -2000000000)
    writer.add_float32("test.float32", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "héllo\n")
    writer.add_uint64("test.uint64", 18000000000000000000)
    writer.add_int64("test.int64", -9000000000000000000)
    writer.add_float64("test.float64", 0.1)
    writer.add_array("test.array", [1, 2, 3])
    rows = rng.normal(size=(29, 64)).astype(np.float32)
    writer.add_tensor("token_embd.weight", gguf.quantize(rows, Type.Q8_0), raw_dtype=Type.Q8_0)
    matrix = rng.normal(size=(96, 64)).astype(np.float32)
    writer.add_tensor("blk.0.ffn_gate.weight", gguf.quantize(matrix, Type.Q4_1), raw_dtype=Type.Q4_1)
    writer.add_tensor("output_norm.weight", np.arange(64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    (OUT / "blocks.bin").write_bytes(make_blocks(rng))
    (OUT / "quantized.bin").write_bytes(make_quantized(rng))
    write_tiny_llama(rng, OUT / "tiny_llama.gguf")
    for path in sorted(OUT.iterdir()):
        print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
