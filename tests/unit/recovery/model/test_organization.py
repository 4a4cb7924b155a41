"""Organizations."""

import pytest

from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.organization import decode_organization, encode_organization, index_name

SAMPLE = (
    b'{"id":"dd7cd2292f6e974a","name":"myorg","description":"",'
    b'"createdAt":"2021-09-28T12:55:25.442475Z","updatedAt":"2021-09-28T12:55:25.442475Z"}'
)


def test_the_sample_organization_is_read() -> None:
    organization = decode_organization(SAMPLE)
    assert (organization.id, organization.name) == ("dd7cd2292f6e974a", "myorg")
    assert organization.description == ""
    assert organization.created_at == organization.updated_at == "2021-09-28T12:55:25.442475Z"


def test_a_new_organization_is_written_as_the_sample() -> None:
    found = encode_organization(
        org_id=Id("dd7cd2292f6e974a"),
        name="myorg",
        description="",
        now="2021-09-28T12:55:25.442475Z",
    )
    assert found == SAMPLE


def test_a_renamed_organization_keeps_the_rest() -> None:
    found = decode_organization(SAMPLE).rewritten({"name": "R&D"})
    assert found == SAMPLE.replace(b"myorg", b"R\\u0026D")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("myorg", "myorg"),
        (" my org\t\n", "my org"),
        ("\u00a0\u3000x\u2028\x85", "x"),
        ("\u200bx", "\u200bx"),
        ("\x1fx\x1c", "\x1fx\x1c"),
        ("MyOrg", "MyOrg"),
        ("  ", ""),
    ],
)
def test_the_index_has_the_name_trimmed_as_go_does(name: str, expected: str) -> None:
    assert index_name(name) == expected


def test_times_may_be_absent() -> None:
    assert decode_organization(b'{"id":"dd7cd2292f6e974a"}').created_at == ""


def test_a_time_that_is_none_makes_the_record_undecodable() -> None:
    with pytest.raises(UndecodableError, match="createdAt is no time"):
        decode_organization(SAMPLE.replace(b"2021-09-28T12", b"2021-09-31T12"))
