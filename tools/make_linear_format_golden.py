#!/usr/bin/env python3
"""Makes tests/data/formats/linear_formats.{json,bin}: small linear layers in every quantized form that
formats/hf/linear_format reads, and the float32 weights that the formats' own Python readers make of them.

What it needs, and how to run it, is in linear_packers.py. The output depends on the seed alone.
"""

import json
import pathlib

import linear_packers as packers
import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "formats"
TYPES = {torch.int32: "I32", torch.int64: "I64", torch.int8: "I8", torch.float32: "F32",
         torch.float16: "F16", torch.bfloat16: "BF16", torch.float8_e4m3fn: "F8_E4M3"}


class Golden:
    def __init__(self):
        self.data = bytearray()
        self.cases = []
        self.random = torch.Generator().manual_seed(22)

    def matrix(self, rows, columns):
        # Rows of different size, a few inputs that stand out.
        weight = torch.randn(rows, columns, generator=self.random) * 0.04
        weight *= torch.rand(rows, 1, generator=self.random) + 0.5
        weight[:, torch.randperm(columns, generator=self.random)[:3]] *= 8
        return weight

    def shuffled_groups(self, columns, size):
        groups = torch.arange(columns) // size
        return groups[torch.randperm(columns, generator=self.random)]

    def store(self, tensor):
        raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        at = len(self.data)
        self.data += raw
        return {"type": TYPES[tensor.dtype], "shape": list(tensor.shape), "at": at, "bytes": len(raw)}

    def add(self, name, config, tensors, expected, dtype, reordered=False):
        self.cases.append({
            "name": name, "config": config, "dtype": dtype, "reordered": reordered,
            "tensors": {key: self.store(value) for key, value in tensors.items()},
            "expected": self.store(expected)})

    def awq(self, name, rows, columns, size, dtype="INT4_G32"):
        tensors = packers.awq_pack(self.matrix(rows, columns), size)
        config = {"quant_method": "awq", "bits": 4, "group_size": size, "zero_point": True,
                  "version": "gemm", "modules_to_not_convert": None}
        self.add(name, config, tensors, packers.awq_read(tensors, size), dtype)

    def gptq(self, name, rows, columns, size, bits=4, symmetric=True, v2=False, g_idx=None,
             zeros=None, dtype=None):
        tensors = packers.gptq_pack(self.matrix(rows, columns), bits, size, symmetric, g_idx, v2, zeros)
        expected = packers.gptq_read(tensors, bits, size, symmetric, v2)
        config = {"quant_method": "gptq", "bits": bits, "group_size": size, "sym": symmetric,
                  "desc_act": g_idx is not None, "checkpoint_format": "gptq_v2" if v2 else "gptq",
                  "dynamic": {"-:.*lm_head.*": {}}, "pack_dtype": "int32"}
        if g_idx is None and v2:
            del tensors["g_idx"]  # as some writers leave it out
        dtype = dtype or f"INT{bits}_G32"
        self.add(name, config, tensors, expected, dtype, g_idx is not None and dtype != "F32")

    def compressed(self, name, rows, columns, kind, arguments, dtype, scale_dtype=torch.bfloat16):
        tensors = packers.compressed_pack(self.matrix(rows, columns), kind, arguments, scale_dtype)
        group = {"targets": ["Linear"], "weights": arguments}
        if kind != "pack-quantized":
            group["input_activations"] = {"num_bits": 8, "type": arguments["type"], "dynamic": True,
                                          "strategy": "token"}
        config = {"quant_method": "compressed-tensors", "format": kind, "ignore": ["lm_head"],
                  "quantization_status": "compressed", "config_groups": {"group_0": group},
                  "kv_cache_scheme": None}
        self.add(name, config, tensors, packers.compressed_read(tensors, kind, arguments), dtype)

    def fp8(self, name, rows, columns, method, block=None, per_channel=False):
        tensors = packers.fp8_pack(self.matrix(rows, columns), block, per_channel)
        config = {"quant_method": method}
        if method == "fp8":
            config["activation_scheme"] = "dynamic"
            if block:
                config["weight_block_size"] = list(block)
        self.add(name, config, tensors, packers.fp8_read(tensors), "F8_E4M3")


def integer(bits, strategy, size=None, symmetric=True):
    arguments = {"num_bits": bits, "type": "int", "strategy": strategy, "symmetric": symmetric}
    return arguments | ({"group_size": size} if size else {})


def floating(strategy, block=None):
    arguments = {"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": True}
    return arguments | ({"block_structure": block} if block else {})


def main():
    golden = Golden()
    golden.awq("awq g128", 32, 256, 128)
    golden.awq("awq g32", 64, 96, 32)
    golden.awq("awq one group", 32, 160, -1)
    golden.awq("awq g16", 32, 48, 16, dtype="F32")
    golden.gptq("gptq v1 g128", 24, 256, 128)
    golden.gptq("gptq v1 one group", 20, 160, -1)
    # Zero points 0 and 15: what is taken away and added again carries into the neighbours.
    zeros = torch.tensor([0, 15, 7, 8, 1, 14, 0, 0]).repeat(2).reshape(16, 1).repeat(1, 2)
    golden.gptq("gptq v1 g64 zeros at the ends", 16, 128, 64, symmetric=False, zeros=zeros)
    golden.gptq("gptq v2 g32 asymmetric", 20, 96, 32, symmetric=False, v2=True)
    golden.gptq("gptq v1 8 bits g32", 12, 96, 32, bits=8)
    golden.gptq("gptq v2 8 bits one group asymmetric", 10, 64, -1, bits=8, symmetric=False, v2=True)
    golden.gptq("gptq v1 act-order g32", 16, 160, 32, g_idx=golden.shuffled_groups(160, 32))
    golden.gptq("gptq v2 act-order g128 asymmetric", 9, 256, 128, symmetric=False, v2=True,
                g_idx=golden.shuffled_groups(256, 128))
    golden.gptq("gptq v1 act-order 8 bits g64", 8, 128, 64, bits=8,
                g_idx=golden.shuffled_groups(128, 64))
    golden.gptq("gptq v1 act-order g16", 8, 64, 16, g_idx=golden.shuffled_groups(64, 16), dtype="F32")
    pack = "pack-quantized"
    golden.compressed("packed g32", 20, 96, pack, integer(4, "group", 32), "INT4_G32")
    golden.compressed("packed g64 asymmetric", 20, 128, pack, integer(4, "group", 64, False), "INT4_G32",
                      torch.float32)
    golden.compressed("packed channel", 12, 160, pack, integer(4, "channel"), "INT4_G32", torch.float16)
    golden.compressed("packed channel asymmetric", 21, 64, pack, integer(4, "channel", None, False),
                      "INT4_G32")
    golden.compressed("packed 8 bits g128", 8, 128, pack, integer(8, "group", 128), "INT8_G32")
    golden.compressed("packed 8 bits channel asymmetric", 9, 96, pack,
                      integer(8, "channel", None, False), "INT8_G32")
    golden.compressed("packed, 72 inputs", 8, 72, pack, integer(4, "channel"), "F32")
    golden.compressed("int8 channel", 12, 96, "int-quantized", integer(8, "channel"), "INT8_G32")
    golden.compressed("int8 tensor", 8, 64, "int-quantized", integer(8, "tensor"), "INT8_G32",
                      torch.float32)
    golden.compressed("int8 channel asymmetric", 8, 96, "int-quantized",
                      integer(8, "channel", None, False), "INT8_G32", torch.float32)
    golden.compressed("float tensor", 8, 40, "float-quantized", floating("tensor"), "F8_E4M3")
    golden.compressed("float channel", 12, 33, "float-quantized", floating("channel"), "F8_E4M3")
    golden.compressed("float block", 24, 96, "float-quantized", floating("block", [16, 32]), "F8_E4M3",
                      torch.float32)
    golden.fp8("fp8 blocks", 32, 96, "fp8", block=(16, 32))
    golden.fp8("fp8 tensor", 8, 50, "fp8")
    golden.fp8("fbgemm fp8", 12, 64, "fbgemm_fp8", per_channel=True)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "linear_formats.bin").write_bytes(golden.data)
    text = "[\n" + ",\n".join(json.dumps(case) for case in golden.cases) + "\n]\n"
    (OUT / "linear_formats.json").write_text(text)
    print(len(golden.cases), "cases,", len(golden.data), "bytes")


if __name__ == "__main__":
    main()
