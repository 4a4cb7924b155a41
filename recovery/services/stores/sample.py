"""Make a small store of our own.

Lives here: what is in it. Must not live here: how its records are written (`recipes`), real data.

Invariants: no existing file is ever touched.

Source: spec influxdb-metadata sections 4.1 to 4.9 and 6.1, recipes R3, R5 and R6.
"""

from pathlib import Path
from typing import Final

import msgspec

from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    new_authorization,
)
from recovery.model.bucket import DAY_NS, TYPE_USER
from recovery.model.gojson import format_time
from recovery.model.ids import IdSource, unused
from recovery.model.mapping import MEMBER
from recovery.model.permission import Permission
from recovery.model.schema import LEVEL_MAX
from recovery.model.token import TokenForm, new_token
from recovery.ports import Clock, Rng
from recovery.services.tenancy.writing import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_role,
    write_user,
)

ORGANIZATION: Final = "example-org"
OWNER_NAME: Final = "alice"
OTHER_NAME: Final = "bob"
BUCKET: Final = "sensors"


class SampleStore(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the store that was made.

    Attributes:
        organization: Its only organization.
        usernames: Its users, the owner of the organization first.
    """

    path: Path
    organization: str
    usernames: tuple[str, ...]


def make_sample_store(path: Path, *, clock: Clock, rng: Rng) -> SampleStore:
    """Make a valid store of level 21 that nobody can get into as an operator.

    One organization with its system buckets and a bucket, two users without passwords, and one
    token that may read that bucket and nothing else.

    Args:
        rng: Randomness, for IDs and the token.
    """
    ids = IdSource(clock, rng)
    now = format_time(clock.now())

    def fill(tx: MetaTx) -> None:
        write_empty_store(tx, level=LEVEL_MAX, ids=ids, rng=rng, now=now)
        owner_id = write_user(tx, name=OWNER_NAME, ids=ids)
        other_id = write_user(tx, name=OTHER_NAME, ids=ids)
        org_id = write_organization(
            tx, name=ORGANIZATION, description="", owner_id=owner_id, ids=ids, now=now
        )
        write_role(tx, org_id=org_id, user_id=other_id, role=MEMBER)
        wish = BucketWish(name=BUCKET, description="", kind=TYPE_USER, retention_ns=30 * DAY_NS)
        bucket_id = write_bucket(tx, wish, org_id=org_id, ids=ids, now=now)
        reading = Permission(action="read", type="buckets", id=bucket_id, org_id=org_id)
        authorization = new_authorization(
            authorization_id=unused(ids.snowflake, tx.authorizations.has_id),
            token=new_token(rng),
            form=TokenForm.SHA256,
            description=f"{OTHER_NAME}'s dashboard",
            org_id=org_id,
            user_id=other_id,
            permissions=[reading],
            now=now,
        )
        tx.authorizations.insert(authorization)

    MetaStore.create(path, level=LEVEL_MAX, fill=fill)
    return SampleStore(path=path, organization=ORGANIZATION, usernames=(OWNER_NAME, OTHER_NAME))
