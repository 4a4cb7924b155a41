"""The question before a change, and the terminal that it is asked on.

Lives here: the controlling terminal and `confirm`. Must not live here: the plan, which is shown
before the question.

Invariants: the answer comes from the controlling terminal, never from stdin, so that neither a pipe
nor a pasted script can answer by accident. Whatever was typed ahead is thrown away.
"""

import contextlib
import os
import termios
from collections.abc import Callable, Iterator
from typing import Final

TERMINAL_PATH: Final = "/dev/tty"
_ANSWER_BYTES_MAX: Final = 4096
"""A line of a terminal cannot be longer (Linux N_TTY, canonical mode)."""


@contextlib.contextmanager
def controlling_terminal() -> Iterator[int]:
    """Open the terminal of this process to read and write; `OSError` if none, as under cron."""
    terminal = os.open(TERMINAL_PATH, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        yield terminal
    finally:
        os.close(terminal)


def has_terminal() -> bool:
    """Say whether there is a controlling terminal that can be opened."""
    try:
        with controlling_terminal():
            return True
    except OSError:
        return False


def ask(question: str, *, at_end: str = "") -> str:
    """Ask an escaped question at the controlling terminal.

    Args:
        at_end: What the end of the input stands for.

    Raises:
        OSError: There is no controlling terminal.
        KeyboardInterrupt: The answer was Ctrl-C.
    """
    with controlling_terminal() as terminal:

        def begin() -> None:
            with contextlib.suppress(termios.error):
                termios.tcflush(terminal, termios.TCIFLUSH)
            write_all(terminal, question.encode(errors="backslashreplace"))

        answer = b""
        try:
            answer = read_line(terminal, _ANSWER_BYTES_MAX, begin)
        finally:
            if not answer.endswith(b"\n"):  # the end of the input, Ctrl-C, or it has gone
                with contextlib.suppress(OSError):
                    write_all(terminal, b"\n")
        return answer.decode(errors="replace").strip() if answer else at_end


def read_line(terminal: int, size_bytes: int, begin: Callable[[], None]) -> bytes:
    """Ask, wait for a line and read it.

    A signal in the moment before the waiting begins would be seen only with the next key: it is
    written to a pipe, too, which is waited for with the terminal.

    Args:
        terminal: An open file descriptor; this is the main thread.
        size_bytes: What is read at most.
        begin: Makes the terminal as it has to be, and asks. It is called again when somebody goes
            on after Ctrl-Z: the shell has made the terminal as it likes it, with an echo.

    Raises:
        OSError: It cannot be read.
        KeyboardInterrupt: It was Ctrl-C.
    """
    import select  # noqa: PLC0415 # few commands ask
    import signal  # noqa: PLC0415

    woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    former = signal.signal(signal.SIGCONT, lambda *_: None)  # a handler, so that it is written
    try:
        begin()
        while terminal not in select.select([terminal, woken], [], [])[0]:
            if signal.SIGCONT in os.read(woken, size_bytes):
                begin()
        return os.read(terminal, size_bytes)
    finally:
        signal.signal(signal.SIGCONT, former)
        signal.set_wakeup_fd(before)
        os.close(waking)
        os.close(woken)


def write_all(target: int, content: bytes) -> None:
    """Write all of it, or raise `OSError`; one call of the system may take less."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(target, rest) :]
