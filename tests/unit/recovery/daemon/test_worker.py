"""Jobs that nobody waits for any more."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from recovery.daemon.worker import Worker

PATIENCE_S = 10.0

ResultT = TypeVar("ResultT")


def _run(asked: Coroutine[object, object, ResultT]) -> ResultT:
    # In a thread of its own: where the page was tested before, Playwright's loop runs in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asked).result()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def test_what_is_made_when_its_request_has_been_ended_is_handed_to_who_writes_it_down(
    worker: Worker,
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    dropped: list[str] = []

    def make() -> str:
        begun.set()
        may_end.wait(PATIENCE_S)
        return "token"

    async def end_while_it_runs() -> None:
        asked = asyncio.create_task(worker.on_store(make, dropped.append))
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        waiting = asyncio.create_task(worker.on_store(lambda: "not begun", dropped.append))
        await asyncio.sleep(0)
        for task in (asked, waiting):
            task.cancel()
        await asyncio.wait([asked, waiting])
        may_end.set()

    _run(end_while_it_runs())
    worker.close()
    assert dropped == ["token"]


def test_what_is_waited_for_and_what_fails_is_not_dropped(worker: Worker) -> None:
    dropped: list[int] = []

    async def ask() -> int:
        with pytest.raises(ZeroDivisionError):
            await worker.on_store(lambda: 1 // 0, dropped.append)
        return await worker.on_store(lambda: 7, dropped.append)

    assert _run(ask()) == 7
    worker.close()
    assert dropped == []
