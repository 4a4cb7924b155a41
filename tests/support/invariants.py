"""What must hold in every store that a command has written.

Lives here: the invariants of users, passwords, organizations, buckets, mappings and authorizations,
as the specification of InfluxDB's metadata has them in section 13.2. They are written a second time
here, with the standard library only, so that a mistake of `recovery` is not repeated.

`assert_invariants(path)` is the one assertion; `violations(path)` lists what it would say, each
line with the number of the invariant, so that a test can plant a fault and see that it is found.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import bolt_store

Table = dict[bytes, bytes]

BASE_TYPES: Final = (
    "authorizations", "buckets", "dashboards", "orgs", "sources", "tasks", "telegrafs", "users",
    "variables", "scrapers", "secrets", "labels", "views", "documents", "notificationRules",
    "notificationEndpoints", "checks", "dbrp",
)  # fmt: skip
LATER_TYPES: Final = {16: ("notebooks", "annotations"), 19: ("remotes", "replications")}
STATUSES: Final = {"active", "inactive"}
HASH: Final = re.compile(r"\$influxdb2-sha(256\$[\w-]{43}=|512\$[\w-]{86}==)", re.ASCII)
BCRYPT: Final = re.compile(rb"\$2[a-z]\$[0-3][0-9]\$[./A-Za-z0-9]{53}")
GO_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
DEFAULT_SOURCE_ORG: Final = "50616e67652c206c"


def assert_invariants(path: Path) -> None:
    """Assert that the bolt file is sound and that every invariant holds."""
    with bolt_store.open(path) as db:
        found = [str(one) for one in db.check() if one.severity >= bolt_store.Severity.WARNING]
    assert found == []
    assert violations(path) == []


def violations(path: Path) -> list[str]:
    """List what is wrong with the records of a store, each with the number of its invariant."""
    return list(_Records(path).violations())


class _Records:
    """All tables of a store, decoded as far as these invariants need it."""

    def __init__(self, path: Path) -> None:
        self._tables: dict[str, Table] = {}
        with bolt_store.open(path) as db, db.view() as tx:
            for name, bucket in tx.buckets():
                self._tables[name.decode()] = {k: v for k, v in bucket.items() if v is not None}
        self.level = max(
            int(key, 16)
            for key, value in self._tables["migrationsv1"].items()
            if "finished_at" in json.loads(value)
        )
        self.users = self._records("usersv1")
        self.orgs = self._records("organizationsv1")
        self.buckets = self._records("bucketsv1")
        self.mappings = self._records("userresourcemappingsv1")
        self.authorizations = self._records("authorizationsv1")
        self.legacy = self._records("legacy/authorizationsv1")

    def table(self, name: str) -> Table:
        return self._tables.get(name, {})

    def _records(self, name: str) -> dict[str, dict[str, Any]]:
        return {key.decode(): json.loads(value) for key, value in self.table(name).items()}

    def violations(self) -> Iterator[str]:
        parts: tuple[Callable[[], Iterator[str]], ...] = (
            self._users,
            self._organizations,
            self._buckets,
            self._mappings,
            self._authorizations,
            self._tokens,
            self._legacy,
        )
        for part in parts:
            yield from part()

    def _users(self) -> Iterator[str]:
        yield from _keyed("I6 user", self.users)
        for key, user in self.users.items():
            if not user.get("name"):
                yield f"I6 user {key} has no name"
            if user["status"] not in STATUSES:
                yield f"I7 user {key} has an odd status"
        wanted = {user["name"].encode(): key.encode() for key, user in self.users.items()}
        yield from _same("I8 user index", wanted, self.table("userindexv1"), len(self.users))
        for owner, stored in self.table("userspasswordv1").items():
            if owner.decode() not in self.users:
                yield f"I9 password of no user {owner.decode()}"
            if not BCRYPT.fullmatch(stored):
                yield f"I9 password of {owner.decode()} is no bcrypt hash"

    def _organizations(self) -> Iterator[str]:
        yield from _keyed("I14 organization", self.orgs)
        wanted = {
            org["name"].strip(GO_SPACE).encode(): key.encode() for key, org in self.orgs.items()
        }
        index = self.table("organizationindexv1")
        yield from _same("I14 organization index", wanted, index, len(self.orgs))
        for key in self.orgs:
            own = {b["name"]: b["type"] for b in self.buckets.values() if b["orgID"] == key}
            if own.get("_tasks") != 1 or own.get("_monitoring") != 1:
                yield f"I17 organization {key} lacks a system bucket"

    def _buckets(self) -> Iterator[str]:
        yield from _keyed("I15 bucket", self.buckets)
        catalogue = self.table("v1_tsm1_metadata").get(b"meta.db", b"")
        for key, bucket in self.buckets.items():
            # Field 1 of a database: tag, length 16, the ID; then its default policy.
            if b"\x0a\x10" + key.encode() + b"\x12\x07autogen" not in catalogue:
                yield f"I10 bucket {key} has no database in the catalogue"
            if bucket["orgID"] not in self.orgs:
                yield f"I15 bucket {key} belongs to no organization"
        wanted = {
            (bucket["orgID"] + bucket["name"]).encode(): key.encode()
            for key, bucket in self.buckets.items()
        }
        index = self.table("bucketindexv1")
        yield from _same("I16 bucket index", wanted, index, len(self.buckets))

    def _mappings(self) -> Iterator[str]:
        wanted = {}
        for key, mapping in self.mappings.items():
            if key != mapping["resourceID"] + mapping["userID"]:
                yield f"I19 mapping {key} is under a wrong key"
            if mapping["userType"] not in {"owner", "member"} or mapping["mappingType"] != "user":
                yield f"I19 mapping {key} is of an odd kind"
            if mapping["userID"] not in self.users:
                yield f"I19 mapping {key} is of no user"
            if mapping["resourceType"] == "orgs" and mapping["resourceID"] not in self.orgs:
                yield f"I20 mapping {key} is for no organization"
            wanted[f"{mapping['userID']}/{key}".encode()] = key.encode()
        index = self.table("userresourcemappingsbyuserindexv1")
        yield from _same("I21 mapping index", wanted, index, len(self.mappings))

    def _authorizations(self) -> Iterator[str]:
        types = {
            *BASE_TYPES,
            *(t for n, more in LATER_TYPES.items() if n <= self.level for t in more),
        }
        for kind, records in (("I23", self.authorizations), ("I29", self.legacy)):
            yield from _keyed(f"{kind} authorization", records)
            for key, one in records.items():
                if one["status"] not in STATUSES:
                    yield f"{kind} authorization {key} has an odd status"
                for permission in one["permissions"]:
                    resource = permission["resource"]
                    if (
                        permission["action"] not in {"read", "write"}
                        or resource["type"] not in types
                    ):
                        yield f"{kind} authorization {key} permits something unknown"
                    if resource.get("orgID", one["orgID"]) != one["orgID"]:
                        yield f"{kind} authorization {key} permits something elsewhere"
                if one.get("userID") not in self.users or one["orgID"] not in self.orgs:
                    yield f"I24 authorization {key} has no user or no organization"

    def _tokens(self) -> Iterator[str]:
        raw: Table = {}
        hashed: Table = {}
        for key, one in self.authorizations.items():
            token, digest = one.get("token"), one.get("hashedToken")
            if bool(token) == bool(digest):
                yield f"I25 authorization {key} has not exactly one form of a token"
            if token:
                raw[token.encode()] = key.encode()
            if digest:
                hashed[digest.encode()] = key.encode()
                if self.level < 21 or not HASH.fullmatch(digest):
                    yield f"I25 authorization {key} has a hash that is of no use"
        count = sum(bool(one.get("token")) for one in self.authorizations.values())
        yield from _same("I25 raw index", raw, self.table("authorizationindexv1"), count)
        count = sum(bool(one.get("hashedToken")) for one in self.authorizations.values())
        index = self.table("authorizationhashedindexv1")
        yield from _same("I25 index of hashes", hashed, index, count)
        twice = {hash_of(token.decode()).encode() for token in raw} & set(hashed)
        if twice:
            yield f"I25 {len(twice)} tokens are there raw and hashed"

    def _legacy(self) -> Iterator[str]:
        wanted = {one["token"].encode(): key.encode() for key, one in self.legacy.items()}
        index = self.table("legacy/authorizationindexv1")
        yield from _same("I29 legacy index", wanted, index, len(self.legacy))
        for owner, stored in self.table("legacy/authorizationPasswordv1").items():
            if owner.decode() not in self.legacy:
                yield f"I29 legacy password of nobody {owner.decode()}"
            if not BCRYPT.fullmatch(stored):
                yield f"I29 legacy password of {owner.decode()} is no bcrypt hash"


def hash_of(token: str) -> str:
    """Hash a token as the specification says, section 5.3."""
    digest = hashlib.sha256(token.encode()).digest()
    return f"$influxdb2-sha256${base64.urlsafe_b64encode(digest).decode()}"


def _keyed(kind: str, records: dict[str, dict[str, Any]]) -> Iterator[str]:
    for key, record in records.items():
        if record["id"] != key or not re.fullmatch("[0-9a-f]{16}", key) or not int(key, 16):
            yield f"{kind} {key} is under a wrong key"


def _same(kind: str, wanted: Table, found: Table, record_count: int) -> Iterator[str]:
    """Compare an index with what its records ask for; keys may be secrets and are not shown."""
    if len(wanted) != record_count:
        yield f"{kind}: two records want the same entry"
    counts = Counter(
        missing=sum(key not in found for key in wanted),
        wrong=sum(found.get(key, value) != value for key, value in wanted.items()),
        extra=sum(key not in wanted for key in found),
    )
    for word, count in counts.items():
        if count:
            yield f"{kind}: {count} {word}"
