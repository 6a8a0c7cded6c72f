"""Make ``config/inland.yaml`` and the schemas beside it from the configuration classes.

Responsible for the reference that operators read: every key, its default, its unit in the form
of the default, and one line of help. Run ``python -m resolver.config_docs`` in a checkout; a test
fails when the files are stale.

``config/schema.json`` is that of a configuration, ``config/policy.schema.json`` that of a policy
file.

Limitations: writes below the current directory.
"""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from policy.rule_form import FileForm, RuleForm, ZoneForm
from resolver.config import Config

COLUMNS = 100

_HEAD = """\
# Inland: every key of the configuration with its default. Only "home" (or "pack") is required.
# Made by "python -m resolver.config_docs"; check a file of your own with "inland check FILE".
# Relative paths start at the directory of the configuration file.
# Units: durations ms s m h d, sizes B KiB MiB GiB.
"""


def reference() -> str:
    """The annotated configuration; valid as it stands."""
    return _HEAD + "\n".join(_section(Config, "", {"home": ["IN"]})) + "\n"


def _section(model: type[BaseModel], indent: str, examples: dict[str, object]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = field.annotation
        if not indent:
            yield ""
        yield from _help(field, indent)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield f"{indent}{key}:"
            yield from _section(inner, indent + "  ", {})
        else:
            yield from _value(key, examples.get(key, field.default), indent)


def _help(field: FieldInfo, indent: str) -> list[str]:
    start = f"{indent}# "
    text = field.description or ""
    return textwrap.wrap(text, COLUMNS, initial_indent=start, subsequent_indent=start)


def _value(key: str, value: object, indent: str) -> Iterator[str]:
    """JSON is YAML: one line, or one line an entry when that would be too long."""
    line = f"{indent}{key}: {_plain(value)}"
    if len(line) <= COLUMNS or not isinstance(value, list):
        yield line
        return
    yield f"{indent}{key}:"
    yield from (f"{indent}  - {_plain(entry)}" for entry in value)


def _plain(value: object) -> str:
    simple = isinstance(value, str) and value.replace("_", "").isalnum() and value.islower()
    return str(value) if simple else json.dumps(value)


def schema() -> str:
    """JSON schema of the configuration, for editors."""
    made = Config.model_json_schema(by_alias=True, mode="validation")
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(made, indent=2, sort_keys=True) + "\n"


def policy_schema() -> str:
    """JSON schema of a policy file (docs/policy.md), for editors."""
    forms = (FileForm, RuleForm, ZoneForm)
    refs, made = models_json_schema([(form, "validation") for form in forms], by_alias=True)
    file, rule, zone = (refs[form, "validation"] for form in forms)
    properties = made["$defs"]["FileForm"]["properties"]
    properties["rules"] |= {"items": {"anyOf": [rule, zone]}}
    made |= file
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(made, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write all files."""
    directory = Path("config")
    (directory / "inland.yaml").write_text(reference(), "utf-8")
    (directory / "schema.json").write_text(schema(), "utf-8")
    (directory / "policy.schema.json").write_text(policy_schema(), "utf-8")


if __name__ == "__main__":
    main()
