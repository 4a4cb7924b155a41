"""Which authorizations a command on several means.

Lives here: `Selection` and what it chooses. Must not live here: what is done with them.

Invariants: an ID that is named and does not exist is refused, also among those to be spared: a slip
of the finger there would hit the one that was to stay.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from recovery.errors import together
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.ids import Id
from recovery.services.authorizations.choice import absent, choose_authorization, described
from recovery.services.tenancy.choosing import Whose

NAMED_MAX: Final = 20
"""Records that a plan names one by one."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Some authorizations of a store.

    Attributes:
        ids: These; None for all that the rest allows.
        user: Only those of this user; None for all users.
        organization: Only those of this organization; None for all.
    """

    ids: tuple[Id, ...] | None = None
    spared: tuple[Id, ...] = ()
    user: str | None = None
    organization: str | None = None

    def walk(self, tx: MetaTx, problems: list[RecordProblem]) -> Iterator[Authorization]:
        """Walk what is chosen, each record once.

        Args:
            problems: Gets the records that cannot be understood, and so are not chosen.

        Yields:
            In the order in which they were named, or of their IDs.
        """
        if self.ids is not None:
            _require_all(tx, self.ids)
            for one in dict.fromkeys(self.ids):
                yield choose_authorization(tx, one)
            return
        _require_all(tx, self.spared)
        whose = Whose.named(tx, user=self.user, organization=self.organization)
        spared = frozenset(self.spared)
        for found in tx.authorizations.walk(problems):
            if found.id not in spared and whose.wants(found):
                yield found


def _require_all(tx: MetaTx, ids: Iterable[Id]) -> None:
    """Raise, at once, what each of them lacks that is not there."""
    lacks = [absent(tx, one) for one in dict.fromkeys(ids) if not tx.authorizations.has_id(one)]
    if lacks:
        raise together(lacks)


def named(tx: MetaTx, ids: Iterable[Id], verb: str) -> Iterator[str]:
    """Say what happens to several records, by an imperative, each by name up to a number."""
    chosen = tuple(ids)
    for one in chosen[:NAMED_MAX]:
        found = tx.authorizations.get(one)
        yield f"{verb} " + (f"API token {one}" if found is None else described(tx, found))
    if len(chosen) > NAMED_MAX:
        yield f"{verb} {len(chosen) - NAMED_MAX} more"


def left_alone(problems: Iterable[RecordProblem]) -> tuple[str, ...]:
    """Warn of records that were not chosen because nobody can read them, each in a sentence."""
    return tuple(f"API token {one.id} cannot be understood and stays as it is" for one in problems)
