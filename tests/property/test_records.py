"""Records: any bytes are a record or one typed error; both ways of reading one agree."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.model.authorization import (
    FIELDS,
    Authorization,
    OperatorClassifier,
    decode_authorization,
)
from recovery.model.bucket import decode_bucket
from recovery.model.catalogue import (
    CatalogueError,
    decode_catalogue,
    empty_catalogue,
    with_database,
)
from recovery.model.display import displayed
from recovery.model.gojson import UndecodableError, encode
from recovery.model.ids import Id
from recovery.model.mapping import decode_mapping
from recovery.model.organization import decode_organization
from recovery.model.permission import decode_permissions
from recovery.model.schema import decode_migration
from recovery.model.user import decode_user
from recovery.ports import SystemRng

Decoder = Callable[[bytes], object]

DECODERS: list[Decoder] = [
    decode_authorization,
    decode_bucket,
    decode_mapping,
    decode_organization,
    decode_permissions,
    decode_user,
    lambda document: decode_migration(b"0000000000000015", document),
]
ID = '"a4400ee87566e12a"'
VALUES = st.sampled_from(
    [
        ID,
        '"A4400EE87566E12A"',
        '"0000000000000000"',
        '""',
        '"active"',
        '"owner"',
        '"\\ud800"',
        '"2021-09-28T12:55:25.442475Z"',
        "null",
        "1",
        "1.5",
        "[]",
        '[{"action":"read","resource":{"type":"orgs"}}]',
        "{}",
        "nul",
        '"cut',
    ]
)
NAMES = st.sampled_from(
    [
        *FIELDS,
        *("name", "type", "retentionPeriod", "userType", "mappingType", "resourceID"),
        *("resourceType", "started_at", "finished_at", "oauthID", "ID", "Token", "new"),
    ]
)
DOCUMENTS = st.lists(st.tuples(NAMES, VALUES), max_size=10).map(
    lambda members: "{%s}" % ",".join(f'"{name}":{value}' for name, value in members)  # noqa: UP031 # braces
)


@pytest.mark.parametrize("decode", DECODERS)
@given(document=st.binary(max_size=60) | DOCUMENTS.map(str.encode))
def test_any_bytes_are_a_record_or_undecodable(decode: Decoder, document: bytes) -> None:
    caught = None
    try:
        decode(document)
    except UndecodableError as error:
        caught = error
    assert caught is None or (str(caught), caught.__context__) == (caught.problem, None)


def _facts(found: Authorization) -> tuple[object, ...]:
    token, hashed = found.token, found.hashed_token
    return (
        *(found.id, found.status, found.description, found.org_id, found.user_id),
        *(token and token.reveal(), hashed and hashed.reveal()),
        *(found.permissions_json, found.created_at, found.updated_at),
    )


def _outcome(document: bytes) -> object:
    try:
        return _facts(decode_authorization(document))
    except UndecodableError as error:
        return error.problem


TIMES = st.sampled_from(["2021-09-28T12:55:25.442475Z", "2020-02-29T00:00:00+02:00", "never"])
IDS = st.sampled_from(["a4400ee87566e12a", "A4400EE87566E12A", "0" * 16, "", "x"])
MEMBERS = st.fixed_dictionaries(
    {"id": IDS},
    optional={
        "token": st.text(max_size=4),
        "hashedToken": st.text(max_size=4),
        "status": st.sampled_from(["active", "inactive", ""]),
        "description": st.text(max_size=4),
        "orgID": IDS,
        "userID": IDS,
        "permissions": st.none() | st.just([]) | st.just([{"action": "read"}]),
        "createdAt": TIMES,
        "updatedAt": TIMES,
    },
)


@given(MEMBERS)
def test_the_fast_and_the_slow_way_read_the_same_authorization(
    members: dict[str, object],
) -> None:
    """A field that the fast decoder does not know makes it give up, and changes nothing else."""
    plain = encode(members)  # type: ignore[arg-type] # texts and lists
    slow = plain.replace(b"{", b'{"new":1,', 1)
    assert _outcome(plain) == _outcome(slow)


@given(st.lists(st.binary(max_size=12), max_size=20))
def test_a_reader_of_lists_never_takes_one_for_another(parts: list[bytes]) -> None:
    reader = OperatorClassifier(level=21)
    for part in parts:
        listed = encode([{"action": part.hex(), "resource": {"type": "orgs"}}])
        document = b'{"id":"a4400ee87566e12a","permissions":' + listed + b"}"
        assert reader.summary(decode_authorization(document)).permissions_json == listed


@given(st.binary(max_size=80))
def test_any_bytes_are_a_catalogue_or_one_typed_error(content: bytes) -> None:
    try:
        catalogue = decode_catalogue(content)
    except CatalogueError:
        return
    assert catalogue.index >= 0


@given(
    names=st.lists(st.integers(1, (1 << 64) - 1), unique=True, max_size=6),
    retention_ns=st.integers(0, (1 << 63) - 1),
    shard_group_ns=st.integers(0, (1 << 63) - 1),
)
def test_databases_that_were_added_are_read_back(
    names: list[int], retention_ns: int, shard_group_ns: int
) -> None:
    content = empty_catalogue(SystemRng())
    for name in names:
        grown = with_database(
            content,
            name=Id(f"{name:016x}"),
            retention_ns=retention_ns,
            shard_group_ns=shard_group_ns,
        )
        assert len(grown) > len(content)
        content = grown
    catalogue = decode_catalogue(content)
    assert catalogue.index == len(names) + 1
    assert [database.name for database in catalogue.databases] == [f"{n:016x}" for n in names]
    assert {database.policies[0].retention_ns for database in catalogue.databases} <= {retention_ns}


@given(st.text())
def test_a_shown_text_is_printable_and_can_be_told_from_all_others(text: str) -> None:
    """Undoing the escapes gives the text back, so no two texts are shown the same."""
    shown = displayed(text)
    assert shown.isprintable()
    assert "  " not in shown
    assert shown == shown.strip()
    escaped = shown.encode("ascii", "backslashreplace")
    assert escaped.decode("unicode_escape") == text
