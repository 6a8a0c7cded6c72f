"""A whole zone by transfer: native reads the messages, dnspython's HMAC verifies their signatures.

RFC 5936 (AXFR), RFC 8945 section 5.3.1 (TSIG on streams: the first and the last message are signed,
and at most 99 between two that are need not be). Nothing comes of a transfer before its last
message has been verified.

Limitations: blocks while it reads: callers run it in a thread. Native reads off the interpreter.
"""

import sys
import time
from array import array
from typing import final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig

from resolver.limits import MIRROR_RECORDS_MAX
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.refusal import Refused, Why
from resolver.names import Name
from resolver.wire import transfer_reader

UNSIGNED_MAX = 99
"""RFC 8945 section 5.3.1: "no more than 99 intermediary messages" without a signature."""

_WHY = {"torn": Why.TORN, "size": Why.SIZE, "unsound": Why.CONSISTENCY}


@final
class WholeZone:
    """The messages of one transfer, read one after the other. ``query``: what was asked, as it was
    sent; ``copy``: what has come, after the last message."""

    def __init__(self, zone: Name, query: dns.message.QueryMessage) -> None:
        self._zone = zone
        self._query = query
        self._reader = transfer_reader(zone, MIRROR_RECORDS_MAX)
        self._context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None
        self._unsigned = 0
        self.messages = 0
        self.copy: ZoneCopy | None = None

    def take(self, octets: bytes) -> bool:
        """Read one message; whether it was the last. Raises ``Refused``. Blocks."""
        try:
            rcode, done, signature = self._reader.take(octets)
            self.messages += 1
            self._verify(octets, signature, done)
            if rcode:
                raise Refused(Why.REFUSED, f"said {dns.rcode.to_text(dns.rcode.Rcode(rcode))}")
            if done:
                self._finish()
        except ValueError as error:
            kind, text = error.args
            told = f"not what the protocol allows: {text}" if kind == "torn" else text
            raise Refused(_WHY[kind], told) from None
        return done

    def _finish(self) -> None:
        records, data, starts = self._reader.finish()
        offsets = array("Q")
        offsets.frombytes(starts)
        assert offsets.itemsize * len(offsets) == len(starts), sys.byteorder
        try:
            self.copy = ZoneCopy.of(self._zone, records, data, offsets)
        except ValueError as error:
            raise Refused(Why.CONSISTENCY, str(error)) from error

    def _verify(
        self, octets: bytes, signature: tuple[int, bytes, int, int] | None, done: bool
    ) -> None:
        key = self._query.keyring  # the one that it was signed with
        if not isinstance(key, dns.tsig.Key):
            if signature is not None:
                raise Refused(Why.TSIG, "a signature that was not asked for")
            return
        if signature is None:
            self._unsigned += 1
            if self.messages == 1 or done or self._unsigned > UNSIGNED_MAX:
                raise Refused(Why.TSIG, "a message without a signature")
            assert self._context is not None, "the first message was signed"
            self._context.update(octets)  # type: ignore[no-untyped-call]
            return
        self._unsigned = 0
        start, owner, begin, end = signature
        name = dns.name.from_wire(owner, 0)[0]
        if name != key.name:
            raise Refused(Why.TSIG, f"bad signature: by the key {name}")
        try:
            rdata = dns.rdata.from_wire(
                dns.rdataclass.ANY, dns.rdatatype.TSIG, octets, begin, end - begin
            )
            now, mac = int(time.time()), self._query.mac
            self._context = dns.tsig.validate(  # type: ignore[no-untyped-call]
                octets, key, name, rdata, now, mac, start, self._context, True
            )
        except dns.exception.DNSException as error:
            text = str(error) or type(error).__name__
            raise Refused(Why.TSIG, f"bad signature: {text}") from error
