"""What of a store becomes a row."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from recovery.discovery.candidate import Files
from recovery.metastore.transaction import MetaTx
from recovery.model.password import hash_password
from recovery.secret import Secret
from recovery.services.session import Session
from recovery.services.stores.export import ExportReport, export_store
from tests.support.canaries import leaks
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    HASHED_TOKEN,
    LEGACY_PASSWORD,
    LEVELS,
    OLD_OPERATOR_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    SeededRng,
    edit,
    make_store,
)

SECRETS = (OPERATOR_TOKEN, OLD_OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN, LEGACY_PASSWORD)


def export(path: Path) -> ExportReport:
    with Session.open(path) as session:
        return export_store(
            session,
            path.with_name("inventory.sqlite"),
            files=Files(),
            tool_version="1",
            clock=FixedClock(CHANGED_AT),
            rng=SeededRng(),
        )


def ask(made: MadeStore, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(made.path.with_name("inventory.sqlite"))) as connection:
        return connection.execute(question).fetchall()


def planted(made: MadeStore, change_records: Callable[[MetaTx], None]) -> ExportReport:
    edit(made.path, change_records)
    return export(made.path)


@pytest.mark.parametrize("level", LEVELS)
def test_every_record_becomes_a_row_and_every_reference_leads_somewhere(
    tmp_path: Path, level: int
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=level)
    report = export(made.path)
    counts = report.row_counts
    assert (counts["users"], counts["organizations"], counts["authorizations"]) == (2, 2, 4)
    assert counts["memberships"] == 3
    assert counts["permissions"] == sum(
        int(str(count)) for (count,) in ask(made, "SELECT permission_count FROM authorizations")
    )
    assert report.problems == ()
    assert ask(made, "PRAGMA foreign_key_check") == []
    assert ask(made, "SELECT level, tool_version FROM store") == [(level, "1")]


def test_operator_tokens_are_a_view(made: MadeStore) -> None:
    export(made.path)
    assert ask(
        made, "SELECT id, operator, user, organization FROM operator_tokens ORDER BY id"
    ) == [
        (made.operator, "full", "alice", "acme"),
        (made.old_operator, "partial", "alice", "acme"),
    ]


def test_who_can_get_in_is_a_view(made: MadeStore) -> None:
    hashed = hash_password(Secret("a good password"))
    planted(made, lambda tx: tx.passwords.put(made.alice, hashed))
    found = ask(made, "SELECT user, way, authorization_id, rights FROM who_can_get_in")
    assert ("alice", "password", None, "owner of acme, owner of other") in found
    assert ("alice", "token", made.operator, "full operator") in found
    assert ("bob", "token", made.reader, "1 permissions") in found
    assert len(found) == 5


def test_who_cannot_sign_in_is_told_with_the_reason(made: MadeStore) -> None:
    export(made.path)
    assert ("bob", 0, "it has no password") in ask(
        made, "SELECT name, can_sign_in, cannot_because FROM users"
    )


def test_a_reference_to_nothing_is_kept_and_can_be_found(made: MadeStore) -> None:
    planted(made, lambda tx: tx.table("usersv1").delete(made.bob.encode()))
    tables = {table for table, *_ in ask(made, "PRAGMA foreign_key_check")}
    assert tables == {"memberships", "authorizations"}


def test_findings_are_rows(made: MadeStore) -> None:
    planted(made, lambda tx: tx.table("userindexv1").delete(b"bob"))
    assert (made.bob,) in ask(made, "SELECT record_id FROM findings WHERE bucket = 'usersv1'")


def test_a_record_that_cannot_be_understood_is_reported(made: MadeStore) -> None:
    report = planted(made, lambda tx: tx.table("usersv1").put(b"0000000000001001", b"{"))
    assert [problem.id for problem in report.problems] == ["0000000000001001"]


def test_no_secret_is_in_the_file(made: MadeStore) -> None:
    export(made.path)
    content = made.path.with_name("inventory.sqlite").read_bytes()
    assert leaks(SECRETS, content) == []
    assert b"influxdb2-sha256" not in content
    assert b"$2a$" not in content
