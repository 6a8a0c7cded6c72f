"""Read one policy file: from its text to forms, with every error and its line.

Responsible for everything that can be said of one file. Rules are read one by one, so that a fault
in one hides nothing of the others.

Limitations: whoever calls has read the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from pydantic import ValidationError

from policy.rule_form import FileForm, RuleForm, ZoneForm
from policy.spot import Spot
from resolver.config_base import Section
from resolver.config_checks import describe
from resolver.config_lines import Path, Tree, path_text, read_tree
from resolver.errors import ConfigError, Finding

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class FileRead:
    """What a file holds. ``form``: all but the rules; ``None`` when it cannot be used. ``items``:
    the rules that can be, with their place in the list."""

    source: str
    tree: Tree
    form: FileForm | None = None
    items: tuple[tuple[int, RuleForm | ZoneForm], ...] = ()
    findings: tuple[Finding, ...] = ()

    def spot(self, *path: str | int) -> Spot:
        """Where a value stands."""
        return Spot(self.source, path_text(path), self.tree.line(path))


def finding_at(spot: Spot, message: str) -> Finding:
    """A finding about what stands there."""
    return Finding(spot.path, message, spot.line, spot.source)


@lru_cache(maxsize=32)
def read_rule_file(data: bytes, source: str) -> FileRead:
    """Read the text of a file. The last ones are remembered, since a reload reads all again."""
    try:
        tree = read_tree(data, source)
    except ConfigError as error:
        told = [Finding(f.path, f.message, f.line, source) for f in error.findings]
        return FileRead(source, Tree(), findings=tuple(told))
    reader = _Reader(source, tree)
    reader.read()
    findings = sorted(reader.findings, key=lambda found: (found.line or 0, found.path))
    return FileRead(source, tree, reader.form, tuple(reader.items), tuple(findings))


@dataclass(slots=True)
class _Reader:
    source: str
    tree: Tree
    form: FileForm | None = None
    items: list[tuple[int, RuleForm | ZoneForm]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def read(self) -> None:
        self.findings += (
            Finding(f.path, f.message, f.line, self.source) for f in self.tree.findings
        )
        value = self.tree.value
        if not isinstance(value, dict):
            self._find((), 'expected keys such as "version: 1" and "rules:"')
            return
        rules = value.get("rules", [])
        is_list = isinstance(rules, list)
        self.form = self._formed(FileForm, value | {"rules": []} if is_list else value, ())
        if is_list:
            for number, raw in enumerate(rules):
                self._rule(number, raw)

    def _rule(self, number: int, raw: object) -> None:
        path: Path = ("rules", number)
        if not isinstance(raw, dict):
            self._find(path, "expected a rule with id, match and effect, or {rpz: NAME}")
            return
        made: RuleForm | ZoneForm | None
        if "rpz" in raw:
            made = self._formed(ZoneForm, raw, path)
        else:
            made = self._formed(RuleForm, raw, path)
        if made is not None:
            self.items.append((number, made))

    def _formed(self, form: type[S], value: Mapping[str, object], at: Path) -> S | None:
        try:
            return form.model_validate(value)
        except ValidationError as errors:
            for error in errors.errors(include_url=False):
                inner, message = describe(error, form)
                path = (*at, *inner)
                if error["type"] == "value_error":
                    while path not in self.tree.lines and len(path) > len(at):
                        path = path[:-1]  # a short form has no key, a lone value no number
                self._find(path, message)
        return None

    def _find(self, path: Path, message: str) -> None:
        self.findings.append(Finding(path_text(path), message, self.tree.line(path), self.source))
