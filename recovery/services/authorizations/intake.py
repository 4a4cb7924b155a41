"""Bring authorizations into a store, so that it accepts the tokens that clients have.

Lives here: `ImportAuthorizations`, a planner. Must not live here: the form of a
line (`authorization_transfer`).

A file can have 100,000 lines of 4 kB. So a plan keeps the ID of each new record and a digest of it,
and the file is read again when the records are written.

Invariants: all lines are written, in one transaction, or none. Whatever stands in the way of any of
them is listed before anything is written. What is written holds every invariant that a server's own
record holds: user and organization exist, the permissions are of the store's level and of the
organization of the record, no token is there twice, raw or hashed.

Source: spec influxdb-metadata sections 4.6, 5.3, 7.3 and 13.2 (I23 to I25).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Final

from recovery.errors import RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    ACTIVE,
    INACTIVE,
    Authorization,
    decode_authorization,
)
from recovery.model.display import displayed, plural
from recovery.model.ids import Id
from recovery.model.organization import index_name
from recovery.model.permission import Permission
from recovery.model.token import LEVEL_HASHED, TokenForm, hash_token, hash_variant
from recovery.remedy import Give, Input, Run
from recovery.secret import Secret
from recovery.services.authorizations.changes import differs_from_digests
from recovery.services.authorizations.creation import problem_of_token
from recovery.services.authorizations.new_token import FormChoice, chosen_form
from recovery.services.authorizations.permission_request import refusal_of
from recovery.services.authorizations.token_owners import TokenOwners, hash_text
from recovery.services.authorizations.transfer import Line, LineError, decode_lines
from recovery.services.changes.plan import Plan

if TYPE_CHECKING:
    from recovery.model.gojson import Json

CONFLICTS_SHOWN: Final = 20
LINES_NAMED: Final = 5
STEPS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportAuthorizations:
    """The command `auth import`.

    Attributes:
        file: The lines, read one after the other, twice, and not kept. It can be positioned.
        is_matched_by_name: Whether users, organizations and buckets are those of the same name,
            as after a new set-up, instead of those with the same ID.
        is_ensured: Whether what is there already, with the same rights, is well.
    """

    operation: ClassVar[str] = "auth import"

    file: BinaryIO = field(repr=False)
    is_matched_by_name: bool
    is_ensured: bool
    form: FormChoice
    server_hashes: bool | None

    def plan(self, store: MetaTx) -> Plan:
        """Decide what each line becomes; `RefusedError` with every conflict, or for no lines."""
        form = chosen_form(store, self.form, server_hashes=self.server_hashes)
        resolver = _Resolver(store, form, is_matched_by_name=self.is_matched_by_name)
        made, present = _Made(), []
        conflicts: dict[str, list[int]] = {}  # the lines of each cause
        line_count = 0
        for line in decode_lines(self.file):
            line_count += 1  # enumerate would leave it undefined for no lines
            if isinstance(line, LineError):
                conflicts.setdefault(line.problem, []).append(line.number)
                continue
            try:
                authorization = resolver.resolve(line)
            except _ConflictError as error:
                conflicts.setdefault(str(error), []).append(line.number)
                continue
            if self.is_ensured and resolver.is_present(authorization):
                present.append(authorization.id)
                continue
            obstacle = resolver.claim(authorization)
            if obstacle is None:
                made.add(authorization)
            else:
                conflicts.setdefault(obstacle, []).append(line.number)
        if conflicts or not line_count:
            raise _refusal(conflicts, line_count)
        return Plan(
            operation=self.operation,
            steps=tuple(_steps(made, present, form)),
            facts={
                "authorization_ids": list(made.digests),
                "present_ids": list(present),
                "token_form": form.value,
            },
            record_ids=tuple(made.digests),
            warnings=tuple(resolver.warnings),
            is_needed=bool(made.digests),
            apply=lambda tx: tx.authorizations.insert_all(self._again(resolver, made.digests)),
            verify=lambda tx: differs_from_digests(tx, made.digests),
        )

    def _again(self, resolver: "_Resolver", digests: Mapping[Id, bytes]) -> Iterator[Authorization]:
        """Read the records that are to be made a second time; raise `RefusedError` for others."""
        count = 0
        try:
            for line in decode_lines(self.file):
                if isinstance(line, LineError):
                    break
                found = resolver.resolve(line)
                digest = digests.get(found.id)
                if digest is not None:  # else it is there already
                    if sha256(found.document).digest() != digest:
                        break
                    count += 1
                    yield found
        except _ConflictError:
            count = -1
        if count != len(digests):
            raise RefusedError(
                reason="what is to be imported became another file while it was read",
                hint="see that nothing writes to it, and import it again",
            )


class _Made:
    """The records that are to be made.

    Attributes:
        digests: The SHA-256 digest of each, by ID.
        samples: The first of them, each with its description and the number of its permissions.
    """

    def __init__(self) -> None:
        self.digests: dict[Id, bytes] = {}
        self.samples: list[tuple[Id, str, int]] = []

    def add(self, one: Authorization) -> None:
        self.digests[one.id] = sha256(one.document).digest()
        if len(self.samples) < STEPS_SHOWN:
            self.samples.append((one.id, one.description, len(one.permissions())))


class _ConflictError(Exception):
    """What stands in the way of a line, as a clause that may be shown."""


class _Resolver:
    """Turns lines into records of one store."""

    def __init__(self, store: MetaTx, form: TokenForm, *, is_matched_by_name: bool) -> None:
        self._store = store
        self._form = form
        self._by_name = is_matched_by_name
        self._users = {one.name: one.id for one in store.users.walk([])}
        self._organizations = {index_name(o.name): o.id for o in store.organizations.walk([])}
        self._buckets = {(b.org_id, b.name): b.id for b in store.buckets.walk([])}
        self._tokens = TokenOwners(store)
        self._claimed: set[str] = set()
        self._last: tuple[Sequence[Permission], tuple[Id | None, Id], Sequence[Permission]] | None
        self._last = None
        self.warnings: list[str] = []

    def resolve(self, line: Line) -> Authorization:
        """Build the record that a line becomes."""
        before = line.authorization
        user_id = self._owner("user", before.user_id, line.names.user)
        org_id = self._owner("organization", before.org_id, line.names.organization)
        if before.status not in {ACTIVE, INACTIVE, ""}:
            raise _ConflictError("its status is neither active nor inactive")
        matched = self._rights(line, user_id, org_id)
        token, hashed = self._stored(before)
        is_kept = (
            matched == line.permissions
            and bool(before.status)
            and (before.org_id, before.user_id) == (org_id, user_id)
            and before.form is not TokenForm.BOTH
        )
        if line.is_plain and is_kept:  # all that may have to be written anew is the token
            return (
                before
                if before.token is None or hashed is None
                else before.with_token(None, hashed)
            )
        changes: dict[str, Json] = {
            "token": None if token is None else token.reveal(),
            "hashedToken": None if hashed is None else hashed.reveal(),
            "status": before.status or ACTIVE,
            "orgID": org_id,
            "userID": user_id,
        }
        if matched != line.permissions:
            changes["permissions"] = [one.to_json() for one in matched]
        return decode_authorization(before.rewritten(changes))

    def _rights(self, line: Line, user_id: Id, org_id: Id) -> Sequence[Permission]:
        """Give the permissions of a line the IDs of this store, or refuse them.

        Lines with the same permissions follow each other by the thousand.
        """
        key = (line.authorization.org_id, org_id)
        if self._last is not None and self._last[0] is line.permissions and self._last[1] == key:
            return self._last[2]
        matched = line.permissions
        if self._by_name:
            matched = [self._matched(one, line, user_id, org_id) for one in matched]
        reason = refusal_of(matched, level=self._store.level, org_id=org_id)
        if reason is not None:
            raise _ConflictError(reason)
        if not matched:
            raise _ConflictError("it permits nothing")
        if not self._by_name or all(one.id is None for one in matched):
            self._last = (line.permissions, key, matched)
        return matched

    def is_present(self, wanted: Authorization) -> bool:
        """Tell whether the store has this token with these rights, under this ID."""
        found = self._store.authorizations.get(wanted.id)
        if found is None or (found.user_id, found.org_id) != (wanted.user_id, wanted.org_id):
            return False
        return (
            hash_text(found) == hash_text(wanted)
            and found.is_active == wanted.is_active
            and set(found.permissions()) == set(wanted.permissions())
        )

    def claim(self, wanted: Authorization) -> str | None:
        """Take ID and token of a record, or say who has them."""
        if self._store.authorizations.has_id(wanted.id):
            return "its ID is that of another authorization, or of the same with other rights"
        hashed = hash_text(wanted)
        if {wanted.id, hashed} & self._claimed:
            return "another line has the same ID or the same token"
        owner = self._tokens.owner(wanted)
        if owner is not None:
            return f"its token is that of authorization {owner}"
        self._claimed |= {wanted.id, hashed}
        return None

    def _owner(self, kind: str, wanted: Id | None, name: str | None) -> Id:
        """Find the user or the organization of a line in this store."""
        if self._by_name:
            key = index_name(name or "") if kind == "organization" else name or ""
            found = (self._users if kind == "user" else self._organizations).get(key)
            if found is None:
                shown = "that has no name in the file" if name is None else displayed(name)
                raise _ConflictError(f"there is no {kind} {shown}")
            return found
        known = self._users if kind == "user" else self._organizations
        if wanted is None or wanted not in known.values():
            more = "" if name is None else f" (it was {displayed(name)})"
            raise _ConflictError(f"there is no {kind} {wanted or 'at all'}{more}")
        return wanted

    def _matched(self, one: Permission, line: Line, user_id: Id, org_id: Id) -> Permission:
        """Give a permission the IDs that things of the same names have in this store."""
        before = line.authorization
        permission_org = org_id if one.org_id == before.org_id else one.org_id
        resource = one.id
        if resource is not None and one.type == "orgs" and resource == before.org_id:
            resource = org_id
        elif resource is not None and one.type == "users" and resource == before.user_id:
            resource = user_id
        elif resource is not None and one.type == "buckets":
            resource = self._bucket(resource, line, org_id)
        elif resource is not None:
            self.warnings.append(
                f"line {line.number} permits {one.action} of one of the {one.type} by its ID, "
                "which may be another here"
            )
        return Permission(action=one.action, type=one.type, id=resource, org_id=permission_org)

    def _bucket(self, resource: Id, line: Line, org_id: Id) -> Id:
        name = line.names.buckets.get(resource)
        found = None if name is None else self._buckets.get((org_id, name))
        if found is None:
            shown = f"{resource}" if name is None else displayed(name)
            raise _ConflictError(f"it permits something on bucket {shown}, which is not here")
        return found

    def _stored(self, before: Authorization) -> tuple[Secret | None, Secret | None]:
        """Choose token and hash of the record: exactly one of them is set."""
        if before.token is not None:
            problem = problem_of_token(before.token)
            if problem is not None:
                raise _ConflictError(f"its token cannot be used: {problem}")
            if self._form is TokenForm.RAW:
                return before.token, None
            return None, hash_token(before.token)
        if before.hashed_token is None:
            raise _ConflictError(
                "it has neither a token nor a hash: it was exported without tokens"
            )
        if self._store.level < LEVEL_HASHED:
            raise _ConflictError(
                f"its token is hashed, and servers of level {self._store.level} know no hashes"
            )
        if hash_variant(before.hashed_token.reveal()) is None:
            raise _ConflictError("its hash is of no known kind")
        return None, before.hashed_token


def _refusal(conflicts: Mapping[str, list[int]], line_count: int) -> RefusedError:
    if not line_count:
        return RefusedError(
            reason="there is no authorization in what is to be imported",
            hint=Run(
                "auth export",
                "to make a file of what another store has",
                {Input.STORE: None, Input.TARGET: None, Input.WITH_TOKENS: None},
            ),
        )
    shown = [
        f"{_named(numbers)}: {cause}"
        for cause, numbers in islice(conflicts.items(), CONFLICTS_SHOWN)
    ]
    count = sum(map(len, conflicts.values()))
    rest = len(conflicts) - len(shown)
    listed = "; ".join(shown) + (f"; and {plural(rest, 'other cause')}" if rest else "")
    return RefusedError(
        reason=f"{count} of {line_count} authorizations cannot be imported: {listed}",
        hint=(
            "mend or leave out those lines",
            Give(Input.MATCH_BY_NAME, "match by name on a server that was set up anew,"),
            Give(Input.ENSURE, "pass over what is there already"),
        ),
    )


def _named(numbers: list[int]) -> str:
    """Name the lines of one cause, the first of many."""
    shown = ", ".join(map(str, numbers[:LINES_NAMED]))
    rest = len(numbers) - LINES_NAMED
    return f"line{'s'[: len(numbers) - 1]} {shown}" + (f" and {rest:,} more" if rest > 0 else "")


def _steps(made: _Made, present: list[Id], form: TokenForm) -> Iterator[str]:
    if present:
        yield f"leave {plural(len(present), 'API token')} alone that are there already"
    count = len(made.digests)
    if not count:
        return
    stored = "as they are" if form is TokenForm.RAW else "as SHA-256 hashes"
    yield f"add {plural(count, 'API token')}, with an index entry for each, raw ones {stored}"
    for authorization_id, description, permission_count in made.samples:
        named = f"{authorization_id} ({description or 'no description'})"
        yield f"add {named}, {permission_count} permissions"
    if count > STEPS_SHOWN:
        yield f"and {count - STEPS_SHOWN} more"
