#!/usr/bin/env python3
"""neighbours.py's sums and table; its busy processes end."""

import argparse
import os
import time
import unittest
import unittest.mock

import compare
import neighbours


def spin(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class NeighboursTest(unittest.TestCase):
    def test_what_is_kept_is_taken_round_by_round(self):
        kept = neighbours.kept_of([100.0, 200.0, 100.0], [50.0, 150.0, 20.0])
        self.assertEqual(kept["rounds"], [0.5, 0.75, 0.2])
        self.assertEqual(kept["median"], 0.5)

    def test_processor_time_counts_work_and_not_sleep(self):
        before = neighbours.processor_seconds(os.getpid())
        time.sleep(0.2)
        self.assertLess(neighbours.processor_seconds(os.getpid()) - before, 0.15)
        spin(0.2)
        self.assertGreater(neighbours.processor_seconds(os.getpid()) - before, 0.15)

    def test_busy_processes_are_busy_and_then_gone(self):
        started = []
        original = neighbours.subprocess.Popen

        def popen(*arguments, **options):
            started.append(original(*arguments, **options))
            return started[-1]

        with unittest.mock.patch.object(neighbours.subprocess, "Popen", popen):
            with neighbours.busy_processes(2):
                self.assertEqual([process.poll() for process in started], [None, None])
                end = time.monotonic() + 10
                while neighbours.processor_seconds(started[0].pid) == 0 and time.monotonic() < end:
                    time.sleep(0.05)
                self.assertGreater(neighbours.processor_seconds(started[0].pid), 0)
        self.assertTrue(all(process.returncode is not None for process in started))

    def test_the_table_says_what_a_fair_share_is(self):
        speed = compare.summary([100.0])
        result = {"idle_percent": 0.1, "quiet": speed,
                  "busy": {1: {"tokens_per_s": compare.summary([60.0]), "kept": compare.summary([0.6])}}}
        options = argparse.Namespace(threads=2, idle_seconds=60, busy=[1])
        lines = neighbours.table(options, {"hangar": result, "llama.cpp": result}).splitlines()
        self.assertEqual(lines[2], "| an idle server, % of a processor over 60 s | 0.10 | 0.10 | |")
        self.assertEqual(lines[-1], "| beside 1 busy process | 60.0 (60.0 to 60.0): 60%"
                                    " | 60.0 (60.0 to 60.0): 60% | 67% |")


if __name__ == "__main__":
    unittest.main()
