"""From a command line to an exit code.

Lives here: `main`, the one place that catches everything. Must not live here: what a command does.

The text of an unforeseen exception is never shown, because nobody knows what it holds; its type and
its place are.
"""

import argparse
import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, TextIO

from bolt_store.command.context import Context
from bolt_store.command.exit_code import CommandError, ExitCode
from bolt_store.command.explain import explain
from bolt_store.command.output import Output, OutputError
from bolt_store.command.parser import parse
from bolt_store.errors import BoltError

SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str], *, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the program.

    Args:
        argv: Arguments after the program's name.
        stderr: Where everything else goes.

    Returns:
        The exit code, one of `ExitCode`.
    """
    output = Output(stdout, stderr)
    try:
        with _signals_as_interrupts():
            code = _run(parse(argv), output, environ)
            output.close()
    except CommandError as error:
        code = error.exit_code
        with contextlib.suppress(OutputError, BrokenPipeError):
            output.close()
        output.error(str(error), error.hint)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
        output.error("interrupted; nothing was changed", "run the command again")
    except BrokenPipeError:
        code = ExitCode.DONE
        output.abandon()
    except OutputError as error:
        code = ExitCode.WRITE_FAILED
        output.abandon()
        output.error(f"standard output cannot be written: {error}", "look for free space")
    except Exception as error:  # noqa: BLE001 - the only place: the last words for our own bugs
        code = ExitCode.INTERNAL
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        output.error(
            f"internal error, {type(error).__name__} at {place}; nothing was changed",
            "report this line",
        )
    return code


def _run(arguments: argparse.Namespace, output: Output, environ: Mapping[str, str]) -> ExitCode:
    module, _, name = arguments.run.partition(":")
    command: Callable[[Context], ExitCode] = getattr(
        importlib.import_module(f"bolt_store.command.{module}"), name
    )
    try:
        return command(Context(arguments=arguments, output=output, environ=environ))
    except BrokenPipeError:
        raise
    except (BoltError, OSError) as error:
        raise explain(error, arguments) from error


@contextlib.contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let the usual signals to stop clean up like Ctrl-C; one that was ignored stays so."""
    former = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in former.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _interrupt)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run() -> None:
    """Run the program as a process does."""
    # A closed stream is no stream at all in Python.
    stdout, stderr = (stream or _nowhere() for stream in (sys.stdout, sys.stderr))
    environ = os.environ  # noqa: TID251 - the package's own command may look at it
    sys.exit(main(sys.argv[1:], environ=environ, stdout=stdout, stderr=stderr))


def _nowhere() -> TextIO:
    """Return a stream that refuses everything, on a number that no other file can then get."""
    return os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
