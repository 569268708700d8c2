#!/usr/bin/env python3
"""How Hangar and llama.cpp behave beside others: `./dev bench neighbours`.

Two things. What a server that nobody asks anything takes of a processor: its time over a minute, after a first
answer. And what is left of the speed of one stream (tg128) while other processes are busy without end: with as many
threads as processors and N busy processes, a program that shares fairly keeps about threads / (threads + N); one
whose threads wait for each other turn by turn keeps far less. Runs are in turn, quiet and busy; medians of rounds.
"""

import argparse
import contextlib
import datetime
import os
import pathlib
import subprocess
import sys
import time

import compare
import compare_cpu
import compare_serving

BEGIN, END = "<!-- neighbours.py: begin -->", "<!-- neighbours.py: end -->"
BUSY = [sys.executable, "-c", "while True: pass"]


@contextlib.contextmanager
def busy_processes(count):
    processes = [subprocess.Popen(BUSY, stdin=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def processor_seconds(pid):
    """User and system time of a process and its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_percent(options, program):
    """Of one processor."""
    name = compare_cpu.warm_up(options, program, options.model).name
    with compare_serving.started(program, options, options.model) as (process, url, log):
        compare_cpu.first_token(process, url, log, name)
        time.sleep(1)
        before, began = processor_seconds(process.pid), time.monotonic()
        time.sleep(options.idle_seconds)
        return 100 * (processor_seconds(process.pid) - before) / (time.monotonic() - began)


def decode_speed(options, program):
    lengths = argparse.Namespace(**{**vars(options), "prompt": "0", "generate": "128"})
    measured = {"hangar": compare.hangar, "llama.cpp": compare.llama_cpp}[program](lengths, options.model)
    return measured["tg128"]


def kept_of(quiet, busy):
    """The share of the speed that is left, from one round to the next."""
    return compare.summary([b / q for q, b in zip(quiet, busy)])


def measure(options):
    speeds = {program: {n: [] for n in (0, *options.busy)} for program in ("hangar", "llama.cpp")}
    for _ in range(options.rounds):
        for program, of_program in speeds.items():
            for count, values in of_program.items():
                with busy_processes(count):
                    values.append(decode_speed(options, program))
    return {program: {"idle_percent": idle_percent(options, program),
                      "quiet": compare.summary(of_program[0]),
                      "busy": {n: {"tokens_per_s": compare.summary(of_program[n]),
                                   "kept": kept_of(of_program[0], of_program[n])} for n in options.busy}}
            for program, of_program in speeds.items()}


def table(options, results):
    ours, theirs = results["hangar"], results["llama.cpp"]
    lines = ["| what | Hangar | llama.cpp | fair share |", "| --- | --- | --- | --- |",
             f"| an idle server, % of a processor over {options.idle_seconds} s"
             f" | {ours['idle_percent']:.2f} | {theirs['idle_percent']:.2f} | |",
             f"| one stream, tokens/s, quiet | {compare.spread(ours['quiet'], 1)}"
             f" | {compare.spread(theirs['quiet'], 1)} | |"]
    for count in options.busy:
        figures = [f"{compare.spread(result['busy'][count]['tokens_per_s'], 1)}:"
                   f" {100 * result['busy'][count]['kept']['median']:.0f}%" for result in (ours, theirs)]
        fair = 100 * options.threads / (options.threads + count)
        lines.append(f"| beside {count} busy process{'es' if count > 1 else ''} | {figures[0]} | {figures[1]}"
                     f" | {fair:.0f}% |")
    return "\n".join(lines)


def main():
    parser = compare.parser_of("bench neighbours", __doc__, "neighbours", rounds=5)
    parser.add_argument("--idle-seconds", type=int, default=60)
    parser.add_argument("--busy", default="1,2", help="numbers of busy processes")
    parser.add_argument("--hangar-flags", default="", help="more flags of `hangar serve`")
    options = parser.parse_args()
    options.busy = [int(word) for word in options.busy.split(",")]
    if options.rounds < 1 or options.idle_seconds < 1 or min(options.busy) < 1:
        parser.error("--rounds, --idle-seconds and --busy are at least 1")

    results = measure(options)
    made = {"date": datetime.date.today().isoformat(), "device": compare.device(), "threads": options.threads,
            "rounds": options.rounds, "llama_cpp": compare.LLAMA_CPP,
            "command": f"./dev bench neighbours --threads {options.threads} --rounds {options.rounds}"}
    text = (f"{made['device']}; {made['threads']} threads; {made['date']}; `{made['command']}`; {made['llama_cpp']};"
            f" the default model as shipped. Median of {made['rounds']} rounds (least to most).\n\n"
            + table(options, results))
    compare.report(options, {**made, "results": results}, text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
