"""What works in a store, judged from its keys alone, as a second opinion on what repair may change.

Written with the standard library, so that a mistake of `recovery` is not repeated.
"""

import json
from pathlib import Path
from typing import Any

from tests.support.full_store import keys_of_file
from tests.support.invariants import hash_of

Keys = dict[tuple[str, bytes], bytes]


def workings(path: Path) -> set[tuple[str, str]]:
    """List what works: each a kind, and the name or ID by which it does.

    That a name leads to a user, and that a user with a password can sign in by some name; look-up
    of a bucket and of an organization by name, 1.x log-in, finding a token, and the run of a task.
    A name that leads to another user than the one whose name it is goes to that one in a repair.
    """
    keys = keys_of_file(path)
    found: set[tuple[str, str]] = set()
    led = (
        ("sign-in", "userindexv1", "usersv1"),
        ("organization", "organizationindexv1", "organizationsv1"),
        ("bucket", "bucketindexv1", "bucketsv1"),
        ("1.x", "legacy/authorizationindexv1", "legacy/authorizationsv1"),
        ("token", "authorizationindexv1", "authorizationsv1"),
    )
    for kind, index, records in led:
        for (table, name), record_id in keys.items():
            record = _record(keys, records, record_id) if table == index else None
            if record is None or record.get("id") != record_id.decode("latin-1"):
                continue
            if kind == "token" and record.get("token") != name.decode():
                continue  # refused since InfluxDB 2.8
            shown, owner = name.decode("latin-1"), record_id.decode("latin-1")
            if kind == "token":  # found by its hash as well
                shown = hash_of(shown)
            found.add((kind, shown))
            if kind != "sign-in" or ("userspasswordv1", record_id) in keys:
                found.add((f"{kind} of", owner))
    found |= _hashed_tokens(keys)
    for table, task_id in keys:
        task = _record(keys, "tasksv1", task_id) if table == "tasksv1" else None
        if task is not None and ("bucket", f"{task.get('orgID')}_tasks") in found:
            found.add(("task", task_id.decode("latin-1")))
    return found


def _hashed_tokens(keys: Keys) -> set[tuple[str, str]]:
    found = set()
    for (table, name), record_id in keys.items():
        if table == "authorizationhashedindexv1":
            record = _record(keys, "authorizationsv1", record_id)
            if record is not None and record.get("hashedToken") == name.decode():
                found |= {("token", name.decode()), ("token of", record_id.decode("latin-1"))}
    return found


def _record(keys: Keys, table: str, key: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(keys[table, key])
    except (KeyError, ValueError):
        return None
    return record if isinstance(record, dict) else None
