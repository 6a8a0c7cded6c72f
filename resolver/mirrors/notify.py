"""NOTIFY: a primary says that its zone has changed (RFC 1996).

Native lets in messages from addresses of primaries only. Here it is looked whether the sender is a
primary of the very zone, and whether it has signed as its key wants (RFC 8945); then the zone's
sources are looked at, in their usual order. What is told beside (the new serial) is not believed.
"""

import logging
from collections.abc import Sequence
from typing import final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import trio

from resolver.listen import Listener
from resolver.mirrors.keep import Keeper, Mirror
from resolver.mirrors.transfer import keyring_of
from resolver.model import Address, address_text
from resolver.names import Name, lower, to_text

_BAD_SIGNATURE = (
    dns.tsig.BadTime,
    dns.tsig.PeerError,
    dns.tsig.BadSignature,
    dns.message.UnknownTSIGKey,
)
_log = logging.getLogger("inland.mirrors")


@final
class Notices:
    """Takes notices from the listener to the keepers."""

    def __init__(self, keepers: Sequence[Keeper], listener: Listener) -> None:
        self._keepers = tuple(keepers)
        self._listener = listener

    async def run(self) -> None:
        """Take notices for ever; ends by cancellation."""
        while True:
            await trio.lowlevel.wait_readable(self._listener.notices_fileno())
            replies = [
                (token, hear(self._keepers, sender, message))
                for token, sender, message in self._listener.take_notices()
            ]
            self._listener.reply_notices(replies)


def hear(keepers: Sequence[Keeper], sender: Address, octets: bytes) -> bytes:
    """Take in one notice; the reply to it."""
    keys: dict[dns.name.Name, dns.tsig.Key] = {}
    for keeper in keepers:
        for primary in keeper.primaries():
            if primary.address == sender and primary.key is not None:
                keys |= keyring_of(primary.key)
    try:
        notice = dns.message.from_wire(octets, keyring=keys or False)
    except _BAD_SIGNATURE:
        _log.warning("notice from %s: bad signature", address_text(sender))
        return _error(octets, dns.rcode.NOTAUTH)
    except (dns.exception.DNSException, ValueError):
        return _error(octets, dns.rcode.FORMERR)
    zone = _zone(notice)
    if zone is None or not any(zone in keeper.mirrors for keeper in keepers):
        return _reply(notice, dns.rcode.NOTAUTH)
    rcode = dns.rcode.REFUSED
    for keeper in keepers:
        if zone in keeper.mirrors and _may_notify(keeper.mirrors[zone], sender, notice):
            _log.info("%s of %s: notice from %s", keeper.what, to_text(zone), address_text(sender))
            keeper.notified(zone)
            rcode = dns.rcode.NOERROR
    return _reply(notice, rcode)


def _may_notify(mirror: Mirror, sender: Address, notice: dns.message.Message) -> bool:
    """Whether the sender is a primary of the zone that has signed as its key wants."""
    for primary in mirror.wanted.primaries:
        signed = primary.key is None or (
            notice.had_tsig and notice.keyname == dns.name.from_text(primary.key.name)
        )
        if primary.address == sender and signed:
            return True
    return False


def _zone(notice: dns.message.Message) -> Name | None:
    """The zone that a notice is about (RFC 1996 section 3.6); ``None`` when it is none."""
    if notice.opcode() != dns.opcode.NOTIFY or len(notice.question) != 1:
        return None
    question = notice.question[0]
    if (question.rdtype, question.rdclass) != (dns.rdatatype.SOA, dns.rdataclass.IN):
        return None
    return Name(lower(question.name.to_wire() or b"\0"))


def _reply(notice: dns.message.Message, rcode: dns.rcode.Rcode) -> bytes:
    reply = dns.message.make_response(notice)
    reply.flags |= dns.flags.AA
    reply.set_rcode(rcode)
    return reply.to_wire()


def _error(octets: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """A reply to what could not be read: the header alone."""
    return octets[:2] + bytes((0x80 | octets[2] & 0x78, rcode)) + bytes(8)
