"""The dashboard *Regulator*: what left the country, why, where to; what keeps lookups at home."""

from deploy.dashboards.figures import (
    ABROAD,
    ABROAD_PER_LOOKUP,
    BYTES_ABROAD,
    COUNTRIES,
    ESCAPED,
    HOMEWARD,
    LABELS_ABROAD,
    ROUTES,
    WHY,
    share,
)
from deploy.dashboards.panel import (
    PERIOD,
    SCOPE,
    Dashboard,
    Panel,
    Row,
    Target,
    each,
    figure,
    now,
    rates,
)

WORST = 15
"""Entries of a ranking."""


def _ranking(name: str, *by: str, matchers: tuple[str, ...] = ()) -> Target:
    counted = PERIOD.increase(by, name, *matchers)
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return Target(f"sort_desc(topk({WORST}, {counted}) > 0)", legend)


_ANSWERED_ABROAD = share(
    SCOPE.rate(("destination",), "inland_lookups_total"),
    SCOPE.rate((), "inland_lookups_total"),
    ("destination",),
)

LEFT = Row(
    "What left the country",
    (
        Panel(
            "Lookups that left",
            "Of all lookups in the time shown, the share with at least one question to a server"
            " abroad or of unknown place. Lookups answered from memory count as lookups.",
            (figure(ESCAPED, PERIOD),),
            unit="percentunit", kind="stat", width=6, decimals=2,
        ),
        Panel(
            "Lookups for home that left",
            "Of the lookups whose answer stands at home, the share that left on the way to it:"
            " what could stay at home and did not.",
            (figure(HOMEWARD, PERIOD),),
            unit="percentunit", kind="stat", width=6, decimals=2,
        ),
        Panel(
            "Questions abroad for each lookup",
            "How many questions went abroad for each lookup, on average. One lookup may send"
            " several.",
            (figure(ABROAD_PER_LOOKUP, PERIOD),),
            kind="stat", width=6, decimals=3,
        ),
        Panel(
            "Needless escapes",
            "Questions that went abroad while a server at home was not exhausted, since the"
            " resolvers started. The resolver checks this of itself. It must be 0.",
            (now("inland_needless_escapes_total", legend="needless"),),
            kind="stat", width=6, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Where lookups were resolved",
            "local: without asking anyone (from memory, a mirror or local data); domestic: servers"
            " at home only; escaped: at least one question abroad.",
            (figure(ROUTES),),
            unit="percentunit", stacked=True, top=1.0,
        ),
        Panel(
            "Why lookups left",
            "no_domestic_server: the zone has no server at home; domestic_failed: its servers at"
            " home do not answer; unlocated: where the server is is not known; policy: a rule.",
            (figure(WHY),),
            unit="percentunit", stacked=True,
        ),
        Panel(
            "Reasons in the time shown",
            "Lookups that left, by the reason of their first question abroad.",
            (_ranking("inland_escaped_lookups_total", "reason"),),
            kind="bargauge", width=8, decimals=0, quiet=True,
        ),
        Panel(
            "What the lookups that left were for",
            "Where the addresses in their answers stand: domestic answers that were reached by"
            " way of abroad are the ones to look into.",
            (_ranking("inland_escaped_lookups_total", "destination"),),
            kind="bargauge", width=8, decimals=0, quiet=True,
        ),
        Panel(
            "Where answers stand",
            "All lookups by where the addresses in their answers stand.",
            (Target(_ANSWERED_ABROAD, "{{destination}}"),),
            unit="percentunit", width=8, stacked=True, top=1.0,
        ),
    ),
)  # fmt: skip

WHERE_TO = Row(
    "Where to",
    (
        Panel(
            "Countries in the time shown",
            "Questions sent to servers in each country; none: it is not known.",
            (_ranking("inland_exchanges_total", "country", matchers=(ABROAD,)),),
            kind="bargauge", width=8, decimals=0,
        ),
        Panel(
            "Questions abroad by country",
            "Questions a second to servers that are not at home.",
            (figure(COUNTRIES),),
            unit="reqps", width=16,
        ),
        Panel(
            "What questions abroad were for",
            "answer: a client's question; nameserver_address: where a name server is;"
            " mirror_refresh: copies of zones; verification: proofs; bootstrap: the start.",
            (rates("inland_exchanges_total", "purpose", matchers=(ABROAD,)),),
            unit="reqps", width=8,
        ),
        Panel(
            "Octets abroad",
            "Octets of DNS messages a second to and from servers that are not at home.",
            (figure(BYTES_ABROAD),),
            unit="Bps", width=8,
        ),
        Panel(
            "Octets abroad by country in the time shown",
            "Sent and received together.",
            (_ranking("inland_exchange_bytes_total", "country", matchers=(ABROAD,)),),
            unit="bytes", kind="bargauge", width=8,
        ),
        Panel(
            "How much of a name is shown abroad",
            "Labels of the names in questions sent abroad, on average. www.example.com has three;"
            " a question for a whole name shows who is looked up.",
            (figure(LABELS_ABROAD),),
        ),
        Panel(
            "Names withheld",
            "Resolutions that servers abroad were not shown whole. denied: a name above does not"
            " exist; refused: they had no use for a part.",
            (rates("inland_withheld_names_total", "result"),),
            unit="reqps",
        ),
    ),
)  # fmt: skip

AT_HOME = Row(
    "What keeps lookups at home",
    (
        Panel(
            "Mirrors: state",
            "Copies of whole zones kept here. current: in use; retrying: in use, the last look at"
            " its sources failed; expired and absent: not in use.",
            (Target(f"{SCOPE.select('inland_mirror_state')} == 1", "in this state"),),
            kind="table", quiet=True,
        ),
        Panel(
            "Mirrors: age and end",
            "Time since a source last confirmed the copy, and until it must not be used any more.",
            (
                each("inland_mirror_age_seconds", "age"),
                each("inland_mirror_expires_seconds", "ends in"),
            ),
            unit="s", kind="table", quiet=True,
        ),
        Panel(
            "Servers proven to stand at home",
            "Addresses that answered sooner than light could have come from abroad. strict: by the"
            " speed of light in vacuum; fibre: by that in fibre.",
            (now("inland_proofs", "grade"),),
            width=8,
        ),
        Panel(
            "Identities that cannot be true",
            "Servers that name a place from which light would have needed longer. A proxy on the"
            " path, or a wrong name.",
            (rates("inland_rejected_claims_total", "instance"),),
            unit="ops", width=8,
        ),
        Panel(
            "Age of the evidence",
            "What the places of servers are taken from. Older than 180 days is worth an alarm.",
            (each("inland_evidence_age_seconds", "age"),),
            unit="s", kind="table", width=8, limits=((180 * 86400, "red"),), quiet=True,
        ),
    ),
)  # fmt: skip

WATCHED = Row(
    "Delegations of listed zones",
    (
        Panel(
            "Changes in the time shown",
            "What changed in the zones of the government, banks and others that are listed, by"
            " kind: moved_abroad is a zone that had servers at home and has none any more.",
            (_ranking("inland_watch_changes_total", "kind"),),
            kind="bargauge", width=8, decimals=0, quiet=True,
        ),
        Panel(
            "Zones that changed",
            "Listed zones with changes in the time shown.",
            (_ranking("inland_watch_zone_changes_total", "zone"),),
            kind="bargauge", width=8, decimals=0, quiet=True,
        ),
        Panel(
            "Addresses of their servers, by place",
            "Where the name servers of listed zones stand, all zones together.",
            (now("inland_watch_zone_addresses", "verdict"),),
            width=8, quiet=True,
        ),
    ),
)  # fmt: skip

POLICY = Row(
    "Policy in force",
    (
        Panel(
            "Policy",
            "The generation is a hash of all that decides; equal generations decide equally. mode:"
            " prefer asks servers at home first, observe only counts.",
            (each("inland_policy_info", "in force"),),
            kind="table", width=10,
        ),
        Panel(
            "Generations in force",
            "More than one at a time: the instances have not all been reloaded.",
            (
                Target(
                    f"count(count by (generation) ({SCOPE.select('inland_policy_info')}))",
                    "generations",
                ),
            ),
            kind="stat", width=4, limits=((2, "orange"),), decimals=0,
        ),
        Panel(
            "Instances that validate",
            "Share of the instances that check DNSSEC signatures. Signatures are always passed on.",
            (Target(f"avg({SCOPE.select('inland_validation_enabled')})", "validating"),),
            unit="percentunit", kind="stat", width=5,
        ),
        Panel(
            "Records lost",
            "Records of lookups that did not reach their sink, since the resolvers started. The"
            " books are complete while this is 0.",
            (now("inland_records_lost_total", legend="lost"),),
            kind="stat", width=5, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Actions in the time shown",
            "Lookups that each rule of the policy decided, and what it did. Each rule that changes"
            " an answer names its authority; inland policy show lists them.",
            (_ranking("inland_policy_actions_total", "rule", "action"),),
            kind="bargauge", width=8, decimals=0, quiet=True,
        ),
        Panel(
            "Actions by rule",
            "Lookups that a rule of the policy has decided, answers from memory included.",
            (rates("inland_policy_actions_total", "rule", "action"),),
            unit="reqps", width=16, quiet=True,
        ),
        Panel(
            "Held back by the mode",
            "Lookups that a rule would have decided, had the mode allowed it: observe only counts.",
            (rates("inland_policy_held_back_total", "rule", "action"),),
            unit="reqps", quiet=True,
        ),
        Panel(
            "What the shadow policy would do",
            "rule: what was done → what the draft would have done. Where both are the same,"
            " nothing would change.",
            (
                rates(
                    "inland_policy_shadow_total", "rule", "live", "shadow",
                    legend="{{rule}}: {{live}} → {{shadow}}",
                ),
            ),
            unit="reqps", quiet=True,
        ),
    ),
)  # fmt: skip

REGULATOR = Dashboard(
    "inland-regulator",
    "Inland: Regulator",
    "What left the country, why, where to, and what keeps lookups at home. Made by"
    " python -m deploy.dashboards; docs/regulators.md says how to read it.",
    (LEFT, WHERE_TO, AT_HOME, WATCHED, POLICY),
)
