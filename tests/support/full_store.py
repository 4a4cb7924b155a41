"""A store with a record of every kind, and ways to break it.

Lives here: `make_full_store`, on top of `tests.support.stores`, and short words to write with. The
records are written out by hand, so that a mistake of `recovery` is not repeated.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import bolt_store
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from tests.support.stores import MadeStore, edit, make_store

PASSWORD_HASH: Final = b"$2a$10$PgvhXFogiRsXVHQxcHKEMOBRqI7yhTfiDMIQIKx1FaLMdM6LN0ND6"
NOW: Final = "2024-05-06T07:08:09Z"
TASK: Final = "0c00000000000001"
DBRP: Final = "0c00000000000002"
OTHER_DBRP: Final = "0c00000000000003"
DASHBOARD: Final = "0c00000000000004"
CELL: Final = "0c00000000000005"
LABEL: Final = "0c00000000000006"
VARIABLE: Final = "0c00000000000007"
CHECK: Final = "0c00000000000008"
ENDPOINT: Final = "0c00000000000009"
TELEGRAF: Final = "0c0000000000000a"
STACK: Final = "0c0000000000000b"
NOBODY: Final = "0cffffffffffffff"
"""An ID that no record has."""


@dataclass(frozen=True, kw_only=True)
class FullStore(MadeStore):
    """A store of `make_full_store`; the constants of this module name the rest of its records."""


Break = Callable[[MetaTx, FullStore], None]


def make_full_store(path: Path, *, level: int = 21) -> FullStore:
    """Make a store with a record of every kind, in which every invariant holds."""
    content, full = _prototype(level)
    path.write_bytes(content)
    path.chmod(0o600)
    return replace(full, path=path)


@lru_cache
def _prototype(level: int) -> tuple[bytes, FullStore]:
    with TemporaryDirectory() as folder:
        made = make_store(Path(folder) / "influxd.bolt", level=level)
        full = FullStore(**{name: getattr(made, name) for name in made.__dataclass_fields__})
        edit(made.path, lambda tx: _fill(tx, full))
        return made.path.read_bytes(), full


def put(tx: MetaTx, table: str, key: str, value: str | bytes | dict[str, Any]) -> None:
    """Write a key; a dictionary becomes JSON."""
    document = json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value
    encoded = document.encode() if isinstance(document, str) else document
    tx.table(table).put(key.encode(), encoded)


def drop(tx: MetaTx, table: str, key: str) -> None:
    assert tx.table(table).has(key.encode())
    tx.table(table).delete(key.encode())


def change(tx: MetaTx, table: str, key: str, **fields: object) -> None:
    """Change fields of a JSON record; None removes one."""
    document = json.loads(tx.table(table).get(key.encode()) or b"")
    document |= fields
    put(tx, table, key, {name: value for name, value in document.items() if value is not None})


def bucket_id(tx: MetaTx, org: str, name: str) -> str:
    """Look a bucket up in its index."""
    return (tx.table("bucketindexv1").get(f"{org}{name}".encode()) or b"").decode()


def remove_table(path: Path, name: str) -> None:
    """Remove a whole bolt bucket."""
    with bolt_store.open(path, write=True) as db, db.update() as tx:
        tx.delete_bucket(name.encode())


def keys_of_file(path: Path) -> dict[tuple[str, bytes], bytes]:
    """Read every key of a store."""
    with bolt_store.open(path) as db, db.view() as tx:
        return {
            (name.decode(), key): value
            for name, bucket in tx.buckets()
            for key, value in bucket.items()
            if value is not None
        }


def open_tables(path: Path) -> MetaStore:
    """Open a store to look at it."""
    return MetaStore.open(path, write=False)


def _fill(tx: MetaTx, made: FullStore) -> None:
    org, alice = made.org, made.alice
    put(tx, "userspasswordv1", alice, PASSWORD_HASH)
    if made.level >= 20:
        key = f"0000000000000001{alice}"
        mapping = {"userID": alice, "userType": "owner", "mappingType": "user"}
        resource = {"resourceType": "instance", "resourceID": "0000000000000001"}
        put(tx, "userresourcemappingsv1", key, mapping | resource)
        put(tx, "userresourcemappingsbyuserindexv1", f"{alice}/{key}", key)
    task = {"id": TASK, "orgID": org, "org": "acme", "ownerID": alice, "name": "t", "flux": "x"}
    task |= {"every": "1h", "status": "active", "createdAt": NOW, "updatedAt": NOW}
    put(tx, "tasksv1", TASK, task)
    put(tx, "taskIndexsv1", f"{org}/{TASK}", TASK)
    put(tx, "taskRunsv1", f"{TASK}/0d00000000000001", {"id": "0d00000000000001", "taskID": TASK})
    put(tx, "taskRunsv1", f"{TASK}/manualRuns", "[]")
    for dbrp, is_default in ((DBRP, False), (OTHER_DBRP, True)):
        mapping = {"id": dbrp, "database": "db", "retention_policy": dbrp[-2:], "orgID": org}
        put(tx, "dbrpv1", dbrp, mapping | {"default": is_default, "bucketID": made.bucket})
        put(tx, "dbrpbyorganddbindexv1", f"{org}db/{dbrp}", dbrp)
        put(tx, "dbrpbyorgv1", f"{org}/{dbrp}", dbrp)
    put(tx, "dbrpdefaultv1", f"{org}db", OTHER_DBRP)
    put(tx, "dashboardsv2", DASHBOARD, _named(org, DASHBOARD, "d") | {"cells": [{"id": CELL}]})
    put(tx, "orgsdashboardsv1", f"{org}{DASHBOARD}", b"")
    put(tx, "dashboardcellviewsv1", f"{DASHBOARD}{CELL}", {"id": CELL})
    put(tx, "labelsv1", LABEL, _named(org, LABEL, "Red"))
    put(tx, "labelindexv1", f"{org}red", LABEL)
    labelling = {"labelID": LABEL, "resourceID": TASK, "resourceType": "tasks"}
    put(tx, "labelmappingsv1", f"{TASK}{LABEL}", labelling)
    put(tx, "variablesv1", VARIABLE, _named(org, VARIABLE, "Var"))
    put(tx, "variablesindexv1", f"{org}var", VARIABLE)
    put(tx, "variableorgsv1", f"{org}{VARIABLE}", b"")
    parts = {"type": "deadman", "timeSince": "90s", "staleTime": "1h", "taskID": TASK}
    put(tx, "checksv1", CHECK, _named(org, CHECK, "Check") | parts)
    put(tx, "checkindexv1", f"{org}Check", CHECK)
    endpoint = _named(org, ENDPOINT, "End") | {"type": "slack"}
    put(tx, "notificationEndpointv1", ENDPOINT, endpoint)
    put(tx, "notificationEndpointIndexv1", f"{org}End", ENDPOINT)
    put(tx, "telegrafv1", TELEGRAF, _named(org, TELEGRAF, "tel"))
    put(tx, "telegrafbyorgindexv1", f"{org}/{TELEGRAF}", TELEGRAF)
    stack = {"id": base64.b64encode(STACK.encode()).decode()}
    put(tx, "v1_pkger_stacks", STACK, stack | {"orgID": base64.b64encode(org.encode()).decode()})
    put(tx, "v1_pkger_stacks_index", f"{org}{STACK}", STACK)
    put(tx, "secretsv1", f"{org}api-key", base64.b64encode(b"canary-secret-value"))


def _named(org: str, record: str, name: str) -> dict[str, Any]:
    return {"id": record, "orgID": org, "name": name}
