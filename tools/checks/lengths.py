#!/usr/bin/env python3
"""No source file over 800 lines; those over 400 are listed."""

import pathlib
import statistics
import sys

import common

MOST, MANY = 800, 400
SUFFIXES = (".h", ".cc", ".cu", ".cuh", ".py", ".sh", ".cmake", ".proto", ".js", ".css", ".html")


def lengths(root):
    root = pathlib.Path(root)
    for path in common.kept_files(root):
        name = path.relative_to(root).as_posix()
        if name.startswith(("tests/data/", "tests/fuzz/corpus/")):
            continue
        if name.endswith(SUFFIXES) or name in ("dev", ".ci/run"):
            yield name, len(path.read_text(errors="replace").splitlines())


def check(root):
    return [f"{name}: {n} lines; over {MOST} is two ideas" for name, n in lengths(root) if n > MOST]


if __name__ == "__main__":
    counted = sorted(lengths(common.ROOT), key=lambda item: -item[1])
    for file_name, count in counted:
        if count > MANY:
            print(f"{file_name}: {count} lines")
    if counted:
        middle = statistics.median(count for _, count in counted)
        print(f"{len(counted)} files, {sum(c for _, c in counted)} lines, median {middle:.0f}")
    sys.exit(common.main(check, "lengths"))
