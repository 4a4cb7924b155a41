"""The right to take secrets out of a store: no way to it leads past the ledger."""

from pathlib import Path

import pytest

from recovery.errors import LedgerError
from recovery.services.disclosure import Disclosure
from recovery.services.session import Session
from tests.support.stores import ListRecorder


def test_what_is_written_down_names_store_command_and_reason(level21_bolt: Path) -> None:
    recorder = ListRecorder()
    with Session.open(level21_bolt) as session:
        Disclosure.noted(recorder, session.facts(), operation="auth list", reason="an audit")
    (intent,) = recorder.intents
    status = level21_bolt.stat()
    assert (intent.store_path, intent.device, intent.inode) == (
        level21_bolt,
        status.st_dev,
        status.st_ino,
    )
    assert (intent.operation, intent.reason) == ("auth list", "an audit")


def test_a_ledger_that_cannot_be_written_gives_no_right(level21_bolt: Path) -> None:
    class Full(ListRecorder):
        def note(self, *_: object) -> int:
            raise LedgerError(path="ledger", problem="is full", changed=False, hint="make room")

    with Session.open(level21_bolt) as session, pytest.raises(LedgerError):
        Disclosure.noted(Full(), session.facts(), operation="auth list", reason=None)


def test_nobody_makes_one_otherwise() -> None:
    with pytest.raises(TypeError):
        Disclosure(1, object())
