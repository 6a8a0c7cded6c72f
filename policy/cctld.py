"""Top-level domains of countries: the code in lower case, and the internationalised ones.

Source: RFC 1591 section 2 (the TLD is the ISO 3166-1 code); the A-labels are those that the
Public Suffix List gives to a country and that stand in the root zone of 2026-08-22 (facts taken
over on 2026-11-22). The United Kingdom uses ``uk`` for GB, Russia also ``su``.

A country pack has its own list, which counts in place of this one where a pack is in use; a test
holds the shipped packs against it.

Limitations: the table of internationalised names changes by hand.
"""

from resolver.names import Name, from_text

_MORE = """
AE xn--mgbaam7a8h
AM xn--y9a3aq
BD xn--54b7fta0cc
BG xn--90ae
BH xn--mgbcpq6gpa1a
BY xn--90ais
CN xn--fiqs8s xn--fiqz9s
DZ xn--lgbbat1ad8j
EG xn--wgbh1c
GB uk
GE xn--node
GR xn--qxam
HK xn--j6w193g
IL xn--4dbrk0ce
IN xn--2scrj9c xn--3hcrj9c xn--45br5cyl xn--45brj9c xn--fpcrj9c3d xn--gecrj9c xn--h2breg3eve
IN xn--h2brj9c xn--h2brj9c8c xn--mgbbh1a xn--mgbbh1a71e xn--mgbgu82a xn--rvc1e0am3e xn--s9brj9c
IN xn--xkc2dl3a5ee0h
IQ xn--mgbtx2b
IR xn--mgba3a4f16a
JO xn--mgbayh7gpa
KR xn--3e0b707e
KZ xn--80ao21a
LA xn--q7ce6a
LK xn--fzc2c9e2c xn--xkc2al3hye2a
MA xn--mgbc0a9azcg
MK xn--d1alf
MN xn--l1acc
MO xn--mix891f
MR xn--mgbah1a3hjkrd
MY xn--mgbx4cd0ab
OM xn--mgb9awbf
PK xn--mgbai9azgqp6j
PS xn--ygbi2ammx
QA xn--wgbl6a
RS xn--90a3ac
RU su xn--p1ai
SA xn--mgberp4a5d4ar
SD xn--mgbpl2fh
SG xn--clchc0ea0b2g2a9gcd xn--yfro4i67o
SY xn--ogbpf8fl
TH xn--o3cw4h
TN xn--pgbs0dh
TW xn--kprw13d xn--kpry57d
UA xn--j1amh
"""


def country_zones(codes: frozenset[str]) -> frozenset[Name]:
    """The top-level domains of the given countries, as names."""
    found = {from_text(code.lower()) for code in codes}
    for line in _MORE.strip().splitlines():
        code, *labels = line.split()
        if code in codes:
            found.update(from_text(label) for label in labels)
    return frozenset(found)
