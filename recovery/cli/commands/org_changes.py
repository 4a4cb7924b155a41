"""The commands that change organizations and the roles in them.

Lives here: `org create`, `rename`, `update`, `delete`, `add-owner`, `add-member` and
`remove-member`. Must not live
here: the order of their steps (`recovery.services.changes.sequence`) and their decisions
(`recovery.services.tenancy.organization_changes`).
"""

from functools import partial
from typing import Final

from recovery.cli.changing import planned
from recovery.cli.options import Change, Command, add_ensure, add_only
from recovery.cli.usage import required
from recovery.cli.words import Parser
from recovery.model.mapping import MEMBER, OWNER
from recovery.ports import SystemClock, SystemRng
from recovery.services.tenancy.choosing import Chosen, choose_organization
from recovery.services.tenancy.organization_changes import (
    CreateOrganization,
    RemoveRole,
    RenameOrganization,
    SetRole,
)
from recovery.services.tenancy.organization_records import DeleteOrganization, EditOrganization


class _Create(Change, frozen=True):
    org: str | None
    description: str
    owner: str | None
    ensure: bool


def _add_create(command: Parser) -> None:
    command.add_argument("--org", metavar="NAME", help="name of the new organization (required)")
    command.add_argument(
        "--description", metavar="TEXT", default="", help="free text (default: none)"
    )
    add_only(command, "--owner", what="user who will own it", only="the only user")
    add_ensure(command, wanted="there is an organization of this name")


def _create(options: _Create) -> CreateOrganization:
    return CreateOrganization(
        name=required(options.org, "--org NAME", "org create"),
        description=options.description,
        owner=options.owner,
        is_ensured=options.ensure,
        clock=SystemClock(),
        rng=SystemRng(),
    )


CREATE: Final = Command(
    description="Make an organization with its two system buckets, their entries in the catalogue "
    "of the storage engine, and an owner. influxd recovery leaves the entries out, and influxd "
    "does not start on what it made.",
    example="org create --org plant2 --owner admin",
    options=_Create,
    run=planned(_create),
    add_options=_add_create,
)


class _Rename(Change, frozen=True):
    org: str | None
    new_name: str | None


def _add_rename(command: Parser) -> None:
    _add_org(command)
    command.add_argument("--new-name", metavar="NAME", help="the new name (required)")


def _rename(options: _Rename) -> RenameOrganization:
    new_name = required(options.new_name, "--new-name NAME", "org rename")
    return RenameOrganization(name=options.org, new_name=new_name, clock=SystemClock())


RENAME: Final = Command(
    description="Give an organization another name. Tasks keep a copy of the old name, as they do "
    "when a server renames it.",
    example="org rename --org myorg --new-name plant1",
    options=_Rename,
    run=planned(_rename),
    add_options=_add_rename,
)


class _Update(Change, frozen=True):
    org: str | None
    description: str | None


def _add_update(command: Parser) -> None:
    _add_org(command)
    command.add_argument("--description", metavar="TEXT", help="the new description (required)")


def _update(options: _Update) -> Chosen:
    description = required(options.description, "--description TEXT", "org update")
    return Chosen(
        operation=EditOrganization.operation,
        choose=lambda tx: EditOrganization(
            org_id=choose_organization(tx, options.org).id,
            description=description,
            clock=SystemClock(),
        ),
    )


UPDATE: Final = Command(
    description="Give an organization another description. It cannot give it another name: org "
    "rename does that.",
    example='org update --org myorg --description "pumps and tanks"',
    options=_Update,
    run=planned(_update),
    add_options=_add_update,
)


class _Delete(Change, frozen=True):
    org: str | None


def _add_delete(command: Parser) -> None:
    command.add_argument("--org", metavar="NAME", help="the organization (required)")


def _delete(options: _Delete) -> Chosen:
    name = required(options.org, "--org NAME", "org delete")
    return Chosen(
        operation=DeleteOrganization.operation,
        choose=lambda tx: DeleteOrganization(org_id=choose_organization(tx, name).id),
    )


DELETE: Final = Command(
    description="Delete an organization none of whose buckets has data, with its buckets and the "
    "roles in it. Its tokens stay, as on a server. It refuses an organization with data.",
    example="org delete --org visitors",
    options=_Delete,
    run=planned(_delete),
    add_options=_add_delete,
)


class _Role(Change, frozen=True):
    org: str | None
    username: str | None


def _add_role(command: Parser) -> None:
    _add_org(command)
    command.add_argument("--username", metavar="NAME", help="the user, by name (required)")


def _add_org(command: Parser) -> None:
    add_only(command, "--org", what="the organization")


def _set_role(options: _Role, *, role: str) -> SetRole:
    username = required(options.username, "--username NAME", f"org add-{role}")
    return SetRole(username=username, organization=options.org, role=role)


def _remove_role(options: _Role) -> RemoveRole:
    username = required(options.username, "--username NAME", "org remove-member")
    return RemoveRole(username=username, organization=options.org)


_ONE_ROLE: Final = (
    "A user has one role in an organization: a new one takes the place of the old one. It cannot "
    "change what tokens may do."
)
ADD_OWNER: Final = Command(
    description=f"Make a user an owner of an organization. {_ONE_ROLE}",
    example="org add-owner --org myorg --username grafana",
    options=_Role,
    run=planned(partial(_set_role, role=OWNER)),
    add_options=_add_role,
)
ADD_MEMBER: Final = Command(
    description=f"Make a user a member of an organization. {_ONE_ROLE}",
    example="org add-member --org myorg --username grafana",
    options=_Role,
    run=planned(partial(_set_role, role=MEMBER)),
    add_options=_add_role,
)
REMOVE_MEMBER: Final = Command(
    description="End the role of a user in an organization. It cannot change what tokens may do.",
    example="org remove-member --org myorg --username grafana",
    options=_Role,
    run=planned(_remove_role),
    add_options=_add_role,
)
