"""Finding an authorization by its token, as a server does, through indexes that may be wrong."""

from pathlib import Path

import pytest

from recovery.metastore import authorizations as room
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.token import SHA512, hash_token
from recovery.secret import Secret
from tests.support.stores import (
    HASHED_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    edit,
)

RAW_INDEX = "authorizationindexv1"
HASHED_INDEX = "authorizationhashedindexv1"


def found(made: MadeStore, token: str) -> str | None:
    """Return the ID of the record that a token opens."""
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        authorization = tx.authorizations.find(Secret(token))
    return None if authorization is None else authorization.id


def test_raw_and_hashed_tokens_are_found(made: MadeStore) -> None:
    assert found(made, OPERATOR_TOKEN) == made.operator
    assert found(made, HASHED_TOKEN) == made.hashed
    assert found(made, "no token of this store") is None


def test_the_tokens_of_the_real_stores_are_found(level17_bolt: Path, level21_bolt: Path) -> None:
    token = (
        "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ=="
    )
    for path in (level17_bolt, level21_bolt):
        with MetaStore.open(path, write=False) as store, store.view() as tx:
            authorization = tx.authorizations.find(Secret(token))
        assert authorization is not None
        assert authorization.id == "08371db24dcc8000"


def test_a_sha512_entry_is_found(made: MadeStore) -> None:
    """2.8 can be told to use it by a record that has it."""
    token = Secret("another-token-0123456789")
    hashed = hash_token(token, SHA512).reveal()

    def plant(tx: MetaTx) -> None:
        record = tx.authorizations.get(made.hashed)
        assert record is not None
        document = record.rewritten({"hashedToken": hashed})
        tx.table("authorizationsv1").put(made.hashed.encode(), document)
        tx.table(HASHED_INDEX).put(hashed.encode(), made.hashed.encode())

    edit(made.path, plant)
    assert found(made, token.reveal()) == made.hashed


def test_a_stale_raw_entry_does_not_open_the_record_that_it_points_to(made: MadeStore) -> None:
    """Servers up to 2.7 would let it in; nobody should be told that it is a token of the store."""
    edit(made.path, lambda tx: tx.table(RAW_INDEX).put(b"stale-token", made.operator.encode()))
    assert found(made, "stale-token") is None


@pytest.mark.parametrize("value", [b"ffffffffffffffff", b"no ID", b""])
def test_an_entry_that_leads_nowhere_opens_nothing(made: MadeStore, value: bytes) -> None:
    edit(made.path, lambda tx: tx.table(RAW_INDEX).put(OPERATOR_TOKEN.encode(), value))
    assert found(made, OPERATOR_TOKEN) is None


def test_a_token_without_its_entry_is_not_found(made: MadeStore) -> None:
    edit(made.path, lambda tx: tx.table(RAW_INDEX).delete(OPERATOR_TOKEN.encode()))
    assert found(made, OPERATOR_TOKEN) is None


def test_a_token_is_known_raw_and_under_each_hash(made: MadeStore) -> None:
    sha512 = hash_token(Secret("third"), SHA512).reveal().encode()
    edit(made.path, lambda tx: tx.table(HASHED_INDEX).put(sha512, made.hashed.encode()))
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        known = [
            tx.authorizations.is_known(Secret(token))
            for token in (OPERATOR_TOKEN, HASHED_TOKEN, "third", "fourth")
        ]
        assert tx.authorizations.has_hashed
    assert known == [True, True, True, False]


@pytest.mark.parametrize("look_ups", [0, 2, 256])
def test_a_listing_tells_which_records_have_their_entry(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch, look_ups: int
) -> None:
    """By look-ups, by the indexes read at once, and by one after the other."""
    monkeypatch.setattr(room, "LOOK_UPS_MAX", look_ups)

    def spoil(tx: MetaTx) -> None:
        tx.table(RAW_INDEX).put(READER_TOKEN.encode(), made.operator.encode())
        tx.table(HASHED_INDEX).delete(hash_token(Secret(HASHED_TOKEN)).reveal().encode())

    edit(made.path, spoil)
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        has_entry = tx.authorizations.index_check()
        verdicts = {one.id: has_entry(one) for one in tx.authorizations.walk([])}
    assert verdicts == {
        made.operator: True,
        made.old_operator: True,
        made.reader: False,
        made.hashed: False,
    }
