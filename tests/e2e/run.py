#!/usr/bin/env python3
"""End-to-end tests of the program as people use it.

  python3 tests/e2e/run.py --hangar build/release/hangar --model MODEL.gguf [--only WORD]

Each test is a function test_* of a module beside this file that takes a harness.Context. Prints
every test's name with PASS or FAIL and, last, "N passed, N failed"; exit code 1 if any failed.
"""
import argparse
import os
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench_tests
import chat_tests
import command_tests
import damage_tests
import dummy_tests
import eval_tests
import fault_tests
import generate_tests
import harness
import hub_store_tests
import hub_tests
import monitoring_tests
import prepared_tests
import serve_tests
import speed_tests

MODULES = (command_tests, generate_tests, serve_tests, monitoring_tests, fault_tests, chat_tests,
           damage_tests, hub_tests, hub_store_tests, prepared_tests, eval_tests, bench_tests, dummy_tests, speed_tests)


def main():
    parser = argparse.ArgumentParser(description="End-to-end tests of hangar.")
    parser.add_argument("--hangar", required=True, help="the program")
    parser.add_argument("--model", required=True, help="the default model's GGUF file")
    parser.add_argument("--only", default="", help="run only tests whose name holds this")
    options = parser.parse_args()
    for path in (options.hangar, options.model):
        if not os.path.isfile(path):
            parser.error(f"{path}: no such file")

    passed = failed = 0
    for module in MODULES:
        for name, test in sorted(vars(module).items()):
            if not name.startswith("test_") or options.only not in name:
                continue
            begin = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="hangar-e2e-") as scratch:
                try:
                    note = test(harness.Context(options.hangar, options.model, scratch))
                    verdict = "PASS"
                    passed += 1
                except Exception as error:  # a test that breaks has failed, whatever broke
                    verdict, note = "FAIL", str(error)
                    failed += 1
                    if not isinstance(error, harness.Failure):
                        traceback.print_exc()
            took = time.monotonic() - begin
            print(f"{verdict} {module.__name__}.{name} ({took:.1f} s)" + (f": {note}" if note else ""),
                  flush=True)
    print(f"{passed} passed, {failed} failed")
    if passed + failed == 0:
        print("no test has such a name", file=sys.stderr)
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
