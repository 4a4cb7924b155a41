"""The line that says what takes its time."""

import io
import re
import subprocess
import sys
import threading
import time

import pytest

from recovery.cli.waiting import DELAY_S, Waiting
from tests.support.source import PROJECT


class Screen(io.StringIO):
    """A terminal on which a test waits for something to be drawn."""

    def wait_for(self, text: str) -> None:
        ends_at = time.monotonic() + 30
        while text not in self.getvalue():
            assert time.monotonic() < ends_at, self.getvalue()
            time.sleep(0.01)


def drawing() -> list[str]:
    """The threads that draw now."""
    return [one.name for one in threading.enumerate() if "_draw_until" in one.name]


def waiting(screen: Screen, *, is_shown: bool = True, width: int = 80) -> Waiting:
    return Waiting(screen, is_shown=is_shown, width=lambda: width)


def test_nothing_is_drawn_of_what_takes_no_second() -> None:
    screen = Screen()
    with waiting(screen)("checking the store"):
        pass
    assert screen.getvalue() == ""
    assert drawing() == []


def test_nothing_is_drawn_where_nobody_looks() -> None:
    screen = Screen()
    with waiting(screen, is_shown=False)("checking the store") as tell:
        tell("pages", 1)
        time.sleep(DELAY_S + 0.1)
    assert screen.getvalue() == ""


def test_the_line_says_what_and_how_far_fits_and_is_taken_away() -> None:
    screen = Screen()
    wait = waiting(screen, width=40)
    with wait("checking the store") as tell:
        tell("pages of 31,062", 25_600)
        with wait("opening it"):  # part of it, and no line of its own
            screen.wait_for("checking the store: 25,600 pages of 31")
        wait.clear()
        assert screen.getvalue().endswith("\r\x1b[K")
    assert drawing() == []
    lines = re.split(r"\r\x1b\[K", screen.getvalue())
    assert lines[-1] == ""
    assert max(map(len, lines)) < 40
    assert "opening" not in screen.getvalue()


HELD_BACK = """
import os, signal, sys, time
from recovery.cli.waiting import Waiting
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
with Waiting(sys.stdout, is_shown=True, width=lambda: 80)("working"):
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.2)
    before = len(seen)
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
print(before, len(seen))
"""


def test_a_signal_that_is_held_back_is_not_taken_by_the_thread() -> None:
    """The system gives it to any thread that takes it, and Python runs the handler in the main."""
    done = subprocess.run(  # in a process without the threads of a test runner
        [sys.executable, "-c", HELD_BACK],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.stdout == "0 1\n"


def test_the_line_is_taken_away_when_the_work_fails() -> None:
    screen = Screen()
    with pytest.raises(KeyboardInterrupt):
        interrupted_while_working(screen)
    assert screen.getvalue().endswith("\r\x1b[K")
    assert drawing() == []


def interrupted_while_working(screen: Screen) -> None:
    with waiting(screen)("working"):
        screen.wait_for("working, 1 s")
        raise KeyboardInterrupt
