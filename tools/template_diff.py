#!/usr/bin/env python3
"""Our template interpreter against Jinja2's sandbox as transformers sets it up.

Two kinds of run:

    python3 tools/template_diff.py --renderer build/release/bin/template_lines --programs 20000 --seed 1
    python3 tools/template_diff.py --renderer ... --templates FOLDER...

The first makes random programs of the grammar; the second renders each *.jinja of the folders with the
conversations of template_scenarios.py. Both sides must give the same bytes, or both must fail in the same
way (at parsing, by raise_exception with the same words, or while rendering). Prints every difference and a
last line "N passed, N failed"; exits with 1 where there was one. Needs jinja2 and transformers.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import make_template_golden as reference
import template_programs
import template_scenarios


class Renderer:
    """Our side: one process for all jobs."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, template, context):
        job = {"template": template, "context": context, "now": reference.NOW}
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"our renderer ended with {self.process.wait()} on:\n{template}\n{json.dumps(context)}")
        return json.loads(line)


def verdict(theirs, ours):
    """'' where both agree, else what differs."""
    if "expected" in theirs:
        if "text" not in ours:
            return f"we refuse it ({ours['words']}), they render {theirs['expected']!r}"
        return "" if ours["text"] == theirs["expected"] else f"they: {theirs['expected']!r}\nours: {ours['text']!r}"
    if "text" in ours:
        return f"they fail ({theirs}), we render {ours['text']!r}"
    if (theirs["fails"] == "parse") != (ours["fails"] == "parse"):
        return f"they fail at {theirs['fails']} ({theirs.get('words')}), we at {ours['fails']} ({ours['words']})"
    if theirs["fails"] == "raise" and theirs["words"] not in ours["words"]:
        return f"they raise {theirs['words']!r}, we {ours['words']!r}"
    return ""


def jobs(options):
    if options.programs:
        generator = template_programs.Generator(options.seed)
        for i in range(options.programs):
            yield (f"program {i} of seed {options.seed}", *generator.program())
    for folder in options.templates:
        files = sorted(pathlib.Path(folder).rglob("*.jinja"))
        if not files:
            raise SystemExit(f"{folder}: no *.jinja there")
        for path in files:
            text = path.read_text(encoding="utf-8")
            for name, context in template_scenarios.contexts():
                yield f"{path} with {name}", text, context


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--renderer", required=True, help="tests/conformance/template_lines.cc, built")
    parser.add_argument("--programs", type=int, default=0, help="so many random programs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--templates", nargs="*", default=[], help="folders of *.jinja")
    parser.add_argument("--show", type=int, default=20, help="differences to print in full")
    options = parser.parse_args()
    reference.chat_template_utils.datetime = reference.FixedClock
    warnings.simplefilter("ignore", SyntaxWarning)  # of the Python that Jinja2 makes of odd programs

    # Some templates ask for a filter that transformers does not have and we do: both have it here.
    compile_template = reference.chat_template_utils._compile_jinja_template

    def with_from_json(text):
        compiled = compile_template(text)
        compiled.environment.filters.setdefault("from_json", json.loads)
        return compiled

    reference.chat_template_utils._compile_jinja_template = with_from_json
    ours = Renderer(options.renderer)
    outcomes = collections.Counter()
    failed = 0
    for name, template, context in jobs(options):
        theirs = reference.run(template, context)
        mine = ours(template, context)
        # A bug of Jinja2's, an address in the text, or more steps than we allow.
        if theirs.get("fails") == "compiler" or " at 0x" in theirs.get("expected", "") or \
                "the template takes more than" in mine.get("words", ""):
            outcomes["no verdict"] += 1
            continue
        outcomes["rendered" if "expected" in theirs else f"failed at {theirs['fails']}"] += 1
        difference = verdict(theirs, mine)
        if difference:
            failed += 1
            if failed <= options.show:
                print(f"--- {name}\n{template}\n--- {json.dumps(context, ensure_ascii=False)[:300]}\n{difference}\n")
    total = sum(outcomes.values()) - outcomes["no verdict"]
    print("by Jinja2: " + ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items())))
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
