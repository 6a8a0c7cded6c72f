"""Why a version of a zone is not taken: a closed set, for logs and metrics."""

from enum import Enum

from resolver.errors import InlandError


class Why(Enum):
    """The kinds of refusal, as metrics name them."""

    UNREACHABLE = "unreachable"  # no reply, or a connection refused
    REFUSED = "refused"  # the source said no: an error code, an HTTP status
    TORN = "torn"  # cut short, or not what the protocol allows
    TSIG = "tsig"
    SERIAL = "serial"  # older than ours, or not what was announced
    SHRINK = "shrink"
    SIZE = "size"
    CONSISTENCY = "consistency"
    ZONEMD = "zonemd"
    SIGNATURES = "signatures"


class Refused(InlandError):
    """A source, or the version that it gave, cannot be used."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why
