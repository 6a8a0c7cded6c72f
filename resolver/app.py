"""The composition root of ``inland serve``: start, reload, drain.

Start: everything is built and bound before the ready line; whatever fails ends the start with one
clear error. Reload: configuration and policy are built beside the old ones in a thread, then
swapped between two turns; a bad file changes nothing. Lookups under way end under the policy they
began with; their answers go to those who wait and are never served under the new one. Stop: new
clients are turned away, lookups under way get a bounded time.
"""

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, final

import trio
from prometheus_client.metrics_core import Metric

from policy.kept import LastGood
from resolver import __version__, compiled, limits, notify
from resolver.assemble import (
    Load,
    Loaded,
    areas,
    counters_file,
    followed_of,
    make_clock,
    make_core,
    make_door,
    make_keeper,
    make_listener,
    make_plans,
    make_records,
    make_response_zones,
    make_transfer_door,
    make_watcher,
    make_web,
    restart_keys,
    with_web,
    worker_count,
)
from resolver.cache import AnswerStore
from resolver.carried import Carried
from resolver.carry import NativePlans
from resolver.commands import Commands, Running
from resolver.config import warnings
from resolver.control import Command, ControlServer
from resolver.counters import Counters
from resolver.errors import ConfigError, InlandError
from resolver.evidence import accept, facts_of, tell
from resolver.in_force import InForce, OwnWork
from resolver.limits_views import SWAP_SETTLE_SECONDS
from resolver.metrics import Exporter, Facts
from resolver.metrics_mirrors import mirror_metrics
from resolver.metrics_policy import policy_metrics
from resolver.metrics_privacy import privacy_metrics
from resolver.metrics_proofs import proof_metrics
from resolver.metrics_reloads import Reloads
from resolver.metrics_rpz import rpz_metrics
from resolver.metrics_watch import watch_metrics
from resolver.mirrors.notify import Notices
from resolver.model import Address
from resolver.pack_of import mirror_letters
from resolver.prove import Prover
from resolver.records import NullSink, RecordQueue
from resolver.resolve import Driver
from resolver.schedule import Scheduler
from resolver.serve import Service
from resolver.tally import Tally
from resolver.watch.keep import Telling
from resolver.web_site import Front

_log = logging.getLogger("inland")


@final
class App:
    """A running resolver. Binds in the constructor; :meth:`run` serves.

    Raises:
        ConfigError: the configuration cannot be used.
        StateError: an address, the control socket or the counters file cannot be used.
    """

    def __init__(self, load: Load, closing: ExitStack) -> None:
        self._load = with_web(load)
        self._last = LastGood()
        self._loaded = loaded = self._load(self._last)
        config = loaded.config
        _log.setLevel(config.log.level.upper())
        workers = worker_count(config)
        self._began = time.monotonic()
        self._reloading = trio.Lock()
        self._reloads = Reloads()
        self._hangup = False
        self._clock = make_clock()
        self._counters = Counters(counters_file(config), areas=areas(workers))
        self._answers = AnswerStore(config.cache.answers)
        self._records = make_records(config)
        self._tally = Tally()
        self._queue = RecordQueue(NullSink())
        self._door = make_door(config, self._clock, self._counters, workers)
        closing.callback(self._door.close)
        self._core = make_core(loaded, self._records)
        self._prover = Prover(self._core, self._clock)
        transfers = make_transfer_door(config, self._clock, self._counters)
        closing.callback(transfers.close)
        self._keeper = make_keeper(loaded, self._core, self._clock, transfers, self._internal)
        self._zones = make_response_zones(
            loaded, self._keeper, self._clock, self._internal, self._zones_changed
        )
        self._loaded = loaded = self._proving(loaded)
        self._in_force = InForce(self._core, loaded.policy)
        telling = Telling(self._internal, self._queue.put)
        self._watcher = make_watcher(loaded, self._core, self._clock, telling)
        scheduler = Scheduler(self._core, self._internal)
        self._driver = Driver(scheduler, self._door, self._clock)
        closing.callback(self._driver.close)
        self._own_work = OwnWork(self._core, self._driver)
        self._plans: NativePlans | None = None
        if config.resolution.plans:
            self._plans = make_plans(loaded, self._answers, self._records, self._counters)
            self._in_force.plan_with(self._plans, loaded.policy)
            self._driver.watch(self._plans.fileno())
        self._listener = make_listener(
            config, workers, self._clock, self._answers, self._counters, self._plans
        )
        closing.callback(self._listener.close)
        self._listener.set_notifiers(self._notifiers())
        self._service = Service(
            self._listener,
            self._driver,
            self._clock,
            self._answers,
            self._queue,
            self._tally,
            loaded.policy,
            self._carried(),
            self._in_force.decider,
        )
        self._service.tell_hits(self._zones.hits.note)
        self._core.on_fault = self._service.fault
        self._driver.attach(self._service)
        self.exporter = Exporter(self._counters, self._tally, self._facts, __version__, self._more)
        front = Front(lambda: sorted(self._loaded.policy.home), self._tally.worst)
        self._web = make_web(loaded, self.exporter, front, closing)
        path = config.control.socket
        self._control = ControlServer(path, self._commands()) if path is not None else None

    def _proving(self, loaded: Loaded) -> Loaded:
        letters = mirror_letters(loaded.config)
        policy = self._prover.stand(loaded.policy, loaded.config.border.verify, letters)
        return replace(loaded, policy=self._zones.over(policy))

    def _zones_changed(self) -> None:
        """Another version of a response policy zone: another policy; all else is as it was."""
        policy = self._zones.over(self._loaded.policy)
        self._loaded = loaded = replace(self._loaded, policy=policy)
        self._in_force.swap(policy, loaded.settings, self._plans, self._service)
        self._own_work.follow()

    def _notifiers(self) -> tuple[Address, ...]:
        return (*self._keeper.notifiers(), *self._zones.keeper.notifiers())

    def _more(self) -> Iterator[Metric]:
        yield from mirror_metrics(self._keeper, self._keeper.fetch)
        yield from proof_metrics(self._prover)
        yield from rpz_metrics(self._zones, self._in_force.tags, self._tally, self._counters)
        yield from watch_metrics(self._watcher)
        yield from self._reloads.metrics()
        yield from privacy_metrics(self._counters, self._core.withheld)
        yield from policy_metrics(self._in_force.tags, self._tally, self._counters)

    def _carried(self) -> Carried | None:
        parts = self._core, self._clock, self._answers, self._queue, self._tally
        return Carried(self._plans, *parts) if self._plans is not None else None

    def _internal(self, *work: Any) -> None:
        self._service.internal(*work)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain."""
        with trio.open_signal_receiver(signal.SIGHUP, signal.SIGTERM, signal.SIGINT) as received:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._queue.run)
                if self._control is not None:
                    nursery.start_soon(self._control.run)
                nursery.start_soon(self._driver.run)
                nursery.start_soon(self._keeper.run)
                nursery.start_soon(self._zones.run)
                keepers = (self._keeper, self._zones.keeper)
                nursery.start_soon(Notices(keepers, self._listener).run)
                nursery.start_soon(self._prover.run, self._driver.verify)
                nursery.start_soon(self._watcher.run, self._own_work.lookup)
                self._announce()
                nursery.start_soon(notify.watchdog)
                # Of this thread alone: those of native have been started.
                nice = os.getpriority(os.PRIO_PROCESS, 0) + limits.INTERPRETER_NICE
                os.setpriority(os.PRIO_PROCESS, 0, nice)
                gc.freeze()  # what is built by now lives as long as we do
                gc.set_threshold(limits.GARBAGE_YOUNG)
                gc.enable()  # the command had it off while it built
                async for number in received:
                    if number != signal.SIGHUP:
                        break
                    if not self._hangup:  # a reload that has not begun will see this change too
                        self._hangup = True
                        nursery.start_soon(self._reload_on_signal)
                await self._drain()
                nursery.cancel_scope.cancel()

    def _announce(self) -> None:
        config, policy = self._loaded.config, self._loaded.policy
        for warning in [*warnings(config), *self._reloads.settle(config)]:
            _log.warning(warning)
        accept(self._last)
        tell(policy, self._last)
        where = " ".join(_address_text(address) for address in self._listener.addresses())
        home = ", ".join(sorted(policy.home))
        line = (
            f"ready: listening on {where} "
            f"(policy {policy.generation[:12]}, mode {policy.mode.value}, home {home})"
        )
        if self._web is not None:
            _log.info("metrics on %s", self._web.url)
            self._web.ready(trio.lowlevel.current_trio_token())
        if config.control.socket is not None:
            _log.info("control socket %s", config.control.socket)
        # Not a log message: whoever waits for it waits at any log.level.
        print(f"inland: {line}", file=sys.stderr, flush=True)
        notify.ready(line)

    async def _drain(self) -> None:
        """Lookups under way end or are given up; what clients wait for is sent."""
        notify.stopping()
        _log.info("stopping: %d lookups under way", self._driver.lookups)
        self._service.stop()
        self._watcher.stop()
        if self._web is not None:
            self._web.stopping()
        if self._plans is not None:
            self._plans.stop()
        with trio.move_on_after(limits.DRAIN_SECONDS):
            while self._driver.lookups or (self._plans and self._plans.under_way()):
                await trio.sleep(limits.DRAIN_LOOK_SECONDS)
        with trio.move_on_after(limits.DRAIN_SECONDS):
            await self._queue.close()
        await self._watcher.save()

    async def _reload_on_signal(self) -> None:
        try:
            async with self._reloading:
                self._hangup = False
                await self._reload_now()
        except InlandError as error:
            _log.error("reload refused, nothing changed: %s", error)

    async def reload(self) -> dict[str, Any]:
        """Swap configuration and policy. Returns what changed, for the control client.

        Raises:
            ConfigError: the new configuration is bad; the old one stays in force.
        """
        async with self._reloading:
            return await self._reload_now()

    async def _reload_now(self) -> dict[str, Any]:
        notify.reloading()
        try:
            with self._reloads.attempt():
                loaded = await trio.to_thread.run_sync(self._load, self._last)
                await trio.to_thread.run_sync(self._zones.prepare, loaded.rpz_copies)
                done = self._swap(loaded)
            await trio.sleep(SWAP_SETTLE_SECONDS)
            await trio.to_thread.run_sync(accept, self._last)
            tell(self._loaded.policy, self._last)
            for warning in await trio.to_thread.run_sync(self._reloads.settle, self._loaded.config):
                _log.warning(warning)
            return done
        finally:
            notify.ready(f"policy {self._loaded.policy.generation[:12]}")

    def _swap(self, loaded: Loaded) -> dict[str, Any]:
        """One step between two turns: nothing awaits in here."""
        old = self._loaded
        self._zones.configure(loaded.rpz, loaded.rpz_copies)
        loaded = self._proving(loaded)
        self._in_force.swap(loaded.policy, loaded.settings, self._plans, self._service)
        self._own_work.follow()
        self._listener.set_access([str(network) for network in loaded.config.access.allow])
        self._keeper.configure(loaded.mirrors)
        self._watcher.configure(followed_of(loaded))
        if self._web is not None:
            self._web.configure(loaded.web)
        self._listener.set_notifiers(self._notifiers())
        self._loaded = loaded
        _log.setLevel(loaded.config.log.level.upper())
        changed = old.policy.generation != loaded.policy.generation
        restart = restart_keys(old.config, loaded.config)
        _log.info(
            "reloaded: policy %s (%s), mode %s",
            loaded.policy.generation[:12],
            "changed" if changed else "unchanged",
            loaded.policy.mode.value,
        )
        for key in restart:
            _log.warning("reload: %s changed, but takes effect at the next start only", key)
        return {
            "generation": loaded.policy.generation,
            "changed": changed,
            "restart_needed_for": restart,
        }

    def _facts(self) -> Facts:
        policy = self._loaded.policy
        return Facts(
            policy.generation,
            policy.mode.value,
            {"answers": self._answers.entries(), "records": self._records.entries()},
            {"answers": self._answers.size(), "records": self._records.size()},
            self._queue.lost,
            self._driver.lookups,
            self._driver.needless,
            facts_of(policy),
            len(self._last.problems),
        )

    def _commands(self) -> dict[str, Command]:
        running = Running(
            self._core,
            self._answers,
            self._records,
            self._prover,
            self._driver,
            self._clock,
            self._keeper.wire,
            self._internal,
        )
        return {
            "status": self._status,
            "reload": self._reload,
            "mirror": self._zones.command(self._keeper),
            "watch": self._watcher.command,
            **Commands(running).all(),
        }

    async def _status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        facts = self._facts()
        hits = sum(hit.count for hit in self._counters.hits())
        exchanges = self._counters.exchanges()
        return {
            "version": __version__,
            "compiled": compiled.USED is not None,
            "pid": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._began, 3),
            "listening": [_address_text(address) for address in self._listener.addresses()],
            "metrics": self._web.url if self._web else None,
            "source_ports": self._door.source_ports,
            "home": sorted(self._loaded.policy.home),
            "mode": facts.mode,
            "generation": facts.generation,
            "lookups": hits + sum(self._tally.lookups.values()),
            "lookups_from_answer_cache": hits,
            "lookups_escaped": sum(self._tally.escaped.values()),
            "lookups_under_way": facts.lookups_under_way,
            "exchanges": sum(row.sent for row in exchanges),
            "exchanges_abroad": sum(row.sent for row in exchanges if row.verdict != "domestic"),
            "needless_escapes": self._driver.needless,
            "cache_entries": dict(facts.cache_entries),
            "cache_bytes": dict(facts.cache_bytes),
            "records_lost": facts.records_lost,
            "mirrors": self._keeper.status(),
            "rpz": self._zones.status(),
            "watch": self._watcher.status(),
            "faults": self._tally.faults,
        }

    async def _reload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self.reload()
        except ConfigError as error:
            _log.error("reload refused, nothing changed: %s", error)
            raise


def _address_text(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def serve(load: Load) -> None:
    """Run until told to stop. Raises ``InlandError`` when the start fails."""
    with ExitStack() as closing:
        app = App(load, closing)
        trio.run(app.run)
