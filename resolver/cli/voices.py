"""Evidence as plain values, the same wherever a command shows it."""

from typing import Any

from policy.verdict import Location


def voices_of(location: Location) -> list[dict[str, Any]]:
    """Each voice with its source, date and hash; ``None`` for what comes from no file."""
    return [
        {
            "source": voice.source,
            "country": voice.country,
            "detail": voice.detail,
            "date": voice.origin.date if voice.origin else None,
            "sha256": voice.origin.digest if voice.origin else None,
        }
        for voice in location.evidence
    ]
