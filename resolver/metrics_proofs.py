"""Metrics of the proofs of instances."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from resolver.prove import Prover


def proof_metrics(prover: Prover) -> Iterator[Metric]:
    """All of them, at a scrape. Called in the scraper's thread."""
    proven = GaugeMetricFamily(
        "inland_proofs", "Addresses proven to stand in home.", labels=("grade",)
    )
    for grade, count in prover.proofs.proven().items():
        proven.add_metric((grade,), count)
    yield proven
    yield CounterMetricFamily(
        "inland_rejected_claims",
        "Identities that claim a place from which light would have needed longer.",
        value=prover.proofs.rejected,
    )
    yield CounterMetricFamily(
        "inland_proof_checks", "Questions asked only to renew proofs.", value=prover.checks
    )
    yield CounterMetricFamily(
        "inland_pack_mirror_checks",
        "Questions to root servers of which the country pack lists instances in home.",
        value=prover.pack_checks,
    )
