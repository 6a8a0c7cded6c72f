"""Inland: a recursive resolver that keeps a country's lookups inside the country, and proves it."""

__version__ = "0.1.0"

from resolver import compiled

__path__[:0] = compiled.places(__name__)
