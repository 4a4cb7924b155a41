"""Records known by what they hold."""

import pytest

from recovery.model.recognition import COUNTED, RecordKind, bucket_of, is_plausible, recognize

ID = b"0a00000000000001"
RECORDS = {
    RecordKind.USER: b'{"id":"0a00000000000001","name":"ada","status":"active"}',
    RecordKind.ORGANIZATION: b'{"id":"0a00000000000001","name":"acme","description":"",'
    b'"createdAt":"2024-01-01T00:00:00Z","updatedAt":"2024-01-01T00:00:00Z"}',
    RecordKind.BUCKET: b'{"id":"0a00000000000001","orgID":"0b00000000000001","type":0,'
    b'"name":"sensors","retentionPeriod":0}',
    RecordKind.AUTHORIZATION: b'{"id":"0a00000000000001","token":"' + b"t" * 88 + b'",'
    b'"status":"active","description":"d","orgID":"0b00000000000001",'
    b'"userID":"0c00000000000001","permissions":[]}',
}


@pytest.mark.parametrize("kind", COUNTED)
def test_each_kind_is_known_by_key_and_json(kind: RecordKind) -> None:
    found = recognize(ID, RECORDS[kind])
    assert found is not None
    assert (found.kind, found.id) == (kind, ID.decode())
    assert bucket_of(ID, RECORDS[kind]) == (kind.value.encode(),)
    assert "t" * 88 not in repr(found)


@pytest.mark.parametrize("kind", COUNTED)
def test_a_record_under_another_key_or_cut_short_is_none(kind: RecordKind) -> None:
    assert recognize(b"0a00000000000002", RECORDS[kind]) is None
    assert recognize(ID, RECORDS[kind][:-1]) is None
    assert recognize(ID + b"0", RECORDS[kind]) is None


def test_an_authorization_of_the_1x_api_may_belong_elsewhere() -> None:
    legacy = RECORDS[RecordKind.AUTHORIZATION].replace(b"t" * 88, b"grafana")
    assert bucket_of(ID, legacy) is None


@pytest.mark.parametrize("kind", COUNTED)
def test_only_its_own_kind_is_plausible_in_a_bucket(kind: RecordKind) -> None:
    path = (kind.value.encode(),)
    assert [other for other in COUNTED if is_plausible(path, ID, RECORDS[other])] == [kind]
    assert not is_plausible(path, ID, RECORDS[kind].replace(b'"id"', bytes(4)))
    assert is_plausible((b"unknown",), b"k", b"v")


def test_a_role_is_known_by_the_ids_in_its_key() -> None:
    user, organization = b"0c00000000000001", b"0b00000000000001"
    role = b'{"userID":"%b","userType":"owner","mappingType":"user","resourceType":"orgs",'
    role = role % user + b'"resourceID":"%b"}' % organization
    found = recognize(organization + user, role)
    assert found is not None
    assert (found.kind, found.name) == (RecordKind.ROLE, f"owner of orgs {organization.decode()}")
    assert recognize(user + organization, role) is None


def test_a_password_is_known_but_not_whether_it_is_of_a_user_or_a_1x_client() -> None:
    password = b"$2a$10$" + b"x" * 53
    found = recognize(ID, password)
    assert found is not None
    assert (found.kind, found.id, found.name) == (RecordKind.PASSWORD, ID.decode(), "")
    assert bucket_of(ID, password) is None
    assert recognize(ID, password[:-1]) is None
