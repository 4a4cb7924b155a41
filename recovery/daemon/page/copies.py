"""The copies beside the store: what is different in one, and its deletion.

Lives here: both screens. Must not live here: which copies there are
(`recovery.services.stores.backups`), and how stores are compared (`recovery.services.stores.diff`).

Invariants: a copy is looked up in the list by its name, so that no other file can be named. The
backup of this session stays until the session has ended. A deletion is in the ledger before it is
done.

Source: spec admin-daemon 4.13.
"""

from typing import Final
from urllib.parse import quote

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.changes import READ_ONLY
from recovery.daemon.page.form import FieldError
from recovery.daemon.page.render import redirect
from recovery.daemon.page.visit import Visit
from recovery.model.display import displayed
from recovery.services.changes.ports import Intent
from recovery.services.ledger import Operation, operations_of, read_operations
from recovery.services.session import Session
from recovery.services.stores.backups import StoreCopy, copies_of, remove_copies
from recovery.services.stores.diff import Comparison, compare_stores
from recovery.services.stores.undo import standing_operations

GONE: Final = ApiError("not found", "there is no such copy beside the store")
OF_SESSION: Final = "this is the backup of this session: it stays until the session has ended"


def history_of(visit: Visit) -> tuple[Operation, ...]:
    """List what the ledger knows of the store, oldest first."""
    facts = visit.page.desk.session.facts()
    known = read_operations(visit.page.desk.entries)
    return operations_of(known, facts.real_path, device=facts.device, inode=facts.inode)


def copies_here(visit: Visit) -> tuple[StoreCopy, ...]:
    """List the copies beside the store, the newest first."""
    facts = visit.page.desk.session.facts()
    standing = standing_operations(history_of(visit), txid=facts.txid)
    return copies_of(facts.real_path, standing)[::-1]


def _asked(visit: Visit) -> StoreCopy:
    """Give the copy that the URL or the form names; raise `ApiError` when there is none."""
    visit.require_operator()
    name = visit.asked.line("name") or visit.form.line("name")
    return GONE.unless(next((one for one in copies_here(visit) if one.path.name == name), None))


def compare(visit: Visit) -> Answer:
    """Show what has become different since a copy was made, by name."""
    copy = _asked(visit)
    found = visit.page.book.beside(
        ("copy", copy.path),
        "Comparing the copy with the store",
        lambda now: _compared(copy, now),
    )
    return visit.screen("copy.html", copy=copy, found=found, cut=visit.cut(found.changes))


def _compared(copy: StoreCopy, now: Session) -> Comparison:
    with Session.open(copy.path) as before:
        return compare_stores(before, now)


def ask_delete(visit: Visit) -> Answer:
    """Ask whether to delete a copy."""
    copy = _asked(visit)
    _require_free(visit, copy)
    return visit.screen("delete_copy.html", copy=copy)


def delete(visit: Visit) -> Answer:
    """Delete a copy."""
    copy = _asked(visit)
    _require_free(visit, copy)
    if copy.is_needed_by_undo and visit.form.line("typed") != copy.path.name:
        raise FieldError("typed", f"what was typed is not {displayed(copy.path.name)}")
    facts = visit.page.desk.session.facts()
    visit.page.desk.recorder.note(
        Intent(
            operation="store backups prune",
            store_path=facts.real_path,
            device=facts.device,
            inode=facts.inode,
            record_ids=(),
            backup_path=copy.path,
            reason=visit.call.caller.name,
        )
    )
    remove_copies([copy])
    path = f"/backups?removed={quote(copy.path.name, safe='')}"
    visit.session.spend(visit.form.get("once"), path)
    return redirect(path)


def _require_free(visit: Visit, copy: StoreCopy) -> None:
    if not visit.page.desk.session.store.is_writable:
        raise ApiError("unprocessable entity", READ_ONLY)
    if copy.path == visit.page.desk.changes.backup_path:
        raise ApiError("unprocessable entity", OF_SESSION)
