"""Cells as tables, in Markdown that can be read in a terminal too."""

from . import measure, targets

NOTHING = "-"
COLUMNS = ("what", "format", "bound as planned", "bound here", "best peer", "at least", "aim", "measured",
           "of the bound", "reached")


def shown(value):
    """Four digits, as hangar shows numbers; "-": there is none."""
    if not value:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def measured(cell):
    middle = measure.median(cell)
    if middle is None:
        return f"not measured: {reason(cell)}"
    if len(cell["runs"]) < 2:
        return shown(middle)
    return f"{shown(middle)} ({shown(min(cell['runs']))} to {shown(max(cell['runs']))})"


def held(cell):
    return bool(cell["least"] or cell["peer"])


def reason(cell):
    return cell["failed"] or "not run"


def meets(cell, target):
    value = measure.median(cell)
    return value is not None and (value >= target if cell["more_is_better"] else value <= target)


def verdict(cell):
    """"" without a target."""
    value, least = measure.median(cell), cell["least"]
    if not least:
        return ""
    if value is None:
        return "not measured"
    if meets(cell, cell["aim"]):
        return "yes, and the aim"
    if meets(cell, least):
        return "yes"
    return f"no, {100 * abs(1 - value / least):.1f}% {'below' if cell['more_is_better'] else 'above'}"


def share(cell):
    bound, value = cell["bound"] or cell["planned_bound"], measure.median(cell)
    if not bound or not value:
        return NOTHING
    return f"{100 * (value / bound if cell['more_is_better'] else bound / value):.0f}%"


def aligned(columns, lines):
    cells = [[text.replace("|", "\\|") for text in line] for line in (columns, *lines)]
    widths = [max(3, *(len(line[i]) for line in cells)) for i in range(len(columns))]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |" for line in cells)


def main_table(cells):
    """What went wrong stands below it, each thing once; "" where all that there is stands in another table."""
    lines, reasons = [], {}
    any_held = any(held(cell) for cell in cells if cell["row"] in BATCH_ROWS)
    for cell in cells:
        if any_held and cell["row"] in BATCH_ROWS and not held(cell) and measure.median(cell) is not None:
            continue  # it stands in the table of batches
        if cell["row"] in DETERMINISTIC_ROWS and measure.median(cell) is not None:
            continue  # it stands in the table of deterministic mode
        figure = measured(cell)
        if measure.median(cell) is None:
            figure = f"not measured ({reasons.setdefault(reason(cell), len(reasons) + 1)})"
        peer = f"{shown(cell['peer'])} ({cell['peer_name']})" if cell["peer"] else NOTHING
        lines.append([f"{cell['what']}, {cell['unit']}", cell["format_name"], shown(cell["planned_bound"]),
                      shown(cell["bound"]), peer, shown(cell["least"]), shown(cell["aim"]), figure, share(cell),
                      verdict(cell) or NOTHING])
    if cells and not lines:
        return ""
    notes = [f"({number}) {text}" for text, number in reasons.items()]
    return "\n\n".join([aligned(COLUMNS, lines), *(["  \n".join(notes)] if notes else [])])


def by_batch(cells):
    """{batch: {format: median}} of what was measured."""
    medians = {}
    for cell in cells:
        if cell["row"] not in BATCH_ROWS or cell["format"] not in targets.THREE:
            continue
        value = measure.median(cell)
        if value is not None:
            medians.setdefault(BATCH_ROWS[cell["row"]], {})[cell["format"]] = value
    return dict(sorted(medians.items()))


BATCH_ROWS = {f"b{batch}": batch for batch in targets.BATCHES}
DETERMINISTIC_ROWS = {row.key: row.requests for row in targets.ROWS if row.group == "deterministic"}


def batch_table(cells):
    """4 bits beside FP8 at each batch size; "" where there is nothing to compare."""
    medians = by_batch(cells)
    ratios = {batch: one["int4"] / one["fp8"] for batch, one in medians.items() if "fp8" in one and "int4" in one}
    if not ratios:
        return ""
    lines = [[str(batch), *(shown(one.get(key)) for key in targets.THREE),
              f"{ratios[batch]:.2f}" if batch in ratios else NOTHING] for batch, one in medians.items()]
    below = [f"{batch} ({100 * (ratio - 1):+.1f}%)" for batch, ratio in ratios.items() if ratio < 1]
    conclusion = f"4 bits are below FP8 at {', '.join(below)} streams" if below else "4 bits are at or above FP8"
    compared = f", of {len(ratios)} numbers of streams compared, 1 to {targets.BATCHES[-1]} by powers of two wanted"
    if len(ratios) == len(targets.BATCHES):
        compared = f"{', of' if below else ' at'} all {len(ratios)} numbers of streams"
    return (aligned(["decode, streams", "BF16", "FP8", "4 bits, head in 8", "4 bits / FP8"], lines)
            + f"\n\n{conclusion}{compared}.")


def deterministic_table(cells):
    """What it costs that answers do not depend on what else runs; "" where it was not measured."""
    medians = {}
    for cell in cells:
        value = measure.median(cell)
        if cell["row"] in DETERMINISTIC_ROWS and value is not None:
            medians.setdefault(DETERMINISTIC_ROWS[cell["row"]], {})[cell["format"]] = value
    if not medians:
        return ""
    ordinary, lines = by_batch(cells), []
    three = [one for one in targets.FORMATS if one.key in targets.THREE]
    for batch, figures in sorted(medians.items()):
        lines.append([str(batch)])
        for one in three:
            value, usual = figures.get(one.key), ordinary.get(batch, {}).get(one.key)
            lines[-1] += [shown(value), f"{100 * value / usual:.0f}%" if value and usual else NOTHING]
    columns = ["deterministic, streams", *(title for one in three for title in (one.name, "of ordinary"))]
    return (aligned(columns, lines) + "\n\nDecode with `--deterministic on`, tok/s; of ordinary: of this page's figure"
            f" without it, {NOTHING} where there is none.")


def count_line(cells):
    verdicts = [verdict(cell) for cell in cells]
    told = [one for one in verdicts if one]
    missed = [one for one in told if one.startswith("no,")]
    reached = [one for one in told if one.startswith("yes")]
    aims = sum(one.endswith("aim") for one in reached)
    line = f"{len(told)} targets: {len(reached)} reached ({aims} of them the aim too), {len(missed)} missed"
    failed = sum(measure.median(cell) is None for cell in cells)
    return f"{line}, {len(told) - len(reached) - len(missed)} not measured" + (
        f"; {failed} of {len(cells)} rows could not be measured" if failed else "")


def page(heads, cells, plot=""):
    """All of it; `plot`: how the page names the picture."""
    parts = ["  \n".join(heads)]
    if table := main_table(cells):
        parts += [table, f"Bound as planned, peers and targets: {targets.SOURCE}, for one NVIDIA {targets.CARD}, not of"
                  " this run. Bound here: what the bytes and operations take at the speeds of this run."]
    picture = plot and f"![Decode against the number of streams]({plot})"
    parts += [text for text in (batch_table(cells), picture, deterministic_table(cells)) if text]
    return "\n\n".join([*parts, count_line(cells) + "."])
