"""./dev test --gpu and ./dev bench --gpu as a bundle has them, over programs that only say what they are told to."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
CARD = "CPU: some\nGPU: 1 card, driver 580.82.07 (CUDA 13.0)\n"
PROGRAMS = ("cuda_tests", "backend_tests", "architecture_tests", "golden_tests")
NOTHING = ""  # no test of it is in the filter
PASSES = "[==========] 3 tests ran.\n[  PASSED  ] 3 tests.\n"
SKIPS = "[  PASSED  ] 2 tests.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] A.B\n"
FAILS = "[  PASSED  ] 4 tests.\n[  FAILED  ] 2 tests, listed below:\n[  FAILED  ] A.B\n[  FAILED  ] A.C\n"


class Bundle(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hangar-bundle-"))
        (self.root / "share/dev").mkdir(parents=True)
        (self.root / "bin").mkdir()
        shutil.copy(HERE / "bundle_dev.sh", self.root / "dev")
        shutil.copy(HERE / "gpu.sh", self.root / "share/dev/gpu.sh")
        (self.root / "cuda/lib64").mkdir(parents=True)
        (self.root / "cuda/lib64/libcublasLt.so.13").touch()
        self.program("hangar", CARD)
        for name in PROGRAMS:
            self.program(name, NOTHING)
        for name in PROGRAMS[:2]:
            self.program(name, PASSES)

    def tearDown(self):
        shutil.rmtree(self.root)

    def program(self, name, says, code=0):
        path = self.root / "bin" / name
        listed = "A." if says == NOTHING else "A.\n  B"
        path.write_text(f'#!/bin/sh\ncase "$*" in *--gtest_list_tests*) echo "{listed}"; exit 0;; esac\n'
                        f'cat <<"END"\n{says}END\necho "$0 $@ in $LD_LIBRARY_PATH"\nexit {code}\n')
        path.chmod(0o755)

    def dev(self, *arguments, **env):
        environment = {**os.environ, "CUDA_HOME": str(self.root / "cuda"), **env}
        done = subprocess.run(["bash", self.root / "dev", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=environment, check=False)
        return done.returncode, done.stdout, done.stderr

    def log(self, name):
        return (self.root / "logs" / name).read_text()

    def test_counts_are_added_and_the_filter_is_passed_on(self):
        self.program("backend_tests", SKIPS)
        code, out, _ = self.dev("test", "--gpu", "--filter", "Attention*")
        self.assertEqual(out.splitlines()[-1], "5 passed, 0 failed, 1 skipped")
        self.assertEqual(code, 0)
        self.assertIn("GPU: 1 card", out)
        self.assertIn("--gtest_filter=Attention*", self.log("cuda_tests.log"))

    def test_failures_are_counted_and_shown(self):
        self.program("cuda_tests", FAILS, 1)
        code, out, _ = self.dev("test", "--gpu")
        self.assertEqual(out.splitlines()[-1], "7 passed, 2 failed, 0 skipped")
        self.assertIn("[  FAILED  ] A.C", out)
        self.assertEqual(code, 1)

    def test_a_crash_is_a_failure(self):
        self.program("cuda_tests", "[ RUN      ] A.B\n", 139)
        code, out, _ = self.dev("test", "--gpu")
        self.assertEqual(out.splitlines()[-1], "3 passed, 1 failed, 0 skipped")
        self.assertIn("cuda_tests ended with 139", out)
        self.assertEqual(code, 1)

    def test_tests_that_find_no_card_beside_one_fail(self):
        self.program("cuda_tests", "no CUDA card here\n" + SKIPS)
        code, out, _ = self.dev("test", "--gpu")
        self.assertEqual(out.splitlines()[-1], "5 passed, 1 failed, 1 skipped")
        self.assertEqual(code, 1)

    def test_no_test_at_all_fails(self):
        for says in ("nothing\n", NOTHING):
            for name in PROGRAMS:
                self.program(name, says)
            code, out, _ = self.dev("test", "--gpu")
            self.assertEqual(out.splitlines()[-1], "0 passed, 1 failed, 0 skipped")
            self.assertEqual(code, 1)

    def test_a_program_that_does_not_start_fails(self):
        (self.root / "bin/cuda_tests").unlink()
        code, out, _ = self.dev("test", "--gpu")
        self.assertEqual(out.splitlines()[-1], "3 passed, 1 failed, 0 skipped")
        self.assertEqual(code, 1)

    def test_without_a_card_the_reason_is_said(self):
        self.program("hangar", "CPU: some\nGPU: none. No NVIDIA card and no driver here (why).\n")
        for verb in ("test", "bench"):
            code, _, err = self.dev(verb, "--gpu")
            self.assertEqual(code, 1)
            self.assertIn("No NVIDIA card and no driver here (why).", err)

    def test_without_cublas_the_error_says_where_it_comes_from(self):
        if subprocess.run("/sbin/ldconfig -p | grep -q libcublasLt.so.13", shell=True, check=False).returncode == 0:
            self.skipTest("the loader of this machine knows cuBLASLt")
        (self.root / "cuda/lib64/libcublasLt.so.13").unlink()
        code, _, err = self.dev("test", "--gpu", PYTHONPATH="")
        self.assertEqual(code, 1)
        self.assertIn("nvidia-cublas", err)

    def test_a_tool_wraps_the_operations_tests_alone(self):
        path = self.root / "cuda/bin"
        path.mkdir()
        (path / "compute-sanitizer").write_text('#!/bin/sh\necho "sanitizer $@"\nwhile [ "${1#*/}" = "$1" ]; do shift; done\n"$@"\n')
        (path / "compute-sanitizer").chmod(0o755)
        code, out, err = self.dev("test", "--gpu", "--tool=memcheck", PATH="/usr/bin:/bin")
        self.assertEqual(out.splitlines()[-1], "3 passed, 0 failed, 0 skipped", err)
        self.assertIn("sanitizer --tool memcheck", self.log("cuda_tests-memcheck.log"))
        self.assertEqual(code, 0)
        code, _, err = self.dev("test", "--gpu", "--tool=racecheck", PATH="/usr/bin:/bin")
        self.assertEqual(code, 1)
        self.assertIn("./dev bundle --racecheck", err)
        (self.root / "share/racecheck").touch()
        code, _, err = self.dev("test", "--gpu", "--tool=racecheck", PATH="/usr/bin:/bin")
        self.assertIn("sanitizer --tool racecheck", self.log("cuda_tests-racecheck.log"))
        self.assertEqual(code, 0, err)

    def test_races_count_unless_they_are_the_librarys(self):
        (self.root / "share/racecheck").touch()
        path = self.root / "cuda/bin"
        path.mkdir()
        tool = path / "compute-sanitizer"
        theirs = "========= Error: Race reported between Read access at nvjet_sm90_hss+0xb00"
        for line, code in ((theirs, 0), ("=== done", 0), (theirs.replace("nvjet_", "hangar::"), 1),
                           ("========= Internal Sanitizer Error: failed", 1)):
            tool.write_text(f'#!/bin/sh\nwhile [ "${{1#*/}}" = "$1" ]; do shift; done\necho "{line}"\n"$@"\n')
            tool.chmod(0o755)
            got, out, err = self.dev("test", "--gpu", "--tool=racecheck", PATH="/usr/bin:/bin")
            self.assertEqual(got, code, f"{line}: {out} {err}")
            self.assertEqual("1 reports of cuBLASLt's own kernels" in out, line == theirs, out)
            self.assertEqual("racecheck: 1 reports:" in out, code == 1, out)

    def test_jobs_share_out_the_operations_tests_alone(self):
        for name in PROGRAMS[:2]:
            path = self.root / "bin" / name
            path.write_text(path.read_text().replace("exit 0\n", 'echo "part $GTEST_SHARD_INDEX of $GTEST_TOTAL_SHARDS"\n'
                                                                 '[ "$GTEST_SHARD_INDEX" != "$BAD" ] || exit 139\n'))
        code, out, err = self.dev("test", "--gpu", "--jobs", "3", BAD="none")
        self.assertEqual(out.splitlines()[-1], "12 passed, 0 failed, 0 skipped", err)
        self.assertEqual(code, 0)
        for part in range(3):
            self.assertIn(f"part {part} of 3", self.log("cuda_tests.log"))
        self.assertNotIn("of 3", self.log("backend_tests.log"))
        self.assertEqual(sorted(path.name for path in (self.root / "logs").iterdir()),
                         ["backend_tests.log", "cuda_tests.log"])
        code, out, _ = self.dev("test", "--gpu", "--jobs=3", BAD="1")
        self.assertIn("cuda_tests ended with 139", out)
        self.assertEqual(code, 1)
        for strange in ("0", "many", "100", ""):
            self.assertEqual(self.dev("test", "--gpu", "--jobs", strange)[0], 1)

    def test_what_is_shared_out_ends_with_us(self):
        self.program("backend_tests", NOTHING)
        path = self.root / "bin/cuda_tests"
        path.write_text(path.read_text().replace("exit 0\n", 'echo $$ >"$0.$GTEST_SHARD_INDEX"\nexec sleep 60\n'))
        environment = {**os.environ, "CUDA_HOME": str(self.root / "cuda")}
        # Who ignores SIGINT (a shell's background job) leaves it ignored to what it starts, and bash cannot trap it then.
        with subprocess.Popen(["env", "--default-signal=INT", "bash", self.root / "dev", "test", "--gpu", "--jobs", "2"],
                              stdout=subprocess.DEVNULL, env=environment) as running:
            marks = [self.root / f"bin/cuda_tests.{part}" for part in range(2)]
            for _ in range(200):
                if all(mark.exists() and mark.read_text() for mark in marks):
                    break
                time.sleep(0.05)
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(20), 130)
        for mark in marks:
            with self.assertRaises(ProcessLookupError):
                os.kill(int(mark.read_text()), 0)

    def test_the_benchmark_gets_its_arguments(self):
        self.program("hangar_cuda_bench", "figures\n")
        code, out, _ = self.dev("bench", "--gpu", "kernels", "--quick", "--filter=matmul/")
        self.assertIn("hangar_cuda_bench --quick --filter=matmul/", out)
        self.assertEqual(code, 0)
        self.program("hangar_cuda_bench", "figures\n", 1)
        self.assertEqual(self.dev("bench", "--gpu", "kernels")[0], 1)

    def test_the_table_is_made_of_the_bundles_own_programs(self):
        (self.root / "bench").mkdir()
        script = self.root / "bench/gpu_table.py"
        script.write_text("import sys\nprint('table of', *sys.argv[1:])\n")
        code, out, err = self.dev("bench", "--gpu", "--quick", "--only", "fp8")
        self.assertEqual(code, 0, err)
        self.assertIn(f"table of --hangar {self.root}/bin/hangar --kernels {self.root}/bin/hangar_cuda_bench --quick"
                      " --only fp8", out)
        script.write_text("import sys\nsys.exit(130)\n")
        self.assertEqual(self.dev("bench", "--gpu")[0], 130)

    def test_what_it_does_not_know_is_refused(self):
        self.assertEqual(self.dev("test")[0], 1)
        self.assertEqual(self.dev("test", "--gpu", "--slow")[0], 1)
        self.assertEqual(self.dev("test", "--gpu", "--tool")[0], 1)
        self.assertEqual(self.dev("fly")[0], 1)
        self.assertEqual(self.dev("help")[0], 0)


if __name__ == "__main__":
    unittest.main()
