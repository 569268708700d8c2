#!/usr/bin/env python3
"""Includes go down the floors of the house and cross none of its walls (ARCHITECTURE.md)."""

import pathlib
import re
import sys

import common

FLOORS = {
    "base": 0,
    "tensor": 1, "text": 1, "store": 1, "kv": 1, "hub": 1,
    "sched": 2, "quant": 2,
    "formats": 3, "backend": 3, "comm": 3,
    "model": 4,
    "plan": 5,
    "engine": 6, "eval": 6,
    "serve": 7, "bench": 7,
    "cli": 8,
}

# folder: (what it may not reach, through any chain of our own headers; why)
WALLS = {
    "serve": (r"(backend|model|comm)/", "serve/ knows engines, not what they are made of"),
    "model": (r"(kv|sched)/", "model/ gets a batch; it never sees kv/ or sched/"),
    "sched": (
        r"backend/|(thread|mutex|shared_mutex|condition_variable|future|stop_token|semaphore|latch"
        r"|barrier|atomic|chrono|ctime|time\.h|sys/time\.h|pthread\.h)$",
        "sched/ and kv/ know no backend, no thread and no clock",
    ),
}
WALLS["kv"] = WALLS["sched"]

CUDA = re.compile(
    r"^(cuda|cublas|cudnn|curand|cusparse|nccl|nvtx|nvml|cooperative_groups|mma\.h|device_|cub/|thrust/|cutlass/|cute/"
    r"|flashinfer/)"
)
# Libraries that ask for quotes around their own headers.
QUOTED_LIBRARIES = ("hwy/",)
CUDA_FOLDERS = ("backend/cuda/", "comm/nccl/")
CUDA_WORDS = " and ".join(CUDA_FOLDERS)


def reach(src, path, cache):
    """Every include of path and of the project headers it includes: name -> by which chain."""
    if path in cache:
        return cache[path]
    cache[path] = {}
    found = {}
    for _, kind, name in common.includes(path):
        found.setdefault(name, [])
        target = src / name
        if kind == '"' and target.is_file():
            for deeper, chain in reach(src, target, cache).items():
                found.setdefault(deeper, [name] + chain)
    cache[path] = found
    return found


def check(root):
    src = pathlib.Path(root) / "src"
    problems, cache = [], {}
    for path in common.sources(root, ".h", ".cc", ".cu", ".cuh"):
        inside = path.relative_to(src).as_posix()
        folder = inside.split("/")[0] if "/" in inside else ""
        if folder not in FLOORS:
            problems.append(f"src/{inside}: no floor for the folder '{folder}'")
            continue
        for number, kind, name in common.includes(path):
            where = f"src/{inside}:{number}"
            if CUDA.match(name) and not inside.startswith(CUDA_FOLDERS):
                problems.append(f"{where}: <{name}>: only {CUDA_WORDS} include CUDA headers")
            if kind != '"' or name.startswith(QUOTED_LIBRARIES):
                continue
            other = name.split("/")[0]
            if ".." in name.split("/") or not (src / name).is_file():
                problems.append(f'{where}: "{name}" is no file under src/: include from src/ down')
            elif other != folder and FLOORS.get(other, 99) >= FLOORS[folder]:
                problems.append(
                    f'{where}: "{name}" climbs: {folder}/ is on floor {FLOORS[folder]},'
                    f" {other}/ on floor {FLOORS.get(other, '?')}"
                )
        if not inside.startswith(CUDA_FOLDERS):
            for name, chain in reach(src, path, cache).items():
                if chain and CUDA.match(name):
                    problems.append(f"src/{inside}: reaches <{name}> through {' > '.join(chain)}: only {CUDA_WORDS} may")
        if folder in WALLS:
            pattern, why = WALLS[folder]
            for name, chain in reach(src, path, cache).items():
                if re.match(pattern, name):
                    via = f" (through {' > '.join(chain)})" if chain else ""
                    problems.append(f"src/{inside}: includes {name}{via}: {why}")
    return problems + outside(root, src, cache)


def outside(root, src, cache):
    """CUDA headers in benchmarks and tests: in bench/cuda alone, which is built with the CUDA part."""
    problems = []
    for under in ("bench", "tests"):
        for path in common.sources(root, ".h", ".cc", ".cu", ".cuh", under=under):
            name = path.relative_to(root).as_posix()
            if name.startswith("bench/cuda/"):
                continue
            if path.name.endswith((".cu", ".cuh")):
                problems.append(f"{name}: CUDA sources lie in src/{CUDA_FOLDERS[0]} and bench/cuda/")
            for header in reach(src, path, cache):
                if CUDA.match(header):
                    problems.append(f"{name}: reaches <{header}>: of the benchmarks and tests only bench/cuda/ may")
    return problems


if __name__ == "__main__":
    sys.exit(common.main(check, "floors"))
