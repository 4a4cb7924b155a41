"""Putting back what a salvage left aside, because a person asks for it.

Lives here: `put_back`, which writes such records into the salvaged file and mends what follows from
them. Must not live here: what was left aside (`recovery.metastore.rebuilding`).

Invariants: what the file has is never replaced, and no two records get one name or one token. What
is put back is a record only when its content says of what kind it is; its indexes are made again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from recovery.errors import RefusedError
from recovery.metastore.pending import PendingTx
from recovery.metastore.rebuilding import LeftAside
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.display import plural
from recovery.model.gojson import UndecodableError, decode_fields, format_time, text_field
from recovery.model.ids import IdSource
from recovery.model.recognition import RecordKind
from recovery.model.schema import LEVEL_MAX, LEVEL_MIN, level_shown_by
from recovery.ports import Clock, Rng
from recovery.services.doctor.repair import RepairStore
from recovery.services.stores.completing import complete_store
from recovery.services.tenancy.writing import write_empty_store

LOST: Final = "lost"
ALL: Final = "all"

_USERS: Final = RecordKind.USER.value
_UNIQUE: Final = {
    RecordKind.USER: (("name",),),
    RecordKind.ORGANIZATION: (("name",),),
    RecordKind.BUCKET: (("orgID", "name"),),
    RecordKind.AUTHORIZATION: (("token",), ("hashedToken",)),
}
"""The fields that no two records of a kind may have in common."""
_REFERENCES: Final = {"userID": RecordKind.USER, "orgID": RecordKind.ORGANIZATION}
"""The fields that name another record."""


class PutBack(msgspec.Struct, frozen=True, kw_only=True):
    """What was put back.

    Attributes:
        notes: What was not, and what was mended for it, as sentences without a full stop.
    """

    counts: dict[RecordKind, int]
    notes: tuple[str, ...]


def chosen(left_aside: Sequence[LeftAside], wanted: frozenset[str]) -> list[LeftAside]:
    """Find what was asked for among what was left aside.

    Args:
        wanted: IDs, `LOST` for what may be lost, `ALL` for everything.

    Returns:
        The records, in the same order.

    Raises:
        RefusedError: An ID is none of them.
    """
    unknown = wanted - {LOST, ALL} - {left.record.id for left in left_aside}
    if unknown:
        raise RefusedError(
            reason=f"nothing with the ID {min(unknown)} was left aside",
            hint="look at what was left aside: the same command lists it when it puts nothing back",
        )
    return [
        left
        for left in left_aside
        if ALL in wanted or left.record.id in wanted or (LOST in wanted and left.may_be_lost)
    ]


def put_back(
    path: Path, records: Sequence[LeftAside], *, is_new: bool, clock: Clock, rng: Rng
) -> PutBack:
    """Write records with their indexes into a salvaged store, new where no root was found."""
    if is_new:
        _make(path, records, clock=clock, rng=rng)
    with MetaStore.open(path, write=True, needs_schema=False) as store, store.update() as tx:
        complete_store(tx, level=_level(tx, records), clock=clock, rng=rng)
        pending = PendingTx(tx)
        taken = _Taken(pending)
        counts: Counter[RecordKind] = Counter()
        refused: Counter[tuple[RecordKind, str]] = Counter()
        # What others refer to comes first, as the kinds are listed.
        for kind in RecordKind:
            for left in records:
                if left.record.kind is kind:
                    problem = taken.problem_of(left)
                    if problem is None:
                        counts[kind] += 1
                        taken.put(left)
                    else:
                        refused[kind, problem] += 1
        notes = [
            f"{plural(count, kind.word)} not put back: {problem}"
            for (kind, problem), count in refused.items()
        ]
        notes += _mend(pending, clock=clock, rng=rng)
        pending.apply(tx)
    return PutBack(counts=dict(counts), notes=tuple(notes))


def _make(path: Path, records: Sequence[LeftAside], *, clock: Clock, rng: Rng) -> None:
    ids, now = IdSource(clock, rng), format_time(clock.now())
    level = _level_of_records(records)
    MetaStore.create(
        path,
        level=level,
        fill=lambda tx: write_empty_store(tx, level=level, ids=ids, rng=rng, now=now),
    )


def _level(tx: MetaTx, records: Iterable[LeftAside]) -> int:
    """Take the lowest level that has all that is there: newer servers go on from it."""
    return max(level_shown_by(tx.table_names()), _level_of_records(records))


def _level_of_records(records: Iterable[LeftAside]) -> int:
    has_hash = any(b'"hashedToken":"$' in left.value for left in records)
    return LEVEL_MAX if has_hash else LEVEL_MIN


class _Taken:
    """The names and tokens that records of a store have, and what can be put beside them."""

    def __init__(self, tx: MetaTx) -> None:
        self._tx = tx
        self._keys = {kind: set(_unique(tx, kind)) for kind in _UNIQUE}

    def problem_of(self, left: LeftAside) -> str | None:
        """Say why a record cannot be put back; None when it can."""
        kind = left.record.kind
        if not left.is_certain:
            return "it may be the login of a 1.x client, whose name would become a token"
        if self._tx.table(kind.value).has(left.key):
            return "there is one with this ID"
        if self._keys.get(kind, set()).intersection(_unique_of(kind, left.value)):
            return "there is one with this name or token"
        for name, other in _REFERENCES.items():
            found = "".join(_fields(left.value, (name,)))
            if found and not self._tx.table(other.value).has(found.encode()):
                return f"the {other.word} that it names is not there"
        if kind is RecordKind.PASSWORD and not self._tx.table(_USERS).has(left.key):
            return "the user that it belongs to is not there"
        return None

    def put(self, left: LeftAside) -> None:
        """Put a record back."""
        kind = left.record.kind
        self._tx.table(kind.value).put(left.key, left.value)
        self._keys.get(kind, set()).update(_unique_of(kind, left.value))


def _unique(tx: MetaTx, kind: RecordKind) -> Iterator[tuple[str, ...]]:
    for _, value in tx.table(kind.value).items():  # noqa: PERF102 # it is no dictionary
        yield from _unique_of(kind, value)


def _unique_of(kind: RecordKind, value: bytes) -> Iterator[tuple[str, ...]]:
    for names in _UNIQUE.get(kind, ()):
        found = _fields(value, names)
        if any(found):
            yield (names[0], *found)


def _fields(value: bytes, names: Iterable[str]) -> tuple[str, ...]:
    try:
        fields = decode_fields(value)
        return tuple(text_field(fields, name) for name in names)
    except UndecodableError:
        return ()


def _mend(pending: PendingTx, *, clock: Clock, rng: Rng) -> Iterator[str]:
    try:
        plan = RepairStore(only=None, clock=clock, rng=rng).plan(pending)
    except RefusedError as error:
        yield f"what was put back is not mended: {error.reason}"
        return
    if plan.is_needed:
        plan.apply(pending)
        yield from (f"mended: {step}" for step in plan.steps)
