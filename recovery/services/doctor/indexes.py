"""Indexes: each entry leads to its record, and each record has its entry.

Lives here: `IndexAudit`, which every index of the store is judged by. Must not live here: which
index wants which keys.

Invariants: an entry that leads to a record which cannot be decoded is left in peace, because nobody
knows what that record wants. Of two records that want the same key none is preferred. The last
entry that leads to a record is never taken away: it works, whatever the record says. Where several
records are lost, their entries are the last trace of them and stay until the loss is accepted, and
so does the one entry of one lost record: influxd takes it along where it deletes a record.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.metastore.table import Table
from recovery.model.ids import ID_LENGTH
from recovery.services.doctor.chart import Population, text_of
from recovery.services.doctor.finding import (
    Finding,
    Mend,
    Rule,
    Severity,
    deleting,
    putting,
    spared,
)

NO_ENTRY: Final = "has no entry in the index"
WRONG_ENTRY: Final = "is not where its entry in the index leads"
TWO_RECORDS: Final = "wants the same entry in the index as another record"
ADDS: Final = "repair adds the entry"
SETS: Final = "repair sets the entry to the record"
REMOVES: Final = "repair removes the entry"
KEEPS_LAST: Final = (
    "repair leaves it alone: nothing else leads to that record, and it works by this entry"
)
KEEPS_WORKING: Final = (
    "repair leaves it alone, because that entry works: ask for its removal by this number"
)
KEEPS_OTHER: Final = (
    "repair leaves the entry where it leads: nothing else leads to the record that has it now"
)
LOST_MIN: Final = 3
"""So many entries of lost records, or more of them than records are left, are one finding."""
LOST_RECORD: Final = "is a record that is lost, and the index and others still have what it was"
LOST: Final = "leads to records that are gone, and to more of them than there are left"
LOST_EFFECT: Final = "what these records held is lost, and the index is the last trace of them"
LOST_REMEDY: Final = (
    "repair leaves the index alone: restore a backup; or accept the loss, which removes these "
    "entries"
)


class IndexRules(msgspec.Struct, frozen=True, kw_only=True):
    """How bad it is when an index is not as its records want it.

    Attributes:
        missing: A record has no entry, or one that leads elsewhere.
        extra: An entry that leads to no record.
        foreign: An entry that leads to a record which does not want it.
        double: Two records want the same entry.
        lost: So many entries lead to no record that records must have been lost.
        is_used: Whether the server finds the record by an entry that the record does not want.
    """

    missing: Rule
    extra: Rule
    foreign: Rule
    double: Rule
    lost: Rule
    is_used: bool


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """How a record can be made to want the one entry that leads to it.

    Attributes:
        remedy: What that does, as a clause.
        is_on_request: Whether the record has something that is replaced by it.
    """

    mend: Mend
    remedy: str
    is_on_request: bool


def index_rules(
    number: str,
    *,
    missing: tuple[Severity, str],
    extra: tuple[Severity, str],
    foreign: tuple[Severity, str] | None = None,
    is_used: bool = False,
) -> IndexRules:
    """Write down the rules of one index.

    Args:
        missing: Severity and effect of a missing entry.
        extra: Severity and effect of an entry without a record.
        foreign: Severity and effect of an entry that its record does not want, if not as `extra`.
        is_used: As in `IndexRules`.
    """
    foreign = foreign or extra
    return IndexRules(
        missing=Rule(
            number=number,
            severity=missing[0],
            problem=NO_ENTRY,
            effect=missing[1],
            remedy=ADDS,
        ),
        extra=Rule(
            number=number,
            severity=extra[0],
            problem="has an entry that leads to no record",
            effect=extra[1],
            remedy=REMOVES,
        ),
        foreign=Rule(
            number=number,
            severity=foreign[0],
            problem="has an entry that its record does not account for",
            effect=foreign[1],
            remedy=REMOVES,
        ),
        double=Rule(
            number=number,
            severity=missing[0],
            problem=TWO_RECORDS,
            effect="only one of the two can be found by it",
            remedy="repair cannot know which of the two is meant: rename or delete one of them",
        ),
        lost=Rule(
            number=number,
            severity=Severity.HIGH,
            problem=LOST,
            effect=LOST_EFFECT,
            remedy=LOST_REMEDY,
        ),
        is_used=is_used,
    )


def _value(_key: bytes, value: bytes) -> bytes:
    return value


def _as_it_is(_key: bytes, finding: Finding) -> Finding:
    return finding


def _spared(_key: bytes, finding: Finding) -> Finding:
    return spared(finding)


class Balance:
    """Tells whether an index has what the records want and nothing else, without keeping it.

    Pairs are summed up by their hashes: a wrong answer takes one chance in 2**60.
    """

    def __init__(self, index: Table) -> None:
        self._index = index
        self._wanted = 0

    def want(self, key: bytes, value: bytes) -> None:
        """Say what a record wants in the index."""
        self._wanted += hash((key, value))

    @property
    def is_even(self) -> bool:
        """Whether it is so; of an index that is missing as a whole nothing is said."""
        return not self._index.is_there or self._wanted == sum(map(hash, self._index.items()))


class IndexAudit:
    """Collects what the records want, and then compares."""

    def __init__(
        self,
        index: Table,
        records: str,
        rules: IndexRules,
        *,
        target: Callable[[bytes, bytes], bytes] | None = None,
        adopt: Callable[[bytes, bytes], Adoption | None] | None = None,
        is_found: Callable[[bytes], bool] | None = None,
        orphan: Callable[[bytes, Finding], Finding] | None = None,
        revive: Callable[[bytes, bytes], Adoption | None] | None = None,
    ) -> None:
        """Begin.

        Args:
            records: Name of the bolt bucket of the records.
            rules: How bad it is when something is wrong.
            target: Tells of key and value which record they lead to, where the value is not read;
                None where the value is the record.
            adopt: Tells of a record's key, and of the key of the one entry that leads there, how
                the record can be made to want it; None where it cannot.
            is_found: Tells of a record's key whether the server finds the record without this
                index, so that no entry here is its last.
            orphan: Given the key of a record that is lost and the finding about its entry, says
                whether that is a loss; by default it is.
            revive: Tells of the key of a record that is lost, and of the key of the one entry that
                leads there, how the record can be made again; None where it cannot.
        """
        self._index = index
        self._records = records
        self._rules = rules
        self._is_value_read = target is None
        self._target = target or _value
        self._adopt = adopt
        self._is_found = is_found
        self._orphan = orphan or _spared
        self._revive = revive
        self._wanted: dict[bytes, bytes] = {}
        self._rivals: dict[bytes, list[bytes]] = {}

    def want(self, key: bytes, value: bytes) -> None:
        """Say what a record wants in the index; the value is most often its ID."""
        known = self._wanted.setdefault(key, value)
        if known != value:
            self._rivals.setdefault(key, [known]).append(value)

    @property
    def rivals(self) -> Iterable[Sequence[bytes]]:
        """The records that want the same entry, together, as they were met."""
        return self._rivals.values()

    def findings(
        self,
        population: Population,
        *,
        missing: Callable[[bytes, Finding], Finding] | None = None,
    ) -> Iterator[Finding]:
        """Compare.

        Args:
            population: The records that the entries lead to.
            missing: Given the key of a missing entry and the finding, says how bad it is where that
                is worse than usual.

        Yields:
            What is wrong. An index that is missing as a whole is another finding, and here none.
        """
        worse = missing or _as_it_is
        if not self._index.is_there:
            return
        if not population.is_there:
            entries = {self._target(*entry): [entry[0]] for entry in self._index.items()}
            yield from self._revivals(entries, worse)
            return
        unmet = dict(self._wanted)
        stray: list[tuple[bytes, bytes]] = []
        astray: list[tuple[bytes, bytes]] = []
        for key, value in self._index.items():
            wanted = unmet.pop(key, None)
            if self._is_as_wanted(wanted, value):
                yield from self._beaten(key, winner=value)
            elif text_of(self._target(key, value)) in population.opaque:
                continue
            elif wanted is None:
                stray.append((key, value))
            elif key in self._rivals:
                yield from self._beaten(key, winner=value)
            else:
                astray.append((key, value))
        served = self._served({self._target(*entry) for entry in stray + astray}, population)
        for key, value in astray:
            target = self._target(key, value)
            is_held = text_of(target) in population.known and target not in served
            yield self._missing(key, worse, is_held=is_held)
        yield from self._strays(stray, served, population, worse)
        for key in unmet:
            yield from self._unmet(key, worse)

    def _is_as_wanted(self, wanted: bytes | None, value: bytes) -> bool:
        return wanted is not None and (wanted == value or not self._is_value_read)

    def _unmet(self, key: bytes, worse: Callable[[bytes, Finding], Finding]) -> Iterator[Finding]:
        """Give the records that want an entry which is not there."""
        if key in self._rivals:
            yield from self._beaten(key, winner=None)
        else:
            yield self._missing(key, worse)

    def _served(self, targets: set[bytes], population: Population) -> set[bytes]:
        """Tell which of some records their own entry leads to."""
        targets = {one for one in targets if text_of(one) in population.known}
        if not targets:
            return targets
        served = {one for one in targets if self._is_found is not None and self._is_found(one)}
        for key, value in self._wanted.items():
            for one in self._rivals.get(key, (value,)):
                target = self._target(key, one)
                if target in targets and self._leads(key, one):
                    served.add(target)
        return served

    def _leads(self, key: bytes, value: bytes) -> bool:
        if self._is_value_read:
            return self._index.get(key) == value
        return self._index.has(key)

    def _missing(
        self,
        key: bytes,
        worse: Callable[[bytes, Finding], Finding],
        *,
        is_held: bool | None = None,
    ) -> Finding:
        """Give a record whose entry is not there, or leads to another record.

        Args:
            worse: As in `findings`.
            is_held: Whether nothing else leads to the record that has it now; None where no record
                has it.
        """
        value = self._wanted[key]
        remedy = ADDS if is_held is None else KEEPS_OTHER if is_held else SETS
        finding = self._rules.missing.broken(
            self._records,
            self._target(key, value)[-ID_LENGTH:],
            mend=None if is_held else putting(self._index.name, key, value),
            problem=NO_ENTRY if is_held is None else WRONG_ENTRY,
            remedy=remedy,
        )
        return worse(key, finding)

    def _strays(
        self,
        entries: Iterable[tuple[bytes, bytes]],
        served: set[bytes],
        population: Population,
        worse: Callable[[bytes, Finding], Finding],
    ) -> Iterator[Finding]:
        """Give the entries that no record wants."""
        foreign: dict[bytes, list[bytes]] = {}
        orphans: dict[bytes, list[bytes]] = {}
        for key, value in entries:
            target = self._target(key, value)
            side = foreign if text_of(target) in population.known else orphans
            side.setdefault(target, []).append(key)
        for target, keys in foreign.items():
            yield from self._foreign(target, keys, is_served=target in served)
        yield from self._revivals(orphans, worse)
        left_count = len(population.known) + len(population.opaque)
        if len(orphans) >= LOST_MIN or len(orphans) > left_count:
            gone = [(self._index.name, key) for keys in orphans.values() for key in keys]
            yield self._rules.lost.broken(self._index.name, giving_up=deleting(*gone))
            return
        for target, keys in orphans.items():
            for key in keys:
                mend = deleting((self._index.name, key))
                finding = self._rules.extra.broken(self._index.name, target[-ID_LENGTH:], mend=mend)
                yield self._orphan(target, finding)

    def _revivals(
        self, orphans: dict[bytes, list[bytes]], worse: Callable[[bytes, Finding], Finding]
    ) -> Iterator[Finding]:
        """Give the lost records that can be made again, and take them out of the others."""
        for target, keys in list(orphans.items()):
            revival = self._revive(target, keys[0]) if self._revive and len(keys) == 1 else None
            if revival is not None:
                del orphans[target]
                finding = self._rules.extra.broken(
                    self._index.name,
                    target,
                    mend=revival.mend,
                    problem=LOST_RECORD,
                    remedy=revival.remedy,
                )
                yield worse(keys[0], finding)

    def _foreign(self, target: bytes, keys: list[bytes], *, is_served: bool) -> Iterator[Finding]:
        """Give the entries of a living record that it does not want."""
        adoption = None
        if not is_served and len(keys) == 1 and self._adopt is not None:
            adoption = self._adopt(target, keys[0])
        for key in keys:
            finding = self._rules.foreign.broken(
                self._index.name,
                target[-ID_LENGTH:],
                mend=deleting((self._index.name, key)) if is_served else None,
                remedy=None if is_served else KEEPS_LAST,
            )
            if adoption is not None:
                finding = replace(
                    finding,
                    mend=adoption.mend,
                    remedy=adoption.remedy,
                    is_on_request=adoption.is_on_request,
                )
            elif is_served and self._rules.is_used:
                finding = replace(finding, is_on_request=True, remedy=KEEPS_WORKING)
            yield finding

    def _beaten(self, key: bytes, winner: bytes | None) -> Iterator[Finding]:
        for rival in self._rivals.get(key, ()):
            if rival != winner:
                yield self._rules.double.broken(self._records, rival)
