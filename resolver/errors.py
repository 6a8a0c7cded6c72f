"""The tree of our exceptions: for our own faults and for bad input at the door.

::

    InlandError
    ├── BadName            a name that cannot be one
    ├── BadMessage         a DNS message that cannot be read
    ├── ConfigError        a configuration with one or more findings, all reported at once
    ├── SourceError        a database, list or file of evidence that cannot be used
    ├── StateError         a state file (counters, cache) that cannot be used
    └── ControlError       the control socket: not there, busy, or it said no

What upstream servers do wrong is not an exception but a value (:class:`resolver.model.Failure`).
"""

from dataclasses import dataclass


class InlandError(Exception):
    """Root of the tree; the command line prints it without a traceback."""

    exit_code = 1


class BadName(InlandError):
    """A domain name that breaks RFC 1035 limits or syntax."""


class BadMessage(InlandError):
    """A DNS message that cannot be read."""


WHOLE_FILE = "(file)"
"""The path of a finding about a file as a whole; people are not shown it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a configuration: where (``border.patience``), what, and the line.
    ``source``: the file, where it is not the configuration itself but one that it names."""

    path: str
    message: str
    line: int | None = None
    source: str | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        path = "" if self.path == WHOLE_FILE else f"{self.path}: "
        return f"{where}{path}{self.message}"


class ConfigError(InlandError):
    """All findings of one configuration file."""

    def __init__(self, source: str, findings: list[Finding]) -> None:
        self.source = source
        self.findings = findings
        super().__init__(
            "\n".join(f"{finding.source or source}: {finding}" for finding in findings)
        )


class SourceError(InlandError):
    """An evidence source (database, list) that cannot be read; says which and why, a message for
    each thing that is wrong with it."""

    def __init__(self, *messages: str) -> None:
        self.messages = messages
        super().__init__("\n".join(messages))


class StateError(InlandError):
    """A state file that cannot be used; says which and why."""


class ControlError(InlandError):
    """The control socket is absent, or the server refused the command."""

    exit_code = 3
