"""Changes drawn at random, of every kind."""

from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.model.mapping import MEMBER, OWNER
from recovery.secret import Secret
from recovery.services.authorizations.changes import (
    CompleteOperator,
    DeleteAuthorization,
    SetStatus,
)
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.export import export_authorizations
from recovery.services.authorizations.hashing import HashTokens
from recovery.services.authorizations.intake import ImportAuthorizations
from recovery.services.authorizations.listing import AuthorizationFilter
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.authorizations.v1_auth import (
    DeleteLegacy,
    SetLegacyPassword,
    SetLegacyStatus,
)
from recovery.services.changes.plan import Planner
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.organization_changes import (
    CreateOrganization,
    RemoveRole,
    RenameOrganization,
    SetInstanceOwner,
    SetRole,
)
from recovery.services.tenancy.user_changes import (
    DeleteUser,
    RenameUser,
    SetPassword,
    SetUserStatus,
)
from recovery.services.tenancy.user_creation import CreateUser
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    MadeStore,
    SeededRng,
    disclosure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("alice", "bob", "carol", "dave", "Zoë", "<&>", " blank ")
CLOCK = FixedClock(CHANGED_AT)


class Draw:
    """Draws a change that makes sense for what is in the store now, most of the time."""

    def __init__(
        self, random: Random, tx: MetaTx, export: Path, *, with_passwords: bool = True
    ) -> None:
        """Look at what there is. Passwords take their time, and no two hashes are the same."""
        self._with_passwords = with_passwords
        self._random = random
        self._export = export
        self._rng = SeededRng(random.randrange(1 << 30))
        self._users = [one.name for one in tx.users.walk([])]
        self._organizations = [one.name for one in tx.organizations.walk([])]
        self._authorizations = [one.id for one in tx.authorizations.walk([])]

    def planner(self) -> Planner:
        drawn: Callable[[], Planner] = self._random.choice(
            [
                self._create_user,
                *([self._password, self._legacy_password] if self._with_passwords else []),
                self._user_status,
                self._rename_user,
                self._delete_user,
                self._create_organization,
                self._rename_organization,
                self._role,
                self._remove_role,
                lambda: SetInstanceOwner(username=self._user()),
                self._mint,
                self._create_authorization,
                self._status,
                self._delete,
                lambda: CompleteOperator(authorization_id=self._authorization(), clock=CLOCK),
                lambda: HashTokens(authorization_id=self._authorization()),
                lambda: HashTokens(authorization_id=None),
                self._give_token,
                self._import,
                lambda: SetLegacyStatus(which="grafana", is_active=self._coin(), clock=CLOCK),
                lambda: DeleteLegacy(which="grafana", is_ensured=self._coin()),
            ]
        )
        return drawn()

    def _user(self) -> str:
        return self._random.choice(self._users or ["nobody"])

    def _choice(self) -> UserChoice:
        return UserChoice(name=self._user(), user_id=None)

    def _organization(self) -> str:
        return self._random.choice(self._organizations or ["nobody"])

    def _authorization(self) -> Id:
        return self._random.choice(self._authorizations or [Id("0000000000000123")])

    def _coin(self) -> bool:
        return self._random.random() < 0.5

    def _create_user(self) -> Planner:
        is_costly = self._with_passwords and self._random.random() < 0.1
        return CreateUser(
            name=self._random.choice(NAMES),
            password=Secret("canary-password") if is_costly else None,
            organization=self._organization(),
            has_role=self._coin(),
            is_owner=self._coin(),
            is_ensured=self._coin(),
            clock=CLOCK,
            rng=self._rng,
        )

    def _password(self) -> Planner:
        return SetPassword(
            user=self._choice(),
            password=Secret("canary-password-2"),
            is_activated=self._coin(),
            is_ensured=False,
        )

    def _user_status(self) -> Planner:
        return SetUserStatus(user=self._choice(), is_active=self._coin())

    def _rename_user(self) -> Planner:
        return RenameUser(user=self._choice(), new_name=self._random.choice(NAMES))

    def _delete_user(self) -> Planner:
        return DeleteUser(user=self._choice(), with_tokens=True)

    def _create_organization(self) -> Planner:
        return CreateOrganization(
            name=self._random.choice(NAMES),
            description="",
            owner=self._user(),
            is_ensured=self._coin(),
            clock=CLOCK,
            rng=self._rng,
        )

    def _rename_organization(self) -> Planner:
        return RenameOrganization(
            name=self._organization(), new_name=self._random.choice(NAMES), clock=CLOCK
        )

    def _role(self) -> Planner:
        return SetRole(
            username=self._user(),
            organization=self._organization(),
            role=OWNER if self._coin() else MEMBER,
        )

    def _remove_role(self) -> Planner:
        return RemoveRole(username=self._user(), organization=self._organization())

    def _form(self) -> FormChoice:
        return self._random.choice(list(FormChoice))

    def _mint(self) -> Planner:
        return CreateAuthorization(
            operation="auth create-operator",
            request=PermissionRequest(is_operator=True),
            username=self._user(),
            organization=self._organization(),
            description=None,
            form=self._form(),
            server_hashes=None,
            clock=CLOCK,
            rng=self._rng,
        )

    def _create_authorization(self) -> CreateAuthorization:
        return CreateAuthorization(
            username=self._user(),
            organization=self._organization(),
            description="drawn",
            request=PermissionRequest(read_types=("buckets", "tasks"), write_types=("tasks",)),
            form=self._form(),
            server_hashes=None,
            token=None,
            is_ensured=False,
            clock=CLOCK,
            rng=self._rng,
        )

    def _give_token(self) -> Planner:
        """Give one of a few tokens, so that some are there already, raw or hashed."""
        return replace(
            self._create_authorization(),
            token=Secret(f"canary-given-token-number-{self._random.randrange(3)}"),
            is_ensured=self._coin(),
        )

    def _import(self) -> Planner:
        """Bring what the store had at first, some of it deleted or changed since."""
        lines = self._export.read_bytes().splitlines(keepends=True)
        return ImportAuthorizations(
            file=BytesIO(b"".join(self._random.sample(lines, self._random.randrange(1, 3)))),
            is_matched_by_name=self._coin(),
            is_ensured=self._coin(),
            form=self._form(),
            server_hashes=None,
        )

    def _legacy_password(self) -> Planner:
        password = Secret("canary-password-3")
        return SetLegacyPassword(which="grafana", password=password, is_ensured=self._coin())

    def _status(self) -> Planner:
        return SetStatus(
            authorization_id=self._authorization(), is_active=self._coin(), clock=CLOCK
        )

    def _delete(self) -> Planner:
        return DeleteAuthorization(authorization_id=self._authorization(), is_ensured=self._coin())


def exported(made: MadeStore) -> Path:
    target = made.path.with_name("export.jsonl")
    with MetaStore.open(made.path, write=False) as opened, opened.view() as tx:
        export_authorizations(tx, target, AuthorizationFilter(), disclosure(made.path))
    return target
