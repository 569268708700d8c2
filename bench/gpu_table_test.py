#!/usr/bin/env python3
"""gpu_table.py over programs that only print figures: what is run, what is told of it, how it ends."""

import contextlib
import errno
import functools
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
import xml.etree.ElementTree

import gpu_table
from gpu import plot, runs, tables, targets

HERE = pathlib.Path(__file__).resolve().parent
runs.LOCK = f"\0hangar-gpu-table-test-{os.getpid()}".encode()

# `hangar` with figures that grow with the batch: 250 tokens a second of each stream, twice that in FP8, thrice in
# 4 bits, three quarters of it in deterministic mode. What is in TROUBLE happens before it answers.
HANGAR = """#!{python}
import json, pathlib, signal, sys, time
given = sys.argv[1:]
here = pathlib.Path(__file__).parent
with open(here / "asked", "a") as asked:
    asked.write(json.dumps(given) + "\\n")
if given[0] == "devices":
    print(json.dumps({{"driver": "580.1", "driver_cuda": "13.0", "cards": [
        {{"name": "NVIDIA {card}", "power_limit_w": 700.0, "processes": 0}}]}}))
    sys.exit(0)
def of(flag, default):
    return given[given.index(flag) + 1] if flag in given else default
quant, kv = of("--quant", ""), of("--kv-type", "")
speed = {{"none": 250.0, "fp8": 500.0, "int4": 750.0}}[quant] * (0.75 if of("--deterministic", "") == "on" else 1)
prompt, repeats = int(of("--input-tokens", 128)), int(of("--repeats", 1))
def test(name, requests, value, unit="tok/s"):
    return {{"test": name, "requests": requests, "input_tokens": prompt, "unit": unit, "median": value,
            "runs": [value + i for i in range(repeats)], "bound": 2 * value, "steps": {{"count": 3}}}}
tests = [test(f"decode x{{n}}", int(n), speed * int(n)) for n in of("--batch", "").split(",") if n]
tests += [test("load", int(n), 40 * speed) for n in of("--requests", "").split(",") if n]
tests += [test("prefill", int(n), 200 * speed) for n in of("--prefill", "").split(",") if n]
if "--first-token" in given:
    tests += [test("first token", 1, 1000 / speed, "ms")]
def tell():
    print(json.dumps({{"benchmark": "engine", "hangar": "0.1.0", "about": {{"compute": "cuda: some"}},
                      "process_start_to_first_token_s": 1.5, "tests": tests}}))
{trouble}
tell()
"""

KERNELS = """#!{python}
import json, pathlib, sys
path = next(word[7:] for word in sys.argv if word.startswith("--json="))
wanted = any("attention/decode-64x4096" in word for word in sys.argv)
pathlib.Path(path).write_text(json.dumps({{"read_bytes_per_s": {reads}, "matrix_operations_per_s": 8e14, "failures": [],
    "results": [{{"name": "decode-64x4096", "bound_us": 93.0, "us": 100.0}}] if wanted else []}}))
"""


class Bench(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="hangar-gpu-table-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.programs()

    def programs(self, trouble="", card="H200", reads=4.53e12):
        for name, text in (("hangar", HANGAR.format(python=sys.executable, trouble=trouble, card=card)),
                           ("hangar_cuda_bench", KERNELS.format(python=sys.executable, reads=reads))):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)

    def arguments(self, *more):
        return ["--hangar", str(self.folder / "hangar"), "--kernels", str(self.folder / "hangar_cuda_bench"),
                "--json", str(self.folder / "out.json"), *more]

    def run_main(self, *more):
        """(exit code, what it printed, what it said beside)"""
        with (contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err):
            code = gpu_table.guarded(self.arguments(*more))
        return code, out.getvalue(), err.getvalue()

    def cells(self, name="out.json"):
        made = json.loads((self.folder / name).read_text())
        return {(cell["row"], cell["format"]): cell for cell in made["cells"]}

    def asked(self):
        """Of each process its arguments, but for those of `hangar devices`."""
        lines = [json.loads(line) for line in (self.folder / "asked").read_text().splitlines()]
        return [line for line in lines if line[0] == "bench"]


class TargetsTest(unittest.TestCase):
    def test_every_target_is_of_a_row_that_is_measured(self):
        rows = {(row.key, one): row for row in targets.ROWS for one in row.formats}
        self.assertLessEqual(set(targets.TARGETS), set(rows))
        for key, target in targets.TARGETS.items():
            with self.subTest(key):
                self.assertEqual(bool(target.peer), bool(target.peer_name))
                self.assertEqual(bool(target.least), bool(target.aim))
                order = [target.least, target.aim] + ([target.bound] if target.bound and target.aim else [])
                self.assertEqual(order, sorted(order, reverse=not rows[key].more_is_better))

    def test_what_is_chosen(self):
        everything = targets.chosen()
        self.assertEqual(sum(len(rows) for _, rows in everything), sum(len(row.formats) for row in targets.ROWS))
        self.assertTrue(all(row.group == "long-load" for _, rows in everything[-5:] for row in rows))
        quick = targets.chosen(quick=True)
        self.assertFalse(any(row.group in ("deterministic", "long-load") for _, rows in quick for row in rows))
        (one,) = targets.chosen(["b1", "b8", "int4"])
        self.assertEqual((one[0].key, [row.key for row in one[1]]), ("int4", ["b1", "b8"]))
        self.assertEqual(len(targets.chosen(["long-load"], quick=True)), 5)
        self.assertEqual([one.key for one, _ in targets.chosen(["deterministic"], quick=True)], list(targets.THREE))
        self.assertIsNone(targets.chosen(["fp4"]))


class RunTest(Bench):
    def test_everything_is_run_and_held_to_its_target(self):
        page, picture = self.folder / "page.md", self.folder / "decode.svg"
        page.write_text(f"# Before\n\n{gpu_table.BEGIN}\nold\n{gpu_table.END}\n\nAfter\n")
        code, out, err = self.run_main("--markdown", str(page), "--plot", str(picture))
        self.assertEqual(code, 0, err)
        cells = self.cells()
        self.assertEqual(set(cells), {(row.key, one) for row in targets.ROWS for one in row.formats})
        self.assertEqual(cells["b1", "int4"]["runs"], [750.0, 751.0, 752.0])
        self.assertEqual(cells["start", "bf16"]["runs"], [1.5] * 3)
        self.assertEqual(len(cells["first-token", "fp8"]["runs"]), 60)
        self.assertEqual(cells["attention", "bf16"]["runs"], [93.0])
        lines = {tuple(part.strip() for part in line.split("|")[1:3]): [part.strip() for part in line.split("|")[3:-1]]
                 for line in out.splitlines() if line.startswith("| ")}
        self.assertEqual(lines["one stream, tok/s", "4 bits, head in 8"],
                         ["1,050", "1,500", "277.8 (llama.cpp 0c1e570, Q4_K_M)", "620", "780", "751 (750 to 752)",
                          "50%", "yes"])
        self.assertEqual(lines["128/128, 2,000 requests, 1,024 at once, tok/s", "BF16"][-3:],
                         ["10,000", "50%", "no, 42.9% below"])
        self.assertEqual(lines["process start to first token, s", "BF16"][-1], "yes, and the aim")
        self.assertEqual(lines["paged decode attention, 64 x 4,096, % of bandwidth", "BF16"][-3:],
                         ["93", "93%", "yes, and the aim"])
        self.assertEqual({line.count("|") for line in out.splitlines() if ", tok/s " in line}, {11})
        self.assertIn("4 bits are at or above FP8 at all 9 numbers of streams.", out)
        self.assertRegex(out.splitlines()[-1], r"^25 targets: \d+ reached \(\d+ of them the aim too\), \d+ missed, 0 ")
        self.assertIn("NVIDIA H200, 700 W; driver 580.1 (CUDA 13.0)", out)
        self.assertIn("`./dev bench --gpu`; reads 4.53 TB/s, BF16 products 800 TFLOP/s", out)
        text = page.read_text()
        self.assertTrue(text.startswith("# Before\n") and text.endswith("After\n"))
        self.assertIn("](decode.svg)", text)
        self.assertNotIn("old", text)
        self.assertEqual(xml.etree.ElementTree.parse(picture).getroot().tag, "{http://www.w3.org/2000/svg}svg")
        self.assertIn("prefers-color-scheme:dark", picture.read_text())

    def test_what_each_format_is_asked_for(self):
        self.assertEqual(self.run_main("--quick", "--only", "b1,b64,load-1000-1000")[0], 0)
        asked = self.asked()
        self.assertEqual(len(asked), 4 + 3)
        told = [" ".join(line) for line in asked]
        model = f"bench engine --model {HERE}/shapes/llama-3-8b --load dummy --backend cuda "
        self.assertEqual(told[0], model + "--quant none --batch 1,64 --input-tokens 128 --output-tokens 256"
                                          " --bandwidth 4530 --flops 800.0 --repeats 1 --json -")
        self.assertIn("--quant fp8 --batch", told[1])
        self.assertIn("--flops 1600.0", told[1])
        self.assertIn("--quant int4 --quant-head 8 --batch", told[2])
        self.assertIn("shapes/llama-3-70b --load dummy --backend cuda --quant int4 --quant-head 8 --batch 1 ", told[3])
        self.assertIn("--quant fp8 --kv-type fp8 --requests 1000 --input-tokens 1000 --output-tokens 1000", told[6])
        for line in asked:
            self.assertTrue(pathlib.Path(line[3], "config.json").exists())

    def test_speeds_that_are_given_are_taken(self):
        (self.folder / "hangar_cuda_bench").unlink()
        code, out, _ = self.run_main("--only", "b1,fp8", "--bandwidth", "3350", "--flops", "700", "--repeats", "2")
        self.assertEqual(code, 0)
        self.assertIn("--bandwidth 3350 --flops 1400.0 --repeats 2", " ".join(self.asked()[0]))
        self.assertIn("`./dev bench --gpu --only b1,fp8 --repeats 2 --bandwidth 3350 --flops 700`", out)

    def test_without_the_kernels_program_there_is_no_bound_of_here(self):
        (self.folder / "hangar_cuda_bench").unlink()
        code, out, _ = self.run_main("--only", "b1,bf16,attention")
        self.assertEqual(code, 1)
        self.assertNotIn("--bandwidth", self.asked()[0])
        self.assertIn("speeds of the card not measured: no ", out)
        self.assertIn("1 of 2 rows could not be measured", out)

    def test_another_card_has_targets_of_its_memory(self):
        self.programs(card="H100", reads=4.53e12 / 2)
        _, out, _ = self.run_main("--only", "b1,bf16,attention,first-token,start")
        cells = self.cells()
        self.assertEqual((cells["b1", "bf16"]["least"], cells["b1", "bf16"]["peer"]), (122.5, 203.9))
        self.assertEqual(cells["first-token", "bf16"]["least"], 14)
        self.assertEqual((cells["start", "bf16"]["least"], cells["attention", "bf16"]["least"]), (6, 80))
        self.assertIn("targets are those of an H200 times 0.50", out)

    def test_another_model_is_held_to_nothing(self):
        code, out, _ = self.run_main("--only", "decode,bf16", "--shape", str(self.folder))
        self.assertEqual(code, 0)
        self.assertIn("held to nothing", out)
        self.assertEqual(out.splitlines()[-1],
                         "0 targets: 0 reached (0 of them the aim too), 0 missed, 0 not measured.")
        self.assertIn("batch 256", out)

    def test_4_bits_below_fp8_is_told(self):
        self.programs(trouble="if quant == 'int4' and of('--batch', ''):\n    tests[-1]['runs'] = [500.0 * 256 * 0.9]")
        _, out, _ = self.run_main("--only", "b1,b256,fp8,int4")
        self.assertIn("4 bits are below FP8 at 256 (-10.0%) streams, of 2 numbers of streams compared", out)

    def test_settings_of_the_environment_stay_out(self):
        self.programs(trouble="import os\nset_here = {n for n in os.environ if n.startswith('HANGAR_')}\n"
                              "if set_here != {'HANGAR_NVML'}:\n    sys.exit(9)")
        with unittest.mock.patch.dict(os.environ, {"HANGAR_KV_TYPE": "fp8", "HANGAR_NVML": "x"}):
            self.assertEqual(self.run_main("--only", "b1,bf16")[0], 0)

    def test_names_and_numbers_are_checked(self):
        for wrong in (["--only", "b3"], ["--only", "load-128-2048,bf16"], ["--repeats", "0"], ["--limit", "x"],
                      ["--render"], ["--load", "file"]):
            with self.subTest(wrong), self.assertRaises(SystemExit) as refused:
                self.run_main(*wrong)
            self.assertEqual(refused.exception.code, 2)
        self.assertEqual(self.run_main("--list")[0], 0)


class DeterministicTest(Bench):
    def table(self, out):
        """{streams: the words behind them}"""
        begin = out.index("| deterministic, streams")
        lines = [line.replace("|", "").split() for line in out[begin:].split("\n\n")[0].splitlines()]
        return {line[0]: line[1:] for line in lines[2:]}

    def test_one_process_a_format_and_a_table_of_its_own(self):
        code, out, err = self.run_main("--only", "deterministic,b1,b64,b8,bf16,fp8")
        self.assertEqual(code, 0, err)
        told = [" ".join(line) for line in self.asked()]
        self.assertEqual(["--deterministic" in line for line in told], [False, False, True, True])
        self.assertIn("--quant none --deterministic on --batch 1,8,64,256 --input-tokens 128 --output-tokens 256"
                      " --bandwidth 4530 --flops 800.0 --repeats 1 ", told[2])
        table = self.table(out)
        self.assertEqual(table["64"], ["12,000", "75%", "24,000", "75%", "-", "-"])
        self.assertEqual(table["256"], ["48,000", "-", "96,000", "-", "-", "-"])
        self.assertEqual((list(table), out.count("deterministic, ")), (["1", "8", "64", "256"], 1))
        self.assertLess(out.index("| what"), out.index("| deterministic, streams"))
        cells = list(self.cells().values())
        ordinary = [cell for cell in cells if not cell["row"].startswith("deterministic")]
        for made in (tables.main_table, lambda these: plot.svg(these, "")):
            self.assertEqual(made(cells), made(ordinary))
        self.assertEqual(tables.deterministic_table(ordinary), "")

    def test_alone_it_has_no_share_until_the_others_are_there(self):
        first = self.folder / "first.json"
        code, out, _ = self.run_main("--quick", "--only", "deterministic-b8", "--repeats", "2")
        self.assertEqual((code, self.table(out)), (0, {"8": ["1,500", "-", "3,000", "-", "4,500", "-"]}))
        self.assertNotRegex(out, r"\| what|Bound here")
        self.assertEqual(len(self.cells()["deterministic-b8", "int4"]["runs"]), 2)
        (self.folder / "out.json").rename(first)
        _, out, _ = self.run_main("--only", "b8,int4", "--with", str(first))
        self.assertEqual(self.table(out)["8"], ["1,500", "-", "3,000", "-", "4,500", "75%"])
        self.assertEqual(self.run_main("--render", "--with", str(self.folder / "out.json"))[1], out)

    def test_what_fails_says_why_in_the_main_table(self):
        self.programs(trouble="if '--deterministic' in given and quant == 'fp8':\n    sys.exit('no memory')")
        code, out, _ = self.run_main("--only", "deterministic-b1,b1,bf16,fp8")
        self.assertEqual((code, self.table(out)["1"][2:4]), (1, ["-", "-"]))
        self.assertRegex(out, r"\| deterministic, one stream, tok/s +\| FP8 .* not measured \(1\)")
        self.assertIn("1 of 4 rows could not be measured", out.splitlines()[-1])


class TroubleTest(Bench):
    def test_a_format_that_fails_says_why_in_its_rows(self):
        self.programs(trouble="if quant == 'fp8':\n    sys.exit('hangar: error: no such | card\\nhint: buy one')")
        code, out, _ = self.run_main("--quick", "--only", "b1,prefill,bf16,fp8")
        self.assertEqual(code, 1)
        cells = self.cells()
        self.assertEqual(cells["b1", "bf16"]["runs"], [250.0])
        self.assertEqual(cells["prefill", "fp8"]["failed"], "ended with 1: hangar: error: no such | card")
        self.assertIn("not measured (1)", out)
        self.assertEqual(out.count("(1) ended with 1: hangar: error: no such | card"), 1)
        self.assertIn("4 targets: 2 reached", out)
        self.assertIn("2 not measured; 2 of 4 rows could not be measured.", out)

    def test_one_batch_that_fails_does_not_take_the_others_with_it(self):
        self.programs(trouble="import os\nif any(one['requests'] == 256 for one in tests):\n"
                              "    os.kill(os.getpid(), signal.SIGABRT)")
        code, _, _ = self.run_main("--quick", "--only", "decode,bf16")
        self.assertEqual(code, 1)
        cells = self.cells()
        self.assertEqual(cells["b256", "bf16"]["failed"], "ended by SIGABRT and said nothing")
        self.assertEqual([cell["row"] for cell in cells.values() if cell["failed"]], ["b256"])
        self.assertEqual(len(self.asked()), 1 + len(targets.BATCHES))

    def test_what_the_program_skips_is_not_measured(self):
        self.programs(trouble="del tests[-1]['runs']\ntests[-1]['skipped'] = '64 sequences run at once at most'")
        self.assertEqual(self.run_main("--only", "b1,b256,bf16")[0], 1)
        self.assertEqual(self.cells()["b256", "bf16"]["failed"], "skipped: 64 sequences run at once at most")

    def test_other_words_than_figures_are_told(self):
        for trouble in ("print('hello')\nsys.exit(0)", "print('[]')\nsys.exit(0)", "tests[0]['requests'] = 7"):
            self.programs(trouble=trouble)
            self.assertEqual(self.run_main("--only", "b1,bf16")[0], 1)
            self.assertRegex(self.cells()["b1", "bf16"]["failed"], "told no figures|another test was told of")

    def test_a_program_that_is_not_there(self):
        (self.folder / "hangar").unlink()
        self.assertEqual(self.run_main("--only", "b1,bf16")[0], 1)
        self.assertIn("No such file", self.cells()["b1", "bf16"]["failed"])

    def test_a_limit_ends_what_hangs_and_keeps_what_it_had(self):
        self.programs(trouble="if len(tests) > 1:\n"
                              "    def stop(*_):\n        del tests[1:]\n        tell()\n        sys.exit(130)\n"
                              "    signal.signal(signal.SIGINT, stop)\n    time.sleep(60)")
        began = time.monotonic()
        code, _, _ = self.run_main("--only", "b1,b2,bf16", "--limit", "2")
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(code, 1)
        cells = self.cells()
        self.assertEqual(len(cells["b1", "bf16"]["runs"]), 3)
        self.assertEqual(cells["b2", "bf16"]["failed"], "not through within 2 s")

    def test_two_at_once_are_refused(self):
        with runs.alone():
            code, out, err = self.run_main("--only", "b1,bf16")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("another ./dev bench --gpu is measuring", err)

    def test_a_full_disk_is_told_and_the_table_is_there(self):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with unittest.mock.patch.object(pathlib.Path, "write_text", side_effect=full):
            code, out, err = self.run_main("--only", "b1,bf16", "--plot", str(self.folder / "a.svg"))
        self.assertEqual(code, 1)
        self.assertIn("one stream, tok/s", out)
        self.assertEqual(err.count("out.json cannot be written: No space left on device"), 1)
        self.assertIn("a.svg cannot be written: No space left on device", err)
        self.assertEqual(list(self.folder.glob("*.part")), [])

    def start(self, stdout, *more):
        """As a process of its own, with the tests' own lock."""
        program = (f"import sys; sys.path.insert(0, {str(HERE)!r}); import gpu_table; from gpu import runs;"
                   f" runs.LOCK = {runs.LOCK!r}; sys.exit(gpu_table.guarded(sys.argv[1:]))")
        # Who began these tests behind a shell's & has SIGINT ignored, and it would be.
        heeds = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen([sys.executable, "-c", program, *self.arguments(*more)], stdout=stdout,
                                stderr=subprocess.PIPE, text=True, preexec_fn=heeds)

    def test_standard_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full, self.start(full, "--only", "b1,bf16") as process:
            _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("No space left on device", err)
        self.assertNotIn("Traceback", err)

    def test_ctrl_c_ends_the_program_and_tells_what_there_is(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.programs(trouble="if quant == 'fp8':\n    (here / 'slow').touch()\n    time.sleep(60)")
            with self.start(subprocess.PIPE, "--only", "b1") as process:
                end = time.monotonic() + 30
                while not (self.folder / "slow").exists() and time.monotonic() < end:
                    time.sleep(0.01)
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 130, err)
            self.assertNotIn("Traceback", err)
            cells = self.cells()
            self.assertEqual(len(cells["b1", "bf16"]["runs"]), 3)
            self.assertEqual(cells["b1", "fp8"]["failed"], "stopped")
            self.assertEqual(cells["b1", "int4"]["failed"], "stopped before it")
            self.assertIn("251 (250 to 252)", out)
            self.assertIn("3 not measured", out.splitlines()[-1])
            (self.folder / "slow").unlink()


class EarlierTest(Bench):
    def test_figures_of_several_runs_make_one_table(self):
        first = self.folder / "first.json"
        self.assertEqual(self.run_main("--only", "b1,bf16")[0], 0)
        (self.folder / "out.json").rename(first)
        code, out, _ = self.run_main("--only", "b1,fp8", "--with", str(first))
        self.assertEqual(code, 0)
        self.assertEqual(set(self.cells()), {("b1", "bf16"), ("b1", "fp8")})
        self.assertIn("--only b1,fp8`", out)
        self.assertIn("--only b1,bf16`", out)
        (self.folder / "asked").unlink()
        second = self.folder / "second.json"
        (self.folder / "out.json").rename(second)
        code, again, _ = self.run_main("--render", "--with", str(second), "--with", str(first))
        self.assertEqual(code, 0)
        self.assertFalse((self.folder / "asked").exists())
        self.assertEqual(again, out)

    def test_a_failure_does_not_replace_a_figure(self):
        good, bad = self.folder / "good.json", self.folder / "bad.json"
        self.run_main("--only", "b1,bf16")
        (self.folder / "out.json").rename(good)
        self.programs(trouble="sys.exit(3)")
        self.run_main("--only", "b1,bf16")
        (self.folder / "out.json").rename(bad)
        self.assertEqual(self.run_main("--render", "--with", str(good), "--with", str(bad))[0], 0)

    def test_files_of_something_else_are_refused(self):
        for text in ("{}", "x", '{"benchmark": "engine"}', None):
            path = self.folder / "other.json"
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
            with self.assertRaises(SystemExit) as refused:
                self.run_main("--render", "--with", str(path))
            self.assertIn("other.json", str(refused.exception.code))


if __name__ == "__main__":
    unittest.main()
