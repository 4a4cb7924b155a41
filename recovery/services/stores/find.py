"""Every store that a machine has or may have, with what is in it.

Lives here: `find_stores`. Must not live here: where to look (`recovery.discovery`).

Invariants: only reads. A file that is damaged or not readable is listed with the reason in the
place of its contents. One that a server holds is looked into through a private copy that is proven
whole, up to `LIVE_BYTES_MAX`. Who holds a lock is looked up before the file is opened here, so that
this process is never named.
"""

from typing import Final

import msgspec
from msgspec import structs

from recovery.discovery.candidate import AS_NAMED, Candidate, State
from recovery.discovery.host import Host
from recovery.discovery.survey import survey
from recovery.errors import RecoveryError, StoreBusyError
from recovery.lock_holder import LockUse, find_lock_holders
from recovery.metastore.live import open_live
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.info import Contents, count_contents

LIVE_BYTES_MAX: Final = 64 << 20
"""Largest store in use that is copied to be counted; most have less than a tenth of this."""


class FoundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may be a store.

    Attributes:
        lock: Who holds its lock; None when nobody who can be seen does.
        facts: The store; None when it could not be opened.
        contents: How much is in it; None when it could not be read.
        problem: Why not, as a sentence; None when it could.
    """

    candidate: Candidate
    lock: LockUse | None
    facts: StoreFacts | None
    contents: Contents | None
    problem: str | None


class FoundFiles(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found on a machine.

    Attributes:
        files: Files, and configured places without a file; the strongest first.
        notes: What could not be looked at, as sentences.
    """

    files: tuple[FoundFile, ...]
    notes: tuple[str, ...]


def find_stores(host: Host, *, bolt_path: str | None, named_by: str = AS_NAMED) -> FoundFiles:
    """Look for every store of a machine, and into each."""
    found = survey(host, bolt_path=bolt_path, named_by=named_by, is_everywhere=True)
    errors = [f"{one.path} {one.problem}" for one in found.errors]
    return FoundFiles(files=tuple(map(_look_into, found.candidates)), notes=(*found.notes, *errors))


def _look_into(candidate: Candidate) -> FoundFile:
    facts, contents, problem = None, None, candidate.problem or None
    lock = _lock_of(candidate)
    if candidate.state is State.HOLDS_DATA:
        try:
            facts, contents = _read(candidate)
        except RecoveryError as error:
            problem = str(error).removesuffix("; nothing was changed")
    return FoundFile(
        candidate=candidate, lock=lock, facts=facts, contents=contents, problem=problem
    )


def _read(candidate: Candidate) -> tuple[StoreFacts, Contents]:
    """Count what is in a store, in a copy where a server holds it."""
    try:
        with Session.open(candidate.path, timeout_s=0.0) as session:
            return _counted(session)
    except StoreBusyError:
        if candidate.size_bytes is None or candidate.size_bytes > LIVE_BYTES_MAX:
            raise
    with open_live(candidate.path) as store:
        facts, contents = _counted(Session(store))
        return structs.replace(
            facts, size_bytes=candidate.size_bytes
        ), contents  # not that of the copy


def _counted(session: Session) -> tuple[StoreFacts, Contents]:
    with session.view() as view:
        return view.facts, count_contents(view.tx)


def _lock_of(candidate: Candidate) -> LockUse | None:
    if candidate.device is None or candidate.inode is None:
        return None
    use = find_lock_holders(device=candidate.device, inode=candidate.inode)
    return use if use.holders else None
