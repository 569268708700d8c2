"""What gpu_table.py measures and what it is held to: formats, rows, and one list of targets.

Targets are for one NVIDIA H200 and the shape of Llama-3-8B (one row: 70B) with made-up weights. They, the
bounds (at 4.53 TB/s and 1.3 PFLOP/s in FP8) and the others' figures, taken on such a card on 2026-11-23, are
those of docs/benchmarks.md, "On a GPU". They hold for the same requests: random prompts, greedy, to their full
length, prefix cache off.
"""

import typing

SOURCE = 'docs/benchmarks.md, "On a GPU"'
CARD = "H200"
CARD_BYTES_PER_S = 4.53e12  # what the bounds and the targets were set for
ATTENTION_BENCH = "decode-64x4096"  # of hangar_cuda_bench
VLLM, LLAMA_CPP, TENSORRT = "vLLM 0.26.0", "llama.cpp 0c1e570, Q4_K_M", "TensorRT-LLM, published"
VLLM_FP8 = "vLLM 0.26.0, KV in BF16"


class Format(typing.NamedTuple):
    """How the model is kept; `rate`: how many times as fast as in BF16 its products could be."""

    key: str
    name: str
    flags: tuple
    rate: int = 2
    shape: str = "llama-3-8b"


FORMATS = (
    Format("bf16", "BF16", ("--quant", "none"), rate=1),
    Format("fp8", "FP8", ("--quant", "fp8")),
    Format("fp8-kv8", "FP8, KV too", ("--quant", "fp8", "--kv-type", "fp8")),
    Format("int4", "4 bits, head in 8", ("--quant", "int4", "--quant-head", "8")),
    Format("int4-70b", "4 bits, head in 8, 70B", ("--quant", "int4", "--quant-head", "8"), shape="llama-3-70b"),
)


class Row(typing.NamedTuple):
    """A line for each of `formats`. Rows of one group and format are measured by one process."""

    key: str
    what: str
    unit: str
    group: str
    requests: int
    prompt: int
    answer: int
    formats: tuple
    more_is_better: bool = True
    repeats: int = 1
    quick_repeats: int = 1
    at_once: int = 0  # requests; 0: the program's own
    flags: tuple = ()  # of the program, the same in a whole group


BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
THREE = ("bf16", "fp8", "int4")


def _decode(batch):
    what = "one stream" if batch == 1 else f"batch {batch}"
    formats = (*THREE, "int4-70b") if batch == 1 else THREE
    return Row(f"b{batch}", what, "tok/s", "decode", batch, 128, 256, formats, repeats=3)


def _deterministic(batch):
    """The row of `_decode` but for the mode, or the two could not be compared."""
    like = _decode(batch)
    return like._replace(key=f"deterministic-{like.key}", what=f"deterministic, {like.what}", group="deterministic",
                         formats=THREE, repeats=1, flags=("--deterministic", "on"))


# Groups in the order in which they are measured: what takes long comes last.
ROWS = (
    Row("attention", "paged decode attention, 64 x 4,096", "% of bandwidth", "kernel", 64, 4096, 1, ("bf16",)),
    Row("start", "process start to first token", "s", "start", 1, 128, 1, THREE, False, 3),
    Row("first-token", "time to first token, 128 tokens", "ms", "start", 1, 128, 1, THREE, False, 20, 5),
    *(_decode(batch) for batch in BATCHES),
    Row("prefill", "prefill of 128 x 128 tokens", "tok/s", "prefill", 128, 128, 1, THREE, repeats=5, quick_repeats=2),
    Row("load-128-128", "128/128, 2,000 requests, 1,024 at once", "tok/s", "load", 2000, 128, 128, THREE,
        at_once=1024),
    *(_deterministic(batch) for batch in (1, 8, 64, 256)),
    Row("load-128-2048", "128/2048, 500 requests", "tok/s", "long-load", 500, 128, 2048, ("fp8", "fp8-kv8")),
    Row("load-1000-1000", "1000/1000, 1,000 requests", "tok/s", "long-load", 1000, 1000, 1000,
        ("bf16", "fp8", "fp8-kv8")),
)
GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))
OF_STREAMS = ("decode", "deterministic")  # groups whose requests are all under way at once
NOT_QUICK = ("deterministic", "long-load")  # groups that --quick runs only where they are named
ONE_BY_ONE = ("load", "long-load")  # groups whose rows have requests of their own


class Target(typing.NamedTuple):
    """0 or "": there is none."""

    row: str
    format: str
    bound: float = 0
    peer: float = 0
    peer_name: str = ""
    least: float = 0
    aim: float = 0


# In 16 bits.
_BF16 = (
    Target("b1", "bf16", 301, 203.9, VLLM, 245, 270),
    Target("b8", "bf16", 0, 1594, VLLM),
    Target("b32", "bf16", 0, 5781, VLLM),
    Target("b64", "bf16", 0, 10492, VLLM, 12500, 14000),
    Target("b128", "bf16", 0, 17267, VLLM),
    Target("b256", "bf16", 0, 20137, VLLM, 23000, 27000),
    Target("load-128-128", "bf16", 0, 15736, VLLM, 17500, 20000),
    Target("load-1000-1000", "bf16", 0, 8679, VLLM, 10000, 12000),
    Target("prefill", "bf16", 52000, 42700, VLLM, 45000, 48000),
    Target("first-token", "bf16", 0, 9.8, VLLM, 7, 5),
    Target("attention", "bf16", 100, 0, "", 80, 90),
    Target("start", "bf16", 0, 85.6, VLLM, 6, 2),
)
# In FP8 and in 4 bits.
_FEWER = (
    Target("b1", "fp8", 563, 286.2, VLLM, 400, 480),
    Target("b1", "int4", 1050, 277.8, LLAMA_CPP, 620, 780),
    Target("b8", "fp8", 4500, 2234, VLLM, 3000, 3600),
    Target("b8", "int4", 7500, 2067, VLLM, 4000, 5200),
    Target("b32", "fp8", 0, 7081, VLLM),
    Target("b32", "int4", 0, 7095, VLLM),
    Target("b64", "fp8", 20000, 14056, VLLM, 17000, 19000),
    Target("b64", "int4", 30000, 10743, VLLM, 18000, 24000),
    Target("b128", "fp8", 0, 21726, VLLM),
    Target("b128", "int4", 0, 17254, VLLM),
    Target("b256", "fp8", 49000, 28451, VLLM, 34000, 40000),
    Target("b256", "int4", 49000, 0, "", 34000, 42000),
    Target("load-128-128", "fp8", 34000, 23887, VLLM, 27500, 31000),
    Target("load-128-128", "int4", 34000, 15898, VLLM, 27500, 32000),
    Target("load-1000-1000", "fp8", 15000, 10427, VLLM_FP8, 12500, 14000),
    Target("load-1000-1000", "fp8-kv8", 22000, 17744, TENSORRT, 16500, 19000),
    Target("load-128-2048", "fp8", 22000, 16467, VLLM_FP8, 19000, 21000),
    Target("load-128-2048", "fp8-kv8", 35000, 26221, TENSORRT, 26500, 30000),
    Target("prefill", "fp8", 87000, 64800, VLLM, 70000, 80000),
    Target("prefill", "int4", 0, 39100, VLLM),
    Target("first-token", "fp8", 0, 12.0, VLLM),
    Target("first-token", "int4", 0, 9.4, VLLM),
    Target("start", "fp8", 0, 98.5, VLLM),
    Target("b1", "int4-70b", 118, 0, "", 80, 100),
)
TARGETS = {(target.row, target.format): target for target in (*_BF16, *_FEWER)}


def names():
    """Everything that --only knows."""
    return (*(row.key for row in ROWS), *(one.key for one in FORMATS), *GROUPS)


def chosen(only=(), quick=False):
    """[(Format, [Row])], a process each, in the order of measuring; None where `only` has an unknown name."""
    if not set(only) <= set(names()):
        return None
    formats = {one.key for one in FORMATS} & set(only) or {one.key for one in FORMATS}
    rows = {row.key for row in ROWS if row.key in only or row.group in only}
    if not rows:
        rows = {row.key for row in ROWS if not (quick and row.group in NOT_QUICK)}
    processes = []
    for group in GROUPS:
        for one in FORMATS:
            if one.key not in formats:
                continue
            wanted = [row for row in ROWS if row.group == group and row.key in rows and one.key in row.formats]
            if group in ONE_BY_ONE:
                processes += [(one, [row]) for row in wanted]
            elif wanted:
                processes.append((one, wanted))
    return processes


def scaled(row, target, factor):
    """The target on a card whose memory is `factor` times as fast; others' figures stay what they are."""
    if factor == 1 or row.key in ("attention", "start"):
        return target
    by = factor if row.more_is_better else 1 / factor
    return target._replace(bound=target.bound * by, least=target.least * by, aim=target.aim * by)
