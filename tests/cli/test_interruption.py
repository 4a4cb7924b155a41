"""Ctrl-C at any moment: what is said afterwards is true at that moment."""

import gc
import inspect
import io
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from recovery import new_file
from recovery.cli.main import main
from tests.support.run_cli import Cli
from tests.support.stores import MadeStore

MAKERS = (
    "store backup",
    "store compact",
    "store export",
    "store report",
    "store salvage",
    "auth export",
)
MINT = "auth create-operator --org acme --username alice --yes --token-file"
MOMENTS = 30


def type_control_c() -> None:
    # To the thread of the program: those of the test's own process would take it while it is held.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class Interrupting(io.TextIOWrapper):
    """A screen at which somebody types Ctrl-C when a file is finished, before a word is shown."""

    awaited = Path()

    def flush(self) -> None:
        """Type it."""
        if self.awaited.is_file():
            self.awaited = Path()
            type_control_c()
        super().flush()


def interrupted(cli: Cli, words: list[str], stdout: io.TextIOWrapper) -> tuple[int, str]:
    stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    code = main(
        cli.command(*words, program=()), environ=cli.environ(), stdout=stdout, stderr=stderr
    )
    stderr.seek(0)
    return code, stderr.read()


@pytest.mark.parametrize("words", MAKERS)
def test_a_file_that_is_finished_is_named(cli: Cli, made: MadeStore, words: str) -> None:
    target = cli.home / "new"
    line = [*words.split(), str(target), "--bolt-path", str(made.path)]
    screen = Interrupting(io.BytesIO(), encoding="utf-8")
    screen.awaited = target
    code, said = interrupted(cli, line, screen)
    assert (code, target.exists()) == (130, True), said
    assert f"nothing was changed in the store; {target} is there and is complete" in said


@pytest.mark.parametrize("words", [*MAKERS, MINT])
def test_a_file_that_nobody_holds_yet_goes_away(
    cli: Cli, made: MadeStore, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def type_it(*_: object) -> None:
        held.append(
            inspect.currentframe()
        )  # and with it all callers, as a cycle of references would
        type_control_c()

    monkeypatch.setattr(new_file, "_sweep", type_it)
    monkeypatch.setattr(new_file, "sync_folder", type_it)
    line = [*words.split(), str(cli.home / "new"), "--bolt-path", str(made.path)]
    code, said = interrupted(cli, line, io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert (code, len(held)) == (130, 1), said
    assert "nothing was changed" in said
    assert not [path for path in cli.home.iterdir() if path.name.startswith((".", "new"))]


@pytest.mark.pty
@pytest.mark.parametrize(
    "how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, None]
)
@pytest.mark.parametrize(
    ("words", "question"),
    [
        ("user update --username alice", "New password: "),
        ("auth create-operator --org acme --username alice", "Type yes"),
        ("auth verify", "does not show): "),
        ("", "Which? "),
    ],
)
def test_who_goes_away_from_a_question_leaves_nothing_behind(
    cli: Cli, made: MadeStore, words: str, question: str, how: signal.Signals | None
) -> None:
    before = made.path.read_bytes()
    with cli.at_terminal(*words.split(), "--bolt-path", made.path) as terminal:
        terminal.wait_for(question)
        if how is None:
            assert terminal.hang_up() == 130
        else:
            terminal.send(how)
            ended = terminal.end()
            assert (ended.code, "nothing was changed" in ended.stdout) == (130, True)
    assert made.path.read_bytes() == before
    assert [path.name for path in made.path.parent.iterdir() if path.is_file()] == [made.path.name]


@pytest.fixture
def alarm() -> Iterator[None]:
    def type_it(_number: int, _frame: FrameType | None) -> None:
        type_control_c()

    former = signal.signal(signal.SIGALRM, type_it)
    # What is raised in a callback of the collector, as hypothesis has one, is lost.
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    yield
    gc.callbacks[:] = callbacks
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


# The standard library leaves an iterator to the collector where it is interrupted.
@pytest.mark.filterwarnings("ignore:.*ScandirIterator:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("words", ["store compact", MINT])
def test_what_is_said_is_true_at_every_moment(cli: Cli, made: MadeStore, words: str) -> None:
    ends, said = set(), ""
    # Imports that are interrupted leave files open, which is the interpreter's affair.
    cli.run_here(*words.split(), cli.home / "first", "--bolt-path", made.path)
    begin = time.monotonic()
    cli.run_here(*words.split(), cli.home / "second", "--bolt-path", made.path)
    moment_s = (time.monotonic() - begin) / MOMENTS
    for number in range(1, MOMENTS + 1):
        target = cli.home / f"new-{number}"
        before = made.path.read_bytes()
        line = [*words.split(), str(target), "--bolt-path", str(made.path)]
        signal.setitimer(signal.ITIMER_REAL, number * moment_s)
        try:
            code, said = interrupted(cli, line, io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
        except KeyboardInterrupt:  # before the program listens, or after its end
            code, said = -1, ""
        signal.setitimer(signal.ITIMER_REAL, 0)
        is_changed = before != made.path.read_bytes()
        ends.add(code)
        if code == 130:
            assert ("nothing was changed" in said) is not is_changed, said
            assert ("is in force" in said) is is_changed, said
            assert (str(target) in said) is (target.exists() and not is_changed), said
        if code == 130 and not is_changed and not target.exists():
            assert not list(cli.home.glob(".influx-recovery-*"))
    assert 130 in ends, said
