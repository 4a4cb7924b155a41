"""The commands on 1.x-compatible authorizations.

Lives here: `v1-auth list`, `create`, `set-password`, `set-active`, `set-inactive` and `delete`.
Must not live here: what they write (`recovery.services.authorizations.v1_auth`).
"""

from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from recovery.cli.changing import planned, run_with_password
from recovery.cli.context import Context
from recovery.cli.documents import ListDocument
from recovery.cli.listing import Listed, created, run_listing
from recovery.cli.options import (
    Change,
    Command,
    Listing,
    NewPassword,
    OptionalPassword,
    add_ensure,
    add_listing,
    add_only,
    add_status,
)
from recovery.cli.secret_input import add_new_password
from recovery.cli.table import Column
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.model.password import STAND_IN, hash_password
from recovery.model.permission import Permission
from recovery.ports import SystemClock, SystemRng
from recovery.remedy import Run
from recovery.secret import Secret
from recovery.services.authorizations.v1_auth import (
    DeleteLegacy,
    LegacyRow,
    SetLegacyPassword,
    SetLegacyStatus,
    list_legacy,
)
from recovery.services.authorizations.v1_auth_creation import CreateLegacy
from recovery.services.tenancy.choosing import (
    Chosen,
    choose_both,
    choose_bucket,
    gathered,
)

if TYPE_CHECKING:
    from recovery.metastore.transaction import MetaTx

COLUMNS = (
    Column("ID"),
    Column("User name", 9),
    Column("Status", 8),
    Column("Password"),
    Column("Organization", 12),
    Column("Permissions", 12),
    Column("Created", is_spare=True),
    Column("Description", 12),
)
SORTS: Final = {"name": "username", "org": "organization", "created": "created_at"}


class LegacyList(ListDocument, frozen=True, kw_only=True):
    """What --json prints."""

    legacy_authorizations: tuple[LegacyRow, ...] = ()


class _List(Listing, frozen=True):
    username: str | None
    user: str | None
    org: str | None
    status: str | None


def _add_list(command: Parser) -> None:
    command.add_argument(
        "--username", metavar="NAME", help="only that with this 1.x user name (default: all)"
    )
    command.add_argument("--user", metavar="NAME", help="only those of this user (default: all)")
    command.add_argument(
        "--org", metavar="NAME", help="only those of this organization (default: all)"
    )
    add_status(command)
    add_listing(command, what="the authorization", sorts=tuple(SORTS))


def _list(options: _List, context: Context) -> ExitCode:
    listed = Listed(
        kind="InfluxDB 1.x authorization",
        listing=Run("v1-auth list", "to see what there is"),
        sorts=SORTS,
        columns=COLUMNS,
        cells=_cells,
        field="legacy_authorizations",
        document=lambda store: LegacyList(store=store),
        rows_of=lambda view: list_legacy(view, user=options.user, organization=options.org),
    )
    return run_listing(listed, options, context, name=options.username, status=options.status)


LIST: Final = Command(
    description="List every 1.x-compatible authorization with its user name, what it may do, and "
    "whether it has a password. The file is opened for reading only and nothing is changed. It "
    "cannot show a password: the store holds only hashes of them.",
    example="v1-auth list",
    options=_List,
    run=_list,
    add_options=_add_list,
    document=LegacyList,
)


def _add_which(command: Parser) -> None:
    command.add_argument(
        "which", metavar="ID|NAME", help="the authorization, by its ID or its 1.x user name"
    )


class _SetPassword(NewPassword, frozen=True, kw_only=True):
    which: str
    ensure: bool


def _add_set_password(command: Parser) -> None:
    _add_which(command)
    add_new_password(command)
    add_ensure(command, wanted="the password is this one already")


def _set_password(options: _SetPassword, context: Context) -> ExitCode:
    bare = SetLegacyPassword(which=options.which, password=STAND_IN, is_ensured=options.ensure)
    return run_with_password(options, context, lambda password: replace(bare, password=password))


SET_PASSWORD: Final = Command(
    description="Set the password that clients of InfluxDB 1.x log in with, 8 to 72 bytes. influxd "
    "must be stopped. The password is typed twice and does not show, or comes from a file. It does "
    "not set the password of a user of InfluxDB 2: user update does.",
    example="v1-auth set-password old-grafana",
    options=_SetPassword,
    run=_set_password,
    add_options=_add_set_password,
)


class _Create(OptionalPassword, frozen=True, kw_only=True):
    which: str
    username: str | None
    org: str | None
    description: str
    read_bucket: list[str]
    write_bucket: list[str]


def _add_create(command: Parser) -> None:
    command.add_argument("which", metavar="NAME", help="the new 1.x user name")
    add_only(command, "--user", "--username", what="the user of InfluxDB 2 behind it")
    add_only(command, "--org", what="its organization")
    command.add_argument(
        "--description", metavar="TEXT", default="", help="free text (default: none)"
    )
    for action in ("read", "write"):
        command.add_argument(
            f"--{action}-bucket",
            metavar="BUCKET",
            action="append",
            default=[],
            help=f"let it {action} this bucket, by name or ID; may be repeated (default: none)",
        )
    none = "set no password; nobody can log in with it until v1-auth set-password"
    add_new_password(command, or_none=none)


def _create(options: _Create, context: Context) -> ExitCode:
    if not options.read_bucket and not options.write_bucket:
        raise UsageError(
            problem="v1-auth create permits nothing",
            hint="add --read-bucket BUCKET or --write-bucket BUCKET",
        )

    def choose(tx: "MetaTx", password_hash: Secret | None) -> CreateLegacy:
        user, organization = choose_both(tx, options.username, options.org)
        wanted = [("read", name) for name in options.read_bucket]
        wanted += [("write", name) for name in options.write_bucket]
        buckets = gathered(partial(choose_bucket, tx, name, organization) for _, name in wanted)
        permissions = [
            Permission(action=action, type="buckets", id=bucket.id, org_id=organization.id)
            for (action, _), bucket in zip(wanted, buckets, strict=True)
        ]
        return CreateLegacy(
            username=options.which,
            org_id=organization.id,
            user_id=user.id,
            description=options.description,
            permissions=tuple(permissions),
            password_hash=password_hash,
            clock=SystemClock(),
            rng=SystemRng(),
        )

    def planner(password: Secret | None) -> Chosen:
        hashed = None if password is None else hash_password(password)
        operation = CreateLegacy.operation
        return Chosen(operation=operation, choose=lambda tx: choose(tx, hashed))

    return run_with_password(options, context, planner)


CREATE: Final = Command(
    description="Make a user name and password for clients of InfluxDB 1.x, with the right to read "
    "or write buckets. It cannot make the database and retention policy that 1.x clients name: "
    "influx v1 dbrp does that when influxd runs.",
    example="v1-auth create telegraf --user admin --org myorg --write-bucket mybucket",
    options=_Create,
    run=_create,
    add_options=_add_create,
)


class _SetStatus(Change, frozen=True):
    which: str


def _set_status(options: _SetStatus, *, is_active: bool) -> SetLegacyStatus:
    return SetLegacyStatus(which=options.which, is_active=is_active, clock=SystemClock())


SET_ACTIVE: Final = Command(
    description="Set the status of one 1.x-compatible authorization to active. Clients can log in "
    "with it again. influxd must be stopped. It does not touch its password, and changes nothing "
    "when the status is so already.",
    example="v1-auth set-active old-grafana",
    options=_SetStatus,
    run=planned(partial(_set_status, is_active=True)),
    add_options=_add_which,
)
SET_INACTIVE: Final = Command(
    description="Set the status of one 1.x-compatible authorization to inactive. Servers refuse "
    "its user name until it is set active. influxd must be stopped. It does not touch its "
    "password, and changes nothing when the status is so already.",
    example="v1-auth set-inactive old-grafana",
    options=_SetStatus,
    run=planned(partial(_set_status, is_active=False)),
    add_options=_add_which,
)


class _Delete(Change, frozen=True):
    which: str
    ensure: bool


def _add_delete(command: Parser) -> None:
    _add_which(command)
    add_ensure(command, wanted="there is no such authorization")


def _delete(options: _Delete) -> DeleteLegacy:
    return DeleteLegacy(which=options.which, is_ensured=options.ensure)


DELETE: Final = Command(
    description="Delete one 1.x-compatible authorization, its password and the index entry of its "
    "user name. influxd must be stopped. It does not delete the user of InfluxDB 2 that it belongs "
    "to.",
    example="v1-auth delete old-grafana",
    options=_Delete,
    run=planned(_delete),
    add_options=_add_delete,
)


def _cells(row: LegacyRow) -> tuple[str, ...]:
    organization = row.organization
    return (
        row.id,
        displayed(row.username) + ("" if row.has_entry else ", not in the index"),
        displayed(row.status),
        "set" if row.has_password else "none",
        f"missing {row.organization_id}" if organization is None else displayed(organization),
        displayed(row.permitted) or "none",
        created(row.created_at),
        displayed(row.description),
    )
