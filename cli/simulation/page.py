"""The report as one page: plots are SVG of our own; no script, and nothing is asked of anybody."""

from collections.abc import Mapping
from html import escape

from cli.simulation.report import Report

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1d2327; background: #fff; }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
.plot { overflow-x: auto; }
svg { width: 100%; max-width: 860px; min-width: 34rem; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: #1d2327; }
rect { fill: #2f6f8f; }
table { border-collapse: collapse; margin: 1.5rem 0; }
th { text-align: left; font-weight: normal; padding-right: 2rem; }
td { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f6f3ee; padding: .8rem; overflow-x: auto; white-space: pre-wrap; }
@media print { h2 { break-after: avoid; } svg { break-inside: avoid; min-width: 0; } }
"""
_DAYS = "Started texts a day"
_WIDTH, _ROW, _LABEL, _COUNT = 860, 18, 230, 70
_HEIGHT, _MARGIN = 180, 24


def page(report: Report) -> str:
    """Return the report as HTML that stands by itself."""
    parts = [f"<h2>{escape(head)}</h2>{bars(head, figures)}" for head, figures in report.sections()]
    days = f"<h2>{_DAYS}</h2>{columns(_DAYS, report.days)}" if report.days else ""
    verdict = escape("\n".join(report.verdict()))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(report.title)}</h1><pre>{verdict}</pre>{_table(report.counts)}{days}{''.join(parts)}"
        "</body></html>\n"
    )


def _table(figures: Mapping[str, int]) -> str:
    rows = (f"<tr><th>{escape(name)}</th><td>{n:,}</td></tr>" for name, n in figures.items())
    return f"<table>{''.join(rows)}</table>"


def bars(head: str, figures: Mapping[str, int]) -> str:
    """Return a bar for each figure, the label left and the count right of it."""
    most = max(figures.values()) or 1
    room = _WIDTH - _LABEL - _COUNT
    drawn = []
    for at, (name, count) in enumerate(figures.items()):
        top, wide = at * _ROW, round(room * count / most, 1)
        drawn.append(
            f'<text x="{_LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{_LABEL}" y="{top + 3}" width="{wide}" height="{_ROW - 6}"/>'
            f'<text x="{_LABEL + wide + 6}" y="{top + 13}">{count}</text>'
        )
    return _svg(head, _WIDTH, len(figures) * _ROW + 4, "".join(drawn))


def columns(head: str, figures: Mapping[str, int]) -> str:
    """Return a column for each day, with the first, the last and the most named."""
    names, counts = list(figures), list(figures.values())
    most, wide = max(counts) or 1, _WIDTH / len(counts)
    drawn = [
        f'<rect x="{at * wide:.1f}" y="{_MARGIN + _HEIGHT * (1 - count / most):.1f}"'
        f' width="{max(wide - 1, 0.5):.1f}" height="{_HEIGHT * count / most:.1f}"/>'
        for at, count in enumerate(counts)
    ]
    low = _MARGIN + _HEIGHT + 16
    drawn.append(f'<text x="0" y="14">most: {most}</text><text x="0" y="{low}">{names[0]}</text>')
    drawn.append(f'<text x="{_WIDTH}" y="{low}" text-anchor="end">{names[-1]}</text>')
    return _svg(head, _WIDTH, low + 6, "".join(drawn))


def _svg(head: str, width: float, height: float, inside: str) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    label = f'role="img" aria-label="{escape(head, quote=True)}"'
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" {label} {size}>{inside}</svg>'
    return f'<div class="plot">{drawn}</div>'
