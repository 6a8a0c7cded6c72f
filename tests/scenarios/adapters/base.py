"""What an adapter is: it turns neutral settings into one resolver's configuration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.scenarios.script import Scenario
from tests.scenarios.settings import Settings


class Unsupported(Exception):
    """This resolver has no setting for something the scenario asks for."""


@dataclass
class Context:
    """What the runner gives an adapter for one scenario."""

    directory: Path
    address4: str
    address6: str
    port: int
    scenario: Scenario
    settings: Settings
    command: list[str]


@dataclass
class Plan:
    """How to start the resolver; the configuration is already written."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    preload_clock: bool = True  # False: the resolver reads CONFORMANCE_CLOCK itself
    clock_lag: float = 0.02  # seconds after which a moved clock has been noticed


class Adapter(ABC):
    name = "base"
    command: ClassVar[list[str]] = []
    ready_seconds = 8.0
    accepts_fake_crypto = False  # true for a resolver with the fake-sha1 test switch

    @abstractmethod
    def prepare(self, ctx: Context) -> Plan:
        """Write the configuration into ctx.directory; raise Unsupported to skip."""

    def temp_file(self, ctx: Context, name: str) -> str | None:
        """Contents of a file the scenario wants to inspect, or None to not check it."""
        return None

    @staticmethod
    def write_temp_files(ctx: Context) -> dict[str, str]:
        """Files carried inside the scenario (zone files); returns name -> path."""
        paths = {}
        for name in ctx.scenario.temp_files:
            paths[name] = str(ctx.directory / f"file.{name}")
        for name, text in ctx.scenario.temp_files.items():
            lines = []
            for line in text.splitlines():
                words = line.split()
                if words and words[0] == "$INCLUDE_TEMPFILE":
                    line = f"$INCLUDE {paths.get(words[1], words[1])}"
                lines.append(line)
            Path(paths[name]).write_text(
                "\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape"
            )
        return paths
