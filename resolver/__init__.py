"""Inland: a recursive resolver that keeps a country's lookups inside the country, and proves it."""

__version__ = "0.1.0"
