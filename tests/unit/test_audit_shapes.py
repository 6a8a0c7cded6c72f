"""Shapes that no world has: circles without glue, hidden cuts, loops, servers of unknown place."""

import pytest

from resolver.audit.closure import Standing
from resolver.audit.fixes import cheapest
from resolver.audit.report import fix_of, make_report
from resolver.audit.verdict import Finding, judge, reaches
from resolver.model import Verdict
from resolver.names import from_text
from tests.unit.test_audit_survey import surveyed
from tests.virtual import Internet
from tests.virtual_servers import Zone

XA = frozenset({from_text("xa.")})
TOP = """
. 86400 SOA 60
. 86400 NS a.root.
a.root. 86400 A {root}
xa. 86400 NS ns.xa.
ns.xa. 86400 A {xa}
comx. 86400 NS ns.comx.
ns.comx. 86400 A 12.0.2.1
"""


def internet(xa: str, *, root: str = "11.0.0.1", at_xa: str = "11.0.1.1", **hosts: str) -> Internet:
    """A root and ``xa`` with the given lines; ``hosts``: zone to its lines, first the address."""
    net = Internet()
    top = TOP.format(root=root, xa=at_xa)
    net.host(root, Zone(".", top))
    net.host(at_xa, Zone("xa.", f"xa. 60 SOA 60\nxa. 60 NS ns.xa.\nns.xa. 60 A {at_xa}\n{xa}"))
    for apex, text in hosts.items():
        at, _, lines = text.partition("\n")
        net.host(at.strip(), Zone(apex.replace("_", ".") + ".", lines))
    net.hint("a.root.", root)
    return net


def found(net: Internet, name: str) -> tuple[Finding, str]:
    """The verdict, and the fix in words."""
    closure, paths, _ = surveyed(net, [name])
    path = paths[name]
    fix = cheapest(closure, path, XA)
    finding = judge(closure, path, reaches(closure, XA, frozenset()))
    return finding, fix.words if fix else ""


def test_names_that_need_each_other_carry_nothing() -> None:
    net = internet("a.xa. 60 NS ns.b.xa.\nb.xa. 60 NS ns.a.xa.\n")
    finding, fix = found(net, "www.a.xa.")
    assert finding.words == "breaks at a.xa."
    assert (finding.path.outcome, fix) == ("unreachable", "")


def test_a_circle_with_one_way_out_is_left_by_it() -> None:
    net = internet(
        "a.xa. 60 NS ns.b.xa.\nb.xa. 60 NS ns.a.xa. ns.out.b.xa.\nns.out.b.xa. 60 A 11.0.4.1\n",
        b_xa="11.0.4.1\nb.xa. 60 SOA 60\nb.xa. 60 NS ns.a.xa. ns.out.b.xa.\n"
        "ns.b.xa. 60 A 11.0.3.1\nns.out.b.xa. 60 A 11.0.4.1",
        a_xa="11.0.3.1\na.xa. 60 SOA 60\na.xa. 60 NS ns.b.xa.\nwww.a.xa. 60 A 11.9.9.9\n"
        "ns.a.xa. 60 A 11.0.3.1",
    )
    finding, _ = found(net, "www.a.xa.")
    assert finding.words == "stays home"


@pytest.mark.parametrize(("at", "words"), [("11", "stays home"), ("12", "breaks at sub.xa.")])
def test_a_cut_that_its_parent_s_servers_hide(at: str, words: str) -> None:
    """Every server of xa serves sub.xa too, and gives no addresses with NS."""
    sub = f"sub.xa. 60 NS ns.sub.xa.\nns.sub.xa. 60 A {at}.0.5.1\n"
    net = internet(sub)
    zone = Zone("sub.xa.", f"sub.xa. 60 SOA 60\n{sub}www.sub.xa. 60 A 11.9.9.9")
    net.host(f"{at}.0.5.1", zone)
    next(h for h in net.hosts.values() if h.zones[0].apex == from_text("xa.")).zones.append(zone)
    closure, paths, _ = surveyed(net, ["www.sub.xa."])
    finding = judge(closure, paths["www.sub.xa."], reaches(closure, XA, frozenset()))
    assert from_text("sub.xa.") in closure.zones
    assert finding.words == words


def test_loops_of_aliases_end() -> None:
    net = internet("p.xa. 60 CNAME q.xa.\nq.xa. 60 CNAME p.xa.\ns.xa. 60 CNAME s.xa.\n")
    for name in ("p.xa.", "s.xa."):
        finding, fix = found(net, name)
        assert (finding.path.outcome, finding.bare, fix) == ("loop", False, "")
        assert "loop" in finding.because


def test_a_cname_at_an_upper_name_does_not_hide_what_is_below() -> None:
    net = internet(
        "p.xa. 60 CNAME q.xa.\nd.p.xa. 60 NS ns.comx.\n",
        comx="12.0.2.1\ncomx. 60 SOA 60\ncomx. 60 NS ns.comx.\nns.comx. 60 A 12.0.2.1",
    )
    closure, _, _ = surveyed(net, ["www.d.p.xa."])
    assert from_text("d.p.xa.") in closure.zones


def test_targets_of_aliases_count_with_their_zones() -> None:
    net = internet(
        "c.xa. 60 CNAME www.comx.\nd.xa. 60 DNAME comx.\n",
        comx="12.0.2.1\ncomx. 60 SOA 60\ncomx. 60 NS ns.comx.\nns.comx. 60 A 12.0.2.1\n"
        "www.comx. 60 A 12.9.9.9",
    )
    for name in ("c.xa.", "www.d.xa."):
        finding, fix = found(net, name)
        assert finding.words == "breaks at comx."
        assert finding.path.aliases == (from_text("www.comx."),)
        assert fix == "one more domestic server for comx."


@pytest.mark.parametrize(
    ("places", "words", "fix"),
    [
        ({"root": "12.0.0.1"}, "survives a cut with root mirror", "root mirror"),
        (
            {"at_xa": "12.0.1.1"},
            "survives a cut with root and ccTLD mirrors",
            "ccTLD mirror of xa.",
        ),
        (
            {"root": "12.0.0.1", "at_xa": "12.0.1.1"},
            "survives a cut with root and ccTLD mirrors",
            "ccTLD mirror of xa.",
        ),
    ],
)
def test_mirrors_that_help(places: dict[str, str], words: str, fix: str) -> None:
    told, proposed = found(internet("www.xa. 60 A 11.9.9.9\n", **places), "www.xa.")
    assert (told.words, proposed) == (words, fix)


def test_a_server_of_unknown_place_is_gone_in_a_cut() -> None:
    net = internet("www.xa. 60 A 11.9.9.9\n", at_xa="13.0.1.1")
    closure, paths, _ = surveyed(net, ["www.xa."])
    (site,) = closure.zones[from_text("xa.")].sites()
    assert (site.verdict, site.standing) == (Verdict.UNKNOWN, Standing.SERVES)
    finding = judge(closure, paths["www.xa."], reaches(closure, frozenset(), frozenset()))
    assert finding.words == "breaks at xa."
    assert "1 of unknown place" in finding.because


def test_a_domestic_server_that_only_the_child_names() -> None:
    own = "own.xa. 60 NS ns.own.xa. home.own.xa.\nhome.own.xa. 60 A 11.0.7.1\n"
    zone = f"own.xa. 60 SOA 60\n{own}ns.own.xa. 60 A 12.0.7.1\nwww.own.xa. 60 A 11.9.9.9"
    net = internet(
        "own.xa. 60 NS ns.own.xa.\nns.own.xa. 60 A 12.0.7.1\n", own_xa=f"12.0.7.1\n{zone}"
    )
    net.host("11.0.7.1", Zone("own.xa.", zone))
    finding, fix = found(net, "www.own.xa.")
    assert finding.words == "breaks at own.xa."
    assert "home.own.xa. at home, which its parent does not name" in finding.because
    assert fix == "home.own.xa. named for own.xa. by its parent too"


def test_a_zone_that_nobody_serves_is_told_and_nothing_below_is_guessed() -> None:
    net = internet("dead.xa. 60 NS ns.dead.xa.\nns.dead.xa. 60 A 11.0.8.1\n")
    finding, fix = found(net, "www.sub.dead.xa.")
    assert finding.words == "breaks at dead.xa."
    assert finding.because == "no server of it answers for it, at home or abroad"
    assert (finding.path.stuck, fix) == (from_text("dead.xa."), "")
    closure, paths, _ = surveyed(net, ["www.sub.dead.xa."])
    path = paths["www.sub.dead.xa."]
    report = make_report(closure, {path.name: path}, ["XA"], XA, frozenset(), {}, 1.0)
    assert (report.rows[0].lacking, fix_of(report.rows[0])) == ((), "not known")
