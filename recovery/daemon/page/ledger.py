"""The ledger: what was done, by whom, with what outcome.

Lives here: the table, its filter, and the same as CSV. Must not live here: what a row means
(`recovery.services.ledger`).

Source: RFC 4180; spec admin-daemon 4.14.
"""

import csv
import io
from http import HTTPStatus
from typing import Final

from recovery.daemon.answer import Answer
from recovery.daemon.page.render import SAFETY, moment
from recovery.daemon.page.visit import Visit
from recovery.daemon.page.words import author_words
from recovery.model.display import displayed
from recovery.services.ledger import Operation, read_operations

COLUMNS: Final = ("number", "time", "operation", "outcome", "by", "store", "records", "reason")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that a spreadsheet would run."""


def show(visit: Visit) -> Answer:
    """Show what was done, the newest first."""
    visit.require_operator()
    wanted = visit.asked.line("find").strip()
    rows = _found(visit, wanted)
    return visit.screen(
        "ledger.html",
        cut=visit.cut(rows),
        find=wanted,
        by=_by,
        running=visit.page.desk.changes.running_intent_id,
    )


def _found(visit: Visit, wanted: str) -> list[Operation]:
    operations = read_operations(visit.page.desk.entries)[::-1]
    word = wanted.casefold()
    return [one for one in operations if not word or word in _text(one).casefold()]


def _text(one: Operation) -> str:
    parts = (str(one.number), one.operation, one.outcome, _by(one), one.store_path)
    return " ".join((*parts, author_words(one.reason or ""), *one.record_ids))


def _by(one: Operation) -> str:
    """Name who did it, and where."""
    actor = one.actor
    user = actor.sudo_user or ("root" if actor.uid == 0 else f"uid {actor.uid}")
    return f"{user}@{actor.host}"


def as_csv(visit: Visit) -> Answer:
    """Give what is shown as a file."""
    visit.require_operator()
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for one in _found(visit, visit.asked.line("find").strip()):
        rows.writerow(
            map(
                _cell,
                (
                    str(one.number),
                    moment(one.started_at),
                    one.operation,
                    one.outcome,
                    _by(one),
                    one.store_path,
                    " ".join(one.record_ids),
                    author_words(one.reason or ""),
                ),
            )
        )
    return Answer(
        status=HTTPStatus.OK,
        body=text.getvalue().encode("utf-8", "replace"),
        content_type=b"text/csv; charset=utf-8",
        headers=(
            *SAFETY,
            (b"Cache-Control", b"no-store"),
            (b"Content-Disposition", b'attachment; filename="influx-recovery-ledger.csv"'),
        ),
    )


def _cell(text: str) -> str:
    """Write a text so that no spreadsheet takes it for a formula."""
    shown = displayed(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
