"""The audit as one HTML page: self-contained, light and dark, fit to print.

No scripts and nothing from outside; a policy in the page forbids both.
"""

from collections.abc import Iterable, Sequence
from html import escape

from resolver.audit.bounds import GRAPHS_MAX
from resolver.audit.graph import graph_of, svg
from resolver.audit.report import Report, Row, Sum, fix_of

_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59626d;--line:#d5dae0;
--good:#dff3e4;--good-line:#2c8a4b;--fair:#fff1cc;--fair-line:#a97400;--bad:#fde2e0;
--bad-line:#c0392f;--abroad:#ffe8d6;--abroad-line:#c2621b;--unknown:#e9ecef;--unknown-line:#77808a}
@media screen and (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e6e9ec;--soft:#9aa4af;
--line:#343b43;--good:#15351f;--good-line:#4cbf74;--fair:#3b2f0b;--fair-line:#d9a832;--bad:#411a18;
--bad-line:#ec6f65;--abroad:#3f260f;--abroad-line:#e68a45;--unknown:#2a3037;--unknown-line:#8b95a0}}
body{margin:0 auto;max-width:1400px;padding:24px 20px 60px;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 8px}
h3{font-size:16px;margin:26px 0 4px}
p{margin:4px 0 10px}.soft{color:var(--soft)}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0}
.tile{border:1px solid var(--line);border-left-width:6px;border-radius:8px;padding:8px 16px}
.tile b{display:block;font-size:24px;line-height:1.2}
.tile.good{border-left-color:var(--good-line)}.tile.fair{border-left-color:var(--fair-line)}
.tile.bad{border-left-color:var(--bad-line)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td.v{white-space:nowrap;overflow-wrap:normal}
.mark{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
.mark.good{background:var(--good-line)}.mark.fair{background:var(--fair-line)}
.mark.bad{background:var(--bad-line)}.mark.abroad{background:var(--abroad-line)}
.mark.unknown{background:var(--unknown-line)}.mark.ill{border:2px dashed var(--good-line);
width:7px;height:7px}
.legend span{margin-right:18px;white-space:nowrap}
td:first-child{min-width:170px}figure{margin:6px 0 0}
svg{max-width:100%;height:auto;font:13px system-ui,sans-serif}
svg text{fill:var(--ink)}svg .note{fill:var(--soft);font-size:11px}
.node rect{stroke-width:1.5;fill:var(--unknown);stroke:var(--unknown-line)}
.node.good rect{fill:var(--good);stroke:var(--good-line)}
.node.fair rect{fill:var(--fair);stroke:var(--fair-line)}
.node.bad rect{fill:var(--bad);stroke:var(--bad-line)}
.node.abroad rect{fill:var(--abroad);stroke:var(--abroad-line)}
.node.ill rect{fill:var(--paper);stroke:var(--good-line);stroke-dasharray:4 3}
.edge{fill:none;stroke:var(--soft);stroke-width:1.2;opacity:.6}.edge.bare{stroke-dasharray:5 4}
@media print{body{max-width:none;padding:0;font-size:11px}table{font-size:10px}
svg{min-width:0!important}figure,tr,h3{break-inside:avoid}h2,h3{break-after:avoid}
.wide{overflow:visible}*{print-color-adjust:exact}}
"""

_STYLES = {"stays home": "good", "survives a cut": "fair", "breaks": "bad"}

_LEGEND = (
    ("good", "reachable with the border shut"),
    ("fair", "reachable with mirrors of the root and of home's ccTLDs"),
    ("bad", "breaks"),
    ("abroad", "server abroad"),
    ("unknown", "server of unknown place"),
    ("ill", "server at home that does not serve"),
)


def page(report: Report) -> str:
    """The whole page."""
    total = len(report.rows)
    title = f"Audit of {total} {'name' if total == 1 else 'names'}"
    home = escape(" ".join(report.home))
    abroad = sum(n for verdict, n in report.exchanges.items() if verdict != "domestic")
    parts = [
        f"<h1>{title}</h1><p class=soft>Home: {home}. Made in {report.seconds:.1f} s with"
        f" {sum(report.exchanges.values())} exchanges, {abroad} of them not domestic."
        f"{_mirrored(report)}</p>",
        _tiles(report),
        "<h2>Names</h2>",
        _names(report.rows),
        _sums("Zones", report.zones),
        _sums("Operators", report.operators),
        _sums("Countries", report.countries),
        *_graphs(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _mirrored(report: Report) -> str:
    if not report.mirrored:
        return ""
    return f" Mirrored by this configuration: {escape(' '.join(report.mirrored))}."


def _tiles(report: Report) -> str:
    tiles = []
    for verdict, count in report.verdicts.items():
        style = next((s for kind, s in _STYLES.items() if verdict.startswith(kind)), "bad")
        tiles.append(f'<div class="tile {style}"><b>{count}</b>{escape(verdict)}</div>')
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _names(rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{h}</th>" for h in ("Name", "Verdict", "Because", "Cheapest fix"))
    body = "".join(
        f"<tr><td>{escape(row.name)}</td><td class=v>{_mark(_STYLES[row.kind])}"
        f"{escape(row.kind if row.kind == 'breaks' else row.verdict)}</td>"
        f"<td>{_because(row)}</td><td>{escape(fix_of(row))}</td></tr>"
        for row in rows
    )
    return (
        f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _because(row: Row) -> str:
    if not row.because:
        return ""
    at = f"at {escape(row.breaks_at)}: " if row.breaks_at else ""
    return at + escape(row.because)


def _mark(style: str) -> str:
    return f'<i class="mark {style}"></i>'


def _sums(heading: str, sums: Iterable[Sum]) -> str:
    numbers = "".join(f"<th class=n>{h}</th>" for h in ("Names", "Breaks", "Addresses"))
    body = "".join(
        f"<tr><td>{escape(s.what)}</td>"
        + "".join(f"<td class=n>{n}</td>" for n in (s.names, s.breaks, s.servers))
        + "</tr>"
        for s in sums
    )
    return (
        f"<h2>{heading}</h2><div class=wide><table><thead><tr><th></th>{numbers}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _graphs(report: Report) -> Iterable[str]:
    """Pictures: of names that break first, one for each way to break."""
    rank = {"breaks": 0, "survives a cut": 1, "stays home": 2}
    chosen: dict[tuple[object, ...], Row] = {}
    for row in sorted(report.rows, key=lambda r: rank[r.kind]):
        chosen.setdefault((row.kind, row.zones), row)
    rows = list(chosen.values())[:GRAPHS_MAX]
    legend = "".join(f"<span>{_mark(s)}{escape(text)}</span>" for s, text in _LEGEND)
    yield (
        "<h2>What they depend on</h2><p class=legend>"
        f"{legend}<span>dashed line: without glue, so the name is needed</span></p>"
        "<p class=soft>What stands to the right is needed by what stands to the left.</p>"
    )
    if len(chosen) > len(rows):
        yield f"<p class=soft>{len(rows)} of {len(chosen)} pictures, broken names first.</p>"
    for row in rows:
        graph = graph_of(report.closure, report.paths[row.name], report.reach)
        left = f"<p class=soft>{escape(graph.left_out)}</p>" if graph.left_out else ""
        yield (
            f"<h3>{escape(row.name)} <span class=soft>{escape(row.verdict)}</span></h3>{left}"
            f"<figure class=wide>{svg(graph, f'What {row.name} depends on')}</figure>"
        )
