"""The command line: one verb a file, errors a person can act on, and nothing heavy before it is needed."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from autolect.cli import (
    arguments,
    compare,
    doctor,
    evaluate,
    finding,
    init,
    labels,
    neighbours,
    plan,
    run,
    serve,
    show,
    texts,
    verify,
)
from autolect.cli.options import Voice
from autolect.core import stop
from autolect.core.errors import UserError
from autolect.core.version import __version__

OK, BUG, USER, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
"""Exit statuses; the last two are those of SIGINT and SIGTERM."""

_EVERYWHERE = "Everywhere: --json, --quiet, --debug; `autolect --help` explains them."
Verbs = tuple[tuple[str, Callable[..., None]], ...]

_LABELS: Verbs = (("check", labels.check), ("convert", labels.convert))
_VERBS: dict[str, tuple[tuple[str, Callable[..., None] | Verbs], ...]] = {
    "The way of the text": (
        ("init", init.init),
        ("plan", plan.plan),
        ("run", run.run),
        ("prepare", run.prepare),
        ("vectors", run.vectors),
        ("pretrain", run.pretrain),
        ("finetune", run.finetune),
        ("search", finding.search),
        ("evaluate", evaluate.evaluate),
        ("compare", compare.compare),
    ),
    "Use of a model": (
        ("fill", texts.fill),
        ("encode", texts.encode),
        ("embed", texts.embed),
        ("reconstruct", texts.reconstruct),
        ("interpolate", texts.interpolate),
        ("generate", texts.generate),
        ("score", texts.score),
        ("predict", texts.predict),
        ("neighbours", neighbours.neighbours),
        ("serve", serve.serve),
    ),
    "Many texts": (
        ("index", finding.index),
        ("recommend", finding.recommend),
        ("cluster", finding.cluster),
        ("suggest", labels.suggest),
    ),
    "Care": (("labels", _LABELS), ("verify", verify.verify), ("doctor", doctor.doctor)),
}


class Terminated(SystemExit):
    """SIGTERM arrived; raised in the main thread, so that everything open is closed."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    words = arguments.arrange(sys.argv[1:] if argv is None else argv)
    sys.exit(_run(words))


def _run(words: list[str]) -> int:
    debug = "--debug" in words[: words.index("--") if "--" in words else None]
    verb = next((word for word in words if word not in arguments.EVERYWHERE), "")
    heard = _listen()
    try:
        status = _app()(words or ["--help"], prog_name="autolect", standalone_mode=False)
    except Terminated:
        status = TERMINATED
    except (KeyboardInterrupt, Abort):
        status = INTERRUPTED
    except Exception as error:
        status = heard[0] if heard else _tell(error, verb=verb, debug=debug)
    if status in (INTERRUPTED, TERMINATED):
        again = "; the same command continues where it stopped" if verb in run.RESUMABLE else ""
        show.tell(f"stopped{again}")
    return status if isinstance(status, int) else OK


def _app() -> typer.Typer:
    app = typer.Typer(
        name="autolect",
        help="Turn a folder of text into a language model that you understand, control and can deploy.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    app.callback()(_everywhere)
    for panel, verbs in _VERBS.items():
        for name, verb in verbs:
            if callable(verb):
                app.command(name, rich_help_panel=panel, epilog=_EVERYWHERE)(verb)
                continue
            about = "Labelled files: what is in them, and other formats."
            below = typer.Typer(help=about, invoke_without_command=True)
            below.callback()(_helped)
            for word, one in verb:
                below.command(word, epilog=_EVERYWHERE)(one)
            app.add_typer(below, name=name, rich_help_panel=panel)
    return app


def _helped(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        show.write(ctx.get_help())


def _everywhere(
    ctx: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="Answer in JSON, one value a line. May stand anywhere.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, only the result. May stand anywhere.")
    ] = False,
    debug: Annotated[  # noqa: ARG001 (read before Typer starts, so that its own errors are covered)
        bool, typer.Option("--debug", help="Show the traceback of an error. May stand anywhere.")
    ] = False,
    version: Annotated[  # noqa: ARG001 (its callback has answered already)
        bool,
        typer.Option("--version", callback=lambda asked: _version(asked), is_eager=True, help="Show it."),
    ] = False,
) -> None:
    ctx.obj = Voice(json=json, quiet=quiet)


def _version(asked: bool) -> None:
    if asked:
        show.write(f"autolect {__version__}")
        raise typer.Exit


def _names() -> frozenset[str]:
    return frozenset(name for verbs in _VERBS.values() for name, _ in verbs)


def _listen() -> list[int]:
    """Let SIGINT and SIGTERM raise in the main thread; gives the list that their exit statuses go to.

    What they raise may arrive as something else: torch, reading a checkpoint, calls Python from C and makes a
    ValueError of whatever that raises. A signal that was ignored stays ignored.
    """
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            heard.append(TERMINATED)
            raise Terminated(TERMINATED)
        heard.append(INTERRUPTED)
        raise KeyboardInterrupt

    for number in stop.SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hear)
    return heard


def _tell(error: Exception, *, verb: str, debug: bool) -> int:
    """Say what went wrong; gives the exit status."""
    if isinstance(error, TyperException):
        fix = (
            f"`autolect {verb} --help` shows how" if verb in _names() else "`autolect --help` lists the verbs"
        )
        show.tell(show.error(UserError(error.format_message(), fix=fix)))
        return USER
    if debug:
        traceback.print_exception(error)
    if isinstance(error, UserError):
        show.tell(show.error(error))
        return USER
    show.tell(
        f"{show.paint('this is a bug in autolect:', 'red', stream=sys.stderr)} "
        f"{type(error).__name__}: {show.safe(str(error))}"
    )
    if not debug:
        show.tell("  --debug shows where it happened; please report that")
    return BUG
