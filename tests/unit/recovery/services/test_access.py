"""Who can get in: all that judge agree, and the last way in is not taken away without a word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.discovery.candidate import Files
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.model.mapping import INSTANCE, INSTANCE_ID, MEMBER, Mapping
from recovery.model.password import hash_password
from recovery.model.standing import Answer, Obstacle
from recovery.ports import SystemRng
from recovery.secret import Secret
from recovery.services.access import NOBODY, ONLY_OPERATOR, Loss, loss_warnings, rights
from recovery.services.authorizations.changes import DeleteAuthorization
from recovery.services.authorizations.details import details_of
from recovery.services.authorizations.listing import (
    AuthorizationRow,
    list_authorizations,
)
from recovery.services.authorizations.verification import TokenVerdict, verify_token
from recovery.services.changes.plan import Planner
from recovery.services.doctor.check import Examination, Outlook, examine
from recovery.services.doctor.finding import Severity
from recovery.services.session import Session
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.organization_changes import RemoveRole
from recovery.services.tenancy.user_changes import DeleteUser, SetUserStatus
from recovery.services.tenancy.user_details import describe_user
from tests.support.full_store import change, drop, put, remove_table
from tests.support.ports import FixedClock
from tests.support.stores import (
    MADE_AT,
    OPERATOR_TOKEN,
    MadeStore,
    edit,
    make_store,
    open_view,
)

ALICE = UserChoice(name="alice", user_id=None)
BOB = UserChoice(name="bob", user_id=None)


def checked(path: Path, *, server_hashes: bool | None = None) -> Examination:
    files = Files(use_hashed_tokens=server_hashes)
    with Session.open(path, needs_schema=False) as session:
        return examine(session, files=files, clock=FixedClock(MADE_AT), rng=SystemRng())


def warnings_of(made: MadeStore, planner: Planner) -> tuple[str, ...]:
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        return planner.plan(tx).warnings


def with_password(tx: MetaTx, user_id: Id) -> None:
    tx.passwords.put(user_id, hash_password(Secret("a good password")))


def record(made: MadeStore, **changes: str | None) -> Callable[[MetaTx], None]:
    def apply(tx: MetaTx) -> None:
        found = tx.authorizations.get(made.operator)
        assert found is not None
        tx.table("authorizationsv1").put(made.operator.encode(), found.rewritten(changes))

    return apply


def user(made: MadeStore, document: bytes | None) -> Callable[[MetaTx], None]:
    def apply(tx: MetaTx) -> None:
        if document is None:
            tx.table("usersv1").delete(made.alice.encode())
        else:
            tx.table("usersv1").put(made.alice.encode(), document)

    return apply


def raw_entry(value: bytes | None) -> Callable[[MetaTx], None]:
    def apply(tx: MetaTx) -> None:
        index = tx.table("authorizationindexv1")
        if value is None:
            index.delete(OPERATOR_TOKEN.encode())
        else:
            index.put(OPERATOR_TOKEN.encode(), value)

    return apply


Spoil = Callable[[MadeStore], Callable[[MetaTx], None]]

SPOILS: dict[str, tuple[Spoil, str | None]] = {
    "nothing": (lambda _: lambda _tx: None, None),
    "inactive": (lambda made: record(made, status="inactive"), "it is inactive"),
    "odd": (lambda made: record(made, status="odd"), "its status is neither active nor inactive"),
    "no org": (lambda made: record(made, orgID=None), "it has no organization"),
    "no user ID": (lambda made: record(made, userID=None), None),
    "strange hash": (
        lambda made: record(made, token=None, hashedToken="$argon2$x"),
        "its hash is of no known kind",
    ),
    "no entry": (lambda _: raw_entry(None), "the index has no entry for it"),
    "entry elsewhere": (lambda made: raw_entry(made.reader.encode()), "the index has no entry"),
    "no user": (lambda made: user(made, None), "its user does not exist"),
    "odd user": (lambda made: user(made, b"{"), "its user cannot be decoded"),
    "inactive user": (
        lambda made: user(
            made, b'{"id":"%s","name":"alice","status":"inactive"}' % made.alice.encode()
        ),
        "its user is inactive",
    ),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_listing_details_verification_and_doctor_agree(made: MadeStore, spoil: str) -> None:
    change, reason = SPOILS[spoil]
    edit(made.path, change(made))
    with open_view(made.path) as view:
        rows = list_authorizations(view.tx).rows
        (row,) = (one for one in rows if one.id == made.operator)
        assert isinstance(row, AuthorizationRow)
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        authorization = tx.authorizations.get(made.operator)
        assert authorization is not None
        details = details_of(tx, authorization)
        report = verify_token(tx, Secret(OPERATOR_TOKEN))
    verdict = checked(made.path).verdict
    accesses = [one.access for one in (verdict.likely, *verdict.others)]
    usable_count = min(access.full_operator_count for access in accesses)
    assert row.because == details.because
    assert row.is_usable == details.is_usable == (reason is None) == (usable_count == 1)
    assert next(iter(row.because), "None").startswith(str(reason))
    assert (report.answer is TokenVerdict.ACCEPTED) is (reason is None)


def test_a_raw_token_without_entry_counts_where_the_server_is_known_to_hash(
    made: MadeStore,
) -> None:
    edit(made.path, raw_entry(None))
    assert checked(made.path, server_hashes=True).verdict.access.full_operator_count == 1
    assert checked(made.path, server_hashes=False).verdict.access.full_operator_count == 0


def test_a_misplaced_record_is_not_found_by_its_token(made: MadeStore) -> None:
    def misplace(tx: MetaTx) -> None:
        table = tx.table("authorizationsv1")
        document = table.get(made.operator.encode())
        assert document is not None
        table.delete(made.operator.encode())
        table.put(b"00000000000000ff", document)

    edit(made.path, misplace)
    with open_view(made.path) as view:
        rows = list_authorizations(view.tx).rows
        assert not next(one for one in rows if one.id == made.operator).is_usable
    # 2.9.1 hashes a raw token while it starts, and writes the record where its ID says.
    assert checked(made.path, server_hashes=True).verdict.access.full_operator_count == 1
    assert checked(made.path, server_hashes=False).verdict.access.full_operator_count == 0


# -- the verdict of the doctor -------------------------------------------------------------------


def locked(made: MadeStore) -> Examination:
    examination = checked(made.path)
    assert examination.verdict.outlook is Outlook.STARTS_LOCKED
    assert not examination.verdict.access.is_possible
    return examination


def test_a_missing_users_bucket_counts_as_an_empty_one(made: MadeStore) -> None:
    edit(made.path, lambda tx: tx._tx.delete_bucket(b"usersv1"))  # noqa: SLF001 # damage
    locked(made)


def test_tokens_of_users_that_cannot_be_decoded_let_nobody_in(made: MadeStore) -> None:
    def spoil(tx: MetaTx) -> None:
        for one in (made.alice, made.bob):
            tx.table("usersv1").put(one.encode(), b"{")

    edit(made.path, spoil)
    locked(made)


def test_a_user_without_role_and_token_can_sign_in_and_is_not_in(made: MadeStore) -> None:
    def spoil(tx: MetaTx) -> None:
        for token in list(tx.authorizations.walk([])):
            tx.authorizations.delete_all((token.id,))
        for one in (made.alice, made.bob):
            tx.mappings.delete_of_user(one)
            with_password(tx, one)

    edit(made.path, spoil)
    near = locked(made).verdict.access.nearest
    assert near is not None
    assert near.obstacles == ("it has no role in any organization, so it would see nothing",)


def test_the_token_of_an_operator_shows_its_user_everything_without_a_role(
    made: MadeStore,
) -> None:
    def spoil(tx: MetaTx) -> None:
        with_password(tx, made.alice)
        tx.mappings.delete_of_user(made.alice)
        record(made, status="inactive")(tx)

    edit(made.path, spoil)
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        assert describe_user(tx, ALICE.choose(tx)).answer is Answer.ACCEPTED


def test_a_mere_member_of_the_instance_is_no_owner_of_it(made: MadeStore) -> None:
    mapping = Mapping(
        user_id=made.bob, user_type=MEMBER, resource_type=INSTANCE, resource_id=INSTANCE_ID
    )
    edit(made.path, lambda tx: tx.mappings.put(mapping))
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        assert not describe_user(tx, BOB.choose(tx)).is_instance_owner


# -- the last way in -----------------------------------------------------------------------------


def test_another_operator_with_a_hash_of_unknown_kind_is_no_way_in(made: MadeStore) -> None:
    def add(tx: MetaTx) -> None:
        found = tx.authorizations.get(made.operator)
        assert found is not None
        other = b"00000000000000ff"
        changes = {"id": other.decode(), "token": None, "hashedToken": "$argon2$x"}
        tx.table("authorizationsv1").put(other, found.rewritten(changes))
        tx.table("authorizationhashedindexv1").put(b"$argon2$x", other)

    edit(made.path, add)
    planner = DeleteAuthorization(authorization_id=made.operator, is_ensured=False)
    assert ONLY_OPERATOR in warnings_of(made, planner)


@pytest.mark.parametrize(
    "planner",
    [
        DeleteUser(user=ALICE, with_tokens=True),
        DeleteUser(user=ALICE, with_tokens=False),
        SetUserStatus(user=ALICE, is_active=False),
    ],
)
def test_taking_the_only_operator_and_owner_away_is_warned_of(
    made: MadeStore, planner: Planner
) -> None:
    warnings = warnings_of(made, planner)
    assert ONLY_OPERATOR in warnings
    assert NOBODY in warnings
    for name in ("acme", "other"):
        assert any(f"the only owner of organization {name}" in one for one in warnings)


def test_somebody_else_who_can_sign_in_is_a_way_in(made: MadeStore) -> None:
    edit(made.path, lambda tx: with_password(tx, made.bob))
    warnings = warnings_of(made, SetUserStatus(user=ALICE, is_active=False))
    assert ONLY_OPERATOR in warnings
    assert NOBODY not in warnings


def test_a_user_who_owns_nothing_is_taken_away_without_such_a_warning(made: MadeStore) -> None:
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        assert loss_warnings(tx, Loss(user_id=made.bob)) == ()


def test_an_owner_that_is_inactive_owns_nothing(made: MadeStore) -> None:
    def share(tx: MetaTx) -> None:
        tx.mappings.put(
            Mapping(
                user_id=made.bob,
                user_type="owner",
                resource_type="orgs",
                resource_id=made.other_org,
            )
        )
        bob = tx.users.get(made.bob)
        assert bob is not None
        tx.table("usersv1").put(made.bob.encode(), bob.rewritten({"status": "inactive"}))

    edit(made.path, share)
    planner = RemoveRole(username="alice", organization="other")
    assert any("only owner" in one for one in warnings_of(made, planner))


MAPPINGS = "userresourcemappingsv1"
BY_USER = "userresourcemappingsbyuserindexv1"
SessionSpoil = Callable[[MetaTx, MadeStore], None]


def _of_bob(made: MadeStore) -> tuple[str, str]:
    key = f"{made.org}{made.bob}"
    return key, f"{made.bob}/{key}"


SESSIONS: dict[str, tuple[SessionSpoil, tuple[Obstacle, ...]]] = {
    "as it was": (lambda _tx, _made: None, ()),
    "no entry by user": (
        lambda tx, made: drop(tx, BY_USER, _of_bob(made)[1]),
        (Obstacle.NO_ROLE,),
    ),
    "entry by user that leads to one of another": (
        lambda tx, made: put(tx, BY_USER, _of_bob(made)[1], f"{made.org}{made.alice}"),
        (Obstacle.NO_ROLE,),
    ),
    "entry by user without a slash": (
        lambda tx, made: put(tx, BY_USER, f"{made.bob}x", _of_bob(made)[0]),
        (Obstacle.SESSION_FAILS,),
    ),
    "membership that is no JSON": (
        lambda tx, made: put(tx, MAPPINGS, _of_bob(made)[0], b"{g"),
        (Obstacle.SESSION_FAILS,),
    ),
    "membership of an unknown role": (
        lambda tx, made: change(tx, MAPPINGS, _of_bob(made)[0], userType="boss"),
        (Obstacle.SESSION_FAILS,),
    ),
    "membership of nobody": (
        lambda tx, made: change(tx, MAPPINGS, _of_bob(made)[0], userID=None),
        (Obstacle.NO_ROLE,),
    ),
    "membership in nothing": (
        lambda tx, made: change(tx, MAPPINGS, _of_bob(made)[0], resourceID=None),
        (Obstacle.NO_ROLE,),
    ),
    "membership in an unknown kind of resource": (
        lambda tx, made: change(tx, MAPPINGS, _of_bob(made)[0], resourceType="zz"),
        (Obstacle.NO_ROLE,),
    ),
    "organization with another ID in its record": (
        lambda tx, made: change(tx, "organizationsv1", made.org, id="0fffffffffffffff"),
        (Obstacle.NO_ROLE,),
    ),
    "organization that is no JSON": (
        lambda tx, made: put(tx, "organizationsv1", made.org, b"{g"),
        (Obstacle.NO_ROLE,),
    ),
    "authorization of somebody else that is no JSON": (
        lambda tx, made: put(tx, "authorizationsv1", made.operator, b"{g"),
        (Obstacle.SESSION_FAILS,),
    ),
    "name in the record that is not the one in the index": (
        lambda tx, made: change(tx, "usersv1", made.bob, name="zed"),
        (),
    ),
    "no name in the record": (lambda tx, made: change(tx, "usersv1", made.bob, name=""), ()),
    "no entry of the name": (
        lambda tx, _made: drop(tx, "userindexv1", "bob"),
        (Obstacle.NO_ENTRY,),
    ),
}
"""What keeps a user out, as 2.7.12 and 2.9.1 did: 204, then a list of organizations, which an
obstacle makes empty or 401. The authorization is a word of 2.7.12 alone: 2.9.1 does not start."""


@pytest.mark.parametrize("spoil", SESSIONS)
def test_what_a_user_sees_after_a_sign_in_is_what_servers_show(tmp_path: Path, spoil: str) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=20)
    edit(made.path, lambda tx: with_password(tx, made.bob))
    edit(made.path, lambda tx: tx.authorizations.delete_all(_tokens_of_bob(tx, made)))
    break_, obstacles = SESSIONS[spoil]
    edit(made.path, lambda tx: break_(tx, made))
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        bob = tx.users.get(made.bob)
        assert bob is not None
        assert describe_user(tx, bob).because == obstacles
        assert rights(tx).sign_in(tx, bob).obstacles == obstacles
    assert checked(made.path).verdict.access.sign_in_count == (not obstacles)


@pytest.mark.parametrize("name", [MAPPINGS, BY_USER])
def test_no_session_works_without_a_bolt_bucket_of_memberships(made: MadeStore, name: str) -> None:
    edit(made.path, lambda tx: with_password(tx, made.alice))
    assert checked(made.path).verdict.access.sign_in_count == 1
    remove_table(made.path, name)
    assert checked(made.path).verdict.access.sign_in_count == 0
    (finding,) = (one for one in checked(made.path).findings if one.bucket == name)
    assert finding.severity is Severity.HIGH


def _tokens_of_bob(tx: MetaTx, made: MadeStore) -> list[Id]:
    return [one.id for one in tx.authorizations.walk([]) if one.user_id == made.bob]
