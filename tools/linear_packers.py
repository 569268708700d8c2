"""Packs matrices as quantized Hugging Face checkpoints store them, and reads them back, with the Python
packages that define the formats. Used by make_linear_format_golden.py and make_quantized_checkpoints.py.

Needs torch, transformers and numpy; compressed-tensors (pip install compressed-tensors); and the unpacked
sources of autoawq and gptqmodel, whose pure torch parts alone are imported (their packages import CUDA
kernels):

    pip download --no-deps --no-build-isolation --no-binary :all: autoawq==0.2.9 gptqmodel==7.7.0
    pip install --no-deps pypcre logbar threadpoolctl device-smi tokenicer defuser

    PACKERS_AUTOAWQ=autoawq-0.2.9 PACKERS_GPTQMODEL=gptqmodel-7.7.0 python3 ...

Every read gives float32: scales are widened before the reader multiplies. Weights are rounded to nearest.
"""

import functools
import importlib
import os
import sys
import types

import torch


def _bare_package(name, path):
    """A package of which only submodules are imported: its __init__ does not run."""
    module = types.ModuleType(name)
    module.__path__ = [path]
    sys.modules[name] = module
    return module


@functools.lru_cache
def _awq():
    root = os.path.abspath(os.environ["PACKERS_AUTOAWQ"])
    for name in ("awq", "awq.utils", "awq.modules", "awq.modules.linear"):
        _bare_package(name, os.path.join(root, *name.split(".")))
    return (importlib.import_module("awq.modules.linear.gemm"),
            importlib.import_module("awq.utils.packing_utils"))


@functools.lru_cache
def _gptq():
    root = os.path.abspath(os.environ["PACKERS_GPTQMODEL"])
    _bare_package("gptqmodel", os.path.join(root, "gptqmodel")).DEBUG_ON = False
    _bare_package("gptqmodel.models", os.path.join(root, "gptqmodel", "models"))
    linear = importlib.import_module("gptqmodel.nn_modules.qlinear.torch")
    convert = importlib.import_module("gptqmodel.utils.model")
    base = importlib.import_module("gptqmodel.nn_modules.qlinear")
    return linear.TorchLinear, convert, base.PackableQuantLinear


def _linear(weight):
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight.data = weight.float()
    return linear


def group_ranges(weight, group_size, group_of=None):
    """Least and greatest of each row's groups, 0 among them: two [rows, groups]."""
    rows, columns = weight.shape
    if group_of is None:
        group_of = torch.arange(columns) // (columns if group_size == -1 else group_size)
    groups = int(group_of.max()) + 1
    least = torch.zeros(rows, groups)
    greatest = torch.zeros(rows, groups)
    for g in range(groups):
        part = weight[:, group_of == g].float()
        least[:, g] = part.amin(1).clamp(max=0)
        greatest[:, g] = part.amax(1).clamp(min=0)
    return least, greatest


def scales_and_zeros(weight, bits, group_size, symmetric, group_of=None):
    least, greatest = group_ranges(weight, group_size, group_of)
    most = 2**bits - 1
    if symmetric:
        scales = torch.maximum(-least, greatest) * 2 / most
        zeros = torch.full_like(scales, 2 ** (bits - 1))
    else:
        scales = (greatest - least) / most
        zeros = (-least / scales.clamp(min=1e-10)).round().clamp(0, most)
    scales = scales.clamp(min=1e-6).half().float()
    return scales, zeros


def awq_pack(weight, group_size):
    gemm, _ = _awq()
    scales, zeros = scales_and_zeros(weight, 4, group_size, symmetric=False)
    # from_linear does not clamp: what rounds past the ends is brought back first.
    size = weight.shape[1] if group_size == -1 else group_size
    wide_scales, wide_zeros = (x.repeat_interleave(size, 1) for x in (scales, zeros))
    inside = ((weight / wide_scales + wide_zeros).round().clamp(0, 15) - wide_zeros) * wide_scales
    module = gemm.WQLinear_GEMM.from_linear(
        _linear(inside), 4, size, scales=scales.T.contiguous(), zeros=zeros.T.contiguous())
    return {"qweight": module.qweight, "qzeros": module.qzeros, "scales": module.scales}


def awq_read(tensors, group_size):
    _, packing = _awq()
    size = tensors["qweight"].shape[0] if group_size == -1 else group_size
    return packing.dequantize_gemm(
        tensors["qweight"], tensors["qzeros"], tensors["scales"].float(), 4, size).T.contiguous()


def _gptq_module(rows, columns, bits, group_size, symmetric, act_order):
    return _gptq()[0](bits=bits, group_size=group_size, sym=symmetric, desc_act=act_order,
                      in_features=columns, out_features=rows, bias=False)


def gptq_pack(weight, bits, group_size, symmetric, g_idx=None, v2=False, zeros=None):
    """g_idx: the group of each input, None for groups of neighbours. zeros: [rows, groups], or found."""
    _, convert, _ = _gptq()
    rows, columns = weight.shape
    group_of = g_idx
    if group_of is None:
        group_of = torch.arange(columns) // (columns if group_size == -1 else group_size)
    scales, found = scales_and_zeros(weight, bits, group_size, symmetric, group_of)
    module = _gptq_module(rows, columns, bits, group_size, symmetric, g_idx is not None)
    module.pack_original(_linear(weight), scales, found if zeros is None else zeros.float(),
                         group_of.to(torch.int32))
    if not v2:
        module.bits = bits
        convert.convert_gptq_v2_to_v1_format_module(module, types.SimpleNamespace(
            bits=bits, pack_dtype=torch.int32))
    return {"qweight": module.qweight, "qzeros": module.qzeros, "scales": module.scales,
            "g_idx": module.g_idx}


def gptq_read(tensors, bits, group_size, symmetric, v2=False):
    _, convert, base = _gptq()
    rows = tensors["scales"].shape[1]
    columns = len(tensors["g_idx"])
    module = _gptq_module(rows, columns, bits, group_size, symmetric, True)
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor.clone())
    if not v2:
        convert.convert_gptq_v1_to_v2_format_module(module, bits, torch.int32)
    module.scales = module.scales.float()
    return base.dequantize_weight(module).T.contiguous()


def _scheme(arguments):
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    return QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**arguments))


def _compressor(kind):
    from compressed_tensors.compressors import BaseCompressor
    return BaseCompressor.get_value_from_registry(kind)


def compressed_pack(weight, kind, arguments, scale_dtype=torch.float32):
    """kind: "pack-quantized", ...; arguments: of QuantizationArgs."""
    from compressed_tensors.quantization.utils import calculate_qparams
    scheme = _scheme(arguments)
    strategy = arguments["strategy"]
    weight = weight.float()
    if strategy == "block":
        height, width = arguments["block_structure"]
        blocks = [torch.stack([b.abs().max() for b in band.split(width, 1)])
                  for band in weight.split(height, 0)]
        greatest = torch.stack(blocks)
        least = -greatest
    elif strategy == "tensor":
        least, greatest = weight.min().reshape(1), weight.max().reshape(1)
    else:
        size = arguments["group_size"] if strategy == "group" else -1
        least, greatest = group_ranges(weight, size)
    scales, zeros = calculate_qparams(least, greatest, scheme.weights)
    state = {"weight": weight, "weight_scale": scales.to(scale_dtype).float(),
             "weight_zero_point": zeros.to(torch.int8) if not scheme.weights.symmetric else None}
    out = _compressor(kind).compress(state, scheme)
    out["weight_scale"] = out["weight_scale"].to(scale_dtype)
    return {name: tensor for name, tensor in out.items() if tensor is not None}


def compressed_read(tensors, kind, arguments):
    state = dict(tensors)
    state["weight_scale"] = state["weight_scale"].float()
    return _compressor(kind).decompress(state, _scheme(arguments))["weight"].float()


def fp8_pack(weight, block=None, per_channel=False):
    """block: (rows, columns) that divide the weight's, or None."""
    weight = weight.float()
    rows, columns = weight.shape
    height, width = block or ((1, columns) if per_channel else (rows, columns))
    tiles = weight.reshape(rows // height, height, columns // width, width)
    scales = tiles.abs().amax((1, 3)).clamp(min=1e-12) / torch.finfo(torch.float8_e4m3fn).max
    stored = (tiles / scales[:, None, :, None]).reshape(rows, columns).to(torch.float8_e4m3fn)
    if block:
        return {"weight": stored, "weight_scale_inv": scales}
    return {"weight": stored, "weight_scale": scales if per_channel else scales.reshape(())}


def fp8_read(tensors):
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize
    scales = tensors.get("weight_scale_inv", tensors.get("weight_scale"))
    return Fp8Dequantize(None)._dequantize_one(tensors["weight"], scales, torch.float32)
