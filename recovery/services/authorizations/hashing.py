"""Replace raw tokens by hashes, as a server of 2.9 does at its start.

Lives here: the planner of `auth hash`. Must not live here: other changes (`authorization_changes`).

A store can have 100,000 raw tokens with 3.5 kB of permissions each. So a plan keeps the ID of each
record and a digest of what it is to become, and not the record.

Invariants: as on the server, only the token changes: every other field, `updatedAt` too, keeps its
bytes. What a client can do with its token stays the same on servers of 2.8 and later.

Source: InfluxDB v2.9.1 authorization/storage.go (hashed token migration); spec influxdb-metadata
sections 5.3, 7.1 and 13.2 (I25).
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import ClassVar, Final

import msgspec

from recovery.errors import RefusedError
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.display import plural
from recovery.model.ids import Id
from recovery.model.token import LEVEL_HASHED, TokenForm, hash_token
from recovery.remedy import Input, Run
from recovery.services.authorizations.changes import FREED_PAGES, differs_from_digests
from recovery.services.authorizations.choice import choose_authorization, described
from recovery.services.changes.plan import Plan

ONE_WAY: Final = (
    "afterwards nothing can show these tokens, and servers before 2.8 cannot use them, unless "
    "store undo puts the backup back; clients keep working on 2.8 and later"
)


class HashTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The command `auth hash`."""

    operation: ClassVar[str] = "auth hash"

    authorization_id: Id | None

    def plan(self, store: MetaTx) -> Plan:
        """Plan the move from raw tokens to hashes.

        Returns:
            Rewritten records with another index entry each; nothing when none is raw.

        Raises:
            RefusedError: The store is below level 21, the record has no token, or another
                record has the same.
        """
        if store.level < LEVEL_HASHED:
            raise RefusedError(
                reason=f"the store is at level {store.level}, and its servers know no hashed "
                f"tokens (they came with level {LEVEL_HASHED}, InfluxDB 2.8)",
                hint="upgrade the server first",
            )
        problems: list[RecordProblem] = []
        moves = _Moves(store)
        warnings = []
        for before in self._raw(store, problems):
            obstacle = moves.add(before)
            if obstacle is None:
                continue
            if self.authorization_id is not None:
                raise RefusedError(reason=obstacle, hint="delete the one that is not wanted")
            warnings.append(f"API token {before.id} stays as it is: {obstacle}")
        warnings += [
            f"{one.id or 'a record'} in {one.bucket} cannot be understood and stays as it is"
            for one in problems
        ]
        if not moves.ids:
            return Plan.nothing(
                self.operation,
                "nothing: no token is stored raw",
                facts={"authorization_ids": []},
                warnings=tuple(warnings),
            )
        return Plan(
            operation=self.operation,
            steps=(_step(store, moves.ids),),
            facts={"authorization_ids": list(moves.ids)},
            record_ids=moves.ids,
            warnings=(ONE_WAY, *warnings, FREED_PAGES),
            apply=moves.apply,
            verify=moves.what_is_wrong,
        )

    def _raw(self, store: MetaTx, problems: list[RecordProblem]) -> Iterable[Authorization]:
        """Choose the authorizations whose token is stored raw."""
        if self.authorization_id is None:
            return (one for one in store.authorizations.walk(problems) if one.token is not None)
        found = choose_authorization(store, self.authorization_id)
        if found.form is TokenForm.NONE:
            raise RefusedError(
                reason=f"API token {found.id} has no value at all",
                hint=Run("auth delete", "to delete it", {Input.ID: found.id}),
            )
        return [found] if found.token is not None else []


class _Moves:
    """The records that change, each with a digest of what it is to become."""

    def __init__(self, store: MetaTx) -> None:
        self._store = store
        self._digests: dict[Id, bytes] = {}
        self._claimed: set[str] = set()

    @property
    def ids(self) -> tuple[Id, ...]:
        """The records, in the order of their IDs."""
        return tuple(self._digests)

    def add(self, before: Authorization) -> str | None:
        """Take a record, or say which other one has the same token."""
        after = _hashed(before)
        obstacle = self._obstacle(before, after)
        if obstacle is None:
            self._digests[before.id] = sha256(after.document).digest()
        return obstacle

    def apply(self, tx: MetaTx) -> None:
        """Write all of them."""
        loaded = (tx.authorizations.load(one) for one in self._digests)
        tx.authorizations.update_all(
            (before, _hashed(before)) for before in loaded if before is not None
        )

    def what_is_wrong(self, tx: MetaTx) -> str | None:
        """Say which record, or index entry, is not as planned."""
        return differs_from_digests(tx, self._digests)

    def _obstacle(self, before: Authorization, after: Authorization) -> str | None:
        owners: set[Id | None] = set()
        if before.token is not None:
            owners.add(self._store.authorizations.raw_entry(before.token))
        if after.hashed_token is not None:
            owners.add(self._store.authorizations.hashed_entry(after.hashed_token))
            hashed = after.hashed_token.reveal()
            if hashed in self._claimed:
                return "another API token has the same value"
            self._claimed.add(hashed)
        others = sorted(owner for owner in owners if owner not in {None, before.id} and owner)
        return f"API token {others[0]} has the same value" if others else None


def _hashed(before: Authorization) -> Authorization:
    """Replace a raw token by its hash."""
    return before if before.token is None else before.with_token(None, hash_token(before.token))


def _step(store: MetaTx, ids: tuple[Id, ...]) -> str:
    which = (
        described(store, choose_authorization(store, ids[0]))
        if len(ids) == 1
        else plural(len(ids), "API token")
    )
    if len(ids) > 1:
        return (
            f"store {which} as SHA-256 hashes: rewrite the records, move their entries to the "
            "index of hashes"
        )
    return (
        f"store {which} as a SHA-256 hash: rewrite the record, move the entry to the "
        "index of hashes"
    )
