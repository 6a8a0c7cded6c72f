"""One descriptor that is readable when any of several is, so that one wait covers all of them."""

import select
from typing import final


@final
class Readiness:
    """An epoll instance over descriptors that others own and close."""

    def __init__(self) -> None:
        self._poll = select.epoll()

    def watch(self, fileno: int) -> None:
        """Be readable when ``fileno`` is, until it is closed."""
        self._poll.register(fileno, select.EPOLLIN)

    def fileno(self) -> int:
        """What to wait for."""
        return self._poll.fileno()

    def close(self) -> None:
        """Watch nothing any more."""
        self._poll.close()
