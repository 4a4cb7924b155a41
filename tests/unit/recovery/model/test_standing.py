"""The one judge: what a server answers. Each line was seen on InfluxDB 2.9.1 itself."""

import json
from collections.abc import Mapping

import pytest

from recovery.model.authorization import Authorization, decode_authorization
from recovery.model.standing import (
    Answer,
    Obstacle,
    Standing,
    legacy_standing,
    sign_in_standing,
    token_standing,
    works_on_1x,
)
from recovery.model.user import User, decode_user

ID = "0cff2e2708da0001"
HASH = "$influxdb2-sha256$tNQn4VbAQgEgHYEptCwkeC6ov2uYZfzIGj6jRH_-eWI="
PASSWORD = b"$2a$10$PgvhXFogiRsXVHQxcHKEMOBRqI7yhTfiDMIQIKx1FaLMdM6LN0ND6"
RAW = {
    "id": ID,
    "token": "canary",
    "status": "active",
    "description": "",
    "orgID": ID,
    "userID": ID,
    "permissions": [],
}


def document(fields: Mapping[str, object], changes: Mapping[str, str | None]) -> bytes:
    """Encode fields with some changed; None leaves one out."""
    merged = {**fields, **changes}
    return json.dumps({name: one for name, one in merged.items() if one is not None}).encode()


def record(**changes: str | None) -> Authorization:
    return decode_authorization(document(RAW, changes))


def somebody(status: str = "active", name: str = "alice") -> User:
    return decode_user(document({"id": ID, "name": name, "status": status}, {}))


def judged(
    changes: dict[str, str | None],
    *,
    user: User | None = None,
    level: int = 21,
    has_entry: bool = True,
    server_hashes: bool | None = None,
) -> Standing:
    return token_standing(
        record(**changes),
        user,
        level=level,
        has_entry=has_entry,
        server_hashes=server_hashes,
    )


@pytest.mark.parametrize(
    ("changes", "status", "level", "answer"),
    [
        ({}, "active", 21, Answer.ACCEPTED),
        ({}, "", 21, Answer.ACCEPTED),
        ({}, "odd", 21, Answer.ACCEPTED),
        ({"status": ""}, "active", 21, Answer.ACCEPTED),
        ({}, "inactive", 21, Answer.FORBIDDEN),
        ({}, None, 21, Answer.FORBIDDEN),
        ({"userID": None}, None, 21, Answer.ACCEPTED),
        ({"status": "inactive"}, "active", 21, Answer.POWERLESS),
        ({"status": "inactive"}, "inactive", 21, Answer.FORBIDDEN),
        ({"token": None}, "active", 21, Answer.UNAUTHORIZED),
        ({"token": None, "hashedToken": HASH}, "active", 21, Answer.ACCEPTED),
        ({"token": None, "hashedToken": HASH}, "active", 20, Answer.UNAUTHORIZED),
        ({"token": None, "hashedToken": "$argon2$x"}, "active", 21, Answer.UNAUTHORIZED),
        ({"hashedToken": HASH}, "active", 20, Answer.ACCEPTED),
        ({"token": None, "hashedToken": HASH, "status": "odd"}, "active", 21, Answer.POWERLESS),
        ({"token": None, "hashedToken": HASH, "orgID": None}, "active", 21, Answer.ACCEPTED),
        ({"orgID": None}, "active", 20, Answer.ACCEPTED),
    ],
)
def test_a_token_is_answered_as_a_server_does(
    changes: dict[str, str | None], status: str | None, level: int, answer: Answer
) -> None:
    user = None if status is None else somebody(status)
    for server_hashes in (True, False, None):
        standing = judged(changes, user=user, level=level, server_hashes=server_hashes)
        assert standing.answer is answer
        assert (standing.reason is None) is (answer is Answer.ACCEPTED)


@pytest.mark.parametrize(
    ("changes", "has_entry", "hashing", "plain", "unknown"),
    [
        ({}, False, Answer.ACCEPTED, Answer.UNAUTHORIZED, Answer.UNAUTHORIZED),
        ({"orgID": None}, True, Answer.NO_START, Answer.ACCEPTED, Answer.NO_START),
        ({"status": "odd"}, True, Answer.NO_START, Answer.POWERLESS, Answer.NO_START),
        ({"hashedToken": HASH}, False, *(Answer.UNAUTHORIZED,) * 3),
    ],
)
def test_what_hashing_changes_is_said_and_the_worse_counts_when_it_is_unknown(
    changes: dict[str, str | None],
    has_entry: bool,  # noqa: FBT001 # a column of the table
    hashing: Answer,
    plain: Answer,
    unknown: Answer,
) -> None:
    for server_hashes, answer in ((True, hashing), (False, plain), (None, unknown)):
        standing = judged(
            changes, user=somebody(), has_entry=has_entry, server_hashes=server_hashes
        )
        assert standing.answer is answer
    if hashing is not plain:
        assert "a server that hashes tokens" in str(
            judged(changes, user=somebody(), has_entry=has_entry).reason
        )


def test_a_user_that_cannot_be_decoded_is_told_from_one_that_does_not_exist() -> None:
    opaque = token_standing(record(), None, level=21, has_entry=True, has_opaque_user=True)
    assert (opaque.answer, opaque.reason) == (Answer.FORBIDDEN, "its user cannot be decoded")
    assert judged({}).reason == "its user does not exist"


@pytest.mark.parametrize(("status", "expected"), [("active", True), ("", False), ("odd", False)])
def test_the_1x_endpoints_want_exactly_an_active_user(status: str, expected: bool) -> None:  # noqa: FBT001 # a column of the table
    user = somebody(status)
    assert works_on_1x(judged({}, user=user), user) is expected
    assert not works_on_1x(judged({"userID": None}), None)


@pytest.mark.parametrize(
    ("status", "has_entry", "stored", "has_rights", "answer"),
    [
        ("active", True, PASSWORD, True, Answer.ACCEPTED),
        ("", True, PASSWORD, True, Answer.ACCEPTED),
        ("active", True, PASSWORD, False, Answer.POWERLESS),
        ("inactive", True, PASSWORD, False, Answer.FORBIDDEN),
        ("inactive", True, PASSWORD, True, Answer.FORBIDDEN),
        ("inactive", True, None, False, Answer.UNAUTHORIZED),
        ("active", False, PASSWORD, True, Answer.UNAUTHORIZED),
        ("active", True, b"no hash", True, Answer.UNAUTHORIZED),
    ],
)
def test_a_sign_in_is_answered_as_a_server_does(
    status: str,
    has_entry: bool,  # noqa: FBT001 # a column of the table
    stored: bytes | None,
    has_rights: bool,  # noqa: FBT001 # a column of the table
    answer: Answer,
) -> None:
    standing = sign_in_standing(
        somebody(status), has_entry=has_entry, stored_password=stored, has_rights=has_rights
    )
    assert standing.answer is answer
    assert bool(standing.obstacles) is (answer is not Answer.ACCEPTED)


@pytest.mark.parametrize(
    ("changes", "status", "has_entry", "stored", "is_usable"),
    [
        ({}, "active", True, PASSWORD, True),
        ({}, "", True, PASSWORD, False),
        ({}, None, True, PASSWORD, False),
        ({}, "inactive", True, PASSWORD, False),
        ({"status": "inactive"}, "active", True, PASSWORD, False),
        ({"token": None}, "active", True, PASSWORD, False),
        ({}, "active", False, PASSWORD, False),
        ({}, "active", True, None, False),
        ({}, "active", True, b"no hash", False),
    ],
)
def test_a_1x_log_in_is_answered_as_a_server_does(
    changes: dict[str, str | None],
    status: str | None,
    has_entry: bool,  # noqa: FBT001 # a column of the table
    stored: bytes | None,
    is_usable: bool,  # noqa: FBT001 # a column of the table
) -> None:
    user = None if status is None else somebody(status)
    standing = legacy_standing(record(**changes), user, has_entry=has_entry, stored_password=stored)
    assert standing.is_usable is is_usable
    assert bool(standing.because) is not is_usable


def test_the_words_for_programs_stay() -> None:
    words = ["accepted", "powerless", "unauthorized", "forbidden", "no start"]
    assert [one.value for one in Answer] == words


def test_what_a_sign_in_that_works_hides_is_told_to_a_person() -> None:
    behind = "so a sign-in is answered with 204, and all that follows with"
    assert Obstacle.INACTIVE.told == f"it is inactive, {behind} 403"
    assert Obstacle.SESSION_FAILS.told == f"{Obstacle.SESSION_FAILS}, {behind} 401"
    assert Obstacle.NO_ROLE.told == Obstacle.NO_ROLE


@pytest.mark.parametrize("hashing", [True, None])
def test_a_server_that_hashes_says_why_it_does_not_start(hashing: bool | None) -> None:  # noqa: FBT001 # a column
    without_org = judged({"orgID": None}, user=somebody(), server_hashes=hashing).reason
    by_status = judged({"status": "odd"}, user=somebody(), server_hashes=hashing).reason
    assert "organization" in str(without_org)
    assert "status" in str(by_status)


def test_permissions_that_cannot_be_decoded_keep_the_client_out() -> None:
    standing = token_standing(
        record(), somebody(), level=21, has_entry=True, has_opaque_permissions=True
    )
    assert not standing.is_usable
    assert "permissions" in str(standing.reason)


def test_an_inactive_token_is_told_from_one_with_an_odd_status() -> None:
    inactive = judged({"status": "inactive"}, user=somebody())
    odd = judged({"token": None, "hashedToken": HASH, "status": "odd"}, user=somebody())
    assert inactive.reason == "it is inactive"
    assert "neither" in str(odd.reason)


@pytest.mark.parametrize("has_rights", [True, False])
def test_only_who_sees_something_gets_in(has_rights: bool) -> None:  # noqa: FBT001 # a column
    standing = sign_in_standing(
        somebody(), has_entry=True, stored_password=PASSWORD, has_rights=has_rights
    )
    assert standing.is_usable is has_rights


@pytest.mark.parametrize(
    ("name", "has_entry", "stored", "status", "has_rights", "obstacles"),
    [
        ("alice", True, PASSWORD, "active", True, ()),
        ("", False, PASSWORD, "active", True, (Obstacle.NO_NAME,)),
        ("alice", False, PASSWORD, "active", True, (Obstacle.NO_ENTRY,)),
        ("alice", True, None, "active", True, (Obstacle.NO_PASSWORD,)),
        ("alice", True, b"no hash", "active", True, (Obstacle.BAD_PASSWORD,)),
        (
            *("alice", False, None, "inactive", False),
            (Obstacle.NO_ENTRY, Obstacle.NO_PASSWORD, Obstacle.INACTIVE, Obstacle.NO_ROLE),
        ),
    ],
)
def test_all_that_stands_in_the_way_of_a_sign_in_is_named(
    name: str,
    has_entry: bool,  # noqa: FBT001 # a column of the table
    stored: bytes | None,
    status: str,
    has_rights: bool,  # noqa: FBT001 # a column of the table
    obstacles: tuple[Obstacle, ...],
) -> None:
    user = somebody(status, name)
    standing = sign_in_standing(
        user, has_entry=has_entry, stored_password=stored, has_rights=has_rights
    )
    assert standing.obstacles == obstacles


@pytest.mark.parametrize(
    ("changes", "status", "has_entry", "stored", "count", "word"),
    [
        ({"token": None}, "active", False, PASSWORD, 1, "user name"),
        ({}, "active", False, PASSWORD, 1, "index"),
        ({}, "active", True, None, 1, "no password"),
        ({}, "active", True, b"no hash", 1, "bcrypt"),
        ({"status": "inactive"}, "active", True, PASSWORD, 1, "it is inactive"),
        ({}, None, True, PASSWORD, 1, "exist"),
        ({}, "inactive", True, PASSWORD, 1, "its user is inactive"),
        ({}, "", True, PASSWORD, 1, "no status"),
        ({"status": "inactive"}, None, False, None, 4, "index"),
    ],
)
def test_all_that_stands_in_the_way_of_a_1x_log_in_is_named(
    changes: dict[str, str | None],
    status: str | None,
    has_entry: bool,  # noqa: FBT001 # a column of the table
    stored: bytes | None,
    count: int,
    word: str,
) -> None:
    user = None if status is None else somebody(status)
    standing = legacy_standing(record(**changes), user, has_entry=has_entry, stored_password=stored)
    assert standing.answer is (Answer.UNAUTHORIZED if count else Answer.ACCEPTED)
    assert len(standing.because) == count
    assert word in str(standing.reason)
