"""Permissions, sets of them, and what they make of a token."""

import pytest

from recovery.model.gojson import UndecodableError, encode
from recovery.model.ids import Id
from recovery.model.permission import (
    ALL_TYPES,
    BASE_TYPES,
    OperatorLevel,
    Permission,
    all_access_permissions,
    classify,
    decode_permissions,
    operator_permissions,
    types_of_level,
)

ORG, OTHER_ORG = Id("dd7cd2292f6e974a"), Id("dd7cd2292f6e974b")
USER = Id("08371db1dd8c8000")
ONE, OTHER = Id("a4400ee87566e12a"), Id("a4400ee87566e12b")


def _permission(kind: str = "buckets", *, action: str = "read", **scope: Id) -> Permission:
    return Permission(action=action, type=kind, id=scope.get("id"), org_id=scope.get("org_id"))


@pytest.mark.parametrize(
    ("level", "count"), [(11, 18), (15, 18), (16, 20), (17, 20), (18, 20), (19, 22), (21, 22)]
)
def test_a_level_has_its_number_of_types(level: int, count: int) -> None:
    assert len(types_of_level(level)) == count
    assert types_of_level(level) == ALL_TYPES[:count]


@pytest.mark.parametrize(("level", "count"), [(15, 36), (18, 40), (19, 44), (20, 44), (21, 44)])
def test_an_operator_has_two_permissions_a_type_in_the_order_of_the_server(
    level: int, count: int
) -> None:
    found = operator_permissions(level)
    assert len(found) == count
    assert all(permission.is_global for permission in found)
    assert [str(permission) for permission in found[:3]] == [
        "read:authorizations",
        "write:authorizations",
        "read:buckets",
    ]


@pytest.mark.parametrize(("level", "count"), [(15, 35), (18, 39), (21, 43)])
def test_all_access_is_bound_to_one_organization_and_one_user(level: int, count: int) -> None:
    found = all_access_permissions(level, org_id=ORG, user_id=USER)
    assert len(found) == count
    assert not any(permission.is_global for permission in found)
    texts = [str(permission) for permission in found]
    assert [text for text in texts if ":orgs/" in text and text.count("/") == 1] == [
        f"read:orgs/{ORG}"
    ]
    assert f"read:users/{USER}" in texts
    assert f"write:users/{USER}" in texts
    assert f"write:orgs/{ORG}/dbrp" in texts


def test_an_instance_is_never_part_of_a_standard_set() -> None:
    both = [*operator_permissions(21), *all_access_permissions(21, org_id=ORG, user_id=USER)]
    assert "instance" not in {permission.type for permission in both}


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (_permission(), "read:buckets"),
        (_permission(id=ONE), f"read:buckets/{ONE}"),
        (_permission(org_id=ORG), f"read:orgs/{ORG}/buckets"),
        (_permission(id=ONE, org_id=ORG), f"read:orgs/{ORG}/buckets/{ONE}"),
    ],
)
def test_a_permission_is_written_as_influxd_does(permission: Permission, text: str) -> None:
    assert str(permission) == text


@pytest.mark.parametrize(
    ("permission", "document"),
    [
        (_permission(), b'[{"action":"read","resource":{"type":"buckets"}}]'),
        (
            _permission(id=ONE, org_id=ORG),
            (
                b'[{"action":"read","resource":'
                b'{"type":"buckets","id":"a4400ee87566e12a","orgID":"dd7cd2292f6e974a"}}]'
            ),
        ),
    ],
)
def test_a_permission_is_stored_without_what_it_lacks(
    permission: Permission, document: bytes
) -> None:
    assert encode([permission.to_json()]) == document
    assert decode_permissions(document) == [permission]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            b'[{"Action":"read","resource":{"TYPE":"buckets","ID":"A4400EE87566E12A"}}]',
            id="letter case",
        ),
        pytest.param(
            b'[{"x":1,"action":"read","resource":{"type":"buckets","id":"a4400ee87566e12a",'
            b'"name":"b"}}]',
            id="unknown fields",
        ),
        pytest.param(
            b'[{"action":"read","resource":{"type":"buckets","id":"a4400ee87566e12a",'
            b'"orgID":null}}]',
            id="null",
        ),
        pytest.param(
            b'[{"action":"read","resource":{"type":"buckets","id":"a4400ee87566e12a",'
            b'"name":"\xff"}}]',
            id="broken UTF-8",
        ),
    ],
)
def test_a_permission_is_read_as_go_does(document: bytes) -> None:
    assert decode_permissions(document) == [_permission(id=ONE)]


@pytest.mark.parametrize("document", [b"null", b"[]"])
def test_no_list_is_an_empty_list(document: bytes) -> None:
    assert decode_permissions(document) == []


@pytest.mark.parametrize("document", [b"[null]", b"[{}]", b'[{"resource":null}]'])
def test_a_blank_permission_is_read_as_go_does(document: bytes) -> None:
    assert decode_permissions(document) == [Permission(action="", type="")]


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b'"canary"',
        b'["canary"]',
        b'[{"action":["canary"],"resource":{"type":"buckets"}}]',
        b'[{"action":"read","resource":"canary"}]',
        b'[{"action":"read","resource":{"type":"buckets","id":"canary"}}]',
        b'[{"action":"read","resource":{"type":"buckets","orgID":"0000000000000000"}}]',
        b'[{"action":"read","resource":{"type":"canary"}}',
        b"",
    ],
)
def test_what_is_no_permission_list_is_refused_without_its_content(document: bytes) -> None:
    with pytest.raises(UndecodableError) as caught:
        decode_permissions(document)
    assert "canary" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("level", [15, 18, 21])
def test_the_operator_set_of_a_level_makes_a_full_operator(level: int) -> None:
    status = classify(operator_permissions(level), level=level)
    assert (status.level, status.lacks, str(status)) == (OperatorLevel.FULL, (), "full")
    assert status.is_operator


def test_order_and_repetition_do_not_matter() -> None:
    shuffled = sorted(operator_permissions(21) * 2, key=str, reverse=True)
    assert classify(shuffled, level=21).level is OperatorLevel.FULL


def test_more_than_the_operator_set_is_a_full_operator() -> None:
    held = [*operator_permissions(21), _permission("canary"), _permission("instance")]
    assert classify(held, level=15).level is OperatorLevel.FULL


def test_an_operator_of_2_0_is_partial_on_a_newer_store() -> None:
    status = classify(operator_permissions(15), level=21)
    assert status.level is OperatorLevel.PARTIAL
    assert status.is_operator
    assert str(status) == (
        "partial (lacks read/write notebooks, annotations, remotes, replications)"
    )
    assert len(status.lacks) == 8


def test_a_partial_operator_names_single_actions() -> None:
    held = [p for p in operator_permissions(21) if str(p) not in {"write:remotes", "read:remotes"}]
    held = [p for p in held if str(p) != "write:notebooks"]
    status = classify(held, level=21)
    assert str(status) == "partial (lacks write notebooks; read/write remotes)"
    assert status.lacks == (("write", "notebooks"), ("read", "remotes"), ("write", "remotes"))


def test_one_base_type_less_is_no_operator_but_may_administer() -> None:
    held = [p for p in operator_permissions(21) if str(p) != "write:dbrp"]
    status = classify(held, level=21)
    assert status.level is OperatorLevel.ADMINISTRATOR
    assert not status.is_operator
    assert status.lacks == (("write", "dbrp"),)
    assert str(status) == ""


@pytest.mark.parametrize("kind", ["authorizations", "users", "orgs"])
def test_an_administrator_needs_all_three(kind: str) -> None:
    held = [p for p in operator_permissions(21) if p.type in {"authorizations", "users", "orgs"}]
    assert classify(held, level=21).level is OperatorLevel.ADMINISTRATOR
    less = [p for p in held if p != _permission(kind, action="write")]
    assert classify(less, level=21).level is OperatorLevel.NONE


def test_all_access_is_no_operator() -> None:
    held = all_access_permissions(21, org_id=ORG, user_id=USER)
    assert classify(held, level=21).level is OperatorLevel.NONE


@pytest.mark.parametrize("scope", [{"id": ONE}, {"org_id": ORG}])
def test_a_bound_permission_does_not_count(scope: dict[str, Id]) -> None:
    held = operator_permissions(21)[1:]
    held.append(_permission("authorizations", **scope))
    assert classify(held, level=21).level is OperatorLevel.NONE


def test_a_token_with_the_instance_is_a_full_operator_where_servers_know_it() -> None:
    held = [_permission("instance", action=action, id=ONE) for action in ("read", "write")]
    assert classify(held, level=20).level is OperatorLevel.FULL
    assert classify(held, level=19).level is OperatorLevel.NONE


def test_reading_the_instance_is_not_enough() -> None:
    assert classify([_permission("instance")], level=21).level is OperatorLevel.NONE


def test_no_permission_is_nothing() -> None:
    status = classify([], level=21)
    assert (status.level, status.lacks) == (OperatorLevel.NONE, ())


def test_the_base_types_are_those_of_2_0() -> None:
    assert len(BASE_TYPES) == 18
    assert BASE_TYPES[0] == "authorizations"
    assert BASE_TYPES[-1] == "dbrp"


def test_the_words_for_programs_stay() -> None:
    words = ["full", "partial", "administrator", "none"]
    assert [one.value for one in OperatorLevel] == words
