"""Backups and undo: the changes of this session, and the copies beside the store.

Lives here: both lists, undo of one change and of all. Must not live here: how a change is taken
back (`recovery.daemon.journal`).

Source: spec admin-daemon 2.7 and 4.13.
"""

from pathlib import Path
from typing import Final, NamedTuple

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.journal import JournalEntry
from recovery.daemon.page.copies import copies_here
from recovery.daemon.page.form import FieldError
from recovery.daemon.page.visit import REPAIR, Visit
from recovery.daemon.page.words import done_words

TYPED_WRONG: Final = "what was typed is not the name of the file"
ROWS: Final = 50


class Row(NamedTuple):
    """A change of this session.

    Attributes:
        undone_by: The change that took it back; None when none did.
    """

    entry: JournalEntry
    undone_by: int | None

    @property
    def what(self) -> str:
        """What was done, in the words of the page where the steps name bolt buckets."""
        is_repair = self.entry.operation == REPAIR
        return done_words(REPAIR) if is_repair else self.entry.steps[0]


def show(visit: Visit) -> Answer:
    """Show the changes of this session, and the copies beside the store."""
    visit.require_operator()
    desk = visit.page.desk
    journal = desk.changes.journal
    undone = journal.undone
    rows = [Row(one, undone.get(one.number)) for one in reversed(journal.entries)]
    return visit.screen(
        "backups.html",
        cut=visit.cut(rows, ROWS),
        has_undoable=any(row.undone_by is None for row in rows),
        backup=desk.changes.backup_path,
        copies=visit.cut(copies_here(visit), ROWS, "copies"),
        removed=visit.asked.line("removed"),
    )


def _entry(visit: Visit) -> JournalEntry:
    """Give the change of the path; raise `ApiError` when there is none."""
    text = visit.call.parts["number"]
    entries = visit.page.desk.changes.journal.entries
    found = [one for one in entries if str(one.number) == text]
    if not found:
        raise ApiError("not found", "this session made no such change")
    return found[0]


def ask_undo(visit: Visit) -> Answer:
    """Ask whether to take one change back."""
    visit.require_operator()
    entry = _entry(visit)
    return visit.ask(
        visit.page.desk.changes.journal.take_back(entry.number),
        title=f"Undo change {entry.number}?",
        sentence="A token that was deleted works again with its old value; one that was made "
        "works no more.",
        button="Undo",
        back="/backups",
    )


def undo(visit: Visit) -> Answer:
    """Take one change back."""
    visit.require_operator()
    made = visit.call.undo(_entry(visit).number)
    return visit.led(made, "/backups")


def ask_undo_all(visit: Visit) -> Answer:
    """Ask whether to take everything back."""
    visit.require_operator()
    return visit.screen(
        "undo_all.html",
        name=Path(visit.page.desk.session.facts().path).name,
        cut=visit.cut(_pending(visit), ROWS),
    )


def _pending(visit: Visit) -> list[JournalEntry]:
    """List the changes that are in force and took none back, the newest first."""
    journal = visit.page.desk.changes.journal
    undone = set(journal.undone)
    return [
        one for one in reversed(journal.entries) if one.undoes is None and one.number not in undone
    ]


def undo_all(visit: Visit) -> Answer:
    """Take all changes back, the newest first; each is a change of its own."""
    visit.require_operator()
    if visit.form.line("typed") != Path(visit.page.desk.session.facts().path).name:
        raise FieldError("typed", TYPED_WRONG)
    visit.require_seen(visit.page.desk.changes.count)
    made = None
    for entry in _pending(visit):
        made = visit.call.undo(entry.number)
    if made is None:
        raise ApiError("unprocessable entity", "there is nothing to take back")
    return visit.led(made, "/backups")
