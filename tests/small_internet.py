"""A small Internet in virtual time: a home under ``xa``, ``comx`` abroad, a few zones in each.

Addresses in 11/8 are at home, in 12/8 abroad.
"""

from tests.virtual import Internet
from tests.virtual_servers import Zone

ROOT = """
. 86400 SOA 60
. 86400 NS a.root. b.root.
a.root. 86400 A 12.0.0.1
b.root. 86400 A 11.0.0.1
xa. 86400 NS ns1.xa. ns2.xa.
ns1.xa. 86400 A 11.0.1.1
ns2.xa. 86400 A 12.0.1.1
comx. 86400 NS ns.comx.
ns.comx. 86400 A 12.0.2.1
"""
XA = """
xa. 3600 SOA 60
xa. 3600 NS ns1.xa. ns2.xa.
ns1.xa. 3600 A 11.0.1.1
ns2.xa. 3600 A 12.0.1.1
home.xa. 3600 NS ns.home.xa.
ns.home.xa. 3600 A 11.0.3.1
mixed.xa. 3600 NS ns1.mixed.xa. ns2.mixed.xa.
ns1.mixed.xa. 3600 A 12.0.4.1
ns2.mixed.xa. 3600 A 11.0.4.1
glueless.xa. 3600 NS ns.hoster.comx. ns.home.xa.
out.xa. 3600 NS ns.hoster.comx.
"""
HOME = """
home.xa. 3600 SOA 60
home.xa. 3600 NS ns.home.xa.
ns.home.xa. 3600 A 11.0.3.1
www.home.xa. 300 A 11.9.9.9
alias.home.xa. 300 CNAME www.home.xa.
abroad.home.xa. 300 CNAME www.shop.comx.
tree.home.xa. 300 DNAME other.home.xa.
leaf.other.home.xa. 300 A 11.9.9.8
a.b.c.home.xa. 300 A 11.9.9.7
*.wild.home.xa. 300 A 11.9.9.6
loop1.home.xa. 300 CNAME loop2.home.xa.
loop2.home.xa. 300 CNAME loop1.home.xa.
zero.home.xa. 0 A 11.9.9.5
"""
MIXED = """
mixed.xa. 3600 SOA 60
mixed.xa. 3600 NS ns1.mixed.xa. ns2.mixed.xa.
www.mixed.xa. 300 A 11.9.9.1
"""
COMX = """
comx. 3600 SOA 60
comx. 3600 NS ns.comx.
ns.comx. 3600 A 12.0.2.1
shop.comx. 3600 NS ns.shop.comx.
ns.shop.comx. 3600 A 12.0.5.1
hoster.comx. 3600 NS ns.hoster.comx.
ns.hoster.comx. 3600 A 12.0.6.1
"""
SHOP = """
shop.comx. 3600 SOA 60
shop.comx. 3600 NS ns.shop.comx.
www.shop.comx. 300 A 12.9.9.9
back.shop.comx. 300 CNAME www.home.xa.
"""
HOSTER = """
hoster.comx. 3600 SOA 60
ns.hoster.comx. 3600 A 12.0.6.1
"""
GLUELESS = "glueless.xa. 3600 SOA 60\nwww.glueless.xa. 300 A 11.9.9.2"
OUT = "out.xa. 3600 SOA 60\nwww.out.xa. 300 A 12.9.9.2"


def internet(seed: int = 1, loss: float = 0.0, **settings: object) -> Internet:
    net = Internet(seed, loss, **settings)
    net.hint("a.root.", "12.0.0.1")
    net.hint("b.root.", "11.0.0.1")
    root, xa, mixed = Zone(".", ROOT), Zone("xa", XA), Zone("mixed.xa", MIXED)
    glueless = Zone("glueless.xa", GLUELESS)
    net.host("12.0.0.1", root, latency=0.001)
    net.host("11.0.0.1", root, latency=0.03)
    net.host("11.0.1.1", xa, latency=0.03)
    net.host("12.0.1.1", xa, latency=0.001)
    net.host("11.0.3.1", Zone("home.xa", HOME), glueless)
    net.host("12.0.4.1", mixed, latency=0.001)
    net.host("11.0.4.1", mixed, latency=0.1)
    net.host("12.0.2.1", Zone("comx", COMX))
    net.host("12.0.5.1", Zone("shop.comx", SHOP))
    net.host("12.0.6.1", Zone("hoster.comx", HOSTER), glueless, Zone("out.xa", OUT))
    return net


def abroad(net: Internet) -> list[str]:
    return [str(ask.question) for ask in net.door.sent if ask.address[0] != 11]
