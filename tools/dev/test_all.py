#!/usr/bin/env python3
"""Every test, suite by suite, and one table at the end. Called by ./dev test.

The last line is "N passed, N failed, N skipped"; the exit code is 0 only if nothing failed. A suite that
ran no test at all counts as failed: silence is no success.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hangar"
LOGS = ROOT / "build/test-logs"
HANGAR = ROOT / "build/release/hangar"


class Outcome:
    def __init__(self, passed=0, failed=0, skipped=0, notes=()):
        self.passed, self.failed, self.skipped, self.notes = passed, failed, skipped, list(notes)


def run(name, command, timeout, env=None, cwd=ROOT):
    """Runs to a log; (exit code, the log's text). 124: it took too long and was killed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{name}.log"
    with open(path, "wb") as log:
        log.write(("$ " + " ".join(map(str, command)) + "\n").encode())
        log.flush()
        symbolizer = shutil.which("llvm-symbolizer-19")
        names = {"ASAN_SYMBOLIZER_PATH": symbolizer} if symbolizer else {}
        process = subprocess.Popen(
            list(map(str, command)), cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **names, **(env or {})}, start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = 124
    return code, path.read_text(errors="replace")


def tail(text, lines=40):
    return "\n".join(text.splitlines()[-lines:])


def build(preset, jobs, targets=(), timeout=1500):
    """Configures (once) and builds; the time of it counts to the suite that needs it."""
    folder = ROOT / "build" / preset
    started = time.monotonic()
    command = [str(ROOT / "dev"), "build", preset, *targets]
    code, text = run(f"build-{preset}", command, timeout, {"HANGAR_SKIP_SETUP": "1", "HANGAR_JOBS": str(jobs)})
    if code != 0:
        raise RuntimeError(f"build/{folder.name} does not build:\n{tail(text)}")
    print(f"   built build/{folder.name} in {time.monotonic() - started:.0f} s", flush=True)


def ctest(name, preset, options, env=None, prefix=()):
    report = LOGS.resolve() / f"{name}.xml"
    LOGS.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [*prefix, "ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "--no-tests=error",
               "--output-junit", report, "--parallel", str(options.jobs)]
    code, text = run(name, command, 1200, env)
    outcome = Outcome()
    if report.exists():
        for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
            status, label = case.get("status"), case.get("name")
            if status == "run":
                outcome.passed += 1
            elif status in ("notrun", "disabled") or case.find("skipped") is not None:
                outcome.skipped += 1
                reason = (case.findtext("system-out") or "").strip().splitlines()
                outcome.notes.append(f"skipped {label}: " + next((r for r in reason if re.match(r"\s*[Ss]kipped", r)), "")[:160])
            else:
                outcome.failed += 1
                outcome.notes.append(f"FAILED {label}")
    if code != 0:
        outcome.failed = max(outcome.failed, 1)
        outcome.notes.append(tail(text, 60))
    return outcome


# --- the suites, in the order they run -------------------------------------------------------------


def unit(options):
    """Unit, conformance and golden tests (C++), release build, by ctest."""
    build("release", options.jobs)
    return ctest("unit", "release", options, {"HANGAR_TEST_MODEL": str(options.model)})


def e2e(options):
    """The program as its users meet it: commands, server, signals, broken files."""
    build("release", options.jobs, ["hangar", "fake_nvml"])
    script = ROOT / "tests/e2e/run.py"
    code, text = run("e2e", [sys.executable, script, "--hangar", HANGAR, "--model", options.model], 900)
    return counted(code, text)


def bench(_options):
    """What bench/*.py make of their figures; nothing is measured."""
    command = [sys.executable, "-m", "unittest", "discover", "-s", ROOT / "bench", "-p", "*_test.py"]
    code, text = run("bench", command, 120)
    return counted(code, text)


def openai(options):
    """The official openai client against a server of ours."""
    build("release", options.jobs, ["hangar"])
    python = environment(ROOT / "tests/requirements.txt")
    script = ROOT / "tests/conformance/openai_client_test.py"
    with server(options.model) as url:
        code, text = run("openai", [python, script], 600, {"HANGAR_URL": url, "HANGAR_BASE_URL": url + "/v1"})
    return counted(code, text)


def pooled(options):
    """Pooled keep-alive connections of the openai client, aiohttp and wrk: not one request may fail."""
    build("release", options.jobs, ["hangar"])
    python = environment(ROOT / "tests/requirements.txt")
    with server(options.model) as url:
        command = [python, ROOT / "tools/pooled_clients.py", url, "--requests", "600"]
        code, text = run("pooled", command, 900)
    return counted(code, text)


def monitoring(options):
    """/metrics by Prometheus' own parser, the dashboard and the scrape example against it."""
    build("release", options.jobs, ["hangar", "fake_nvml"])
    python = environment(ROOT / "tests/requirements.txt")
    script = ROOT / "tests/conformance/monitoring_test.py"
    # Two cards that are none: their families are documented as the others are.
    with server(options.model, {"HANGAR_NVML": str(ROOT / "build/release/lib/libfake_nvml.so")}) as url:
        code, text = run("monitoring", [python, script], 300, {"HANGAR_URL": url})
    return counted(code, text)


def tokenizers(options):
    """Tokenizers of every kind, and the default model's, against Hugging Face's package, id for id."""
    build("release", options.jobs, ["tokenizer_dump"])
    python = environment(ROOT / "tests/requirements.txt")
    code, text = run("tokenizers", [python, ROOT / "tools/tokenizer_diff.py", "--dump", ROOT / "build/release/bin/tokenizer_dump",
                                    "--tiny", "--gguf", options.model], 600)
    outcome = counted(code, text)
    outcome.notes += [line for line in text.splitlines() if re.match(r"\d+ texts compared", line)]
    return outcome


def templates(options):
    """Random template programs, ours against Jinja2's sandbox as transformers sets it up."""
    build("release", options.jobs, ["template_lines"])
    python = environment(ROOT / "tests/requirements.txt")
    script = ROOT / "tools/template_diff.py"
    command = [python, script, "--renderer", ROOT / "build/release/bin/template_lines", "--programs", "2000"]
    code, text = run("templates", command, 900)
    return counted(code, text)


def fuzz(options):
    """Each libFuzzer target for a bounded time on its committed corpus, under asan and ubsan (clang)."""
    names = sorted(p.name.removesuffix("_fuzz.cc") for p in (ROOT / "tests/fuzz").glob("*_fuzz.cc"))
    build("fuzz", options.jobs)
    seconds = int(os.environ.get("HANGAR_FUZZ_SECONDS", "20"))

    def one(name):
        found = ROOT / f"build/fuzz/found/{name}"
        artifacts = ROOT / f"build/fuzz/artifacts/{name}"
        found.mkdir(parents=True, exist_ok=True)
        artifacts.mkdir(parents=True, exist_ok=True)
        command = [ROOT / f"build/fuzz/bin/{name}_fuzz", f"-max_total_time={seconds}", "-timeout=10",
                   "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={artifacts}/",
                   found, ROOT / f"tests/fuzz/corpus/{name}"]
        return name, *run(f"fuzz-{name}", command, seconds + 120)

    outcome = Outcome()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, code, text in pool.map(one, names):
            executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
            if code == 0 and executed and int(executed.group(1)) > 0:
                outcome.passed += 1
                outcome.notes.append(f"{name}: {executed.group(1)} inputs in {seconds} s")
            else:
                outcome.failed += 1
                outcome.notes.append(f"FAILED {name} (code {code}):\n{tail(text)}")
    return outcome


def asan(options):
    """Unit tests under address and undefined sanitizers, built by clang (with the fuzz targets)."""
    build("fuzz", options.jobs)
    return ctest("asan", "fuzz", options, {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    })


def arm64(options):
    """Unit tests up to the backends, cross built for 64-bit Arm, under qemu: with and without dot products."""
    code, text = run("arm64-setup", [ROOT / "dev", "setup", "arm64"], 600)
    if code != 0:
        reason = (text.strip().splitlines() or ["no message"])[-1]
        return Outcome(skipped=1, notes=[f"skipped arm64: {reason}"])
    build("arm64", options.jobs)
    # What "max" has goes through every instruction set; the other is a processor of before them.
    shards = 2
    jobs = [("backend_tests", "max", i, shards) for i in range(shards)]
    jobs += [(f"{name}_tests", "max", 0, 1) for name in ("base", "tensor", "quant")]
    jobs += [("backend_tests", "cortex-a72", 0, 1)]

    def one(job):
        program, processor, shard, of = job
        name = f"arm64-{program}-{processor}-{shard}"
        command = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-cpu", processor,
                   ROOT / "build/arm64/bin" / program]
        return gtest(name, command, 600, {"GTEST_TOTAL_SHARDS": str(of), "GTEST_SHARD_INDEX": str(shard)})

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        return total(pool.map(one, jobs))


def cuda(options):
    """The CUDA part, built for every card it knows; what needs no card is run, the rest says why not."""
    code, text = run("cuda-setup", [ROOT / "dev", "setup", "cuda"], 1800)
    if code != 0:
        reason = (text.strip().splitlines() or ["no message"])[-1]
        return Outcome(skipped=1, notes=[f"skipped cuda: {reason}"])
    build("cuda", options.jobs, ["hangar", "hangar_cuda", "cuda_tests", "hangar_cuda_bench"], 3600)
    scripts = [sys.executable, "-m", "unittest", "discover", "-s", ROOT / "tools/dev", "-p", "*_test.py"]
    outcome = total([counted(*run("cuda-scripts", scripts, 120)),
                     exports(ROOT / "build/cuda/lib/libhangar_cuda.so"),
                     gtest("cuda", [ROOT / "build/cuda/bin/cuda_tests"], 1200, may_skip_all=True)])
    if outcome.skipped:
        code, text = run("cuda-devices", [ROOT / "build/cuda/hangar", "devices"], 60)
        why = next((line for line in text.splitlines() if line.startswith("GPU: ")), f"devices ended with {code}")
        outcome.notes.append(f"skipped {outcome.skipped} tests that need a card. {why}")
    return outcome


def exports(library):
    """A backend's library shows its two doors and nothing else: no symbol of it can meet the program's."""
    listed = subprocess.run(["nm", "-D", "--defined-only", library], stdout=subprocess.PIPE, check=True, text=True).stdout
    names = sorted(line.split()[-1] for line in listed.splitlines())
    if names == ["hangar_backend_abi", "hangar_make_backend"]:
        return Outcome(passed=1, notes=[f"{library.name}: {library.stat().st_size / 1e6:.1f} MB"])
    return Outcome(failed=1, notes=[f"FAILED exports: {library.name} shows {', '.join(names[:20])}"])


def tsan(options):
    """Unit tests under the thread sanitizer."""
    build("tsan", options.jobs)
    # Its shadow memory wants fewer random address bits than newer kernels use.
    still = ["setarch", platform.machine(), "-R"]
    if not shutil.which("setarch") or subprocess.run([*still, "true"], stderr=subprocess.DEVNULL).returncode:
        still = []
    return ctest("tsan", "tsan", options, {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}, still)


SUITES = {f.__name__: f
          for f in (unit, e2e, bench, openai, pooled, monitoring, tokenizers, templates, arm64, cuda, asan, fuzz, tsan)}

# --- what they share ---------------------------------------------------------------------------------


def total(outcomes):
    sums = Outcome()
    for outcome in outcomes:
        sums.passed += outcome.passed
        sums.failed += outcome.failed
        sums.skipped += outcome.skipped
        sums.notes += outcome.notes
    return sums


def gtest(name, command, timeout, env=None, may_skip_all=False):
    """A GoogleTest program, run by itself; its own report is what counts."""
    LOGS.mkdir(parents=True, exist_ok=True)
    report = LOGS.resolve() / f"{name}.xml"
    report.unlink(missing_ok=True)
    code, text = run(name, [*command, f"--gtest_output=xml:{report}"], timeout, env)
    outcome = Outcome()
    if report.exists():
        for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
            if case.find("failure") is not None:
                outcome.failed += 1
                outcome.notes.append(f"FAILED {name}: {case.get('classname')}.{case.get('name')}")
            elif case.get("result") == "skipped":
                outcome.skipped += 1
            elif case.get("status") == "run":
                outcome.passed += 1
    ran = outcome.passed + (outcome.skipped if may_skip_all else 0)
    if code != 0 or ran == 0:
        outcome.failed = max(outcome.failed, 1)
        outcome.notes.append(f"FAILED {name} (code {code}):\n{tail(text)}")
    return outcome


def counted(code, text):
    """The counts in a Python suite's last such line: "3 passed, 0 failed", or unittest's "Ran 3 tests"."""
    numbers = {}
    for line in text.splitlines():
        if re.search(r"\d+ (?:\w+ )?passed", line):
            found = re.findall(r"(\d+) (?:\w+ )?(passed|failed|skipped)", line)
            numbers = {word: int(n) for n, word in found}
    outcome = Outcome(numbers.get("passed", 0), numbers.get("failed", 0), numbers.get("skipped", 0))
    ran = re.findall(r"^Ran (\d+) tests?", text, re.M)
    if not numbers and ran:
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", text))
        outcome.skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", text))
        outcome.failed = bad
        outcome.passed = int(ran[-1]) - bad - outcome.skipped
    if code != 0 or outcome.passed + outcome.skipped == 0:
        outcome.failed = max(outcome.failed, 1)
        outcome.notes.append(f"FAILED (code {code}):\n{tail(text, 60)}")
    return outcome


def environment(requirements):
    """A Python with the pinned packages, in the cache folder; made once for each set of pins."""
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode() + sys.executable.encode())
    folder = CACHE / f"venv-tests-{wanted.hexdigest()[:16]}"
    if not (folder / "ready").exists():
        print(f"   making a Python environment from {requirements.relative_to(ROOT)}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        # An index and a proxy may be set in the environment or in pip's own files: both hold.
        for name, command in [
            ("venv", [sys.executable, "-m", "venv", folder]),
            ("pip", [folder / "bin/python", "-m", "pip", "install", "--quiet", "-r", requirements]),
        ]:
            code, text = run(f"environment-{name}", command, 600)
            if code != 0:
                raise RuntimeError(f"no Python environment for the tests:\n{tail(text)}")
        (folder / "ready").touch()
    return folder / "bin/python"


@contextlib.contextmanager
def server(model, env=None):
    """A `hangar serve` on a free port; its URL. It must stop by itself on SIGTERM, with code 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    LOGS.mkdir(parents=True, exist_ok=True)
    with open(LOGS / "openai-server.log", "wb") as log:
        process = subprocess.Popen(
            [HANGAR, "serve", "--model", model, "--host", "127.0.0.1", "--port", str(port)], cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )
        try:
            wait_for(url, process)
            yield url
        finally:
            process.terminate()
            try:
                code = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
    if code != 0:
        raise RuntimeError(f"the server ended with {code} on SIGTERM; see build/test-logs/openai-server.log")


def wait_for(url, process):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if opener.open(url + "/health", timeout=2).status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the server did not start; see build/test-logs/openai-server.log")


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", help="suites, by name: " + ",".join(SUITES))
    parser.add_argument("--list", action="store_true", help="the suites' names and what they do")
    options = parser.parse_args()
    if options.list:
        for name, suite in SUITES.items():
            print(f"{name:8s} {suite.__doc__}")
        return 0
    chosen = ",".join(options.only).split(",") if options.only else list(SUITES)
    unknown = [name for name in chosen if name not in SUITES]
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")

    rows = []
    for name in chosen:
        print(f"== {name}: {SUITES[name].__doc__}", flush=True)
        started = time.monotonic()
        try:
            outcome = SUITES[name](options)
        except (RuntimeError, OSError) as error:
            outcome = Outcome(failed=1, notes=[f"FAILED {name}: {error}"])
        rows.append((name, outcome, time.monotonic() - started))
        for note in outcome.notes:
            print("   " + note.replace("\n", "\n   "))
        print(f"   {outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped,"
              f" {rows[-1][2]:.0f} s with its build", flush=True)

    print(f"\n{'suite':10s} {'passed':>7s} {'failed':>7s} {'skipped':>8s} {'seconds':>8s}")
    for name, outcome, seconds in rows:
        print(f"{name:10s} {outcome.passed:7d} {outcome.failed:7d} {outcome.skipped:8d} {seconds:8.0f}")
    totals = [sum(getattr(o, key) for _, o, _ in rows) for key in ("passed", "failed", "skipped")]
    print(f"{'all':10s} {totals[0]:7d} {totals[1]:7d} {totals[2]:8d} {sum(s for *_, s in rows):8.0f}")
    print(f"logs: {LOGS.relative_to(ROOT)}\n")
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
