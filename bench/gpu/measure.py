"""From processes to cells: a cell is one row in one format, with its runs and what they are held to."""

import datetime
import statistics

from . import runs, targets

NO_TARGET = targets.Target("", "")


def new_cell(options, machine, row, one):
    """Held to nothing where it is another model, or no card, that computes."""
    target = NO_TARGET
    if not options.shape and options.backend == "cuda":
        target = targets.TARGETS.get((row.key, one.key), NO_TARGET)
        target = targets.scaled(row, target, machine.factor())
    return {"row": row.key, "format": one.key, "what": row.what, "format_name": one.name, "unit": row.unit,
            "more_is_better": row.more_is_better, "planned_bound": target.bound, "peer": target.peer,
            "peer_name": target.peer_name, "least": target.least, "aim": target.aim, "bound": 0, "runs": [],
            "failed": "", "command": "", "when": ""}


def median(cell):
    """None: there is none."""
    return statistics.median(cell["runs"]) if cell["runs"] and not cell["failed"] else None


class Measurement:
    """The cells of all that was chosen, in the order of the table; those not run say so."""

    def __init__(self, options, machine, processes, attention):
        self.options, self.machine, self.processes = options, machine, processes
        self.attention = attention  # (percent or None, why not)
        self.hangar = ""  # its version
        self.compute = ""  # what it says computes
        wanted = {(row.key, one.key): new_cell(options, machine, row, one) for one, rows in processes for row in rows}
        self.cells = {(row.key, one.key): wanted[row.key, one.key] for row in targets.ROWS for one in targets.FORMATS
                      if (row.key, one.key) in wanted}

    def run(self, after_each):
        """Runs everything; after_each(format, rows) follows each process. False: it was stopped."""
        try:
            for one, rows in self.processes:
                self.process(one, rows)
                after_each(one, rows)
        except (runs.Interrupted, KeyboardInterrupt):
            self.stop()
            return False
        return True

    def stop(self):
        for cell in self.cells.values():
            if not cell["runs"] and not cell["failed"]:
                cell["failed"] = f"{runs.STOPPED} before it"

    def repeats(self, row):
        return self.options.repeats or (row.quick_repeats if self.options.quick else row.repeats)

    def process(self, one, rows):
        if rows[0].group == "kernel":
            share, why = self.attention
            cell = self.cells[rows[0].key, one.key]
            cell.update(runs=[] if share is None else [share], bound=100, failed=why if share is None else "",
                        command=self.options.kernels.name, when=now())
            return
        starts = [row for row in rows if row.key == "start"]
        tests = [row for row in rows if row.key != "start"]
        repeats = self.repeats(tests[0]) if tests else 1
        for _ in range(self.repeats(starts[0]) if starts else 1):
            if not self.once(one, rows, starts, tests, repeats):
                break

    def once(self, one, rows, starts, tests, repeats):
        """False: there is no use in another run."""
        command = runs.engine_command(self.options, self.machine, one, rows, repeats)
        try:
            told = runs.engine(command, self.options.limit)
        except runs.Interrupted as stopped:
            self.take(one, starts, tests, stopped.done, command)
            raise
        if told.figures is None and len(tests) > 1 and not told.hung:
            # One of them may be all that cannot be run.
            for row in tests:
                self.once(one, [row], [], [row], repeats)
            return False
        self.take(one, starts, tests, told, command)
        return not told.why

    def take(self, one, starts, tests, told, command):
        figures = told.figures or {}
        self.hangar = figures.get("hangar", self.hangar)
        self.compute = figures.get("about", {}).get("compute", self.compute)
        for row in starts:
            first = figures.get("process_start_to_first_token_s")
            self.fill(one, row, command, [first] if first else [], told.why or "the system tells no process's start")
        found = figures.get("tests", [])
        for place, row in enumerate(tests):
            test = found[place] if place < len(found) else {}
            if test and (test.get("requests"), test.get("input_tokens")) != (row.requests, row.prompt):
                test = {"skipped": f"another test was told of: {test.get('test')}"}
            skipped = f"skipped: {test['skipped']}" if "skipped" in test else ""
            cell = self.fill(one, row, command, test.get("runs", []), skipped or told.why or "not told of")
            cell["bound"] = test.get("bound") or 0
            cell["steps"] = test.get("steps")

    def fill(self, one, row, command, values, why):
        cell = self.cells[row.key, one.key]
        cell["runs"] += values
        cell["failed"] = "" if values or (cell["runs"] and why == runs.STOPPED) else why
        cell["command"] = " ".join(command)
        cell["when"] = now()
        return cell


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
