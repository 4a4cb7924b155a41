"""What a process leaves that is killed at any step that it takes towards the disk.

Lives here: `killed_at_each_step`, and `run_killed` for one step. The steps are the calls of the
operating system that change files or wait for them: before one, in the middle of a write, after it.
So a kill is exact, and no timing is involved. A process that waits leaves what a killed one leaves,
so one run shows all steps; `run_killed` ends a child with SIGKILL indeed.
"""

import gc
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

WRITES: Final = ("pwrite", "copy_file_range")
OTHERS: Final = (
    "fsync",
    "fdatasync",
    "ftruncate",
    "posix_fallocate",
    "link",
    "unlink",
    "rename",
    "fchown",
)


@dataclass(frozen=True)
class Kill:
    """One way in which a run ended.

    Attributes:
        step: Number of the call, from 0; past the last one the run has ended by itself.
        moment: "before", "within" or "after" the call.
        call: Its name, empty past the last one.
    """

    step: int
    moment: str
    call: str


class _Deadline:
    """Counts calls and ends the process at one of them."""

    def __init__(self, step: int, moment: str, report: int) -> None:
        self.step = step
        self.moment = moment
        self.report = report
        self.count = 0

    def install(self) -> None:
        """Put itself in front of the calls; for a child that will not live long."""
        for name in (*WRITES, *OTHERS):
            setattr(os, name, self._guarded(name, getattr(os, name)))

    def _guarded(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def guarded(*arguments: object, **options: object) -> object:
            is_now = self.count == self.step
            self.count += 1
            if is_now and self.moment == "before":
                self._end(name)
            if is_now and self.moment == "within" and name in WRITES:
                call(*_half(name, arguments), **options)
                self._end(name)
            result = call(*arguments, **options)
            if is_now:
                self._end(name)
            return result

        return guarded

    def _end(self, name: str) -> None:
        os.write(self.report, name.encode())
        os.kill(os.getpid(), signal.SIGKILL)


def _half(name: str, arguments: tuple[object, ...]) -> tuple[object, ...]:
    """Ask for half of a write only."""
    if name == "pwrite":
        descriptor, data, *rest = arguments
        assert isinstance(data, bytes | memoryview)
        return (descriptor, bytes(data)[: len(data) // 2], *rest)
    source, target, count, *rest = arguments
    assert isinstance(count, int)
    return (source, target, count // 2, *rest)


def killed_at_each_step(
    prepare: Callable[[], None], run: Callable[[], None], folder: Path
) -> Iterator[Kill]:
    """Run something in a child, and see at each step what a kill would leave there.

    The child waits meanwhile. What it has made is moved aside for as long and a copy is in its
    place: of other files, which it holds no lock of, so that all is as if it had ended.

    Args:
        prepare: Called in this process in front of the run.
        run: Called in the child, where it makes files in one folder only.

    Yields:
        How the run would have ended, while its files are as they are then. The last one has ended.
    """
    aside = folder.with_name(f"{folder.name}.aside")
    prepare()
    reports, report = os.pipe()
    go_on, goes_on = os.pipe()
    child = os.fork()
    if not child:
        _run_and_exit(run, _Stops(report, go_on))
    os.close(report)
    os.close(go_on)
    step = 0
    with os.fdopen(reports) as lines, os.fdopen(goes_on, "w") as answers:
        for step, line in enumerate(lines, start=1):
            moment, call = line.split()
            folder.rename(aside)
            subprocess.run(["cp", "-a", aside, folder], check=True)
            yield Kill(step=step, moment=moment, call=call)
            shutil.rmtree(folder)
            aside.rename(folder)
            print(file=answers, flush=True)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the run failed by itself"
    yield Kill(step=step + 1, moment="after", call="")


class _Stops:
    """Says so in front of each call, in the middle of a write and after it, and waits."""

    def __init__(self, report: int, go_on: int) -> None:
        self._report = report
        self._go_on = go_on
        self._lock = threading.Lock()  # one thread after the other: it is as fine a kill as any

    def install(self) -> None:
        for name in (*WRITES, *OTHERS):
            setattr(os, name, self._guarded(name, getattr(os, name)))

    def _guarded(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def guarded(*arguments: object, **options: object) -> object:
            with self._lock:
                self._stop("before", name)
                if name in WRITES:
                    call(*_half(name, arguments), **options)
                    self._stop("within", name)
                result = call(*arguments, **options)
                self._stop("after", name)
                return result

        return guarded

    def _stop(self, moment: str, name: str) -> None:
        os.write(self._report, f"{moment} {name}\n".encode())
        os.read(self._go_on, 1)


def _run_and_exit(run: Callable[[], None], hook: "_Stops | _Deadline") -> NoReturn:
    code = 1
    try:
        gc.disable()  # a collection would copy all that the parent has
        hook.install()
        run()
        code = 0
    finally:
        os._exit(code)


def run_killed(run: Callable[[], None], step: int, moment: str) -> Kill | None:
    """Run something once in a child, killed at one of its steps; None when it ended by itself."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _run_and_exit(run, _Deadline(step, moment, theirs))
    os.close(theirs)
    with os.fdopen(ours, "rb") as report:
        call = report.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return Kill(step=step, moment=moment, call=call)
    assert os.WEXITSTATUS(status) == 0, "the run failed by itself"
    return None
