#!/usr/bin/env python3
"""A test file registers tests, asserts something and lies where the build picks it up."""

import pathlib
import re
import sys

import common

TEST = re.compile(r"^\s*(TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P)\s*\(\s*(\w+)", re.M)
ASSERTS = re.compile(r"\b(EXPECT|ASSERT)_\w+\s*\(|\bADD_FAILURE\b|\bFAIL\s*\(")
# INSTANTIATE_TEST_SUITE_P itself, or a macro of our own over it whose name says so.
INSTANTIATE = re.compile(r"\b\w*INSTANTIATE\w*\s*\(([^()]*)")
# CMake globs these; a *_test.cc anywhere else would never be compiled.
BUILT = re.compile(r"^(src/\w+/|tests/(golden|conformance)/[^/]+$)")
PYTHON_TEST = re.compile(r"^\s*(async\s+)?def (test\w*|check_\w+)\s*\(", re.M)


def with_support(root, path, text):
    """The text and that of the test support it includes: assertions may stand there."""
    for _, kind, name in common.includes(path):
        if kind == '"' and ("test_support" in name or "/testing/" in name):
            for base in ("src", "tests"):
                if (root / base / name).is_file():
                    text += (root / base / name).read_text(errors="replace")
    return text


def check_cpp(name, text, all_text):
    if not BUILT.match(name) or (name.endswith(".cu") and not name.startswith("src/backend/cuda/")):
        yield f"{name}: no CMakeLists.txt picks this test up"
    tests = TEST.findall(text)
    if not tests:
        yield f"{name}: registers no test"
    elif not ASSERTS.search(all_text):
        yield f"{name}: asserts nothing"
    instantiated = {word for found in INSTANTIATE.findall(text) for word in re.findall(r"\w+", found)}
    for suite in sorted({suite for macro, suite in tests if macro == "TEST_P"} - instantiated):
        yield f"{name}: TEST_P({suite}, ...) has no INSTANTIATE_TEST_SUITE_P here, so it never runs"


def check_fuzz(root, name, text):
    if "LLVMFuzzerTestOneInput" not in text:
        yield f"{name}: defines no LLVMFuzzerTestOneInput"
    if not name.startswith("tests/fuzz/"):
        yield f"{name}: fuzz targets lie in tests/fuzz/"
        return
    corpus = root / "tests/fuzz/corpus" / pathlib.Path(name).name.removesuffix("_fuzz.cc")
    if not corpus.is_dir() or not any(p.is_file() for p in corpus.iterdir()):
        yield f"{name}: no corpus in {corpus.relative_to(root)}"


def check(root):
    root = pathlib.Path(root)
    problems = []
    for under in ("src", "tests"):
        for path in common.sources(root, "_test.cc", "_test.cu", "_fuzz.cc", "_test.py", "_tests.py", under=under):
            name, text = path.relative_to(root).as_posix(), path.read_text(errors="replace")
            if name.endswith(("_test.cc", "_test.cu")):
                problems += check_cpp(name, text, with_support(root, path, text))
            elif name.endswith("_fuzz.cc"):
                problems += check_fuzz(root, name, text)
            elif not PYTHON_TEST.search(text):
                problems.append(f"{name}: has no test function")
    return problems


if __name__ == "__main__":
    sys.exit(common.main(check, "tests_register"))
