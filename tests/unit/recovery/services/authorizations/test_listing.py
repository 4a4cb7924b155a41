"""Listings: what is in the real stores, joins, operators, what is usable, and what is broken."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import NotFoundError, StoreBusyError, StoreDamagedError
from recovery.metastore.transaction import MetaTx
from recovery.model.permission import types_of_level
from recovery.model.token import TokenForm
from recovery.services.authorizations.listing import (
    AuthorizationFilter,
    AuthorizationRow,
    OperatorState,
    list_authorizations,
)
from recovery.services.listing import Listing, Row
from recovery.services.tenancy.organization_listing import (
    Member,
    OrganizationRow,
    list_organizations,
)
from recovery.services.tenancy.user_listing import Membership, UserRow, list_users
from tests.support.locks import locked
from tests.support.stores import LEVELS, MadeStore, disclosure, edit, make_store, open_view

EVERYTHING = AuthorizationFilter()


def read(listing: Listing[Row]) -> list[Row]:
    """Walk a listing that has no problems."""
    rows = list(listing.rows)
    assert listing.problems == []
    return rows


def authorizations(
    path: Path, wanted: AuthorizationFilter = EVERYTHING, *, show_tokens: bool = False
) -> dict[str, AuthorizationRow]:
    """List authorizations, by ID."""
    right = disclosure(path) if show_tokens else None
    with open_view(path) as view:
        rows = read(list_authorizations(view.tx, wanted, right))
    return {row.id: row for row in rows}


# -- the real stores -----------------------------------------------------------------------------


def test_the_users_of_the_real_stores(level17_bolt: Path, level21_bolt: Path) -> None:
    expected = UserRow(
        id="08371db1dd8c8000",
        name="testuser",
        status="active",
        has_password=True,
        memberships=(
            Membership(organization_id="dd7cd2292f6e974a", organization="myorg", role="owner"),
        ),
        is_instance_owner=False,
    )
    for path in (level17_bolt, level21_bolt):
        with open_view(path) as view:
            assert read(list_users(view.tx)) == [expected]


def test_the_organizations_of_the_real_stores(level17_bolt: Path, level21_bolt: Path) -> None:
    expected = OrganizationRow(
        id="dd7cd2292f6e974a",
        name="myorg",
        description="",
        created_at="2021-09-28T12:55:25.442475Z",
        updated_at="2021-09-28T12:55:25.442475Z",
        owners=(Member(user_id="08371db1dd8c8000", user="testuser"),),
        members=(),
    )
    for path in (level17_bolt, level21_bolt):
        with open_view(path) as view:
            assert read(list_organizations(view.tx)) == [expected]


def test_the_authorizations_of_the_real_stores(level17_bolt: Path, level21_bolt: Path) -> None:
    for path, count in ((level17_bolt, 40), (level21_bolt, 44)):
        operator, reader = authorizations(path).values()
        assert (operator.id, operator.operator, operator.permission_count) == (
            "08371db24dcc8000",
            OperatorState.FULL,
            count,
        )
        assert (operator.description, operator.status) == ("testuser's Token", "active")
        assert operator.created_at == "2021-09-28T08:55:25.75109-04:00"
        assert (reader.id, reader.operator, reader.permission_count) == (
            "08371deae98c8000",
            OperatorState.NO,
            1,
        )
        assert reader.description == "testuser's read buckets token"
        assert bytes(reader.permissions) == (
            b'[{"action":"read","resource":{"type":"buckets","orgID":"dd7cd2292f6e974a"}}]'
        )
        for row in (operator, reader):
            assert (row.user, row.organization) == ("testuser", "myorg")
            assert (row.user_id, row.organization_id) == ("08371db1dd8c8000", "dd7cd2292f6e974a")
            assert row.token_form is TokenForm.RAW
            assert row.is_usable
            assert row.because == ()
            assert row.secret is None


def test_the_facts_of_a_real_store(level21_bolt: Path) -> None:
    with open_view(level21_bolt) as view:
        facts = view.facts
    assert (facts.path, facts.level, facts.txid) == (level21_bolt, 21, 131)
    assert (facts.size_bytes, facts.inode) == (65536, level21_bolt.stat().st_ino)
    assert facts.server_versions == "InfluxDB 2.8 to 2.9"


# -- operators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_operators_are_told_from_others_at_each_level(tmp_path: Path, level: int) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=level)
    rows = authorizations(made.path)
    assert rows[made.operator].operator is OperatorState.FULL
    assert rows[made.operator].lacks == ()
    assert rows[made.old_operator].operator is OperatorState.PARTIAL
    later = types_of_level(level)[18:]
    assert rows[made.old_operator].lacks == tuple(
        f"{action}:{kind}" for kind in later for action in ("read", "write")
    )
    assert rows[made.reader].operator is OperatorState.NO
    assert rows[made.reader].lacks == ()


def test_only_operators_are_listed_when_asked_for(made: MadeStore) -> None:
    rows = authorizations(made.path, AuthorizationFilter(operators_only=True))
    assert set(rows) == {made.operator, made.old_operator}


def test_authorizations_are_filtered_by_user_and_organization(made: MadeStore) -> None:
    of_bob = authorizations(made.path, AuthorizationFilter(user="bob"))
    assert set(of_bob) == {made.reader, made.hashed}
    of_acme = authorizations(made.path, AuthorizationFilter(organization=" acme "))
    assert len(of_acme) == 4
    assert authorizations(made.path, AuthorizationFilter(organization="other")) == {}
    both = AuthorizationFilter(user="bob", organization="acme", operators_only=True)
    assert authorizations(made.path, both) == {}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (AuthorizationFilter(user="Alice"), ("alice", "bob")),
        (AuthorizationFilter(organization="nobody's"), ("acme", "other")),
    ],
)
def test_an_unknown_name_is_an_error_before_the_first_row(
    made: MadeStore, wanted: AuthorizationFilter, names: tuple[str, ...]
) -> None:
    with open_view(made.path) as view, pytest.raises(NotFoundError) as caught:
        list_authorizations(view.tx, wanted)
    assert set(caught.value.existing) == set(names)


# -- tokens --------------------------------------------------------------------------------------


def test_rows_carry_no_secret_unless_asked_for(made: MadeStore) -> None:
    assert all(row.secret is None for row in authorizations(made.path).values())
    shown = authorizations(made.path, show_tokens=True)
    revealed = {row.id: row.secret.reveal() for row in shown.values() if row.secret}
    assert revealed[made.operator] == "canary-operator-token-0123456789"
    assert revealed[made.hashed].startswith("$influxdb2-sha256$")
    assert "canary" not in repr(shown)


def with_fields(record_id: str, **changes: str | None) -> Callable[[MetaTx], None]:
    """Change fields of an authorization behind the store's back."""

    def apply(tx: MetaTx) -> None:
        (record,) = (one for one in tx.authorizations.walk([]) if one.id == record_id)
        document = record.rewritten(changes)
        tx.table("authorizationsv1").put(record_id.encode(), document)

    return apply


@pytest.mark.parametrize(
    ("changes", "form", "reason"),
    [
        ({"status": "inactive"}, TokenForm.RAW, "it is inactive"),
        ({"userID": "ffffffffffffffff"}, TokenForm.RAW, "its user does not exist"),
        ({"userID": None}, TokenForm.RAW, None),
        ({"token": None}, TokenForm.NONE, "the record has no token"),
        (
            {"token": None, "hashedToken": "$argon2id$x"},
            TokenForm.UNKNOWN,
            "its hash is of no known kind",
        ),
        (
            {"token": "renamed"},
            TokenForm.RAW,
            "the index has no entry for it; a server that hashes tokens makes one when it starts",
        ),
        ({"hashedToken": "$influxdb2-sha256$x"}, TokenForm.BOTH, None),
        ({"status": ""}, TokenForm.RAW, None),
        ({"orgID": "ffffffffffffffff"}, TokenForm.RAW, None),
    ],
)
def test_an_unusable_token_is_listed_with_the_reason(
    made: MadeStore, changes: dict[str, str | None], form: TokenForm, reason: str | None
) -> None:
    edit(made.path, with_fields(made.operator, **changes))
    row = authorizations(made.path)[made.operator]
    assert row.token_form is form
    assert next(iter(row.because), None) == reason
    assert row.is_usable is (reason is None)


def test_tokens_of_an_inactive_user_are_unusable(made: MadeStore) -> None:
    def deactivate(tx: MetaTx) -> None:
        user = tx.users.get(made.bob)
        assert user is not None
        tx.table("usersv1").put(made.bob.encode(), user.rewritten({"status": "inactive"}))

    edit(made.path, deactivate)
    rows = authorizations(made.path)
    assert rows[made.reader].because[0] == "its user is inactive"
    assert rows[made.operator].is_usable


def test_a_hash_is_of_no_use_below_level_21(tmp_path: Path) -> None:
    """What a downgrade leaves behind."""
    made = make_store(tmp_path / "influxd.bolt", level=20)
    hashed = "$influxdb2-sha256$tNQn4VbAQgEgHYEptCwkeC6ov2uYZfzIGj6jRH_-eWI="
    edit(made.path, with_fields(made.reader, token=None, hashedToken=hashed))
    row = authorizations(made.path)[made.reader]
    assert row.token_form is TokenForm.SHA256
    assert row.because[0] == "it is hashed, and servers of this level know no hashes"


def test_missing_users_and_organizations_have_no_name(made: MadeStore) -> None:
    nobody = "ffffffffffffffff"
    edit(made.path, with_fields(made.reader, userID=nobody, orgID=nobody))
    row = authorizations(made.path)[made.reader]
    assert (row.user, row.user_id) == (None, nobody)
    assert (row.organization, row.organization_id) == (None, nobody)


# -- what is broken ------------------------------------------------------------------------------


def test_undecodable_authorizations_are_named_and_the_rest_is_listed(made: MadeStore) -> None:
    def spoil(tx: MetaTx) -> None:
        tx.table("authorizationsv1").put(made.operator.encode(), b'{"id":"canary')

    edit(made.path, spoil)
    edit(made.path, with_fields(made.reader, permissions="canary"))
    with open_view(made.path) as view:
        listing = list_authorizations(view.tx)
        rows = {row.id for row in listing.rows}
    assert rows == {made.old_operator, made.hashed}
    assert {(one.bucket, one.id) for one in listing.problems} == {
        ("authorizationsv1", made.operator),
        ("authorizationsv1", made.reader),
    }
    assert "canary" not in repr(listing.problems)


def test_undecodable_users_organizations_and_mappings_are_named(made: MadeStore) -> None:
    def spoil(tx: MetaTx) -> None:
        tx.table("usersv1").put(made.bob.encode(), b"{}")
        tx.table("organizationsv1").put(made.other_org.encode(), b"null")
        tx.table("userresourcemappingsv1").put(b"x", b"{}")

    edit(made.path, spoil)
    with open_view(made.path) as view:
        users = list_users(view.tx)
        assert [row.name for row in users.rows] == ["alice"]
        organizations = list_organizations(view.tx)
        assert [row.name for row in organizations.rows] == ["acme"]
        listing = list_authorizations(view.tx)
        assert len(list(listing.rows)) == 4
    assert {(one.bucket, one.id) for one in users.problems} == {
        ("usersv1", made.bob),
        ("userresourcemappingsv1", None),
    }
    assert ("organizationsv1", made.other_org) in problems(organizations)
    assert {("usersv1", made.bob), ("organizationsv1", made.other_org)} == problems(listing)


def problems(listing: Listing[Row]) -> set[tuple[str, str | None]]:
    found = listing.problems
    return {(one.bucket, one.id) for one in found}


def test_a_store_without_users_has_an_empty_list(level21_bolt: Path) -> None:
    def empty(tx: MetaTx) -> None:
        for key, _ in list(tx.table("usersv1").items()):
            tx.table("usersv1").delete(key)

    edit(level21_bolt, empty)
    with open_view(level21_bolt) as view:
        assert read(list_users(view.tx)) == []
        rows = read(list_organizations(view.tx))
    assert rows[0].owners == (Member(user_id="08371db1dd8c8000", user=None),)


def test_members_and_the_owner_of_the_instance_are_told_apart(made: MadeStore) -> None:
    def own_instance(tx: MetaTx) -> None:
        key = b"0000000000000001" + made.alice.encode()
        tx.table("userresourcemappingsv1").put(
            key,
            b'{"userID":"%s","userType":"owner","mappingType":"user","resourceType":"instance",'
            b'"resourceID":"0000000000000001"}' % made.alice.encode(),
        )

    edit(made.path, own_instance)
    with open_view(made.path) as view:
        users = {row.name: row for row in read(list_users(view.tx))}
        organizations = {row.name: row for row in read(list_organizations(view.tx))}
    assert users["alice"].is_instance_owner
    assert not users["bob"].is_instance_owner
    assert not users["alice"].has_password
    assert {one.organization for one in users["alice"].memberships} == {"acme", "other"}
    assert [one.role for one in users["bob"].memberships] == ["member"]
    assert [one.user for one in organizations["acme"].owners] == ["alice"]
    assert [one.user for one in organizations["acme"].members] == ["bob"]


def test_a_running_server_is_in_the_way(made: MadeStore) -> None:
    with locked(made.path, exclusive=True), pytest.raises(StoreBusyError):
        open_view(made.path, timeout_s=0).__enter__()


@pytest.mark.damages
def test_a_damaged_tree_is_an_error_while_walking(level21_bolt: Path) -> None:
    content = bytearray(level21_bolt.read_bytes())
    place = content.index(b'{"id":"08371deae98c8000"') & ~4095
    while True:
        content[place + 8 : place + 10] = b"\xff\xff"
        place = content.find(b'{"id":"08371deae98c8000"', place + 4096) & ~4095
        if place < 0 or not place:
            break
    level21_bolt.write_bytes(content)
    with open_view(level21_bolt) as view, pytest.raises(StoreDamagedError):
        list(list_authorizations(view.tx).rows)
