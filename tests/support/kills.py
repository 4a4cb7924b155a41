"""Killing a process at each step that it takes towards the disk.

Lives here: `killed_at_each_step`. The steps are the calls of the operating system that change files
or wait for them; they are counted in a child, which then ends itself with SIGKILL at one of them:
before it, in the middle of a write, or after it. So the kill is exact, and no timing is involved.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

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


def killed_at_each_step(prepare: Callable[[], None], run: Callable[[], None]) -> Iterator[Kill]:
    """Run something again and again in a child, killed one step later each time.

    Args:
        prepare: Called in this process in front of each run.
        run: Called in the child.

    Yields:
        How the run ended, while its files are as it left them. The last one was not killed.
    """
    calls = list[str]()
    for moment in ("before", "within", "after"):
        for step in count():
            if moment == "within" and calls[step:] and calls[step] not in WRITES:
                continue  # these have no middle
            prepare()
            kill = run_killed(run, step, moment)
            if kill is None:
                break
            if moment == "before":
                calls.append(kill.call)
            yield kill
    yield Kill(len(calls), "after", "")


def run_killed(run: Callable[[], None], step: int, moment: str) -> Kill | None:
    """Run something once in a child, killed at one of its steps; None when it ended by itself."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            gc.disable()  # a collection would copy all that the parent has
            os.close(ours)
            _Deadline(step, moment, theirs).install()
            run()
            code = 0
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours, "rb") as report:
        call = report.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return Kill(step=step, moment=moment, call=call)
    assert os.WEXITSTATUS(status) == 0, "the run failed by itself"
    return None
