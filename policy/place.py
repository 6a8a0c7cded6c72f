"""Where the resolver stands, and what a round-trip time says from there.

Responsible for the two bounds of the proof: the time below which an answer cannot have come from
abroad, and the time below which it cannot have come from a claimed site.

Limitations: the place is what the operator states; nothing here can tell whether it is true.
"""

from dataclasses import dataclass

from policy.sphere import distance_km, greatest_rtt_ms, least_rtt_ms, margin_km, vector
from resolver.limits import CITY_UNCERTAINTY_KM


@dataclass(frozen=True, slots=True)
class Place:
    """A stated place: degrees, how far the resolver may be from there, and the distance from there
    to the nearest foreign land, or less. ``detail`` says what that rests on."""

    lat: float
    lon: float
    uncertainty_km: float
    border_km: float
    detail: str

    def greatest_rtt_ms(self, grade: str) -> float:
        """Below this an answer is proven to come from inside; 0: nothing can be proven here.
        ``grade`` is ``strict`` or ``fibre``."""
        return greatest_rtt_ms(self.border_km, self.uncertainty_km, grade)

    def least_rtt_ms(self, at: tuple[float, float]) -> float:
        """Light needs at least this long to a site in the town at ``at`` (degrees) and back: a
        claim to be there is false when an answer came sooner."""
        km = distance_km(vector(self.lat, self.lon), vector(*at))
        return least_rtt_ms(
            max(0.0, km - self.uncertainty_km - CITY_UNCERTAINTY_KM - margin_km(km))
        )
