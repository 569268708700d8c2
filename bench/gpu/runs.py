"""How gpu_table.py runs programs: one at a time, each within a limit, stopped with us, their figures read."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import typing

from . import targets

STOPPED = "stopped"
# A name without a file: gone with us however we end, and a full disk does not matter.
LOCK = b"\0hangar-gpu-table"
PATIENCE_S = 20  # for a program that was asked to end, to write what it has
# Settings of a server that happen to be in the environment are no part of the command that is shown.
KEPT_OF_ENVIRONMENT = ("HANGAR_LIBRARY_PATH", "HANGAR_NVML")


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came; `done`: what the program under way had by then."""

    def __init__(self, done):
        super().__init__(STOPPED)
        self.done = done


class Done(typing.NamedTuple):
    code: int
    out: str
    err: str
    why: str  # it was stopped; "" if it ended by itself

    def reason(self):
        """In one line what went wrong; "": nothing."""
        if self.why or self.code == 0:
            return self.why
        lines = [line.strip() for line in (self.err or self.out).splitlines()
                 if line.strip() and not line.startswith("hint:")]
        how = f"ended by {signal_name(-self.code)}" if self.code < 0 else f"ended with {self.code}"
        return shortened(f"{how}: {lines[-1]}" if lines else f"{how} and said nothing")


def shortened(text, most=300):
    return text if len(text) <= most else text[:most] + "..."


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def environment():
    return {name: value for name, value in os.environ.items()
            if not name.startswith("HANGAR_") or name in KEPT_OF_ENVIRONMENT}


def run(command, limit_s):
    """Errors: none; what cannot be started has code 127. Raises Interrupted once the program has ended."""
    try:
        # In a session of its own: a Ctrl-C reaches us alone, and we ask it once.
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, errors="replace", env=environment(),
                                   start_new_session=True)
    except OSError as error:
        return Done(127, "", f"{command[0]}: {error.strerror}", "")
    try:
        try:
            out, err = process.communicate(timeout=limit_s)
            return Done(process.returncode, out, err, "")
        except subprocess.TimeoutExpired:
            return ended(process, f"not through within {limit_s:g} s")
        except KeyboardInterrupt:
            raise Interrupted(ended(process, STOPPED)) from None
    finally:
        if process.poll() is None:
            kill(process, signal.SIGKILL)
            process.wait()


def ended(process, why):
    """Asks it to end, then makes it; a second Ctrl-C does not wait."""
    kill(process, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        kill(process, signal.SIGKILL)
        out, err = process.communicate()
    return Done(process.returncode, out, err, why)


def kill(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@contextlib.contextmanager
def alone():
    """Raises BlockingIOError where another copy measures here: both would be slow."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as name:
        try:
            name.bind(LOCK)
        except OSError as error:
            raise BlockingIOError(str(error)) from error
        yield


# --- the card --------------------------------------------------------------------------------------


class Machine(typing.NamedTuple):
    """0: not known."""

    card: str = ""
    driver: str = ""
    others: int = 0  # processes on the card before we began
    bytes_per_s: float = 0
    operations_per_s: float = 0  # BF16
    problem: str = ""  # why rates are not known

    def factor(self):
        """How fast this card's memory is beside the one that targets are for; 1 on such a card."""
        if targets.CARD in self.card or not self.card or not self.bytes_per_s:
            return 1
        return self.bytes_per_s / targets.CARD_BYTES_PER_S

    def measured(self):
        if not self.bytes_per_s and not self.operations_per_s:
            return f"speeds of the card not measured: {self.problem}"
        told = f"reads {self.bytes_per_s / 1e12:.3g} TB/s, BF16 products {self.operations_per_s / 1e12:.3g} TFLOP/s"
        return told + " (in FP8 taken as twice that)"


def devices(hangar, limit_s):
    """(card, driver, processes on it) as `hangar devices` has them; "" and 0 where there is none."""
    done = run([hangar, "devices", "--json"], limit_s)
    try:
        told = json.loads(done.out)
        cards = told["cards"]
    except (ValueError, KeyError, TypeError):
        return "", "", 0
    if not cards:
        return "", "", 0
    first = cards[0]
    name = first.get("name") or "a card without a name"
    if first.get("power_limit_w"):
        name += f", {first['power_limit_w']:.0f} W"
    if len(cards) > 1:
        name += f" (one of {len(cards)} cards)"
    driver = f"driver {told.get('driver') or '?'}"
    if told.get("driver_cuda"):
        driver += f" (CUDA {told['driver_cuda']})"
    return name, driver, first.get("processes") or 0


def measured_card(options):
    """(Machine, share of the bandwidth that attention reaches in percent or None, why not)."""
    card, driver, others = devices(options.hangar, options.limit)
    made = Machine(card, driver, others)
    share, why = None, f"no {options.kernels}"
    if options.backend != "cuda":
        why = f"--backend {options.backend}"
    elif options.kernels.exists():
        with tempfile.TemporaryDirectory(prefix="hangar-gpu-") as folder:
            path = pathlib.Path(folder) / "kernels.json"
            done = run([options.kernels, "--quick", f"--filter=^attention/{targets.ATTENTION_BENCH}$",
                        f"--json={path}"], options.limit)
            why = done.reason()
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                told = json.loads(path.read_text())
                made = made._replace(bytes_per_s=told["read_bytes_per_s"],
                                     operations_per_s=told["matrix_operations_per_s"])
                lines = [line for line in told["results"] if line["name"] == targets.ATTENTION_BENCH]
                if lines:
                    share = 100 * lines[0]["bound_us"] / lines[0]["us"]
                why = "; ".join(told.get("failures", [])) or why
            if not why and share is None:
                why = f"{options.kernels.name} has no {targets.ATTENTION_BENCH}"
    # What was given goes before what was measured.
    made = made._replace(problem=why, bytes_per_s=options.bandwidth * 1e9 or made.bytes_per_s,
                         operations_per_s=options.flops * 1e12 or made.operations_per_s)
    return made, share, why


# --- the engine ------------------------------------------------------------------------------------


def engine_command(options, machine, one, rows, repeats):
    """`hangar bench engine` for rows of one group and format; its JSON goes to standard output."""
    model = options.shape or options.shapes / one.shape
    command = [options.hangar, "bench", "engine", "--model", model, "--load", options.load, "--backend",
               options.backend, *one.flags, *rows[0].flags]
    group = rows[0].group
    if group in targets.OF_STREAMS:
        command += ["--batch", ",".join(str(row.requests) for row in rows)]
    elif group in targets.ONE_BY_ONE:
        command += ["--requests", rows[0].requests]
        at_once = options.max_running or rows[0].at_once
        if at_once:
            command += ["--max-running", at_once]
    elif group == "prefill":
        command += ["--prefill", rows[0].requests]
    else:
        command += ["--first-token"]
    command += ["--input-tokens", rows[0].prompt]
    if rows[0].answer > 1:
        command += ["--output-tokens", rows[0].answer]
    if machine.bytes_per_s:
        command += ["--bandwidth", f"{machine.bytes_per_s / 1e9:.0f}"]
    if machine.operations_per_s:
        command += ["--flops", f"{one.rate * machine.operations_per_s / 1e12:.1f}"]
    return [str(word) for word in [*command, "--repeats", repeats, "--json", "-"]]


class Told(typing.NamedTuple):
    figures: dict | None  # its JSON
    why: str  # that is not all of it; "": it is
    hung: bool = False  # it had to be stopped, and would have to again


def engine(command, limit_s):
    """Raises Interrupted with what was told by then."""
    try:
        return told_by(run(command, limit_s))
    except Interrupted as stopped:
        raise Interrupted(told_by(stopped.done)) from None


def told_by(done):
    try:
        figures = json.loads(done.out)
        if not isinstance(figures["tests"], list):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        why = done.reason() or f"told no figures: {shortened(done.out.strip(), 100)!r}"
        return Told(None, why, bool(done.why))
    return Told(figures, done.reason(), bool(done.why))
