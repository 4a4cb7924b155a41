"""What is different between two stores, in words that hold no secret."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.secret import Secret
from recovery.services.authorizations.changes import DeleteAuthorization, SetStatus
from recovery.services.authorizations.hashing import HashTokens
from recovery.services.session import Session
from recovery.services.stores.diff import BucketCount, Change, Comparison, compare_stores
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import RenameUser
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, LEVELS, MadeStore, change, edit, make_store


def compare(before: Path, after: Path) -> Comparison:
    with Session.open(before) as left, Session.open(after) as right:
        return compare_stores(left, right)


def after(made: MadeStore, alter: Callable[[MadeStore], object]) -> Comparison:
    """Compare a store with itself before something was done to it."""
    before = made.path.with_name("before.bolt")
    shutil.copyfile(made.path, before)
    alter(made)
    return compare(before, made.path)


def planted(change_records: Callable[[MetaTx], None]) -> Callable[[MadeStore], object]:
    return lambda made: edit(made.path, change_records)


@pytest.mark.parametrize("level", LEVELS)
def test_a_store_is_the_same_as_its_copy(tmp_path: Path, level: int) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=level)
    found = after(made, lambda _: None)
    assert found.is_same
    assert (found.changes, found.counts) == ((), ())


def test_the_real_stores_of_one_server_differ_by_what_the_server_did(
    level17_bolt: Path, level21_bolt: Path
) -> None:
    found = compare(level17_bolt, level21_bolt)
    words = {(one.kind, one.action, one.name) for one in found.changes}
    assert ("migration", "added", "create authorizationhashedindexv1 bucket") in words
    assert (found.before.level, found.after.level) == (17, 21)
    (operator,) = [one for one in found.changes if one.kind == "authorization"]
    assert (operator.id, operator.action) == ("08371db24dcc8000", "changed")
    assert "permissions: 40 entries before, 44 after" in operator.details


def test_a_deleted_authorization_is_named(made: MadeStore) -> None:
    found = after(
        made,
        lambda made: change(
            made.path, DeleteAuthorization(authorization_id=made.operator, is_ensured=False)
        ),
    )
    assert found.changes == (
        Change(
            kind="authorization",
            action="removed",
            id=made.operator,
            name="alice's Token",
            details=(),
        ),
    )
    assert found.counts == (
        BucketCount(bucket="authorizationindexv1", added=0, removed=1, changed=0),
    )


def test_a_changed_status_is_shown_before_and_after(made: MadeStore) -> None:
    planner = SetStatus(authorization_id=made.reader, is_active=False, clock=FixedClock(CHANGED_AT))
    found = after(made, lambda made: change(made.path, planner))
    (one,) = found.changes
    assert (one.action, one.id) == ("changed", made.reader)
    assert 'status: "active" before, "inactive" after' in one.details
    assert "updatedAt is another one" in one.details


def test_a_hashed_token_shows_neither_token_nor_hash(made: MadeStore) -> None:
    planner = HashTokens(authorization_id=made.reader)
    found = after(made, lambda made: change(made.path, planner))
    (one,) = found.changes
    assert {"token was removed", "hashedToken was added"} <= set(one.details)
    assert "canary" not in repr(found)
    assert "influxdb2-sha256" not in repr(found)


def test_a_renamed_user_is_shown_with_both_names(made: MadeStore) -> None:
    planner = RenameUser(user=UserChoice(name="bob", user_id=None), new_name="robert")
    found = after(made, lambda made: change(made.path, planner))
    (one,) = found.changes
    assert (one.kind, one.name) == ("user", "robert")
    assert one.details == ('name: "bob" before, "robert" after',)
    assert found.counts == (BucketCount(bucket="userindexv1", added=1, removed=1, changed=0),)


def test_a_password_is_told_by_its_user_alone(made: MadeStore) -> None:
    found = after(
        made, planted(lambda tx: tx.passwords.put(made.alice, Secret("$2a$canary-password-hash")))
    )
    (one,) = found.changes
    assert (one.kind, one.action, one.name, one.details) == ("password", "added", "alice", ())
    assert "canary" not in repr(found)


def test_a_role_is_told_by_names(made: MadeStore) -> None:
    found = after(
        made, planted(lambda tx: tx.mappings.delete(resource_id=made.org, user_id=made.bob))
    )
    (one,) = found.changes
    assert (one.kind, one.action, one.id) == ("role", "removed", None)
    assert one.name == "bob, member of orgs acme"


def test_a_record_that_cannot_be_decoded_is_told_without_its_content(made: MadeStore) -> None:
    key = Id("0000000000001001").encode()
    found = after(made, planted(lambda tx: tx.table("usersv1").put(key, b'{"name":"canary-broken')))
    (one,) = found.changes
    assert (one.id, one.name, one.details) == ("0000000000001001", "", ("it cannot be decoded",))


def test_a_field_that_influxdb_does_not_have_is_not_named(made: MadeStore) -> None:
    document = f'{{"id":"{made.bob}","name":"bob","status":"active","canary-field":"canary"}}'
    found = after(
        made, planted(lambda tx: tx.table("usersv1").put(made.bob.encode(), document.encode()))
    )
    (one,) = found.changes
    assert one.details == ("another field was added",)


def test_a_record_that_means_the_same_is_still_different(made: MadeStore) -> None:
    document = f'{{"name":"bob","id":"{made.bob}","status":"active"}}'
    found = after(
        made, planted(lambda tx: tx.table("usersv1").put(made.bob.encode(), document.encode()))
    )
    (one,) = found.changes
    assert one.details == ("written differently, with the same meaning",)


def test_keys_of_other_buckets_are_only_counted(made: MadeStore) -> None:
    found = after(
        made, planted(lambda tx: tx.table("secretsv1").put(b"canary-key", b"canary-value"))
    )
    assert found.changes == ()
    assert found.counts == (BucketCount(bucket="secretsv1", added=1, removed=0, changed=0),)
    assert "canary" not in repr(found)


def test_a_bucket_that_one_store_lacks_counts_as_empty(made: MadeStore) -> None:
    found = after(made, planted(lambda tx: tx.create_table("of the future").put(b"k", b"v")))
    assert found.counts == (BucketCount(bucket="of the future", added=1, removed=0, changed=0),)
