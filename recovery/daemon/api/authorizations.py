"""API tokens.

Lives here: /api/v2/authorizations. Must not live here: those of 1.x (`recovery.daemon.api.legacy`).

Invariants: the whole list is read in slices, each in a view of its own; a record that changes
meanwhile comes as it was before or as it is after.

Source: InfluxDB v2.9.1 authorization/http_server.go, authorization/middleware_auth.go,
authorization/service.go; spec admin-daemon 1.8 and 3.3.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Final

import msgspec

from recovery.daemon.answer import (
    JSON_TYPE,
    NO_CONTENT,
    Answer,
    escaped,
    json_answer,
)
from recovery.daemon.api.minting import (
    NOT_FOUND,
    of_path,
    read_edit,
    read_wanted,
    require_may_mint,
    require_storable,
    shown,
)
from recovery.daemon.api.organizations import organization_by_name
from recovery.daemon.api.records import TokenViews, new_token_text
from recovery.daemon.api.users import user_by_name
from recovery.daemon.call import Call
from recovery.daemon.rights import Rights
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.model.token import LEVEL_HASHED
from recovery.services.authorizations.changes import DeleteAuthorization
from recovery.services.authorizations.record_changes import (
    EditAuthorization,
    IssueAuthorization,
)

LIST: Final = "/api/v2/authorizations"
SLICE_RECORDS: Final = 500
FIRST_RECORDS: Final = 50
"""So many are read for the first piece, so that a client need not wait for it."""
_BEGIN: Final = b'{"links":{"self":"/api/v2/authorizations"},"authorizations":['
_END: Final = b"]}\n"


def list_all(call: Call) -> Answer:
    """List tokens: all of them that may be read, without pages."""
    request = call.request
    user_id, org_id = request.asked_id("userID"), request.asked_id("orgID")
    authorization_id = request.asked_id("id")
    user, org = request.asked("user"), request.asked("org")
    if user_id is None and user is not None:
        user_id = user_by_name(call, user).id
    if org_id is None and org is not None:
        org_id = organization_by_name(call, org).id
    if authorization_id is not None:
        found = NOT_FOUND.unless(call.tx.authorizations.get(authorization_id))
        records = shown([found], call.rights, TokenViews(call.tx))
        return json_answer({"links": {"self": LIST}, "authorizations": records})
    slices = _Slices(call.rights, user_id=user_id, org_id=org_id)
    first = slices.next(call.tx) or b""
    return Answer(
        status=HTTPStatus.OK,
        body=_BEGIN + first,
        content_type=JSON_TYPE,
        slices=slices if slices.has_more else None,
    )


def show(call: Call) -> Answer:
    """Show one token."""
    found = of_path(call, call.tx.authorizations, "read authorization")
    return json_answer(TokenViews(call.tx).record(found))


def create(call: Call) -> Answer:
    """Mint a token, for the caller's user or another one."""
    wanted = read_wanted(call)
    org_id, user_id = require_may_mint(call, wanted)
    made = call.change(
        IssueAuthorization(
            org_id=org_id,
            user_id=user_id,
            status=wanted.status,
            description=wanted.description,
            permissions=wanted.permissions,
            server_hashes=call.desk.settings.server_hashes,
            clock=call.desk.clock,
            rng=call.desk.rng,
        )
    )
    found = NOT_FOUND.unless(call.tx.authorizations.get(Id(made.record_ids[0])))
    text = "" if made.secret is None else new_token_text(made.secret)
    record = TokenViews(call.tx).record(found, token=text)
    answer = json_answer(record, status=HTTPStatus.CREATED)
    return replace(answer, when_lost=made.mark_lost)


def update(call: Call) -> Answer:
    """Change status, description, or both; the time of the last change moves in any case."""
    authorization_id = call.id()
    description, status = read_edit(call)
    found = of_path(call, call.tx.authorizations, "read authorization")
    call.rights.require("write authorization", one=found.id, org=found.org_id, user=found.user_id)
    is_new = call.desk.settings.level >= LEVEL_HASHED
    require_storable(status, prefix="encodeAuthorization: " if is_new else "")
    TokenViews(call.tx).record(found)  # refuses what could not be shown, before it is written
    call.change(
        EditAuthorization(
            authorization_id=authorization_id,
            description=description,
            status=status,
            is_touched=True,
            clock=call.desk.clock,
        )
    )
    return json_answer(
        TokenViews(call.tx).record(NOT_FOUND.unless(call.tx.authorizations.get(found.id)))
    )


def delete(call: Call) -> Answer:
    """Delete a token."""
    found = of_path(call, call.tx.authorizations, "write authorization")
    call.change(
        DeleteAuthorization(authorization_id=found.id, is_ensured=False, has_warnings=False)
    )
    return NO_CONTENT


class _Slices:
    """The list of all tokens, in pieces.

    Attributes:
        has_more: Whether there may be another piece.
    """

    def __init__(self, rights: Rights, *, user_id: Id | None, org_id: Id | None) -> None:
        self._rights = rights
        self._user_id = user_id
        self._org_id = org_id
        self._start: bytes | None = b""
        self._is_first = True
        self._has_ended = False

    @property
    def has_more(self) -> bool:
        return not self._has_ended

    def next(self, tx: MetaTx) -> bytes | None:
        """Read the next records, and encode those that are wanted; the last piece ends the list."""
        if self._has_ended:
            return None
        views = TokenViews(tx)
        wanted = []
        most = SLICE_RECORDS if self._start else FIRST_RECORDS
        self._has_ended = True
        walk = tx.authorizations.walk_keyed([], start=self._start)
        for count, (key, one) in enumerate(walk, start=1):
            if self._user_id in {None, one.user_id} and self._org_id in {None, one.org_id}:
                wanted.append(one)
            if count >= most:
                self._start = key + b"\0"
                self._has_ended = False
                break
        encoded = escaped(msgspec.json.encode(shown(wanted, self._rights, views)))[1:-1]
        comma = b"" if self._is_first or not encoded else b","
        self._is_first = self._is_first and not encoded
        return comma + encoded + (_END if self._has_ended else b"")
