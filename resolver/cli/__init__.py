"""The command ``inland``: one file a command; only the file of the command that runs is imported.

Exit codes: 0 done; 1 an error in the input, the configuration or the start; 2 wrong usage;
3 the running server cannot be reached; 4 what ``audit --strict`` or ``drill`` found.
"""

import inspect
import signal
import sys
from collections.abc import Callable, Sequence

import typer

from resolver.errors import InlandError

_HELP = """A recursive DNS resolver that keeps a country's lookups inside the country.

Try it without any network: inland serve --world small"""

_EPILOG = (
    "Exit codes: 0 done; 1 an error in the input, the configuration or the start; 2 wrong usage;"
    " 3 the running server cannot be reached; 4 what audit --strict or drill found."
)


def _serve(app: typer.Typer) -> None:
    from resolver.cli.serve import serve

    app.command("serve")(serve)


def _check(app: typer.Typer) -> None:
    from resolver.cli.check import check

    app.command("check")(check)


def _drill(app: typer.Typer) -> None:
    from resolver.cli.drill import drill

    app.command("drill")(drill)


def _explain(app: typer.Typer) -> None:
    from resolver.cli.explain import explain

    app.command("explain")(explain)


def _where(app: typer.Typer) -> None:
    from resolver.cli.explain import addresses_of
    from resolver.cli.where import where_command

    app.command("where")(where_command(addresses_of))


def _audit(app: typer.Typer) -> None:
    from resolver.cli.audit import audit

    app.command("audit")(audit)


def _pack(app: typer.Typer) -> None:
    from resolver.cli import pack_commands

    app.add_typer(pack_commands.app, name="pack")


def _policy(app: typer.Typer) -> None:
    from resolver.cli import policy

    app.add_typer(policy.app, name="policy")


def _control(app: typer.Typer) -> None:
    from resolver.cli import control

    app.add_typer(control.app, name="control")


def _testbed(app: typer.Typer) -> None:
    from resolver.cli import testbed

    app.add_typer(testbed.app, name="testbed")


_MOUNTS: dict[str, Callable[[typer.Typer], None]] = {
    "serve": _serve,
    "check": _check,
    "explain": _explain,
    "where": _where,
    "audit": _audit,
    "pack": _pack,
    "policy": _policy,
    "drill": _drill,
    "control": _control,
    "testbed": _testbed,
}
"""In the order of the help."""


def build(words: Sequence[str]) -> typer.Typer:
    """The program with the one command that ``words`` name, or with all when they name none."""
    app = typer.Typer(
        name="inland",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=_HELP,
        epilog=_EPILOG,
    )
    app.callback()(_no_options)
    wanted = next((word for word in words if not word.startswith("-")), "")
    mounts = [_MOUNTS[wanted]] if wanted in _MOUNTS else _MOUNTS.values()
    for mount in mounts:
        mount(app)
    _reflow(app)
    return app


def _reflow(app: typer.Typer) -> None:
    """Help is as wide as the terminal: what ends a line in a docstring ends none there."""
    for command in app.registered_commands:
        text = inspect.getdoc(command.callback) or ""
        paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
        command.help = "\n\n".join(paragraphs)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _reflow(group.typer_instance)


def _no_options() -> None:
    """Nothing is set before the command; this keeps a single command a command."""


def main() -> None:
    """Entry point of the console script."""
    try:
        build(sys.argv[1:])()
    except InlandError as error:
        for line in str(error).splitlines() or [type(error).__name__]:
            print(f"inland: {line}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:  # the reader of a pipe has had enough
        sys.stderr.close()
        sys.exit(0)
