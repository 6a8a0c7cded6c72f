"""From the forms of all policy files to one checked policy.

Responsible for what files say together: names that must not come twice, modes and the zones that
enforcing needs, how much one lookup may have to be held against. Everything that is wrong is told
at once.

Limitations: what is right but unwise is the linter's (:mod:`policy.lint`).
"""

from collections.abc import Callable, Iterator, Sequence

from policy.evaluate import Index
from policy.inputs import Mode
from policy.modes import EVERYWHERE, ModeEntry, Modes
from policy.rule_file import FileRead
from policy.rule_form import ModeForm, ZoneForm
from policy.rule_make import Around, Known, RuleMaker, known_words
from policy.rules import DOMESTIC, Forwarder, Rule, Ruleset, ZonePlace
from policy.spot import Spot
from policy.views import OTHERS, View
from resolver.errors import ConfigError
from resolver.limits_policy import CLASSES_MAX, FORWARDERS_MAX, RULES_AT_ONCE_MAX, RULES_MAX
from resolver.model import Verdict, address_text
from resolver.names import Name, is_subdomain

Take = Callable[[FileRead, int], None]


def merge(files: Sequence[FileRead], around: Around) -> Ruleset:
    """One policy of these files, in order.

    Raises:
        ConfigError: all that is wrong with any of them.
    """
    merger = _Merger(files, around)
    ruleset = merger.ruleset()
    findings = [finding for file in files for finding in file.findings] + merger.known.findings
    if findings:
        order = {file.source: number for number, file in enumerate(files)}
        findings.sort(key=lambda f: (order.get(f.source or "", 0), f.line or 0, f.path))
        raise ConfigError(files[0].source, findings)
    return ruleset


class _Merger:
    def __init__(self, files: Sequence[FileRead], around: Around) -> None:
        self.files = files
        self.known = Known(around, all(file.form is not None for file in files))
        self.enforced: set[Name] = set()

    def ruleset(self) -> Ruleset:
        self._unique("views", self._view)
        self._unique("forwarders", self._forwarder)
        self._lists()
        modes = self._modes()
        ruleset = Ruleset(
            tuple(self._items()),
            modes,
            tuple(view for _, view in self.known.views.values()),
            tuple(self.known.forwarders.values()),
            tuple(file.source for file in self.files),
        )
        self._bounds(ruleset)
        return ruleset

    # --- What rules refer to ----------------------------------------------------------------------

    def _unique(self, key: str, take: Take) -> None:
        first: dict[str, Spot] = {}
        for file in self.files:
            for at, entry in enumerate(getattr(file.form, key, ())):
                if self._is_first(entry.name, file.spot(key, at, "name"), first):
                    take(file, at)

    def _is_first(self, name: str, spot: Spot, first: dict[str, Spot]) -> bool:
        other = first.setdefault(name, spot)
        if other is not spot:
            self._find_twice(spot, other)
        return other is spot

    def _find_twice(self, spot: Spot, other: Spot) -> None:
        line = f"line {other.line}"
        where = line if spot.source == other.source else f"{other.source} {line}"
        self.known.find(spot, f"stands twice; first at {where}")

    def _view(self, file: FileRead, at: int) -> None:
        assert file.form is not None
        form = file.form.views[at]
        views = self.known.views
        if form.name == OTHERS:
            spot = file.spot("views", at, "name")
            self.known.find(spot, f"{OTHERS} is the name of all clients in no view")
        for index, prefix in enumerate(form.clients):
            spot = file.spot("views", at, "clients", index)
            for _, other in views.values():
                if prefix in other.clients:
                    self.known.find(spot, f"{prefix} is in view {other.name} too")
            if prefix in form.clients[:index]:
                self.known.find(spot, f"{prefix} stands twice")
        view = View(form.name, form.clients, form.rewrite_secure, form.explain)
        views[form.name] = (len(views) + 1, view)

    def _forwarder(self, file: FileRead, at: int) -> None:
        assert file.form is not None
        form = file.form.forwarders[at]
        spot = file.spot("forwarders", at, "addresses")
        if len(form.addresses) > FORWARDERS_MAX:
            message = f"{len(form.addresses)} addresses; at most {FORWARDERS_MAX}"
            self.known.find(spot, message)
        ask = self.known.around.verdict
        for index, address in enumerate(form.addresses):
            where = file.spot("forwarders", at, "addresses", index)
            if address in form.addresses[:index]:
                self.known.find(where, f"{address_text(address)} stands twice")
            elif ask is not None and (verdict := ask(address)) is not Verdict.DOMESTIC:
                self.known.find(
                    where,
                    f"{address_text(address)} is {verdict.value}, but lookups are handed to"
                    " servers in home only; if it is in home, state it in border.domestic",
                )
        self.known.forwarders[form.name] = Forwarder(form.name, form.addresses, spot)

    def _lists(self) -> None:
        lists = self.known.lists
        lists[DOMESTIC] = tuple(sorted(self.known.around.domestic))
        first: dict[str, Spot] = {}
        for file in self.files:
            for name, domains in (file.form.lists if file.form is not None else {}).items():
                spot = file.spot("lists", name)
                if name == DOMESTIC:
                    words = f"{DOMESTIC} is the list of the border's domestic zones"
                    self.known.find(spot, words)
                elif self._is_first(name, spot, first):
                    lists[name] = domains

    # --- Modes ------------------------------------------------------------------------------------

    def _modes(self) -> Modes:
        general, first = self.known.around.general, dict[str, Spot]()
        for file in self.files:
            if file.form is None:
                continue
            self.enforced.update(file.form.enforce)
            if file.form.mode is not None and self._is_first("mode", file.spot("mode"), first):
                general = Mode(file.form.mode)
        if general is Mode.ENFORCE and not self.enforced and self.known.complete:
            self.known.find(
                first["mode"], "enforcing needs an explicit list of zones: enforce: [gov.example]"
            )
        entries: dict[tuple[Name, int | None], ModeEntry] = {}
        for file in self.files:
            for at, form in enumerate(file.form.modes if file.form is not None else ()):
                entry = self._mode_entry(form, file, at)
                if entry is None:
                    continue
                if (entry.zone, entry.view) in entries:
                    spot = file.spot("modes", at)
                    self.known.find(spot, "the same zone and view as in another entry")
                entries[entry.zone, entry.view] = entry
        return Modes(general, entries.values(), self.enforced)

    def _mode_entry(self, form: ModeForm, file: FileRead, at: int) -> ModeEntry | None:
        if form.zone is None and form.view is None:
            words = "expected zone, view or both; for everything there is the key mode"
            self.known.find(file.spot("modes", at), words)
            return None
        zone = form.zone if form.zone is not None else EVERYWHERE
        listed = any(is_subdomain(zone, z) or is_subdomain(z, zone) for z in self.enforced)
        if form.mode == "enforce" and self.known.complete and not listed:
            self.known.find(
                file.spot("modes", at, "mode"),
                "enforcing needs an explicit list of zones: name the zone under enforce",
            )
        view = None
        if form.view is not None:
            view = self.known.view_number(form.view, file.spot("modes", at, "view"))
            if view is None:
                return None
        return ModeEntry(zone, view, Mode(form.mode), form.reference or "", file.spot("modes", at))

    # --- Rules ------------------------------------------------------------------------------------

    def _items(self) -> Iterator[Rule | ZonePlace]:
        first: dict[str, Spot] = {}
        for file in self.files:
            for number, form in file.items:
                if isinstance(form, ZoneForm):
                    spot = file.spot("rules", number, "rpz")
                    if self._is_first(form.rpz, spot, first):
                        self._zone(form.rpz, spot)
                        yield ZonePlace(form.rpz, spot)
                    continue
                rule = RuleMaker(self.known, file, number, form).rule()
                is_first = self._is_first(form.id, file.spot("rules", number, "id"), first)
                if rule is not None and is_first:
                    yield rule

    def _zone(self, name: str, spot: Spot) -> None:
        zones = self.known.around.zones
        if zones is not None and name not in zones:
            self.known.find(spot, f"no response policy zone {name}; {known_words('zones', zones)}")

    def _bounds(self, ruleset: Ruleset) -> None:
        rules = ruleset.rules
        if len(rules) > RULES_MAX:
            self.known.find(rules[RULES_MAX].spot, f"{len(rules)} rules; at most {RULES_MAX}")
            return
        if len(ruleset.views) > CLASSES_MAX:
            words = f"{len(ruleset.views)} views; at most {CLASSES_MAX}"
            self.known.find(self.files[0].spot("views"), words)
        count, found = Index(rules).at_once()
        if count > RULES_AT_ONCE_MAX:
            self.known.find(
                found[RULES_AT_ONCE_MAX].rule.spot,
                f"{count} rules may have to be held against one name, at most {RULES_AT_ONCE_MAX};"
                " use one rule with a list of names",
            )
