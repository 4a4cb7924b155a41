"""User-resource mappings."""

import pytest

from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.mapping import (
    INSTANCE_ID,
    ORGS,
    OWNER,
    by_user_key,
    decode_mapping,
    encode_mapping,
    mapping_key,
    organization_role,
)

USER = Id("08371db1dd8c8000")
ORG = Id("dd7cd2292f6e974a")
SAMPLE = (
    b'{"userID":"08371db1dd8c8000","userType":"owner","mappingType":"user",'
    b'"resourceType":"orgs","resourceID":"dd7cd2292f6e974a"}'
)


def test_the_sample_mapping_is_read() -> None:
    mapping = decode_mapping(SAMPLE)
    assert (mapping.user_id, mapping.user_type) == (USER, OWNER)
    assert (mapping.resource_type, mapping.resource_id) == (ORGS, ORG)


def test_a_new_mapping_is_written_as_the_sample() -> None:
    found = encode_mapping(organization_role(USER, ORG, OWNER))
    assert found == SAMPLE


def test_the_keys_are_those_of_the_sample_store() -> None:
    assert mapping_key(ORG, USER) == b"dd7cd2292f6e974a08371db1dd8c8000"
    assert by_user_key(ORG, USER) == b"08371db1dd8c8000/dd7cd2292f6e974a08371db1dd8c8000"


def test_the_instance_has_a_fixed_id() -> None:
    assert INSTANCE_ID == "0000000000000001"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"owner"', b'"king"'),
        (b'"owner"', b'""'),
        (b'"mappingType":"user"', b'"mappingType":"team"'),
        (b'"08371db1dd8c8000"', b"null"),
        (b'"dd7cd2292f6e974a"', b'"0000000000000000"'),
        (b'"orgs"', b"7"),
        (b"{", b'{"userid":"x",'),
    ],
)
def test_a_mapping_that_breaks_the_user_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_mapping(SAMPLE.replace(old, new))


def test_an_absent_mapping_type_is_that_of_a_user() -> None:
    assert decode_mapping(SAMPLE.replace(b'"mappingType":"user",', b"")).user_id == USER
