#!/usr/bin/env python3
"""A public header opens with its contract: what it promises, and what it says about threads."""

import pathlib
import sys

import common

WORDS = ("Promise:", "Threads:")
FEWEST_LINES = 3


def is_internal(path):
    """Pieces of an implementation, compiled into one place: an opening comment is enough."""
    return path.name.endswith(("_inl.h", "-inl.h")) or "testing" in path.parts


def opening(text):
    lines = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line)
    return lines


def check(root):
    root = pathlib.Path(root)
    problems = []
    for path in common.sources(root, ".h", ".cuh") + common.sources(root, ".h", ".cuh", under="bench"):
        name, lines = path.relative_to(root).as_posix(), opening(path.read_text(errors="replace"))
        if not lines:
            problems.append(f"{name}: opens with no // comment")
        elif not is_internal(path.relative_to(root)):
            missing = [word for word in WORDS if word not in "\n".join(lines)]
            if len(lines) < FEWEST_LINES or missing:
                what = f"without {' and '.join(missing)}" if missing else f"of {len(lines)} lines"
                problems.append(f"{name}: contract {what}")
    return problems


if __name__ == "__main__":
    sys.exit(common.main(check, "contracts"))
