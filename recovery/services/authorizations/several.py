"""Delete several authorizations, or take their force, in one transaction.

Lives here: the planners of `auth delete`, `set-active` and `set-inactive` for more than one record.
Must not live here: the same for one, which can also be a record that cannot be decoded (`changes`),
and which ones are meant (`selection`).

Invariants: the cost grows with the store, and not with the store times the number of records.
"""

from typing import ClassVar

import msgspec

from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import ACTIVE, INACTIVE
from recovery.model.gojson import format_time
from recovery.model.ids import Id
from recovery.ports import Clock
from recovery.services.access import Loss, loss_warnings
from recovery.services.authorizations.changes import FREED_PAGES, bring_back
from recovery.services.authorizations.selection import Selection, left_alone, named
from recovery.services.changes.facts import PlanFacts
from recovery.services.changes.plan import Plan


class DeleteSeveral(msgspec.Struct, frozen=True, kw_only=True):
    """The command `auth delete` on several.

    Attributes:
        is_ensured: Whether it is well when some that were named are not there.
    """

    operation: ClassVar[str] = "auth delete"

    selection: Selection
    is_ensured: bool

    def plan(self, store: MetaTx) -> Plan:
        """Plan the end of the records, if any, and of every index entry that leads to one."""
        problems: list[RecordProblem] = []
        chosen = self.selection
        if self.is_ensured and chosen.ids is not None:
            there = tuple(one for one in chosen.ids if store.authorizations.has_id(one))
            chosen = Selection(ids=there)
        ids = tuple(one.id for one in chosen.walk(store, problems))
        facts: PlanFacts = {"authorization_ids": list(ids)}
        if not ids:
            return _nothing(self.operation, facts, problems)
        return Plan(
            operation=self.operation,
            steps=(
                *named(store, ids, "delete"),
                "delete every entry of the indexes that leads to one of them",
            ),
            facts=facts,
            record_ids=ids,
            warnings=(
                *loss_warnings(store, Loss(authorization_ids=frozenset(ids))),
                *left_alone(problems),
                FREED_PAGES,
            ),
            apply=lambda tx: tx.authorizations.delete_all(ids),
            verify=lambda tx: _still_there(tx, ids),
            afterwards=(bring_back(*ids),),
        )


class SetStatusOfSeveral(msgspec.Struct, frozen=True, kw_only=True):
    """The commands `auth set-active` and `auth set-inactive` on several."""

    selection: Selection
    is_active: bool
    clock: Clock

    @property
    def operation(self) -> str:
        """The command."""
        return "auth set-active" if self.is_active else "auth set-inactive"

    def plan(self, store: MetaTx) -> Plan:
        """Plan the new status of those that have another; nothing when none has."""
        status = ACTIVE if self.is_active else INACTIVE
        now = format_time(self.clock.now())
        problems: list[RecordProblem] = []
        ids = tuple(one.id for one in self.selection.walk(store, problems) if one.status != status)
        facts: PlanFacts = {"authorization_ids": list(ids), "status": status}
        if not ids:
            return _nothing(self.operation, facts, problems)
        loss = Loss(authorization_ids=frozenset() if self.is_active else frozenset(ids))
        losses = () if self.is_active else loss_warnings(store, loss)

        def apply(tx: MetaTx) -> None:
            for one in ids:
                before = tx.authorizations.load(one)
                if before is not None:
                    after = before.with_status(status, now=now)
                    tx.authorizations.update(before, after)

        def verify(tx: MetaTx) -> str | None:
            for one in ids:
                found = tx.authorizations.get(one)
                if found is None or found.status != status:
                    return f"authorization {one} is not {status}"
            return None

        return Plan(
            operation=self.operation,
            steps=tuple(named(store, ids, f"set to {status}:")),
            facts=facts,
            record_ids=ids,
            warnings=(*losses, *left_alone(problems)),
            apply=apply,
            verify=verify,
        )


def _nothing(operation: str, facts: PlanFacts, problems: list[RecordProblem]) -> Plan:
    return Plan.nothing(
        operation,
        "nothing: no API token is chosen that is not as wanted",
        facts=facts,
        warnings=left_alone(problems),
    )


def _still_there(tx: MetaTx, ids: tuple[Id, ...]) -> str | None:
    for one in ids:
        if tx.authorizations.has_id(one):
            return f"authorization {one} is still there"
    if tx.authorizations.leads_to_any(ids):
        return "an index entry still leads to an authorization that was deleted"
    return None
