#!/usr/bin/env python3
"""Makes quantized versions of a Hugging Face folder by rounding to nearest, with the formats' own packers,
and beside each the float32 folder that the formats' own Python readers make of it.

    make_quantized_checkpoints.py BASE OUT [--only awq,gptq,...] [--group-size 64] [--no-dequantized]
    make_quantized_checkpoints.py --from-gguf MODEL.gguf BASE      (a BF16 folder of a GGUF file)

OUT/awq, gptq, gptq-actorder, gptq-8bit, ct, ct-asymmetric, ct-fp8, fp8, fp8-blocks and OUT/NAME-f32. Every
linear layer within the model's layers is quantized; embeddings, norms and the head are copied. fp8-blocks
wants sizes that 128 divides. What it needs is in linear_packers.py; --from-gguf needs gguf and accelerate.
"""

import argparse
import json
import pathlib
import shutil

import linear_packers as packers
import torch
from safetensors.torch import load_file, save_file


def tensors_of(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors.update(load_file(path))
    return tensors


def write_folder(base, out, tensors, quantization, dtype):
    out.mkdir(parents=True, exist_ok=True)
    for path in base.iterdir():
        if path.suffix != ".safetensors" and path.name != "model.safetensors.index.json":
            shutil.copy(path, out / path.name)
    config = json.loads((base / "config.json").read_text())
    config["torch_dtype"] = config["dtype"] = dtype
    if quantization:
        config["quantization_config"] = quantization
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file({k: v.contiguous() for k, v in tensors.items()}, out / "model.safetensors",
              metadata={"format": "pt"})


def act_order(weight, size):
    """Groups of inputs by the size of their weights, greatest first, as act-order makes them."""
    order = weight.float().norm(dim=0).argsort(descending=True)
    groups = torch.empty(weight.shape[1], dtype=torch.int64)
    groups[order] = torch.arange(weight.shape[1]) // size
    return groups


def compressed_config(kind, arguments, activations=None):
    group = {"targets": ["Linear"], "weights": arguments, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "format": kind, "ignore": ["lm_head"],
            "quantization_status": "compressed", "config_groups": {"group_0": group}}


def methods(size):
    """Name: (quantization_config, pack(weight), read(tensors))."""
    def gptq(bits, ordered):
        config = {"quant_method": "gptq", "bits": bits, "group_size": size, "sym": True,
                  "desc_act": ordered, "checkpoint_format": "gptq", "pack_dtype": "int32"}
        return (config,
                lambda w: packers.gptq_pack(w, bits, size, True, act_order(w, size) if ordered else None),
                lambda t: packers.gptq_read(t, bits, size, True))

    def compressed(kind, arguments, activations=None):
        return (compressed_config(kind, arguments, activations),
                lambda w: packers.compressed_pack(w, kind, arguments, torch.bfloat16),
                lambda t: packers.compressed_read(t, kind, arguments))

    def grouped(symmetric):
        return {"num_bits": 4, "type": "int", "strategy": "group", "group_size": size,
                "symmetric": symmetric}

    fp8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
    return {
        "awq": ({"quant_method": "awq", "bits": 4, "group_size": size, "zero_point": True,
                 "version": "gemm"},
                lambda w: packers.awq_pack(w, size), lambda t: packers.awq_read(t, size)),
        "gptq": gptq(4, False),
        "gptq-actorder": gptq(4, True),
        "gptq-8bit": gptq(8, False),
        "ct": compressed("pack-quantized", grouped(True)),
        "ct-asymmetric": compressed("pack-quantized", grouped(False)),
        "ct-fp8": compressed("float-quantized",
                             {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True},
                             {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True}),
        "fp8": (fp8, packers.fp8_pack, packers.fp8_read),
        "fp8-blocks": (fp8 | {"weight_block_size": [128, 128]},
                       lambda w: packers.fp8_pack(w, (128, 128)), packers.fp8_read),
    }


def quantize(base, out, name, method, dequantized):
    config, pack, read = method
    stored, floats = {}, {}
    for key, tensor in tensors_of(base).items():
        module = key.removesuffix(".weight")
        if ".layers." not in key or module == key or tensor.dim() != 2:
            stored[key] = tensor
            floats[key] = tensor.float()
            continue
        parts = pack(tensor.float())
        stored |= {f"{module}.{part}": value.clone() for part, value in parts.items()}
        floats[key] = read(parts) if dequantized else None
    write_folder(base, out / name, stored, config, "bfloat16")
    if dequantized:
        write_folder(base, out / f"{name}-f32", floats, None, "float32")
    print(out / name, flush=True)


def from_gguf(gguf_file, base):
    from transformers import AutoModelForCausalLM, AutoTokenizer
    folder, name = str(gguf_file.parent), gguf_file.name
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # what was read counts as quantized and would not be saved
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(base)
    AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(base)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    parser.add_argument("--from-gguf", type=pathlib.Path)
    parser.add_argument("--only", default="awq,gptq,gptq-actorder,ct,fp8")
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--no-dequantized", action="store_true")
    options = parser.parse_args()
    if options.from_gguf:
        from_gguf(options.from_gguf, options.base)
    if options.out:
        known = methods(options.group_size)
        for name in options.only.split(","):
            quantize(options.base, options.out, name, known[name], not options.no_dequantized)


if __name__ == "__main__":
    main()
