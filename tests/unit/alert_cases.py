"""Cases for ``promtool test rules``: for each alert, series under which it fires, and does not.

Values are in promtool's form (``0+60x30``: from 0, 60 more each minute, 30 times); samples are a
minute apart. The expected texts are those of the alerts, with the case's labels and value put in.
"""

import re
from dataclasses import dataclass
from typing import Any

from deploy.dashboards.alerts import ALERTS

ME = {"job": "inland", "instance": "a"}
BEFORE = 90  # minutes of what is usual


def series(name: str, labels: dict[str, str] = ME, /, **more: str) -> str:
    """A series of the instance ``a``, or of these labels."""
    inner = ",".join(f'{k}="{v}"' for k, v in (labels | more).items())
    return f"{name}{{{inner}}}"


def lookups(values: str, route: str = "local") -> dict[str, str]:
    """Lookups of one route."""
    more = {"transport": "udp", "route": route, "destination": "domestic"}
    return {series("inland_lookups_total", **more): values}


@dataclass(frozen=True, slots=True)
class Case:
    """``fires``: the labels of the alert beside its severity, ``None``: it does not fire. ``at``:
    minutes from the first sample. ``value``: as the alert's text shows it."""

    alert: str
    about: str
    at: int
    given: dict[str, str]
    fires: dict[str, str] | None = None
    value: str = ""

    def rendered(self) -> dict[str, Any]:
        """As promtool reads it."""
        alert = next(alert for alert in ALERTS if alert.name == self.alert)
        expected = []
        if self.fires is not None:
            labels = self.fires | {"severity": alert.severity}
            texts = {k: self._filled(v, labels) for k, v in alert.annotations.items()}
            expected = [{"exp_labels": labels, "exp_annotations": texts}]
        return {
            "name": f"{self.alert}: {self.about}",
            "interval": "1m",
            "input_series": [{"series": s, "values": v} for s, v in self.given.items()],
            "alert_rule_test": [
                {"eval_time": f"{self.at}m", "alertname": self.alert, "exp_alerts": expected}
            ],
        }

    def _filled(self, text: str, labels: dict[str, str]) -> str:
        text = re.sub(r"\{\{ \$value[^}]*\}\}", self.value, text)
        return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)


BUSY = lookups("0+600x60")  # 10 a second
QUIET_SHED = {series("inland_shed_total"): "0x60"}
UPSTREAM = {"country": "XA", "transport": "udp"}


def failed(values: str) -> dict[str, str]:
    return {series("inland_failed_lookups_total", route="escaped"): values} | QUIET_SHED


def seconds(values_1: str, values_3: str) -> dict[str, str]:
    name = "inland_lookup_seconds_bucket"
    return {
        series(name, route="local", le="1"): values_1,
        series(name, route="local", le="2.5"): values_3,
        series(name, route="local", le="+Inf"): values_3,
    }


def at_home(replies: str) -> dict[str, str]:
    where = UPSTREAM | {"verdict": "domestic"}
    sent = series("inland_exchanges_total", purpose="answer", reason="none", **where)
    return {sent: "0+600x40", series("inland_exchange_replies_total", **where): replies}


def escapes(later: int) -> dict[str, str]:
    """Some hours with 30 of 600 lookups a minute that leave, then three with so many."""
    end, gone = 570 * BEFORE, 30 * BEFORE
    left = f"0+30x{BEFORE} {gone + later}+{later}x180"
    stayed = f"0+570x{BEFORE} {end + 600 - later}+{600 - later}x180"
    why = series("inland_escaped_lookups_total", reason="unlocated", destination="domestic")
    return lookups(stayed) | lookups(left, "escaped") | {why: left}


RPZ = "inland_rpz_state"


def states(now: str, name: str = "inland_mirror_state", zone: str = ".") -> dict[str, str]:
    return {
        series(name, zone=zone, state=state): "1x40" if state == now else "0x40"
        for state in ("current", "retrying", "expired", "absent")
    }


def mirror(age: int, ends: int) -> dict[str, str]:
    return {
        series("inland_mirror_age_seconds", zone="."): f"{age}x30",
        series("inland_mirror_expires_seconds", zone="."): f"{ends}x30",
    }


def policy(second: str, values: str = "1x30") -> dict[str, str]:
    other = {"job": "inland", "instance": "b"}
    return {
        series("inland_policy_info", generation="one", mode="prefer"): "1x30",
        series("inland_policy_info", other, generation=second, mode="prefer"): values,
    }


def alone(name: str, values: str, **labels: str) -> dict[str, str]:
    return {series(name, **labels): values}


REFUSED = {"result": "refused"}
OVERFLOW = dict.fromkeys(("verdict", "country", "purpose", "reason", "transport"), "overflow")
NEEDLESS, FAULTS = "inland_needless_escapes_total", "inland_faults_total"
LOST, DROPS = "inland_records_lost_total", "inland_kernel_drops_total"
STREAMS, UNSENT = "inland_tcp_clients_total", "inland_send_failures_total"
AGE, STALE = "inland_evidence_age_seconds", "inland_stale_answers_total"
LAST, START = "inland_last_reload_successful", "process_start_time_seconds"
FILE = {"source": "database geo"}
CHANGES, MOVED = "inland_watch_changes_total", {"kind": "moved_abroad"}

CASES = (
    Case("InlandDown", "two minutes away", 6, alone("up", "1 1 0x10"), ME),
    Case("InlandDown", "one scrape failed", 6, alone("up", "1 1 0 1x10")),
    Case("InlandDown", "another program", 6, {'up{job="node",instance="a"}': "0x10"}),
    Case("InlandAbsent", "only others", 6, {'up{job="node",instance="a"}': "1x10"}, {}),
    Case("InlandAbsent", "there is one", 6, alone("up", "0x10")),
    Case("InlandRestarts", "three", 10, alone(START, "10 10 20 30 40x10"), ME, "3"),
    Case("InlandRestarts", "two", 10, alone(START, "10 20 30x10")),
    Case("InlandFailures", "a tenth", 20, BUSY | failed("0+60x60"), ME, "10%"),
    Case("InlandFailures", "2 %", 20, BUSY | failed("0+12x60")),
    Case("InlandFailures", "few lookups", 20, lookups("0+30x60") | failed("0+30x60")),
    Case("InlandSlow", "2.5 s", 30, BUSY | seconds("0x60", "0+600x60"), ME, "2.485s"),
    Case("InlandSlow", "one in 200", 30, BUSY | seconds("0+597x60", "0+600x60")),
    Case("InlandStale", "a tenth", 30, BUSY | alone(STALE, "0+60x60"), ME),
    Case("InlandStale", "one in 200", 30, BUSY | alone(STALE, "0+3x60")),
    Case("InlandNeedlessEscape", "one", 15, alone(NEEDLESS, "0x10 1x10"), ME),
    Case("InlandNeedlessEscape", "before the first scrape", 2, alone(NEEDLESS, "1x10"), ME),
    Case("InlandNeedlessEscape", "none", 15, alone(NEEDLESS, "0x20")),
    Case("InlandNeedlessEscape", "long ago", 70, alone(NEEDLESS, "0x3 1x200")),
    Case("InlandEscapesUnusual", "30 after 5 %", BEFORE + 75, escapes(180), {"job": "inland"},
         "30%"),
    Case("InlandEscapesUnusual", "8 after 5 %", BEFORE + 75, escapes(48)),
    Case("InlandDomesticSilent", "a fifth answer", 20, at_home("0+120x40"),
         ME | {"verdict": "domestic"}, "20%"),
    Case("InlandDomesticSilent", "nine of ten answer", 20, at_home("0+540x40")),
    Case("InlandProofsLost", "2 of 10 left", 100,
         alone("inland_proofs", "10x60 2x60", grade="strict"), ME, "2"),
    Case("InlandProofsLost", "6 of 10 left", 100,
         alone("inland_proofs", "10x60 6x60", grade="strict")),
    Case("InlandProofsLost", "another grade", 100,
         alone("inland_proofs", "10x60 0x60", grade="strict")
         | alone("inland_proofs", "0x60 10x60", grade="fibre")),
    Case("InlandBooksOverflow", "some", 15,
         alone("inland_exchanges_total", "0x10 5x10", **OVERFLOW), ME),
    Case("InlandBooksOverflow", "none", 15,
         alone("inland_exchanges_total", "0x20", **OVERFLOW) | at_home("0+600x40")),
    Case("InlandDelegationChanged", "moved", 15, alone(CHANGES, "0x10 1x10", **MOVED), ME | MOVED),
    Case("InlandDelegationChanged", "new names only", 15,
         alone(CHANGES, "0x10 1x10", kind="names_changed")),
    Case("InlandKernelDrops", "all the time", 20, alone(DROPS, "0+60x30"), ME, "1"),
    Case("InlandKernelDrops", "a burst", 20, alone(DROPS, "0x5 50x30")),
    Case("InlandShedding", "shed", 15, alone("inland_shed_total", "0+60x30")
         | alone("inland_turned_away_total", "0x30", why="overload"), ME, "1"),
    Case("InlandShedding", "too many for one answer", 15, alone("inland_shed_total", "0x30")
         | alone("inland_turned_away_total", "0+60x30", why="overload"), ME, "1"),
    Case("InlandShedding", "turned away for another reason", 15,
         alone("inland_shed_total", "0x30")
         | alone("inland_turned_away_total", "0x30", why="overload")
         | alone("inland_turned_away_total", "0+60x30", why="class")),
    Case("InlandStreamsRefused", "some", 15, alone(STREAMS, "0+60x30", **REFUSED), ME | REFUSED,
         "1"),
    Case("InlandStreamsRefused", "accepted", 15, alone(STREAMS, "0+60x30", result="accepted")),
    Case("InlandSendFailures", "all the time", 20, alone(UNSENT, "0+60x30"), ME, "1"),
    Case("InlandSendFailures", "a burst", 20, alone(UNSENT, "0x5 50x30")),
    Case("InlandFiles", "900 of 1000", 10, alone("process_open_fds", "900x20")
         | alone("process_max_fds", "1000x20"), ME, "90%"),
    Case("InlandFiles", "100 of 1000", 10, alone("process_open_fds", "100x20")
         | alone("process_max_fds", "1000x20")),
    Case("InlandMirrorAging", "a third left", 20, mirror(400_000, 200_000), ME | {"zone": "."},
         "2d 7h 33m 20s"),
    Case("InlandMirrorAging", "young", 20, mirror(1_000, 600_000)),
    Case("InlandMirrorAging", "expired, told by another", 20, mirror(700_000, -5)),
    Case("InlandMirrorUnusable", "expired", 20, states("expired"), ME | {"zone": "."}),
    Case("InlandMirrorUnusable", "never had one", 20, states("absent"), ME | {"zone": "."}),
    Case("InlandMirrorUnusable", "retrying", 20, states("retrying")),
    Case("InlandPolicyZoneOld", "expired", 20, states("expired", RPZ, "feed"),
         ME | {"zone": "feed"}),
    Case("InlandPolicyZoneOld", "current", 20, states("current", RPZ, "feed")),
    Case("InlandEvidenceOld", "181 days", 80, alone(AGE, f"{181 * 86400}x90", **FILE), ME | FILE,
         "181d 0h 0m 0s"),
    Case("InlandEvidenceOld", "179 days", 80, alone(AGE, f"{179 * 86400}x90", **FILE)),
    Case("InlandEvidenceStoodIn", "two", 10, alone("inland_evidence_stood_in", "2x20"), ME, "2"),
    Case("InlandEvidenceStoodIn", "none", 10, alone("inland_evidence_stood_in", "0x20")),
    Case("InlandPackRefused", "refused", 10, alone("inland_pack_stood_in", "1x20"), ME),
    Case("InlandPackRefused", "its own", 10, alone("inland_pack_stood_in", "0x20")),
    Case("InlandReloadRefused", "refused", 10, alone(LAST, "1 1 0x20"), ME),
    Case("InlandReloadRefused", "mended within minutes", 10, alone(LAST, "1 1 0 0 1x20")),
    Case("InlandPoliciesDiffer", "two", 20, policy("two"), {"job": "inland"}, "2"),
    Case("InlandPoliciesDiffer", "one", 20, policy("one")),
    Case("InlandPoliciesDiffer", "while reloading", 12, policy("two", "_x5 1x5 stale")),
    Case("InlandRecordsLost", "three", 8, alone(LOST, "0x5 3x5"), ME),
    Case("InlandRecordsLost", "none", 8, alone(LOST, "0x20")),
    Case("InlandFault", "one", 8, alone(FAULTS, "0x5 1x5"), ME),
    Case("InlandFault", "none", 8, alone(FAULTS, "0x20")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded figures: given series, and what queries must say at a minute."""

    about: str
    given: dict[str, str]
    at: int
    says: dict[str, dict[str, float]]  # query: labels as text: value

    def rendered(self) -> dict[str, Any]:
        """As promtool reads it."""
        tests = [
            {
                "expr": expr,
                "eval_time": f"{self.at}m",
                "exp_samples": [{"labels": k, "value": v} for k, v in samples.items()],
            }
            for expr, samples in self.says.items()
        ]
        given = [{"series": s, "values": v} for s, v in self.given.items()]
        return {
            "name": self.about,
            "interval": "1m",
            "input_series": given,
            "promql_expr_test": tests,
        }


OTHER = {"job": "inland", "instance": "b"}
HOME = {"transport": "udp", "destination": "domestic"}
ABROAD = {
    "verdict": "foreign",
    "country": "XB",
    "purpose": "answer",
    "reason": "policy",
    "transport": "udp",
}
GONE = {"reason": "policy", "destination": "domestic"}
J, A, B = '{job="inland"}', '{instance="a", job="inland"}', '{instance="b", job="inland"}'


def _two(values_a: str, left_a: str, values_b: str, left_b: str) -> dict[str, str]:
    total, left = "inland_lookups_total", "inland_escaped_lookups_total"
    return {
        series(total, route="local", **HOME): values_a,
        series(total, OTHER, route="local", **HOME): values_b,
        series(left, **GONE): left_a,
        series(left, OTHER, **GONE): left_b,
    }


def _rounded(name: str) -> str:
    return f"round({name}, 0.0001)"


RECORDED = (
    Recorded(
        "the share of a job is the quotient of sums, not the mean of shares",
        _two("0+600x20", "0+60x20", "0+1800x20", "0+36x20"), 15,
        {
            _rounded("instance:inland_escaped_lookups:share5m"): {A: 0.1, B: 0.02},
            _rounded("job:inland_escaped_lookups:share5m"): {J: 0.04},
            _rounded("job_reason:inland_escaped_lookups:share5m"): {
                '{job="inland", reason="policy"}': 0.04
            },
            _rounded("job:inland_domestic_destination_escaped:share1h"): {J: 0.04},
            _rounded("sum by (job) (job_route:inland_lookups:rate5m)"): {J: 40},
        },
    ),
    Recorded(
        "a restart of one instance is no negative rate",
        _two("0+600x20", "0x20", "0+600x10 0+600x10", "0+60x10 0+60x10"), 12,
        {
            _rounded("instance_route:inland_lookups:rate5m"): {
                '{instance="a", job="inland", route="local"}': 10,
                '{instance="b", job="inland", route="local"}': 8,
            },
            _rounded("instance:inland_escaped_lookups:share5m"): {A: 0, B: 0.1},
        },
    ),
    Recorded(
        "without lookups there is no share, rather than 0 or a quotient by zero",
        _two("5x20", "0x20", "9x20", "0x20"), 15,
        {"job:inland_escaped_lookups:share5m": {}, "job_route:inland_lookups:share5m": {}},
    ),
    Recorded(
        "what the cache answered is what neither Python nor a plan nor nobody took",
        alone("inland_queries_total", "0+600x20", transport="udp")
        | alone("inland_misses_total", "0+60x20")
        | alone("inland_planned_total", "0+120x20", result="taken")
        | alone("inland_planned_total", "0+30x20", result="punted")
        | alone("inland_shed_total", "0x20"), 15,
        {
            _rounded("job:inland_answer_cache_hits:share5m"): {J: 0.7},
            _rounded("instance:inland_planned:share5m"): {A: 0.5},
        },
    ),
    Recorded(
        "what goes abroad counts all that is not domestic",
        lookups("0+600x20")
        | alone("inland_build_info", "1x20")
        | {
            series("inland_exchanges_total", verdict=verdict, country=country, purpose="answer",
                   reason="policy", transport="udp"): values
            for verdict, country, values in (
                ("domestic", "XA", "0+600x20"),
                ("foreign", "XB", "0+120x20"),
                ("unknown", "none", "0+60x20"),
                ("foreign", "XC", "_x13 600 600x6"),
            )
        }, 15,
        {
            _rounded("job:inland_exchanges_abroad:per_lookup5m"): {J: 0.5},
            _rounded("job_country:inland_exchanges_abroad:rate5m"): {
                '{country="XB", job="inland"}': 2,
                '{country="XC", job="inland"}': 2,  # 600 at once, in a series that is new
                '{country="none", job="inland"}': 1,
            },
        },
    ),
    Recorded(
        "an instance that was not watched before is no sudden growth; one that restarts is growth",
        {
            series("inland_build_info"): "1x20",
            series("inland_build_info", OTHER): "_x10 1x10",
            series("inland_exchanges_total", **ABROAD): "500x11 600x10",
            series("inland_exchanges_total", OTHER, **ABROAD): "_x10 1000000x10",
            series("inland_exchanges_total", **ABROAD | {"country": "XC"}): "900x11 300x10",
        }, 15,
        {
            _rounded("job_country:inland_exchanges_abroad:rate5m"): {
                '{country="XB", job="inland"}': 0.3333,  # 100 in 300 s, not 1,000,100
                '{country="XC", job="inland"}': 1,  # 300 since it began anew
            },
        },
    ),
    Recorded(
        "half of the lookups are faster than the median",
        seconds("0+300x20", "0+600x20"), 15,
        {
            _rounded("job:inland_lookup_seconds:p50_5m"): {J: 1},
            _rounded("instance:inland_lookup_seconds:p99_5m"): {A: 2.47},
        },
    ),
)  # fmt: skip
