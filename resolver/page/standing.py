"""The sections on what stands: policy and its actions, mirrors, proofs, evidence, the program."""

from resolver.limits_page import ROWS_SHOWN
from resolver.page import numbers
from resolver.page.markup import Column, facts, figure, section, soft, table, text
from resolver.page.samples import Samples, Select
from resolver.page.view import View

_MODES = {
    "observe": "places are counted, and change nothing",
    "prefer": "servers at home first; no name fails because its servers are abroad",
    "enforce": "listed zones never leave",
}

_STATES = {
    "current": "in use, its source found current",
    "retrying": "in use, the last look failed",
    "expired": "not in use: too old",
    "absent": "not in use: no copy yet",
}

_SERVICE = (
    ("Lookups under way", "inland_lookups_under_way"),
    ("Answered from stale data", "inland_stale_answers_total"),
    ("Questions refused to strangers", "inland_refused_total"),
    ("Questions shed, too many waiting", "inland_shed_total"),
    ("Datagrams dropped by the kernel", "inland_kernel_drops_total"),
    ("Records that were lost", "inland_records_lost_total"),
    ("Faults of the program", "inland_faults_total"),
)


def policy(view: View) -> str:
    """The policy in force, and what its rules have done."""
    samples = view.samples
    info = "inland_policy_info"
    mode, generation = samples.label(info, "mode"), samples.label(info, "generation")
    validates = samples.total(Select("inland_validation_enabled")) > 0
    pairs = [
        ("Home", text(", ".join(view.home))),
        ("Mode", text(mode)),
        ("DNSSEC", "validated" if validates else "not validated"),
    ]
    return section(
        "policy",
        "Policy in force",
        facts(pairs),
        soft(text(f"Mode {mode}: {_MODES[mode]}.") if mode in _MODES else ""),
        soft(f"Generation <code>{text(generation)}</code>"),
        actions(samples),
    )


_RULES = (
    (
        "inland_policy_actions_total",
        "Actions by rule",
        "Lookups that a rule has decided",
    ),
    (
        "inland_policy_held_back_total",
        "Held back by the mode",
        "Lookups that a rule would have decided, had the mode allowed it",
    ),
    (
        "inland_policy_shadow_total",
        "The shadow policy",
        "Lookups by what was done (live) and what the shadow would have done",
    ),
)
"""What rules did and would have done: a metric, a heading, a caption."""


def actions(samples: Samples) -> str:
    """What rules have done, by rule; nothing where there are no such counts."""
    return "".join(
        f"<h3>{text(heading)}</h3>{_by_rule(samples, metric, caption)}"
        for metric, heading, caption in _RULES
        if samples.rows(metric)
    )


def _by_rule(samples: Samples, metric: str, caption: str) -> str:
    names = sorted({name for labels, _ in samples.rows(metric) for name in labels}, key=_rule_first)
    keys = samples.values(Select(metric), *names, zeros=True)
    cells = [
        [
            *(text(value) for value in key),
            figure(samples.count(Select(metric).where(**dict(zip(names, key, strict=True))))),
        ]
        for key in keys[:ROWS_SHOWN]
    ]
    columns = [*(Column(name.capitalize()) for name in names), Column("Lookups", "n")]
    left = len(keys) - len(cells)
    more = soft(f"{left} more are left out: see /metrics.") if left > 0 else ""
    return table(caption, columns, cells) + more


def _rule_first(name: str) -> tuple[bool, str]:
    return name != "rule", name


def mirrors(view: View) -> str:
    """The copies of zones that are kept here."""
    samples = view.samples
    states = samples.rows("inland_mirror_state")
    rows = []
    for labels, value in states:
        if not value:
            continue
        zone, state = labels.get("zone", ""), labels.get("state", "")
        held = samples.total(Select("inland_mirror_records").where(zone=zone)) > 0
        cells = [
            f"<code>{text(zone)}</code>",
            f"{text(state)}<small>{text(_STATES.get(state, ''))}</small>",
        ]
        cells += [
            figure(read(Select(f"inland_mirror_{name}").where(zone=zone))) if held else "–"
            for name, read in (
                ("age_seconds", samples.seconds),
                ("serial", samples.serial),
                ("records", samples.count),
                ("bytes", samples.octets),
            )
        ]
        refusals = Select("inland_mirror_refusals_total").where(zone=zone)
        rows.append([*cells, figure(samples.count(refusals))])
    columns = [
        Column("Zone"),
        Column("State"),
        *(
            Column(name, "n")
            for name in ("Found current", "Serial", "Records", "Memory", "Refused")
        ),
    ]
    caption = "Mirrors: found current so long ago; refused is how often a source could not be used"
    words = "No zone is mirrored: mirrors.root and mirrors.zones in the configuration say which."
    return section("mirrors", "Mirrors", table(caption, columns, rows) if rows else soft(words))


def watch(view: View) -> str:
    """The delegations that are followed; nothing where none are."""
    samples = view.samples
    zones = Select("inland_watch_zones")
    listed = samples.count(zones)
    if not listed.value:
        return ""
    changes = Select("inland_watch_changes_total")
    pairs = [("Zones listed", figure(listed))]
    pairs += [
        (f"Zones {state}", figure(samples.count(zones.where(state=state))))
        for (state,) in samples.values(zones, "state")
    ]
    pairs += [
        (f"Changes: {kind.replace('_', ' ')}", figure(samples.count(changes.where(kind=kind))))
        for (kind,) in samples.values(changes, "kind")
    ]
    return section("watch", "Delegations", facts(pairs), _watched(samples))


def _watched(samples: Samples) -> str:
    places = Select("inland_watch_zone_addresses")
    changed = Select("inland_watch_zone_changes_total")
    keys = samples.values(changed, "zone", zeros=True)
    rows = []
    for (zone,) in keys[:ROWS_SHOWN]:
        there = places.where(zone=zone)
        cells = [f"<code>{text(zone)}</code>", figure(samples.count(changed.where(zone=zone)))]
        cells += [
            figure(samples.count(there.where(verdict=verdict)))
            for verdict in ("domestic", "foreign", "unknown")
        ]
        rows.append(cells)
    columns = [
        Column("Zone"),
        *(Column(name, "n") for name in ("Changes", "At home", "Abroad", "Not known")),
    ]
    caption = (
        "Zones by how often their delegation changed; and where the addresses of servers stand"
    )
    left = len(keys) - len(rows)
    more = soft(f"{left} more are left out: see /metrics.") if left > 0 else ""
    return table(caption, columns, rows) + more if rows else ""


def proofs(view: View) -> str:
    """What is proven of servers, and what all verdicts rest on."""
    samples = view.samples
    proven = Select("inland_proofs")
    pairs = [
        ("Addresses proven, light in vacuum", figure(samples.count(proven.where(grade="strict")))),
        ("Addresses proven, light in fibre", figure(samples.count(proven.where(grade="fibre")))),
        ("Claims rejected", figure(samples.count(Select("inland_rejected_claims_total")))),
        ("Questions to renew proofs", figure(samples.count(Select("inland_proof_checks_total")))),
    ]
    return section(
        "proofs",
        "Proofs and evidence",
        soft(
            "A server is proven to stand at home when it answers sooner than light could come "
            "from abroad. A claim is rejected when light would have needed longer."
        ),
        facts(pairs),
        _evidence(samples),
    )


def _evidence(samples: Samples) -> str:
    rows = []
    infos = samples.rows("inland_evidence_info")
    for labels, _ in infos[:ROWS_SHOWN]:
        source = labels.get("source", "")
        records = samples.count(Select("inland_evidence_records").where(source=source))
        made = labels.get("date", "none")
        rows.append(
            [
                text(source),
                text("not dated" if made == "none" else made),
                figure(records) if records.value else "–",
                f"<code>{text(labels.get('sha256', '')[:16])}</code>",
            ]
        )
    columns = [
        Column("Source"),
        Column("Date", "s"),
        Column("Records", "n"),
        Column("SHA-256 begins"),
    ]
    caption = "Sources of evidence in force"
    return table(caption, columns, rows) if rows else soft("No source of evidence is in force.")


def service(view: View) -> str:
    """How the program itself does."""
    samples = view.samples
    pairs = [(name, figure(samples.count(Select(metric)))) for name, metric in _SERVICE]
    pairs += [
        (f"Cache of {cache}", _cache(samples, cache))
        for (cache,) in sorted(samples.values(Select("inland_cache_entries"), "cache", zeros=True))
    ]
    return section("service", "The service", facts(pairs))


def _cache(samples: Samples, cache: str) -> str:
    entries = figure(samples.count(Select("inland_cache_entries").where(cache=cache)))
    octets = figure(samples.octets(Select("inland_cache_bytes").where(cache=cache)))
    return f"{entries} entries <small>{octets}</small>"


def began(view: View) -> float | None:
    """When the process began, in seconds since the epoch, where that is known."""
    rows = view.samples.rows("process_start_time_seconds")
    return rows[0][1] if rows else None


def since(view: View) -> str:
    """Since when all is counted, in words."""
    start = began(view)
    if start is None:
        return "since the start"
    return f"since the start, {numbers.span(view.taken - start)} before"
