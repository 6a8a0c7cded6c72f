"""What goes out and is not DNS: files over HTTPS, with counters of their own.

HTTP by the standard library in a thread (certificates checked against the system's store). Every
request is counted by outcome, every octet of a body as it is read.

Limitations: GET only; no proxy but that of the environment; the address of the server is looked
up by the machine's own resolver, so a machine that asks this very resolver needs it to run.
"""

import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

from resolver.errors import InlandError
from resolver.limits import FETCH_SECONDS

_PIECE = 1 << 16


class FetchError(InlandError):
    """A file that could not be fetched; says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file: ``body`` is ``None`` when it has not changed since ``tag`` was given."""

    body: bytes | None
    tag: str | None


class Fetch:
    """The way out for HTTP. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = {"fetched": 0, "unchanged": 0, "failed": 0}
        self.octets = 0

    def get(self, url: str, tag: str | None, octets_max: int, seconds_max: float) -> Fetched:
        """Fetch a file. Blocks.

        Raises:
            FetchError: no connection, an error status, over ``octets_max`` or ``seconds_max``.
        """
        try:
            fetched = self._get(url, tag, octets_max, time.monotonic() + seconds_max)
        except FetchError:
            self._count("failed")
            raise
        except (OSError, HTTPException, ValueError) as error:
            self._count("failed")
            reason = getattr(error, "reason", None) or error
            raise FetchError(f"{url}: {reason}") from error
        self._count("unchanged" if fetched.body is None else "fetched")
        return fetched

    def _get(self, url: str, tag: str | None, octets_max: int, end: float) -> Fetched:
        request = urllib.request.Request(url, headers={"If-None-Match": tag} if tag else {})
        try:
            reply = urllib.request.urlopen(request, timeout=FETCH_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    return Fetched(None, tag)
                raise FetchError(f"{url}: HTTP status {error.code}") from error
        body = bytearray()
        with reply:
            while piece := reply.read(_PIECE):
                body += piece
                with self._lock:
                    self.octets += len(piece)
                if len(body) > octets_max:
                    raise FetchError(f"{url}: over {octets_max:,} octets")
                if time.monotonic() > end:
                    raise FetchError(f"{url}: took too long")
            stated = reply.headers.get("Content-Length")
            if stated is not None and stated.isdigit() and int(stated) != len(body):
                raise FetchError(f"{url}: {len(body):,} octets of {stated}: cut short")
            return Fetched(bytes(body), reply.headers.get("ETag"))

    def _count(self, outcome: str) -> None:
        with self._lock:
            self.requests[outcome] += 1
