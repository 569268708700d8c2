#!/usr/bin/env python3
"""Writes src/text/unicode_*_data.cc: how Hugging Face's tokenizers sorts and lowers characters.

    python tools/make_unicode_tables.py

Needs the package tokenizers. Its parts were built with tables of several Unicode versions, so each
class is asked of it, one code point after another, instead of being taken from any one version
(takes some minutes).
"""
import unicodedata
from pathlib import Path

from tokenizers import normalizers, pre_tokenizers

OUT = Path(__file__).resolve().parent.parent / "src" / "text"
ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges_of(points):
    ranges = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return ranges


def cut_apart(stage, left, right, pieces):
    return ranges_of(c for c in ALL if len(stage.pre_tokenize_str(left + chr(c) + right)) == pieces)


def removed(normalizer):
    return ranges_of(c for c in ALL if normalizer.normalize_str("a" + chr(c) + "a") == "aa")


def bert(**on):
    settings = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**settings, **on})


def unsettled(changed):
    """What normalizing may change or join to the character before: the rest can be left alone."""
    nfd = normalizers.NFD()
    points = set()
    for point in ALL:
        c = chr(point)
        if changed.normalize_str(c) != c:
            points.add(point)
        decomposed = nfd.normalize_str(c)
        # The second of a pair that composes.
        if len(decomposed) > 1 and normalizers.NFC().normalize_str(decomposed) == c:
            points.update(ord(x) for x in decomposed[1:])
        # A mark: it changes places with another one. (Of either end, as classes are ordered.)
        if unicodedata.combining(c) and any(
                nfd.normalize_str("a" + x + y) != "a" + x + y
                for x, y in ((c, "\u0334"), ("\u0345", c))):
            points.add(point)
    return ranges_of(sorted(points))


def lower_runs():
    """(first, last, stride, delta) of the characters that become one other; the rest apart."""
    runs, special = [], []
    lower = normalizers.Lowercase()
    for point in ALL:
        lowered = lower.normalize_str(chr(point))
        if lowered == chr(point):
            continue
        if len(lowered) != 1:
            special.append((point, [ord(c) for c in lowered]))
            continue
        delta = ord(lowered) - point
        if runs and runs[-1][3] == delta:
            first, last, stride, _ = runs[-1]
            step = point - last
            if step <= 2 and (first == last or step == stride):
                runs[-1] = [first, point, step, delta]
                continue
        runs.append([point, point, 1, delta])
    assert special == [(0x130, [0x69, 0x307])], special  # what lower_case() writes by hand
    return runs


def scripts():
    """(first, last, number): characters of one number are never cut apart; 0 goes with any."""
    stage = pre_tokenizers.UnicodeScripts()

    def together(a, b):
        return len(stage.pre_tokenize_str(a + b)) == 1

    marks, ranges = [], []
    for point in ALL:
        c = chr(point)
        # Alone, a character of no script is lost, as nothing begins a piece there.
        if not stage.pre_tokenize_str(c):
            continue
        if ranges and ranges[-1][1] == point - 1 and together(marks[ranges[-1][2] - 1], c):
            ranges[-1][1] = point
            continue
        number = next((i + 1 for i, mark in enumerate(marks) if together(mark, c)), 0)
        if not number:
            marks.append(c)
            number = len(marks)
        ranges.append([point, point, number])
    return ranges


def table(kind, name, rows, form):
    body = "".join(form(*row) + "," for row in rows)
    return f"constexpr {kind} {name}[] = {{{body}}};\n\n"


def write(name, what, body):
    text = (f"// {what} Written by tools/make_unicode_tables.py; do not edit.\n"
            f'#include "text/unicode_data.h"\n\nnamespace hangar {{\nnamespace {{\n\n{body}')
    (OUT / name).write_text(text)
    print(name, len(text), "bytes")


def accessors(kind, names):
    lines = "".join(f"std::span<const {kind}> {function}() {{\n  return {name};\n}}\n"
                    for function, name in names)
    return f"}}  // namespace\n\n{lines}\n}}  // namespace hangar\n"


def pair(first, last):
    return f"{{{first:#x},{last:#x}}}"


def main():
    classes = {
        "punctuation_ranges": cut_apart(pre_tokenizers.Punctuation("isolated"), "a", "a", 3),
        "numeric_ranges": cut_apart(pre_tokenizers.Digits(individual_digits=True), "a", "a", 3),
        "word_ranges": cut_apart(pre_tokenizers.Whitespace(), "a", "a", 1),
        "combining_mark_ranges": removed(normalizers.StripAccents()),
        "nonspacing_mark_ranges": removed(bert(strip_accents=True)),
        "bert_removed_ranges": removed(bert(clean_text=True)),
    }
    constants = {n: "k" + "".join(w.capitalize() for w in n.split("_")) for n in classes}
    write("unicode_class_data.cc", "Classes of characters, as ranges.",
          "".join(table("CodePointRange", constants[n], r, pair) for n, r in classes.items())
          + accessors("CodePointRange", constants.items()))
    forms = {"nfc_unsettled_ranges": unsettled(normalizers.NFC()),
             "unsettled_ranges": unsettled(normalizers.NFKD())}
    constants = {"nfc_unsettled_ranges": "kNfcUnsettled", "unsettled_ranges": "kUnsettled"}
    write("unicode_form_data.cc", "What Unicode's normal forms may change.",
          "".join(table("CodePointRange", constants[n], r, pair) for n, r in forms.items())
          + accessors("CodePointRange", constants.items()))
    write("unicode_lower_data.cc", "Lower case, in runs of equal distance.",
          table("LowerRun", "kLowerRuns", lower_runs(),
                lambda f, l, s, d: f"{{{f:#x},{l:#x},{s},{d}}}")
          + accessors("LowerRun", [("lower_runs", "kLowerRuns")]))
    write("unicode_script_data.cc", "Scripts, numbered.",
          table("ScriptRange", "kScripts", scripts(), lambda f, l, n: f"{{{f:#x},{l:#x},{n}}}")
          + accessors("ScriptRange", [("script_ranges", "kScripts")]))


if __name__ == "__main__":
    main()
