#!/usr/bin/env python3
"""Everything the CUDA backend is held to, in one table: `./dev bench --gpu`.

Runs `hangar bench engine` on the shape of Llama-3-8B (one row: 70B) with made-up weights in 16 bits, FP8 and 4 bits:
decode of 1 to 256 streams, loads, prefill, time to the first token, process start. Beside each figure stand the
bound, the best of others' figures and the targets (bench/gpu/targets.py). What the card reads and computes is measured
first, by hangar_cuda_bench. What deterministic mode costs of decode stands in a table of its own, held to nothing. A
missed target is told, and no failure; a row that cannot be run says why.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shlex
import signal
import sys

from gpu import measure, plot, runs, tables, targets

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHAPES = ROOT / "bench/shapes"
BEGIN, END = "<!-- gpu_table.py: begin -->", "<!-- gpu_table.py: end -->"
STOPPED_EXIT = 130
# In the tree, in a bundle, and where both programs lie beside bench/.
PLACES = ("build/cuda", "build/cuda/bin", "bin", ".")


def program(name):
    places = [ROOT / place / name for place in PLACES]
    return next((path for path in places if path.is_file()), places[0])


def options_of(arguments):
    parser = argparse.ArgumentParser(
        prog="./dev bench --gpu", description=__doc__.split("\n", maxsplit=1)[0],
        epilog="The kernels by themselves: ./dev bench --gpu kernels --help. With the card to itself, all of it takes"
               " some 12 minutes on an H200, --quick some 3.")
    parser.add_argument("--only", type=names_of, default=(), metavar="NAMES",
                        help="rows, groups of them and formats, separated by commas (--list)")
    parser.add_argument("--list", action="store_true", help="the names that --only knows")
    parser.add_argument("--quick", action="store_true", help="few repeats, no long loads, nothing deterministic")
    parser.add_argument("--repeats", type=positive, help="runs of each row, instead of its own number")
    parser.add_argument("--max-running", type=positive, help="of loads: requests computed at once (each row's own)")
    parser.add_argument("--json", type=pathlib.Path, metavar="PATH", help="the figures; written after each step")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="PATH",
                        help="the page; in a file that has one (docs/benchmarks.md) in its place")
    parser.add_argument("--plot", type=pathlib.Path, metavar="PATH", help="decode speed by streams, as SVG")
    parser.add_argument("--with", dest="earlier", type=pathlib.Path, action="append", default=[], metavar="JSON",
                        help="figures of an earlier run, for what is not run now; more than once")
    parser.add_argument("--render", action="store_true", help="run nothing: the tables of what --with names")
    parser.add_argument("--bandwidth", type=float, default=0, metavar="GB/S", help="what the card reads, if known")
    parser.add_argument("--flops", type=float, default=0, metavar="TFLOPS", help="what it computes in BF16, if known")
    parser.add_argument("--load", default="dummy", choices=("dummy", "dummy:uniform", "dummy:normal"),
                        help="which made-up weights")
    parser.add_argument("--limit", type=positive, default=600, metavar="S", help="of one process, in seconds (600)")
    parser.add_argument("--hangar", type=pathlib.Path, default=program("hangar"))
    parser.add_argument("--kernels", type=pathlib.Path, default=program("hangar_cuda_bench"))
    parser.add_argument("--shapes", type=pathlib.Path, default=SHAPES, help="where the shapes lie")
    parser.add_argument("--backend", default="cuda", help="what computes; another than cuda is held to nothing")
    parser.add_argument("--shape", type=pathlib.Path, help="another model in all rows, held to nothing")
    options = parser.parse_args(arguments)
    options.processes = targets.chosen(options.only, options.quick)
    if not options.render and not options.list and not options.processes:
        parser.error("--only leaves nothing to run: no such row in this format (--list)")
    if options.render and not options.earlier:
        parser.error("--render wants --with: figures to show")
    return options


def names_of(text):
    names = [name for name in text.split(",") if name]
    strange = sorted(set(names) - set(targets.names()))
    if strange:
        raise argparse.ArgumentTypeError(f"no such row or format: {', '.join(strange)}; there are "
                                         + ", ".join(targets.names()))
    return names


def positive(text):
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: wants a whole number of at least 1")
    return number


# --- what is written -------------------------------------------------------------------------------


class Files:
    """The three files; one that cannot be written is told of once and does not end the measuring."""

    def __init__(self):
        self.troubles = {}

    def write(self, path, text):
        part = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text)
            part.replace(path)
        except OSError as error:
            if path not in self.troubles:
                print(f"{path} cannot be written: {error.strerror}", file=sys.stderr)
            self.troubles[path] = error.strerror
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            return
        self.troubles.pop(path, None)  # it could be, in the end


def in_place(path, text):
    """The file with the block between its marks, or at its end."""
    old = path.read_text() if path.exists() else ""
    block = f"{BEGIN}\n{text}\n{END}"
    if BEGIN in old and END in old:
        return old[: old.index(BEGIN)] + block + old[old.index(END) + len(END):]
    return (old.rstrip("\n") + "\n\n" if old else "") + block + "\n"


def command_of(options):
    """As one would ask for the same figures anywhere: without the names of files."""
    words = ["./dev", "bench", "--gpu"]
    for name, value in (("--only", ",".join(options.only)), ("--repeats", options.repeats),
                        ("--max-running", options.max_running), ("--bandwidth", options.bandwidth),
                        ("--flops", options.flops), ("--load", options.load if options.load != "dummy" else ""),
                        ("--backend", options.backend if options.backend != "cuda" else "")):
        words += [name, f"{value:g}" if isinstance(value, float) else str(value)] if value else []
    return shlex.join([*words, *(["--quick"] if options.quick else [])])


def head_of(options, machine, measured):
    """One paragraph: device, driver, date, command, speeds."""
    device = machine.card if options.backend == "cuda" and machine.card else measured.compute or "no device told of"
    parts = [device, machine.driver, measure.now(), f"hangar {measured.hangar}" if measured.hangar else "",
             f"`{command_of(options)}`", machine.measured()]
    if options.shape or options.backend != "cuda":
        parts.append("another model or no card: held to nothing")
    if machine.factor() != 1:
        parts.append(f"targets are those of an {targets.CARD} times {machine.factor():.2f}, as this card's memory is")
    if machine.others:
        parts.append(f"{machine.others} other processes were on the card")
    return "; ".join(part for part in parts if part) + ". Medians (least to most)."


def made_of(options, machine, measured, earlier):
    """What the JSON file has, and all that the page is made of."""
    cells = dict(earlier["cells"])
    heads = list(earlier["heads"])
    interrupted = False
    if measured is not None:
        # What was not reached this time does not replace what was measured before.
        cells |= {key: cell for key, cell in measured.cells.items()
                  if key not in cells or not cell["failed"].startswith(runs.STOPPED)}
        heads.insert(0, head_of(options, machine, measured))
        interrupted = any(cell["failed"].startswith(runs.STOPPED) for cell in measured.cells.values())
    order = [(row.key, one.key) for row in targets.ROWS for one in targets.FORMATS]
    return {"benchmark": "gpu table", "heads": heads, "machine": machine._asdict() if machine else None,
            "interrupted": interrupted, "cells": [cells[key] for key in order if key in cells]}


def read_earlier(paths):
    """Of a row that several have, the last one's; a figure is not replaced by a failure."""
    cells, heads = {}, []
    for path in paths:
        try:
            told = json.loads(path.read_text())
            if told["benchmark"] != "gpu table":
                raise ValueError("of another benchmark")
            for cell in told["cells"]:
                key = (cell["row"], cell["format"])
                if key not in cells or measure.median(cell) is not None:
                    cells[key] = cell
            heads += [head for head in told["heads"] if head not in heads]
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}")
        except (ValueError, KeyError, TypeError) as error:
            sys.exit(f"{path} has no figures of this table: {error}")
    return {"cells": cells, "heads": heads}


# --- the run ---------------------------------------------------------------------------------------


def measured_now(options, files, earlier):
    """(Machine, Measurement, whether it was stopped)"""
    def note(text):
        print(text, file=sys.stderr, flush=True)

    def save():
        if options.json:
            made = made_of(options, machine, measured, earlier)
            files.write(options.json, json.dumps(made, indent=1) + "\n")

    machine, measured = runs.Machine(), None
    save()  # what cannot be written is better known before minutes of work
    share, why = None, runs.STOPPED
    try:
        machine, share, why = runs.measured_card(options)
    except (runs.Interrupted, KeyboardInterrupt):
        machine = runs.Machine(problem=runs.STOPPED)
    note(machine.measured())
    measured = measure.Measurement(options, machine, options.processes, (share, why))

    def after_each(one, rows):
        for row in rows:
            cell = measured.cells[row.key, one.key]
            note(f"{one.name}: {cell['what']}: {tables.measured(cell)} {row.unit if cell['runs'] else ''}".rstrip())
        save()

    through = why != runs.STOPPED and measured.run(after_each)
    if not through:
        measured.stop()
    save()
    return machine, measured, not through


def main(arguments):
    options = options_of(arguments)
    if options.list:
        print("row, group: what (formats)\n"
              + "\n".join(f"{row.key}, {row.group}: {row.what} ({', '.join(row.formats)})" for row in targets.ROWS))
        return 0
    files = Files()
    earlier = read_earlier(options.earlier)
    machine = measured = None
    stopped = False
    if not options.render:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with runs.alone():
                machine, measured, stopped = measured_now(options, files, earlier)
        except BlockingIOError:
            print("another ./dev bench --gpu is measuring on this machine; both would be slow", file=sys.stderr)
            return 1
    made = made_of(options, machine, measured, earlier)
    cells = made["cells"]
    if options.render and options.json:
        files.write(options.json, json.dumps(made, indent=1) + "\n")
    picture = ""
    if options.plot:
        shape = "" if options.shape else ", shape of Llama-3-8B; the peers are not of this run"
        drawn = plot.svg(cells, made["heads"][0].split(";")[0] + shape)
        if drawn:
            files.write(options.plot, drawn)
            folder = options.markdown.resolve().parent if options.markdown else pathlib.Path.cwd()
            picture = os.path.relpath(options.plot.resolve(), folder)
        else:
            print("no decode was measured: no picture", file=sys.stderr)
    text = tables.page(made["heads"], cells, picture)
    print(text, flush=True)
    if options.markdown:
        files.write(options.markdown, in_place(options.markdown, text))
    if stopped:
        return STOPPED_EXIT
    return 1 if files.troubles or any(measure.median(cell) is None for cell in cells) else 0


def guarded(arguments):
    try:
        return main(arguments)
    except KeyboardInterrupt:
        return STOPPED_EXIT
    except OSError as error:  # a page to be changed that cannot be read; or the table itself had nowhere to go
        print(f"./dev bench --gpu: {error}", file=sys.stderr)
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer is lost in silence
        return 1


if __name__ == "__main__":
    sys.exit(guarded(sys.argv[1:]))
