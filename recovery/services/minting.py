"""Make an operator token.

Lives here: `MintOperator`, a planner for `run_change`. Must not live here: the order of the steps,
which is in `recovery.services.change`.

Source: spec influxdb-metadata sections 5.1, 5.2, 5.4, 7.3, 8.3 and recipe R1.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from recovery.services.change import Plan

if TYPE_CHECKING:
    from recovery.metastore.store import MetaReader
    from recovery.ports import Clock, Rng


@unique
class FormChoice(StrEnum):
    """In which form a new token is to be stored."""

    BY_STORE = "by store"
    HASHED = "hashed"
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class MintOperator:
    """The command `auth create-operator`.

    Attributes:
        username: Who gets the token; None for the only user.
        organization: The organization it belongs to; None for the only one.
        description: Text of the record; None for "NAME's Recovery Token".
        form: How to store it.
        server_hashes: `use-hashed-tokens` of the server's configuration; None when unknown.
        clock: The time.
        rng: Cryptographic randomness.
    """

    username: str | None
    organization: str | None
    description: str | None
    form: FormChoice
    server_hashes: bool | None
    clock: "Clock"
    rng: "Rng"

    @property
    def operation(self) -> str:
        """The command."""
        return "auth create-operator"

    @property
    def has_secret(self) -> bool:
        """There is a token to deliver."""
        return True

    def plan(self, store: "MetaReader") -> Plan:
        """Choose user, organization, form, ID and token.

        Args:
            store: The store, as it is.

        Returns:
            One new record and one index entry.

        Raises:
            NotFoundError: No such user or organization; the error lists those that exist.
            AmbiguousError: None was named and there is more than one.
            RefusedError: The user is inactive, or a hash is not possible at this level.
        """
        raise NotImplementedError
