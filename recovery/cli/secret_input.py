"""Secrets that come in: passwords and tokens that somebody types or a file holds.

Lives here: reading a secret without echo, and from a file or stdin. Must not live here: secrets
that go out (`recovery.cli.deliver`).

Invariants: what was typed is never shown. One line feed at the end of a file is not part of the
secret, because every editor adds it; everything else is.
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
from recovery.cli.context import Context
from recovery.cli.words import Parser
from recovery.errors import PasswordError, RefusedError
from recovery.model.display import displayed
from recovery.model.password import (
    PASSWORD_SIZE_BYTES_MAX,
    PASSWORD_SIZE_BYTES_MIN,
    require_acceptable,
)
from recovery.secret import Secret

if TYPE_CHECKING:
    from argparse import _ActionsContainer

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


def read_secret(path: str, *, what: str, is_line: bool = True) -> Secret:
    """Read a secret from a file or from stdin.

    Args:
        path: The file; "-" for stdin.
        is_line: Whether it is one line of characters that can be typed.

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
    return _secret(content, what=what, name=name, is_line=is_line)


def _secret(content: bytes, *, what: str, name: str, is_line: bool = True) -> Secret:
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
    return Secret(text)


def _problem_of_line(text: str) -> str | None:
    """Say what keeps a text from being what a person types in one line."""
    if "\n" in text or "\r" in text:
        return "has more than one line"
    if any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in text):
        return "has a control character in it, which cannot be typed when signing in"
    if text.startswith("\N{ZERO WIDTH NO-BREAK SPACE}"):
        return "begins with a byte order mark"
    return None


def ask_secret(question: str, *, what: str) -> Secret:
    """Ask an escaped question at the controlling terminal, without echo of the secret.

    Raises:
        RefusedError: There is no terminal, or nothing was typed.
        KeyboardInterrupt: The answer was Ctrl-C.
    """
    if not has_terminal():
        raise RefusedError(
            reason=f"there is no terminal to ask for the {what}",
            hint=f"give the {what} in a file, or on standard input with -",
        )
    with controlling_terminal() as terminal, _restored(terminal):

        def begin() -> None:
            _end_echo(terminal)
            write_all(terminal, question.encode(errors="backslashreplace"))

        try:
            line = read_line(terminal, SECRET_SIZE_BYTES_MAX, begin)
        finally:
            write_all(terminal, b"\n")
    return _secret(line.removesuffix(b"\n"), what=what, name="the terminal")


def ask_new_secret(what: str, *, rule: str = "") -> Secret:
    """Ask for a new secret twice, and again when the two differ or the rule is not kept.

    Args:
        rule: What it has to be like, as a sentence; "" for a secret that is no password.

    Raises:
        RefusedError: There is no terminal, nothing was typed, or no try was well.
        KeyboardInterrupt: The answer was Ctrl-C.
    """
    notice = f"{rule}\nNew {what}: " if rule else f"New {what}: "
    problem = ""
    for _ in range(TRIES):
        first = ask_secret(f"{problem}{notice}", what=what)
        refused = _refusal_of(first) if rule else None
        if refused is not None:
            problem = f"That is not possible: {refused}.\n"
        elif first.matches(ask_secret(f"New {what}, again: ", what=what)):
            return first
        else:
            problem = "The two differ.\n"
    raise RefusedError(
        reason=f"none of {TRIES} tries gave a {what} that is allowed and was typed the same twice",
        hint=f"run the command again, or give the {what} in a file with --password-file",
    )


def _refusal_of(password: Secret) -> str | None:
    try:
        require_acceptable(password)
    except PasswordError as error:
        return error.reason
    return None


def add_first_secrets(command: Parser, *, or_none: bool) -> None:
    """Add where the password of a first user comes from, and where its operator token goes.

    Args:
        or_none: Whether there may be none.
    """
    source = _add_password_file(command)
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


def add_new_password(command: Parser, *, or_none: bool) -> None:
    """Add where the new password of a user comes from.

    Args:
        or_none: Whether there may be none.
    """
    source = _add_password_file(command)
    source.add_argument(
        "--password",
        metavar="TEXT",
        help="the password itself, for old runbooks; everybody on this machine can see it in the "
        "list of processes (default: it is asked for twice at the terminal)",
    )
    if or_none:
        source.add_argument(
            "--no-password",
            action="store_true",
            help="make a user who cannot sign in, only own tokens (default: it is asked for)",
        )


def _add_password_file(command: Parser) -> "_ActionsContainer":
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--password-file",
        metavar="FILE",
        help="read the password from this file, - for standard input (default: it is asked for "
        "twice at the terminal)",
    )
    return source


def new_password(text: str | None, path: str | None, context: Context) -> Secret:
    """Get the new password of a user from where it was said to be, or ask for it.

    Raises:
        RefusedError: It cannot be read.
    """
    if text is not None:
        context.output.message(SEEN_BY_ALL)
        return Secret(text)
    return (
        ask_new_secret("password", rule=PASSWORD_RULE)
        if path is None
        else read_secret(path, what="password")
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
