#!/usr/bin/env python3
"""Makes tests/data/templates/golden.json: what Jinja2, set up as transformers does, makes of templates.

The templates are our own (template_cases.py beside the golden file holds them). Needs transformers and
jinja2; run it again after changing a case:

    python3 tools/make_template_golden.py
"""

import datetime
import importlib.util
import json
import pathlib
import sys

import jinja2
from transformers.utils import chat_template_utils

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "data" / "templates"
NOW = 1785585599  # 2026-08-01 11:59:59 UTC: what strftime_now sees in the tests


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)


def load_cases():
    spec = importlib.util.spec_from_file_location("template_cases", FOLDER / "template_cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


def run(template, context):
    """{"expected": text} or {"fails": the kind of failure}."""
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
    except (jinja2.exceptions.TemplateSyntaxError, SyntaxError):  # a stray break is Python's to find
        return {"fails": "parse"}
    except AssertionError:  # a bug of Jinja2's compiler: no verdict
        return {"fails": "compiler"}
    except Exception as error:  # what its optimizer tries to work out beforehand, as rendering would
        return {"fails": "render", "python": repr(error)}
    try:
        return {"expected": compiled.render(**context)}
    except jinja2.exceptions.UndefinedError as error:
        return {"fails": "render", "words": str(error)}
    except jinja2.exceptions.SecurityError:
        return {"fails": "render"}
    except jinja2.exceptions.TemplateError as error:
        if type(error) is jinja2.exceptions.TemplateError:  # raise_exception's
            return {"fails": "raise", "words": str(error)}
        return {"fails": "render", "words": str(error)}
    except Exception as error:  # Python's own errors: TypeError, ZeroDivisionError, ...
        return {"fails": "render", "python": repr(error)}


def main():
    chat_template_utils.datetime = FixedClock
    golden = []
    contexts = []
    names = set()
    for name, template, context in load_cases():
        if name in names:
            sys.exit(f"two cases are named {name}")
        names.add(name)
        if context not in contexts:
            contexts.append(context)
        place = contexts.index(context)
        outcome = {key: value for key, value in run(template, context).items() if key != "python"}
        golden.append({"name": name, "template": template, "context": place, **outcome})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in golden)
    shared = ",\n".join(json.dumps(context, ensure_ascii=False) for context in contexts)
    text = f'{{"now": {NOW},\n"contexts": [\n{shared}],\n"cases": [\n{lines}]}}\n'
    (FOLDER / "golden.json").write_text(text, encoding="utf-8")
    print(f"{len(golden)} cases")


if __name__ == "__main__":
    main()
