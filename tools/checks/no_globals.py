#!/usr/bin/env python3
"""No mutable state at namespace scope, in classes' statics or in functions' statics.

Rough on purpose: it reads statements, not C++. A case that must be (a signal handler's flag) says why in
a comment "// global: ..." on its line or at the head of the lines it stands among.
"""

import pathlib
import re
import sys

import common

SKIPPED = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
NAMESPACE = re.compile(r'(^|\s)(inline\s+)?namespace\b[\w\s:]*$|extern\s*""\s*$')
OTHER = re.compile(
    r"^(using|typedef|template|class|struct|enum|union|(inline\s+)?namespace|static_assert|friend|extern|return|goto"
    r"|public|private|protected|case|default|concept|requires|asm|delete|throw|co_return|co_await|co_yield|else|break"
    r"|continue|new|operator|if|for|while|switch|do|catch|try)\b"
)
CONST = re.compile(r"\b(const|constexpr|constinit const)\b")
STATIC = re.compile(r"^(?:inline\s+)?(static|thread_local)\b")
VARIABLE = re.compile(r"^[\w:<>,*&\s\[\]]*[\w>&*]\s+[*&]?\w+(\s*\[[^\]]*\])*\s*$")


def blanked(text):
    """The text with comments and literals emptied, newlines and lengths of lines kept."""

    def replace(match):
        found = match.group(0)
        body = re.sub(r"[^\n]", " ", found)
        return '""' + body[2:] if found[0] in "\"R" and len(found) >= 2 else body

    text = SKIPPED.sub(replace, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.M)


def statements(text):
    """(scope, line, head): head is the text before ';', '=' or '{'; scope 'namespace' or 'other'."""
    stack, start, depth = [], 0, 0
    for i, c in enumerate(text):
        if c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == "{" and depth <= 0:
            head = text[start:i]
            plain = head.strip()
            yield stack, start + len(head) - len(head.lstrip()), plain
            stack.append("namespace" if NAMESPACE.search(plain) or plain == "namespace" else "other")
            start = i + 1
        elif c == "}" and depth <= 0:
            if stack:
                stack.pop()
            start = i + 1
        elif c == ";" and depth <= 0:
            head = text[start:i]
            yield stack, start + len(head) - len(head.lstrip()), head.strip()
            start = i + 1


def is_mutable_global(stack, head):
    head = re.sub(r"\[\[[^\]]*\]\]\s*|alignas\s*\([^)]*\)\s*", "", head)
    head = re.sub(r"^(public|private|protected)\s*:\s*", "", head)
    before = head.split("=")[0].strip()
    if not before or OTHER.match(before) or CONST.search(before) or "(" in before or "operator" in before:
        return False
    at_namespace = all(kind == "namespace" for kind in stack)
    if not at_namespace and not STATIC.match(before):
        return False
    return bool(VARIABLE.match(before))


def check(root):
    root = pathlib.Path(root)
    problems = []
    for path in common.sources(root, ".h", ".cc", ".cu", ".cuh"):
        if path.name.endswith(("_test.cc", "_test.cu")):
            continue
        text = path.read_text(errors="replace")
        lines = text.splitlines()
        for stack, offset, head in statements(blanked(text)):
            if is_mutable_global(stack, head):
                number = text.count("\n", 0, offset) + 1
                first = number - 1
                while first > 0 and lines[first - 1].strip():
                    first -= 1
                around = lines[first:number]
                if not any("// global:" in line for line in around):
                    name = path.relative_to(root).as_posix()
                    problems.append(f"{name}:{number}: mutable global: {head.splitlines()[0]}")
    return problems


if __name__ == "__main__":
    sys.exit(common.main(check, "no_globals"))
