"""Users."""

import pytest

from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.user import decode_user, encode_user

SAMPLE = b'{"id":"08371db1dd8c8000","name":"testuser","status":"active"}'


def test_the_sample_user_is_read() -> None:
    user = decode_user(SAMPLE)
    assert (user.id, user.name, user.status) == ("08371db1dd8c8000", "testuser", "active")
    assert user.is_active
    assert not user.is_inactive


def test_a_new_user_is_written_as_the_sample() -> None:
    assert encode_user(user_id=Id("08371db1dd8c8000"), name="testuser") == SAMPLE


def test_an_empty_status_is_neither_active_nor_inactive() -> None:
    user = decode_user(b'{"id":"08371db1dd8c8000","name":"a","status":""}')
    assert (user.is_active, user.is_inactive) == (False, False)


def test_an_inactive_user_is_inactive() -> None:
    user = decode_user(encode_user(user_id=Id("08371db1dd8c8000"), name="a", status="inactive"))
    assert (user.is_active, user.is_inactive) == (False, True)


def test_a_rewritten_user_keeps_its_oauth_id_and_unknown_fields() -> None:
    stored = b'{"id":"08371db1dd8c8000","name":"a","oauthID":"x","new":1,"status":""}'
    assert decode_user(stored).rewritten({"status": "active"}) == stored.replace(
        b'"status":""', b'"status":"active"'
    )


@pytest.mark.parametrize(
    "document",
    [
        b'{"name":"canary","status":"active"}',
        b'{"id":"","name":"canary"}',
        b'{"id":"08371db1dd8c8000","name":["canary"]}',
        b'{"id":"08371db1dd8c8000","name":"canary","oauthID":1}',
        b'{"id":"08371db1dd8c8000","name":"canary"',
    ],
)
def test_a_user_that_cannot_be_decoded_is_refused_without_its_content(document: bytes) -> None:
    with pytest.raises(UndecodableError) as caught:
        decode_user(document)
    assert "canary" not in str(caught.value)


def test_the_shown_form_of_a_user_leaves_out_the_document() -> None:
    assert "document" not in repr(decode_user(SAMPLE))
