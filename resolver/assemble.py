"""Build the parts that ``serve`` and ``explain`` share from a configuration and a policy."""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Protocol, final

from policy.border import Policy
from policy.identities import knowledge
from policy.kept import LastGood
from resolver import limits, local
from resolver.cache import AnswerStore, RecordStore
from resolver.carry import NativePlans
from resolver.config import Config, load, parse
from resolver.config_lines import read_tree
from resolver.core import Core, CoreSettings, reraise
from resolver.counters import Clock, Counters
from resolver.egress import with_ways
from resolver.errors import WHOLE_FILE, ConfigError, Finding, StateError
from resolver.exchange import NativeDoor, TransferDoor
from resolver.fetch import Fetch
from resolver.listen import Listener
from resolver.metrics import Exporter
from resolver.mirrors.keep import Keeper, Told
from resolver.mirrors.policy_file import ZoneFiles
from resolver.mirrors.round import Tools
from resolver.mirrors.wanted import Wanted
from resolver.mirrors.wire import Wire
from resolver.mirrors_of import mirror_directory, mirrors_of
from resolver.names import Name
from resolver.policy_of import policy_of
from resolver.rpz_of import RpzZone, rpz_directory, rpz_of
from resolver.rpz_run import Copies, ResponseZones, read_files
from resolver.tally import SECONDS_BOUNDS
from resolver.watch.keep import Followed, Telling, Watcher
from resolver.watch.look import Terms
from resolver.web import MetricsServer
from resolver.web_site import Front
from resolver.web_tls import OPEN, Web, web_of


@final
@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration with what was made from it."""

    config: Config
    policy: Policy
    settings: CoreSettings
    mirrors: tuple[Wanted, ...] = ()
    web: Web = OPEN
    rpz: tuple[RpzZone, ...] = ()
    rpz_copies: Copies = field(default_factory=dict)


class Load(Protocol):
    """Reads the configuration anew. Blocks; raises ``ConfigError``."""

    def __call__(self, last: LastGood | None = None) -> Loaded:
        """``last`` knows the last good state of each file of evidence."""


def file_loader(path: Path) -> Load:
    """Read this file whenever called."""
    files = ZoneFiles()
    return lambda last=None: _loaded(load(path), last, files)


def world_loader(base: Mapping[str, Any], path: Path | None) -> Load:
    """Read this file (if any) over the keys of a testbed world whenever called.

    The user's keys win. Findings name paths but no lines, since two sources were merged.
    """

    folder = path.absolute().parent if path is not None else None
    files = ZoneFiles()

    def load_over(last: LastGood | None = None) -> Loaded:
        merged: Any = base
        source = "(world)"
        if path is not None:
            source = f"{path} over the world's"
            merged = merge(base, _tree(path))
        return _loaded(parse(json.dumps(merged).encode(), source, folder), last, files)

    return load_over


def with_web(load: Load) -> Load:
    """Read the web configuration too: only a server needs it, and may read its key."""

    def load_all(last: LastGood | None = None) -> Loaded:
        loaded = load(last)
        return replace(loaded, web=web_of(loaded.config))

    return load_all


def merge(base: Any, over: Any) -> Any:
    """Mappings are merged key by key; anything else in ``over`` replaces what is in ``base``."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    return {**base, **{key: merge(base.get(key), value) for key, value in over.items()}}


def _tree(path: Path) -> object:
    """Plain values of a YAML file."""
    try:
        tree = read_tree(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(
            str(path), [Finding(WHOLE_FILE, f"cannot be read: {error.strerror}")]
        ) from error
    if tree.findings:
        raise ConfigError(str(path), tree.findings)
    return {} if tree.value is None else tree.value


def _loaded(config: Config, last: LastGood | None, files: ZoneFiles) -> Loaded:
    policy, hints = policy_of(config, last)
    rpz = rpz_of(config)
    copies, findings = read_files(rpz, files)
    if findings:
        raise config.with_lines(findings)
    policy = with_ways(policy, time.monotonic)
    if policy.place is not None and config.border.verify != "off":
        knowledge()  # takes a while, and this is not the thread that serves
    resolution = config.resolution
    settings = CoreSettings(
        hints=hints,
        qname_minimisation=resolution.qname_minimisation,
        strict_abroad=config.border.privacy == "strict",
        randomise_case=resolution.case_randomisation,
        prime=resolution.prime,
        ipv4=resolution.ipv4,
        ipv6=resolution.ipv6,
        local_zones=local_zones(config),
        where_zone=config.local.where,
        shadow_lookups=config.policy.shadow_lookups,
        ttl_max=int(config.cache.ttl_max),
        ttl_negative_max=int(config.cache.ttl_negative_max),
        serve_stale=config.cache.serve_stale is not None,
    )
    return Loaded(config, policy, settings, mirrors_of(config), rpz=rpz, rpz_copies=copies)


def local_zones(config: Config) -> frozenset[Name]:
    """The zones that are answered here and asked of nobody."""
    where = config.local.where
    served = local.zones() if config.local.special_use else frozenset()
    return served if where is None else served | {where}


def make_clock() -> Clock:
    """The one clock; ``CONFORMANCE_CLOCK`` names a file with an offset, for tests."""
    return Clock(os.environ.get("CONFORMANCE_CLOCK"))


def make_records(config: Config) -> RecordStore:
    """The cache of RRsets."""
    cache = config.cache
    kept = int(cache.serve_stale or 0)
    return RecordStore(cache.records, int(cache.ttl_max), int(cache.ttl_negative_max), kept)


def make_door(config: Config, clock: Clock, counters: Counters, workers: int) -> NativeDoor:
    """The way out."""
    return NativeDoor(
        clock,
        counters,
        port=config.resolution.upstream_port,
        workers=workers,
        in_flight_max=config.limits.exchanges,
        linger=limits.UPSTREAM_LINGER_SECONDS,
        tcp_idle=limits.UPSTREAM_TCP_IDLE_SECONDS,
        outcomes_max=limits.TURN_OUTCOMES,
    )


def make_keeper(
    loaded: Loaded, core: Core, clock: Clock, door: TransferDoor, told: Told | None = None
) -> Keeper:
    """The keeper of the mirrors, with what is on disk. Blocks."""
    tools = Tools(core, Wire(door), Fetch(), clock.wall)
    keeper = Keeper(tools, clock, mirror_directory(loaded.config), told)
    keeper.load(loaded.mirrors)
    return keeper


def make_watcher(loaded: Loaded, core: Core, clock: Clock, telling: Telling) -> Watcher:
    """The watch over delegations, with what is known of them on disk. Blocks."""
    watcher = Watcher(core, clock, loaded.config.state.directory, telling)
    watcher.load()
    watcher.configure(followed_of(loaded))
    return watcher


def followed_of(loaded: Loaded) -> Followed:
    """The zones whose delegations are to be followed."""
    watch, policy = loaded.config.watch, loaded.policy
    listed = sorted(policy.domestic_zones) if watch.listed and policy.zones else ()
    zones = tuple(dict.fromkeys((*watch.zones, *(policy.zones if listed else ()), *listed)))
    chosen = zones[: watch.zones_max]
    terms = Terms(policy.domestic_zones | frozenset(watch.zones), watch.gap)
    return Followed(chosen, len(zones) - len(chosen), terms, policy.generation)


def make_response_zones(
    loaded: Loaded, mirrors: Keeper, clock: Clock, told: Told, changed: Callable[[], None]
) -> ResponseZones:
    """The response policy zones, with what is on disk and in files. Blocks."""
    folder = rpz_directory(loaded.config)
    zones = ResponseZones(mirrors.tools, clock, folder, told, changed)
    zones.begin(loaded.rpz, loaded.rpz_copies)
    return zones


def make_transfer_door(config: Config, clock: Clock, counters: Counters) -> TransferDoor:
    """The way out for zone transfers."""
    return TransferDoor(
        clock,
        counters,
        port=config.resolution.upstream_port,
        in_flight_max=limits.MIRROR_QUERIES_MAX,
        linger=limits.UPSTREAM_LINGER_SECONDS,
    )


def make_plans(
    loaded: Loaded, answers: AnswerStore, records: RecordStore, counters: Counters
) -> NativePlans:
    """Where plans are published."""
    config = loaded.config
    port, most = config.resolution.upstream_port, config.limits.lookups
    return NativePlans(
        answers,
        records,
        counters,
        port,
        loaded.policy,
        most,
        int(config.cache.ttl_max),
        int(config.cache.ttl_negative_max),
        SECONDS_BOUNDS,
    )


def make_web(
    loaded: Loaded, exporter: Exporter, front: Front, closing: ExitStack
) -> MetricsServer | None:
    """The exporter, serving already, where there is to be one."""
    metrics = loaded.config.metrics
    if metrics.listen is None:
        return None
    shown = front if metrics.page else None
    server = MetricsServer(exporter, metrics.listen, shown, loaded.web, exporter.refusals)
    closing.callback(server.close)
    return server


def make_core(
    loaded: Loaded, records: RecordStore, on_fault: Callable[[Exception], None] = reraise
) -> Core:
    """A core that knows nothing yet. Its chance orders servers; secrets are native's affair."""
    return Core(
        settings=loaded.settings,
        records=records,
        policy=loaded.policy,
        chance=Random(),
        on_fault=on_fault,
    )


def worker_count(config: Config) -> int:
    """Threads of the packet path, of listener and door each."""
    return config.resolution.workers or len(os.sched_getaffinity(0))


def areas(workers: int) -> int:
    """Who counts apart: the workers of listener and door, the thread that replies to misses, and
    the door for transfers."""
    return 2 * workers + 2


def counters_file(config: Config) -> Path | None:
    """Where the counters live, when they are to survive a crash."""
    directory = config.state.directory
    return directory / "counters" if directory else None


_RESTART_KEYS: dict[str, tuple[str, ...]] = {
    "listen": (),
    "resolution": ("upstream_port", "workers"),
    "cache": (),
    "limits": (),
    "metrics": ("listen", "page"),
    "control": (),
    "state": (),
}
"""By section; an empty row stands for all its keys."""


def restart_keys(old: Config, new: Config) -> list[str]:
    """Keys whose change a reload does not carry out: sockets, threads and memory stand."""
    return [
        f"{section}.{name}"
        for section, names in _RESTART_KEYS.items()
        for name in names or type(getattr(old, section)).model_fields
        if getattr(getattr(old, section), name) != getattr(getattr(new, section), name)
    ]


def make_listener(
    config: Config,
    workers: int,
    clock: Clock,
    answers: AnswerStore,
    counters: Counters,
    plans: NativePlans | None,
) -> Listener:
    """Where clients are answered. Raises ``StateError`` when an address cannot be used."""
    try:
        return Listener(
            clock,
            answers,
            counters,
            addresses=config.listen.dns,
            allow=[str(network) for network in config.access.allow],
            workers=workers,
            misses_max=config.limits.lookups,
            udp_payload_max=limits.UDP_PAYLOAD_MAX,
            tcp_connections_max=config.listen.tcp_connections,
            tcp_per_client_max=config.listen.tcp_connections_per_client,
            tcp_idle=limits.CLIENT_TCP_IDLE_SECONDS,
            plans=plans.native if plans is not None else None,
        )
    except OSError as error:
        raise StateError(f"listen.dns: {error}") from error
