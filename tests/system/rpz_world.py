"""A small world for response policy zones: who serves what, two policy zones, and questions.

One name, one address, one name server and one client for each case, so that a server of any make
reads both policy zones once and is asked all questions. Root, TLDs and the rest are served by
processes of their own, so that each zone is met through its name servers."""

from typing import NamedTuple

ACTIONS = (
    "CNAME .",
    "CNAME *.",
    "CNAME rpz-passthru.",
    "CNAME rpz-drop.",
    "CNAME rpz-tcp-only.",
    "A 10.0.0.1",
    "TXT sorry",
    "CNAME walled.garden.org.",
    "CNAME *.garden.org.",
)
ROOT, TLD, REST = "127.10.0.1", "127.10.1.1", "127.10.2.1"
NUMBERS = range(1, len(ACTIONS) + 1)


class Row(NamedTuple):
    """One question: what it is about, the name, the type, and who asks."""

    about: str
    name: str
    rtype: str = "A"
    client: str = "127.0.0.1"


# Names below shop.net with their records.
SHOP = {
    "plain": ["A 192.0.2.1"],
    **{f"q{n}": ["A 192.0.2.1", "AAAA 2001:db8::1"] for n in NUMBERS},
    **{f"i{n}": [f"A 203.0.113.{n}"] for n in NUMBERS},
    "w": ["A 192.0.2.1"],
    "*.w": ["A 192.0.2.1"],
    "ok.w": ["A 192.0.2.2"],
    "deep.ok.w": ["A 192.0.2.3"],
    "v": ["A 192.0.2.1"],
    "a.v": ["A 192.0.2.1"],
    "u.v": ["A 192.0.2.1"],
    "a.u.v": ["A 192.0.2.1"],
    "b.a.u.v": ["A 192.0.2.1"],
    "o1": ["A 192.0.2.1"],
    "o2": ["A 203.0.113.102"],
    "o3": ["A 203.0.113.103"],
    "o5": ["A 192.0.2.1"],
    "o6": ["A 203.0.114.5"],
    "o7": ["A 203.0.114.6"],
    "o8": ["A 203.0.115.1", "A 203.0.115.2"],
    "o9": ["AAAA 2001:db8:9::1"],
    "c1": ["CNAME t1.cdn.org."],
    "c2": ["CNAME t2.cdn.org."],
    "c3": ["CNAME t3.cdn.org."],
    "c4": ["CNAME t4.cdn.org."],
}

FIRST = (
    [f"q{n}.shop.net {action}" for n, action in zip(NUMBERS, ACTIONS, strict=True)]
    + [f"32.{n}.113.0.203.rpz-ip {action}" for n, action in zip(NUMBERS, ACTIONS, strict=True)]
    + [f"ns{n}.host.org.rpz-nsdname {action}" for n, action in zip(NUMBERS, ACTIONS, strict=True)]
    + [f"32.{n}.4.10.127.rpz-nsip {action}" for n, action in zip(NUMBERS, ACTIONS, strict=True)]
    + [f"32.{n}.0.9.127.rpz-client-ip {action}" for n, action in zip(NUMBERS, ACTIONS, strict=True)]
    + [
        "*.w.shop.net CNAME .",
        "ok.w.shop.net CNAME rpz-passthru.",
        "*.v.shop.net CNAME .",
        "*.u.v.shop.net CNAME *.",
        "o1.shop.net CNAME *.",
        "32.102.113.0.203.rpz-ip CNAME *.",
        "o3.shop.net CNAME *.",
        "32.103.113.0.203.rpz-ip CNAME .",
        "o5.shop.net CNAME rpz-passthru.",
        "24.0.114.0.203.rpz-ip CNAME .",
        "32.5.114.0.203.rpz-ip CNAME *.",
        "32.2.115.0.203.rpz-ip CNAME .",
        "48.zz.9.db8.2001.rpz-ip CNAME .",
        "t1.cdn.org CNAME .",
        "t2.cdn.org CNAME .",
        "t3.cdn.org A 10.0.0.3",
        "32.4.116.0.203.rpz-ip A 10.0.0.4",
    ]
)
SECOND = [
    "o1.shop.net CNAME .",
    "o2.shop.net CNAME .",
    "o5.shop.net CNAME .",
    "c2.shop.net CNAME *.",
]

ROWS = (
    [Row(f"qname {ACTIONS[n - 1]}", f"q{n}.shop.net") for n in NUMBERS]
    + [Row(f"ip {ACTIONS[n - 1]}", f"i{n}.shop.net") for n in NUMBERS]
    + [Row(f"nsdname {ACTIONS[n - 1]}", f"www.d{n}.net") for n in NUMBERS]
    + [Row(f"nsip {ACTIONS[n - 1]}", f"www.s{n}.net") for n in NUMBERS]
    + [
        Row(f"client-ip {ACTIONS[n - 1]}", "plain.shop.net", client=f"127.9.0.{n}")
        for n in NUMBERS
    ]
    + [
        Row("local data of another type", "q6.shop.net", "AAAA"),
        Row("local data of its type", "q7.shop.net", "TXT"),
        Row("an alias is asked for", "q8.shop.net", "CNAME"),
        Row("nothing matches", "plain.shop.net"),
        Row("below a wildcard", "x.w.shop.net"),
        Row("two labels below a wildcard", "y.x.w.shop.net"),
        Row("the wildcard's own name", "w.shop.net"),
        Row("exact PASSTHRU beside a wildcard", "ok.w.shop.net"),
        Row("below that exact name", "deep.ok.w.shop.net"),
        Row("shorter wildcard", "a.v.shop.net"),
        Row("longer wildcard", "a.u.v.shop.net"),
        Row("longer wildcard, deeper", "b.a.u.v.shop.net"),
        Row("name of the longer wildcard", "u.v.shop.net"),
        Row("both zones list the name", "o1.shop.net"),
        Row("address in the first, name in the second", "o2.shop.net"),
        Row("name and address in one zone", "o3.shop.net"),
        Row("PASSTHRU in the first, NXDOMAIN in the second", "o5.shop.net"),
        Row("longer prefix", "o6.shop.net"),
        Row("shorter prefix", "o7.shop.net"),
        Row("one of two addresses", "o8.shop.net"),
        Row("IPv6 prefix", "o9.shop.net", "AAAA"),
        Row("target of an alias", "c1.shop.net"),
        Row("name in the second, its target in the first", "c2.shop.net"),
        Row("local data at the target", "c3.shop.net"),
        Row("address at the end of an alias", "c4.shop.net"),
    ]
)  # fmt: skip

_SOA = "SOA ns.host.org. admin.host.org. 1 3600 600 86400 60"


def zones() -> dict[str, dict[str, str]]:
    """Zone files by level (the address of its server) and zone."""
    customers = [f"d{n}.net" for n in NUMBERS] + [f"s{n}.net" for n in NUMBERS]
    servers = {f"d{n}.net": f"ns{n}.host.org." for n in NUMBERS}
    servers |= {f"s{n}.net": f"sns{n}.host.org." for n in NUMBERS}
    root = [f". {_SOA}", ". NS ns.root.", f"ns.root. A {ROOT}"]
    for tld in ("net", "org"):
        root += [f"{tld}. NS ns.nic.{tld}.", f"ns.nic.{tld}. A {TLD}"]
    tops: dict[str, list[str]] = {}
    for tld in ("net", "org"):
        tops[tld] = [f"{tld}. {_SOA}", f"{tld}. NS ns.nic.{tld}.", f"ns.nic.{tld}. A {TLD}"]
    tops["net"] += ["shop.net. NS ns.host.org."]
    tops["net"] += [f"{zone}. NS {servers[zone]}" for zone in customers]
    tops["org"] += ["host.org. NS ns.host.org.", f"ns.host.org. A {REST}"]
    tops["org"] += ["cdn.org. NS ns.host.org.", "garden.org. NS ns.host.org."]
    rest: dict[str, list[str]] = {
        "host.org": [f"ns.host.org. A {REST}"]
        + [f"ns{n}.host.org. A 127.10.3.{n}" for n in NUMBERS]
        + [f"sns{n}.host.org. A 127.10.4.{n}" for n in NUMBERS],
        "shop.net": [f"{name}.shop.net. {data}" for name, all_ in SHOP.items() for data in all_],
        "cdn.org": ["t1.cdn.org. A 192.0.2.9", "t2.cdn.org. A 192.0.2.9", "t3.cdn.org. A 192.0.2.9",
                    "t4.cdn.org. A 203.0.116.4"],
        "garden.org": ["*.garden.org. A 192.0.2.200"],
        **{zone: [f"www.{zone}. A 192.0.2.1"] for zone in customers},
    }  # fmt: skip
    for zone, lines in rest.items():
        lines[:0] = [f"{zone}. {_SOA}", f"{zone}. NS {servers.get(zone, 'ns.host.org.')}"]
    return {
        ROOT: {".": _text(root)},
        TLD: {zone: _text(lines) for zone, lines in tops.items()},
        REST: {zone: _text(lines) for zone, lines in rest.items()},
    }


def addresses(level: str) -> list[str]:
    """Where the server of a level listens."""
    if level != REST:
        return [level]
    return [REST] + [f"127.10.{at}.{n}" for at in (3, 4) for n in NUMBERS]


def policy(lines: list[str]) -> str:
    """The text of a policy zone."""
    head = "$TTL 60\n@ SOA localhost. admin.localhost. 1 3600 600 86400 60\n@ NS localhost.\n"
    return head + "\n".join(lines) + "\n"


def _text(lines: list[str]) -> str:
    return "$TTL 300\n" + "\n".join(lines) + "\n"
