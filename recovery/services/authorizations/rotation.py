"""Replace tokens by new ones of the same rights, after they have leaked.

Lives here: the planner of `auth rotate`. Must not live here: which ones are meant (`selection`),
and the file that the new tokens go to.

A store can have 100,000 authorizations with 3.5 kB of permissions each, so a plan keeps IDs, tokens
and digests, and not the records.

Invariants: a new record differs from the old one in ID, token and times only: description, owner,
status and rights keep their bytes. All of it is one transaction, and all new tokens are one secret
for one destination, so that none is in force that was not handed over.
"""

import csv
import io
from collections.abc import Iterator
from hashlib import sha256
from sys import intern
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from recovery.errors import RefusedError
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import INACTIVE, Authorization
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.token import TokenForm, hash_token
from recovery.ports import Clock, Rng
from recovery.remedy import Input, Run
from recovery.secret import Secret
from recovery.services.authorizations.new_token import FormChoice, chosen_form, unknown_token
from recovery.services.authorizations.selection import Selection, left_alone, named
from recovery.services.changes.plan import Plan

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

COLUMNS: Final = ("id", "description", "token")
BACKUP_HAS_THEM: Final = (
    "the backup that is made in front of this holds the old tokens or their hashes, and so do "
    "older copies and freed pages of the file"
)
KEPT: Final = (
    "the old ones stay, inactive: influxd refuses their tokens with 403, and a user interface "
    "session of their users goes on having their rights until they are deleted"
)
AFTERWARDS: Final = (
    "The backup still holds what leaked. When the new tokens work:",
    Run(
        "store backups",
        "to remove it with all copies of this tool, after which nothing can be undone",
        {Input.PRUNE: "prune", Input.GIVE_UP_UNDO: None},
    ),
    Run("store backups", "to see all copies that hold it"),
    Run("store compact", "to make a copy without the freed pages that still hold it"),
)


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One authorization that is replaced."""

    old_id: Id
    new_id: Id
    description: str
    token: Secret
    digest: bytes


class RotateTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The command `auth rotate`.

    Attributes:
        keeps_inactive: Whether the old ones stay, inactive; otherwise they are deleted.
    """

    operation: ClassVar[str] = "auth rotate"

    selection: Selection
    keeps_inactive: bool
    form: FormChoice
    server_hashes: bool | None
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Draw a new ID and a new token for each.

        Raises:
            RefusedError: One that was named has no token, or hashes are asked for and the servers
                of the store know none.
        """
        form = chosen_form(store, self.form, server_hashes=self.server_hashes)
        now = format_time(self.clock.now())
        problems: list[RecordProblem] = []
        turns = tuple(self._turns(store, form, now, problems))
        ids = tuple(turn.old_id for turn in turns)
        facts: PlanFacts = {
            "token_form": form.value,
            "is_old_kept": self.keeps_inactive,
            "rotated": [
                {"old_id": one.old_id, "new_id": one.new_id, "description": one.description}
                for one in turns
            ],
        }
        if not turns:
            return Plan.nothing(
                self.operation,
                "nothing: no API token with a value is chosen",
                facts=facts,
                warnings=left_alone(problems),
            )
        end = "set the old ones inactive" if self.keeps_inactive else "delete the old ones"
        return Plan(
            operation=self.operation,
            steps=(
                *named(store, ids, "give a new ID and a new value to"),
                f"keep rights, owner, status and description of each; {end}",
                "hand over all new tokens as one file with the columns id, description and token",
            ),
            facts=facts,
            record_ids=tuple(key for one in turns for key in (one.old_id, one.new_id)),
            warnings=(
                *((KEPT,) if self.keeps_inactive else ()),
                *left_alone(problems),
                BACKUP_HAS_THEM,
            ),
            apply=lambda tx: self._apply(tx, turns, form, now),
            verify=lambda tx: self._what_is_wrong(tx, turns),
            secret=_listed(turns),
            subject_id=", ".join(one.new_id for one in turns[:3]) + (", …" if turns[3:] else ""),
            afterwards=AFTERWARDS,
        )

    def _turns(
        self, store: MetaTx, form: TokenForm, now: str, problems: list[RecordProblem]
    ) -> Iterator[_Turn]:
        ids = IdSource(self.clock, self.rng)
        drawn: set[Id] = set()
        for before in self.selection.walk(store, problems):
            if before.form is TokenForm.NONE:
                if self.selection.ids is not None:
                    raise RefusedError(
                        reason=f"API token {before.id} has no value at all",
                        hint=Run("auth delete", "to delete it", {Input.ID: before.id}),
                    )
                continue
            new_id = unused(
                ids.snowflake, lambda one: one in drawn or store.authorizations.has_id(one)
            )
            drawn.add(new_id)
            token = unknown_token(store, self.rng)
            document = _successor(before, new_id, token, form, now).document
            yield _Turn(
                old_id=before.id,
                new_id=new_id,
                description=intern(before.description),  # very many tokens have the same
                token=token,
                digest=sha256(document).digest(),
            )

    def _apply(self, tx: MetaTx, turns: tuple[_Turn, ...], form: TokenForm, now: str) -> None:
        for turn in turns:
            before = tx.authorizations.load(turn.old_id)
            if before is None:
                continue
            tx.authorizations.insert(_successor(before, turn.new_id, turn.token, form, now))
            if self.keeps_inactive and before.is_active:
                after = before.with_status(INACTIVE, now=now)
                tx.authorizations.update(before, after)
        if not self.keeps_inactive:
            tx.authorizations.delete_all(tuple(turn.old_id for turn in turns))

    def _what_is_wrong(self, tx: MetaTx, turns: tuple[_Turn, ...]) -> str | None:
        for turn in turns:
            found = tx.authorizations.find(turn.token)
            if found is None or found.id != turn.new_id:
                return f"a server would not find the new token of authorization {turn.new_id}"
            if sha256(found.document).digest() != turn.digest:
                return f"authorization {turn.new_id} is not as planned"
            old = tx.authorizations.get(turn.old_id)
            if self.keeps_inactive and (old is None or old.is_active):
                return f"authorization {turn.old_id} is not inactive"
            if not self.keeps_inactive and tx.authorizations.has_id(turn.old_id):
                return f"authorization {turn.old_id} is still there"
        if not self.keeps_inactive and tx.authorizations.leads_to_any(
            tuple(turn.old_id for turn in turns)
        ):
            return "an index entry still leads to an authorization that was replaced"
        return None


def _successor(
    before: Authorization, new_id: Id, token: Secret, form: TokenForm, now: str
) -> Authorization:
    """Build the record that takes the place of another."""
    raw, hashed = (token, None) if form is TokenForm.RAW else (None, hash_token(token))
    return before.with_token(raw, hashed, new_id=new_id, now=now)


def _listed(turns: tuple[_Turn, ...]) -> Secret:
    """Write all new tokens as one text with a line for each."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((one.new_id, one.description, one.token.reveal()) for one in turns)
    return Secret(text.getvalue().removesuffix("\n"))
