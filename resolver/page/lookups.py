"""The sections on lookups: key figures, the share over time, reasons, countries, worst zones."""

from resolver.limits_page import ROWS_SHOWN
from resolver.names import to_text
from resolver.page import charts, numbers
from resolver.page.history import Interval
from resolver.page.markup import Column, figure, folded, section, soft, table, text
from resolver.page.samples import Figure, Select
from resolver.page.view import ABROAD, ESCAPES, EXCHANGES, LOOKUPS, NEEDLESS, OCTETS, View

_REASONS = {
    "no_domestic_server": "no name server of the zone is known to stand at home",
    "domestic_failed": "the servers at home failed, or took longer than patience allows",
    "unlocated": "where the server stands is not known",
    "policy": "the policy says so",
    "overflow": "counted when the table was full",
}

_VERDICTS = {
    "domestic": "at home",
    "foreign": "abroad",
    "unknown": "place not known",
    "overflow": "counted when the table was full",
}

_PURPOSES = {
    "answer": "the answer itself",
    "nameserver_address": "the address of a name server",
    "dnssec_chain": "keys for checking signatures",
    "bootstrap": "the servers of the root",
    "mirror_refresh": "the copy of a zone",
    "verification": "whether a server still stands at home",
    "refresh": "an answer about to end",
    "shadow": "what the shadow policy would have done",
    "overflow": "counted when the table was full",
}


_LABELS = Select("inland_exchange_labels_total")
_BEYOND = Select("inland_exchange_labels_beyond_total")
_FOR_HOME = LOOKUPS.where(destination="domestic")
_ESCAPED_FOR_HOME = _FOR_HOME.where(route="escaped")


def key_figures(view: View) -> str:
    """The first answers: what share left, and how much."""
    samples = view.samples
    needless = samples.count(NEEDLESS)
    fine = needless.value == 0
    tiles = [
        _tile("Lookups that escaped", "escaped", "an exchange abroad", view),
        _box(
            "escaped",
            "Lookups for home that escaped",
            samples.share(_ESCAPED_FOR_HOME, _FOR_HOME),
            f"{figure(samples.count(_ESCAPED_FOR_HOME))} of {figure(samples.count(_FOR_HOME))}:"
            " the answer stands at home",
        ),
        _box(
            "escaped",
            "Exchanges abroad per lookup",
            samples.per(ABROAD, LOOKUPS),
            f"{figure(samples.count(ABROAD))} of {figure(samples.count(EXCHANGES))} exchanges",
        ),
        _tile("Domestic lookups", "domestic", "exchanges at home only", view),
        _tile("Local lookups", "local", "no exchange", view),
        _box(
            "good" if fine else "bad",
            "Needless escapes",
            needless,
            "must be 0, and is" if fine else "<b>must be 0, and is not</b>",
        ),
    ]
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def _tile(name: str, route: str, means: str, view: View) -> str:
    part = LOOKUPS.where(route=route)
    counts = view.samples.count(part), view.samples.count(LOOKUPS)
    below = f"{figure(counts[0])} of {figure(counts[1])}: {text(means)}"
    return _box(route, name, view.samples.share(part, LOOKUPS), below)


def _box(style: str, name: str, big: Figure, below: str) -> str:
    return (
        f'<div class="{style}"><dt>{text(name)}</dt><dd class="big">{figure(big)}</dd>'
        f"<dd>{below}</dd></div>"
    )


def over_time(view: View) -> str:
    """The share of each route in each interval."""
    legend = "".join(
        f"<li>{charts.mark(part)}<span>{text(words)}</span></li>" for part, words in charts.PARTS
    )
    first = numbers.moment(view.intervals[0].begin)
    columns = [
        Column("Interval (UTC)", "s"),
        Column("Lookups", "n"),
        *(Column(route, "n") for route in ("Escaped", "Domestic", "Local")),
    ]
    brief = charts.is_brief(view.intervals)
    rows = [_interval(interval, brief) for interval in reversed(view.intervals)]
    caption = "Lookups in each interval by route, newest first; each with its part of them"
    return section(
        "time",
        "Share over time",
        soft(
            f"Each column is an interval, from {text(first)} to the time of this page. At most a "
            "day is remembered here; for longer times ask Prometheus."
        ),
        f'<ul class="legend">{legend}</ul>',
        charts.shares(view.intervals),
        folded("The figures of the chart as a table", table(caption, columns, rows)),
    )


def _interval(interval: Interval, brief: bool) -> list[str]:
    cells = [charts.when(interval, brief), numbers.whole(interval.lookups)]
    for count in (interval.escaped, interval.domestic, interval.local):
        part = numbers.share(count / interval.lookups) if interval.lookups else numbers.NOTHING
        cells.append(f'{numbers.whole(count)} <span class="soft">{text(part)}</span>')
    return cells


def reasons(view: View) -> str:
    """Why lookups escaped, and what for exchanges went abroad."""
    samples = view.samples
    rows = []
    for (reason,) in samples.values(ESCAPES, "reason"):
        part = ESCAPES.where(reason=reason)
        share = samples.share(part, ESCAPES)
        rows.append(
            [
                f"<code>{text(reason)}</code><small>{text(_REASONS.get(reason, ''))}</small>",
                figure(samples.count(part)),
                figure(share),
                charts.bar(share.value, "escaped"),
                figure(samples.count(part.where(destination="domestic"))),
            ]
        )
    columns = [
        Column("Reason"),
        Column("Lookups", "n"),
        Column("Share", "n"),
        Column("", "b"),
        Column("Answer stood at home", "n"),
    ]
    caption = "Lookups that escaped, by the reason of their first exchange abroad"
    return section(
        "reasons",
        "Why lookups escaped",
        table(caption, columns, rows) if rows else soft("No lookup has escaped."),
        _purposes(view),
        _shown_abroad(view),
    )


def _shown_abroad(view: View) -> str:
    """How much of names questions abroad show; nothing where that is not counted."""
    samples = view.samples
    if not samples.rows(_LABELS.metric):
        return ""
    per = figure(samples.per(_LABELS.unless(verdict="domestic"), ABROAD))
    beyond = figure(samples.count(_BEYOND.unless(verdict="domestic")))
    return soft(
        f"Servers abroad were shown {per} labels of a name on average with each question; "
        f"{beyond} labels beyond what the zone that was asked needs to know."
    )


def _purposes(view: View) -> str:
    samples = view.samples
    rows = []
    for (purpose,) in samples.values(ABROAD, "purpose"):
        part = ABROAD.where(purpose=purpose)
        share = samples.share(part, ABROAD)
        rows.append(
            [
                f"<code>{text(purpose)}</code><small>{text(_PURPOSES.get(purpose, ''))}</small>",
                figure(samples.count(part)),
                figure(share),
                charts.bar(share.value, "escaped"),
            ]
        )
    columns = [Column("Asked for"), Column("Exchanges", "n"), Column("Share", "n"), Column("", "b")]
    caption = "Exchanges abroad, by what was asked for"
    return table(caption, columns, rows) if rows else ""


def countries(view: View) -> str:
    """Where exchanges went."""
    samples = view.samples
    places = samples.values(EXCHANGES, "country", "verdict")
    rows = []
    for country, verdict in places[:ROWS_SHOWN]:
        part = EXCHANGES.where(country=country, verdict=verdict)
        octets = OCTETS.where(country=country, verdict=verdict)
        share = samples.share(part, EXCHANGES)
        name = "not known" if country == "none" else country
        style = "domestic" if verdict == "domestic" else "escaped"
        rows.append(
            [
                text(name),
                f"<code>{text(verdict)}</code><small>{text(_VERDICTS.get(verdict, ''))}</small>",
                figure(samples.count(part)),
                figure(share),
                charts.bar(share.value, style),
                figure(samples.octets(octets.where(direction="sent"))),
                figure(samples.octets(octets.where(direction="received"))),
            ]
        )
    columns = [
        Column("Country", "s"),
        Column("Verdict", "s"),
        Column("Exchanges", "n"),
        Column("Share", "n"),
        Column("", "b"),
        Column("Sent", "n"),
        Column("Received", "n"),
    ]
    caption = "Exchanges with name servers, by the country and verdict held when they were sent"
    left = len(places) - len(rows)
    return section(
        "countries",
        "Countries",
        table(caption, columns, rows) if rows else soft("Nothing was asked of any server."),
        soft(f"{left} more are left out: see /metrics.") if left > 0 else "",
    )


def worst_zones(view: View) -> str:
    """Under which zones escapes are booked most often."""
    worst = view.worst
    rows = []
    for cost in worst.costs:
        part = cost.lookups / worst.total if worst.total else 0.0
        sure = cost.lookups - cost.error
        rows.append(
            [
                f"<code>{text(to_text(cost.zone))}</code>",
                numbers.whole(cost.lookups),
                numbers.whole(cost.error),
                numbers.whole(sure),
                text(numbers.share(part)),
                charts.bar(part, "escaped"),
            ]
        )
    columns = [
        Column("Zone"),
        Column("Escaped lookups", "n"),
        Column("Too high by at most", "n"),
        Column("Surely", "n"),
        Column("Share", "n"),
        Column("", "b"),
    ]
    caption = "The zones whose servers abroad were asked first, by escaped lookups"
    words = (
        f"Of {figure(view.samples.count(ESCAPES))} escaped lookups. Counts are kept for a bounded "
        "number of zones (Space-Saving): a count may be too high by what the third column says, "
        "never too low. "
        f"A zone that is not kept has {numbers.whole(worst.others)} at most."
    )
    return section(
        "zones",
        "Worst zones",
        soft(words),
        table(caption, columns, rows) if rows else soft("No lookup has escaped."),
    )
