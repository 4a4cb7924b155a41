"""The sample stores: one user, one organization, an operator token and a reading one.

Lives here: the same installation at level 17, as InfluxDB 2.1 left it, and at level 21, after 2.8
has migrated it, made by our own recipes, so that a fresh clone needs nothing from outside.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bolt_store.codec.meta import decode_meta, encode_meta
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    new_authorization,
)
from recovery.model.bucket import TYPE_USER
from recovery.model.ids import Id, IdSource
from recovery.model.password import hash_password
from recovery.model.permission import Permission, operator_permissions
from recovery.model.token import TokenForm
from recovery.ports import SystemRng
from recovery.secret import Secret
from recovery.services.tenancy.writing import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_user,
)
from tests.support.ports import FixedClock

OPERATOR_TOKEN: Final = (
    "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ=="
)
READER_TOKEN: Final = (
    "4-pZrlm84u9uiMVrPBeITe46KxfdEnvTX5H2CZh38BtAsXX4O47b8QwZ9jHL_Cek2w-VbVfRxDpo0Mu8ORiqyQ=="
)
"""Public test data: InfluxDB publishes both, with the sample store of its own recovery tests."""
PASSWORD: Final = "canary-sample-password"
MADE_AT: Final = "2021-09-28T12:55:25.442475Z"
TOKENS_MADE_AT: Final = "2021-09-28T08:55:25.75109-04:00"
"""A server writes this time in the zone of its host."""
PAGE_SIZE: Final = 4096
_TXIDS: Final = {17: 114, 21: 131}


class _GivenIds(IdSource):
    """Hands out IDs that are known beforehand."""

    def __init__(self, ids: Iterator[str]) -> None:
        super().__init__(FixedClock(datetime(2021, 9, 28, tzinfo=UTC)), SystemRng())
        self._ids = ids

    def snowflake(self) -> Id:
        return Id(next(self._ids))

    random = snowflake


def write_sample_stores(folder: Path) -> None:
    """Write `level17.bolt` and `level21.bolt` into a folder."""
    for level in _TXIDS:
        path = folder / f"level{level}.bolt"
        path.write_bytes(_sample(level))
        path.chmod(0o600)


@lru_cache
def _sample(level: int) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "influxd.bolt"
        MetaStore.create(path, level=level, fill=lambda tx: _fill(tx, level))
        content = bytearray(path.read_bytes())
    # A server that stops commits once more and changes nothing: both metas name one tree then.
    newest = max(
        (decode_meta(bytes(content[at:])) for at in (0, PAGE_SIZE)), key=lambda meta: meta.txid
    )
    for txid in (_TXIDS[level] - 1, _TXIDS[level]):
        at = txid % 2 * PAGE_SIZE
        page = encode_meta(newest._replace(txid=txid), slot=txid % 2)
        content[at : at + len(page)] = page
    return bytes(content)


def _fill(tx: MetaTx, level: int) -> None:
    now = MADE_AT
    ids = _GivenIds(
        iter(
            (
                "08371d968ca4b000",
                "08371db1dd8c8000",
                "dd7cd2292f6e974a",
                "a4400ee87566e12a",
                "35227829a87926d7",
                "7451ab8b9b7df592",
            )
        )
    )
    write_empty_store(tx, level=level, ids=ids, rng=SystemRng(), now=now)
    user = write_user(tx, name="testuser", ids=ids)
    tx.passwords.put(user, hash_password(Secret(PASSWORD)))
    org = write_organization(tx, name="myorg", description="", owner_id=user, ids=ids, now=now)
    wish = BucketWish(name="mybucket", description="", kind=TYPE_USER, retention_ns=0)
    write_bucket(tx, wish, org_id=org, ids=ids, now=now)
    reading = Permission(action="read", type="buckets", org_id=org)
    for authorization_id, token, description, permissions in (
        ("08371db24dcc8000", OPERATOR_TOKEN, "testuser's Token", operator_permissions(level)),
        ("08371deae98c8000", READER_TOKEN, "testuser's read buckets token", [reading]),
    ):
        authorization = new_authorization(
            authorization_id=Id(authorization_id),
            token=Secret(token),
            form=TokenForm.RAW,
            description=description,
            org_id=org,
            user_id=user,
            permissions=permissions,
            now=TOKENS_MADE_AT,
        )
        tx.authorizations.insert(authorization)
