"""Secrets that come in: passwords and tokens that somebody types or a file holds.

Lives here: reading a secret without echo, and from a file or stdin. Must not live here: secrets
that go out (`recovery.cli.deliver`).

Invariants: what was typed is never shown. One line end at the end of a file and a byte order mark
at its beginning are not part of the secret, because editors add them; everything else is, and what
nobody means to type is said before anything is done with it.
"""

import codecs
import contextlib
import errno
import sys
import termios
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from recovery.cli.confirm import controlling_terminal, has_terminal, read_line, write_all
from recovery.cli.output import Output
from recovery.cli.words import Parser
from recovery.errors import PasswordError, RefusedError
from recovery.model.display import displayed
from recovery.model.password import (
    PASSWORD_SIZE_BYTES_MAX,
    PASSWORD_SIZE_BYTES_MIN,
    require_acceptable,
)
from recovery.model.typed_secret import TAKEN_AS_IT_IS, oddity_of
from recovery.remedy import Give, Input
from recovery.secret import Secret

if TYPE_CHECKING:
    import argparse

STDIN: Final = "-"
SECRET_SIZE_BYTES_MAX: Final = 65_536
"""More is no password and no token, but a file named by mistake."""
TRIES: Final = 3
PASSWORD_RULE: Final = (
    f"A password has {PASSWORD_SIZE_BYTES_MIN} to {PASSWORD_SIZE_BYTES_MAX} bytes, and does not "
    "show while it is typed."
)
SEEN_BY_ALL: Final = (
    "warning: a password on the command line can be seen by everybody on this machine; use "
    "--password-file or type it"
)


def read_secret(path: str, *, what: str, output: Output | None, is_line: bool = True) -> Secret:
    """Read a secret from a file or from stdin.

    Args:
        path: The file; "-" for stdin.
        output: Where to say what is odd about it; None where that is said elsewhere, or not at all.
        is_line: Whether it has to be one line, as all but a document is.

    Returns:
        The secret, without one line feed at its end, and without the byte order mark that some
        editors put before a text.

    Raises:
        RefusedError: It cannot be read, is empty, too long, no UTF-8, or no line.
    """
    name = "standard input" if path == STDIN else displayed(path)
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(SECRET_SIZE_BYTES_MAX + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(SECRET_SIZE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        # A person who takes the option for that of the secret has typed the secret here.
        is_there = path == STDIN or isinstance(error, PermissionError | IsADirectoryError)
        shown = name if is_there else "the file that was named"
        problem = error.strerror if isinstance(error, OSError) else "that is no name of a file"
        raise RefusedError(
            reason=f"the {what} cannot be read from {shown} ({problem})",
            hint=f"name a file that holds the {what} and nothing else, or - for standard input",
        ) from None
    content = content.removeprefix(codecs.BOM_UTF8).removesuffix(b"\n").removesuffix(b"\r")
    return _secret(content, what=what, name=name, output=output, is_line=is_line)


def _secret(
    content: bytes, *, what: str, name: str, output: Output | None, is_line: bool = True
) -> Secret:
    problem = None
    text = ""
    if not content:
        problem = "is empty"
    elif len(content) > SECRET_SIZE_BYTES_MAX:
        problem = f"has more than {SECRET_SIZE_BYTES_MAX:,} bytes"
    else:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            problem = "is not UTF-8"
        if is_line:
            problem = problem or _problem_of_line(text)
    if problem is not None:
        raise RefusedError(
            reason=f"the {what} from {name} {problem}",
            hint=f"give the {what} and nothing else",
        )
    secret = Secret(text)
    if output is not None:
        _warn_of_oddities(secret, f"the {what} from {name}", output)
    return secret


def _warn_of_oddities(secret: Secret, name: str, output: Output) -> None:
    """Say what a secret has in it that is easily there by mistake; it stays as it is."""
    oddity = oddity_of(secret)
    if oddity is not None:
        output.message(f"warning: {name} {oddity}; {TAKEN_AS_IT_IS}")


def _problem_of_line(text: str) -> str | None:
    """Say what keeps a text from being what a person types in one line."""
    if "\n" in text or "\r" in text:
        return "has more than one line"
    if any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in text):
        return "has a control character in it, which cannot be typed when signing in"
    if text.startswith("\N{ZERO WIDTH NO-BREAK SPACE}"):
        return "begins with a byte order mark"
    return None


def ask_secret(question: str, *, what: str, output: Output | None) -> Secret:
    """Ask an escaped question at the controlling terminal, without echo of the secret.

    Args:
        output: Where to say what is odd about it; None for one that is only compared.

    Raises:
        RefusedError: There is no terminal, or nothing was typed.
        KeyboardInterrupt: The answer was Ctrl-C.
    """
    if not has_terminal():
        raise RefusedError(
            reason=f"there is no terminal to ask for the {what}",
            hint=Give(Input.SECRET_FILE, f"give the {what}"),
        )
    with controlling_terminal() as terminal, _restored(terminal):

        def begin() -> None:
            _end_echo(terminal)
            write_all(terminal, question.encode(errors="backslashreplace"))

        try:
            line = read_line(terminal, SECRET_SIZE_BYTES_MAX, begin)
        except OSError as error:
            raise RefusedError(
                reason=f"the terminal cannot be used for the {what} ({error.strerror})",
                hint=Give(Input.SECRET_FILE, f"give the {what}"),
            ) from None
        finally:
            with contextlib.suppress(OSError):  # it may have gone, as when its window is closed
                write_all(terminal, b"\n")
    return _secret(line.removesuffix(b"\n"), what=what, name="the terminal", output=output)


def _ask_new_password(output: Output | None) -> Secret:
    """Ask for a new password twice, and again when the two differ or the rule is not kept.

    Raises:
        RefusedError: There is no terminal, nothing was typed, or no try was well.
        KeyboardInterrupt: The answer was Ctrl-C.
    """
    problem = ""
    for _ in range(TRIES):
        question = f"{problem}{PASSWORD_RULE}\nNew password: "
        try:
            first = ask_secret(question, what="password", output=output)
            require_acceptable(first)
            if first.matches(ask_secret("New password, again: ", what="password", output=None)):
                return first
            problem = "The two differ.\n"
        except (RefusedError, PasswordError) as error:
            if not has_terminal():
                raise
            problem = f"That is not possible: {error.reason}.\n"
    raise RefusedError(
        reason=f"none of {TRIES} tries gave a password that is allowed and was typed the same "
        "twice",
        hint="run the command again, or give the password in a file with --password-file",
    )


def add_password_file(
    place: "Parser | argparse._MutuallyExclusiveGroup", *, asked: str = "twice at the terminal"
) -> None:
    """Add the file that holds a password, which is asked for where none is named."""
    place.add_argument(
        "--password-file",
        metavar="FILE",
        help="read the password from this file, - for standard input (default: it is asked for "
        f"{asked})",
    )


def add_first_secrets(command: Parser, *, or_none: bool) -> None:
    """Add where the password of a first user comes from, and where its operator token goes."""
    source = command.add_mutually_exclusive_group()
    add_password_file(source)
    if or_none:
        source.add_argument(
            "--no-password",
            action="store_true",
            help="make a user who cannot sign in (default: the password is asked for)",
        )
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "--token-file",
        metavar="PATH",
        help="write the operator token to this new file, mode 0600 (default: show it on the "
        "terminal)",
    )
    place.add_argument(
        "--token-stdout",
        action="store_true",
        help="print the operator token, and nothing else, on standard output (default: show it "
        "on the terminal)",
    )
    if or_none:
        place.add_argument(
            "--no-token",
            action="store_true",
            help="make no operator token (default: make one)",
        )


def add_new_password(command: Parser, *, or_none: str | None = None) -> None:
    """Add where a new password comes from, and what it means to have none, if one may."""
    source = command.add_mutually_exclusive_group()
    add_password_file(source)
    source.add_argument(
        "--password",
        metavar="TEXT",
        help="the password itself, for old runbooks; everybody on this machine can see it in the "
        "list of processes (default: it is asked for twice at the terminal)",
    )
    if or_none is not None:
        source.add_argument(
            "--no-password", action="store_true", help=f"{or_none} (default: it is asked for)"
        )


def new_password(
    text: str | None, path: str | None, output: Output, *, is_planned: bool = False
) -> Secret:
    """Get the new password of a user from where it was said to be, or ask for it.

    Args:
        text: The password itself, if that was typed.
        path: The file that has it, if one was named.
        is_planned: Whether a plan will say what is odd about it.
    """
    told = None if is_planned else output
    if text is not None:
        output.message(SEEN_BY_ALL)
        if told is not None:
            _warn_of_oddities(Secret(text), "the password", told)
        return Secret(text)
    return (
        _ask_new_password(told) if path is None else read_secret(path, what="password", output=told)
    )


@contextlib.contextmanager
def _restored(terminal: int) -> Iterator[None]:
    """Make the terminal as it was, whatever happens."""
    try:
        before = termios.tcgetattr(terminal)
    except termios.error:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # it may have gone
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _end_echo(terminal: int) -> None:
    """Turn the echo off; in the background that waits until somebody fetches the program back."""
    is_interrupted = True
    while is_interrupted:
        try:
            quiet = termios.tcgetattr(terminal)
            quiet[3] &= ~termios.ECHO
            termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
            is_interrupted = False
        except termios.error as error:  # no terminal, or SIGCONT while it waited
            is_interrupted = error.args[0] == errno.EINTR
