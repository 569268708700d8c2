#!/usr/bin/env python3
"""No file names the machine it was written on, its folders, or the host of a package registry."""

import pathlib
import re
import socket
import sys

import common

PATTERNS = [
    # Short names and plain ones ("/home/s", "/home/user") are samples in tests and texts.
    (re.compile(r"(?<![\w.$}])/(?:home|Users)/(?!user\b|you\b|name\b|someone\b)\w{3}"), "somebody's home folder"),
    (re.compile(r"(?<![\w.$}])/(?:root|work|workspace)/[A-Za-z0-9_.]"), "a folder of one machine"),
    (re.compile(r"(?<![\w.$}/])/(?:tmp)/[A-Za-z0-9_]"), "a fixed path for temporary files"),
    (re.compile(r"\b[A-Z]:\\Users\\"), "somebody's home folder"),
    (
        re.compile(
            r"\b(?:pypi|pythonhosted|npmjs|crates)\.(?:org|io|com)\b|\bdeb\.debian\.org\b"
            r"|\b(?:archive|security|ports)\.ubuntu\.com\b|\b(?:ghcr|quay|docker)\.io\b|\bproxy\.golang\.org\b"
        ),
        "the host of a package registry",
    ),
    (re.compile(r"--(?:extra-)?index-url[ =]\S*://"), "the address of a package index"),
]
# Names that many machines have: finding one of them says nothing.
COMMON_NAMES = {"localhost", "debian", "ubuntu", "linux", "server", "docker", "runner", "buildkitsandbox"}
# Texts taken from models and from the wild, as they are.
DATA = ("tests/data/", "tests/fuzz/corpus/")


def patterns(host):
    found = list(PATTERNS)
    host = host.split(".")[0]
    if len(host) >= 5 and host.lower() not in COMMON_NAMES:
        found.append((re.compile(rf"\b{re.escape(host)}\b"), "the name of the build machine"))
    return found


def check(root, host=None):
    root = pathlib.Path(root)
    rules = patterns(host if host is not None else socket.gethostname())
    problems = []
    for path in common.kept_files(root):
        name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        if b"\0" in data or name.startswith(DATA):
            continue
        for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
            for pattern, what in rules:
                match = pattern.search(line)
                if match:
                    problems.append(f"{name}:{number}: '{match.group(0)}': {what}")
    return problems


if __name__ == "__main__":
    sys.exit(common.main(check, "machine_paths"))
