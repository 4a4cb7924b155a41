"""Who can reach what, in a store."""

from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from recovery.daemon.page.token_index import TokenIndex
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.model.organization import decode_organization
from recovery.model.permission import (
    ALL_TYPES,
    Permission,
    all_access_permissions,
    operator_permissions,
)
from recovery.services.access import rights_by_tokens
from recovery.services.authorizations.changes import SetStatus
from recovery.services.reach import (
    Grant,
    Names,
    Reach,
    Reaching,
    Target,
    may_do,
    reach_by,
    reach_of,
)
from recovery.services.reach_picture import Links, draw_reach_of
from recovery.services.session import Session
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, MadeStore, change, edit


def reach(made: MadeStore, **wanted: Any) -> Reach:  # noqa: ANN401 # as reach_by
    """As for a report, or as for the page, where somebody wants less."""
    with Session.open(made.path) as session, session.view() as view:
        if not wanted:
            return reach_of(view)
        index = TokenIndex.of(session)
        pairs = ((row, row.grants) for row in index.rows.values())
        known = rights_by_tokens(view.tx, index.ways_in.administrators)
        return reach_by(view.tx, pairs, known, **wanted)


def reached(made: MadeStore, permissions: Iterable[Permission]) -> tuple[Grant, ...]:
    with Session.open(made.path) as session, session.view() as view:
        return tuple(Reaching(Names(view.tx)).of(permissions))


def words(grants: tuple[Grant, ...]) -> list[tuple[str, str]]:
    return [(one.words, one.action_words) for one in grants]


def bucket(made: MadeStore, action: str, **more: Id) -> Permission:
    return Permission(action=action, type="buckets", **{"org_id": made.org, **more})


def test_an_operator_reaches_everything_in_one_grant(made: MadeStore) -> None:
    assert words(reached(made, operator_permissions(21))) == [("everything", "read and write")]


def test_all_access_is_one_organization(made: MadeStore) -> None:
    everything = all_access_permissions(21, org_id=made.org, user_id=made.bob)
    found = reached(made, everything)
    assert words(found) == [("everything in acme", "read and write")]
    assert may_do(found, len(everything)) == "all access"


def test_all_access_but_for_one_permission_is_not_all_access(made: MadeStore) -> None:
    most = [
        one
        for one in all_access_permissions(21, org_id=made.org, user_id=made.bob)
        if (one.action, one.type) != ("write", "tasks")
    ]
    found = reached(made, most)
    assert Target.ORGANIZATION not in {one.target for one in found}
    assert ("orgs, tasks of acme", "read") in words(found)
    assert (f"users/{made.bob}", "read and write") in words(found)
    assert may_do(found, len(most)) == "42 permissions"


@pytest.mark.parametrize(
    ("actions", "expected"),
    [(("read",), "read · sensors"), (("write", "read"), "read/write · sensors")],
)
def test_one_bucket_is_named(made: MadeStore, actions: tuple[str, ...], expected: str) -> None:
    permissions = [bucket(made, action, id=made.bucket) for action in actions]
    assert expected == may_do(reached(made, permissions), len(permissions))


def test_a_long_name_is_cut_where_few_words_are_wanted() -> None:
    for name, shown in (
        ("温度計" * 20, "温度計" * 5 + "…"),
        ("b" * 32, "b" * 32),
        ("b" * 33, "b" * 31 + "…"),
    ):
        grant = Grant(target=Target.BUCKET, id=Id("00000000000000aa"), name=name, actions=("read",))
        assert may_do((grant,), 1) == f"read · {shown}"


def test_a_bucket_without_an_organization_is_found_by_its_id(made: MadeStore) -> None:
    one = Permission(action="read", type="buckets", id=made.bucket)
    assert words(reached(made, [one])) == [("acme / sensors", "read")]


def test_all_buckets_also_future_ones_are_said_so(made: MadeStore) -> None:
    found = reached(made, [bucket(made, "read")])
    assert words(found) == [("all buckets of acme", "read")]
    assert may_do(found, 1) == "read · all buckets"


def test_a_bucket_that_is_gone_is_said_to_be_missing(made: MadeStore) -> None:
    gone = Id("00000000000000aa")
    found = reached(made, [bucket(made, "read", id=gone)])
    assert [(f"acme / missing bucket {gone}", "read")] == words(found)


def test_several_buckets_are_counted(made: MadeStore) -> None:
    ids = [made.bucket, Id("00000000000000aa")]
    same = [bucket(made, "read", id=one) for one in ids]
    assert may_do(reached(made, same), 2) == "read · 2 buckets"
    mixed = [*same, bucket(made, "write", id=made.bucket)]
    assert may_do(reached(made, mixed), 3) == "read · 2, write · 1 buckets"


def test_nothing_and_what_cannot_be_read_are_told_apart() -> None:
    assert (may_do((), 0), may_do(None, 3)) == ("nothing", "cannot be read")


def test_the_ways_of_all_users_are_told(made: MadeStore) -> None:
    found = reach(made)
    assert [(u.name, u.can_sign_in) for u in found.users] == [("alice", False), ("bob", False)]
    ways = {(way.user, way.label): way for way in found.ways}
    assert ways["alice", "alice's Token"].is_operator
    assert ways["alice", "owner of acme"].because == ("the user does not get in",)
    assert words(ways["bob", "member of acme"].grants) == [("everything in acme", "read")]
    assert found.token_count == 4
    assert found.sentence.startswith("2 users, 4 tokens: alice can reach everything; ")


def test_a_token_that_does_not_work_is_told_with_the_reason(made: MadeStore) -> None:
    clock = FixedClock(CHANGED_AT)
    change(made.path, SetStatus(authorization_id=made.reader, is_active=False, clock=clock))
    (way,) = [one for one in reach(made).ways if one.token_id == made.reader]
    assert (way.is_usable, len(way.because)) == (False, 1)


def test_tokens_of_a_deleted_user_come_last(made: MadeStore) -> None:
    user = UserChoice(name=None, user_id=made.bob)
    change(made.path, DeleteUser(user=user, with_tokens=False))
    found = reach(made)
    assert [made.alice] == [one.id for one in found.users]
    assert (found.ways[-1].user, found.ways[-1].is_usable) == (None, False)
    svg = draw_reach_of(found)
    assert "deleted user" in svg


def test_very_many_tokens_are_bundled_by_owner_and_rights(made: MadeStore) -> None:
    apart, bundled = reach(made, apart_max=4), reach(made, apart_max=3)
    assert {1} == {way.count for way in apart.ways}
    tokens = [way for way in bundled.ways if way.token_id is not None]
    assert [(way.user, way.count, way.label if way.count > 1 else None) for way in tokens] == [
        ("alice", 2, "2 tokens alike"),
        ("bob", 1, None),
        ("bob", 1, None),
    ]
    assert bundled.token_count == apart.token_count


@pytest.mark.parametrize("by", ["name", "id"])
def test_who_reaches_one_bucket_is_told(made: MadeStore, by: str) -> None:
    found = reach(made, bucket="sensors" if by == "name" else made.bucket)
    labels = {way.label for way in found.ways}
    assert {"owner of acme", "member of acme", "alice's Token", "reads buckets"} <= labels
    assert "owner of other" not in labels


def test_one_user_is_told_alone(made: MadeStore) -> None:
    found = reach(made, user="bob")
    assert ({"bob"}, 2) == ({way.user for way in found.ways}, found.token_count)


def test_the_picture_has_each_user_and_each_way_with_its_link(made: MadeStore) -> None:
    links = Links(user=lambda one: f"/users/{one}", token=lambda one: f"/tokens/{one}")
    svg = ET.fromstring(draw_reach_of(reach(made), links))
    assert {f"/users/{made.alice}", f"/users/{made.bob}"} <= {
        link.get("href") for link in svg.iter("a")
    }
    assert sum("/tokens/" in (link.get("href") or "") for link in svg.iter("a")) == 4


def test_a_name_in_the_picture_is_escaped_once(made: MadeStore) -> None:
    edit(made.path, lambda tx: _rename(tx, made.org, "a\\b "))
    with Session.open(made.path) as session, session.view() as view:
        drawn = draw_reach_of(reach_of(view))
    texts = {one.text for one in ET.fromstring(drawn).iter() if one.text}  # ours
    assert {"owner of a\\\\b\\x20", "everything in a\\\\b\\x20"} <= texts


def _rename(tx: MetaTx, org_id: Id, name: str) -> None:
    org = tx.organizations.get(org_id)
    assert org is not None
    tx.organizations.update(org, decode_organization(org.rewritten({"name": name})))


def test_what_is_left_out_of_the_picture_is_counted(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recovery.services.reach_picture.BOXES_MAX", 3)
    found = reach(made)
    assert f"and {len(found.ways) - 3} more" in draw_reach_of(found)


def test_every_type_is_named_in_few_grants(made: MadeStore) -> None:
    reading = [Permission(action="read", type=kind, org_id=made.org) for kind in ALL_TYPES]
    found = reached(made, reading)
    assert len(found) == 2
