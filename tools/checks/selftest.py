#!/usr/bin/env python3
"""Every check finds a bad sample and passes a good one: a check that finds nothing proves nothing."""

import pathlib
import sys
import tempfile

import contracts
import floors
import lengths
import machine_paths
import no_globals
import tests_register

CONTRACT = "// Thing: a thing.\n//\n// Promise: it is one.\n// Threads: any.\n#pragma once\n"
# The words the checks look for are put together here, so that this file itself passes them.
HOME, TMP, REGISTRY = "/" + "home/alice/src", "/" + "tmp/build", "py" + "pi.org"
WORK = "/" + "work/"  # a machine's folder, but not behind a host's name

# check, bad samples (files of one small tree), good samples
CASES = [
    (
        floors,
        [
            {"src/base/a.cc": '#include "tensor/b.h"\n', "src/tensor/b.h": ""},
            {"src/tensor/a.cc": '#include "text/b.h"\n', "src/text/b.h": ""},
            {"src/serve/a.cc": '#include "backend/b.h"\n', "src/backend/b.h": ""},
            {
                "src/serve/a.cc": '#include "engine/e.h"\n',
                "src/engine/e.h": '#include "model/m.h"\n',
                "src/model/m.h": "",
            },
            {"src/model/a.cc": '#include "kv/b.h"\n', "src/kv/b.h": ""},
            {"src/sched/a.cc": "#include <mutex>\n"},
            {"src/sched/a_test.cc": "#include <chrono>\n"},
            {"src/kv/a.cc": '#include "base/pool.h"\n', "src/base/pool.h": "#include <thread>\n"},
            {"src/model/a.cc": "#include <cuda_runtime.h>\n"},
            {"src/base/a.cc": '#include "../base/b.h"\n', "src/base/b.h": ""},
            {"src/attic/a.cc": ""},
            {"src/model/a.cu": "#include <mma.h>\n"},
            {
                "src/backend/a.cc": '#include "backend/cuda/b.h"\n',
                "src/backend/cuda/b.h": '#include "backend/cuda/c.h"\n',
                "src/backend/cuda/c.h": "#include <cuda_runtime.h>\n",
            },
            {"bench/a_bench.cc": "#include <cuda_runtime.h>\n"},
            {"bench/a_bench.cc": '#include "backend/cuda/b.h"\n', "src/backend/cuda/b.h": "#include <cublasLt.h>\n"},
            {"tests/golden/a.cu": ""},
        ],
        [
            {"src/tensor/a.cc": '#include <thread>\n#include "base/b.h"\n', "src/base/b.h": ""},
            {"src/backend/cuda/a.cc": "#include <cuda_runtime.h>\n"},
            {"src/backend/cuda/a/b.cu": "#include <cuda_bf16.h>\n"},
            {"src/backend/a.cc": '#include "backend/cuda/b.h"\n', "src/backend/cuda/b.h": "#include <span>\n"},
            {"bench/cuda/a.cu": "#include <cuda_runtime.h>\n"},
            {"src/serve/a.cc": '#include "engine/e.h"\n', "src/engine/e.h": ""},
            {"src/backend/cpu/a.cc": '#include "hwy/highway.h"\n'},
        ],
    ),
    (
        lengths,
        [
            {"src/base/a.cc": "int x();\n" * 801},
            {"tools/a.py": "pass\n" * 900},
            {"src/backend/cuda/a.cu": "int x();\n" * 801},
            {"bench/cuda/a.cuh": "int x();\n" * 801},
        ],
        [{"src/base/a.cc": "int x();\n" * 800}],
    ),
    (
        tests_register,
        [
            {"src/base/a_test.cc": "int helper() { return 1; }\n"},
            {"src/base/a_test.cc": "TEST(A, B) { helper(); }\n"},
            {"src/base/a_test.cc": "TEST_P(A, B) { EXPECT_TRUE(f()); }\n"},
            {"tests/other/a_test.cc": "TEST(A, B) { EXPECT_TRUE(f()); }\n"},
            {"src/backend/cuda/a_test.cu": "TEST(A, B) { helper(); }\n"},
            {"src/backend/cpu/a_test.cu": "TEST(A, B) { EXPECT_TRUE(f()); }\n"},
            {"tests/e2e/a_test.py": "print('hello')\n"},
            {"tests/e2e/a_tests.py": "def helper():\n    pass\n"},
            {"tests/fuzz/a_fuzz.cc": "int LLVMFuzzerTestOneInput();\n"},
            {"tests/fuzz/a_fuzz.cc": "int main() {}\n", "tests/fuzz/corpus/a/1": "x"},
        ],
        [
            {"src/base/a_test.cc": "TEST(A, B) { EXPECT_TRUE(f()); }\n"},
            {
                "src/base/a_test.cc": "TEST_P(A, B) { EXPECT_TRUE(f()); }\n"
                "INSTANTIATE_TEST_SUITE_P(All, A, testing::Values(1));\n"
            },
            {
                "src/base/a_test.cc": '#include "base/test_support.h"\nTEST(A, B) { same(); }\n',
                "src/base/test_support.h": "inline void same() { EXPECT_EQ(f(), 1); }\n",
            },
            {"src/backend/cuda/a_test.cu": "TEST(A, B) { EXPECT_TRUE(f()); }\n"},
            {"tests/e2e/a_test.py": "def test_it():\n    assert f()\n"},
            {"tests/fuzz/a_fuzz.cc": "int LLVMFuzzerTestOneInput();\n", "tests/fuzz/corpus/a/1": "x"},
        ],
    ),
    (
        contracts,
        [
            {"src/base/a.h": "#pragma once\n"},
            {"src/base/a.h": "// A thing.\n// More of it.\n// And more.\n#pragma once\n"},
            {"src/base/a.h": "// A.\n// Promise: it is.\n// So it is.\n#pragma once\n"},
            {"src/base/a_inl.h": "#pragma once\n"},
            {"src/backend/cuda/a.cuh": "#pragma once\n"},
            {"bench/cuda/a.h": "// A thing.\n#pragma once\n"},
        ],
        [{"src/base/a.h": CONTRACT}, {"src/base/a_inl.h": "// A piece of a.cc.\n#pragma once\n"}],
    ),
    (
        machine_paths,
        [
            {"README.md": f"cd {HOME}\n"},
            {"dev": f"mkdir {TMP}\n"},
            {"docs/a.md": f"from https://{REGISTRY}/simple\n"},
            {"docs/a.md": "built on kestrel-7\n"},
        ],
        [
            {"README.md": "cd ~/hangar; ls ${TMPDIR:-/tmp}/x; see https://example.com" + WORK + " and ./home/x\n"},
            {"tests/data/a.txt": f"{HOME}\n"},
        ],
    ),
    (
        no_globals,
        [
            {"src/base/a.cc": "namespace hangar {\nint counter = 0;\n}\n"},
            {"src/base/a.cc": "namespace {\nstd::map<int, std::string> table;\n}\n"},
            {"src/base/a.cc": "int f() {\n  static int calls = 0;\n  return ++calls;\n}\n"},
            {"src/base/a.cc": "void f() { thread_local std::vector<float> scratch; }\n"},
            {"src/base/a.cc": "// global: this one\nint one = 0;\n\nint other = 1;\n"},
            {"src/base/a.h": CONTRACT + "class A {\n  static int count_;\n};\n"},
            {"src/base/a.cc": "namespace hangar {\nstd::atomic<int> live{0};\n}\n"},
            {"src/backend/cuda/a.cu": "namespace hangar {\n__device__ int counter = 0;\n}\n"},
        ],
        [
            {"src/base/a.cc": "namespace hangar {\nconstexpr int kOne = 1;\nconst char kName[] = \"a\";\n}\n"},
            {"src/base/a.cc": "int f(int x) {\n  int y = x;\n  static const int kTwo = 2;\n  return y + kTwo;\n}\n"},
            {"src/base/a.cc": "struct A {\n  int x = 0;\n  std::string s;\n};\nvoid g();\n"},
            {"src/base/a.cc": "// global: set by the signal handler\nvolatile sig_atomic_t stop = 0;\nint more = 1;\n"},
            {"src/base/a.cc": "namespace hangar {\ninline namespace kernels {\nvoid f();\n}\n}\n"},
            {"src/base/a.cc": "enum class E { kA, kB };\nusing X = int;\nclass Y;\nextern const int kZ;\n"},
        ],
    ),
]


def problems_of(check, files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return check.check(root, host="kestrel-7.example") if check is machine_paths else check.check(root)


def main():
    wrong, samples = [], 0
    for check, bad, good in CASES:
        for files in bad:
            samples += 1
            if not problems_of(check, files):
                wrong.append(f"{check.__name__} passes a bad sample: {files}")
        for files in good:
            samples += 1
            for problem in problems_of(check, files):
                wrong.append(f"{check.__name__} refuses a good sample: {problem}")
    for line in wrong:
        print(line)
    print(f"selftest: {'ok' if not wrong else f'{len(wrong)} wrong'}, {len(CASES)} checks, {samples} samples")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
