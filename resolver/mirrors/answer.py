"""What a mirror says to a question: the reply that an authoritative server of the zone would give.

RFC 1034 section 4.3.2, RFC 4592 (wildcards), RFC 6672 (DNAME), RFC 4035 section 3.1 and RFC 5155
section 7.2 (proofs). The reply is read by the resolution like any other, so what it teaches is
stored as if a server had sent it (RFC 8806 section 1: the answers are those of the root).

Limitations: aliases are not followed here; the resolution asks again for their targets.
"""

import hashlib
from base64 import b32hexencode
from functools import lru_cache

from resolver.mirrors.copy import Sets, ZoneCopy, key_of, name_of, rrset
from resolver.model import Message, Question, Rcode, RRset, Type
from resolver.names import Name, ancestors, from_wire, is_subdomain, parent, wildcard
from resolver.response import YXDOMAIN, synthesise

_NSEC3PARAM_OCTETS_MIN = 5  # RFC 5155 section 4.2, without salt

_ITERATIONS_MAX = 500
"""NSEC3 iterations past which no proof is looked for: RFC 9276 section 3.1 wants 0, and nothing
validates more."""


def reply(zone: ZoneCopy, question: Question) -> Message:
    """The reply to a question for a name in this zone."""
    return _Reply(zone, question).message()


class _Reply:
    """One question, walked through one zone."""

    def __init__(self, zone: ZoneCopy, question: Question) -> None:
        self.zone = zone
        self.question = question
        self.name = question.name

    def message(self) -> Message:
        for above in self._path():
            sets = self.zone.sets(above)
            if not sets:
                continue
            # DS stands on the parent's side of the cut (RFC 4035 section 3.1.4.1).
            at_cut = above == self.name and self.question.rtype == Type.DS
            if above != self.zone.apex and (Type.NS, 0) in sets and not at_cut:
                return self._referral(above, sets)
            if above != self.name and (dname := rrset(above, sets, Type.DNAME)):
                return self._renamed(dname)
        key = key_of(self.name)
        at = self.zone.index(key)
        if self.zone.holds(at, key):
            return self._at(self.name, self.zone.sets_at(at), ())
        if self.zone.exists(key):
            return self._negative(Rcode.NOERROR, self._no_records(self.name))
        return self._absent()

    def _path(self) -> list[Name]:
        """From below the apex down to the name."""
        path = []
        for above in ancestors(self.name):
            path.append(above)
            if above == self.zone.apex:
                break
        return path[::-1]

    def _say(
        self,
        rcode: int,
        answer: tuple[RRset, ...] = (),
        authority: tuple[RRset, ...] = (),
        additional: tuple[RRset, ...] = (),
        authoritative: bool = True,
    ) -> Message:
        return Message(
            rcode,
            authoritative=authoritative,
            question=self.question,
            answer=answer,
            authority=authority,
            additional=additional,
        )

    def _negative(self, rcode: int, proofs: tuple[RRset, ...]) -> Message:
        return self._say(rcode, authority=(self.zone.soa(), *proofs))

    def _referral(self, cut: Name, sets: Sets) -> Message:
        ns = rrset(cut, sets, Type.NS)
        assert ns is not None
        ds = rrset(cut, sets, Type.DS)
        authority = (ns, ds) if ds is not None else (ns, *self._no_records(cut))
        glue = []
        for target in dict.fromkeys(from_wire(rdata) for rdata in ns.rdatas):
            if is_subdomain(target, self.zone.apex):
                here = self.zone.sets(target)
                found = (rrset(target, here, rtype) for rtype in (Type.A, Type.AAAA))
                glue += [one for one in found if one is not None]
        return self._say(Rcode.NOERROR, (), authority, tuple(glue), authoritative=False)

    def _renamed(self, dname: RRset) -> Message:
        cname = synthesise(dname, self.name)
        if cname is None:
            return self._say(YXDOMAIN, (dname,))
        return self._say(Rcode.NOERROR, (dname, cname))

    def _at(self, owner: Name, sets: Sets, proofs: tuple[RRset, ...]) -> Message:
        """Records of an existing name, or of a wildcard in its place."""
        rtype = self.question.rtype
        if rtype == Type.ANY:
            kinds = [kind for kind, covers in sets if not covers and kind != Type.RRSIG]
            every = [rrset(self.name, sets, kind) for kind in kinds]
            return self._say(Rcode.NOERROR, tuple(one for one in every if one), proofs)
        if rtype == Type.RRSIG:
            signed = {k: found for k, found in sets.items() if k[0] == Type.RRSIG}
            each = (RRset(self.name, Type.RRSIG, *found) for found in signed.values())
            return self._say(Rcode.NOERROR, tuple(each), proofs)
        found = rrset(self.name, sets, rtype) or rrset(self.name, sets, Type.CNAME)
        if found is not None:
            return self._say(Rcode.NOERROR, (found,), proofs)
        return self._negative(Rcode.NOERROR, (*self._no_records(owner), *proofs))

    def _absent(self) -> Message:
        """No such name: a wildcard, or NXDOMAIN."""
        below, encloser = self.name, parent(self.name)
        while encloser != self.zone.apex and not self.zone.exists(key_of(encloser)):
            below, encloser = encloser, parent(encloser)
        star = wildcard(encloser)
        sets = self.zone.sets(star) if len(star) <= 255 else {}
        if sets:
            answers = {(self.question.rtype, 0), (Type.CNAME, 0)} & sets.keys()
            # RFC 5155 section 7.2.5: without an answer the closest encloser is proven too.
            return self._at(star, sets, self._no_name(below, None if answers else encloser))
        proofs = (*self._no_name(below, encloser), *self._no_name(star))
        return self._negative(Rcode.NXDOMAIN, tuple(dict.fromkeys(proofs)))

    # --- proofs --------------------------------------------------------------------------------

    def _no_records(self, name: Name) -> tuple[RRset, ...]:
        """What proves which types a name has."""
        if not self._is_hashed():
            own = rrset(name, self.zone.sets(name), Type.NSEC)
            return (own,) if own is not None else self._covering(name)
        own = self._hashed(name, exact=True)
        if own is not None:
            return (own,)
        if name == self.zone.apex:
            return ()  # no NSEC3PARAM that we can use, or no NSEC3 for the apex
        # An unsigned delegation in an opted-out span (RFC 5155 section 7.2.4).
        below, encloser = name, parent(name)
        while encloser != self.zone.apex and self._hashed(encloser, exact=True) is None:
            below, encloser = encloser, parent(encloser)
        proofs = (self._hashed(encloser, exact=True), self._hashed(below, exact=False))
        return tuple(one for one in proofs if one is not None)

    def _no_name(self, name: Name, encloser: Name | None = None) -> tuple[RRset, ...]:
        """What proves that a name does not exist (and that ``encloser`` does)."""
        if not self._is_hashed():
            return self._covering(name)
        proofs = [self._hashed(name, exact=False)]
        if encloser is not None:
            proofs.insert(0, self._hashed(encloser, exact=True))
        return tuple(one for one in proofs if one is not None)

    def _covering(self, name: Name) -> tuple[RRset, ...]:
        """The NSEC of the name before: names below cuts stand between and have none."""
        at = self.zone.index(key_of(name))
        while at > 0:
            at -= 1
            sets = self.zone.sets_at(at)
            if (Type.NSEC, 0) in sets:
                found = rrset(name_of(self.zone.keys[at]), sets, Type.NSEC)
                return (found,) if found is not None else ()
            if not self._is_signed():
                break
        return ()

    def _is_signed(self) -> bool:
        return (Type.NSEC, 0) in self.zone.sets(self.zone.apex)

    def _is_hashed(self) -> bool:
        return len(self.zone.hashed) > 0

    def _hashed(self, name: Name, exact: bool) -> RRset | None:
        """The NSEC3 whose owner is the hash of the name, or the one whose span it falls into."""
        params = self.zone.sets(self.zone.apex).get((Type.NSEC3PARAM, 0))
        rdata = params[1][0] if params is not None else b""
        if len(rdata) < _NSEC3PARAM_OCTETS_MIN or rdata[0] != 1:
            return None
        iterations = int.from_bytes(rdata[2:4])
        if iterations > _ITERATIONS_MAX:
            return None
        label = hash_of(name, rdata[5 : 5 + rdata[4]], iterations)
        key = key_of(Name(bytes([len(label)]) + label + self.zone.apex))
        low, high = 0, len(self.zone.hashed)
        while low < high:
            middle = (low + high) // 2
            if self.zone.keys[self.zone.hashed[middle]] < key:
                low = middle + 1
            else:
                high = middle
        hit = low < len(self.zone.hashed) and self.zone.keys[self.zone.hashed[low]] == key
        if hit != exact:
            return None
        at = self.zone.hashed[low if exact else low - 1]  # the span before the first is the last's
        return rrset(name_of(self.zone.keys[at]), self.zone.sets_at(at), Type.NSEC3)


@lru_cache(4096)
def hash_of(name: Name, salt: bytes, iterations: int) -> bytes:
    """The hash of a name as a label in lower case (RFC 5155 section 5)."""
    digest = hashlib.sha1(name + salt, usedforsecurity=False).digest()
    for _ in range(iterations):
        digest = hashlib.sha1(digest + salt, usedforsecurity=False).digest()
    return b32hexencode(digest).lower()
