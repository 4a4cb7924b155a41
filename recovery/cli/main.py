"""The program: from a command line to an exit code.

Lives here: the one place that catches everything, and the words for interruption and for our own
errors. Must not live here: what a command does.

Invariants: each way to fail ends in two lines on stderr and a documented exit code. The text of an
unforeseen exception is never shown, because nobody knows what it holds; its type and its place are.
"""

import contextlib
import gc
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO, TypeAlias

from recovery import __version__, log
from recovery.cli.context import Context
from recovery.cli.output import Output, OutputError
from recovery.cli.plain import VALUED, plainly_typed
from recovery.cli.progress import Progress, Stage
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import PROGRAM
from recovery.errors import (
    UNCHANGED,
    ExitCode,
    NotFoundError,
    RecoveryError,
    SeveralError,
    StoreDamagedError,
    StoreNotFoundError,
)
from recovery.kept import LEFT

if TYPE_CHECKING:
    import argparse

    from recovery.cli.words import Parser

    Understood: TypeAlias = tuple[argparse.Namespace, Parser, Sequence[str]]

SHORT_HELP: Final = """\
influx-recovery gets you back into a stopped InfluxDB 2.x server, from its
metadata file influxd.bolt alone.

  influx-recovery auth list               who can get in
  influx-recovery auth create-operator    make a new operator token
  influx-recovery user list               the users, for --username
  influx-recovery org list                the organizations, for --org
  influx-recovery demo                    watch the whole job on a sample store

All commands: influx-recovery help all
One of them:  influx-recovery auth list --help
"""
FINDINGS_SHOWN_MAX: Final = 10
OURS: Final = ("recovery", "bolt_store")
_NOT_REPEATED: Final = r"[\w-]{86}=="
PACKAGE_OF: Final = {
    "_yaml": "PyYAML",
    "backports": "backports.zstd",
    "jinja2": "Jinja2",
    "sqlite_utils": "sqlite-utils",
    "yaml": "PyYAML",
}
"""Packages whose modules have another name."""


class Report(Protocol):
    """Says why a command did not do its work."""

    def __call__(
        self,
        code: ExitCode,
        message: str,
        hint: str,
        *,
        is_changed: bool | None,
        findings: tuple[str, ...] = (),
        copies: tuple[str, ...] = (),
    ) -> None:
        """Say it."""


def main(argv: Sequence[str], *, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the program.

    Args:
        stderr: Where everything else goes.
    """
    output = Output(stdout=stdout, stderr=stderr, environ=environ)
    output.is_drop_in = _is_drop_in(argv) and not stdout.isatty()
    report = partial(_report, output, is_json=_asks_for_json(argv))
    progress = Progress()
    is_debugging = _asks_for_debugging(argv)
    try:
        with progress.watching_signals():
            context = Context(output=output, stdout=stdout, environ=environ, progress=progress)
            code = _run_typed(argv, context, stderr)
            output.close()
    except RecoveryError as error:
        code = _explain(error, output, report)
    except KeyboardInterrupt:
        code = _interrupted(report, progress)
    except BrokenPipeError:
        output.abandon()
        code = ExitCode.DONE
    except OutputError as error:
        output.abandon()
        output.error(f"{error}; {progress.sentence}", "look for free space, or print elsewhere")
        is_changed = progress.stage is Stage.AFTER
        code = ExitCode.DONE if is_changed else ExitCode.WRITE_FAILED
    except OSError as error:
        code = _denied(error, output, report, progress, is_debugging=is_debugging)
    except ModuleNotFoundError as error:
        code = _missing(error, output, report, progress, is_debugging=is_debugging)
    except Exception as error:  # noqa: BLE001 # the only place: the last words for our own bugs
        code = _confess(error, output, report, progress, is_debugging=is_debugging)
    return code


def _run_typed(argv: Sequence[str], context: Context, stderr: TextIO) -> ExitCode:
    """Do what a command line says, and say so where it is one that was pasted badly."""
    try:
        return _run(argv, context, stderr)
    except (UsageError, NotFoundError, SeveralError) as error:
        from recovery.cli.pasted import explained  # noqa: PLC0415 # only for a mistake

        raise explained(argv, error) from None


def _run(argv: Sequence[str], context: Context, stderr: TextIO) -> ExitCode:
    """Understand the command line and do what it says."""
    typed = plainly_typed(argv)
    if typed is None:
        return _run_parsed(argv, context, stderr)
    return _run_command(typed, context, stderr, partial(_understood, argv))


def _understood(argv: Sequence[str]) -> "Understood":
    """Ask argparse what a command line means."""
    from recovery.cli.parser import understand  # noqa: PLC0415 # needed for what is not plain

    return (*understand(argv), argv)


def _run_parsed(argv: Sequence[str], context: Context, stderr: TextIO) -> ExitCode:
    """Do the same with all that can be typed: help, habits, mistakes."""
    from recovery.cli.parser import help_text  # noqa: PLC0415 # as above
    from recovery.cli.words import HelpAskedError  # noqa: PLC0415 # as above

    try:
        arguments, parser, _ = _understood(argv)
    except HelpAskedError as asked:
        context.output.line(help_text(asked).rstrip())
        return ExitCode.DONE
    if arguments.version:
        context.output.line(f"{PROGRAM} {__version__}")
        return ExitCode.DONE
    if arguments.command is None:
        with _worded(lambda: (arguments, parser, argv)):
            guided = None if arguments.words else _guided(arguments, context, stderr)
        if guided is not None:
            return guided
        words: str = arguments.words
        text = parser.children[words].format_help() if words else SHORT_HELP
        if arguments.json:  # a script, which reads a document and no help
            named = f"{PROGRAM} {words}".rstrip()
            raise UsageError(problem="no whole command was named", hint=f"type {named} --help")
        context.output.message_lines(text.rstrip().splitlines())
        return ExitCode.USAGE
    return _run_command(vars(arguments), context, stderr, lambda: (arguments, parser, argv))


def _run_command(
    typed: Mapping[str, Any],
    context: Context,
    stderr: TextIO,
    understood: "Callable[[], Understood]",
) -> ExitCode:
    """Do what a command line says.

    Args:
        typed: The values of all options, by field.
        understood: Gives the same as argparse sees it, which hints are worded by.
    """
    log.configure(log_format=typed["log_format"], level=typed["log_level"], stream=stderr)
    with _worded(understood):
        code: ExitCode = typed["command"].run_with(typed, context)
    return (
        _interrupted(partial(_report, context.output, is_json=False), context.progress)
        if context.progress.is_interrupted
        else code
    )


@contextlib.contextmanager
def _worded(understood: "Callable[[], Understood]") -> Iterator[None]:
    """Put what would help into the words of the command line that was typed."""
    try:
        yield
    except RecoveryError as error:
        from recovery.cli.hints import AtHand  # noqa: PLC0415 # most commands need no hint

        error.hint = AtHand(*understood()).hint(error.hint)
        raise


def _guided(arguments: "argparse.Namespace", context: Context, stderr: TextIO) -> ExitCode | None:
    """Guide somebody who has typed no command at a terminal; None where nobody is there."""
    import msgspec  # noqa: PLC0415 # no command needs any of it from here

    from recovery.cli.guide import is_wanted, run_guide  # noqa: PLC0415
    from recovery.cli.options import Options  # noqa: PLC0415

    if not is_wanted(context):
        return None
    log.configure(log_format=arguments.log_format, level=arguments.log_level, stream=stderr)
    options = msgspec.convert(vars(arguments), Options)
    try:
        return run_guide(options, context, lambda argv: _run(argv, context, stderr))
    except StoreNotFoundError:
        context.output.message_lines(SHORT_HELP.rstrip().splitlines())
        context.output.message()
        raise


def _is_drop_in(argv: Sequence[str]) -> bool:
    """Say whether `recovery` is the first word, in front of which there may be common options."""
    if "recovery" not in argv:
        return False
    from recovery.cli.habits import bare_places  # noqa: PLC0415 # only for those who type it

    return [argv[place] for place in bare_places(argv, VALUED)][:1] == ["recovery"]


def _asks_for_debugging(argv: Sequence[str]) -> bool:
    """Say whether a traceback is wanted, also when the command line was never understood."""
    return "--log-level=debug" in argv or ("--log-level", "debug") in pairwise(argv)


def _asks_for_json(argv: Sequence[str]) -> bool:
    """Say the same of errors as JSON; not where a token was expected on stdout."""
    return "--json" in argv and "--token-stdout" not in argv


def _report(
    output: Output,
    code: ExitCode,
    message: str,
    hint: str,
    *,
    is_json: bool,
    is_changed: bool | None,
    findings: tuple[str, ...] = (),
    copies: tuple[str, ...] = (),
) -> None:
    """Say why a command did not do its work: to a person, and to a program where that is asked.

    A token that was pasted where a path belongs, or anything else, is not repeated.
    """
    message, hint = _with_left(message, hint)
    message, hint = (re.sub(_NOT_REPEATED, "(88 characters)", text) for text in (message, hint))
    output.error(message, hint)
    if not is_json or output.has_result:
        return
    from recovery.cli.documents import ErrorDocument, ErrorFacts  # noqa: PLC0415 # only for --json

    facts = ErrorFacts(
        code=code,
        meaning=code.meaning,
        message=message,
        hint=hint or None,
        findings=findings,
        copies=copies,
    )
    try:
        output.document(ErrorDocument(error=facts, is_changed=is_changed))
        output.close()
    except (BrokenPipeError, OutputError):
        output.abandon()


def _with_left(message: str, hint: str) -> tuple[str, str]:
    """Say also what was made and could not be removed, as on a disk that has failed."""
    left = list(dict.fromkeys(path for path in LEFT.get([]) if os.path.lexists(path)))
    if not left:
        return message, hint
    from recovery.model.display import displayed  # noqa: PLC0415 # almost never needed

    names = " and ".join(displayed(str(path)) for path in left)
    were, them = ("were", "them") if left[1:] else ("was", "it")
    said = f"{names} {were} made and cannot be removed"
    if message.endswith(f"; {UNCHANGED}"):
        message, said = message.removesuffix(UNCHANGED), f"{said}, and nothing else was changed"
    else:
        message += "; "
    return message + said, f"{hint}; and remove {them} by hand when the disk works again"


def _explain(error: RecoveryError, output: Output, report: Report) -> ExitCode:
    findings: tuple[str, ...] = ()
    if isinstance(error, StoreDamagedError):
        further = [finding for finding in error.findings if finding not in str(error)]
        shown = further[:FINDINGS_SHOWN_MAX]
        output.message_lines(f"found: {finding}" for finding in shown)
        if len(further) > len(shown):
            output.message_lines([f"found: and {len(further) - len(shown)} more"])
        findings = tuple(map(str, error.findings))
    report(
        error.exit_code,
        "; ".join((str(error), *getattr(error, "__notes__", ()))),
        str(error.hint),
        is_changed=error.changed,
        findings=findings,
        copies=error.copies,
    )
    return error.exit_code


def _interrupted(report: Report, progress: Progress) -> ExitCode:
    hint = (
        "start influxd when you are ready"
        if progress.stage is Stage.AFTER
        else "run the command again when you are ready"
    )
    sentence = f"interrupted; {progress.sentence}"
    report(ExitCode.INTERRUPTED, sentence, hint, is_changed=progress.is_changed)
    return ExitCode.INTERRUPTED


def _confess(
    error: Exception, output: Output, report: Report, progress: Progress, *, is_debugging: bool
) -> ExitCode:
    """Say that we have made a mistake, and where, without the text of the exception."""
    place = _place(error, output, is_debugging=is_debugging)
    report(
        ExitCode.INTERNAL,
        f"internal error, {type(error).__name__}{place} in {PROGRAM} {__version__}; "
        f"{progress.sentence}",
        "report this line, and what --log-level debug adds to it, as README.md says",
        is_changed=progress.is_changed,
    )
    return ExitCode.INTERNAL


def _place(error: Exception, output: Output, *, is_debugging: bool) -> str:
    """Say where an exception comes from, and by which way where that is wanted."""
    import traceback  # noqa: PLC0415 - only what nobody has foreseen needs it

    frames = traceback.extract_tb(error.__traceback__)
    if is_debugging:
        output.message_lines("".join(traceback.format_list(frames)).splitlines())
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _denied(
    error: OSError, output: Output, report: Report, progress: Progress, *, is_debugging: bool
) -> ExitCode:
    """Say what the system refused, where nobody has foreseen that it would.

    The name of a file is the only text of an exception that is shown: somebody typed it, or it is
    one of the places that the manual names.
    """
    if not isinstance(error.filename, str | bytes) or error.errno is None:
        return _confess(error, output, report, progress, is_debugging=is_debugging)
    from recovery.model.display import displayed  # noqa: PLC0415 # almost never needed
    from recovery.system_advice import advice_on, reason_of  # noqa: PLC0415 # as above

    _place(error, output, is_debugging=is_debugging)
    name = displayed(os.fsdecode(error.filename))
    hint = str(advice_on(error.errno))
    report(
        ExitCode.REFUSED,
        f"{name} cannot be used ({reason_of(error)}); {progress.sentence}",
        hint,
        is_changed=progress.is_changed,
    )
    return ExitCode.REFUSED


def _missing(
    error: ModuleNotFoundError,
    output: Output,
    report: Report,
    progress: Progress,
    *,
    is_debugging: bool,
) -> ExitCode:
    """Say which package this Python lacks, as in a virtual environment that was not filled."""
    module = error.name or ""
    is_bundled = hasattr(sys, "frozen")  # nothing can be installed into the one file
    if is_bundled or module.partition(".")[0] in OURS:
        return _confess(error, output, report, progress, is_debugging=is_debugging)
    import shlex  # noqa: PLC0415 # nothing else needs it

    python = sys.executable or "python3"  # which knows no path of itself where it cannot find one
    whole, _, part = module.partition(".")
    package = PACKAGE_OF.get(whole, whole)
    problem = f"{python} does not have this package, which {PROGRAM} needs"
    hint = f"{shlex.quote(python)} -m pip install {package}"
    if part:  # compiled for another Python, or packed into an archive
        problem = f"what {python} has of it has no {module} that this Python can load"
        hint = f"call the Python that {PROGRAM} was installed with, or install it for this one"
    elif whole in sys.stdlib_module_names:  # no package index has it, whatever is called so there
        problem = f"{python} was made without this part of Python, which {PROGRAM} needs"
        hint = "call another Python, or the one file; both on Linux"
    report(
        ExitCode.REFUSED,
        f"{package} is missing: {problem}; {progress.sentence}",
        hint,
        is_changed=progress.is_changed,
    )
    return ExitCode.REFUSED


def run() -> None:
    """Run the program as a process does; the entry point."""
    stdout, stderr = (stream or _closed() for stream in (sys.stdout, sys.stderr))
    code = main(sys.argv[1:], environ=os.environ, stdout=stdout, stderr=stderr)
    _let_go(stderr)
    gc.freeze()  # looking through all that ends with the process is a twelfth of a listing's work
    sys.exit(code)


def _let_go(stream: TextIO) -> None:
    """Drop what a stream still holds and nobody takes: Python would end with 120 because of it."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _closed() -> TextIO:
    """Stand in for a stream that the caller has closed: nothing can be written to it.

    Python gives None for such a stream. A file opened under its number later, the store for
    example, would get what is meant for it; so this keeps a number of its own.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(nothing, "wb")), encoding="utf-8")
