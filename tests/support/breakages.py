"""Ways to break a store: at least one for each invariant and direction.

Each is named by what is broken, and says which findings it makes and whether repair mends them.
Tests apply one of them, or several at random.
"""

import base64
from dataclasses import dataclass
from typing import Final

from recovery.metastore.transaction import MetaTx
from tests.support import full_store as full
from tests.support.full_store import (
    CELL,
    CHECK,
    DASHBOARD,
    DBRP,
    ENDPOINT,
    LABEL,
    NOBODY,
    OTHER_DBRP,
    PASSWORD_HASH,
    STACK,
    TASK,
    TELEGRAF,
    VARIABLE,
    Break,
    FullStore,
    bucket_id,
    change,
    drop,
    put,
)
from tests.support.invariants import hash_of
from tests.support.stores import HASHED_TOKEN, OPERATOR_TOKEN, READER_TOKEN

USERS: Final = "usersv1"
ORGS: Final = "organizationsv1"
BUCKETS: Final = "bucketsv1"
MAPPINGS: Final = "userresourcemappingsv1"
BY_USER: Final = "userresourcemappingsbyuserindexv1"
AUTHS: Final = "authorizationsv1"
RAW: Final = "authorizationindexv1"
HASHED: Final = "authorizationhashedindexv1"
LEGACY: Final = "legacy/authorizationsv1"
STRAY_TOKEN: Final = "canary-stray-token-0123456789"
GARBAGE: Final = b"{canary-garbage"


@dataclass(frozen=True, kw_only=True)
class Breakage:
    """One way to break a store.

    Attributes:
        name: What is broken, in words.
        break_: Does it.
        found: What the check finds, as "I16 M", in its order.
        is_mended: Whether repair mends all of that.
        levels: Schema levels at which it is so.
    """

    name: str
    break_: Break
    found: tuple[str, ...]
    is_mended: bool
    levels: tuple[int, ...] = (21,)


def _b(
    name: str, found: str, break_: Break, *, mended: bool, levels: tuple[int, ...] = (21,)
) -> Breakage:
    return Breakage(
        name=name,
        break_=break_,
        found=tuple(found.split(", ")),
        is_mended=mended,
        levels=levels,
    )


NOBODY_IN_BASE64: Final = base64.b64encode(NOBODY.encode()).decode()


def _rekey(tx: MetaTx, table: str, key: str, new_key: str) -> None:
    value = tx.table(table).get(key.encode()) or b""
    drop(tx, table, key)
    put(tx, table, new_key, value)


def _in_no_index(tx: MetaTx, made: FullStore) -> None:
    _rekey(tx, USERS, made.bob, NOBODY)
    drop(tx, "userindexv1", "bob")


def _drop_org(tx: MetaTx, made: FullStore) -> None:
    """Delete "other" as a server before 2.9 does, and leave a task of it."""
    other = made.other_org
    for name in ("_tasks", "_monitoring"):
        bucket = bucket_id(tx, other, name)
        drop(tx, BUCKETS, bucket)
        drop(tx, "bucketindexv1", f"{other}{name}")
        _without_database(tx, bucket)
    drop(tx, ORGS, other)
    drop(tx, "organizationindexv1", "other")
    drop(tx, MAPPINGS, f"{other}{made.alice}")
    drop(tx, BY_USER, f"{made.alice}/{other}{made.alice}")
    _add_task(tx, other, made.alice)


def _add_task(tx: MetaTx, org: str, owner: str) -> None:
    task = {"id": "0b00000000000001", "orgID": org, "ownerID": owner, "name": "t", "flux": "x"}
    put(tx, "tasksv1", "0b00000000000001", task)
    put(tx, "taskIndexsv1", f"{org}/0b00000000000001", "0b00000000000001")
    put(tx, "taskRunsv1", "0b00000000000001/latestCompleted", "{}")


def _add_task_of_rule(tx: MetaTx, made: FullStore) -> None:
    _add_task(tx, made.org, made.alice)
    change(tx, "tasksv1", "0b00000000000001", type="slack", status="inactive")


def _add_task_of_odd_type(tx: MetaTx, made: FullStore) -> None:
    _add_task(tx, made.org, made.alice)
    change(tx, "tasksv1", "0b00000000000001", type="SYSTEM", status="inactive")


def _without_database(tx: MetaTx, bucket: str) -> None:
    """Take the entry of a bucket out of the catalogue, byte for byte."""
    catalogue = tx.catalogue.read() or b""
    place = catalogue.index(b"\x0a\x10" + bucket.encode())
    size_bytes = catalogue[place - 1]
    tx.catalogue.write(catalogue[: place - 2] + catalogue[place + size_bytes :])


def _add_bucket_twin(tx: MetaTx, made: FullStore) -> None:
    """Give "sensors" a second record of that name, as two runs of a broken tool do."""
    change(tx, BUCKETS, bucket_id(tx, made.other_org, "_monitoring"), name="sensors")
    change(
        tx, BUCKETS, bucket_id(tx, made.other_org, "_monitoring"), orgID=made.org, name="sensors"
    )


def _missing_database(tx: MetaTx, made: FullStore) -> None:
    _without_database(tx, made.bucket)


def _zero_duration(tx: MetaTx, made: FullStore) -> None:
    change(tx, BUCKETS, made.bucket, shardGroupDuration=0)


def _cut_catalogue(tx: MetaTx, _: FullStore) -> None:
    tx.catalogue.write((tx.catalogue.read() or b"")[:-3])


def _no_catalogue(tx: MetaTx, _: FullStore) -> None:
    tx.table("v1_tsm1_metadata").delete(b"meta.db")


def _database_twice(tx: MetaTx, made: FullStore) -> None:
    catalogue = tx.catalogue.read() or b""
    place = catalogue.index(b"\x0a\x10" + made.bucket.encode())
    tx.catalogue.write(catalogue + catalogue[place - 2 : place + catalogue[place - 1]])


def _without_policy(tx: MetaTx, bucket: str) -> None:
    """Give the database of a bucket another name for its only policy."""
    catalogue = tx.catalogue.read() or b""
    place = catalogue.index(b"\x0a\x10" + bucket.encode())
    end = place + catalogue[place - 1]
    entry = catalogue[place:end].replace(b"autogen", b"AUTOGEN")
    tx.catalogue.write(catalogue[:place] + entry + catalogue[end:])


def _extra_database(tx: MetaTx, made: FullStore) -> None:
    catalogue = tx.catalogue.read() or b""
    place = catalogue.index(b"\x0a\x10" + made.bucket.encode())
    entry = catalogue[place - 2 : place + catalogue[place - 1]]
    tx.catalogue.write(catalogue + entry.replace(made.bucket.encode(), NOBODY.encode()))


def _no_system_bucket(name: str) -> Break:
    def break_(tx: MetaTx, made: FullStore) -> None:
        bucket = bucket_id(tx, made.org, name)
        drop(tx, BUCKETS, bucket)
        drop(tx, "bucketindexv1", f"{made.org}{name}")
        _without_database(tx, bucket)

    return break_


def _nobody_at_all(tx: MetaTx, made: FullStore) -> None:
    for user in (made.alice, made.bob):
        put(tx, USERS, user, GARBAGE)
    for org in (made.org, made.other_org):
        put(tx, ORGS, org, GARBAGE)


def _both_forms(tx: MetaTx, made: FullStore) -> None:
    change(tx, AUTHS, made.operator, hashedToken=hash_of(OPERATOR_TOKEN))
    put(tx, HASHED, hash_of(OPERATOR_TOKEN), made.operator)


def _wrong_hash(tx: MetaTx, made: FullStore) -> None:
    change(tx, AUTHS, made.operator, hashedToken=hash_of(STRAY_TOKEN))
    put(tx, HASHED, hash_of(STRAY_TOKEN), made.operator)


def _odd_hash(tx: MetaTx, made: FullStore) -> None:
    change(tx, AUTHS, made.hashed, hashedToken="$argon2$canary")
    drop(tx, HASHED, hash_of(HASHED_TOKEN))
    put(tx, HASHED, "$argon2$canary", made.hashed)


def _no_token(tx: MetaTx, made: FullStore) -> None:
    change(tx, AUTHS, made.reader, token=None)
    drop(tx, RAW, READER_TOKEN)


def _same_token(tx: MetaTx, made: FullStore) -> None:
    change(tx, AUTHS, made.reader, token=OPERATOR_TOKEN)
    drop(tx, RAW, READER_TOKEN)


def _early_hash(tx: MetaTx, made: FullStore) -> None:
    change(tx, AUTHS, made.reader, token=None, hashedToken=hash_of(READER_TOKEN))
    drop(tx, RAW, READER_TOKEN)


def _one_name_not_in_the_index(tx: MetaTx, made: FullStore) -> None:
    change(tx, USERS, made.bob, name="alice")
    drop(tx, "userindexv1", "alice")
    drop(tx, "userindexv1", "bob")


def _one_name_of_nobody(tx: MetaTx, made: FullStore) -> None:
    change(tx, USERS, made.bob, name="alice")
    drop(tx, "userindexv1", "bob")
    put(tx, "userindexv1", "alice", NOBODY)


def _drop_buckets(tx: MetaTx, made: FullStore) -> None:
    for _, bucket in list(tx.table("bucketindexv1").items(made.org.encode())):
        tx.table(BUCKETS).delete(bucket)


def _rename_legacy(tx: MetaTx, made: FullStore, name: str) -> None:
    change(tx, LEGACY, made.legacy, token=name)


def _permission(**resource: str) -> list[dict[str, object]]:
    return [{"action": "read", "resource": resource}]


ALL_BUCKETS: Final = _permission(type="buckets")
ALL_LEVELS: Final = (17, 18, 19, 20, 21)

BREAKAGES: Final = (
    # The schema.
    _b("migration undecodable", "I2 F",
       lambda tx, _: put(tx, "migrationsv1", f"{5:016x}", GARBAGE), mended=False),
    _b("migration unknown", "I2 F",
       lambda tx, _: put(tx, "migrationsv1", f"{22:016x}",
                         {"id": f"{22:016x}", "name": "new", "started_at": full.NOW,
                          "finished_at": full.NOW}), mended=False),
    _b("migration renamed", "I2 F",
       lambda tx, _: change(tx, "migrationsv1", f"{5:016x}", name="odd"), mended=False),
    _b("migration unfinished", "I2 L",
       lambda tx, _: change(tx, "migrationsv1", f"{5:016x}", finished_at=None), mended=False),
    _b("migration missing", "I2 M",
       lambda tx, _: drop(tx, "migrationsv1", f"{5:016x}"), mended=False),
    _b("instance ID too short", "I4 F", lambda tx, _: put(tx, "idsv1", "id", "08"), mended=True),
    _b("instance ID zero", "I4 F", lambda tx, _: put(tx, "idsv1", "id", "0" * 16), mended=True),
    # Users.
    _b("user undecodable", "I6 H",
       lambda tx, m: put(tx, USERS, m.bob, GARBAGE), mended=False, levels=ALL_LEVELS),
    _b("user under a wrong key", "I6 H",
       lambda tx, m: _rekey(tx, USERS, m.bob, NOBODY), mended=True),
    _b("user under a wrong key, by which the index has it", "I6 H",
       lambda tx, m: change(tx, USERS, m.bob, id=NOBODY), mended=True),
    _b("user under a wrong key, and in no index", "I6 H",
       _in_no_index,
       mended=False),
    _b("user without a name", "I6 H, I8 H",
       lambda tx, m: change(tx, USERS, m.bob, name=""), mended=True),
    _b("user with an empty status", "I7 M",
       lambda tx, m: change(tx, USERS, m.bob, status=""), mended=True, levels=ALL_LEVELS),
    _b("user with an odd status", "I7 M",
       lambda tx, m: change(tx, USERS, m.bob, status="away"), mended=False),
    _b("user name not in the index", "I8 H",
       lambda tx, _: drop(tx, "userindexv1", "bob"), mended=True, levels=ALL_LEVELS),
    _b("user name leads to another user", "I8 H",
       lambda tx, m: put(tx, "userindexv1", "bob", m.alice), mended=True),
    _b("user name of nobody", "I8 H",
       lambda tx, _: put(tx, "userindexv1", "carol", NOBODY), mended=False),
    _b("second name of a user", "I8 H",
       lambda tx, m: put(tx, "userindexv1", "carol", m.bob), mended=False),
    _b("two users with one name", "I8 H, I8 H",
       lambda tx, m: change(tx, USERS, m.bob, name="alice"), mended=False),
    _b("two users with one name that is not in the index", "I8 H, I8 H",
       _one_name_not_in_the_index, mended=False),
    _b("two users with one name that leads to nobody", "I8 H, I8 H",
       _one_name_of_nobody, mended=False),
    _b("record of a user lost", "I8 H, I9 L, I19 L, I19 L, I19 L, I24 L, I24 L, I27 M",
       lambda tx, m: drop(tx, USERS, m.alice), mended=False),
    _b("password of nobody", "I9 L",
       lambda tx, _: put(tx, "userspasswordv1", NOBODY, PASSWORD_HASH), mended=False),
    _b("password under an ID in capitals", "I9 H",
       lambda tx, m: put(tx, "userspasswordv1", m.bob.upper(), PASSWORD_HASH), mended=True),
    _b("password that is no hash", "I9 H",
       lambda tx, m: put(tx, "userspasswordv1", m.bob, "canary"), mended=False),
    # Organizations.
    _b("user without an ID", "I6 H",
       lambda tx, m: change(tx, USERS, m.bob, id=None), mended=True),
    _b("organization with a time that is none", "I14 H",
       lambda tx, m: change(tx, ORGS, m.other_org, createdAt=7), mended=True),
    _b("authorization with a time that is none", "I23 F",
       lambda tx, m: change(tx, AUTHS, m.reader, updatedAt="canary"), mended=True),
    _b("authorization with a description that is no text", "I23 F",
       lambda tx, m: change(tx, AUTHS, m.hashed, description=7), mended=True),
    _b("organization undecodable", "I14 H",
       lambda tx, m: put(tx, ORGS, m.other_org, GARBAGE), mended=True),
    _b("organization under a wrong key", "I14 H",
       lambda tx, m: _rekey(tx, ORGS, m.other_org, NOBODY), mended=True),
    _b("organization without a name", "I14 H, I14 H",
       lambda tx, m: change(tx, ORGS, m.other_org, name=" \t"), mended=True),
    _b("record of an organization lost",
       "I14 H",
       lambda tx, m: drop(tx, ORGS, m.other_org), mended=True),
    _b("organization name not in the index", "I14 H",
       lambda tx, _: drop(tx, "organizationindexv1", "other"), mended=True, levels=ALL_LEVELS),
    _b("organization name left by a deletion of blanks", "I14 H",
       lambda tx, m: put(tx, "organizationindexv1", "x", m.other_org), mended=False),
    _b("no bucket _monitoring", "I17 M", _no_system_bucket("_monitoring"), mended=True),
    _b("no bucket _tasks though there are tasks", "I17 F",
       _no_system_bucket("_tasks"), mended=True),
    _b("no bucket _tasks before 2.5", "I17 M",
       _no_system_bucket("_tasks"), mended=True, levels=(17, 18, 19)),
    _b("no user and no organization that can be understood",
       "I6 H, I6 H, I14 H, I14 H, I18 H", _nobody_at_all, mended=False),
    # Buckets and the catalogue.
    _b("bucket not in the catalogue", "I10 F", _missing_database, mended=True, levels=ALL_LEVELS),
    _b("database without a bucket", "I11 L", _extra_database, mended=False),
    _b("other retention in the record", "I12 M",
       lambda tx, m: change(tx, BUCKETS, m.bucket, retentionPeriod=0), mended=False),
    _b("other shard duration in the record", "I12 M",
       lambda tx, m: change(tx, BUCKETS, m.bucket, shardGroupDuration=3600_000_000_000),
       mended=False),
    _b("no shard duration in the record", "I12 M", _zero_duration, mended=True),
    _b("bucket without its policy in the catalogue", "I12 H",
       lambda tx, m: _without_policy(tx, m.bucket), mended=True),
    _b("_tasks without its policy in the catalogue", "I12 F",
       lambda tx, m: _without_policy(tx, bucket_id(tx, m.org, "_tasks")), mended=True),
    _b("catalogue cut short", "I13 F", _cut_catalogue, mended=False, levels=ALL_LEVELS),
    _b("no catalogue", "I13 F", _no_catalogue, mended=False),
    _b("database twice", "I13 L", _database_twice, mended=False),
    _b("bucket undecodable", "I15 F",
       lambda tx, m: put(tx, BUCKETS, m.bucket, GARBAGE), mended=True, levels=ALL_LEVELS),
    _b("bucket under a wrong key", "I15 H",
       lambda tx, m: _rekey(tx, BUCKETS, m.bucket, NOBODY), mended=True),
    _b("bucket with another ID than its key", "I15 F",
       lambda tx, m: change(tx, BUCKETS, m.bucket, id=NOBODY), mended=True),
    _b("bucket without an ID", "I15 F",
       lambda tx, m: change(tx, BUCKETS, m.bucket, id=None), mended=True),
    _b("bucket that names no organization", "I15 H, I16 M",
       lambda tx, m: change(tx, BUCKETS, m.bucket, orgID=None), mended=True),
    _b("_tasks leads to another bucket", "I16 M",
       lambda tx, m: put(tx, "bucketindexv1", f"{m.org}_tasks", m.bucket), mended=True),
    _b("bucket of an odd type", "I15 M",
       lambda tx, m: change(tx, BUCKETS, m.bucket, type=7), mended=False),
    _b("system name on a user's bucket", "I15 M",
       lambda tx, m: change(tx, BUCKETS, bucket_id(tx, m.org, "_monitoring"), type=0),
       mended=False),
    _b("bucket without a name", "I15 M, I16 M",
       lambda tx, m: change(tx, BUCKETS, m.bucket, name=""), mended=True),
    _b("bucket of no organization", "I15 M, I16 M",
       lambda tx, m: change(tx, BUCKETS, m.bucket, orgID=NOBODY), mended=True),
    _b("bucket name not in the index", "I16 M",
       lambda tx, m: drop(tx, "bucketindexv1", f"{m.org}sensors"), mended=True,
       levels=ALL_LEVELS),
    _b("_tasks not in the index though there are tasks", "I16 F",
       lambda tx, m: drop(tx, "bucketindexv1", f"{m.org}_tasks"), mended=True),
    _b("bucket name of nothing", "I16 H",
       lambda tx, m: put(tx, "bucketindexv1", f"{m.org}gone", NOBODY), mended=False),
    _b("record of a bucket lost", "I16 H, I11 L, I28 M, I28 M",
       lambda tx, m: drop(tx, BUCKETS, m.bucket), mended=True),
    _b("record of _tasks lost though there are tasks", "I16 F, I11 L",
       lambda tx, m: drop(tx, BUCKETS, bucket_id(tx, m.org, "_tasks")), mended=True),
    _b("all records of buckets of an organization lost",
       "I16 H, I16 F, I16 H, I11 L, I11 L, I11 L, I28 M, I28 M", _drop_buckets, mended=True),
    _b("second name of a bucket", "I16 M",
       lambda tx, m: put(tx, "bucketindexv1", f"{m.org}alias", m.bucket), mended=False),
    _b("two buckets with one name", "I16 M, I16 M, I17 M", _add_bucket_twin, mended=False),
    # Mappings.
    _b("mapping undecodable", "I19 H",
       lambda tx, m: put(tx, MAPPINGS, f"{m.org}{m.bob}", GARBAGE), mended=False,
       levels=ALL_LEVELS),
    _b("mapping with an unknown role", "I19 H",
       lambda tx, m: change(tx, MAPPINGS, f"{m.org}{m.bob}", userType="boss"), mended=False),
    _b("mapping of no type", "I19 H",
       lambda tx, m: change(tx, MAPPINGS, f"{m.org}{m.bob}", mappingType=""), mended=False),
    _b("mapping under a wrong key", "I19 M",
       lambda tx, m: change(tx, MAPPINGS, f"{m.org}{m.bob}", userID=m.alice), mended=False),
    _b("mapping moved to a wrong key", "I19 M",
       lambda tx, m: _rekey(tx, MAPPINGS, f"{m.org}{m.bob}", f"{m.org}{NOBODY}"), mended=False),
    _b("mapping of an unknown type", "I19 L",
       lambda tx, m: change(tx, MAPPINGS, f"{m.org}{m.bob}", resourceType="new"), mended=False),
    _b("mapping of no user", "I19 L", lambda tx, m: _add_mapping(tx, m.org, NOBODY), mended=False),
    _b("mapping for nothing", "I20 L", lambda tx, m: _add_mapping(tx, NOBODY, m.bob), mended=False),
    _b("mapping not in the index", "I21 H",
       lambda tx, m: drop(tx, BY_USER, f"{m.bob}/{m.org}{m.bob}"), mended=True,
       levels=ALL_LEVELS),
    _b("index entry of a lost mapping", "I21 H",
       lambda tx, m: put(tx, BY_USER, f"{m.bob}/{m.other_org}{m.bob}", f"{m.other_org}{m.bob}"),
       mended=False),
    # Authorizations.
    _b("authorization undecodable", "I23 F",
       lambda tx, m: put(tx, AUTHS, m.reader, GARBAGE), mended=False),
    _b("authorization undecodable before 2.8", "I23 H",
       lambda tx, m: put(tx, AUTHS, m.reader, GARBAGE), mended=False, levels=(17, 18, 19, 20)),
    _b("authorization under a wrong key", "I23 H",
       lambda tx, m: _rekey(tx, AUTHS, m.reader, NOBODY), mended=True),
    _b("authorization with an odd status", "I23 F",
       lambda tx, m: change(tx, AUTHS, m.reader, status="gone"), mended=False),
    _b("hashed authorization with an odd status", "I23 M",
       lambda tx, m: change(tx, AUTHS, m.hashed, status="gone"), mended=False),
    _b("raw authorization that names no organization", "I24 F",
       lambda tx, m: change(tx, AUTHS, m.reader, orgID=None, permissions=ALL_BUCKETS),
       mended=False),
    _b("raw authorization that names an organization in its permissions only", "I24 F",
       lambda tx, m: change(tx, AUTHS, m.reader, orgID=None), mended=True),
    _b("raw authorization that names no organization before 2.8", "I24 H",
       lambda tx, m: change(tx, AUTHS, m.reader, orgID=None, permissions=ALL_BUCKETS),
       mended=False,
       levels=(17, 20)),
    _b("hashed authorization that names no organization", "I24 H",
       lambda tx, m: change(tx, AUTHS, m.hashed, orgID=None, permissions=ALL_BUCKETS),
       mended=False),
    _b("raw authorization without an ID", "I23 F",
       lambda tx, m: change(tx, AUTHS, m.reader, id=None), mended=True),
    _b("hashed authorization without an ID", "I23 H",
       lambda tx, m: change(tx, AUTHS, m.hashed, id=None), mended=True),
    _b("authorization without permissions", "I23 M",
       lambda tx, m: change(tx, AUTHS, m.reader, permissions=None), mended=False),
    _b("permission of an unknown type", "I23 M",
       lambda tx, m: change(tx, AUTHS, m.reader, permissions=_permission(type="moon")),
       mended=False),
    _b("permission of a later type", "I23 M",
       lambda tx, m: change(tx, AUTHS, m.reader, permissions=_permission(type="remotes")),
       mended=False, levels=(17, 18)),
    _b("permission elsewhere", "I23 M",
       lambda tx, m: change(tx, AUTHS, m.reader,
                            permissions=_permission(type="buckets", orgID=m.other_org)),
       mended=False),
    _b("authorization that names no user", "I24 H",
       lambda tx, m: change(tx, AUTHS, m.hashed, userID=None), mended=False),
    _b("1.x authorization that names no user", "I29 H",
       lambda tx, m: change(tx, LEGACY, m.legacy, userID=None), mended=False),
    _b("variable without the values of its type", "I32 M",
       lambda tx, _: change(tx, "variablesv1", VARIABLE, arguments={"type": "map", "values": []}),
       mended=False),
    _b("variable with a time that is none", "I32 M",
       lambda tx, _: change(tx, "variablesv1", VARIABLE, createdAt="none"), mended=True),
    _b("variable of no organization", "I32 M, I32 M",
       lambda tx, _: change(tx, "variablesv1", VARIABLE, orgID=NOBODY), mended=True),
    _b("dashboard of no organization", "I31 M",
       lambda tx, _: change(tx, "dashboardsv2", DASHBOARD, orgID=NOBODY), mended=True),
    _b("DBRP mapping of no organization", "I28 M, I28 M, I28 M",
       lambda tx, _: change(tx, "dbrpv1", OTHER_DBRP, orgID=NOBODY), mended=True),
    _b("stack of no organization", "I32 M",
       lambda tx, _: change(tx, "v1_pkger_stacks", STACK, orgID=NOBODY_IN_BASE64), mended=True),
    _b("authorization of no organization", "I24 H",
       lambda tx, m: change(tx, AUTHS, m.hashed, orgID=NOBODY, permissions=ALL_BUCKETS),
       mended=False),
    _b("authorization of another organization than its permissions", "I23 M, I24 H",
       lambda tx, m: change(tx, AUTHS, m.reader, orgID=NOBODY), mended=True),
    _b("token not in the index", "I25 H",
       lambda tx, _: drop(tx, RAW, READER_TOKEN), mended=True, levels=ALL_LEVELS),
    _b("hash not in the index, as after a downgrade", "I25 H",
       lambda tx, _: drop(tx, HASHED, hash_of(HASHED_TOKEN)), mended=True),
    _b("token leads to another record", "I25 H",
       lambda tx, m: put(tx, RAW, READER_TOKEN, m.operator), mended=True, levels=ALL_LEVELS),
    _b("stray token of nothing", "I25 M",
       lambda tx, _: put(tx, RAW, STRAY_TOKEN, NOBODY), mended=False),
    _b("stray token of a record", "I25 H",
       lambda tx, m: put(tx, RAW, STRAY_TOKEN, m.operator), mended=True),
    _b("stray token of a record, which works before 2.8", "I25 H",
       lambda tx, m: put(tx, RAW, STRAY_TOKEN, m.operator), mended=False, levels=(17, 18, 19, 20)),
    _b("no token in a record that its entry leads to, before 2.8", "I25 L, I25 H",
       lambda tx, m: change(tx, AUTHS, m.reader, token=None), mended=True, levels=(17, 20)),
    _b("1.x name leads to a record of another name", "I29 H, I29 H",
       lambda tx, m: _rename_legacy(tx, m, "other"), mended=False),
    _b("stray hash of a record", "I25 H",
       lambda tx, m: put(tx, HASHED, hash_of(STRAY_TOKEN), m.operator), mended=True),
    _b("two records with one token", "I25 H", _same_token, mended=False),
    _b("token raw and hashed", "I25 H", _both_forms, mended=True),
    _b("token and hash of another one", "I25 H", _wrong_hash, mended=False),
    _b("hash of an unknown kind", "I25 H", _odd_hash, mended=False),
    _b("no token", "I25 L", _no_token, mended=False),
    _b("hash before 2.8", "I25 H", _early_hash, mended=False, levels=(17, 20)),
    # Tasks.
    _b("task of a deleted organization", "I26 F", _drop_org, mended=True),
    _b("task of a deleted organization before 2.5", "I26 H",
       _drop_org, mended=True, levels=(17, 18, 19)),
    _b("task undecodable", "I27 F",
       lambda tx, _: put(tx, "tasksv1", TASK, GARBAGE), mended=False),
    _b("task under a wrong key", "I27 F",
       lambda tx, _: change(tx, "tasksv1", TASK, id=NOBODY), mended=True),
    _b("task with an odd time", "I27 F",
       lambda tx, _: change(tx, "tasksv1", TASK, latestCompleted="yesterday"), mended=True),
    _b("task with an odd offset", "I27 F",
       lambda tx, _: change(tx, "tasksv1", TASK, offset="soon"), mended=False),
    _b("task undecodable before 2.5", "I27 M",
       lambda tx, _: put(tx, "tasksv1", TASK, GARBAGE), mended=False, levels=(17, 19)),
    _b("run undecodable", "I27 F",
       lambda tx, _: put(tx, "taskRunsv1", f"{TASK}/0d00000000000001", GARBAGE), mended=True),
    _b("run that is empty", "I27 F",
       lambda tx, _: put(tx, "taskRunsv1", f"{TASK}/0d00000000000001", b""), mended=True),
    _b("runs asked for undecodable", "I27 F",
       lambda tx, _: put(tx, "taskRunsv1", f"{TASK}/manualRuns", "[null]"), mended=True),
    _b("run undecodable before 2.5", "I27 M",
       lambda tx, _: put(tx, "taskRunsv1", f"{TASK}/0d00000000000001", GARBAGE), mended=True,
       levels=(18,)),
    _b("task of no owner", "I27 M",
       lambda tx, _: change(tx, "tasksv1", TASK, ownerID=NOBODY), mended=False),
    _b("task without a script", "I27 M",
       lambda tx, _: change(tx, "tasksv1", TASK, flux=" "), mended=False),
    _b("task without a schedule", "I27 M",
       lambda tx, _: change(tx, "tasksv1", TASK, every=""), mended=False),
    _b("task with an odd schedule", "I27 M",
       lambda tx, _: change(tx, "tasksv1", TASK, every="hourly"), mended=False),
    _b("task not in the index", "I27 M",
       lambda tx, m: drop(tx, "taskIndexsv1", f"{m.org}/{TASK}"), mended=True),
    _b("index entry of no task", "I27 M",
       lambda tx, m: put(tx, "taskIndexsv1", f"{m.org}/{NOBODY}", NOBODY), mended=False),
    # DBRP mappings.
    _b("DBRP mapping undecodable", "I28 M",
       lambda tx, _: put(tx, "dbrpv1", DBRP, GARBAGE), mended=False),
    _b("DBRP mapping under a wrong key", "I28 M",
       lambda tx, _: change(tx, "dbrpv1", DBRP, id=NOBODY), mended=True),
    _b("DBRP mapping of no retention policy", "I28 M",
       lambda tx, _: change(tx, "dbrpv1", DBRP, retention_policy=""), mended=False),
    _b("DBRP mapping to no bucket", "I28 M",
       lambda tx, _: change(tx, "dbrpv1", DBRP, bucketID=NOBODY), mended=False),
    _b("DBRP mapping not in the index by database", "I28 M",
       lambda tx, m: drop(tx, "dbrpbyorganddbindexv1", f"{m.org}db/{DBRP}"), mended=True,
       levels=ALL_LEVELS),
    _b("DBRP mapping not in the index by organization", "I28 M",
       lambda tx, m: drop(tx, "dbrpbyorgv1", f"{m.org}/{DBRP}"), mended=True),
    _b("index entry of no DBRP mapping", "I28 M",
       lambda tx, m: put(tx, "dbrpbyorgv1", f"{m.org}/{NOBODY}", NOBODY), mended=False),
    _b("database without a default", "I28 M",
       lambda tx, m: drop(tx, "dbrpdefaultv1", f"{m.org}db"), mended=True, levels=ALL_LEVELS),
    _b("default that is no mapping of the database", "I28 M",
       lambda tx, m: put(tx, "dbrpdefaultv1", f"{m.org}db", NOBODY), mended=True),
    _b("default of no database", "I28 L",
       lambda tx, m: put(tx, "dbrpdefaultv1", f"{m.org}gone", OTHER_DBRP), mended=False),
    # 1.x authorizations.
    _b("1.x authorization undecodable", "I29 H",
       lambda tx, m: put(tx, LEGACY, m.legacy, GARBAGE), mended=False),
    _b("1.x authorization under a wrong key", "I29 H",
       lambda tx, m: change(tx, LEGACY, m.legacy, id=NOBODY), mended=True),
    _b("1.x authorization with an odd status", "I29 M",
       lambda tx, m: change(tx, LEGACY, m.legacy, status="gone"), mended=False),
    _b("1.x authorization without a name", "I29 L, I29 H",
       lambda tx, m: change(tx, LEGACY, m.legacy, token=None), mended=True),
    _b("1.x authorization of no organization", "I29 H",
       lambda tx, m: change(tx, LEGACY, m.legacy, orgID=NOBODY), mended=False),
    _b("1.x name not in the index", "I29 H",
       lambda tx, _: drop(tx, "legacy/authorizationindexv1", "grafana"), mended=True,
       levels=ALL_LEVELS),
    _b("1.x name of nothing", "I29 M",
       lambda tx, _: put(tx, "legacy/authorizationindexv1", "gone", NOBODY), mended=False),
    _b("1.x password that is no hash", "I29 H",
       lambda tx, m: put(tx, "legacy/authorizationPasswordv1", m.legacy, "x"), mended=False),
    # The rest.
    _b("secret that is no base64", "I30 M",
       lambda tx, m: put(tx, "secretsv1", f"{m.org}other", "canary!"), mended=False),
    _b("dashboard undecodable", "I31 M",
       lambda tx, _: put(tx, "dashboardsv2", DASHBOARD, GARBAGE), mended=False),
    _b("dashboard not in the index", "I31 M",
       lambda tx, m: drop(tx, "orgsdashboardsv1", f"{m.org}{DASHBOARD}"), mended=True),
    _b("index entry of no dashboard", "I31 M",
       lambda tx, m: put(tx, "orgsdashboardsv1", f"{m.org}{NOBODY}", b""), mended=False),
    _b("cell without a view", "I31 M",
       lambda tx, _: drop(tx, "dashboardcellviewsv1", f"{DASHBOARD}{CELL}"), mended=False),
    _b("view of no dashboard", "I31 L",
       lambda tx, _: put(tx, "dashboardcellviewsv1", f"{NOBODY}{CELL}", "{}"), mended=False),
    _b("view undecodable", "I31 M", lambda tx, _: put(
        tx, "dashboardcellviewsv1", f"{DASHBOARD}{CELL}", {"id": CELL, "properties": {}}),
       mended=False),
    _b("check of no type", "I32 M",
       lambda tx, _: change(tx, "checksv1", CHECK, type=None), mended=False),
    _b("endpoint of an unknown type", "I32 M",
       lambda tx, _: change(tx, "notificationEndpointv1", ENDPOINT, type="smtp"), mended=False),
    _b("label not in the index", "I32 M",
       lambda tx, m: drop(tx, "labelindexv1", f"{m.org}red"), mended=True),
    _b("label index entry of nothing", "I32 M",
       lambda tx, m: put(tx, "labelindexv1", f"{m.org}blue", NOBODY), mended=False),
    _b("label undecodable", "I32 M",
       lambda tx, _: put(tx, "labelsv1", LABEL, GARBAGE), mended=False),
    _b("variable not in the index of names", "I32 M",
       lambda tx, m: drop(tx, "variablesindexv1", f"{m.org}var"), mended=True),
    _b("variable not in the index of organizations", "I32 M",
       lambda tx, m: drop(tx, "variableorgsv1", f"{m.org}{VARIABLE}"), mended=True),
    _b("check not in the index", "I32 M",
       lambda tx, m: drop(tx, "checkindexv1", f"{m.org}Check"), mended=True),
    _b("check index entry of nothing", "I32 M",
       lambda tx, m: put(tx, "checkindexv1", f"{m.org}gone", NOBODY), mended=False),
    _b("check under a wrong key", "I32 M",
       lambda tx, _: change(tx, "checksv1", CHECK, id=NOBODY), mended=True),
    _b("dashboard under a wrong key", "I31 M", lambda tx, _: _rekey(
        tx, "dashboardsv2", DASHBOARD, NOBODY), mended=True),
    _b("label under a wrong key", "I32 M",
       lambda tx, _: _rekey(tx, "labelsv1", LABEL, NOBODY), mended=True),
    _b("scraper under a wrong key", "I32 M", lambda tx, m: put(tx, "scraperv2", NOBODY, {
           "id": CHECK, "name": "s", "type": "prometheus", "url": "u", "orgID": m.org,
       }), mended=False),
    _b("endpoint not in the index", "I32 M",
       lambda tx, m: drop(tx, "notificationEndpointIndexv1", f"{m.org}End"), mended=True),
    _b("endpoint leads elsewhere", "I32 M",
       lambda tx, m: put(tx, "notificationEndpointIndexv1", f"{m.org}End", NOBODY), mended=True),
    _b("endpoint of no organization ID", "I32 M",
       lambda tx, _: change(tx, "notificationEndpointv1", ENDPOINT, orgID=None), mended=False),
    _b("Telegraf configuration not in the index", "I32 M",
       lambda tx, m: drop(tx, "telegrafbyorgindexv1", f"{m.org}/{TELEGRAF}"), mended=True),
    _b("stack not in the index", "I32 M",
       lambda tx, m: drop(tx, "v1_pkger_stacks_index", f"{m.org}{STACK}"), mended=True),
    _b("stack with IDs that are no base64", "I32 M",
       lambda tx, _: change(tx, "v1_pkger_stacks", STACK, id="!", orgID="!"), mended=False),
    _b("check of no task", "I32 M",
       lambda tx, _: change(tx, "checksv1", CHECK, taskID=NOBODY), mended=False),
    _b("check with an odd schedule", "I32 M",
       lambda tx, _: change(tx, "checksv1", CHECK, every=7), mended=False),
    _b("notification rule of no endpoint", "I32 M",
       lambda tx, m: put(tx, "notificationRulev1", NOBODY, {
           "id": NOBODY, "orgID": m.org, "type": "slack", "taskID": TASK, "every": "1m",
       }), mended=False),
    _b("notification rule of no task", "I32 M",
       lambda tx, m: put(tx, "notificationRulev1", NOBODY, {
           "id": NOBODY, "orgID": m.org, "type": "slack", "endpointID": ENDPOINT, "taskID": NOBODY,
           "every": "1m",
       }), mended=False),
    _b("notification rule of no organization, whose task has one", "I32 M",
       lambda tx, _: put(tx, "notificationRulev1", NOBODY, {
           "id": NOBODY, "orgID": NOBODY, "type": "slack", "endpointID": ENDPOINT, "taskID": TASK,
           "every": "1m",
       }), mended=True),
    _b("notification rule of another organization than its task", "I32 M",
       lambda tx, m: put(tx, "notificationRulev1", NOBODY, {
           "id": NOBODY, "orgID": m.other_org, "type": "slack", "endpointID": ENDPOINT,
           "taskID": TASK, "every": "1m",
       }), mended=False),
    _b("task of a type that is none", "I27 M",
       _add_task_of_odd_type, mended=True),
    _b("task of a notification rule that is lost", "I32 M",
       _add_task_of_rule, mended=False),
    _b("1.x authorization that permits something unknown", "I29 M",
       lambda tx, m: change(tx, LEGACY, m.legacy, permissions=_permission(type="moon")),
       mended=False),
    _b("empty permission list", "I23 M",
       lambda tx, m: change(tx, AUTHS, m.reader, permissions=[]), mended=False),
    _b("label of something under a wrong key", "I32 M",
       lambda tx, _: put(tx, "labelmappingsv1", f"{TASK}{LABEL}0",
                         {"labelID": LABEL, "resourceID": TASK, "resourceType": "tasks"}),
       mended=True),
    _b("label of something under the ID of another", "I32 M",
       lambda tx, _: put(tx, "labelmappingsv1", f"{NOBODY}{LABEL}",
                         {"labelID": LABEL, "resourceID": TASK, "resourceType": "tasks"}),
       mended=True),
    _b("label of nothing", "I32 M",
       lambda tx, _: put(tx, "labelmappingsv1", "x", GARBAGE), mended=False),
    _b("cell without an ID", "I31 M",
       lambda tx, _: change(tx, "dashboardsv2", DASHBOARD, cells=[{"x": 1}]), mended=False),
    _b("check of a threshold that is none", "I32 M",
       lambda tx, _: change(tx, "checksv1", CHECK, thresholds=[{"type": "moon"}]), mended=False),
    _b("check with a query that is cut short", "I32 M",
       lambda tx, _: change(tx, "checksv1", CHECK, query={"text": "from(bucket:"}), mended=False),
    _b("check with an empty offset", "I32 M",
       lambda tx, _: change(tx, "checksv1", CHECK, offset=""), mended=False),
    _b("notification rule without an interval", "I32 M",
       lambda tx, m: put(tx, "notificationRulev1", NOBODY, {
           "id": NOBODY, "orgID": m.org, "type": "slack", "endpointID": ENDPOINT, "taskID": TASK,
       }), mended=False),
    _b("scraper of no organization, whose bucket has one", "I32 M",
       lambda tx, m: put(tx, "scraperv2", NOBODY, {
           "id": NOBODY, "name": "s", "type": "prometheus", "url": "u", "orgID": NOBODY,
           "bucketID": m.bucket,
       }), mended=True),
    _b("bucket with a field twice", "I15 F",
       lambda tx, m: put(tx, BUCKETS, m.bucket,
           (tx.table(BUCKETS).get(m.bucket.encode()) or b"")[:-1] + b',"type":"x"}'),
       mended=True, levels=(20, 21)),
    _b("notification rule undecodable", "I32 M",
       lambda tx, _: put(tx, "notificationRulev1", NOBODY, GARBAGE), mended=False),
    _b("notification rule of no type", "I32 M",
       lambda tx, m: put(tx, "notificationRulev1", NOBODY, {
           "id": NOBODY, "orgID": m.org, "endpointID": ENDPOINT, "taskID": TASK, "every": "1m",
       }), mended=False),
    _b("scraper undecodable", "I32 M",
       lambda tx, _: put(tx, "scraperv2", NOBODY, b""), mended=False),
    _b("source that names no organization", "I32 M",
       lambda tx, _: put(tx, "sourcesv1", NOBODY, {"id": NOBODY}), mended=False),
    _b("permission list that is none", "I23 F",
       lambda tx, m: change(tx, AUTHS, m.reader, permissions="canary"), mended=False),
    _b("stack undecodable", "I32 M",
       lambda tx, _: put(tx, "v1_pkger_stacks", STACK, GARBAGE), mended=False),
)  # fmt: skip


def _add_mapping(tx: MetaTx, resource: str, user: str) -> None:
    mapping = {"userID": user, "userType": "member", "mappingType": "user"}
    resource_fields = {"resourceType": "orgs", "resourceID": resource}
    put(tx, MAPPINGS, f"{resource}{user}", mapping | resource_fields)
    put(tx, BY_USER, f"{user}/{resource}{user}", f"{resource}{user}")
