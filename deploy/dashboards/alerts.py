"""The alerts, each in one entry; ``docs/operations.md`` has a section for each of the same name.

``critical`` wants somebody now: the resolver does not serve, or its promise is broken. ``warning``
wants somebody today. Alerts that need volume look at recorded figures (:mod:`.figures`). Those on
counters that must stay 0 use ``increase`` over a time in which a person may look.
"""

from dataclasses import dataclass

from deploy.dashboards.figures import (
    ESCAPED,
    FAILED,
    INSTANCE,
    JOB,
    LOOKUPS,
    P99,
    PROOFS,
    REPLIED,
    USUAL,
)
from resolver.limits import EVIDENCE_DAYS_MAX
from resolver.watch.changes import ALARMS

RUNBOOK = "docs/operations.md"
CRITICAL, WARNING = "critical", "warning"
OURS = '{job=~"inland.*"}'
"""The targets of these rules: scrape jobs whose name begins so."""


_LOOKUPS_JOB = f"sum by (job) ({LOOKUPS.recorded(JOB, '5m')})"
_LOOKUPS = f"sum by (job, instance) ({LOOKUPS.recorded(INSTANCE, '5m')})"
_ESCAPED = ESCAPED.recorded(JOB, "1h")
_REPLIED = REPLIED.recorded(INSTANCE, "5m")
_PROOFS = PROOFS.recorded(INSTANCE, "")
_ON = "on (job, instance)"
_TOLD = "|".join(sorted(kind.value for kind in ALARMS))


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. ``wait``: how long it must hold, empty for at once."""

    name: str
    severity: str
    wait: str
    expr: str
    summary: str
    description: str

    @property
    def annotations(self) -> dict[str, str]:
        """What is sent with it."""
        return {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"{RUNBOOK}#{self.name.lower()}",
        }


def _rises(name: str, window: str) -> str:
    """A counter that must stay 0 grew, or was above 0 when it was first seen."""
    return f"increase({name}[{window}]) > 0 or ({name} > 0 unless {name} offset {window})"


AT = "{{ $labels.instance }}"
PERCENT = "{{ $value | humanizePercentage }}"

ALERTS: tuple[Alert, ...] = (
    # --- it does not serve ---------------------------------------------------------------------
    Alert(
        "InlandDown", CRITICAL, "2m", f"up{OURS} == 0",
        f"The resolver at {AT} is down",
        "Prometheus has not been able to read its metrics for two minutes.",
    ),
    Alert(
        "InlandAbsent", CRITICAL, "5m", f"absent(up{OURS})",
        "No resolver is watched",
        "Prometheus has no target whose job begins with inland, so no other alert can fire.",
    ),
    Alert(
        "InlandRestarts", WARNING, "", f"changes(process_start_time_seconds{OURS}[1h]) > 2",
        f"The resolver at {AT} has started again and again",
        "It started {{ $value }} times within an hour.",
    ),
    Alert(
        "InlandFailures", WARNING, "10m",
        f"{FAILED.recorded(INSTANCE, '5m')} > 0.05 and {_ON} {_LOOKUPS} > 1",
        f"Many lookups fail at {AT}",
        f"{PERCENT} of the clients' questions are answered SERVFAIL.",
    ),
    Alert(
        "InlandSlow", WARNING, "15m",
        f"{P99.recorded(INSTANCE, '5m')} > 2 and {_ON} {_LOOKUPS} > 1",
        f"Replies are slow at {AT}",
        "One of a hundred clients waits longer than {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "InlandStale", WARNING, "10m",
        f"rate(inland_stale_answers_total[5m]) > {_ON} 0.01 * {_LOOKUPS}"
        f" and {_ON} {_LOOKUPS} > 1",
        f"Expired records are served at {AT}",
        "More than one of a hundred lookups is answered from expired data: name servers fail.",
    ),
    # --- what left the country -----------------------------------------------------------------
    Alert(
        "InlandNeedlessEscape", CRITICAL, "", _rises("inland_needless_escapes_total", "1h"),
        f"A lookup left the country without need at {AT}",
        "A question went abroad while a server at home was not exhausted. This must never happen.",
    ),
    Alert(
        "InlandEscapesUnusual", WARNING, "15m",
        f"{_ESCAPED} > 1.5 * {USUAL} + 0.02 and on (job) {_LOOKUPS_JOB} > 1",
        "More lookups leave the country than usual",
        f"{PERCENT} of the lookups of job {{{{ $labels.job }}}} left in the last hour, more than"
        " half again of the last week's average.",
    ),
    Alert(
        "InlandDomesticSilent", WARNING, "10m",
        f'{_REPLIED}{{verdict="domestic"}} < 0.5 and {_ON}'
        ' sum by (job, instance) (rate(inland_exchanges_total{verdict="domestic"}[5m])) > 1',
        f"Servers at home do not answer {AT}",
        f"Only {PERCENT} of the questions sent to servers at home had a reply.",
    ),
    Alert(
        "InlandProofsLost", WARNING, "30m",
        f"{_PROOFS} < 0.5 * max_over_time({_PROOFS}[1d])",
        f"Servers at home cannot be proven any more at {AT}",
        "Only {{ $value }} addresses are proven to stand at home, less than half of what the last"
        " day had.",
    ),
    Alert(
        "InlandBooksOverflow", WARNING, "",
        'sum by (job, instance) (inland_exchanges_total{verdict="overflow"}) > 0',
        f"Exchanges are counted without their place at {AT}",
        "The table of labels is full: new kinds of exchanges are counted as overflow.",
    ),
    Alert(
        "InlandDelegationChanged", WARNING, "",
        f'increase(inland_watch_changes_total{{kind=~"{_TOLD}"}}[1h]) > 0',
        "A listed zone's delegation has changed",
        f"The watch at {AT} has seen {{{{ $labels.kind }}}} within the last hour.",
    ),
    # --- limits --------------------------------------------------------------------------------
    Alert(
        "InlandKernelDrops", WARNING, "10m", "rate(inland_kernel_drops_total[5m]) > 0",
        f"The kernel drops questions at {AT}",
        "{{ $value | humanize }} datagrams a second are dropped, since they come faster than they"
        " are read.",
    ),
    Alert(
        "InlandShedding", WARNING, "5m",
        f"rate(inland_shed_total[5m]) + {_ON}"
        ' rate(inland_turned_away_total{why="overload"}[5m]) > 0',
        f"Questions are turned away at {AT}",
        "{{ $value | humanize }} questions a second are answered SERVFAIL, since too many wait.",
    ),
    Alert(
        "InlandStreamsRefused", WARNING, "5m",
        'rate(inland_tcp_clients_total{result="refused"}[5m]) > 0',
        f"Connections of clients are refused at {AT}",
        "{{ $value | humanize }} connections a second are beyond the limits of listen.",
    ),
    Alert(
        "InlandSendFailures", WARNING, "10m", "rate(inland_send_failures_total[5m]) > 0",
        f"Questions cannot be sent from {AT}",
        "The kernel does not take {{ $value | humanize }} questions a second: no route, or no"
        " room.",
    ),
    Alert(
        "InlandFiles", WARNING, "5m",
        f"process_open_fds{OURS} / process_max_fds{OURS} > 0.8",
        f"The resolver at {AT} has nearly all its files open",
        f"{PERCENT} of the files that it may open are open.",
    ),
    # --- what it knows -------------------------------------------------------------------------
    Alert(
        "InlandMirrorAging", WARNING, "10m",
        "(inland_mirror_expires_seconds < inland_mirror_age_seconds)"
        " and inland_mirror_expires_seconds > 0",
        f"The mirror of {{{{ $labels.zone }}}} at {AT} grows old",
        "No source has confirmed it for more than half of its life; it ends in"
        " {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "InlandMirrorUnusable", CRITICAL, "15m",
        'max without (state) (inland_mirror_state{state=~"expired|absent"}) == 1',
        f"There is no usable mirror of {{{{ $labels.zone }}}} at {AT}",
        "It has expired, or no source has given a good one. Its names are asked of servers.",
    ),
    Alert(
        "InlandPolicyZoneOld", CRITICAL, "15m",
        'max without (state) (inland_rpz_state{state=~"expired|absent"}) == 1',
        f"Policy zone {{{{ $labels.zone }}}} at {AT} is too old or absent",
        "No source has given it in time. What it blocks is as it was last known, or not blocked.",
    ),
    Alert(
        "InlandEvidenceOld", WARNING, "1h",
        f"inland_evidence_age_seconds > {EVIDENCE_DAYS_MAX} * 86400",
        f"Evidence is old at {AT}",
        "The source {{ $labels.source }} is {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        "InlandEvidenceStoodIn", WARNING, "5m", "inland_evidence_stood_in > 0",
        f"Files of evidence cannot be used at {AT}",
        "The last good copies of {{ $value }} files stand in for them.",
    ),
    Alert(
        "InlandPackRefused", WARNING, "5m", "inland_pack_stood_in > 0",
        f"The country pack was refused at {AT}",
        "The last good pack stands in for it.",
    ),
    # --- operation -----------------------------------------------------------------------------
    Alert(
        "InlandReloadRefused", WARNING, "5m", "inland_last_reload_successful == 0",
        f"The configuration of {AT} is refused",
        "The last reload was refused; what was in force before still is.",
    ),
    Alert(
        "InlandPoliciesDiffer", WARNING, "15m",
        "count by (job) (count by (job, generation, mode) (inland_policy_info)) > 1",
        "The instances of {{ $labels.job }} do not have one policy",
        "{{ $value }} generations of the policy are in force at the same time.",
    ),
    Alert(
        "InlandRecordsLost", WARNING, "", _rises("inland_records_lost_total", "15m"),
        f"Records are lost at {AT}",
        "Records of lookups did not reach their sink: the books have gaps.",
    ),
    Alert(
        "InlandFault", WARNING, "", _rises("inland_faults_total", "15m"),
        f"A fault of the program at {AT}",
        "Lookups ended in a fault of the program; the log has a traceback.",
    ),
)  # fmt: skip
