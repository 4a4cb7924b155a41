"""Waiting for a line of the terminal: Ctrl-C in the worst moment, and Ctrl-Z."""

import os
import select
import signal
import termios
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from recovery.cli import confirm
from recovery.cli.confirm import ask, read_line
from recovery.cli.secret_input import ask_secret

Ready: TypeAlias = tuple[list[int], list[int], list[int]]
PATIENCE_S = 10.0
_select = select.select


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Give the two ends of a terminal, which is that of this process as far as we ask."""
    person, terminal = os.openpty()
    monkeypatch.setattr(confirm, "TERMINAL_PATH", os.ttyname(terminal))
    former = signal.signal(signal.SIGINT, lambda *_: None)
    yield person, terminal
    signal.signal(signal.SIGINT, former)
    os.close(person)
    os.close(terminal)


def waiting(monkeypatch: pytest.MonkeyPatch, *moments: Callable[[], None]) -> None:
    """Let something happen each time in the moment before the waiting begins."""
    rest = iter(moments)

    def late(read: list[int], write: list[int], wrong: list[int]) -> Ready:
        next(rest)()
        ready = _select(read, write, wrong, PATIENCE_S)
        assert ready[0], "nothing but a key would end this"
        return ready

    monkeypatch.setattr(select, "select", late)


def test_a_signal_in_the_moment_before_the_waiting_ends_it(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handler has run before the system is asked to wait, so that no call is interrupted."""

    def be_late() -> None:
        raise KeyboardInterrupt  # what the handler of the program does, one step later

    waiting(monkeypatch, lambda: signal.raise_signal(signal.SIGINT), be_late)
    with pytest.raises(KeyboardInterrupt):
        read_line(pair[1], 100, lambda: None)
    assert (signal.set_wakeup_fd(-1), signal.getsignal(signal.SIGCONT)) == (-1, signal.SIG_DFL)


def has_echo(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def as_shells_do(terminal: int) -> None:
    """Turn the echo on, as a shell that was asked to go on has left it, and go on."""
    modes = termios.tcgetattr(terminal)
    modes[3] |= termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    signal.raise_signal(signal.SIGCONT)


def test_after_ctrl_z_a_secret_is_not_shown_either(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    person, terminal = pair
    echoes = []

    def type_it() -> None:
        echoes.append(has_echo(terminal))
        os.write(person, b"hidden one\n")

    waiting(monkeypatch, lambda: as_shells_do(terminal), type_it)
    assert ask_secret("Password: ", what="password", output=None).reveal() == "hidden one"
    shown = os.read(person, 1000)
    assert (shown.count(b"Password: "), b"hidden" in shown, echoes) == (2, False, [False])
    assert has_echo(terminal)


def test_after_ctrl_z_the_question_is_asked_again(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    person, terminal = pair
    waiting(
        monkeypatch,
        lambda: as_shells_do(terminal),
        lambda: (None, os.write(person, b"yes\n"))[0],
    )
    assert ask("Really? ") == "yes"
    assert os.read(person, 1000).count(b"Really? ") == 2
