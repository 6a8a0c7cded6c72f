"""Tests that change what they test from outside, as only interpreted code allows."""

import pytest

from resolver import compiled

interpreted = pytest.mark.skipif(
    compiled.USED is not None,
    reason="changes constants or methods of compiled modules; runs with INLAND_COMPILED=0",
)
"""Skips a test where modules run compiled. ``make test`` runs it interpreted as well."""
