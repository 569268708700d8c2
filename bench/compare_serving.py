#!/usr/bin/env python3
"""Hangar's server and llama.cpp's under the same load, in turn: `./dev bench serving`.

Every round starts each server on each model, in changing order, one at a time, and puts the load on it with
`hangar bench serve`: a closed loop of 1, 4 and 16 clients over /v1/completions, streamed, greedy, ignore_eos,
prompts of 100 tokens that share nothing, answers of 128. A figure is the median over rounds, with its range;
a ratio is taken within each round and then its median. Models A and B: see compare.py.
"""

import contextlib
import datetime
import json
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import compare

BEGIN, END = "<!-- compare_serving.py: begin -->", "<!-- compare_serving.py: end -->"
FIGURES = {"tokens_per_s": 1, "ttft_p50": 0, "ttft_p99": 0, "itl_p50": 1, "itl_p99": 1}  # and digits shown
LLAMA_CPP = ("--parallel", "16", "--cont-batching", "--ctx-size", "8192", "--cache-ram", "0")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command_of(program, options, model, port):
    if program == "hangar":
        return [options.hangar, "serve", "--model", model, "--threads", options.threads, "--port", port,
                *options.hangar_flags.split()]
    return [options.peer / "llama-server", "--model", model, "--threads", options.threads, "--port", port,
            "--host", "127.0.0.1", *LLAMA_CPP]


def wait_healthy(process, url, log):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(url + "/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.05)
    log.seek(0)
    sys.exit(f"{url} never answered:\n" + log.read().decode(errors="replace")[-2000:])


@contextlib.contextmanager
def started(program, options, model, flags=()):
    """A server that was started this moment: its process, its URL, its log."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(list(map(str, [*command_of(program, options, model, port), *flags])),
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield process, f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def server(program, options, model):
    with started(program, options, model) as (process, url, log):
        wait_healthy(process, url, log)
        yield url


def load(options, url, clients, seed):
    """One run of the load generator: its figures."""
    done = subprocess.run(
        list(map(str, [options.hangar, "bench", "serve", "--url", url, "--endpoint", "completions",
                       "--concurrency", clients, "--requests", max(options.requests * clients, 6),
                       "--prompt-tokens", f"fixed:{options.prompt}", "--output-tokens", f"fixed:{options.output}",
                       "--seed", seed, "--json", "-"])),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"the load on {url} ended with {done.returncode}:\n" + done.stderr.decode(errors="replace")[-2000:])
    result = json.loads(done.stdout)
    if result["requests"]["failed"] or result["requests"]["unfinished"]:
        sys.exit(f"{url}: {result['requests']}: {result['errors']}")
    lengths = (result["prompt_length"]["p50"], result["output_length"]["min"], result["output_length"]["max"])
    if abs(lengths[0] - options.prompt) > options.prompt * 0.05 or lengths[1:] != (options.output, options.output):
        sys.exit(f"{url}: prompts and answers of {lengths} tokens are not the load that was asked for")
    return {"tokens_per_s": result["output_tokens_per_s"],
            "ttft_p50": result["ttft_ms"]["p50"], "ttft_p99": result["ttft_ms"]["p99"],
            "itl_p50": result["itl_ms"]["p50"], "itl_p99": result["itl_ms"]["p99"]}


def measure(options, models):
    """{(model, clients): {program: {figure: [a value a round]}}}"""
    figures = {}
    for number in range(options.rounds):
        for label, path in models.items():
            programs = ["hangar", "llama.cpp"]
            for program in programs if number % 2 == 0 else reversed(programs):
                with server(program, options, path) as url:
                    for clients in options.clients:
                        got = load(options, url, clients, 1000 * (number + 1) + clients)
                        row = figures.setdefault((label, clients), {}).setdefault(program, {})
                        for name in FIGURES:
                            row.setdefault(name, []).append(got[name])
                        print(f"round {number + 1}: {label}, {program}, {clients} clients:"
                              f" {got['tokens_per_s']:.1f} tokens/s, TTFT p50 {got['ttft_p50']:.0f} ms",
                              file=sys.stderr, flush=True)
    return figures


def results_of(figures):
    results = []
    for (model, clients), programs in figures.items():
        row = {"model": model, "clients": clients}
        for program, values in programs.items():
            row[program] = {name: compare.summary(values[name]) for name in FIGURES}
        for name in ("tokens_per_s", "ttft_p50"):
            pairs = zip(programs["hangar"][name], programs["llama.cpp"][name])
            # Always so that more is better for Hangar.
            row["ratio_" + name] = compare.summary([a / b if name == "tokens_per_s" else b / a for a, b in pairs])
        results.append(row)
    return results


def table(results):
    lines = ["| model | clients | server | output tokens/s | TTFT p50 ms | TTFT p99 ms | ITL p50 ms | ITL p99 ms"
             " | tokens/s, Hangar / llama.cpp | TTFT p50, llama.cpp / Hangar |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in results:
        for program, shown in (("hangar", "Hangar"), ("llama.cpp", "llama.cpp")):
            figures = row[program]
            ratios = ("", "")
            if program == "hangar":
                ratios = (compare.spread(row["ratio_tokens_per_s"], 2), compare.spread(row["ratio_ttft_p50"], 2))
            lines.append(f"| {row['model']} | {row['clients']} | {shown} | "
                         + " | ".join([*(compare.spread(figures[name], digits) for name, digits in FIGURES.items()),
                                       *ratios]) + " |")
    return "\n".join(lines)


def add_load_options(parser, requests):
    parser.add_argument("--requests", type=int, default=requests, help="requests of each client, at least 6 in all")
    parser.add_argument("--hangar-flags", default="", help="more flags of `hangar serve`")


def main():
    parser = compare.parser_of("bench serving", __doc__, "compare_serving", rounds=3)
    parser.add_argument("--clients", default="1,4,16", help="numbers of clients (llama.cpp has 16 places)")
    parser.add_argument("--prompt", type=int, default=100, help="tokens")
    parser.add_argument("--output", type=int, default=128, help="tokens")
    parser.add_argument("--only-shipped", action="store_true", help="leave model B out")
    add_load_options(parser, requests=3)
    options = parser.parse_args()
    options.clients = [int(word) for word in options.clients.split(",")]
    if options.rounds < 1 or options.requests < 1 or min(options.clients) < 1:
        parser.error("--rounds, --requests and --clients are at least 1")

    results = results_of(measure(options, compare.models_of(options)))
    flags = f" --hangar-flags {shlex.quote(options.hangar_flags)}" if options.hangar_flags else ""
    made = {
        "date": datetime.date.today().isoformat(),
        "device": compare.device(),
        "threads": options.threads,
        "rounds": options.rounds,
        "load": f"closed loop, {options.prompt} prompt tokens, {options.output} out, streamed, greedy, ignore_eos",
        "command": f"./dev bench serving --threads {options.threads} --rounds {options.rounds}"
                   f" --clients {','.join(map(str, options.clients))} --requests {options.requests}"
                   f" --prompt {options.prompt} --output {options.output}{flags}",
        "llama_cpp": f"llama-server of {compare.LLAMA_CPP}, " + " ".join(LLAMA_CPP),
    }
    text = (f"{made['device']}; {made['threads']} threads; {made['date']}; `{made['command']}`; {made['llama_cpp']}."
            f" Load: {made['load']}. Median of {made['rounds']} rounds (least to most); server and load generator share"
            " the processors.\n\n" + table(results))
    compare.report(options, {**made, "results": results}, text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
