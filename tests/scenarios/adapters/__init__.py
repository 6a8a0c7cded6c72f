"""Adapters: how to configure and start each resolver."""

from __future__ import annotations

from tests.scenarios.adapters.base import Adapter, Context, Plan, Unsupported
from tests.scenarios.adapters.inland import Inland
from tests.scenarios.adapters.kresd import Kresd
from tests.scenarios.adapters.unbound import Unbound

ADAPTERS: dict[str, type[Adapter]] = {"unbound": Unbound, "kresd": Kresd, "inland": Inland}

__all__ = ["ADAPTERS", "Adapter", "Context", "Plan", "Unsupported"]
