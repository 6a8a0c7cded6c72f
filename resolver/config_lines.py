"""Read YAML text into plain values, and remember on which line each of them stands.

Responsible for the syntax of the configuration file and for its bounds (octets, nesting, nodes),
so that no file can take more than a moment or any error other than a clear one. It works on parser
events instead of a ready loader, because only so every key keeps its line, a repeated key is seen,
and nesting is bounded while reading.

The dialect is the core schema of YAML 1.2: ``true`` and ``false`` are the only booleans, so that
the country ``NO`` stays text. JSON is read as YAML.

Limitations: tags, merge keys and several documents in one file are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from resolver.errors import WHOLE_FILE, ConfigError, Finding
from resolver.limits import CONFIG_DEPTH_MAX, CONFIG_NODES_MAX, CONFIG_OCTETS_MAX

Path = tuple[str | int, ...]

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_WORDS: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


@dataclass(slots=True)
class Tree:
    """The values of a file, the line of each path, and what was wrong on the way."""

    value: object = None
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """Line of a path, or of the nearest value around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def path_text(path: Path) -> str:
    """``border.domestic[0]``; the file itself is ``(file)``."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            plain = part if re.fullmatch(r"[\w-]{1,64}", part, re.ASCII) else repr(part)[:80]
            out += f".{plain}" if out else plain
    return out or WHOLE_FILE


def read_tree(data: bytes, source: str) -> Tree:
    """Values and lines of a configuration file.

    Raises:
        ConfigError: what is not UTF-8 or not YAML, or breaks a bound; with line and column.
    """
    if len(data) > CONFIG_OCTETS_MAX:
        raise _error(source, f"{len(data)} octets, more than the {CONFIG_OCTETS_MAX} allowed", None)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(source, f"not UTF-8: octet 0x{data[error.start]:02x}", line) from None
    try:
        return _Reader(yaml.parse(text, Loader=_LOADER), source).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        where = f" (column {mark.column + 1})" if mark else ""
        raise _error(source, f"not YAML: {words}{where}", mark.line + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _error(source, f"not YAML: {error.reason}", line) from None


def _error(source: str, message: str, line: int | None) -> ConfigError:
    return ConfigError(source, [Finding(WHOLE_FILE, message, line)])


@dataclass(slots=True)
class _Node:
    """One parsed value: text for a plain or quoted scalar, else children."""

    line: int
    value: object = None
    items: "list[_Node] | None" = None
    pairs: "list[tuple[_Node, _Node]] | None" = None


class _Reader:
    """Builds nodes from parser events, then values from nodes."""

    def __init__(self, events: Iterator[yaml.Event], source: str) -> None:
        self._events = events
        self._source = source
        self._anchors: dict[str, _Node] = {}
        self._tree = Tree()
        self._nodes = 0

    def read(self) -> Tree:
        next(self._events)  # stream start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            self._tree.lines[()] = 1
            return self._tree
        root = self._node(next(self._events), 0)
        next(self._events)  # document end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._refuse("a second document (---) in one file", event)
        self._tree.value = self._build(root, ())
        return self._tree

    def _refuse(self, what: str, event: yaml.Event) -> ConfigError:
        return _error(self._source, what, _line(event))

    def _node(self, event: yaml.Event, depth: int) -> _Node:
        if depth > CONFIG_DEPTH_MAX:
            raise self._refuse(f"nested deeper than {CONFIG_DEPTH_MAX} levels", event)
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(event.anchor or "")
            if known is None:
                raise self._refuse(f"alias *{event.anchor} without its anchor before it", event)
            return known
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._refuse(f"tag {tag!r} is not supported", event)
        node = _Node(_line(event))
        if isinstance(event, yaml.ScalarEvent):
            node.value = _plain(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            node.items = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                node.items.append(self._node(inner, depth + 1))
        else:
            node.pairs = []
            while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
                key = self._node(inner, depth + 1)
                node.pairs.append((key, self._node(next(self._events), depth + 1)))
        # Kept only when complete, so a list cannot hold itself.
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = node
        return node

    def _build(self, node: _Node, path: Path) -> object:
        self._nodes += 1
        if self._nodes > CONFIG_NODES_MAX:
            raise _error(self._source, f"more than {CONFIG_NODES_MAX} values", node.line)
        if len(path) > CONFIG_DEPTH_MAX:  # aliases can stack what each stays within the bound
            raise _error(self._source, f"nested deeper than {CONFIG_DEPTH_MAX} levels", node.line)
        self._tree.lines.setdefault(path, node.line)
        if node.items is not None:
            return [self._build(item, (*path, at)) for at, item in enumerate(node.items)]
        if node.pairs is not None:
            return self._mapping(node.pairs, path)
        return node.value

    def _mapping(self, pairs: list[tuple[_Node, _Node]], path: Path) -> dict[str, object]:
        out: dict[str, object] = {}
        for key, value in pairs:
            if key.items is not None or key.pairs is not None:
                self._find(path, "a key must be a word, not a list or mapping", key.line)
                continue
            name = _key(key.value)
            inner = (*path, name)
            if name in out:
                first = self._tree.lines[inner]
                self._find(inner, f"stands twice; first on line {first}", key.line)
                continue
            self._tree.lines[inner] = key.line
            out[name] = self._build(value, inner)
        return out

    def _find(self, path: Path, message: str, line: int) -> None:
        self._tree.findings.append(Finding(path_text(path), message, line))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _plain(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _key(value: object) -> str:
    return value if isinstance(value, str) else str(value).lower()
