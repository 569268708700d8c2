#!/usr/bin/env python3
"""clang-tidy over src/ (not its tests), remembering what it has passed.

A file is linted again only when it, a header of ours that it reaches, .clang-tidy, its compile command or
clang-tidy itself has changed.
"""

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import time

import common

# The compilers' own warnings are the builds' matter.
EXTRA = ["--extra-arg=-w", "--extra-arg=-Wno-unknown-warning-option", "--quiet"]


def closure(src, path, seen):
    """path and every header of ours that it reaches."""
    if path in seen:
        return
    seen.add(path)
    for _, kind, name in common.includes(path):
        if kind == '"' and (src / name).is_file():
            closure(src, src / name, seen)


def key_of(root, path, command, version):
    digest = hashlib.sha256()
    files = set()
    closure(root / "src", path, files)
    for part in [version, command, " ".join(EXTRA), (root / ".clang-tidy").read_text()]:
        digest.update(part.encode() + b"\0")
    for file in sorted(files):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def files_of(root, builds):
    """(file, build, command) of each C++ file of src/ but its tests, once."""
    seen = set()
    for build in builds:
        for entry in json.loads((build / "compile_commands.json").read_text()):
            path = pathlib.Path(entry["file"])
            if (root / "src") not in path.parents or path.suffix != ".cc" or path.name.endswith("_test.cc"):
                continue
            if path.is_file() and path not in seen:
                seen.add(path)
                # Where the tree and its build lie changes nothing.
                yield path, build, entry["command"].replace(str(build.resolve()), "").replace(str(root), "")


def lint(tidy, build, path):
    started = time.monotonic()
    done = subprocess.run(
        [tidy, "-p", str(build), *EXTRA, str(path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )
    text = re.sub(r"^\d+ warnings? .*generated\.\n|^Suppressed .*\n|^Use -header.*\n", "",
                  done.stdout.decode(errors="replace"), flags=re.M)
    return path, done.returncode, text, time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tidy", required=True, help="the clang-tidy to run")
    parser.add_argument("--build", type=pathlib.Path, action="append", help="may come twice: what the first has counts")
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--slowest", type=int, default=0, help="list the N slowest files")
    arguments = parser.parse_args()
    root = common.ROOT
    version = subprocess.run([arguments.tidy, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    waiting, passed_before = [], 0
    for path, build, command in files_of(root, arguments.build or [root / "build/release"]):
        mark = arguments.cache / key_of(root, path, command, version)
        if mark.exists():
            mark.touch()
            passed_before += 1
        else:
            waiting.append((path, build, mark))
    marks, failed, times = {path: mark for path, _, mark in waiting}, 0, []
    with concurrent.futures.ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        jobs = [pool.submit(lint, arguments.tidy, build, path) for path, build, _ in waiting]
        for job in concurrent.futures.as_completed(jobs):
            path, code, text, seconds = job.result()
            times.append((seconds, path))
            if code == 0:
                marks[path].touch()
            else:
                failed += 1
                print(text, end="", flush=True)
    for seconds, path in sorted(times, reverse=True)[: arguments.slowest]:
        print(f"{seconds:6.1f} s {path.relative_to(root)}")
    month = time.time() - 30 * 86400
    for mark in arguments.cache.iterdir():
        if mark.stat().st_mtime < month:
            mark.unlink()
    print(f"lint: {'ok' if not failed else f'{failed} files failed'}, {len(waiting)} files linted"
          f" ({sum(t for t, _ in times):.0f} s of work), {passed_before} unchanged")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
