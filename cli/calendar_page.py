"""A preview as one page to read and to print: no script, and nothing is asked of anybody."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from cli.calendars import summary
from worker.counting import counted
from worker.preview import CONDITIONAL, SKIPPED, Calendar, PreviewedText

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2327; --paper: #fff; --soft: #f3f1ec; --line: #c9c4ba;
  --quiet: #575c61; --note: #7a4b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #16191c; --soft: #22272b;
  --line: #4a5157; --quiet: #a9afb4; --note: #f0c073; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }
ul { padding-left: 1.2rem; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
thead th:nth-child(1) { width: 11.5rem; } thead th:nth-child(2) { width: 11rem; }
thead th:nth-child(4) { width: 4rem; }
caption { text-align: left; color: var(--quiet); font-size: .9rem; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .6rem; }
tr { border-top: 1px solid var(--line); }
thead th { font-size: .85rem; color: var(--quiet); }
th[scope=row] { font-weight: 600; white-space: nowrap; }
.time { font-variant-numeric: tabular-nums; }
.zone, .step { color: var(--quiet); font-size: .85rem; font-weight: 400; }
.step { overflow-wrap: anywhere; }
.parts { text-align: right; font-variant-numeric: tabular-nums; }
.words { overflow-wrap: anywhere; }
.note { color: var(--note); font-size: .9rem; }
.note, .words { margin: 0; }
.skipped .words { text-decoration: line-through; color: var(--quiet); }
.conditional .words { font-style: italic; }
.change { background: var(--soft); border-left: 4px solid var(--note); padding: .5rem .8rem; }
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  tr, th, td { display: block; padding: .2rem 0; }
  tr { padding: .6rem 0; }
  .parts { text-align: left; }
  .parts:not(:empty)::before { content: "Parts: "; }
}
@media print {
  :root { font-size: 9.5pt; --ink: #000; --paper: #fff; --soft: #fff; --line: #999; --quiet: #333;
    --note: #333; }
  @page { margin: 16mm 14mm; }
  th, td { padding: .25rem .4rem; }
  body { font-size: 1rem; line-height: 1.35; margin: 0; padding: 0; max-width: none; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""
_SAID = {
    "planned": "goes",
    SKIPPED: "is not sent",
    CONDITIONAL: "only if",
}


def page(calendar: Calendar, title: str) -> str:
    """Return the calendar as HTML that stands by itself."""
    first = calendar.first.astimezone(calendar.zone)
    ends = f"{counted(calendar.days, 'day')} from {first:%a %d %B %Y}"
    facts = "".join(f"<li>{escape(line)}</li>" for line in summary(calendar))
    months = "".join(_months(calendar)) or "<p>No texts in these days.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(ends)}. Nothing was sent or written.</p>"
        f"<ul>{facts}</ul>{months}</main></body></html>\n"
    )


def _months(calendar: Calendar) -> Iterator[str]:
    by_month = groupby(calendar.texts, key=lambda text: f"{text.local_time:%B %Y}")
    for month, texts in by_month:
        rows = list(texts)
        going = sum(text.status == "planned" for text in rows)
        changes = "".join(
            f'<p class="change">{escape(str(each))}</p>'
            for each in calendar.changes
            if f"{each.day:%B %Y}" == month
        )
        yield (
            f"<h2>{escape(month)}</h2>{changes}<table>"
            f"<caption>{counted(going, 'text goes', 'texts go')} in {escape(month)}.</caption>"
            '<thead><tr><th scope="col">When</th><th scope="col">Which</th>'
            '<th scope="col">Text and reasons</th><th scope="col">Parts</th></tr></thead><tbody>'
            f"{''.join(map(_row, rows))}</tbody></table>"
        )


def _row(text: PreviewedText) -> str:
    status = _SAID.get(text.status, text.status)
    said = text.explained
    note = f'<p class="note">{escape(said)}</p>' if said else ""
    language = f' lang="{escape(text.language)}"' if text.language else ""
    words = escape(text.body or text.problem or "")
    parts = text.segments if text.status != SKIPPED and text.segments else ""
    return (
        f'<tr class="{escape(text.status)}"><th scope="row"><span class="time">'
        f"{text.local_time:%a %d, %H:%M}</span> "
        f'<span class="zone">{text.local_time:%Z}</span></th>'
        f'<td>{status}<br><span class="step">{escape(text.protocol)}<br>{_breakable(text.step)}'
        f'</span></td><td><p class="words"{language}>{words}</p>{note}</td>'
        f'<td class="parts">{parts}</td></tr>'
    )


def _breakable(name: str) -> str:
    """Return a step's name that breaks before `.nudge` where the column is narrow."""
    return escape(name).replace(".", "<wbr>.")
