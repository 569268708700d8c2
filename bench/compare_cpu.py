#!/usr/bin/env python3
"""Everything the CPU backend is held to, beside llama.cpp, in one table: `./dev bench cpu`.

Every round runs Hangar on the default model as it comes (A, Q4_1) and llama.cpp on A and on B (A requantized
to Q4_0, for which it has its fastest kernels), in changing order. A figure is the median over rounds with its
range. Each row is held against the better of llama.cpp's two files in that row: the ratio is taken within each
round and then its median. Where less is better the ratio is Hangar's share of llama.cpp's figure.

Speeds: `hangar bench model` beside llama-bench and llama-batched-bench. Servers: started anew in each round;
the start is from the process's first moment to the first token of a prompt of about 100 tokens, with files in
the page cache and Hangar's weights prepared; memory is what is resident then, less what the KV pool takes of it;
then `hangar bench serve` puts the load on it.
"""

import argparse
import datetime
import http.client
import json
import math
import pathlib
import re
import statistics
import sys
import time
import typing
import urllib.parse
import urllib.request

import compare
import compare_serving

BEGIN, END = "<!-- compare_cpu.py: begin -->", "<!-- compare_cpu.py: end -->"
STREAMS = 16
PROMPT, OUTPUT = 100, 128
# About 100 tokens in any vocabulary.
START_PROMPT = " ".join(["The", *(["sun rises over the hills and"] * 16)])
SUBJECTS = ("hangar", "A", "B")


class Row(typing.NamedTuple):
    """One line of the table; the targets are ratios to llama.cpp's figure, or figures if absolute."""

    key: str
    what: str
    digits: int
    more_is_better: bool
    least: float
    aim: float
    absolute: bool = False

    def meets(self, value, target):
        return value >= target if self.more_is_better else value <= target


ROWS = (
    Row("prefill", "prefill, 512 tokens, tokens/s", 0, True, 2.0, 3.5),
    Row("decode", "one stream, decode, tokens/s", 1, True, 1.2, 1.45),
    Row("decode_16", f"{STREAMS} streams, decode, all together, tokens/s", 0, True, 2.2, 4.0),
    Row("served", f"server, {STREAMS} clients, {PROMPT} in / {OUTPUT} out, tokens/s", 0, True, 2.5, 4.0),
    Row("served_ttft_ms", f"server, {STREAMS} clients, TTFT p50, ms", 0, False, 1 / 3, 1 / 6),
    # 90 and 50 ms where llama.cpp takes 170.
    Row("one_ttft_ms", f"server, one client, TTFT p50, {PROMPT} tokens, ms", 1, False, 90 / 170, 50 / 170),
    # 0.4 and 0.2 s where llama.cpp takes 0.80.
    Row("start_s", "process start to first token, warm cache, s", 3, False, 0.4 / 0.8, 0.2 / 0.8),
    Row("memory_mib", "memory after load, KV pool left out, MiB", 0, False, 115.0, 105.0, absolute=True),
)


# --- what is measured ------------------------------------------------------------------------------


def hangar_speeds(options, model):
    speeds = compare.hangar(with_lengths(options, "512", "128"), model)
    together = compare.hangar(with_lengths(options, "0", str(OUTPUT)), model, "--repeats", 1, "-d", 128, "-b", STREAMS)
    return {"prefill": speeds["pp512"], "decode": speeds["tg128"], "decode_16": only(together.values())}


def llama_cpp_speeds(options, model):
    speeds = compare.llama_cpp(with_lengths(options, "512", "128"), model)
    text = compare.output_of([options.peer / "llama-batched-bench", "-m", model, "-t", options.threads, "-c", 8192,
                              "-b", 2048, "-ub", 512, "-npp", 128, "-ntg", 128, "-npl", STREAMS,
                              "--output-format", "jsonl"])
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {"prefill": speeds["pp512"], "decode": speeds["tg128"], "decode_16": only(lines)["speed_tg"]}


def with_lengths(options, prompt, generate):
    """compare.py's options for one run of each program."""
    return argparse.Namespace(**{**vars(options), "prompt": prompt, "generate": generate})


def only(values):
    (value,) = values
    return value


def first_token(process, url, log, name, patience_s=120):
    """Asks until the server answers; returns when the first text of a completion has come."""
    address = urllib.parse.urlsplit(url)
    body = json.dumps({"model": name, "prompt": START_PROMPT, "max_tokens": 2, "temperature": 0, "stream": True})
    end = time.monotonic() + patience_s
    while time.monotonic() < end and process.poll() is None:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=patience_s)
        try:
            connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status == 200:
                if has_text(answer):
                    return
                sys.exit(f"{url} answers a prompt without text")
            if answer.status != 503:  # loading
                sys.exit(f"{url} answers a prompt with {answer.status}: {answer.read()[:500]}")
        except OSError:  # nobody listens yet
            pass
        finally:
            connection.close()
        time.sleep(0.002)
    log.seek(0)
    sys.exit(f"{url} gave no token:\n" + log.read().decode(errors="replace")[-2000:])


def has_text(answer):
    for line in answer:
        if line.startswith(b"data: {") and any(c.get("text") for c in json.loads(line[6:]).get("choices", [])):
            return True
    return False


def resident_mib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)[1]) / 1024


class Warm(typing.NamedTuple):
    """What a first start tells of a server."""

    name: str  # of its model
    kv_pool_mib: float | None  # of a pool that is filled when it is made; None: it takes memory where it is written


def warm_up(options, program, model):
    """Brings files into the page cache, Hangar's weights prepared (docs/preparing_models.md) among them.

    llama.cpp fills its KV pool when it makes it, and says how large it is if asked to say more.
    """
    if program == "hangar":
        compare.output_of([options.hangar, "models", "prepare", model])
    more = ("--verbosity", 4) if program == "llama.cpp" else ()
    with compare_serving.started(program, options, model, more) as (process, url, log):
        compare_serving.wait_healthy(process, url, log)
        with urllib.request.urlopen(url + "/v1/models", timeout=30) as answer:
            name = json.load(answer)["data"][0]["id"]
        first_token(process, url, log, name)
        log.seek(0)
        sizes = [float(size) for size in re.findall(rb"KV buffer size =\s*([\d.]+) MiB", log.read())]
    if program == "llama.cpp" and not sizes:
        sys.exit("llama-server does not say how large its KV pool is")
    return Warm(name, sum(sizes) if program == "llama.cpp" else None)


def written_kv_mib(url, patience_s=10):
    """The KV blocks that Hangar keeps once a prompt is done with: they are full, so all their bytes were written."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        with urllib.request.urlopen(url + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(r'^hangar_kv_blocks{.*state="(\w+)"} (\d+)$', text, re.M)
        blocks = {state: int(count) for state, count in found}
        if blocks["held"] == 0:
            pool = float(re.search(r"^hangar_kv_bytes{.*} (\S+)$", text, re.M)[1])
            return blocks["kept"] * pool / sum(blocks.values()) / 2**20
        time.sleep(0.01)
    sys.exit(f"{url} still holds KV blocks {patience_s} s after the only prompt")


def server_figures(options, program, model, warm, seed):
    load = argparse.Namespace(**{**vars(options), "prompt": PROMPT, "output": OUTPUT})
    began = time.monotonic()
    with compare_serving.started(program, options, model) as (process, url, log):
        first_token(process, url, log, warm.name)
        start_s = time.monotonic() - began
        kv_pool = written_kv_mib(url) if warm.kv_pool_mib is None else warm.kv_pool_mib
        memory = resident_mib(process.pid) - kv_pool
        one = compare_serving.load(load, url, 1, seed)
        many = compare_serving.load(load, url, STREAMS, seed + 1)
    return {"start_s": start_s, "memory_mib": memory, "one_ttft_ms": one["ttft_p50"],
            "served": many["tokens_per_s"], "served_ttft_ms": many["ttft_p50"]}


def measure(options, files):
    """{key: {subject: [a figure a round]}}; subjects are SUBJECTS, files their models."""
    figures = {row.key: {subject: [] for subject in SUBJECTS} for row in ROWS}
    program = {"hangar": "hangar", "A": "llama.cpp", "B": "llama.cpp"}
    speeds = {"hangar": hangar_speeds, "llama.cpp": llama_cpp_speeds}
    warm = {subject: warm_up(options, program[subject], files[subject]) for subject in SUBJECTS}
    for number in range(options.rounds):
        for i in range(len(SUBJECTS)):
            subject = SUBJECTS[(i + number) % len(SUBJECTS)]
            got = speeds[program[subject]](options, files[subject])
            got |= server_figures(options, program[subject], files[subject], warm[subject], 1000 * (number + 1))
            for key, value in got.items():
                figures[key][subject].append(value)
            print(f"round {number + 1} of {options.rounds}: {subject}: "
                  + ", ".join(f"{key} {value:.4g}" for key, value in got.items()), file=sys.stderr, flush=True)
    return figures


# --- what it comes to ------------------------------------------------------------------------------


def result_of(row, values):
    """One row's figures, the ratio to the better of llama.cpp's files, and the verdict."""
    medians = {subject: statistics.median(values[subject]) for subject in ("A", "B")}
    better = (max if row.more_is_better else min)(medians, key=medians.get)
    ratio = compare.summary([ours / theirs for ours, theirs in zip(values["hangar"], values[better])])
    held = statistics.median(values["hangar"]) if row.absolute else ratio["median"]
    verdict = "aim" if row.meets(held, row.aim) else "pass" if row.meets(held, row.least) else "FAIL"
    return {"row": row.key, "what": row.what, "better": better, "ratio": ratio, "verdict": verdict,
            "least": row.least, "aim": row.aim, "absolute": row.absolute,
            **{subject: compare.summary(values[subject]) for subject in SUBJECTS}}


def target_text(row, target):
    if row.absolute:
        return f"{target:.0f}"
    return f"{target:.2f}x" if math.isclose(target, round(target, 2)) else f"{target:.3f}x"


def table(results):
    lines = ["| what | Hangar | llama.cpp A | llama.cpp B | Hangar / better | at least | aim | |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row, result in zip(ROWS, results):
        figures = [compare.spread(result[subject], row.digits) for subject in SUBJECTS]
        relation = ("" if row.more_is_better else "at most ")
        lines.append("| " + " | ".join([
            row.what, *figures, f"{compare.spread(result['ratio'], 2)} of {result['better']}",
            relation + target_text(row, row.least), relation + target_text(row, row.aim), result["verdict"]]) + " |")
    return "\n".join(lines)


def main():
    parser = compare.parser_of("bench cpu", __doc__, "compare_cpu")
    compare_serving.add_load_options(parser, requests=2)
    options = parser.parse_args()
    if options.rounds < 1 or options.requests < 1:
        parser.error("--rounds and --requests are at least 1")

    files = {"hangar": options.model, "A": options.model, "B": compare.requantized(options)}
    figures = measure(options, files)
    results = [result_of(row, figures[row.key]) for row in ROWS]
    made = {
        "date": datetime.date.today().isoformat(),
        "device": compare.device(),
        "threads": options.threads,
        "rounds": options.rounds,
        "command": f"./dev bench cpu --threads {options.threads} --rounds {options.rounds}"
                   f" --requests {options.requests}",
        "llama_cpp": compare.LLAMA_CPP,
    }
    text = (f"{made['device']}; {made['threads']} threads; {made['date']}; `{made['command']}`; {made['llama_cpp']}."
            f" Median of {made['rounds']} rounds (least to most).\n\n" + table(results))
    compare.report(options, {**made, "results": results}, text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
