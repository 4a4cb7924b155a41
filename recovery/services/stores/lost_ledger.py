"""Going back without the ledger, which a container that is gone has taken with it.

Lives here: what the backups beside a store tell of the changes in front of which they were made.
Must not live here: the proof and the writes (`recovery.services.stores.undo`).

Invariants: only reads. A backup proves only what its mark says: the digest of the one commit that
it was made for; of a session, of its last one, and of the bytes of the backup.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from recovery.errors import RecoveryError, RefusedError
from recovery.ledger_rows import Actor
from recovery.metastore.rewind import Rewinder, compare_hint, newest_commit
from recovery.metastore.store import MetaStore
from recovery.model.display import displayed
from recovery.remedy import Give, Input, Restore
from recovery.services.changes.backup import has_content, is_as_made, is_commit, mark_of
from recovery.services.ledger import UNFINISHED, UNRECORDED, Operation
from recovery.services.stores.backups import Maker, StoreCopy, copies_of, made_for


def marked_operation(store: MetaStore, path: Path) -> Operation:
    """Say what a backup itself tells of the operation that it was made for.

    Returns:
        The operation, with the digest of its commit.

    Raises:
        RefusedError: It does not tell.
    """
    digest, made = mark_of(path), made_for(path)
    if not digest and os.access(path, os.F_OK):
        paths = str(path.absolute()), str(store.file.real_path)
        raise RefusedError(
            reason=f"{displayed(paths[0])} has no mark that proves which change it was made for",
            hint=(compare_hint(path, store.file.real_path), Restore(*paths)),
        )
    return Operation(
        number=UNRECORDED,
        operation="unknown" if made is None else made[1],
        started_at=datetime.fromtimestamp(0, UTC) if made is None else made[0],
        ended_at=None,
        outcome=UNFINISHED,
        actor=Actor(host="", uid=-1, sudo_user=None, tool_version=""),
        store_path=str(store.file.real_path),
        device=store.file.device,
        inode=store.file.inode,
        record_ids=(),
        reason=None,
        backup_path=str(path.absolute()),
        txid_before=None,
        txid_after=None,
        digest=digest,
    )


def ways_by_backup(store: MetaStore, *, but: Path | None = None) -> tuple[Give, ...]:
    """Find the backup beside a store, but one, to which it can be proven to go back."""
    newest = newest_commit(store)
    for copy in reversed(_copies(store.file.real_path)):
        digest = None if copy.path == but else mark_of(copy.path)
        if digest is None or not is_commit(digest, newest):
            continue
        with (
            suppress(RecoveryError),
            MetaStore.open(copy.path, write=False, needs_schema=False) as backup,
        ):
            if is_as_made(backup, digest):
                Rewinder(store, backup, is_over_many=has_content(digest))
                moment = f"{copy.made_at:%Y-%m-%dT%H:%M:%SZ}"
                advice = f"go back to before {copy.operation} of {moment}"
                return (Give(Input.BACKUP, advice, str(copy.path)),)
    return ()


def copies_told(real_path: Path) -> str:
    """Say which backups of ours lie beside a store, in a clause after a semicolon, or ""."""
    copies = _copies(real_path)
    if not copies:
        return ""
    newest = f"{displayed(copies[-1].path.name)} of {copies[-1].made_at:%Y-%m-%dT%H:%M:%SZ}"
    if len(copies) == 1:
        return f"; a backup lies beside it, {newest}"
    return f"; {len(copies)} backups lie beside it, the newest is {newest}"


def _copies(real_path: Path) -> tuple[StoreCopy, ...]:
    """List the copies of ours beside a store, the oldest first; none where that is not possible."""
    try:
        return tuple(one for one in copies_of(real_path, ()) if one.made_by is Maker.OURS)
    except RecoveryError:
        return ()
