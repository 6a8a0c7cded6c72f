"""Special-use and locally served names: what is answered here and asked of nobody."""

import pytest

from resolver import local
from resolver.model import Question, Rcode, Type
from tests.virtual import values
from tests.virtual_servers import name


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("localhost", "A", ["127.0.0.1"]),
        ("any.thing.localhost", "AAAA", ["::1"]),
        ("ipv4only.arpa", "A", ["192.0.0.170", "192.0.0.171"]),
        ("1.0.0.127.in-addr.arpa", "PTR", ["localhost."]),
        ("1." + "0." * 31 + "ip6.arpa", "PTR", ["localhost."]),
        ("170.0.0.192.in-addr.arpa", "PTR", ["ipv4only.arpa."]),
        ("10.in-addr.arpa", "NS", ["10.in-addr.arpa."]),
    ],
)
def test_positive(text: str, kind: str, told: list[str]) -> None:
    """RFC 6761 section 6.3, RFC 6303 section 3, RFC 8880 section 7.1."""
    result = local.answer(Question(name(text), Type[kind]), local.zones())
    assert result is not None
    assert (result.rcode, values(result.answer, kind)) == (Rcode.NOERROR, told)


@pytest.mark.parametrize(
    ("text", "rcode"),
    [
        ("foo.test", Rcode.NXDOMAIN),
        ("foo.invalid", Rcode.NXDOMAIN),
        ("printer.local", Rcode.NXDOMAIN),
        ("hidden.onion", Rcode.NXDOMAIN),
        ("a.alt", Rcode.NXDOMAIN),
        ("router.home.arpa", Rcode.NXDOMAIN),
        ("_dns.resolver.arpa", Rcode.NXDOMAIN),
        ("1.2.3.10.in-addr.arpa", Rcode.NXDOMAIN),
        ("5.16.172.in-addr.arpa", Rcode.NXDOMAIN),
        ("1.64.100.in-addr.arpa", Rcode.NXDOMAIN),
        ("x.8.b.d.0.1.0.0.2.ip6.arpa", Rcode.NXDOMAIN),
        ("0.0.127.in-addr.arpa", Rcode.NOERROR),
        ("10.in-addr.arpa", Rcode.NOERROR),
    ],
)
def test_negative_carries_the_zone_s_soa(text: str, rcode: int) -> None:
    result = local.answer(Question(name(text), Type.A), local.zones())
    assert result is not None
    assert (result.rcode, result.answer) == (rcode, ())
    assert [r.rtype for r in result.authority] == [Type.SOA]
    assert result.authority[0].name == local.zone_of(name(text), local.zones())


@pytest.mark.parametrize(
    "text", ["example", "xa", "arpa", "32.172.in-addr.arpa", "11.in-addr.arpa", "localhost.xa"]
)
def test_other_names_are_asked_as_usual(text: str) -> None:
    assert local.answer(Question(name(text), Type.A), local.zones()) is None


def test_ds_of_a_local_zone_is_its_parent_s_matter() -> None:
    assert local.answer(Question(name("home.arpa"), Type.DS), local.zones()) is None


@pytest.mark.parametrize(
    ("text", "kind", "rcode"),
    [
        ("x.where.internal", "TXT", Rcode.NXDOMAIN),
        ("where.internal", "DS", Rcode.NOERROR),
        ("where.internal", "TXT", Rcode.NOERROR),
    ],
)
def test_a_zone_of_the_operator_s_is_empty_and_all_its_own(
    text: str, kind: str, rcode: int
) -> None:
    zone = name("where.internal")
    assert local.answer(Question(name(text), Type[kind]), local.zones()) is None
    result = local.answer(Question(name(text), Type[kind]), local.zones() | {zone})
    assert result is not None
    assert (result.rcode, result.answer) == (rcode, ())
    assert [r.name for r in result.authority] == [zone]
