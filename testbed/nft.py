"""nftables rules of the border: counters that are not ours, loss, cuts, silence.

:func:`books` counts every packet that leaves the resolver's namespace, whatever its port; loss and
cuts stand on the far side of it. :func:`read` turns nft's JSON into plain numbers.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

DOMESTIC: Final = "11.0.0.0/8"
FOREIGN: Final = "12.0.0.0/8"
PROTOCOLS: Final = {"udp": "meta l4proto udp", "tcp": "meta l4proto tcp"}
SYN: Final = "tcp flags & (syn | ack) == syn"
SIDES: Final = {
    "domestic": f"ip daddr {DOMESTIC}",
    "foreign": f"ip daddr {FOREIGN}",
    "other": f"ip daddr != {{ {DOMESTIC}, {FOREIGN} }}",
}
LOSS_STEPS: Final = 10_000  # loss is set in hundredths of a percent

BORDER: Final = """
table inet border {
    chain cut { }
    chain forward { type filter hook forward priority 0; policy accept; jump cut; }
}
"""
CUT: Final = """
flush chain inet border cut
add rule inet border cut oifname "abroad0" drop
add rule inet border cut iifname "abroad0" drop
"""
RESTORE: Final = "flush chain inet border cut\n"
RESET: Final = """
reset counters table inet books
flush set inet books udp_to
flush set inet books syn_to
"""


def books(hook: str, priority: int, interface: str = "") -> str:
    """Counters at a hook: of all that leaves (output), or of all that comes from an interface."""
    names, rules = ["icmp_any"], []
    for protocol, fits in PROTOCOLS.items():
        for side, towards in SIDES.items():
            names.append(f"{protocol}_{side}")
            rules.append(f"{fits} {towards} counter name {protocol}_{side}")
    for side, towards in SIDES.items():
        names.append(f"syn_{side}")
        rules.append(f"{SYN} {towards} counter name syn_{side}")
    rules += [
        "meta l4proto icmp counter name icmp_any",
        "meta l4proto udp update @udp_to { ip daddr counter }",
        f"{SYN} update @syn_to {{ ip daddr counter }}",
    ]
    # What stays inside the namespace crosses nothing.
    skip = f'iifname != "{interface}" return' if interface else 'oifname "lo" return'
    counters = "\n".join(f"    counter {name} {{ }}" for name in names)
    lines = "\n".join(f"        {rule}" for rule in [skip, *rules])
    return f"""
table inet books {{
{counters}
    set udp_to {{ type ipv4_addr; size 65535; flags dynamic; }}
    set syn_to {{ type ipv4_addr; size 65535; flags dynamic; }}
    chain count {{
        type filter hook {hook} priority {priority}; policy accept;
{lines}
    }}
}}
"""


def far_side(dead: Sequence[str]) -> str:
    """Rules where the servers stand: the dead are silent, and loss can be set."""
    elements = f"elements = {{ {', '.join(dead)} }}" if dead else ""
    return f"""
table inet far {{
    set dead {{ type ipv4_addr; {elements} }}
    chain lose_in {{ type filter hook prerouting priority -200; policy accept; }}
    chain lose_out {{ type filter hook output priority 200; policy accept; }}
    chain input {{
        type filter hook input priority 0; policy accept;
        ip daddr @dead drop
    }}
}}
"""


def loss(rate: float) -> str:
    """Lose a share of UDP datagrams, each way."""
    lines = ["flush chain inet far lose_in", "flush chain inet far lose_out"]
    limit = round(rate * LOSS_STEPS)
    if limit:
        chance = f"numgen random mod {LOSS_STEPS} < {limit}" if limit < LOSS_STEPS else ""
        rule = f"meta l4proto udp {chance} drop"
        lines += [f'add rule inet far lose_in iifname "up0" {rule}']
        lines += [f'add rule inet far lose_out oifname "up0" {rule}']
    return "\n".join(lines) + "\n"


def silence(verb: str, addresses: Sequence[str]) -> str:
    """Put addresses among the silent ones (``add``) or take them away (``delete``)."""
    return "".join(f"{verb} element inet far dead {{ {at} }}\n" for at in addresses)


def read(listing: str) -> dict[str, Any]:
    """Counters of ``books`` by name, and packets by destination, from ``nft -j list ruleset``."""
    found: dict[str, Any] = {}
    for item in json.loads(listing)["nftables"]:
        counter, keyed = item.get("counter"), item.get("set")
        if counter and counter["table"] == "books":
            found[counter["name"]] = {key: counter[key] for key in ("packets", "bytes")}
        elif keyed and keyed["table"] == "books":
            found[keyed["name"]] = {
                entry["elem"]["val"]: entry["elem"]["counter"]["packets"]
                for entry in keyed.get("elem", ())
            }
    return found
