"""Every command notices when nothing of what it planned came about."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from io import BytesIO

import pytest
from msgspec.structs import replace

from recovery import services
from recovery.errors import VerificationError, WriteFailedError
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.metastore.rewind import Rewinder
from recovery.metastore.transaction import MetaTx
from recovery.model.mapping import OWNER
from recovery.model.permission import operator_permissions
from recovery.ports import SystemRng
from recovery.secret import Secret
from recovery.services.authorizations.changes import (
    CompleteOperator,
    DeleteAuthorization,
    SetStatus,
)
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.hashing import HashTokens
from recovery.services.authorizations.intake import ImportAuthorizations
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.authorizations.record_changes import EditAuthorization, IssueAuthorization
from recovery.services.authorizations.rotation import RotateTokens
from recovery.services.authorizations.selection import Selection
from recovery.services.authorizations.several import DeleteSeveral, SetStatusOfSeveral
from recovery.services.authorizations.v1_auth import (
    DeleteLegacy,
    SetLegacyPassword,
    SetLegacyStatus,
)
from recovery.services.authorizations.v1_auth_creation import (
    CreateLegacy,
    EditLegacy,
    StoreLegacyPassword,
)
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner, Plan, Planner
from recovery.services.changes.ports import Ports
from recovery.services.doctor.repair import RepairStore
from recovery.services.stores.first_setup import SetUpStore
from recovery.services.stores.prepare_restore import DESCRIPTION as RESTORE_DESCRIPTION
from recovery.services.stores.prepare_restore import EndRestore
from recovery.services.stores.rebuild.known import Known
from recovery.services.stores.rebuild.parts import EngineFacts, Wishes
from recovery.services.stores.rebuild.planner import RebuildStore
from recovery.services.tenancy.bucket_changes import CreateBucket, DeleteBucket, EditBucket
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.organization_changes import (
    CreateOrganization,
    RemoveRole,
    RenameOrganization,
    SetInstanceOwner,
    SetRole,
)
from recovery.services.tenancy.organization_records import (
    AddOrganization,
    AddRole,
    DeleteOrganization,
    EditOrganization,
    EndRole,
)
from recovery.services.tenancy.user_changes import (
    DeleteUser,
    RenameUser,
    SetPassword,
    SetUserStatus,
)
from recovery.services.tenancy.user_creation import CreateUser
from recovery.services.tenancy.user_records import AddUser, EditUser, StorePassword
from recovery.services.undeletion.logins import UndeleteLogin
from recovery.services.undeletion.tokens import UndeleteTokens
from recovery.services.undeletion.users import UndeleteUser
from tests.support.drawing import exported
from tests.support.ports import FixedClock
from tests.support.real_stores import unpack_real_store
from tests.support.stores import (
    CHANGED_AT,
    MadeStore,
    MemoryDestination,
    SeededRng,
    YesAudience,
    change,
    edit,
    run_change,
    traces_of,
    undo,
)

CLOCK = FixedClock(CHANGED_AT)
ALICE = UserChoice(name="alice", user_id=None)
BOB = UserChoice(name="bob", user_id=None)
PASSWORD = Secret("canary-password-4")
HASH = Secret("$2a$10$PgvhXFogiRsXVHQxcHKEMOBRqI7yhTfiDMIQIKx1FaLMdM6LN0ND6")


class Idle:
    """A planner whose plans write nothing, and believe that they have."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    @property
    def operation(self) -> str:
        return self._planner.operation

    def plan(self, store: MetaTx) -> Plan:
        plan = self._planner.plan(store)
        assert plan.is_needed
        return replace(plan, apply=lambda _: None)


def creation(**fields: object) -> CreateAuthorization:
    made = CreateAuthorization(
        username="alice",
        organization="acme",
        description=None,
        request=PermissionRequest(is_operator=True),
        form=FormChoice.BY_STORE,
        server_hashes=None,
        clock=CLOCK,
        rng=SeededRng(),
    )
    return replace(made, **fields)


def import_of_another(made: MadeStore) -> Planner:
    content = exported(made).read_bytes()
    edit(
        made.path,
        lambda tx: tx.table("authorizationindexv1").delete(b"canary-reader-token-0123456789"),
    )
    change(made.path, DeleteAuthorization(authorization_id=made.operator, is_ensured=False))
    return ImportAuthorizations(
        file=BytesIO(
            b"".join(
                line for line in content.splitlines(keepends=True) if made.operator.encode() in line
            )
        ),
        is_matched_by_name=False,
        is_ensured=False,
        form=FormChoice.BY_STORE,
        server_hashes=None,
    )


def repair_of_a_fault(made: MadeStore) -> Planner:
    edit(made.path, lambda tx: tx.table("userindexv1").delete(b"bob"))
    return RepairStore(only=None, clock=CLOCK, rng=SystemRng())


def end_of_a_restore(made: MadeStore) -> Planner:
    wanted = EditAuthorization(
        authorization_id=made.reader, description=RESTORE_DESCRIPTION, clock=CLOCK
    )
    change(made.path, wanted)
    return EndRestore()


def undeletion_of_a_token(made: MadeStore) -> Planner:
    change(made.path, DeleteAuthorization(authorization_id=made.reader, is_ensured=False))
    return UndeleteTokens(ids=(made.reader,), traces=traces_of(made.path), deletions={})


def undeletion_of_a_user(made: MadeStore) -> Planner:
    change(made.path, DeleteUser(user=BOB, with_tokens=True))
    return UndeleteUser(user=BOB, traces=traces_of(made.path), with_tokens=True)


def undeletion_of_a_login(made: MadeStore) -> Planner:
    change(made.path, DeleteLegacy(which="grafana", is_ensured=False))
    return UndeleteLogin(which="grafana", traces=traces_of(made.path))


def set_up_of_a_fresh_store(made: MadeStore) -> Planner:
    made.path.unlink()
    unpack_real_store("influxd-2.9.1-fresh", made.path)
    return SetUpStore(
        username="carol",
        password_hash=HASH,
        organization="third",
        bucket="new",
        retention_ns=0,
        token=Secret("canary-given-token-1234"),
        server_hashes=None,
        clock=CLOCK,
        rng=SeededRng(),
    )


PLANNERS: dict[str, Callable[[MadeStore], Planner]] = {
    "SetStatus": lambda made: SetStatus(authorization_id=made.reader, is_active=False, clock=CLOCK),
    "DeleteAuthorization": lambda made: DeleteAuthorization(
        authorization_id=made.reader, is_ensured=False
    ),
    "DeleteSeveral": lambda made: DeleteSeveral(
        selection=Selection(ids=(made.reader, made.hashed)), is_ensured=False
    ),
    "SetStatusOfSeveral": lambda made: SetStatusOfSeveral(
        selection=Selection(spared=(made.operator,)), is_active=False, clock=CLOCK
    ),
    "RotateTokens": lambda made: RotateTokens(
        selection=Selection(spared=(made.operator,)),
        keeps_inactive=False,
        form=FormChoice.BY_STORE,
        server_hashes=None,
        clock=CLOCK,
        rng=SeededRng(),
    ),
    "EndRestore": end_of_a_restore,
    "UndeleteTokens": undeletion_of_a_token,
    "UndeleteUser": undeletion_of_a_user,
    "UndeleteLogin": undeletion_of_a_login,
    "CompleteOperator": lambda made: CompleteOperator(
        authorization_id=made.old_operator, clock=CLOCK
    ),
    "CreateAuthorization": lambda _: creation(),
    "CreateAuthorization, given": lambda _: creation(token=Secret("canary-given-token-1234")),
    "HashTokens": lambda _: HashTokens(authorization_id=None),
    "ImportAuthorizations": import_of_another,
    "SetLegacyStatus": lambda _: SetLegacyStatus(which="grafana", is_active=False, clock=CLOCK),
    "SetLegacyPassword": lambda _: SetLegacyPassword(
        which="grafana", password=PASSWORD, is_ensured=False
    ),
    "DeleteLegacy": lambda _: DeleteLegacy(which="grafana", is_ensured=False),
    "CreateUser": lambda _: CreateUser(
        name="carol",
        password=PASSWORD,
        organization="acme",
        has_role=True,
        is_owner=False,
        is_ensured=False,
        clock=CLOCK,
        rng=SeededRng(),
    ),
    "SetPassword": lambda _: SetPassword(
        user=BOB, password=PASSWORD, is_activated=False, is_ensured=False
    ),
    "SetUserStatus": lambda _: SetUserStatus(user=BOB, is_active=False),
    "RenameUser": lambda _: RenameUser(user=BOB, new_name="robert"),
    "DeleteUser": lambda _: DeleteUser(user=BOB, with_tokens=True),
    "CreateOrganization": lambda _: CreateOrganization(
        name="third", description="", owner="alice", is_ensured=False, clock=CLOCK, rng=SeededRng()
    ),
    "RenameOrganization": lambda _: RenameOrganization(name="acme", new_name="apex", clock=CLOCK),
    "SetRole": lambda _: SetRole(username="bob", organization="other", role=OWNER),
    "SetInstanceOwner": lambda _: SetInstanceOwner(username="bob"),
    "RemoveRole": lambda _: RemoveRole(username="bob", organization="acme"),
    "IssueAuthorization": lambda made: IssueAuthorization(
        org_id=made.org,
        user_id=made.alice,
        description="new",
        permissions=tuple(operator_permissions(level=21)),
        server_hashes=None,
        clock=CLOCK,
        rng=SeededRng(),
    ),
    "EditAuthorization": lambda made: EditAuthorization(
        authorization_id=made.reader, description="other", clock=CLOCK
    ),
    "CreateLegacy": lambda made: CreateLegacy(
        username="telegraf",
        org_id=made.org,
        user_id=made.alice,
        description="new",
        permissions=(),
        clock=CLOCK,
        rng=SeededRng(),
    ),
    "EditLegacy": lambda made: EditLegacy(
        authorization_id=made.legacy, description="other", clock=CLOCK
    ),
    "StoreLegacyPassword": lambda made: StoreLegacyPassword(
        authorization_id=made.legacy, password_hash=HASH
    ),
    "AddOrganization": lambda made: AddOrganization(
        name="third", description="", owner_id=made.alice, clock=CLOCK, rng=SeededRng()
    ),
    "EditOrganization": lambda made: EditOrganization(
        org_id=made.org, description="other", clock=CLOCK
    ),
    "DeleteOrganization": lambda made: DeleteOrganization(org_id=made.org),
    "AddRole": lambda made: AddRole(user_id=made.bob, org_id=made.other_org, role=OWNER),
    "EndRole": lambda made: EndRole(user_id=made.bob, org_id=made.org),
    "AddUser": lambda _: AddUser(name="carol", clock=CLOCK, rng=SeededRng()),
    "EditUser": lambda made: EditUser(user_id=made.bob, name="robert"),
    "StorePassword": lambda made: StorePassword(user_id=made.bob, password_hash=HASH),
    "CreateBucket": lambda made: CreateBucket(
        org_id=made.org, name="new", clock=CLOCK, rng=SeededRng()
    ),
    "EditBucket": lambda made: EditBucket(bucket_id=made.bucket, description="other", clock=CLOCK),
    "DeleteBucket": lambda made: DeleteBucket(bucket_id=made.bucket),
    "SetUpStore": set_up_of_a_fresh_store,
    "RepairStore": repair_of_a_fault,
    "RebuildStore": lambda _: RebuildStore(
        engine=EngineFacts(path="engine", buckets=(), oddities=(), shard_id_max=0),
        known=Known(),
        wishes=Wishes(username="carol", organization="third"),
        mends=False,
        clock=CLOCK,
        rng=SeededRng(),
    ),
}


def test_every_planner_there_is_stands_in_the_table() -> None:
    found = {
        name
        for module in pkgutil.walk_packages(services.__path__, "recovery.services.")
        for name, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        if one.__module__ == module.name and inspect.isfunction(getattr(one, "plan", None))
    }
    # One is the protocol, the others go around a planner that is in the table.
    assert found - {"Planner", "Forewarned", "Chosen"} == {
        name.partition(",")[0] for name in PLANNERS
    }


@pytest.mark.parametrize("name", PLANNERS)
def test_what_did_not_come_about_is_noticed(made: MadeStore, name: str) -> None:
    planner = Idle(PLANNERS[name](made))
    before = made.path.read_bytes()
    with pytest.raises(WriteFailedError) as caught:
        change(made.path, planner, destination=MemoryDestination())
    assert caught.value.outcome == "unchanged"
    assert made.path.read_bytes() == before


@pytest.mark.parametrize("name", PLANNERS)
def test_what_came_about_is_found(made: MadeStore, name: str) -> None:
    assert change(made.path, PLANNERS[name](made), destination=MemoryDestination()).is_changed


def test_an_undo_that_did_not_come_about_is_noticed(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = Actor(host="db1", uid=0, sudo_user=None, tool_version="1")
    ledger = Ledger(path=made.path.with_name("ledger.sqlite"), actor=actor, clock=CLOCK)
    manner = Manner(backups=BackupEachChange(CLOCK))
    ports = Ports(audience=YesAudience(), recorder=ledger)
    run_change(made.path, PLANNERS["SetStatus"](made), manner=manner, ports=ports)
    monkeypatch.setattr(Rewinder, "apply", lambda _: None)
    with pytest.raises(VerificationError):
        undo(made.path, ledger, CLOCK)
