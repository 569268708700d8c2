"""The picture: decode speed against the number of streams, both by powers, as SVG by hand.

Readable on light and dark pages: colours follow the reader's preference, and it has a background of its own.
"""

import html
import math

from . import measure, tables, targets

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 56, 92
COLOURS = {"bf16": ("#57606a", "#9da7b3"), "fp8": ("#0a62c9", "#58a6ff"), "int4": ("#b3400e", "#ff9a57")}
DECADES = (1, 2, 5)


def style():
    def rules(dark):
        page, text, grid = (("#ffffff", "#1f2328", "#d8dee4"), ("#0d1117", "#e6edf3", "#30363d"))[dark]
        lines = [f".page{{fill:{page}}}", f"text{{fill:{text}}}", f".grid{{stroke:{grid}}}"]
        for key, colours in COLOURS.items():
            lines += [f".{key}{{stroke:{colours[dark]};fill:{colours[dark]}}}",
                      f".peer.{key}{{fill:{page};stroke:{colours[dark]}}}"]
        return "".join(lines)

    return ("<style>text{font:13px sans-serif}.title{font-size:16px;font-weight:600}.line{fill:none!important;"
            f"stroke-width:2.2}}.peer{{stroke-width:2}}.grid{{stroke-width:1}}{rules(0)}"
            f"@media(prefers-color-scheme:dark){{{rules(1)}}}</style>")


def peers():
    """{format: {batch: best figure of others}}"""
    found = {}
    for (row, one), target in targets.TARGETS.items():
        if row in tables.BATCH_ROWS and one in COLOURS and target.peer:
            found.setdefault(one, {})[tables.BATCH_ROWS[row]] = target.peer
    return found


class Scale:
    """Logarithmic, from figures to pixels."""

    def __init__(self, values):
        self.low, self.high = (f(values) for f in (min, max))
        self.low, self.high = self.low / 1.15, self.high * 1.15

    def x(self, batch):
        most = math.log2(targets.BATCHES[-1])
        return LEFT + 10 + (WIDTH - LEFT - RIGHT - 20) * math.log2(batch) / most

    def y(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def ticks(self):
        for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            yield from (step * 10.0 ** power for step in DECADES if self.low <= step * 10.0 ** power <= self.high)


def marker(one, x, y, name):
    """A shape for each format, so that colours are not all that tells them apart."""
    if one == "bf16":
        return f'<rect class="{name}" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    if one == "fp8":
        return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    return f'<path class="{name}" d="M{x:.1f} {y - 6:.1f}l5.5 10h-11z"/>'


def legend(ours, theirs):
    out, x = [], LEFT
    for one in (one for one in targets.FORMATS if one.key in COLOURS and (one.key in ours or one.key in theirs)):
        y = HEIGHT - 26
        out.append(f'<path class="line {one.key}" d="M{x} {y}h26"/>{marker(one.key, x + 13, y, one.key)}'
                   f'<text x="{x + 32}" y="{y + 4}">{html.escape(one.name)}</text>')
        out.append(f'{marker(one.key, x + 13, y + 17, "peer " + one.key)}'
                   f'<text x="{x + 32}" y="{y + 21}">best peer</text>')
        x += 190
    return out


def svg(cells, title):
    """None: no decode was measured."""
    ours = {}
    for batch, one in tables.by_batch(cells).items():
        for key, value in one.items():
            ours.setdefault(key, {})[batch] = value
    if not ours:
        return None
    # Beside another model, or without a card, others' figures say nothing.
    held = any(cell["peer"] for cell in cells if measure.median(cell) is not None and cell["row"] in tables.BATCH_ROWS)
    theirs = peers() if held else {}
    scale = Scale([value for series in (*ours.values(), *theirs.values()) for value in series.values()])
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
           f"<title>{html.escape(title)}</title>", style(), f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
           f'<text class="title" x="{LEFT}" y="24">Decode, tokens a second, all streams together</text>',
           f'<text x="{LEFT}" y="43">{html.escape(title)}</text>']
    for value in scale.ticks():
        y = scale.y(value)
        out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
                   f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>')
    for batch in targets.BATCHES:
        x = scale.x(batch)
        out.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
                   f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{batch}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle:.0f}" y="{HEIGHT - BOTTOM + 36}" text-anchor="middle">streams</text>')
    for key, series in ours.items():
        points = [(scale.x(batch), scale.y(value)) for batch, value in series.items()]
        out.append(f'<path class="line {key}" d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + '"/>')
        out += [marker(key, x, y, key) for x, y in points]
    out += [marker(key, scale.x(batch), scale.y(value), f"peer {key}")
            for key, series in theirs.items() for batch, value in series.items()]
    return "\n".join([*out, *legend(ours, theirs), "</svg>"]) + "\n"
