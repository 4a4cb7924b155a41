"""Authorizations."""

import json
import re
import tracemalloc
from collections.abc import Callable
from random import Random

import msgspec
import pytest

from recovery.model.authorization import (
    FIELDS,
    INACTIVE,
    Authorization,
    AuthorizationDecoder,
    OperatorClassifier,
    decode_authorization,
    new_authorization,
)
from recovery.model.gojson import Json, UndecodableError, encode
from recovery.model.ids import Id
from recovery.model.permission import OperatorLevel, Permission, operator_permissions
from recovery.model.token import TokenForm, hash_token
from recovery.secret import Secret

TOKEN = "4-pZrlm84u9uiMVrPBeITe46KxfdEnvTX5H2CZh38BtAsXX4O47b8QwZ9jHL_Cek2w-VbVfRxDpo0Mu8ORiqyQ=="
NOW = "2026-01-02T03:04:05.6Z"

# Spec section 4.6.
SAMPLE = (
    b'{"id":"08371deae98c8000","token":"' + TOKEN.encode() + b'","status":"active",'
    b'"description":"testuser\'s read buckets token","orgID":"dd7cd2292f6e974a",'
    b'"userID":"08371db1dd8c8000","permissions":[{"action":"read","resource":{"type":"buckets",'
    b'"orgID":"dd7cd2292f6e974a"}}],"createdAt":"2021-09-28T08:56:23.718372-04:00",'
    b'"updatedAt":"2021-09-28T08:56:42.633039-04:00"}'
)
READ_BUCKETS = Permission(action="read", type="buckets", org_id=Id("dd7cd2292f6e974a"))


def _facts(found: Authorization) -> tuple[object, ...]:
    """Everything but the document, which differs between two ways of writing one record."""
    token, hashed = found.token, found.hashed_token
    return (
        found.id,
        token and token.reveal(),
        hashed and hashed.reveal(),
        found.status,
        found.description,
        found.org_id,
        found.user_id,
        found.permissions(),
        found.created_at,
        found.updated_at,
    )


def test_the_sample_authorization_is_read() -> None:
    assert _facts(decode_authorization(SAMPLE)) == (
        "08371deae98c8000",
        TOKEN,
        None,
        "active",
        "testuser's read buckets token",
        "dd7cd2292f6e974a",
        "08371db1dd8c8000",
        [READ_BUCKETS],
        "2021-09-28T08:56:23.718372-04:00",
        "2021-09-28T08:56:42.633039-04:00",
    )


def test_a_new_authorization_is_written_as_the_sample() -> None:
    found = new_authorization(
        authorization_id=Id("08371deae98c8000"),
        token=Secret(TOKEN),
        form=TokenForm.RAW,
        description="testuser's read buckets token",
        org_id=Id("dd7cd2292f6e974a"),
        user_id=Id("08371db1dd8c8000"),
        permissions=[READ_BUCKETS],
        now=NOW,
    )
    assert found.document == re.sub(rb'At":"[^"]+"', b'At":"' + NOW.encode() + b'"', SAMPLE)


def test_a_new_hashed_authorization_has_the_fields_of_the_recipe() -> None:
    found = new_authorization(
        authorization_id=Id("08371deae98c8000"),
        token=Secret(TOKEN),
        form=TokenForm.SHA256,
        description="",
        org_id=Id("dd7cd2292f6e974a"),
        user_id=Id("08371db1dd8c8000"),
        permissions=operator_permissions(21),
        now=NOW,
    )
    assert list(json.loads(found.document)) == [name for name in FIELDS if name != "token"]
    assert found.form is TokenForm.SHA256
    assert found.hashed_token is not None
    assert found.hashed_token.matches(hash_token(Secret(TOKEN)))
    assert TOKEN.encode() not in found.document


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b'"status"', b'"STATUS"', id="letter case"),
        pytest.param(b'"token"', b'"Token"', id="letter case of the token"),
        pytest.param(b'{"id"', b'{"new":{"a":[1]},"id"', id="unknown field"),
        pytest.param(b'"08371deae98c8000"', b'"08371DEAE98C8000"', id="upper-case id"),
        pytest.param(b'"08371db1dd8c8000"', b'"08371DB1DD8C8000"', id="upper-case user"),
        pytest.param(b'{"id"', b'{"hashedToken":null,"id"', id="null"),
        pytest.param(b'{"id"', b'{"hashedToken":"","id"', id="empty hash"),
        pytest.param(b'{"id"', b' {\n\t"id" ', id="blanks"),
        pytest.param(b'"status":"active"', b'"status":"x","status":"active"', id="repeated"),
        pytest.param(b'{"id"', b'{"new":"\xff","id"', id="broken UTF-8 elsewhere"),
        pytest.param(b'{"id"', b'{"new":"\\ud800","id"', id="half a pair elsewhere"),
    ],
)
def test_a_record_is_read_as_go_does_however_it_is_written(before: bytes, after: bytes) -> None:
    document = SAMPLE.replace(before, after, 1)
    assert document != SAMPLE
    assert _facts(decode_authorization(document)) == _facts(decode_authorization(SAMPLE))


def test_broken_utf8_in_the_description_is_mended() -> None:
    found = decode_authorization(SAMPLE.replace(b"read buckets", b"\xff\xfe"))
    assert found.description == "testuser's \ufffd\ufffd token"


def test_an_authorization_without_a_user_is_read() -> None:
    found = decode_authorization(SAMPLE.replace(b'"userID":"08371db1dd8c8000",', b""))
    assert found.user_id is None
    assert found.org_id == "dd7cd2292f6e974a"


def test_an_authorization_without_permissions_has_none() -> None:
    document = re.sub(rb'"permissions":\[.*?\],', b"", SAMPLE)
    assert decode_authorization(document).permissions() == []


@pytest.mark.parametrize(
    ("status", "is_active"), [("active", True), ("", True), ("inactive", False), ("x", False)]
)
def test_an_empty_status_counts_as_active(status: str, *, is_active: bool) -> None:
    document = SAMPLE.replace(b'"active"', encode(status))
    assert decode_authorization(document).is_active is is_active


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"id":"08371deae98c8000",', b""),
        (b'"08371deae98c8000"', b'"canary"'),
        (b'"dd7cd2292f6e974a"', b'"canary"'),
        (b'"08371db1dd8c8000"', b'"0000000000000000"'),
        (b'"08371db1dd8c8000"', b'""'),
        (b'"active"', b'["canary"]'),
        (b'"' + TOKEN.encode() + b'"', b"7"),
        (b"23.718372-04:00", b"23.718372-0400"),
        (b"09-28T08:56:42", b"09-31T08:56:42"),
        (b'"orgID":"dd7cd2292f6e974a","userID"', b'"orgID" "canary","userID"'),
    ],
)
def test_what_the_server_could_not_decode_is_refused_without_its_content(
    before: bytes, after: bytes
) -> None:
    document = SAMPLE.replace(before, after, 1)
    assert document != SAMPLE
    with pytest.raises(UndecodableError) as caught:
        decode_authorization(document)
    assert "canary" not in repr(caught.value)
    assert TOKEN not in repr(caught.value)


@pytest.mark.parametrize("size_bytes", range(0, len(SAMPLE), 7))
def test_a_cut_record_is_refused(size_bytes: int) -> None:
    with pytest.raises(UndecodableError):
        decode_authorization(SAMPLE[:size_bytes])


def test_neither_text_nor_json_of_a_record_shows_its_token() -> None:
    found = decode_authorization(SAMPLE)
    assert TOKEN not in f"{found} {found!r}"
    with pytest.raises(TypeError):
        msgspec.json.encode(found)


def test_another_status_changes_two_fields_only() -> None:
    stored = SAMPLE.replace(b'{"id"', b'{"new":{"a": [1.0]},"id"')
    found = decode_authorization(stored).with_status(INACTIVE, now=NOW)
    assert found.document == stored.replace(b'"active"', b'"inactive"').replace(
        b"2021-09-28T08:56:42.633039-04:00", NOW.encode()
    )


def test_added_permissions_go_behind_those_that_keep_their_bytes() -> None:
    stored = SAMPLE.replace(b'{"action":"read"', b'{ "action" : "read"')
    added = [Permission(action="read", type="remotes"), Permission(action="write", type="remotes")]
    found = decode_authorization(stored).with_permissions_added(added, now=NOW)
    assert b'[{ "action" : "read","resource"' in found.document
    assert found.permissions() == [READ_BUCKETS, *added]


def test_permissions_are_added_to_a_null_list() -> None:
    stored = re.sub(rb'"permissions":\[.*?\]', b'"permissions":null', SAMPLE)
    found = decode_authorization(stored).with_permissions_added([READ_BUCKETS], now=NOW)
    assert found.permissions() == [READ_BUCKETS]


def test_permissions_are_not_added_to_what_is_no_list() -> None:
    stored = re.sub(rb'"permissions":\[.*?\]', b'"permissions":{}', SAMPLE)
    with pytest.raises(UndecodableError, match="permissions are no list"):
        decode_authorization(stored).with_permissions_added([READ_BUCKETS], now=NOW)


def _with_permissions(permissions: bytes) -> Authorization:
    return decode_authorization(re.sub(rb"\[.*?\]", lambda _: permissions, SAMPLE))


def _operator_list(level: int) -> bytes:
    return encode([permission.to_json() for permission in operator_permissions(level)])


def test_a_list_is_summed_up() -> None:
    summary = OperatorClassifier(level=21).summary(_with_permissions(_operator_list(21)))
    assert (summary.operator.level, summary.count) == (OperatorLevel.FULL, 44)
    assert summary.permissions_json == _operator_list(21)


def test_the_level_decides_what_an_operator_is() -> None:
    older = _with_permissions(_operator_list(18))
    levels = [OperatorClassifier(level=level).status(older).level for level in (18, 21)]
    assert levels == [OperatorLevel.FULL, OperatorLevel.PARTIAL]


def test_lists_of_one_length_are_not_mixed_up() -> None:
    """The list met last is remembered by its length."""
    lists = [
        b'[{"action":"read","resource":{"type":"' + kind + b'"}}]'
        for kind in (b"checks", b"labels", b"checks", b"orgs", b"labels")
    ]
    reader = OperatorClassifier(level=21)
    found = [reader.summary(_with_permissions(one)).permissions_json for one in lists * 2]
    assert found == lists * 2


def test_more_lists_than_are_remembered_are_still_told_apart() -> None:
    reader = OperatorClassifier(level=21)
    for number in [*range(1, 4200), *range(1, 4200, 100)]:
        listed = b'[{"action":"read","resource":{"type":"buckets","id":"%016x"}}]' % number
        assert reader.summary(_with_permissions(listed)).permissions_json == listed


def test_huge_lists_are_not_remembered() -> None:
    reader = OperatorClassifier(level=21)
    entry = b'{"action":"read","resource":{"type":"buckets"}},'
    tracemalloc.start()
    try:
        for count in range(2000, 2050):
            listed = b"[" + (entry * count)[:-1] + b"]"
            assert reader.summary(_with_permissions(listed)).count == count
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 1_000_000


def test_a_null_list_is_passed_on_as_an_empty_one() -> None:
    summary = OperatorClassifier(level=21).summary(_with_permissions(b"null"))
    assert (summary.count, summary.permissions_json) == (0, b"[]")


def test_a_list_with_broken_utf8_is_passed_on_mended() -> None:
    listed = b'[{"action":"read","resource":{"type":"buckets\xff"}}]'
    summary = OperatorClassifier(level=21).summary(_with_permissions(listed))
    assert summary.count == 1
    assert json.loads(summary.permissions_json)[0]["resource"] == {"type": "buckets\ufffd"}


@pytest.mark.parametrize("permissions", [b"{}", b'"x"', b'[{"resource":{"id":"x"}}]'])
def test_a_list_that_the_server_could_not_decode_is_refused(permissions: bytes) -> None:
    with pytest.raises(UndecodableError):
        OperatorClassifier(level=21).summary(_with_permissions(permissions))


# -- many records --------------------------------------------------------------------------------


def _outcome(decode: Callable[[bytes], Authorization], document: bytes) -> object:
    """Everything that is read of a document, or why it is refused."""
    try:
        found = decode(document)
        return (_facts(found), found.permissions_json, found.document)
    except UndecodableError as error:
        return error.problem


LIST = SAMPLE[SAMPLE.index(b"[") : SAMPLE.index(b"]") + 1]


@pytest.mark.parametrize(
    "document",
    [
        SAMPLE.replace(b"active", b"inactive").replace(b'token"', b'hashedToken"'),
        SAMPLE.replace(LIST, LIST.replace(b"read", b"writ")),
        SAMPLE.replace(LIST, b"null"),
        SAMPLE.replace(b"testuser", "\N{SNOWMAN}".encode()),
        SAMPLE.replace(b"testuser", b"\xff"),
        SAMPLE.replace(b"testuser", rb"\u003c"),
        SAMPLE.replace(b"testuser", b',\\"permissions\\":' + LIST),
        SAMPLE.replace(b"2021-09-28T08:56:23", b"2020-02-29T08:56:23"),
        SAMPLE.replace(b"2021-09-28T08:56:23", b"2021-02-29T08:56:23"),
        SAMPLE.replace(b"}", b',"permissions":null}', SAMPLE.count(b"}")),
        SAMPLE[:-1] + b',"permissions":null}',
        SAMPLE[:-1] + b',"createdAt":"2021-09-28T08:56:23Z"}',
        SAMPLE + b" ",
        SAMPLE + b"x",
        SAMPLE.replace(b'"permissions":' + LIST, b'"more":{"permissions":' + LIST + b"}"),
    ],
)
def test_a_decoder_of_many_reads_each_record_as_it_is_read_alone(document: bytes) -> None:
    decode = AuthorizationDecoder().decode
    decode(SAMPLE)
    for each in (document, SAMPLE, document):
        assert _outcome(decode_authorization, each) == _outcome(decode, each)


def test_a_decoder_of_many_is_not_misled_by_a_damaged_byte() -> None:
    decode = AuthorizationDecoder().decode
    decode(SAMPLE)
    draw = Random(1)
    bytes_ = b'"\\{}[]:,0aZ \x00\xff'
    for place in range(len(SAMPLE)):
        for end in (place, place + 1):
            wrong = SAMPLE[:place] + bytes([draw.choice(bytes_)]) + SAMPLE[end:]
            assert _outcome(decode_authorization, wrong) == _outcome(decode, wrong)


@pytest.mark.parametrize(
    "document",
    [
        SAMPLE,
        SAMPLE.replace(b'"status"', b'"hashedToken":"$influxdb2-sha256$x","status"'),
        SAMPLE[:-1] + b',"Token":"another","more":[1]}',
        SAMPLE.replace(b"testuser", rb"\u003c"),
        SAMPLE.replace(b'"id"', b' "id"'),
        SAMPLE.replace(b'token"', b'hashedToken"'),
        SAMPLE.replace(b'"createdAt"', b'"createdat"'),
    ],
)
@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("is_anew", [False, True])
def test_a_field_changed_at_its_place_is_as_if_the_record_had_been_taken_apart(
    document: bytes, *, is_raw: bool, is_anew: bool
) -> None:
    before = decode_authorization(document)
    text = "another<token>\N{SNOWMAN}"
    changes: dict[str, Json] = {
        "token": text if is_raw else None,
        "hashedToken": None if is_raw else text,
    }
    token, hashed = (Secret(text), None) if is_raw else (None, Secret(text))
    now, new_id = "2026-11-30T12:00:00Z", Id("00000000000000aa")
    if is_anew:
        changes |= {"id": new_id, "createdAt": now, "updatedAt": now}
        after = before.with_token(token, hashed, new_id=new_id, now=now)
    else:
        after = before.with_token(token, hashed)
    assert after.document == before.rewritten(changes)
    assert _facts(after) == _facts(decode_authorization(after.document))
    idle = before.with_status("inactive", now=now)
    assert idle.document == before.rewritten({"status": "inactive", "updatedAt": now})
    assert _facts(idle) == _facts(decode_authorization(idle.document))
