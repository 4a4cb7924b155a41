"""The command that lists every store of a machine.

Lives here: `store find`, and its words. Must not live here: where to look (`recovery.discovery`).
"""

import grp
import pwd
from collections.abc import Iterator
from typing import Final

from recovery.cli.commands.ledger import moment_text
from recovery.cli.commands.store_info import contents_document, contents_text
from recovery.cli.context import Context
from recovery.cli.listing import plural
from recovery.cli.options import Command, Options
from recovery.cli.store import NAMED_BY
from recovery.discovery.candidate import Candidate
from recovery.discovery.host import Host
from recovery.errors import ExitCode
from recovery.lock_holder import LockHolder
from recovery.model.display import displayed
from recovery.services.stores.find import FoundFile, find_stores


def _find(options: Options, context: Context) -> ExitCode:
    found = find_stores(Host.here(context.environ), bolt_path=options.bolt_path, named_by=NAMED_BY)
    output = context.output
    if options.json:
        files = [_document(file) for file in found.files]
        output.document({"stores": files, "notes": list(found.notes)})
    else:
        for file in found.files:
            for line in _lines(file):
                output.prose(line)
            output.line()
        with_data = sum(1 for file in found.files if file.candidate.has_data)
        output.prose(f"{plural(with_data, 'file')} with data.")
        for note in found.notes:
            output.message(f"note: {displayed(note)}")
    has_data = any(file.candidate.has_data for file in found.files)
    return ExitCode.DONE if has_data else ExitCode.NOT_FOUND


FIND: Final = Command(
    description="List every file on this machine that is or may be a store: by --bolt-path, "
    "environment, configuration, systemd units, packages, containers and home folders. Each with "
    "size, time, owner, level, what is in it, who holds its lock, and which servers would open it. "
    "Files are opened for reading only. What is in a store that a server holds open is not told, "
    "and what this user may not look at is said.",
    options=Options,
    run=_find,
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


def _document(file: FoundFile) -> dict[str, object]:
    candidate = file.candidate
    changed = candidate.modified_at
    return {
        "path": str(candidate.path),
        "named_path": str(candidate.named_path),
        "reasons": list(candidate.reasons),
        "state": candidate.state.value,
        "problem": file.problem,
        "size_bytes": candidate.size_bytes,
        "modified_at": None if changed is None else moment_text(changed),
        "uid": candidate.uid,
        "gid": candidate.gid,
        "mode": None if candidate.mode is None else f"{candidate.mode:04o}",
        "level": None if file.facts is None else file.facts.level,
        "server_versions": None if file.facts is None else file.facts.server_versions,
        "contents": None if file.contents is None else contents_document(file.contents),
        "lock_holders": [_holder(one) for one in (file.lock.holders if file.lock else ())],
        "opened_by": list(candidate.opened_by),
    }


def _holder(holder: LockHolder) -> dict[str, object]:
    return {
        "pid": holder.pid,
        "command": holder.command,
        "user": holder.user,
        "container": holder.container,
        "unit": holder.unit,
        "is_exclusive": holder.is_exclusive,
        "is_certain": holder.is_certain,
    }
