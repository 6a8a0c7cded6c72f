"""``inland`` with a sink that keeps changed delegations in a file, one line of JSON each.

``python -m tests.system.recorded FILE WORD…``: the words are those of ``inland``.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from resolver import app
from resolver.cli import main
from resolver.names import to_text
from resolver.records import Entry
from resolver.watch.changes import DelegationChanged


class FileSink:
    """Appends to a file."""

    blocking = True
    reads = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, records: Sequence[Entry]) -> None:
        """Keep what is about delegations."""
        found = [record for record in records if isinstance(record, DelegationChanged)]
        with self._path.open("a") as file:
            for record in found:
                plain = {
                    "time": record.time,
                    "zone": to_text(record.zone),
                    "kind": record.change.kind.value,
                    "before": record.before.plain(),
                    "after": record.after.plain(),
                    "generation": record.generation,
                }
                file.write(json.dumps(plain) + "\n")

    def close(self) -> None:
        """Nothing stays open."""


if __name__ == "__main__":
    kept = Path(sys.argv.pop(1))
    vars(app)["NullSink"] = lambda: FileSink(kept)
    main()
