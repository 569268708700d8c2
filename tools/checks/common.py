"""What the checks share: which files there are, what they include, how a check is run.

A check is a module with check(root) -> list of problems ("path:line: what is wrong"). selftest.py proves
of each that it finds a bad sample and passes a good one.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def sources(root, *suffixes, under="src"):
    """Files under a folder with one of the suffixes, in order."""
    base = pathlib.Path(root) / under
    return sorted(p for p in base.rglob("*") if p.is_file() and p.name.endswith(suffixes))


def includes(path):
    """(line number, '<' or '"', name) of each #include."""
    found = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            found.append((number, match.group(1), match.group(2)))
    return found


def kept_files(root):
    """Every file that git keeps or would keep; without git, every file outside build/."""
    root = pathlib.Path(root)
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if listed.returncode == 0:
        names = [n for n in listed.stdout.decode().split("\0") if n]
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*")]
        names = [n for n in names if not n.startswith(("build/", ".git/"))]
    return sorted(root / n for n in set(names) if (root / n).is_file() and not (root / n).is_symlink())


def main(check, name):
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"{name}: {'ok' if not problems else f'{len(problems)} problems'}")
    return 1 if problems else 0
