"""Asking one primary: its serial by a SOA query, the zone by IXFR or AXFR, signed where it wants.

RFC 5936 (AXFR), RFC 1995 (IXFR), RFC 8945 (TSIG; section 5.3.1 for streams). Whole zones are read
in native (:mod:`resolver.mirrors.whole`). For differences dnspython's machine is driven without its
sockets: the messages come and go by our door. What is wrong with a primary is a :class:`Refused`;
what it cost stands in ``trail``.

Limitations: IXFR over TCP only; what a transfer brings is read in a thread.
"""

from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.xfr
import trio

from resolver import limits
from resolver.exchange import RawOutcome
from resolver.mirrors.check import newer
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.intake import Manager, rdataset_of
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.wanted import Key, Primary
from resolver.mirrors.whole import WholeZone
from resolver.mirrors.wire import Wire
from resolver.model import Exchange, Failure, Label, Question, Transport, Type
from resolver.names import Name, to_text

FIRST_MAX = 4
"""Messages with less than two records at the start of an answer to IXFR: one is odd enough."""


@dataclass(slots=True)
class Asked:
    """One primary in one round: whom, under which label, and what it has cost so far."""

    wire: Wire
    zone: Name
    primary: Primary
    label: Label
    tier: int
    trail: list[Exchange] = field(default_factory=list)

    async def serial(self) -> int:
        """The serial that the primary announces.

        Raises:
            Refused: no answer, or none that can be used.
        """
        failure = Failure.TIMEOUT
        for _ in range(limits.MIRROR_POLL_TRIES):
            query = self._query(dns.rdatatype.SOA)
            outcome = await self.wire.ask(
                self.primary.address,
                query.to_wire(),
                self.label,
                limits.MIRROR_POLL_SECONDS,
            )
            if outcome.octets is not None:
                try:
                    serial = _announced(_read(outcome.octets, query), self.zone)
                except Refused as refused:
                    self._told(Type.SOA, Transport.UDP, refused.why.value, outcome.rtt)
                    raise
                self._told(Type.SOA, Transport.UDP, "answer", outcome.rtt)
                return serial
            assert outcome.failure is not None
            self._told(Type.SOA, Transport.UDP, outcome.failure.value, outcome.rtt)
            failure = outcome.failure
            if failure is not Failure.TIMEOUT:
                break
        raise Refused(Why.UNREACHABLE, f"no reply to a SOA query ({failure.value})")

    async def zone_data(self, base: ZoneCopy | None, announced: int) -> ZoneCopy:
        """The zone as the primary has it: the difference from ``base`` if it gives one, else all.

        Raises:
            Refused: the transfer failed, or brought another version than was announced.
        """
        copy = None
        if base is not None:
            try:
                copy = await self._transfer(dns.rdatatype.IXFR, base)
            except Refused as refused:
                if refused.why not in (Why.REFUSED, Why.TORN):
                    raise
        if copy is None:
            copy = await self._transfer(dns.rdatatype.AXFR, None)
        if newer(copy.serial, announced):
            text = f"announced serial {announced}, gave {copy.serial}"
            raise Refused(Why.SERIAL, text)
        return copy

    async def _transfer(self, kind: dns.rdatatype.RdataType, base: ZoneCopy | None) -> ZoneCopy:
        query = self._query(kind)
        if base is not None:
            soa = rdataset_of((int(Type.SOA), 0), base.soa().ttl, base.soa().rdatas)
            origin = dns.name.from_wire(bytes(self.zone), 0)[0]
            query.authority.append(dns.rrset.from_rdata_list(origin, soa.ttl, list(soa)))
        told = "cancelled"
        began = trio.current_time()
        try:
            with trio.move_on_after(limits.MIRROR_TRANSFER_SECONDS):
                copy = await self._receive(query, base)
                told = "transfer"
                return copy
            raise Refused(Why.TORN, "the transfer took too long")
        except Refused as refused:
            told = refused.why.value
            raise
        finally:
            self._told(kind, Transport.TCP, told, trio.current_time() - began)

    async def _receive(
        self,
        query: dns.message.QueryMessage,
        base: ZoneCopy | None,
    ) -> ZoneCopy:
        reading: WholeZone | _Reading
        reading = WholeZone(self.zone, query) if base is None else _Reading(query, self.zone, base)
        octets = 0
        wire = query.to_wire()
        address, silence = self.primary.address, limits.MIRROR_SILENCE_SECONDS
        async with self.wire.stream(address, wire, self.label, silence) as heard:
            done = False
            while not done:
                outcome = await heard.next()
                if outcome.octets is None:
                    raise _broken_off(outcome, reading.messages)
                octets += len(outcome.octets)
                if octets > limits.MIRROR_OCTETS_MAX:
                    raise Refused(Why.SIZE, f"over {limits.MIRROR_OCTETS_MAX:,} octets")
                done = await trio.to_thread.run_sync(reading.take, outcome.octets)
        if reading.copy is not None:
            return reading.copy
        if base is None:
            raise Refused(Why.TORN, "an empty transfer")
        return base  # the primary has no more than we have

    def _query(self, kind: dns.rdatatype.RdataType) -> dns.message.QueryMessage:
        origin = dns.name.from_wire(bytes(self.zone), 0)[0]
        query = dns.message.make_query(origin, kind, flags=0)
        if self.primary.key is not None:
            sign(query, self.primary.key)
        return query

    def _told(self, kind: int, transport: Transport, outcome: str, rtt: float) -> None:
        self.trail.append(
            Exchange(
                self.zone,
                None,
                self.primary.address,
                Question(self.zone, int(kind)),
                transport,
                self.label,
                self.tier,
                outcome,
                rtt,
            )
        )


class _Reading:
    """The messages of one difference (IXFR), read one after the other."""

    def __init__(self, query: dns.message.QueryMessage, zone: Name, base: ZoneCopy) -> None:
        self._query = query
        self._manager = Manager(zone, base)
        self._inbound = dns.xfr.Inbound(self._manager, dns.rdatatype.IXFR, base.serial)
        self._zone = zone
        self._first: list[bytes] = []  # until it shows whether it is a difference
        self._whole: WholeZone | None = None
        self._context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None
        self.messages = 0

    @property
    def copy(self) -> ZoneCopy | None:
        """What has come, after the last message; ``None``: nothing new."""
        return self._manager.copy if self._whole is None else self._whole.copy

    def take(self, octets: bytes) -> bool:
        """Read one message; whether it was the last. Raises ``Refused``. Blocks."""
        if self._whole is not None:
            return self._whole.take(octets)
        done = self._take(octets)
        if done or (self._inbound.incremental and not self._inbound.expecting_SOA):
            self._first = []
            return done
        self._first.append(octets)
        if self._inbound.incremental and len(self._first) < FIRST_MAX:
            return False
        # RFC 1995 section 4: the whole zone in its place. Native begins again with what has come.
        self._whole = WholeZone(self._zone, self._query)
        return [self._whole.take(one) for one in self._first][-1]

    def _take(self, octets: bytes) -> bool:
        query = self._query
        try:
            message = dns.message.from_wire(
                octets,
                keyring=query.keyring,
                request_mac=query.mac,
                xfr=True,
                tsig_ctx=self._context,
                multi=True,
                one_rr_per_rrset=True,
            )
            self._context = message.tsig_ctx
            self.messages += 1
            if message.rcode() != dns.rcode.NOERROR:
                raise Refused(Why.REFUSED, f"said {dns.rcode.to_text(message.rcode())}")
            # RFC 8945 section 5.3.1: the first and the last message must be signed. It is the
            # last one that commits, so the signature is looked for before it is processed.
            signed = message.had_tsig or not query.keyring
            if not signed and (self.messages == 1 or _ends(message)):
                raise Refused(Why.TSIG, "a message without a signature")
            return self._inbound.process_message(message)
        except Refused:
            raise
        except (dns.tsig.BadTime, dns.tsig.PeerError, dns.tsig.BadSignature) as error:
            raise Refused(Why.TSIG, f"bad signature: {error}") from error
        except dns.xfr.SerialWentBackwards as error:
            raise Refused(Why.SERIAL, "its serial is older than ours") from error
        except (dns.exception.DNSException, ValueError, KeyError) as error:
            raise _unreadable(error) from error


def _ends(message: dns.message.Message) -> bool:
    """Whether the message may be a transfer's last: it ends with a SOA."""
    return bool(message.answer) and message.answer[-1].rdtype == dns.rdatatype.SOA


def sign(query: dns.message.Message, key: Key) -> None:
    """Have a message signed when it is written (RFC 8945 section 5.1)."""
    query.use_tsig(keyring_of(key), keyname=key.name, algorithm=key.algorithm)


def keyring_of(key: Key) -> dict[dns.name.Name, dns.tsig.Key]:
    """A key in the form that dnspython wants."""
    name = dns.name.from_text(key.name)
    return {name: dns.tsig.Key(name, key.secret, key.algorithm)}


def _read(octets: bytes, query: dns.message.QueryMessage) -> dns.message.Message:
    try:
        reply = dns.message.from_wire(octets, keyring=query.keyring, request_mac=query.mac)
    except (dns.tsig.BadTime, dns.tsig.PeerError, dns.tsig.BadSignature) as error:
        raise Refused(Why.TSIG, f"bad signature: {error}") from error
    except (dns.exception.DNSException, ValueError) as error:
        raise _unreadable(error) from error
    if query.keyring and not reply.had_tsig:
        raise Refused(Why.TSIG, "a reply without a signature")
    return reply


def _announced(reply: dns.message.Message, zone: Name) -> int:
    """The serial in the reply to a SOA query."""
    if reply.rcode() != dns.rcode.NOERROR:
        raise Refused(Why.REFUSED, f"said {dns.rcode.to_text(reply.rcode())}")
    if not reply.flags & dns.flags.AA:
        raise Refused(Why.REFUSED, f"is not authoritative for {to_text(zone)}")
    origin = dns.name.from_wire(bytes(zone), 0)[0]
    found = reply.get_rrset(reply.answer, origin, dns.rdataclass.IN, dns.rdatatype.SOA)
    if found is None:
        raise Refused(Why.TORN, "a reply without a SOA")
    return int(found[0].serial)


def _broken_off(outcome: RawOutcome, messages: int) -> Refused:
    assert outcome.failure is not None
    if messages == 0 and outcome.failure in (Failure.UNREACHABLE, Failure.NOT_SENT):
        return Refused(Why.UNREACHABLE, f"no connection ({outcome.failure.value})")
    after = f"after {messages} messages ({outcome.failure.value})"
    return Refused(Why.TORN, f"the transfer broke off {after}")


def _unreadable(error: Exception) -> Refused:
    return Refused(Why.TORN, f"not what the protocol allows: {error or type(error).__name__}")
