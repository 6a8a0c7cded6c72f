"""The dashboard *Operations*: is it fast, is it full, what fails. And all that no panel names."""

from functools import cache

from deploy.dashboards.catalogue import Metric, catalogue
from deploy.dashboards.figures import (
    FAILED,
    HITS,
    LOOKUPS,
    NATIVE,
    P50,
    P99,
    P99_BY_ROUTE,
    REPLIED,
)
from deploy.dashboards.panel import SCOPE, Dashboard, Panel, Row, Target, each, figure, now, rates
from deploy.dashboards.regulator import REGULATOR

CLIENTS = Row(
    "Clients",
    (
        Panel(
            "Up", "Instances whose metrics Prometheus can read.",
            (Target(f"sum({SCOPE.select('up')})", "up"),),
            kind="stat", width=4, decimals=0,
        ),
        Panel(
            "Questions a second", "Readable questions from allowed clients.",
            (rates("inland_queries_total", legend="questions"),),
            unit="reqps", kind="stat", width=5,
        ),
        Panel(
            "Answered from the cache", HITS.about, (figure(HITS),),
            unit="percentunit", kind="stat", width=5,
        ),
        Panel(
            "Failed", FAILED.about, (figure(FAILED),),
            unit="percentunit", kind="stat", width=5, limits=((0.01, "orange"), (0.05, "red")),
            decimals=2,
        ),
        Panel(
            "One of a hundred waits longer than", P99.about, (figure(P99),),
            unit="s", kind="stat", width=5, limits=((1.0, "orange"), (2.0, "red")),
        ),
        Panel(
            "Questions by transport", "Readable questions from allowed clients.",
            (rates("inland_queries_total", "transport"),),
            unit="reqps", width=8,
        ),
        Panel(
            "Lookups by route", LOOKUPS.about, (figure(LOOKUPS),),
            unit="reqps", width=8, stacked=True,
        ),
        Panel(
            "Time to the reply", "Of clients, all lookups together.",
            (figure(P50, legend="half"), figure(P99, legend="99 of 100")),
            unit="s", width=8, limits=((2.0, "red"),),
        ),
        Panel(
            "Time to the reply by route, 99 of 100", P99_BY_ROUTE.about, (figure(P99_BY_ROUTE),),
            unit="s", width=8,
        ),
        Panel(
            "Lookups that failed, by route", "Lookups answered SERVFAIL.",
            (rates("inland_failed_lookups_total", "route"),),
            unit="reqps", width=8,
        ),
        Panel(
            "Answered from expired records",
            "Lookups answered from stale data, since servers failed or were slow (RFC 8767).",
            (rates("inland_stale_answers_total", "instance"),),
            unit="reqps", width=8,
        ),
        Panel(
            "Questions not let in", "Refused by access.allow, malformed, or answered without a"
            " lookup.",
            (
                rates("inland_refused_total", legend="refused"),
                rates("inland_malformed_total", "result", legend="malformed, {{result}}"),
                rates("inland_turned_away_total", "why", legend="turned away, {{why}}"),
            ),
            unit="reqps", width=8,
        ),
        Panel(
            "Streams of clients", "TCP connections of clients.",
            (rates("inland_tcp_clients_total", "result"),),
            unit="ops", width=8,
        ),
        Panel(
            "Replies", "Sent to clients, and those that the kernel did not take.",
            (rates("inland_replies_total", "result"),),
            unit="reqps", width=8,
        ),
    ),
)  # fmt: skip

WORK = Row(
    "Work",
    (
        Panel(
            "Lookups under way", "Lookups in Python that have not ended.",
            (now("inland_lookups_under_way", "instance"),),
            width=8,
        ),
        Panel(
            "Not in the answer cache",
            "Misses handed to Python; questions that native took up by a plan, and those of them"
            " that it gave back.",
            (
                rates("inland_misses_total", legend="Python"),
                rates("inland_planned_total", "result", legend="plans, {{result}}"),
            ),
            unit="reqps", width=8,
        ),
        Panel(
            "Carried out by plans alone", NATIVE.about, (figure(NATIVE),),
            unit="percentunit", width=8, top=1.0,
        ),
    ),
)  # fmt: skip

UPSTREAM = Row(
    "Upstream",
    (
        Panel(
            "Questions sent, by verdict", "Questions sent upstream, by where the servers stand.",
            (rates("inland_exchanges_total", "verdict"),),
            unit="reqps", width=8,
        ),
        Panel(
            "Replies for each question", REPLIED.about, (figure(REPLIED),),
            unit="percentunit", width=8,
        ),
        Panel(
            "Questions sent, by transport", "Questions sent upstream.",
            (rates("inland_exchanges_total", "transport"),),
            unit="reqps", width=8,
        ),
        Panel(
            "Why servers at home were not asked", "Questions sent abroad, by reason.",
            (rates("inland_exchanges_total", "reason", matchers=('verdict!="domestic"',)),),
            unit="reqps", width=8,
        ),
        Panel(
            "Datagrams that ended no exchange",
            "mismatched: not from whom was asked, or another question, so maybe forged; late: after"
            " their time; malformed: not readable.",
            (rates("inland_upstream_discarded_total", "why"),),
            unit="ops", width=8,
        ),
        Panel(
            "Trouble on the way", "ICMP errors, and sends that the kernel did not take.",
            (
                rates("inland_icmp_errors_total", legend="ICMP errors"),
                rates("inland_send_failures_total", legend="not sent"),
            ),
            unit="ops", width=8,
        ),
        Panel(
            "Octets", "Octets of DNS messages exchanged with upstream servers.",
            (rates("inland_exchange_bytes_total", "direction", "transport"),),
            unit="Bps", width=8,
        ),
        Panel(
            "Streams opened", "Connections to upstream servers.",
            (rates("inland_exchange_connections_total", "verdict"),),
            unit="ops", width=8, quiet=True,
        ),
        Panel(
            "Files fetched", "Files asked for over HTTP, for mirrors.",
            (rates("inland_fetches_total", "result"),),
            unit="ops", width=8,
        ),
    ),
)  # fmt: skip

WATCH = Row(
    "Watch over delegations",
    (
        Panel(
            "Zones followed", "Listed zones by how they stand.",
            (now("inland_watch_zones", "state"),),
            width=8,
        ),
        Panel(
            "Looks", "Looks at delegations.",
            (rates("inland_watch_looks_total", "result"),),
            unit="ops", width=8,
        ),
        Panel(
            "Behind", "By how much the most overdue look is late.",
            (each("inland_watch_behind_seconds", "{{instance}}"),),
            unit="s", width=8,
        ),
    ),
)  # fmt: skip

ROOM = Row(
    "Memory and process",
    (
        Panel(
            "Octets in caches", "Memory that the caches take.",
            (now("inland_cache_bytes", "cache"),),
            unit="bytes", width=8,
        ),
        Panel(
            "Entries in caches", "Answers ready to send, and record sets.",
            (now("inland_cache_entries", "cache"),),
            width=8,
        ),
        Panel(
            "Memory of the process", "Resident memory, as the kernel counts it.",
            (now("process_resident_memory_bytes", "instance"),),
            unit="bytes", width=8,
        ),
        Panel(
            "Processors", "How many processors the process uses.",
            (rates("process_cpu_seconds_total", "instance"),),
            width=8,
        ),
        Panel(
            "Open files", "Of those that it may open; each exchange under way is one.",
            (
                Target(
                    f"{SCOPE.select('process_open_fds')} / {SCOPE.select('process_max_fds')}",
                    "{{instance}}",
                ),
            ),
            unit="percentunit", width=8, limits=((0.8, "red"),),
        ),
        Panel(
            "Program", "Version of the program and of Python.",
            (each("inland_build_info", "running"),),
            kind="table", width=8,
        ),
    ),
)  # fmt: skip

FAILURES = Row(
    "What must not happen",
    (
        Panel(
            "Needless escapes", "Since the start. It must be 0.",
            (now("inland_needless_escapes_total", legend="needless"),),
            kind="stat", width=4, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Faults of the program", "Since the start. It should be 0; the log has tracebacks.",
            (now("inland_faults_total", legend="faults"),),
            kind="stat", width=4, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Records lost", "Since the start. It should be 0.",
            (now("inland_records_lost_total", legend="lost"),),
            kind="stat", width=4, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Last reload refused", "Instances whose last reload was refused.",
            (
                Target(
                    f"count({SCOPE.select('inland_last_reload_successful')} == 0) or vector(0)",
                    "refused",
                ),
            ),
            kind="stat", width=4, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Country packs that stand in", "Instances that run on an older pack than they should.",
            (now("inland_pack_stood_in", legend="stand in"),),
            kind="stat", width=4, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Evidence that stands in", "Files of evidence that could not be used at the start.",
            (now("inland_evidence_stood_in", legend="stand in"),),
            kind="stat", width=4, limits=((1, "red"),), decimals=0,
        ),
        Panel(
            "Dropped and turned away",
            "Datagrams that the kernel dropped; misses answered SERVFAIL, too many waiting.",
            (
                rates("inland_kernel_drops_total", legend="dropped by the kernel"),
                rates("inland_shed_total", legend="shed"),
            ),
            unit="reqps", width=8,
        ),
        Panel(
            "Reloads", "Reloads of the configuration.",
            (rates("inland_reloads_total", "result"),),
            unit="ops", width=8,
        ),
        Panel(
            "Requests to the exporter refused", "Under a foreign name, or without the password.",
            (rates("inland_web_refusals_total", "why"),),
            unit="ops", width=8, quiet=True,
        ),
        Panel(
            "Looks at the sources of mirrors", "And sources that could not be used.",
            (
                rates("inland_mirror_looks_total", "zone", "result"),
                rates("inland_mirror_refusals_total", "zone", "why"),
            ),
            unit="ops", width=8, quiet=True,
        ),
    ),
)  # fmt: skip


def _rest() -> Row:
    """All metrics that no panel above names, each in a panel of its own: new ones appear here."""
    rows = (*REGULATOR.rows, CLIENTS, WORK, UPSTREAM, WATCH, ROOM, FAILURES)
    placed = {name for row in rows for panel in row.panels for name in panel.metrics()}
    metrics = [metric for metric in catalogue().values() if not placed & set(metric.samples)]
    return Row("Everything else", tuple(map(_plain, metrics)), collapsed=True)


def _plain(metric: Metric) -> Panel:
    labels = tuple(metric.labels)
    if metric.kind == "counter":
        target = rates(metric.name, *labels)
    elif metric.kind == "histogram":
        target = Target(
            f"histogram_quantile(0.99, {SCOPE.rate(('le', *labels), metric.samples[0])})",
            " ".join(f"{{{{{label}}}}}" for label in labels) or "99 of 100",
        )
    else:
        target = now(metric.name, *labels)
    return Panel(metric.name, metric.help, (target,), width=8, quiet=True)


@cache
def operations_dashboard() -> Dashboard:
    """The whole of it; asks the exporter for what it has."""
    return Dashboard(
        "inland-operations",
        "Inland: Operations",
        "Is it fast, is it full, what fails. Made by python -m deploy.dashboards;"
        " docs/operations.md says what to do.",
        (CLIENTS, WORK, UPSTREAM, WATCH, ROOM, FAILURES, _rest()),
        since="now-6h",
    )
