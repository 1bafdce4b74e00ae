# SPDX-License-Identifier: Apache-2.0
"""What was measured, as text, as bench.json and as one page that needs no other file."""

import html
import json
import statistics

from harness import Row

STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --quiet: #66707a; --line: #d9dee3; --paper: #fff;
  --good: #1a7f37; --bad: #c0392b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --quiet: #97a1ab; --line: #333b43; --paper: #14181c; --good: #4cc36b;
    --bad: #ff7b6b; } }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
p, small, thead { color: var(--quiet); } p { max-width: 46rem; }
h2 { margin: 2.5rem 0 0.3rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 0.9rem 0.35rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th { font-weight: 500; } .number { text-align: right; white-space: nowrap; }
.met { color: var(--good); } .missed { color: var(--bad); }
"""
HEADINGS = ("what", "unit", "ours", "peer", "", "ratio", "median", "least", "most", "target", "")
NUMBERS = {"ours", "peer", "median", "least", "most"}


def number(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cells(row):
    """The columns of HEADINGS."""
    if not isinstance(row, Row):
        return (row.what, f"skipped: {row.why}", *[""] * (len(HEADINGS) - 2))
    mark = {True: "met", False: "missed", None: ""}[row.is_met]
    ratio = (statistics.median(row.ratio), min(row.ratio), max(row.ratio))
    return (row.what, row.unit, number(statistics.median(row.ours)),
            number(statistics.median(row.peer)), row.peer_name, row.ratio_name, *map(number, ratio),
            str(row.target or ""), mark)


def as_text(row):
    what, unit, ours, peer, peer_name, ratio, median, least, most, target, mark = cells(row)
    if not isinstance(row, Row):
        return f"  {what:<44} {unit}"
    return (f"  {what:<44} {ours:>8} {peer:>8} {unit:<10} {peer_name:<20} {ratio} "
            f"{median:>6} ({least} .. {most})  {target:<8} {mark}")


def as_json(row):
    if not isinstance(row, Row):
        return {"what": row.what, "skipped": row.why}
    fields = {name: getattr(row, name) for name in
              ("what", "unit", "ours", "peer_name", "peer", "ratio_name", "ratio")}
    return {**fields, "target": str(row.target or "") or None, "is_met": row.is_met}


def table_row(row):
    *texts, mark = map(html.escape, cells(row))
    columns = [f'<td{" class=number" * (heading in NUMBERS)}>{text}</td>'
               for heading, text in zip(HEADINGS, texts)]
    return f'<tr>{"".join(columns)}<td class="{mark}">{mark}</td></tr>'


def section(title, about, rows):
    head = "".join(f'<th{" class=number" * (heading in NUMBERS)}>{heading}</th>' for heading in HEADINGS)
    body = "\n".join(map(table_row, rows))
    paragraphs = "".join(f"<p>{html.escape(text)}</p>" for text in about.split("\n\n"))
    return (f"<h2>{html.escape(title)}</h2>\n{paragraphs}\n<div class=scroll><table>"
            f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>")


def as_html(machine, comparisons):
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    verdicts = [row.is_met for _, _, rows in comparisons for row in rows if isinstance(row, Row)]
    sections = "\n".join(section(*comparison) for comparison in comparisons)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>kvcal: measured against peers</title><style>{STYLE}</style>
<h1>Measured against peers and the machine's limits</h1>
<p>{html.escape(facts)}</p>
<p>{verdicts.count(True)} targets met, {verdicts.count(False)} missed. Both sides were measured in turns in
one run; the ratio is of one turn, its median, least and most are shown.</p>
{sections}
"""


def write(folder, machine, comparisons):
    folder.mkdir(parents=True, exist_ok=True)
    named = [{"title": title, "rows": [as_json(row) for row in rows]}
             for title, _, rows in comparisons]
    (folder / "bench.json").write_text(
        json.dumps({"machine": machine, "comparisons": named}, indent=2) + "\n")
    (folder / "index.html").write_text(as_html(machine, comparisons))
