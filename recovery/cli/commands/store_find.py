"""The command that lists every store of a machine.

Lives here: `store find`, and its words. Must not live here: where to look (`recovery.discovery`).
"""

import grp
import pwd
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import msgspec

from recovery.cli.commands.store_info import ContentsFacts, contents_text
from recovery.cli.context import Context
from recovery.cli.documents import Document, shaped
from recovery.cli.hints import command_line
from recovery.cli.options import Command, Options
from recovery.cli.store import NAMED_BY, absolute
from recovery.discovery.candidate import Candidate, State
from recovery.discovery.host import Host
from recovery.discovery.places import LOOKED_AT
from recovery.discovery.search import SEARCH_ALL
from recovery.errors import ExitCode
from recovery.lock_holder import Holder
from recovery.model.display import displayed, moment_text, plural
from recovery.services.stores.find import FoundFile, find_stores
from recovery.system_advice import made_again


class StoreFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may be a store; `Candidate` and `FoundFile` say what the fields are.

    Attributes:
        real_path: The file itself, all links followed.
        mode: Its permissions, as four octal digits.
    """

    path: Path
    real_path: Path
    reasons: tuple[str, ...]
    state: State
    problem: str | None
    size_bytes: int | None
    modified_at: datetime | None
    uid: int | None
    gid: int | None
    mode: str | None
    level: int | None
    server_versions: str | None
    contents: ContentsFacts | None
    lock_holders: tuple[Holder, ...]
    opened_by: tuple[str, ...]

    @classmethod
    def of(cls, file: FoundFile) -> Self:
        """Show a file."""
        candidate, facts = file.candidate, file.facts
        return shaped(
            candidate,
            cls,
            path=absolute(candidate.named_path),
            real_path=candidate.path,
            problem=file.problem,
            mode=None if candidate.mode is None else f"{candidate.mode:04o}",
            level=None if facts is None else facts.level,
            server_versions=None if facts is None else facts.server_versions,
            contents=None if file.contents is None else ContentsFacts.of(file.contents),
            lock_holders=() if file.lock is None else file.lock.holders,
        )


class FindDocument(Document, frozen=True, kw_only=True):
    """What --json prints; `FoundFiles` says what the fields are."""

    stores: tuple[StoreFile, ...]
    notes: tuple[str, ...]


def _find(options: Options, context: Context) -> ExitCode:
    found = find_stores(Host.here(context.environ), bolt_path=options.bolt_path, named_by=NAMED_BY)
    output = context.output
    if options.json:
        files = tuple(StoreFile.of(file) for file in found.files)
        output.document(FindDocument(stores=files, notes=found.notes))
    else:
        for file in found.files:
            for line in _lines(file):
                output.prose(line)
            output.line()
        with_data = sum(1 for file in found.files if file.candidate.has_data)
        output.prose(f"{plural(with_data, 'file') if with_data else 'No file'} with data.")
        for note in found.notes:
            output.message(f"note: {displayed(note)}")
    has_data = any(file.candidate.has_data for file in found.files)
    if not has_data:
        for sentence in LOOKED_AT:
            output.message(sentence)
        output.message(f"To {SEARCH_ALL.replace('search for it', 'search everywhere')}")
    return ExitCode.DONE if has_data else ExitCode.NOT_FOUND


FIND: Final = Command(
    description="List every file on this machine that is or may be a store: by --bolt-path, "
    "environment, configuration, systemd units, packages, containers, home folders, and where a "
    "NAS, Home Assistant, Kubernetes and mounted systems have their data. Each with size, time, "
    "owner, level, what is in it, who holds its lock, and which servers would open it. "
    "Files are opened for reading only. What is in a store that a server holds open is not shown; "
    "what this user may not look at is named.",
    example="store find",
    options=Options,
    run=_find,
    document=FindDocument,
)


def _lines(file: FoundFile) -> Iterator[str]:
    candidate = file.candidate
    yield displayed(str(candidate.path))
    if candidate.named_path != candidate.path:
        yield f"  Named      {displayed(str(candidate.named_path))}"
    yield f"  Why        {displayed('; '.join(candidate.reasons))}"
    if candidate.size_bytes is not None and candidate.modified_at is not None:
        yield f"  File       {candidate.size_bytes:,} bytes, {_access(candidate)}"
        yield f"  Changed    {moment_text(candidate.modified_at)}"
    if file.facts is not None:
        yield f"  Level      {file.facts.level}, {file.facts.server_versions}"
    if file.contents is not None:
        yield f"  Contents   {contents_text(file.contents)}"
    if file.lock is not None:
        yield f"  Lock       {file.lock.sentence}"
    if file.problem is not None:
        yield f"  Problem    {file.problem}"
    if candidate.state in {State.MISSING, State.EMPTY}:
        for way in made_again(candidate.named_path, candidate.files.engine_path):
            yield f"  Next       type {command_line(way.operation, way.values)} {way.purpose}"
    if candidate.opened_by:
        yield f"  Opened by  {displayed(', '.join(candidate.opened_by))}"


def _access(candidate: Candidate) -> str:
    owner, group = _owner(candidate.uid), _group(candidate.gid)
    return f"owner {owner}, group {group}, mode {candidate.mode or 0:04o}"


def _owner(uid: int | None) -> str:
    try:
        return displayed(pwd.getpwuid(-1 if uid is None else uid).pw_name)
    except (KeyError, OverflowError):
        return str(uid)


def _group(gid: int | None) -> str:
    try:
        return displayed(grp.getgrgid(-1 if gid is None else gid).gr_name)
    except (KeyError, OverflowError):
        return str(gid)
