#!/usr/bin/env python3
"""Hangar and llama.cpp on the same machine, model and threads, in turn: `./dev bench`.

Every round runs both programs on each model, in changing order, so that whatever else the machine does
falls on both. A figure is the median over rounds, with its range; the ratio is taken within each round and
then its median. Model A is the default model as it comes (Q4_1); model B is the same requantized to Q4_0
by llama.cpp, a form it has its fastest kernels for.

Prefill: ppN reads N tokens; decode: tgN writes N tokens after an empty context. Tokens per second.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

LLAMA_CPP = "llama-cpp-python 0.3.36 (llama.cpp 0c1e57098), GGML_NATIVE"
ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hangar"
BEGIN, END = "<!-- compare.py: begin -->", "<!-- compare.py: end -->"


def output_of(command):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n"
                 + done.stderr.decode(errors="replace")[-2000:])
    return done.stdout.decode()


def hangar(options, model, *flags):
    """{test: tokens per second}; `flags`: more of `hangar bench model`."""
    rows = json.loads(output_of([options.hangar, "bench", "model", "--json", "-p", options.prompt,
                                 "-n", options.generate, "--threads", options.threads, "--model", model, *flags]))
    return {row["test"]: statistics.median(row["tokens_per_s"]) for row in rows}


def llama_cpp(options, model):
    rows = json.loads(output_of([options.peer / "llama-bench", "-m", model, "-p", options.prompt,
                                 "-n", options.generate, "-t", options.threads, "-r", 1, "-o", "json"]))
    return {f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}": row["avg_ts"] for row in rows}


def requantized(options):
    """Model B; made once, beside the peer."""
    path = options.peer.parent.parent / (options.model.stem + ".requantized-Q4_0.gguf")
    if not path.exists():
        part = path.with_suffix(".part")
        subprocess.run([str(options.peer / "llama-quantize"), "--allow-requantize", str(options.model),
                        str(part), "Q4_0", str(options.threads)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        part.rename(path)
    return path


def models_of(options):
    models = {"A: Q4_1 as shipped": options.model}
    if not options.only_shipped:
        models["B: requantized to Q4_0"] = requantized(options)
    return models


def device():
    name = platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    sets = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f in flags]
    return f"{name}, {len(os.sched_getaffinity(0))} processors, {' '.join(sets)}"


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": values}


def measure(options, models):
    """{model: {test: {program: [tokens per second a round]}}}"""
    programs = {"hangar": hangar, "llama.cpp": llama_cpp}
    figures = {}
    for number in range(options.rounds):
        for label, path in models.items():
            order = list(programs) if number % 2 == 0 else list(reversed(programs))
            for program in order:
                for test, speed in programs[program](options, path).items():
                    figures.setdefault(label, {}).setdefault(test, {}).setdefault(program, []).append(speed)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return figures


def spread(values, digits):
    return f"{values['median']:.{digits}f} ({values['min']:.{digits}f} to {values['max']:.{digits}f})"


def table(results):
    lines = ["| model | test | Hangar tokens/s | llama.cpp tokens/s | Hangar / llama.cpp |",
             "| --- | --- | --- | --- | --- |"]
    for row in results:
        lines.append(f"| {row['model']} | {row['test']} | {spread(row['hangar'], 1)}"
                     f" | {spread(row['llama.cpp'], 1)} | {spread(row['ratio'], 2)} |")
    return "\n".join(lines)


def update_docs(path, text, begin=BEGIN, end=END):
    old = path.read_text() if path.exists() else "# Benchmarks\n"
    block = f"{begin}\n{text}\n{end}"
    if begin in old and end in old:
        new = old[: old.index(begin)] + block + old[old.index(end) + len(end):]
    else:
        new = old.rstrip("\n") + "\n\n" + block + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(new)


def report(options, made, text, begin=BEGIN, end=END):
    """How every comparison ends: figures to its file, the table to the terminal and, if asked, to the docs."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(made, indent=1) + "\n")
    print(text)
    if options.update_docs:
        update_docs(ROOT / "docs/benchmarks.md", text, begin, end)


def parser_of(verb, doc, name, rounds=5):
    """What all the comparisons are told; `name`: of the file that the figures go to."""
    parser = argparse.ArgumentParser(prog=f"./dev {verb}", description=doc.split("\n")[0])
    parser.add_argument("--hangar", type=pathlib.Path, default=ROOT / "build/release/hangar")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--peer", type=pathlib.Path, default=CACHE / "peers/llama_cpp-0.3.36/build/bin",
                        help="the folder of llama.cpp's programs")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / f"build/bench/{name}.json")
    parser.add_argument("--update-docs", action="store_true", help="write the table into docs/benchmarks.md")
    return parser


def main():
    parser = parser_of("bench", __doc__, "compare")
    parser.add_argument("-p", "--prompt", default="128,512", help="prefill lengths")
    parser.add_argument("-n", "--generate", default="128", help="decode lengths")
    parser.add_argument("--only-shipped", action="store_true", help="leave model B out")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")

    figures = measure(options, models_of(options))
    results = []
    for model, tests in figures.items():
        for test, programs in tests.items():
            if set(programs) != {"hangar", "llama.cpp"}:
                sys.exit(f"{test} was measured by {', '.join(programs)} only: the two disagree on their tests")
            ratios = [a / b for a, b in zip(programs["hangar"], programs["llama.cpp"])]
            results.append({"model": model, "test": test, "ratio": summary(ratios),
                            **{name: summary(values) for name, values in programs.items()}})

    made = {
        "date": datetime.date.today().isoformat(),
        "device": device(),
        "threads": options.threads,
        "rounds": options.rounds,
        "command": f"./dev bench --threads {options.threads} --rounds {options.rounds}",
        "llama_cpp": LLAMA_CPP,
    }
    text = (f"{made['device']}; {made['threads']} threads; {made['date']}; `{made['command']}`;"
            f" {made['llama_cpp']}. Median of {made['rounds']} rounds (least to most).\n\n" + table(results))
    report(options, {**made, "results": results}, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
