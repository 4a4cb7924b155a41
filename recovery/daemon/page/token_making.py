"""Generate API Token: read/write, all access, custom, operator.

Lives here: the four forms, and what they ask `CreateAuthorization` for. Must not live here: which
permissions a choice means (`recovery.services.authorizations.permission_request`).

Source: InfluxDB UI 2.0.9, "Generate Read/Write Token"; spec admin-daemon 4.3 to 4.7.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from recovery.daemon.answer import Answer
from recovery.daemon.page.form import FieldError
from recovery.daemon.page.shown_once import show_secret
from recovery.daemon.page.visit import Visit
from recovery.model.bucket import TYPE_SYSTEM
from recovery.model.display import quoted
from recovery.model.ids import Id, parse_id
from recovery.model.organization import Organization
from recovery.model.permission import (
    ACTIONS,
    LEVEL_2_2,
    operator_permissions,
    types_of_level,
)
from recovery.model.user import User
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest, telegrafs_of
from recovery.services.reach import Names, Reaching

CHOICES_MAX: Final = 50
"""Buckets that a pane offers at once; the others are found by searching."""
_TELEGRAFS: Final = "telegrafs"
NO_BUCKET: Final = FieldError("read", "Choose at least one bucket to read or write.")
NO_PERMISSION: Final = FieldError("read", "Choose at least one permission.")
NO_TICK: Final = FieldError("understood", "Tick that you understand what an operator token can do.")
NO_USER: Final = "Choose a user: the store has none that is active."
NO_ORGANIZATION: Final = "Choose an organization: the store has none."


class Choice(NamedTuple):
    """One entry of a list to choose from.

    Attributes:
        name: As stored, not escaped.
        note: Why not, or what else there is to say.
    """

    id: str
    name: str
    is_chosen: bool
    is_possible: bool = True
    note: str = ""


class Pane(NamedTuple):
    """The buckets, or other resources, to read, or to write.

    Attributes:
        action: "read" or "write".
        noun: What one of them is called.
        key: Tells the pane from the others of the form.
        choices: Those that were found, and all that are chosen.
        hidden_count: How many were found and are not shown.
        is_all: Whether all are meant, also future ones.
    """

    action: str
    noun: str
    key: str
    search: str
    choices: Sequence[Choice]
    chosen_count: int
    total: int
    hidden_count: int
    is_all: bool


def read_write(visit: Visit) -> Answer:
    """Show the form with two panes."""
    organization = _organization(visit)
    panes = _panes(visit, organization)
    return _form(
        visit,
        "new_read_write.html",
        organization,
        panes=panes,
        words=_words(visit, organization, _buckets_wanted(visit)),
        is_without_buckets=not any(pane.total for pane in panes),
    )


def make_read_write(visit: Visit) -> Answer:
    """Make the token, or search first."""
    return _saved(visit, read_write, _buckets_wanted(visit), NO_BUCKET)


def all_access(visit: Visit) -> Answer:
    """Show the form for everything in one organization."""
    return _form(visit, "new_all_access.html", _organization(visit))


def make_all_access(visit: Visit) -> Answer:
    """Make the token."""
    return _saved(visit, all_access, PermissionRequest(is_all_access=True), NO_PERMISSION)


def custom(visit: Visit) -> Answer:
    """Show the form with all types."""
    organization = _organization(visit)
    kinds = [
        (kind, kind in visit.form.all("read"), kind in visit.form.all("write"))
        for kind in types_of_level(visit.tx.level)
    ]
    return _form(
        visit,
        "new_custom.html",
        organization,
        kinds=kinds,
        panes=[*_panes(visit, organization), *_telegraf_panes(visit, organization)],
        words=_words(visit, organization, _types_wanted(visit)),
        command=_command(visit, organization, _types_wanted(visit)),
    )


def make_custom(visit: Visit) -> Answer:
    """Make the token."""
    return _saved(visit, custom, _types_wanted(visit), NO_PERMISSION)


def operator(visit: Visit) -> Answer:
    """Show the form for a token that can do everything."""
    visit.require_operator()
    level = visit.tx.level
    return _form(
        visit,
        "new_operator.html",
        _organization(visit),
        permission_count=len(operator_permissions(level)),
        is_older=level < LEVEL_2_2,
        versions=visit.page.desk.session.facts().server_versions,
    )


def make_operator(visit: Visit) -> Answer:
    """Make the token."""
    visit.require_operator()
    request = PermissionRequest(is_operator=True) if visit.form.has("understood") else None
    return _saved(visit, operator, request, NO_TICK, operation="auth create-operator")


def _saved(
    visit: Visit,
    form: Callable[[Visit], Answer],
    request: PermissionRequest | None,
    lacking: FieldError,
    *,
    operation: str = "auth create",
) -> Answer:
    """Mint a token, if that was asked for and the visitor may give away what it permits."""
    if visit.form.get("act") != "save":
        return form(visit)
    if request is None:
        raise lacking
    organization, user_id = _organization(visit), visit.user_of(visit.form, "user")
    if organization is None:
        raise FieldError("organization", NO_ORGANIZATION)
    if user_id is None:
        raise FieldError("user", NO_USER)
    visit.rights.require("create authorization", org=organization.id, user=user_id)
    planner = CreateAuthorization(
        operation=operation,
        username=user_id,
        organization=organization.id,
        description=_description(visit),
        request=request,
        form=FormChoice.BY_STORE,
        server_hashes=visit.page.desk.settings.server_hashes,
        clock=visit.page.desk.clock,
        rng=visit.page.desk.rng,
    )
    if not visit.is_operator:
        visit.rights.require_held(
            request.resolve(visit.tx, organization=organization, user_id=user_id)
        )
    return show_secret(visit, visit.change(planner))


def _description(visit: Visit) -> str | None:
    """Read the description; None for the usual one of a token for a recovery."""
    typed, reason = visit.form.line("description"), visit.form.line("reason")
    if typed or not visit.form.has("reason"):
        return typed
    return f"recovery {reason}" if reason else None


def _organization(visit: Visit) -> Organization | None:
    """Give the organization that is chosen, else the one with the most buckets."""
    organizations = _organizations(visit)
    counts = Counter(one.org_id for one in visit.tx.buckets.walk([]))
    organizations.sort(key=lambda one: -counts[one.id])
    wanted = visit.organization_of(visit.form, "organization") or visit.organization_of(
        visit.asked, "organization"
    )
    chosen = [one for one in organizations if one.id == wanted]
    return next(iter([*chosen, *organizations]), None)


def _organizations(visit: Visit) -> list[Organization]:
    return [
        one for one in visit.tx.organizations.walk([]) if visit.may("read organization", one=one.id)
    ]


def _form(
    visit: Visit, template: str, organization: Organization | None, **context: object
) -> Answer:
    """Show a form with what all four have."""
    return visit.screen(
        template,
        organization=organization,
        organizations=_organizations(visit),
        users=_users(visit),
        description=visit.form.line("description") or visit.asked.line("description"),
        server_versions=visit.page.desk.session.facts().server_versions,
        **context,
    )


def _users(visit: Visit) -> list[Choice]:
    """List whom the token may be for, with the visitor's own user chosen."""
    wanted = visit.user_of(visit.form, "user") or visit.call.caller.user_id
    users = [one for one in visit.tx.users.walk([]) if visit.may("write user", one=one.id)]
    return [_user(one, wanted) for one in users]


def _user(one: User, wanted: str | None) -> Choice:
    return Choice(
        id=one.id,
        name=one.name,
        is_chosen=one.id == wanted and not one.is_inactive,
        is_possible=not one.is_inactive,
        note="inactive: its tokens are refused" if one.is_inactive else "",
    )


def _panes(visit: Visit, organization: Organization | None) -> list[Pane]:
    """List the buckets, those of the server last."""
    org_id = None if organization is None else organization.id
    buckets = sorted(
        (one for one in visit.tx.buckets.walk([]) if one.org_id == org_id),
        key=lambda one: (one.type == TYPE_SYSTEM, one.name.casefold(), one.id),
    )
    offered = {str(one.id): (one.name, "system" * (one.type == TYPE_SYSTEM)) for one in buckets}
    return [_pane(visit, action, "bucket", action, offered) for action in ACTIONS]


def _telegraf_panes(visit: Visit, organization: Organization | None) -> list[Pane]:
    """List the Telegraf configurations; no pane where there is none."""
    org_id = None if organization is None else organization.id
    found = sorted(telegrafs_of(visit.tx, org_id), key=lambda one: (one[1].casefold(), one[0]))
    offered = {f"{_TELEGRAFS}/{one}": (name, "") for one, name in found}
    return [
        _pane(visit, action, "Telegraf configuration", f"{action}-{_TELEGRAFS}", offered)
        for action in ACTIONS
        if offered
    ]


def _pane(
    visit: Visit, action: str, noun: str, key: str, offered: dict[str, tuple[str, str]]
) -> Pane:
    """Make a pane of what is chosen, and what was searched for.

    Args:
        offered: By what a box of it stands for: the name, and what else there is to say.
    """
    search = visit.form.line(f"search-{key}").strip()
    chosen = set(visit.form.all(action))
    found = {
        one
        for one, (name, _) in offered.items()
        if search.casefold() in name.casefold() or one.rpartition("/")[2] == search
    }
    match visit.form.get("act"):
        case act if act == f"all-{key}":
            chosen |= found
        case act if act == f"none-{key}":
            chosen -= found
    rest = [one for one in offered if one in found - chosen]
    kept = chosen.union(rest[:CHOICES_MAX])
    return Pane(
        action=action,
        noun=noun,
        key=key,
        search=search,
        choices=[
            Choice(one, name, one in chosen, note=note)
            for one, (name, note) in offered.items()
            if one in kept
        ],
        chosen_count=len(chosen & offered.keys()),
        total=len(offered),
        hidden_count=max(len(rest) - CHOICES_MAX, 0),
        is_all=visit.form.has(f"every-{action}"),
    )


def _buckets_wanted(visit: Visit) -> PermissionRequest | None:
    """Read what the panes say; None when they say nothing."""
    every = {action: visit.form.has(f"every-{action}") for action in ("read", "write")}
    request = PermissionRequest(
        read_buckets=() if every["read"] else visit.form.all("read"),
        write_buckets=() if every["write"] else visit.form.all("write"),
        read_types=("buckets",) if every["read"] else (),
        write_types=("buckets",) if every["write"] else (),
    )
    return None if request.clash else request


def _types_wanted(visit: Visit) -> PermissionRequest | None:
    """Read the table of types, and the single resources; None when nothing is ticked."""
    known = types_of_level(visit.tx.level)
    read, write = visit.form.all("read"), visit.form.all("write")
    organization = _organization(visit)
    single = [
        {
            "action": action,
            "resource": {"type": _TELEGRAFS, "id": record_id, "orgID": organization.id},
        }
        for action in ACTIONS
        for kind, _, record_id in (one.partition("/") for one in visit.form.all(action))
        if kind == _TELEGRAFS and parse_id(record_id) and organization is not None
    ]
    request = PermissionRequest(
        read_types=tuple(one for one in read if one in known),
        write_types=tuple(one for one in write if one in known),
        read_buckets=tuple(one for one in read if parse_id(one)),
        write_buckets=tuple(one for one in write if parse_id(one)),
        document=msgspec.json.encode(single) if single else None,
    )
    return None if request.clash else request


def _words(
    visit: Visit, organization: Organization | None, request: PermissionRequest | None
) -> list[str]:
    """Say in words what a token would be permitted; nothing before something is chosen."""
    if request is None or organization is None:
        return []
    permissions = request.resolve(visit.tx, organization=organization, user_id=Id("0" * 15 + "1"))
    grants = Reaching(Names(visit.tx)).of(permissions)
    return [f"{one.action_words} {one.words}" for one in grants]


def _command(
    visit: Visit, organization: Organization | None, request: PermissionRequest | None
) -> str:
    """Write the command of `influx` that makes the same token while the server runs."""
    user_id = visit.user_of(visit.form, "user")
    user = None if user_id is None else visit.tx.users.get(user_id)
    if request is None or organization is None or user is None or request.document is not None:
        return ""  # `influx` knows no option for a single Telegraf configuration
    named = {
        "org": organization.name,
        "user": user.name,
        "description": visit.form.line("description"),
    }
    words = ["influx auth create", *(f"--{one} {quoted(it)}" for one, it in named.items() if it)]
    words += (f"--read-bucket {one}" for one in request.read_buckets)
    words += (f"--write-bucket {one}" for one in request.write_buckets)
    words += (f"--read-{kind}" for kind in request.read_types)
    words += (f"--write-{kind}" for kind in request.write_types)
    return " ".join(words)
