"""The list of tokens: filtered, sorted, cut, and brought up to date."""

import dataclasses
from collections.abc import Iterator

import msgspec
import pytest

from recovery.daemon.journal import Author, JournalEntry
from recovery.daemon.page.cut import Cut
from recovery.daemon.page.token_index import TokenFilter, TokenIndex, TokenRow, WaysIn
from recovery.metastore.transaction import MetaTx
from recovery.secret import Secret
from recovery.services.access import rights, rights_by_tokens
from recovery.services.authorizations.changes import DeleteAuthorization, SetStatus
from recovery.services.authorizations.hashing import HashTokens
from recovery.services.changes.plan import Planner
from recovery.services.session import Session
from recovery.services.tenancy.bucket_changes import DeleteBucket, EditBucket
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.organization_records import (
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
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    MadeStore,
    edit,
)


def index(made: MadeStore) -> TokenIndex:
    with Session.open(made.path) as session:
        return TokenIndex.of(session)


def found(made: MadeStore, **wanted: str) -> set[str]:
    rows = index(made).rows.values()
    return {row.id for row in TokenFilter(**wanted).chosen(rows)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"operator", "old_operator", "reader", "hashed"}),
        ("operator", {"operator", "old_operator"}),
        ("ALICE old", {"old_operator"}),
        ("bob", {"reader", "hashed"}),
        ("sensors", {"reader"}),
        ("acme reads", {"reader", "hashed"}),
        ("status:active bob", {"reader", "hashed"}),
        ("status:dead", set()),
        ("nosuch", set()),
    ],
)
def test_all_words_of_a_filter_must_fit(made: MadeStore, text: str, expected: set[str]) -> None:
    assert found(made, text=text) == {getattr(made, name) for name in expected}


def test_an_id_and_an_organization_are_filters(made: MadeStore) -> None:
    assert found(made, text=made.reader) == {made.reader}
    assert found(made, organization_id=made.other_org) == set()
    assert len(found(made, organization_id=made.org)) == 4


@pytest.mark.parametrize("name", ["operator", "old_operator", "reader", "hashed"])
@pytest.mark.parametrize("roles", [True, False])
def test_what_users_see_by_their_tokens_is_known_without_reading_them_again(
    made: MadeStore, name: str, *, roles: bool
) -> None:
    """With one token alone, of a user with roles and of one without."""

    def leave_one(tx: MetaTx) -> None:
        ids = {made.operator, made.old_operator, made.reader, made.hashed}
        tx.authorizations.delete_all(ids - {getattr(made, name)})
        tables = ("userresourcemappingsv1", "userresourcemappingsbyuserindexv1")
        for table in () if roles else tables:
            for key, _ in list(tx.table(table).items()):
                tx.table(table).delete(key)

    edit(made.path, leave_one)
    with Session.open(made.path) as session, session.view() as view:
        seeing = TokenIndex.of(session).ways_in.administrators
        assert rights_by_tokens(view.tx, seeing) == rights(view.tx)
    assert seeing == ({made.alice} if "operator" in name else set())


def test_rows_are_sorted_in_either_direction(made: MadeStore) -> None:
    rows = index(made)
    names = [row.description for row in rows.sorted_by("description", is_descending=False)]
    assert names == sorted(names, key=str.casefold)
    backwards = [row.description for row in rows.sorted_by("description", is_descending=True)]
    assert backwards == names[::-1]


def test_the_state_of_a_token_is_one_word() -> None:
    row = TokenRow(
        **dict.fromkeys(
            ("id", "description", "user_id", "user", "organization_id", "organization"), ""
        ),
        status="active",
        is_usable=True,
        because=(),
        operator="no",  # type: ignore[arg-type] # not looked at
        may_do="",
        buckets="",
        created_at="",
        updated_at="",
        is_administrator=False,
        grants=(),
    )
    states = [
        msgspec.structs.replace(row, status=status, is_usable=usable).state
        for status, usable in (("active", True), ("active", False), ("inactive", False))
    ]
    assert states == ["active", "dead", "inactive"]


def carried_out(session: Session, planner: Planner, number: int) -> JournalEntry:
    with session.store.update() as tx:
        plan = planner.plan(tx)
        with tx.watched() as keys:
            plan.apply(tx)
    return JournalEntry(
        number=number,
        operation=f"serve {plan.operation}",
        steps=plan.steps,
        record_ids=plan.record_ids,
        author=Author(name="test"),
        moment="",
        intent_id=0,
        undoes=None,
        keys=tuple(keys),
    )


def planners(made: MadeStore) -> Iterator[Planner]:
    """One of each kind of record that a row has something of, and of a kind that it has not."""
    clock = FixedClock(CHANGED_AT)
    alice, bob = (UserChoice(name=None, user_id=one) for one in (made.alice, made.bob))
    yield SetStatus(authorization_id=made.reader, is_active=False, clock=clock)
    yield DeleteAuthorization(authorization_id=made.old_operator, is_ensured=False)
    yield HashTokens(authorization_id=made.operator)
    yield SetUserStatus(user=alice, is_active=False)
    yield RenameUser(user=alice, new_name="alicia")
    typed = Secret("long enough 1")
    yield SetPassword(user=alice, password=typed, is_activated=False, is_ensured=False)
    yield EndRole(org_id=made.org, user_id=made.bob)
    yield EditBucket(bucket_id=made.bucket, name="probes", clock=clock)
    yield EditOrganization(org_id=made.org, name="umbrella", clock=clock)
    yield DeleteUser(user=bob, with_tokens=False)
    yield DeleteBucket(bucket_id=made.bucket)
    yield DeleteOrganization(org_id=made.org)


def test_after_changes_of_any_record_the_index_is_as_a_new_one(made: MadeStore) -> None:
    with Session.open(made.path, write=True) as session:
        known, entries = TokenIndex.of(session), list[JournalEntry]()
        for number, planner in enumerate(planners(made), 1):
            entries.append(carried_out(session, planner, number))
            assert known.follow(session, entries), planner
            assert known.rows == TokenIndex.of(session).rows, planner
            assert known.ways_in == WaysIn.look(session), planner
        forgotten = TokenIndex({}, txid=0, change_number=0, unreadable_count=0)
        assert not forgotten.follow(session, ())
        with session.store.update() as tx, tx.watched() as keys:
            tx.table("migrationsv1").put(b"0" * 16, b"{}")
        other = dataclasses.replace(entries[-1], number=len(entries) + 1, keys=tuple(keys))
        assert not known.follow(session, [*entries, other])


@pytest.mark.parametrize(
    ("count", "asked", "expected"),
    [
        (0, "", (0, 0, 0, 1, 1)),
        (5, "1", (1, 5, 5, 1, 1)),
        (250, "2", (101, 200, 250, 2, 3)),
        (250, "99", (201, 250, 250, 3, 3)),
        (250, "-1", (1, 100, 250, 1, 3)),
        (250, "x" * 99, (1, 100, 250, 1, 3)),
    ],
)
def test_a_page_is_cut_out(count: int, asked: str, expected: tuple[int, ...]) -> None:
    cut = Cut.of(list(range(count)), asked)
    assert (cut.first, cut.last, cut.total, cut.number, cut.page_count) == expected
    assert list(cut.rows) == list(range(count))[max(cut.first - 1, 0) : cut.last]
