#!/usr/bin/env python3
"""compare_cpu.py's sums, verdicts and table, on figures made up here."""

import contextlib
import http.server
import io
import json
import os
import pathlib
import sys
import tempfile
import threading
import unittest
import unittest.mock

import compare
import compare_cpu

SPEED = compare_cpu.Row("speed", "speed", 1, True, 2.0, 3.5)
TIME = compare_cpu.Row("time", "time", 0, False, 1 / 3, 1 / 6)
MEMORY = compare_cpu.Row("memory", "memory", 0, False, 115.0, 105.0, absolute=True)


class ResultTest(unittest.TestCase):
    def test_the_better_file_is_the_faster_and_ratios_are_taken_round_by_round(self):
        values = {"hangar": [30.0, 80.0, 60.0], "A": [5.0, 5.0, 5.0], "B": [10.0, 20.0, 30.0]}
        result = compare_cpu.result_of(SPEED, values)
        self.assertEqual(result["better"], "B")
        self.assertEqual(result["ratio"]["rounds"], [3.0, 4.0, 2.0])
        self.assertEqual(result["ratio"]["median"], 3.0)
        self.assertEqual(result["verdict"], "pass")

    def test_of_times_the_better_file_is_the_one_with_less(self):
        values = {"hangar": [10.0], "A": [500.0], "B": [40.0]}
        result = compare_cpu.result_of(TIME, values)
        self.assertEqual((result["better"], result["ratio"]["median"], result["verdict"]), ("B", 0.25, "pass"))

    def test_verdicts(self):
        def verdict(row, ours, theirs=100.0):
            return compare_cpu.result_of(row, {"hangar": [ours], "A": [theirs], "B": [theirs]})["verdict"]

        self.assertEqual([verdict(SPEED, ours) for ours in (199.0, 200.0, 349.0, 350.0)],
                         ["FAIL", "pass", "pass", "aim"])
        self.assertEqual([verdict(TIME, ours) for ours in (34.0, 33.0, 17.0, 16.0)], ["FAIL", "pass", "pass", "aim"])
        # Held against the figure itself: the ratio, here above one, does not matter.
        self.assertEqual([verdict(MEMORY, ours) for ours in (116.0, 115.0, 105.0)], ["FAIL", "pass", "aim"])


class TableTest(unittest.TestCase):
    def setUp(self):
        self.results = [
            compare_cpu.result_of(row, {"hangar": [1000.0 + i, 3000.0], "A": [10.0, 10.0], "B": [100.0, 100.0]})
            for i, row in enumerate(compare_cpu.ROWS)]

    def test_every_row_has_its_figures_targets_and_verdict(self):
        lines = compare_cpu.table(self.results).splitlines()
        self.assertEqual(len(lines), 2 + len(compare_cpu.ROWS))
        self.assertEqual({line.count("|") for line in lines}, {lines[0].count("|")})
        self.assertEqual(lines[2], "| prefill, 512 tokens, tokens/s | 2000 (1000 to 3000) | 10 (10 to 10)"
                                   " | 100 (100 to 100) | 20.00 (10.00 to 30.00) of B | 2.00x | 3.50x | aim |")
        self.assertIn("at most 0.333x | at most 0.167x | FAIL |", lines[6])
        self.assertIn("at most 115 | at most 105 | FAIL |", lines[9])

    def test_docs_are_updated_between_their_marks_and_nowhere_else(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "benchmarks.md"
            path.write_text("# Before\n")
            for text in ("first", "second"):
                compare.update_docs(path, text, compare_cpu.BEGIN, compare_cpu.END)
            self.assertEqual(path.read_text(), f"# Before\n\n{compare_cpu.BEGIN}\nsecond\n{compare_cpu.END}\n")


class FirstTokenTest(unittest.TestCase):
    """Against a server that answers as told: status and body, one after the other."""

    def ask(self, answers):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, body = answers[len(asked) - 1]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            process = unittest.mock.Mock(poll=lambda: None)
            try:
                compare_cpu.first_token(process, f"http://127.0.0.1:{server.server_port}", io.BytesIO(b"log"), "name")
            finally:
                server.shutdown()
                thread.join()
        return asked

    def test_waits_until_text_comes(self):
        text = b'data: {"choices": [{"text": ""}]}\n\ndata: {"choices": [{"text": "a"}]}\n\n'
        asked = self.ask([(503, b""), (503, b""), (200, text)])
        self.assertEqual(len(asked), 3)
        self.assertEqual((asked[0]["model"], asked[0]["stream"]), ("name", True))

    def test_an_answer_without_text_is_the_end(self):
        with self.assertRaises(SystemExit) as ended:
            self.ask([(200, b'data: {"choices": [{"text": ""}]}\n\ndata: [DONE]\n\n')])
        self.assertIn("without text", str(ended.exception.code))

    def test_a_refusal_is_the_end(self):
        with self.assertRaises(SystemExit) as ended:
            self.ask([(400, b"no such model")])
        self.assertIn("no such model", str(ended.exception.code))

    def test_a_server_that_has_ended_is_not_waited_for(self):
        process = unittest.mock.Mock(poll=lambda: 1)
        with self.assertRaises(SystemExit) as ended:
            compare_cpu.first_token(process, "http://127.0.0.1:9", io.BytesIO(b"out of memory"), "name")
        self.assertIn("out of memory", str(ended.exception.code))

    def test_memory_is_read_from_the_system(self):
        self.assertGreater(compare_cpu.resident_mib(os.getpid()), 1)


class WrittenKvTest(unittest.TestCase):
    def read(self, *held_then_kept):
        pages = [io.BytesIO(f"""# TYPE hangar_kv_bytes gauge
hangar_kv_bytes{{model_name="m"}} 104857600
hangar_kv_blocks{{model_name="m",state="held"}} {held}
hangar_kv_blocks{{model_name="m",state="kept"}} {kept}
hangar_kv_blocks{{model_name="m",state="free"}} {100 - held - kept}
""".encode()) for held, kept in held_then_kept]
        with unittest.mock.patch.object(compare_cpu.urllib.request, "urlopen", side_effect=pages):
            return compare_cpu.written_kv_mib("http://127.0.0.1:9")

    def test_full_blocks_count_once_the_prompt_is_done_with(self):
        self.assertEqual(self.read((0, 6)), 6.0)
        self.assertEqual(self.read((7, 0), (7, 0), (0, 6)), 6.0)

    def test_a_pool_of_which_nothing_is_kept_takes_nothing(self):
        self.assertEqual(self.read((0, 0)), 0.0)


class MeasureTest(unittest.TestCase):
    """The order of runs, and what is written, with programs that answer at once."""

    def run_main(self, folder, *arguments):
        order = []

        def speeds(name):
            def measured(options, model):
                order.append((name, pathlib.Path(model).name))
                return {"prefill": 1.0, "decode": 2.0, "decode_16": 3.0}
            return measured

        served = {"start_s": 0.5, "memory_mib": 100.0, "one_ttft_ms": 9.0, "served": 8.0, "served_ttft_ms": 7.0}
        out = pathlib.Path(folder) / "out.json"
        with (unittest.mock.patch.object(compare_cpu, "hangar_speeds", speeds("hangar")),
              unittest.mock.patch.object(compare_cpu, "llama_cpp_speeds", speeds("llama.cpp")),
              unittest.mock.patch.object(compare_cpu, "warm_up", lambda *arguments: compare_cpu.Warm("name", 0.0)),
              unittest.mock.patch.object(compare_cpu, "server_figures", lambda *arguments: dict(served)),
              unittest.mock.patch.object(compare, "requantized", lambda options: pathlib.Path("b.gguf")),
              unittest.mock.patch.object(sys, "argv", ["compare_cpu.py", "--model", "a.gguf", "--out", str(out),
                                                       *arguments]),
              contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO())):
            self.assertEqual(compare_cpu.main(), 0)
        return order, json.loads(out.read_text()), printed.getvalue()

    def test_programs_take_turns_at_being_first(self):
        with tempfile.TemporaryDirectory() as folder:
            order, made, printed = self.run_main(folder, "--rounds", "3")
        ours, a, b = ("hangar", "a.gguf"), ("llama.cpp", "a.gguf"), ("llama.cpp", "b.gguf")
        self.assertEqual(order, [ours, a, b, a, b, ours, b, ours, a])
        self.assertEqual([row["row"] for row in made["results"]], [row.key for row in compare_cpu.ROWS])
        self.assertTrue(all(len(row["hangar"]["rounds"]) == 3 for row in made["results"]))
        self.assertIn("Median of 3 rounds", printed)

    def test_no_rounds_are_refused(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(SystemExit) as refused:
            self.run_main(folder, "--rounds", "0")
        self.assertEqual(refused.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
