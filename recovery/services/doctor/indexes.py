"""Indexes: each entry leads to its record, and each record has its entry.

Lives here: `IndexAudit`, which every index of the store is judged by. Must not live here: which
index wants which keys.

Invariants: an entry that leads to a record which cannot be decoded is left in peace, because nobody
knows what that record wants. Of two records that want the same key none is preferred.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from recovery.metastore.table import Table
from recovery.model.ids import ID_LENGTH
from recovery.services.doctor.chart import Population, text_of
from recovery.services.doctor.finding import Finding, Rule, Severity, deleting, putting

NO_ENTRY: Final = "has no entry in the index"
WRONG_ENTRY: Final = "is not where its entry in the index leads"
TWO_RECORDS: Final = "wants the same entry in the index as another record"
ADDS: Final = "repair adds the entry"
SETS: Final = "repair sets the entry to the record"
REMOVES: Final = "repair removes the entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRules:
    """How bad it is when an index is not as its records want it.

    Attributes:
        missing: A record has no entry, or one that leads elsewhere.
        extra: An entry that leads to no record.
        foreign: An entry that leads to a record which does not want it.
        double: Two records want the same entry.
    """

    missing: Rule
    extra: Rule
    foreign: Rule
    double: Rule


def index_rules(
    number: str,
    *,
    missing: tuple[Severity, str],
    extra: tuple[Severity, str],
    foreign: tuple[Severity, str] | None = None,
) -> IndexRules:
    """Write down the rules of one index.

    Args:
        number: The invariant.
        missing: Severity and effect of a missing entry.
        extra: Severity and effect of an entry without a record.
        foreign: Severity and effect of an entry that its record does not want, if not as `extra`.

    Returns:
        The rules.
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
    )


def _value(_key: bytes, value: bytes) -> bytes:
    return value


def _as_it_is(_key: bytes, finding: Finding) -> Finding:
    return finding


class IndexAudit:
    """Collects what the records want, and then compares."""

    def __init__(
        self,
        index: Table,
        records: str,
        rules: IndexRules,
        *,
        target: Callable[[bytes, bytes], bytes] | None = None,
        has_values: bool = True,
    ) -> None:
        """Begin.

        Args:
            index: The index.
            records: Name of the bolt bucket of the records.
            rules: How bad it is when something is wrong.
            target: Tells of key and value which record they lead to; None where that is the value.
            has_values: Whether the values are looked at; else only the keys tell.
        """
        self._index = index
        self._records = records
        self._rules = rules
        self._target = target or _value
        self._has_values = has_values
        self._wanted: dict[bytes, bytes] = {}
        self._rivals: dict[bytes, list[bytes]] = {}

    def want(self, key: bytes, value: bytes) -> None:
        """Say what a record wants in the index.

        Args:
            key: The key there.
            value: Its value, most often the ID of the record.
        """
        known = self._wanted.setdefault(key, value)
        if known != value:
            self._rivals.setdefault(key, [known]).append(value)

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
        if not self._index.is_there or not population.is_there:
            return
        worse = missing or _as_it_is
        for key, value in self._index.items():
            wanted = self._wanted.pop(key, None)
            if wanted == value or (wanted is not None and not self._has_values):
                yield from self._beaten(key, winner=value)
            elif text_of(self._target(key, value)) in population.opaque:
                continue
            elif wanted is None:
                yield self._extra(key, value, population)
            elif value in self._rivals.get(key, ()):
                yield from self._beaten(key, winner=value)
            elif key in self._rivals:
                yield from self._beaten(key, winner=None)
            else:
                yield self._missing(key, wanted, WRONG_ENTRY, SETS, worse)
        for key, value in self._wanted.items():
            if key in self._rivals:
                yield from self._beaten(key, winner=None)
            else:
                yield self._missing(key, value, NO_ENTRY, ADDS, worse)

    def _missing(
        self,
        key: bytes,
        value: bytes,
        problem: str,
        remedy: str,
        worse: Callable[[bytes, Finding], Finding],
    ) -> Finding:
        finding = self._rules.missing.broken(
            self._records,
            self._target(key, value)[-ID_LENGTH:],
            mend=putting(self._index.name, key, value),
            problem=problem,
            remedy=remedy,
        )
        return worse(key, finding)

    def _extra(self, key: bytes, value: bytes, population: Population) -> Finding:
        target = self._target(key, value)
        is_known = text_of(target) in population.known
        rule = self._rules.foreign if is_known else self._rules.extra
        return rule.broken(
            self._index.name, target[-ID_LENGTH:], mend=deleting((self._index.name, key))
        )

    def _beaten(self, key: bytes, winner: bytes | None) -> Iterator[Finding]:
        for rival in self._rivals.get(key, ()):
            if rival != winner:
                yield self._rules.double.broken(self._records, rival)
