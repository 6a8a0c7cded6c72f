"""Give scenarios with DSA signatures keys a modern validator supports.

About a third of the testbound files carry DSA signatures, which only pass in
a test build that declares every DSA signature valid. Here every key of the
zones concerned (and of the parents that sign their DS sets) is replaced by a
new one, DS records and trust anchors follow, and each signature that was
cryptographically right is made again with the new key. A signature that was
wrong stays wrong.
"""

from __future__ import annotations

import copy
import hashlib
import re

import dns.dnssec
import dns.dnssecalgs
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.scenarios import wire as wires
from tests.scenarios.script import Packet, Record, Scenario

DSA = {3, 6}
IN = dns.rdataclass.IN
DNSKEY, DS, RRSIG = dns.rdatatype.DNSKEY, dns.rdatatype.DS, dns.rdatatype.RRSIG
POLICY = dns.dnssec.allow_all_policy
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class CannotResign(Exception):
    pass


def all_packets(scn: Scenario) -> list[Packet]:
    out = []
    for rng in scn.ranges:
        for entry in rng.entries:
            out += entry.packets
    for step in scn.steps:
        if step.entry:
            out += step.entry.packets
    return out


def records(packets: list[Packet]) -> list[Record]:
    return [r for p in packets for s in p.sections.values() for r in s if r.rdata is not None]


def parsed(rec: Record, rdtype: int) -> bool:
    return (
        rec.rdtype == rdtype
        and rec.rdata is not None
        and not isinstance(rec.rdata, dns.rdata.GenericRdata)
    )


def new_private(old, seed: bytes):
    """A key of the same algorithm, or ECDSA P-256 in place of DSA."""
    alg = int(old.algorithm)
    number = int.from_bytes(hashlib.sha512(seed).digest(), "big")
    if alg in DSA or alg == 13:
        return 13, ec.derive_private_key(number % (P256_ORDER - 1) + 1, ec.SECP256R1())
    if alg == 14:
        return 14, ec.generate_private_key(ec.SECP384R1())
    if alg == 15:
        return 15, ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())
    if alg == 16:
        return 16, ed448.Ed448PrivateKey.generate()
    if alg in (5, 7, 8, 10):
        return alg, rsa.generate_private_key(65537, 1024 if alg != 10 else 2048)
    raise CannotResign(f"no substitute for algorithm {alg}")


def dsa_verifies(key: bytes, blob: bytes, data: bytes) -> bool:
    """DSA with SHA-1 in plain integers: the keys are too short for libraries."""
    size = 64 + 8 * key[0]
    if len(key) != 21 + 3 * size:
        return False
    q = int.from_bytes(key[1:21], "big")
    p, g, y = (int.from_bytes(key[21 + n * size : 21 + (n + 1) * size], "big") for n in range(3))
    if len(blob) == 41:  # T, R and S as RFC 2536 has them
        r, s = int.from_bytes(blob[1:21], "big"), int.from_bytes(blob[21:], "big")
    else:  # DER, which an old signing tool wrote
        r, s = decode_dss_signature(blob)
    if not (0 < r < q and 0 < s < q):
        return False
    w = pow(s, -1, q)
    h = int.from_bytes(hashlib.sha1(data).digest(), "big")
    return pow(g, h * w % q, p) * pow(y, r * w % q, p) % p % q == r


RSA_HASHES = {
    5: ("sha1", "3021300906052b0e03021a05000414"),
    7: ("sha1", "3021300906052b0e03021a05000414"),
    8: ("sha256", "3031300d060960864801650304020105000420"),
    10: ("sha512", "3051300d060960864801650304020305000440"),
}


def rsa_verifies(alg: int, key: bytes, blob: bytes, data: bytes) -> bool:
    """RSA with PKCS #1 v1.5 padding in plain integers, for the same reason."""
    if key[0]:
        size, at = key[0], 1
    else:
        size, at = int.from_bytes(key[1:3], "big"), 3
    exponent = int.from_bytes(key[at : at + size], "big")
    modulus = int.from_bytes(key[at + size :], "big")
    octets = (modulus.bit_length() + 7) // 8
    name, prefix = RSA_HASHES[alg]
    tail = b"\0" + bytes.fromhex(prefix) + hashlib.new(name, data).digest()
    block = pow(int.from_bytes(blob, "big"), exponent, modulus).to_bytes(octets, "big")
    return block == b"\0\1" + b"\xff" * (octets - 2 - len(tail)) + tail


def verifies(rrset, sig, key) -> bool:
    """Cryptographic check alone, at no particular time."""
    try:
        data = dns.dnssec._make_rrsig_signature_data(rrset, sig)
        if int(key.algorithm) in DSA:
            return dsa_verifies(key.key, sig.signature, data)
        if int(key.algorithm) in RSA_HASHES:
            return rsa_verifies(int(key.algorithm), key.key, sig.signature, data)
        cls = dns.dnssecalgs.get_algorithm_cls_from_dnskey(key)
        cls.public_cls.from_dnskey(key).verify(sig.signature, data)
    except (
        dns.exception.DNSException,
        ValueError,
        InvalidSignature,
        UnsupportedAlgorithm,
        IndexError,
        OverflowError,
    ):
        return False
    return True


class Resigner:
    def __init__(self, scn: Scenario):
        self.scn = scn
        self.packets = all_packets(scn)
        # Not the rdata, which nobody changes: Python 3.11.2 cannot copy what it holds (an unknown
        # algorithm as an enumeration's value).
        shared = {id(record.rdata): record.rdata for record in records(self.packets)}
        self.old_packets = copy.deepcopy(self.packets, shared)
        self.anchors = self.read_anchors()
        self.old_keys: dict[tuple, list] = {}  # (zone, tag) -> old DNSKEY rdata
        self.new_keys: dict[tuple, tuple] = {}  # (zone, old DNSKEY) -> (new DNSKEY, private)
        self.signatures: dict[bytes, object] = {}

    # trust anchors are text in the configuration
    def read_anchors(self) -> list[tuple[str, Record]]:
        texts = [v for c in self.scn.clauses for k, v in c.items if k == "trust-anchor"]
        texts += [v.strip("\"'") for k, v in self.scn.flat if k == "trust-anchor"]
        out = []
        for text in texts:
            m = re.match(r"(\S+)\s+(?:\d+\s+)?(?:IN\s+)?(?:\d+\s+)?(DS|DNSKEY)\s+(.*)", text, re.I)
            if not m:
                raise CannotResign(f"trust anchor {text!r}")
            rdtype = dns.rdatatype.from_text(m[2])
            data = re.sub(r";.*", "", m[3])
            if rdtype == DS:
                words = data.split()
                data = " ".join(
                    [words[0], {"DSA": "3"}.get(words[1], words[1]), words[2], "".join(words[3:])]
                )
            rd = dns.rdata.from_text(IN, rdtype, data)
            out.append((text, Record(dns.name.from_text(m[1]), IN, int(rdtype), 3600, rd)))
        return out

    def run(self) -> bool:
        every = records(self.packets) + [r for _, r in self.anchors]
        for rec in every:
            if parsed(rec, DNSKEY):
                zone = rec.owner.canonicalize()
                known = self.old_keys.setdefault((zone, dns.dnssec.key_id(rec.rdata)), [])
                if rec.rdata not in known:
                    known.append(rec.rdata)
        if any(
            re.search(r"\bRRSIG\s+\S+\s+(3|6|DSA\S*)\s", t) for t in self.scn.temp_files.values()
        ):
            raise CannotResign("DSA signatures in a zone file")
        zones = self.zones_to_change(every)
        if not zones:
            return False
        for (zone, _tag), olds in self.old_keys.items():
            if zone in zones:
                for old in olds:
                    self.make_key(zone, old)
        self.replace_keys_and_ds(zones)
        self.replace_signatures(zones)
        self.replace_anchors(zones)
        self.drop_fakes()
        return True

    def zones_to_change(self, every: list[Record]) -> set:
        zones = {
            r.owner.canonicalize()
            for r in every
            if parsed(r, DNSKEY) and int(r.rdata.algorithm) in DSA
        }
        zones |= {
            r.rdata.signer.canonicalize()
            for r in every
            if parsed(r, RRSIG) and int(r.rdata.algorithm) in DSA
        }
        while True:
            more = {
                r.rdata.signer.canonicalize()
                for r in every
                if parsed(r, RRSIG)
                and r.rdata.type_covered == DS
                and r.owner.canonicalize() in zones
            } - zones
            if not more:
                return zones
            zones |= more

    def make_key(self, zone, old) -> None:
        alg, private = new_private(old, zone.to_wire() + old.to_wire())
        key = dns.dnssec.make_dnskey(
            private.public_key(), alg, flags=old.flags, protocol=old.protocol
        )
        self.new_keys[zone, old] = (key, private)

    def new_ds(self, child, rd):
        for old in self.old_keys.get((child, rd.key_tag), []):
            if int(old.algorithm) != int(rd.algorithm) or (child, old) not in self.new_keys:
                continue
            new, _ = self.new_keys[child, old]
            digest = rd.digest
            try:
                if dns.dnssec.make_ds(child, old, rd.digest_type, policy=POLICY) == rd:
                    return dns.dnssec.make_ds(child, new, rd.digest_type, policy=POLICY)
            except dns.exception.DNSException:
                pass
            return rd.replace(
                key_tag=dns.dnssec.key_id(new), algorithm=new.algorithm, digest=digest
            )
        return rd.replace(algorithm=13) if int(rd.algorithm) in DSA else rd

    def replace_keys_and_ds(self, zones: set) -> None:
        for rec in records(self.packets):
            zone = rec.owner.canonicalize()
            if zone not in zones:
                continue
            if parsed(rec, DNSKEY) and (zone, rec.rdata) in self.new_keys:
                rec.rdata = self.new_keys[zone, rec.rdata][0]
            elif parsed(rec, DS):
                rec.rdata = self.new_ds(zone, rec.rdata)

    @staticmethod
    def rrset(section: list[Record], owner, rdtype: int):
        out = dns.rrset.RRset(owner, IN, rdtype)
        for rec in section:
            if (
                rec.rdtype == rdtype
                and rec.owner == owner
                and rec.rdclass == IN
                and rec.rdata is not None
            ):
                out.add(rec.rdata, rec.ttl)
        return out

    def replace_signatures(self, zones: set) -> None:
        todo = []
        for old_pkt, pkt in zip(self.old_packets, self.packets, strict=False):
            for name, section in pkt.sections.items():
                for old, rec in zip(old_pkt.sections[name], section, strict=False):
                    if parsed(old, RRSIG) and old.rdata.signer.canonicalize() in zones:
                        todo.append((old, rec, old_pkt.sections[name], section))
        for old, _rec, old_section, section in todo:
            wire = old.rdata.to_wire()
            if wire in self.signatures:
                continue
            made = self.sign_again(old, old_section, section)
            if made is not None:
                self.signatures[wire] = made
        for rec in records(self.packets):
            if rec.rdtype == RRSIG and isinstance(rec.rdata, dns.rdata.GenericRdata):
                rec.rdata = self.generic(rec.rdata)
        for old, rec, _, _ in todo:
            rec.rdata = self.signatures.get(old.rdata.to_wire()) or self.wrong(old.rdata)

    def sign_again(self, old: Record, old_section, section):
        sig = old.rdata
        zone = sig.signer.canonicalize()
        covered = self.rrset(old_section, old.owner, sig.type_covered)
        fresh = self.rrset(section, old.owner, sig.type_covered)
        if not covered or len(covered) != len(fresh):
            return None
        for key in self.old_keys.get((zone, sig.key_tag), []):
            if int(key.algorithm) != int(sig.algorithm) or (zone, key) not in self.new_keys:
                continue
            if not verifies(covered, sig, key):
                continue
            new, private = self.new_keys[zone, key]
            blank = sig.replace(
                algorithm=new.algorithm, key_tag=dns.dnssec.key_id(new), signature=b""
            )
            data = dns.dnssec._make_rrsig_signature_data(fresh, blank)
            cls = dns.dnssecalgs.get_algorithm_cls(new.algorithm)
            return blank.replace(signature=cls(key=private).sign(data))
        return None

    def generic(self, rd):
        """A signature record with no or unreadable signature: change algorithm and tag."""
        blob = bytearray(rd.data)
        if len(blob) < 19 or blob[2] not in DSA:
            return rd
        zone, _ = wires.read_name(bytes(blob), 18)
        tag = int.from_bytes(blob[16:18], "big")
        for old in self.old_keys.get((zone.canonicalize(), tag), []):
            if (zone.canonicalize(), old) in self.new_keys:
                new = self.new_keys[zone.canonicalize(), old][0]
                blob[16:18] = dns.dnssec.key_id(new).to_bytes(2, "big")
        blob[2] = 13
        return dns.rdata.GenericRdata(rd.rdclass, rd.rdtype, bytes(blob))

    def wrong(self, sig):
        """Right form, wrong content."""
        zone = sig.signer.canonicalize()
        for key in self.old_keys.get((zone, sig.key_tag), []):
            if int(key.algorithm) == int(sig.algorithm) and (zone, key) in self.new_keys:
                new, _ = self.new_keys[zone, key]
                alg, tag = new.algorithm, dns.dnssec.key_id(new)
                break
        else:
            alg, tag = (13 if int(sig.algorithm) in DSA else sig.algorithm), sig.key_tag
        noise = hashlib.sha512(sig.to_wire()).digest()
        size = 64 if int(alg) == 13 else max(1, len(sig.signature))
        return sig.replace(algorithm=alg, key_tag=tag, signature=(noise * 8)[:size])

    def replace_anchors(self, zones: set) -> None:
        swap = {}
        for text, rec in self.anchors:
            zone = rec.owner.canonicalize()
            if zone not in zones:
                continue
            rd = rec.rdata
            if rec.rdtype == DS:
                rd = self.new_ds(zone, rd)
            elif (zone, rd) in self.new_keys:
                rd = self.new_keys[zone, rd][0]
            swap[text] = f"{rec.owner} 3600 IN {dns.rdatatype.to_text(rec.rdtype)} {rd.to_text()}"
        for clause in self.scn.clauses:
            clause.items = [
                (k, swap.get(v, v) if k == "trust-anchor" else v) for k, v in clause.items
            ]
        self.scn.flat = [
            (
                k,
                f'"{swap[v.strip(chr(34) + chr(39))]}"'
                if k == "trust-anchor" and v.strip("\"'") in swap
                else v,
            )
            for k, v in self.scn.flat
        ]
        lines = []
        for line in self.scn.config_lines:
            for old, new in swap.items():
                line = line.replace(old, new)
            lines.append(line)
        self.scn.config_lines = lines

    def drop_fakes(self) -> None:
        fake = ("fake-sha1", "fake-dsa")
        self.scn.config_lines = [
            ln for ln in self.scn.config_lines if not ln.strip().startswith(fake)
        ]
        for clause in self.scn.clauses:
            clause.items = [(k, v) for k, v in clause.items if k not in fake]


def resign(scn: Scenario) -> bool:
    """Change the scenario in place; False when it has no DSA keys or signatures."""
    return Resigner(scn).run()
