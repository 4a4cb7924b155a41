"""The changes of this run, and taking one of them back.

Lives here: /private/recovery/changes. Must not live here: how that is done
(`recovery.daemon.journal`).

influxd has nothing like it. Whoever may do everything may ask: a change is taken back whatever
rights it needed. No answer holds a token.

Source: spec admin-daemon 2.7 ("Undo journal").
"""

import re
from typing import Final

from recovery.daemon.answer import Answer, ApiError, json_answer
from recovery.daemon.call import Call
from recovery.daemon.journal import JournalEntry

PATH: Final = "/private/recovery/changes"
_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")


def list_all(call: Call) -> Answer:
    """List the changes that can be taken back, the oldest first."""
    _require_operator(call)
    journal = call.desk.changes.journal
    undone = journal.undone
    return json_answer(
        {"changes": [_record(entry, undone.get(entry.number)) for entry in journal.entries]}
    )


def undo(call: Call) -> Answer:
    """Take one back; the answer is the change that did it."""
    _require_operator(call)
    number = call.parts["number"]
    if _NUMBER.match(number) is None:
        raise ApiError("invalid", "a change is named by its number")
    call.undo(int(number))
    return json_answer(_record(call.desk.changes.journal.entries[-1], None))


def _require_operator(call: Call) -> None:
    if not call.rights.is_operator(call.desk.settings.level):
        raise ApiError("unauthorized", f"access to {PATH} requires operator permissions")


def _record(entry: JournalEntry, undone_by: int | None) -> dict[str, object]:
    return {
        "number": entry.number,
        "operation": entry.operation,
        "steps": entry.steps,
        "recordIDs": entry.record_ids,
        "author": entry.author.reason,
        "time": entry.moment,
        "ledgerRow": entry.intent_id,
        "undoes": entry.undoes,
        "undoneBy": undone_by,
    }
