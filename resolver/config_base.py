"""What all sections of the configuration share: frozen classes, keys with help, short forms.

Limitations: sections that hold no keys of their own are not provided for.
"""

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """Common to all parts: frozen, no unknown keys, defaults read like written values."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def key(default: object, help_text: str) -> Any:
    """A key with its default as written in YAML, and one line of help."""
    if default is None or isinstance(default, str | int | list | dict):
        return Field(default, description=help_text)
    raise AssertionError("defaults are written as in YAML")


def short(name: str, long: type[Section]) -> BeforeValidator:
    """Let an entry be a bare value instead of a mapping with the key ``name``."""
    return BeforeValidator(
        lambda value: value if isinstance(value, dict | Section) else {name: value},
        json_schema_input_type=str | long,
    )
