"""The right to take secrets out of a store, and its price: a note in the ledger.

Lives here: `Disclosure`. Must not live here: what is shown or exported.

Invariants: whatever gives away what a store holds of a token asks for a `Disclosure`, and the only
way to get one is to have written down that secrets are about to leave the store.
"""

from typing import TYPE_CHECKING, Final, Protocol, Self

from recovery.model.ids import Id
from recovery.services.store_facts import StoreFacts

if TYPE_CHECKING:
    from recovery.services.changes.ports import Intent

_NOTED: Final = object()


class Notes(Protocol):
    """The ledger, as far as it is told of what changes nothing."""

    def note(self, intent: "Intent") -> int:
        """Record it durably, and return the number of the row; a `RecoveryError` stops it."""
        ...


class Disclosure:
    """Proof that the ledger knows of secrets that are about to leave the store."""

    def __init__(self, note_id: int, proof: object) -> None:
        """Do not call this, which raises `TypeError`: `noted` is the way to get one."""
        if proof is not _NOTED:
            raise TypeError("Disclosure.noted is the way to get one")
        self.note_id: Final = note_id

    @classmethod
    def noted(
        cls,
        notes: Notes,
        facts: StoreFacts,
        *,
        operation: str,
        reason: str | None,
        record_ids: tuple[Id, ...] = (),
    ) -> Self:
        """Write down that secrets are about to leave a store, by the option of the operation."""
        from recovery.services.changes.ports import (  # noqa: PLC0415 # most listings show none
            Intent,
        )

        note_id = notes.note(
            Intent(
                operation=operation,
                store_path=facts.path,
                device=facts.device,
                inode=facts.inode,
                record_ids=record_ids,
                backup_path=None,
                reason=reason,
            )
        )
        return cls(note_id, _NOTED)
