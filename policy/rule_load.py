"""Read the policy files that a configuration names.

Responsible for opening them, and for telling everything that is wrong with any of them at once. A
file is read into memory whole; what is in force stays as it is when one cannot be used.

Limitations: files are read again at each reload; those that did not change are not parsed again.
"""

from collections.abc import Sequence
from pathlib import Path

from policy.rule_file import FileRead, read_rule_file
from policy.rule_make import Around
from policy.rule_merge import merge
from policy.rules import Ruleset
from resolver.config_lines import Tree
from resolver.errors import WHOLE_FILE, Finding
from resolver.limits import CONFIG_OCTETS_MAX


def load_rules(paths: Sequence[Path], around: Around) -> Ruleset:
    """One policy of these files.

    Raises:
        ConfigError: all that is wrong, each with its file and line.
    """
    return merge([_read(path) for path in paths], around)


def _read(path: Path) -> FileRead:
    source = str(path)
    try:
        size = path.stat().st_size
        if size > CONFIG_OCTETS_MAX:
            return _unread(source, f"{size} octets, more than the {CONFIG_OCTETS_MAX} allowed")
        return read_rule_file(path.read_bytes(), source)
    except OSError as error:
        return _unread(source, f"cannot be read: {error.strerror or error}")


def _unread(source: str, message: str) -> FileRead:
    return FileRead(source, Tree(), findings=(Finding(WHOLE_FILE, message, None, source),))
