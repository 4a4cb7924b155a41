"""A store with very many authorizations, written in one go.

Half of the tokens are raw and half hashed, each has its index entry, and each authorization has the
44 permissions of an operator unless fewer are wanted, so that nothing about them is easier than in
the worst real store.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import bolt_store
from recovery.model.authorization import new_authorization
from recovery.model.gojson import format_time
from recovery.model.ids import Id
from recovery.model.permission import Permission, operator_permissions
from recovery.model.token import TokenForm
from recovery.secret import Secret
from tests.support.stores import MADE_AT, MadeStore, make_store

LEVEL: Final = 21
FIRST_ID: Final = 0x0D00_0000_0000_1000

Pairs = list[tuple[bytes, bytes]]


def make_large_store(path: Path, *, count: int, permission_count: int = 44) -> MadeStore:
    """Make a store with `count` authorizations more than `make_store` gives it."""
    seed = path.with_name(path.name + ".seed")
    made = make_store(seed, level=LEVEL)
    records, raw, hashed = _authorizations(made, count, permission_count)
    more = {
        b"authorizationsv1": records,
        b"authorizationindexv1": raw,
        b"authorizationhashedindexv1": hashed,
    }
    with bolt_store.open(seed) as db, db.view() as tx:
        bolt_store.rebuild(_content(tx, more), path, txid=tx.txid)
    seed.unlink()
    return made


def _authorizations(
    made: MadeStore, count: int, permission_count: int
) -> tuple[Pairs, Pairs, Pairs]:
    draw = Random(count)
    permissions = operator_permissions(LEVEL)[:permission_count]
    templates = {
        is_hashed: _template(made, permissions, is_hashed=is_hashed) for is_hashed in (False, True)
    }
    records: Pairs = []
    raw: Pairs = []
    hashed: Pairs = []
    for number in range(count):
        key = b"%016x" % (FIRST_ID + number)
        is_hashed = number % 2 == 1
        token = urlsafe_b64encode(draw.randbytes(64))
        if is_hashed:
            digest = urlsafe_b64encode(hashlib.sha256(token).digest())
            token = b"$influxdb2-sha256$" + digest
        (hashed if is_hashed else raw).append((token, key))
        head, middle, tail = templates[is_hashed]
        records.append((key, head + key + middle + token + tail))
    raw.sort()
    hashed.sort()
    return records, raw, hashed


def _template(
    made: MadeStore, permissions: list[Permission], *, is_hashed: bool
) -> tuple[bytes, bytes, bytes]:
    """Encode one record, and cut it where the ID and the token are."""
    authorization = new_authorization(
        authorization_id=Id("f" * 16),
        token=Secret("T" * 62),
        form=TokenForm.SHA256 if is_hashed else TokenForm.RAW,
        description="one of very many",
        org_id=made.org,
        user_id=made.alice,
        permissions=permissions,
        now=format_time(MADE_AT),
    )
    head, _, rest = authorization.document.partition(b"f" * 16)
    stored = authorization.token or authorization.hashed_token or Secret("")
    middle, _, tail = rest.partition(stored.reveal().encode())
    return head, middle, tail


def _content(
    tx: bolt_store.Tx, more: dict[bytes, Pairs]
) -> Iterator[tuple[bytes, bolt_store.BucketContent]]:
    for name, bucket in tx.buckets():
        items = [(key, value) for key, value in bucket.items() if value is not None]
        content = sorted([*items, *more.get(name, [])])
        yield name, bolt_store.BucketContent(items=content, sequence=bucket.sequence)
