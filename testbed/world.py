"""Makes worlds: the same name and seed give the same world in every process.

The parts: infrastructure in ``build.py``, kinds of zones in ``kinds.py``, their content in
``content.py``; the types, which this module passes on, in ``model.py``.
"""

from testbed.build import Builder, add_hosters, add_registries
from testbed.content import link_aliases
from testbed.kinds import KINDS
from testbed.model import (
    ABROAD,
    COUNTRIES,
    DEFAULT_SEED,
    HOME,
    SPECS,
    AddressPlan,
    Delegation,
    Fault,
    NameServer,
    Question,
    Server,
    Spec,
    World,
)
from testbed.zones import is_subdomain

__all__ = [
    "ABROAD",
    "COUNTRIES",
    "HOME",
    "SPECS",
    "AddressPlan",
    "Delegation",
    "Fault",
    "NameServer",
    "Question",
    "Server",
    "Spec",
    "World",
    "make_world",
]


def make_world(
    name_or_spec: str | Spec, seed: int | None = None, plan: AddressPlan = AddressPlan.LOOPBACK
) -> World:
    """Build a world from ``NAME``, ``NAME:SEED`` or a spec.

    Raises:
        ValueError: no world of that name, or a seed that is not a number.
    """
    if isinstance(name_or_spec, Spec):
        spec = name_or_spec
    else:
        label, _, told = name_or_spec.partition(":")
        if label not in SPECS:
            raise ValueError(f"no world named {label!r}; there are {', '.join(SPECS)}")
        if told and not told.isdigit():
            raise ValueError(f"{name_or_spec!r}: the seed must be a number")
        spec = SPECS[label]
        seed = seed if seed is not None else int(told) if told else None
    return _build(spec, DEFAULT_SEED if seed is None else seed, plan)


def _build(spec: Spec, seed: int, plan: AddressPlan) -> World:
    """The whole world: infrastructure, zones of every kind, then aliases between them."""
    builder = Builder(spec, seed, plan)
    add_registries(builder)
    add_hosters(builder)
    number = 0
    for turn in range(spec.repeats):
        for kind in KINDS:
            for _ in range(kind.weight if spec.repeats > 1 else 1):
                kind.make(builder, kind.name, number, turn)
                number += 1
        # Turns by number must not fall in step with the kinds: make the step of a turn odd.
        number += 1
    link_aliases(builder, spec.chains)
    _check(builder.world)
    return builder.world


def _check(world: World) -> None:
    """What the truth rests on: a server abroad has one role for any name."""
    for server in world.servers.values():
        for zone in () if server.domestic else sorted(server.delegated):
            inner = [o for o in server.delegated if o != zone and is_subdomain(o, zone)]
            assert not inner, f"{server.address} serves {zone} and {inner}"
