"""The board on which plans are published for native, and the one that keeps nothing."""

from typing import TYPE_CHECKING, Protocol, final

from resolver.model import Question
from resolver.names import Name

if TYPE_CHECKING:
    from resolver.plan import Plan


class Plans(Protocol):
    """Where plans are published. Times are those of the one clock."""

    def publish(self, plan: "Plan") -> None:
        """Put a plan in force in the place of what stands for its cut."""

    def bar(self, zone: Name, until: float) -> None:
        """A cut without a plan: misses below it are Python's."""

    def forget(self, name: Name, subtree: bool) -> None:
        """There is no such cut any more (or none at and below the name)."""

    def leave(self, question: Question, until: float, now: float) -> None:
        """A question is Python's until then: it failed, or its answer bears on a plan."""

    def forgive(self) -> None:
        """No question has failed."""


@final
class NoPlans:
    """Keeps nothing: every miss is Python's."""

    def publish(self, plan: "Plan") -> None:
        """Nothing."""

    def bar(self, zone: Name, until: float) -> None:
        """Nothing."""

    def forget(self, name: Name, subtree: bool) -> None:
        """Nothing."""

    def leave(self, question: Question, until: float, now: float) -> None:
        """Nothing."""

    def forgive(self) -> None:
        """Nothing."""
