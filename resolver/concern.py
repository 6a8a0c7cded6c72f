"""What rules may speak of: names, which are asked about on every chain of aliases, and addresses in
answers. Both are left to Python by native."""

from collections.abc import Sequence
from typing import final

from policy.decision import Names, Rulebook
from resolver.names import Name, ancestors


@final
class Concern:
    """The names that rules of some policies may say something of, and the addresses in answers."""

    def __init__(self, books: Sequence[Rulebook]) -> None:
        found: set[tuple[Name, bool]] = set()
        tables: list[Names] = []
        for book in books:
            found.update(book.concerned())
            tables.extend(book.concerned_tables())
        self.tables = tuple(tables)
        self.rows = tuple(sorted(found))
        self.ranges = tuple([one for book in books for one in book.concerned_ranges()])
        self._exact = frozenset([name for name, _ in self.rows])
        self._below = frozenset([name for name, below in self.rows if below])

    def holds(self, name: Name) -> bool:
        """Whether a name is among them."""
        if name in self._exact:
            return True
        if self._below:
            for above in ancestors(name):
                if above in self._below:
                    return True
        return any(table.find(name) is not None for table in self.tables)
