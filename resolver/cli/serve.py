"""``inland serve``: run the resolver until it is told to stop."""

import gc
import logging
import sys

from resolver.cli.options import ConfigFile, WorldName, loading


class _Format(logging.Formatter):
    """``inland: message``, with the level where it is more than news."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return f"inland: {level}{text}"


def serve(config: ConfigFile = None, world: WorldName = None) -> None:
    """Run the resolver.

    Prints a ready line on standard error once it answers. SIGHUP reads the configuration again;
    a bad file changes nothing. SIGTERM and Ctrl-C let lookups under way end, then stop (exit 0).
    """
    # Starting makes no garbage: what is built stays. The application collects once it serves.
    gc.disable()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    from resolver import app

    with loading(config, world) as load:
        app.serve(load)
