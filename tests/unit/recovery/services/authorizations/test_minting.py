"""Minting an operator token: who, where, in which form, and what is verified."""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import bolt_store
from recovery.errors import (
    AmbiguousError,
    ExitCode,
    NotFoundError,
    RecoveryError,
    RefusedError,
    StoreDamagedError,
)
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import IdSource
from recovery.model.permission import operator_permissions
from recovery.secret import Secret
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.changes.plan import Plan
from tests.support.hints import hint_of
from tests.support.invariants import assert_invariants
from tests.support.oracle import Dump
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    CHANGED_AT_TEXT,
    LEVELS,
    OPERATOR_TOKEN,
    MemoryDestination,
    SeededRng,
    change,
    difference,
    edit,
    make_store,
)

REQUEST = CreateAuthorization(
    operation="auth create-operator",
    request=PermissionRequest(is_operator=True),
    username=None,
    organization=None,
    description=None,
    form=FormChoice.BY_STORE,
    server_hashes=None,
    clock=FixedClock(CHANGED_AT),
    rng=SeededRng(),
)
FOR_ALICE = replace(REQUEST, username="alice", organization="acme")


def request(made: CreateAuthorization = REQUEST, **changes: Any) -> CreateAuthorization:  # noqa: ANN401 # any field
    """Return a request with random numbers of its own."""
    return replace(made, rng=SeededRng(), **changes)


def mint(
    path: Path, wanted: CreateAuthorization
) -> tuple[Secret, dict[str, Any], dict[str, bytes]]:
    """Mint; return the token, the record, and the index entries by bucket, keys first."""
    before = Dump.of_file(path)
    destination = MemoryDestination()
    change(path, wanted, destination=destination)
    found = difference(before, Dump.of_file(path))
    assert found.removed == {}
    assert found.changed == {}
    ((key, document),) = [
        (key, value) for (name, key), value in found.added.items() if name == "authorizationsv1"
    ]
    entries = {name: key for (name, key) in found.added if name != "authorizationsv1"}
    assert [value for (name, _), value in found.added.items() if name in entries] == [key]
    record = json.loads(document)
    assert record["id"].encode() == key
    assert destination.record_ids == [record["id"]]
    (token,) = destination.delivered
    return token, record, entries


def plan(path: Path, wanted: CreateAuthorization) -> Plan:
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return wanted.plan(tx)


def refusal(path: Path, wanted: CreateAuthorization) -> RecoveryError:
    with pytest.raises(RecoveryError) as caught:
        plan(path, wanted)
    return caught.value


# -- on the real stores --------------------------------------------------------------------------


def test_a_raw_token_on_the_real_store_of_level_17(level17_bolt: Path) -> None:
    token, record, entries = mint(level17_bolt, request())
    assert list(record) == [
        "id",
        "token",
        "status",
        "description",
        "orgID",
        "userID",
        "permissions",
        "createdAt",
        "updatedAt",
    ]
    assert record["token"] == token.reveal()
    assert record["status"] == "active"
    assert record["description"] == "testuser's Recovery Token"
    assert (record["userID"], record["orgID"]) == ("08371db1dd8c8000", "dd7cd2292f6e974a")
    assert (record["createdAt"], record["updatedAt"]) == (CHANGED_AT_TEXT, CHANGED_AT_TEXT)
    assert len(record["permissions"]) == 40
    assert entries == {"authorizationindexv1": token.reveal().encode()}


def test_a_hashed_token_on_the_real_store_of_level_21(level21_bolt: Path) -> None:
    token, record, entries = mint(level21_bolt, request())
    digest = hashlib.sha256(token.reveal().encode()).digest()
    hashed = f"$influxdb2-sha256${urlsafe_b64encode(digest).decode()}"
    assert "token" not in record
    assert record["hashedToken"] == hashed
    assert len(record["permissions"]) == 44
    assert entries == {"authorizationhashedindexv1": hashed.encode()}
    assert token.reveal().encode() not in level21_bolt.read_bytes()


def test_tokens_and_ids_have_the_form_that_servers_give_them(level17_bolt: Path) -> None:
    token, record, _ = mint(level17_bolt, request())
    assert re.fullmatch(r"[A-Za-z0-9_-]{86}==", token.reveal())
    assert re.fullmatch(r"[0-9a-f]{16}", record["id"])
    elapsed_ms = int(record["id"], 16) >> 22
    made_at = datetime(2017, 4, 9, tzinfo=UTC) + timedelta(milliseconds=elapsed_ms)
    assert made_at == CHANGED_AT.replace(microsecond=678000)


def test_two_mints_make_two_tokens(level21_bolt: Path) -> None:
    first, _, _ = mint(level21_bolt, request())
    second, record, _ = mint(level21_bolt, replace(REQUEST, rng=SeededRng(2)))
    assert not first.matches(second)
    assert record["description"] == "testuser's Recovery Token"


# -- the form ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_the_permissions_and_the_form_are_those_of_the_level(tmp_path: Path, level: int) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=level)
    _, record, entries = mint(made.path, request(FOR_ALICE))
    assert record["permissions"] == [one.to_json() for one in operator_permissions(level)]
    assert ("hashedToken" in record) is (level == 21)
    assert list(entries) == [
        "authorizationhashedindexv1" if level == 21 else "authorizationindexv1"
    ]
    assert_invariants(made.path)


@pytest.mark.parametrize(
    ("form", "server_hashes", "has_hashed", "is_hashed"),
    [
        (FormChoice.BY_STORE, None, False, True),
        (FormChoice.BY_STORE, True, False, True),
        (FormChoice.BY_STORE, False, False, False),
        (FormChoice.BY_STORE, False, True, True),
        (FormChoice.HASHED, False, False, True),
        (FormChoice.RAW, None, True, False),
        (FormChoice.RAW, True, True, False),
    ],
)
def test_the_form_follows_the_request_then_the_store_then_the_configuration(
    level21_bolt: Path,
    *,
    form: FormChoice,
    server_hashes: bool | None,
    has_hashed: bool,
    is_hashed: bool,
) -> None:
    if has_hashed:
        mint(level21_bolt, replace(REQUEST, form=FormChoice.HASHED, rng=SeededRng(9)))
    _, record, _ = mint(level21_bolt, request(form=form, server_hashes=server_hashes))
    assert ("hashedToken" in record, "token" in record) == (is_hashed, not is_hashed)


def test_a_raw_token_for_a_server_that_hashes_is_a_warning(level21_bolt: Path) -> None:
    found = plan(level21_bolt, request(form=FormChoice.RAW, server_hashes=True))
    assert "at its next start it will hash this one too" in found.warnings[0]
    assert plan(level21_bolt, request(form=FormChoice.RAW)).warnings == ()


def test_a_hash_is_refused_below_level_21(level17_bolt: Path) -> None:
    error = refusal(level17_bolt, request(form=FormChoice.HASHED))
    assert error.exit_code == ExitCode.REFUSED
    assert "level 17" in str(error)
    assert "--hashed" in hint_of(error, "auth create-operator")


# -- who and where -------------------------------------------------------------------------------


def test_user_and_organization_are_chosen_by_name(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    _, record, _ = mint(made.path, request(username="bob", organization=" other "))
    assert (record["userID"], record["orgID"]) == (made.bob, made.other_org)
    assert record["description"] == "bob's Recovery Token"


def test_with_several_of_them_one_must_be_named(tmp_path: Path) -> None:
    path = make_store(tmp_path / "influxd.bolt", level=21).path
    error = refusal(path, request(organization="acme"))
    assert isinstance(error, AmbiguousError)
    assert error.exit_code == ExitCode.REFUSED
    assert [one.split()[0] for one in error.candidates] == ["alice", "bob"]
    assert "--username" in hint_of(error, "auth create-operator")
    error = refusal(path, request(username="bob"))
    assert isinstance(error, AmbiguousError)
    assert "--org" in hint_of(error, "auth create-operator")


@pytest.mark.parametrize(
    ("username", "organization", "kind", "names"),
    [
        ("Alice", "acme", "user", ["alice", "bob"]),
        ("alice ", "acme", "user", ["alice", "bob"]),
        ("alice", "ACME", "organization", ["acme", "other"]),
        ("", "acme", "user", ["alice", "bob"]),
    ],
)
def test_an_unknown_name_is_answered_with_those_that_exist(
    tmp_path: Path, username: str, organization: str, kind: str, names: list[str]
) -> None:
    path = make_store(tmp_path / "influxd.bolt", level=21).path
    error = refusal(path, request(username=username, organization=organization))
    assert isinstance(error, NotFoundError)
    assert error.exit_code == ExitCode.NOT_FOUND
    assert (error.kind, sorted(error.existing)) == (kind, names)


def test_a_token_given_as_a_name_is_not_repeated_whole(level21_bolt: Path) -> None:
    token = "A9Ovdl8SmP" * 11
    error = refusal(level21_bolt, request(username=token))
    assert token not in f"{error}{hint_of(error)}"


def test_of_many_names_only_the_first_are_listed(level21_bolt: Path) -> None:
    def add(tx: MetaTx) -> None:
        ids = IdSource(FixedClock(CHANGED_AT), SeededRng())
        for number in range(30):
            tx.users.insert(ids.snowflake(), f"user{number}")

    edit(level21_bolt, add)
    error = refusal(level21_bolt, request(username="nobody"))
    assert isinstance(error, NotFoundError)
    assert len(error.existing) == 21
    assert error.existing[-1] == "and 11 more"


def test_a_name_is_escaped_in_an_error(level21_bolt: Path) -> None:
    user = b"08371db1dd8c8000"
    document = b'{"id":"%s","name":"evil\\u001b[2J\\u202e","status":"active"}' % user
    edit(level21_bolt, lambda tx: tx.table("usersv1").put(user, document))
    error = refusal(level21_bolt, request(username="x\x1b[2J"))
    assert str(error).isprintable()
    assert "\\x1b" in str(error)


def test_a_user_whose_index_entry_is_lost_can_still_get_a_token(level21_bolt: Path) -> None:
    """Sign-in fails for such a user; this is the way back in."""
    edit(level21_bolt, lambda tx: tx.table("userindexv1").delete(b"testuser"))
    edit(level21_bolt, lambda tx: tx.table("organizationindexv1").delete(b"myorg"))
    _, record, _ = mint(level21_bolt, request(username="testuser", organization="myorg"))
    assert record["userID"] == "08371db1dd8c8000"


def test_of_two_users_with_one_name_the_one_who_can_sign_in_is_meant(level21_bolt: Path) -> None:
    twin = b"0000000000000005"
    document = b'{"id":"0000000000000005","name":"testuser","status":"active"}'
    edit(level21_bolt, lambda tx: tx.table("usersv1").put(twin, document))
    _, record, _ = mint(level21_bolt, request(username="testuser"))
    assert record["userID"] == "08371db1dd8c8000"
    edit(level21_bolt, lambda tx: tx.table("userindexv1").delete(b"testuser"))
    error = refusal(level21_bolt, request(username="testuser"))
    assert isinstance(error, AmbiguousError)
    assert len(error.candidates) == 2


def with_status(status: str) -> Callable[[MetaTx], None]:
    """Set the status of the user of the real stores."""

    def apply(tx: MetaTx) -> None:
        (user,) = tx.users.walk([])
        tx.table("usersv1").put(user.id.encode(), user.rewritten({"status": status}))

    return apply


def test_an_inactive_user_is_refused(level21_bolt: Path) -> None:
    edit(level21_bolt, with_status("inactive"))
    error = refusal(level21_bolt, request())
    assert isinstance(error, RefusedError)
    assert "user testuser is inactive" in str(error)
    assert "403" in str(error)


def test_a_user_without_a_status_is_a_warning(level21_bolt: Path) -> None:
    edit(level21_bolt, with_status(""))
    (warning,) = plan(level21_bolt, request()).warnings
    assert "has no status" in warning


@pytest.mark.parametrize("table", ["usersv1", "organizationsv1"])
def test_a_store_that_nobody_has_set_up_is_refused(level21_bolt: Path, table: str) -> None:
    def empty(tx: MetaTx) -> None:
        for key, _ in list(tx.table(table).items()):
            tx.table(table).delete(key)

    edit(level21_bolt, empty)
    error = refusal(level21_bolt, request())
    assert error.exit_code == ExitCode.REFUSED
    assert "the store has no" in str(error)


# -- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "läuft & <weiter>\u2028", "x" * 5000])
def test_the_description_can_be_any_text(level21_bolt: Path, text: str) -> None:
    _, record, _ = mint(level21_bolt, request(description=text))
    assert record["description"] == text


def test_times_are_in_utc_whatever_the_clock_shows(level21_bolt: Path) -> None:
    clock = FixedClock(CHANGED_AT.astimezone(timezone(timedelta(hours=-5))))
    _, record, _ = mint(level21_bolt, request(clock=clock))
    assert record["createdAt"] == CHANGED_AT_TEXT


def test_an_id_that_is_taken_is_not_used_again(level21_bolt: Path) -> None:
    taken = plan(level21_bolt, request()).record_ids[0]
    edit(level21_bolt, lambda tx: tx.table("authorizationsv1").put(taken.encode(), b""))
    _, record, _ = mint(level21_bolt, request())
    assert int(record["id"], 16) == int(taken, 16) + 1


@pytest.mark.parametrize("index", ["authorizationindexv1", "authorizationhashedindexv1"])
def test_a_token_that_an_index_knows_is_not_used_again(level21_bolt: Path, index: str) -> None:
    drawn = plan(level21_bolt, request()).secret
    assert drawn is not None
    digest = urlsafe_b64encode(hashlib.sha512(drawn.reveal().encode()).digest()).decode()
    key = drawn.reveal() if index == "authorizationindexv1" else f"$influxdb2-sha512${digest}"
    edit(level21_bolt, lambda tx: tx.table(index).put(key.encode(), b"0000000000000005"))
    token, _, _ = mint(level21_bolt, request())
    assert not token.matches(drawn)


class StuckRng(SeededRng):
    """Always gives the same bytes."""

    def token_bytes(self, size_bytes: int) -> bytes:
        return b"x" * size_bytes


def test_a_generator_that_repeats_itself_is_refused(level21_bolt: Path) -> None:
    stuck = replace(REQUEST, rng=StuckRng())
    mint(level21_bolt, stuck)
    error = refusal(level21_bolt, stuck)
    assert "not random" in str(error)


def test_a_missing_index_is_refused_and_nothing_is_left(level21_bolt: Path) -> None:
    """A server would not start on such a store either."""
    name = "authorizationhashedindexv1"
    with bolt_store.open(level21_bolt, write=True) as db, db.update() as tx:
        tx.delete_bucket(name.encode())
    with pytest.raises(StoreDamagedError, match=f"lacks the bucket {name}"):
        change(level21_bolt, request(), destination=MemoryDestination())
    assert [one.name for one in level21_bolt.parent.iterdir()] == ["level21.bolt"]


def test_the_plan_shows_no_secret(level21_bolt: Path) -> None:
    found = plan(level21_bolt, request())
    assert found.secret is not None
    assert found.secret.reveal() not in f"{found!r}{found.steps}{found.facts}"
    assert json.loads(json.dumps(found.facts)) == {
        "authorization_id": found.record_ids[0],
        "user_id": "08371db1dd8c8000",
        "user": "testuser",
        "organization_id": "dd7cd2292f6e974a",
        "organization": "myorg",
        "description": "testuser's Recovery Token",
        "token_form": "sha256",
        "permission_count": 44,
        "permissions": [str(one) for one in operator_permissions(21)],
    }


# -- the verification ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda _tx, _id: None, None),
        (lambda tx, _: tx.table("authorizationhashedindexv1").delete(index_key(tx)), "not find"),
        (lambda tx, made: tx.table("authorizationsv1").delete(made), "not find"),
        (
            lambda tx, made: tx.table("authorizationsv1").put(made, b'{"id":"%s"}' % made),
            "not find",
        ),
        (lambda tx, _: with_status("inactive")(tx), "its user is inactive"),
        (lambda tx, made: replace_text(tx, made, b"Recovery", b"recovery"), "another record"),
    ],
)
def test_the_verification_notices_what_would_keep_a_client_out(
    level21_bolt: Path, spoil: Callable[[MetaTx, bytes], None], problem: str | None
) -> None:
    found = plan(level21_bolt, request())
    with MetaStore.open(level21_bolt, write=True) as store:
        with store.update() as tx:
            found.apply(tx)
            spoil(tx, found.record_ids[0].encode())
        with store.second_look() as tx:
            said = found.verify(tx)
    assert said is None if problem is None else problem in str(said)


def index_key(tx: MetaTx) -> bytes:
    """Return the only key of the index of hashes."""
    ((key, _),) = tx.table("authorizationhashedindexv1").items()
    return key


def replace_text(tx: MetaTx, key: bytes, old: bytes, new: bytes) -> None:
    document = tx.table("authorizationsv1").get(key)
    assert document is not None
    tx.table("authorizationsv1").put(key, document.replace(old, new))


def test_existing_tokens_still_open_their_records(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    mint(made.path, request(FOR_ALICE))
    with MetaStore.open(made.path, write=False) as store, store.view() as tx:
        authorization = tx.authorizations.find(Secret(OPERATOR_TOKEN))
    assert authorization is not None
    assert authorization.id == made.operator
