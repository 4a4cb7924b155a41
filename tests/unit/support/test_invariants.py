"""The assertion of invariants finds what it is for: a test that cannot fail is worth nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.metastore.transaction import MetaTx
from tests.support.invariants import assert_invariants, hash_of, violations
from tests.support.stores import (
    HASHED_TOKEN,
    LEVELS,
    READER_TOKEN,
    MadeStore,
    edit,
    make_store,
)

NOBODY = "00000000000000ff"


@pytest.fixture
def store(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def put(bucket: str, key: str, value: str) -> Callable[[MetaTx, MadeStore], None]:
    """Put a key; names in braces are those of `MadeStore`."""

    def change(tx: MetaTx, store: MadeStore) -> None:
        tx.table(bucket).put(_filled(key, store).encode(), _filled(value, store).encode())

    return change


def delete(bucket: str, key: str) -> Callable[[MetaTx, MadeStore], None]:
    return lambda tx, store: tx.table(bucket).delete(_filled(key, store).encode())


def replace(bucket: str, key: str, old: str, new: str) -> Callable[[MetaTx, MadeStore], None]:
    def change(tx: MetaTx, store: MadeStore) -> None:
        table, where = tx.table(bucket), _filled(key, store).encode()
        value = table.get(where)
        assert value is not None
        altered = value.replace(_filled(old, store).encode(), _filled(new, store).encode())
        assert altered != value
        table.put(where, altered)

    return change


def _filled(text: str, store: MadeStore) -> str:
    for name in ("alice", "bob", "org", "bucket", "reader", "hashed", "legacy"):
        text = text.replace(f"<{name}>", getattr(store, name))
    return text


FAULTS = {
    "I6 user": replace("usersv1", "<bob>", "<bob>", NOBODY),
    "I7 user": replace("usersv1", "<bob>", '"active"', '""'),
    "I8 user index: 1 missing": delete("userindexv1", "bob"),
    "I8 user index: 1 extra": put("userindexv1", "gone", "<bob>"),
    "I8 user index: 1 wrong": put("userindexv1", "bob", "<alice>"),
    "I8 user index: two": replace("usersv1", "<bob>", '"bob"', '"alice"'),
    "I9 password of no user": put("userspasswordv1", NOBODY, "$2a$10$" + "x" * 53),
    "I9 password of": put("userspasswordv1", "<bob>", "plain text"),
    "I10 bucket": replace("v1_tsm1_metadata", "meta.db", "<bucket>", NOBODY),
    "I14 organization index: 1 missing": delete("organizationindexv1", "acme"),
    "I14 organization index: 1 extra": put("organizationindexv1", "gone", "<org>"),
    "I15 bucket": replace("bucketsv1", "<bucket>", "<org>", NOBODY),
    "I16 bucket index: 1 missing": delete("bucketindexv1", "<org>sensors"),
    "I17 organization": replace("bucketsv1", "<bucket>", "sensors", "_tasks"),
    "I19 mapping": replace("userresourcemappingsv1", "<org><bob>", "<bob>", NOBODY),
    "I19 mapping <org><bob> is of an odd kind": replace(
        "userresourcemappingsv1", "<org><bob>", "member", "friend"
    ),
    "I20 mapping <org><bob>": replace("userresourcemappingsv1", "<org><bob>", "<org>", NOBODY),
    "I21 mapping index: 1 missing": delete("userresourcemappingsbyuserindexv1", "<bob>/<org><bob>"),
    "I23 authorization <reader> is under": replace(
        "authorizationsv1", "<reader>", "<reader>", NOBODY
    ),
    "I23 authorization <reader> has an odd": replace(
        "authorizationsv1", "<reader>", '"active"', '"odd"'
    ),
    "I23 authorization <reader> permits something unknown": replace(
        "authorizationsv1", "<reader>", '"buckets"', '"flows"'
    ),
    "I23 authorization <reader> permits something elsewhere": replace(
        "authorizationsv1", "<reader>", '"orgID":"<org>"}}', '"orgID":"' + NOBODY + '"}}'
    ),
    "I24 authorization <reader>": replace("authorizationsv1", "<reader>", "<bob>", NOBODY),
    "I25 raw index: 1 missing": delete("authorizationindexv1", READER_TOKEN),
    "I25 raw index: 1 extra": put("authorizationindexv1", "a stale key", "<reader>"),
    "I25 index of hashes: 1 missing": delete("authorizationhashedindexv1", hash_of(HASHED_TOKEN)),
    "I25 authorization <reader> has not exactly one": replace(
        "authorizationsv1", "<reader>", '"status"', '"hashedToken":"x","status"'
    ),
    "I25 authorization <hashed> has a hash that is of no use": replace(
        "authorizationsv1", "<hashed>", "$influxdb2-sha256$", "$argon2$"
    ),
    "I25 1 tokens are there raw and hashed": replace(
        "authorizationsv1",
        "<hashed>",
        hash_of(HASHED_TOKEN),
        hash_of(READER_TOKEN),
    ),
    "I29 legacy index: 1 missing": delete("legacy/authorizationindexv1", "grafana"),
    "I29 legacy password of nobody": put(
        "legacy/authorizationPasswordv1", NOBODY, "$2a$10$" + "x" * 53
    ),
    "I29 legacy password of <legacy>": put("legacy/authorizationPasswordv1", "<legacy>", "x"),
    "I29 authorization <legacy>": replace(
        "legacy/authorizationsv1", "<legacy>", '"active"', '"odd"'
    ),
}


@pytest.mark.parametrize("start", FAULTS)
def test_a_planted_fault_is_found_by_its_number(start: str, store: MadeStore) -> None:
    edit(store.path, lambda tx: FAULTS[start](tx, store))
    wanted = _filled(start, store)
    assert [line for line in violations(store.path) if line.startswith(wanted)] != []
    with pytest.raises(AssertionError):
        assert_invariants(store.path)


@pytest.mark.parametrize("level", LEVELS)
def test_stores_of_every_level_hold_them(level: int, tmp_path: Path) -> None:
    assert_invariants(make_store(tmp_path / "influxd.bolt", level=level).path)


def test_real_stores_hold_them(level17_bolt: Path, level21_bolt: Path) -> None:
    assert_invariants(level17_bolt)
    assert_invariants(level21_bolt)


def test_what_it_says_holds_no_token(store: MadeStore) -> None:
    def harm(tx: MetaTx) -> None:
        tx.table("authorizationindexv1").delete(READER_TOKEN.encode())
        tx.table("authorizationhashedindexv1").delete(hash_of(HASHED_TOKEN).encode())

    edit(store.path, harm)
    said = " ".join(violations(store.path))
    assert "I25" in said
    assert "canary" not in said
    assert "sha256" not in said
