"""The one thread that owns the store.

Lives here: `Worker`, which runs jobs one after the other, a second thread for passwords, and a
third for what only reads and takes long. Must not live here: what a job does.

Invariants: whatever touches the store runs on the first thread, in the order of arrival, so that a
job sees one state and nobody changes it meanwhile. What reads for long has a thread and a store of
its own beside it. Passwords are hashed on the other, one at a
time, so that a flood of sign-ins costs one core and never keeps the store waiting.

Source: spec admin-daemon 3.3, and 2.6 for the length of the queue.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from recovery.daemon.answer import ApiError

T = TypeVar("T")

PASSWORDS_WAITING_MAX: Final = 8


class Worker:
    """The threads of the daemon. Close it at the end."""

    def __init__(self) -> None:
        """Start without a job; the threads begin with the first."""
        self._store = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._passwords = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading")
        self._waiting_count = 0

    def beside(self, job: Callable[[], T]) -> Future[T]:
        """Begin a job that reads for long, in a store of its own."""
        return self._reading.submit(job)

    async def on_store(
        self, job: Callable[[], T], when_dropped: Callable[[T], None] | None = None
    ) -> T:
        """Run a job on the thread of the store.

        Args:
            job: May use the store; what it raises is raised here.
            when_dropped: Is given, on the same thread, what the job returned when nobody waited for
                it any more; None when nothing is lost by that.
        """
        running = self._store.submit(job)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if when_dropped is not None:
                self._store.submit(_drop, running, when_dropped)  # it goes on, and this comes after
            raise

    async def on_passwords(self, job: Callable[[], T]) -> T:
        """Run a job that takes long and needs no store; `ApiError` when too many are waiting."""
        if self._waiting_count >= PASSWORDS_WAITING_MAX:
            raise ApiError("unavailable", "too many passwords are being verified: try again")
        self._waiting_count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._passwords, job)
        finally:
            self._waiting_count -= 1

    def close(self) -> None:
        """Finish the jobs in hand and end the threads."""
        self._reading.shutdown(cancel_futures=True)
        self._store.shutdown()
        self._passwords.shutdown()


def _drop(done: Future[T], when_dropped: Callable[[T], None]) -> None:
    """Hand over what nobody took, if the job was begun and ended well."""
    if not done.cancelled() and done.exception() is None:
        when_dropped(done.result())
