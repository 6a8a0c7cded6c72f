"""The part of the configuration that names policy files.

Limitations: what stands in those files is read later (``policy/rule_load.py``, docs/policy.md).
"""

from typing import Annotated

from pydantic import AfterValidator

from resolver.config_base import Section, key
from resolver.config_rpz import RpzEntries
from resolver.config_units import FilePath, integer
from resolver.limits_policy import RULE_FILES_MAX
from resolver.limits_views import SHADOW_LOOKUPS_MAX


def _few(files: tuple[FilePath, ...] | None) -> tuple[FilePath, ...] | None:
    if files is not None and len(files) > RULE_FILES_MAX:
        raise ValueError(f"{len(files)} files; at most {RULE_FILES_MAX}")
    for at, file in enumerate(files or ()):
        if file in (files or ())[:at]:
            raise ValueError(f"{file} stands twice")
    return files


class PolicySection(Section):
    """Rules: who may be answered what, and where lookups may go."""

    files: Annotated[tuple[FilePath, ...], AfterValidator(_few)] = key(
        [], "policy files (see docs/policy.md); their rules count in the order of the files"
    )
    rpz: RpzEntries = key([], "response policy zones in their order (docs/rpz.md): {zone, file, …}")
    shadow: Annotated[tuple[FilePath, ...] | None, AfterValidator(_few)] = key(
        None, "policy files that are tried beside: what would differ is counted; null: none"
    )
    shadow_lookups: Annotated[int, integer(0, SHADOW_LOOKUPS_MAX)] = key(
        0,
        "lookups a second that are made for the shadow alone, where the rules in force answer"
        " without one; 0: none, and what they would have shown is counted as undecided",
    )
