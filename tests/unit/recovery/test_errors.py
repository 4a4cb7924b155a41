"""The errors that people meet, and their exit codes."""

import inspect
import re
from collections.abc import Iterator

import pytest

import recovery.errors
from recovery.errors import (
    AmbiguousError,
    ConfigurationError,
    ConflictError,
    DeliveryError,
    ExitCode,
    FileError,
    LedgerError,
    NotFoundError,
    PasswordError,
    RecordError,
    RecoveryError,
    RefusedError,
    SchemaError,
    SeveralError,
    StoreAccessError,
    StoreBusyError,
    StoreDamagedError,
    StoreNotFoundError,
    StoreNotLockableError,
    VerificationError,
    WriteFailedError,
)
from tests.support.hints import hint_of

HINT = "type the next command"

EXAMPLES: list[tuple[RecoveryError, int, bool | None]] = [
    (StoreNotFoundError(path="/x/influxd.bolt", problem="does not exist", hint=HINT), 3, False),
    (FileError(path="/x/influxd.bolt", problem="is not meant", hint=HINT), 7, False),
    (StoreAccessError(path="/x/influxd.bolt", problem="may not be read", hint=HINT), 7, False),
    (ConfigurationError(path="/x/config.toml", problem="is no TOML", hint=HINT), 7, False),
    (LedgerError(path="/x/ledger", problem="is read-only", changed=False, hint=HINT), 7, False),
    (LedgerError(path="/x/ledger", problem="is read-only", changed=True, hint=HINT), 7, True),
    (LedgerError(path="/x/ledger", problem="is read-only", changed=None, hint=HINT), 7, None),
    (StoreBusyError(path="/x/influxd.bolt", holder="process 7 holds it", hint=HINT), 4, False),
    (StoreNotLockableError(path="/x/influxd.bolt", holder="no locks there", hint=HINT), 4, False),
    (StoreDamagedError(path="/x/influxd.bolt", problem="is damaged", hint=HINT), 5, False),
    (SchemaError(path="/x/influxd.bolt", problem="is newer", hint=HINT), 6, False),
    (RecordError(bucket="usersv1", record_id="08371db1dd8c8000", problem="no JSON"), 5, False),
    (NotFoundError(kind="user", name="ann", existing=["bob"], hint=HINT), 3, False),
    (AmbiguousError(kind="user", candidates=["ann", "bob"], hint=HINT), 7, False),
    (
        SeveralError(
            [
                NotFoundError(kind="user", name="ann", existing=["bob"], hint=HINT),
                RefusedError(reason="there is no terminal", hint=HINT),
            ]
        ),
        3,
        False,
    ),
    (RefusedError(reason="it was not confirmed", hint=HINT), 7, False),
    (ConflictError(kind="user", name="ann", hint=HINT), 7, False),
    (PasswordError(reason="a password has 8 to 72 bytes", hint=HINT), 7, False),
    (DeliveryError(authorization_id="08371db1dd8c8000", problem="disk full", hint=HINT), 10, True),
    (WriteFailedError(path="/x", problem="disk full", outcome="unchanged", hint=HINT), 8, False),
    (WriteFailedError(path="/x", problem="lost disk", outcome="unknown", hint=HINT), 9, None),
    (VerificationError(path="/x", problem="not found", hint=HINT, backup_path="/y"), 9, None),
]


def _all_errors() -> Iterator[type[RecoveryError]]:
    for _, found in inspect.getmembers(recovery.errors, inspect.isclass):
        if issubclass(found, RecoveryError) and found is not RecoveryError:
            yield found


def test_every_error_has_an_example_here() -> None:
    assert set(_all_errors()) == {type(error) for error, _, _ in EXAMPLES}


@pytest.mark.parametrize(("error", "code", "changed"), EXAMPLES)
def test_an_error_knows_its_exit_code_and_whether_anything_changed(
    error: RecoveryError, code: int, *, changed: bool | None
) -> None:
    assert (code, changed) == (error.exit_code, error.changed)


@pytest.mark.parametrize(("error", "changed"), [(error, changed) for error, _, changed in EXAMPLES])
def test_the_sentence_says_whether_anything_was_changed(
    error: RecoveryError, *, changed: bool | None
) -> None:
    statement = {
        False: "nothing was changed",
        True: "the store was changed",
        None: r"it is not known whether (it|the store) was changed",
    }[changed]
    assert re.search(statement, str(error))
    assert "\n" not in str(error)
    assert not str(error).endswith(".")


@pytest.mark.parametrize("error", [error for error, _, _ in EXAMPLES])
def test_every_error_has_a_hint(error: RecoveryError) -> None:
    assert hint_of(error)
    assert "\n" not in hint_of(error)


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    error = NotFoundError(kind="user", name="ann", existing=["bob", "eve"], hint=HINT)
    assert str(error) == "there is no user ann (there are: bob, eve); nothing was changed"


def test_an_unknown_name_in_an_empty_store_says_that_there_is_none() -> None:
    error = NotFoundError(kind="user", name="ann", existing=[], hint=HINT)
    assert "(there is none)" in str(error)


def test_a_conflict_can_leave_out_a_name_that_must_not_be_shown() -> None:
    error = ConflictError(kind="token", name="", hint=HINT)
    assert str(error) == "this token exists already; nothing was changed"


def test_a_failed_write_says_where_the_backup_is_in_a_field() -> None:
    error = WriteFailedError(
        path="/x", problem="no", outcome="unknown", hint=HINT, backup_path="/x.backup"
    )
    assert error.backup_path == "/x.backup"


def test_the_exit_codes_are_those_of_the_manual() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 70, 130]


def test_every_exit_code_has_a_meaning_of_its_own() -> None:
    meanings = [code.meaning for code in ExitCode]
    assert all(meanings)
    assert len(meanings) == len(set(meanings))


def test_an_exit_code_is_found_by_its_number() -> None:
    assert ExitCode.BUSY is ExitCode(4)


def test_many_that_could_be_meant_keep_to_a_screen_and_all_are_counted() -> None:
    names = [f"/srv/instance-{number}/influxd.bolt ({'a fact, ' * 8})" for number in range(30)]
    error = AmbiguousError(kind="store", candidates=names, hint="name one")
    assert len(error.candidates) == 30
    assert str(error).startswith("there are 30 stores and none was named: /srv/instance-0/")
    assert len(str(error)) < 24 * 40
    shown = sum(name in str(error) for name in names)
    assert f", and {30 - shown} more; " in str(error)


@pytest.mark.parametrize("count", [1, 2])
def test_a_few_that_could_be_meant_are_all_named(count: int) -> None:
    names = [f"{number}" * 700 for number in range(count)]
    error = AmbiguousError(kind="user", candidates=names[:1] + ["bob"] * (count - 1), hint="")
    assert " more" not in str(error)
