"""Users and passwords of the exporter: basic authentication with bcrypt (RFC 7617).

A check takes a tenth of a second and more on purpose, so it runs in a thread, one at a time, and a
password found right is remembered under a keyed hash: neither passwords nor their plain hashes
stay in memory. A name that nobody has costs the same check, so that time does not tell who exists.
Wrong passwords are not remembered: trying many of them is slow, and those found right before do not
wait for it.
"""

import hmac
import secrets
from base64 import b64decode
from collections.abc import Mapping
from enum import Enum
from typing import final

import bcrypt
import trio

from resolver.limits_page import PASSWORDS_KEPT, PASSWORDS_WAITING_MAX


class Admission(Enum):
    """What a request's credentials are good for."""

    YES = "yes"
    NO = "no"
    LATER = "later"  # too many wait for a check


@final
class Guard:
    """Knows the users. Without any, everybody is let in."""

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self._users = users
        self._secret = secrets.token_bytes(32)
        self._right: dict[bytes, None] = {}
        self._one = trio.CapacityLimiter(1)
        self._waiting = 0

    async def admits(self, header: str | None) -> Admission:
        """Judge the value of an ``Authorization`` header."""
        if not self._users:
            return Admission.YES
        found = _credentials(header)
        if found is None:
            return Admission.NO
        user, password = found
        mark = hmac.digest(self._secret, repr((user, password)).encode(), "sha256")
        if mark in self._right:
            return Admission.YES
        if self._waiting > PASSWORDS_WAITING_MAX:
            return Admission.LATER
        self._waiting += 1
        try:
            right = await trio.to_thread.run_sync(self._check, user, password, limiter=self._one)
        finally:
            self._waiting -= 1
        if not right:
            return Admission.NO
        while len(self._right) >= PASSWORDS_KEPT:
            del self._right[next(iter(self._right))]
        self._right[mark] = None
        return Admission.YES

    def _check(self, user: str, password: bytes) -> bool:
        """Blocks for as long as the hash's cost says."""
        known = self._users.get(user)
        stored = known if known is not None else next(iter(self._users.values()))
        try:
            right = bcrypt.checkpw(password, stored)
        except ValueError:  # longer than bcrypt takes, or with a zero in it
            return False
        return right and known is not None


def _credentials(header: str | None) -> tuple[str, bytes] | None:
    """User and password; ``None``: there are none that can be read (RFC 7617 section 2)."""
    kind, _, coded = (header or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(coded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except ValueError:
        return None
